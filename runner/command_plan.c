/* `haul check` and `haul plan`: what the manifest says, and what it would do. */
#include <haul/haul.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "connect.h"
#include "json.h"
#include "plan.h"
#include "sizes.h"

enum exit_code command_check(const struct arguments *a, struct error *err)
{
    struct manifest *m = command_load(a->operand, a, err);
    if (m == NULL)
        return err->exit;
    printf("%s: job %s is right: %zu endpoint%s, %zu transfer%s\n", a->operand, m->name,
        m->endpoint_count, m->endpoint_count == 1 ? "" : "s", m->transfer_count,
        m->transfer_count == 1 ? "" : "s");
    manifest_free(m);
    return EXIT_DONE;
}

struct printer {
    const struct transfer *t;
    bool json;
    uint64_t objects, bytes, skipped, failed;
};

static const char *action(const struct transfer *t, const struct planned *row)
{
    if (row->state != OBJECT_PLANNED)
        return row->state == OBJECT_SKIPPED ? "skip" : "refuse";
    return t->kind == TRANSFER_UPLOAD ? "upload" : "download";
}

/* The row's file and key, whole. */
struct names {
    char *local, *key; /* owned */
};

static void print_text(
    const struct printer *p, const struct planned *row, const struct names *n)
{
    const struct transfer *t = p->t;
    const bool up = t->kind == TRANSFER_UPLOAD, moves = row->state == OBJECT_PLANNED;
    char size[SIZES_TEXT_SIZE];
    printf("%-8s ", action(t, row));
    for (int side = 0; side < (moves ? 2 : 1); side++) {
        fputs(side > 0 ? " -> " : "", stdout);
        if (up != (side == 0))
            printf("%s://%s/", t->endpoint->name, t->bucket);
        json_plain(stdout, up == (side == 0) ? n->local : n->key, "\"\\");
    }
    if (moves)
        printf(" (%s)\n", sizes_format(row->size, size));
    else
        printf(": %s\n", row->why);
}

static void print_json(
    const struct printer *p, const struct planned *row, const struct names *n)
{
    printf("{\"action\":\"%s\",\"local\":", action(p->t, row));
    json_string(stdout, n->local);
    printf(
        ",\"endpoint\":\"%s\",\"bucket\":\"%s\",\"key\":", p->t->endpoint->name, p->t->bucket);
    json_string(stdout, n->key);
    printf(",\"size\":%llu", (unsigned long long) row->size);
    if (row->why != NULL) {
        printf(",\"why\":");
        json_string(stdout, row->why);
    }
    puts("}");
}

static bool print_row(void *payload, const struct planned *row)
{
    struct printer *p = payload;
    struct names n = { 0 };
    const char *name = p->t->many ? row->name : "";
    if (asprintf(&n.local, "%s%s", p->t->local, name) < 0)
        n.local = NULL;
    if (asprintf(&n.key, "%s%s", p->t->key, name) < 0)
        n.key = NULL;
    bool good = n.local != NULL && n.key != NULL;
    if (good)
        (p->json ? print_json : print_text)(p, row, &n);
    free(n.local);
    free(n.key);
    p->skipped += row->state == OBJECT_SKIPPED;
    p->failed += row->state == OBJECT_FAILED;
    p->objects += row->state == OBJECT_PLANNED;
    p->bytes += row->state == OBJECT_PLANNED ? row->size : 0;
    return good && !ferror(stdout);
}

enum exit_code command_plan(const struct arguments *a, struct error *err)
{
    struct connections c = { 0 };
    struct printer p = { .json = a->json };
    struct haul_client *client = NULL;
    struct manifest *m = command_load(a->operand, a, err);
    enum exit_code exit;
    if (m == NULL || check_local_sides(m, err) < 0 || connect_all(m, &c, err) < 0 ||
        check_remote_sides(m, &c, err) < 0 || (client = connect_client(m, 0, 0, err)) == NULL)
        goto failed;
    for (size_t i = 0; i < m->transfer_count; i++) {
        p.t = m->transfers[i];
        if (plan_transfer(p.t, connection_of(&c, m, p.t), client, NULL, print_row, &p, err) < 0)
            goto failed;
    }
    char size[SIZES_TEXT_SIZE];
    if (!p.json)
        printf("%llu objects, %s to move; %llu to skip, %llu refused\n",
            (unsigned long long) p.objects, sizes_format(p.bytes, size),
            (unsigned long long) p.skipped, (unsigned long long) p.failed);
    exit = EXIT_DONE;
    goto out;
failed:
    exit = err->exit;
out:
    haul_client_free(client);
    connections_free(&c);
    manifest_free(m);
    return exit;
}
