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
    struct manifest *m = command_load(a, err);
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

static void print_text(const struct printer *p, const struct planned *row)
{
    const struct transfer *t = p->t;
    const char *name = t->many ? row->name : "";
    char size[SIZES_TEXT_SIZE];
    if (row->state != OBJECT_PLANNED)
        printf("%-8s %s%s: %s\n", row->state == OBJECT_SKIPPED ? "skip" : "refuse",
            t->kind == TRANSFER_UPLOAD ? t->local : t->key, name, row->why);
    else if (t->kind == TRANSFER_UPLOAD)
        printf("upload   %s%s -> %s://%s/%s%s (%s)\n", t->local, name, t->endpoint->name,
            t->bucket, t->key, name, sizes_format(row->size, size));
    else
        printf("download %s://%s/%s%s -> %s%s (%s)\n", t->endpoint->name, t->bucket, t->key, name,
            t->local, name, sizes_format(row->size, size));
}

static void print_json(const struct printer *p, const struct planned *row)
{
    printf("{\"action\":\"%s\",\"local\":",
        row->state == OBJECT_SKIPPED            ? "skip"
            : row->state == OBJECT_FAILED       ? "refuse"
            : p->t->kind == TRANSFER_UPLOAD     ? "upload"
                                                : "download");
    char *local = NULL, *key = NULL;
    if (asprintf(&local, "%s%s", p->t->local, p->t->many ? row->name : "") >= 0)
        json_string(stdout, local);
    printf(",\"endpoint\":\"%s\",\"bucket\":\"%s\",\"key\":", p->t->endpoint->name, p->t->bucket);
    if (asprintf(&key, "%s%s", p->t->key, p->t->many ? row->name : "") >= 0)
        json_string(stdout, key);
    printf(",\"size\":%llu", (unsigned long long) row->size);
    if (row->why != NULL) {
        printf(",\"why\":");
        json_string(stdout, row->why);
    }
    puts("}");
    free(local);
    free(key);
}

static bool print_row(void *payload, const struct planned *row)
{
    struct printer *p = payload;
    if (p->json)
        print_json(p, row);
    else
        print_text(p, row);
    p->skipped += row->state == OBJECT_SKIPPED;
    p->failed += row->state == OBJECT_FAILED;
    p->objects += row->state == OBJECT_PLANNED;
    p->bytes += row->state == OBJECT_PLANNED ? row->size : 0;
    return !ferror(stdout);
}

enum exit_code command_plan(const struct arguments *a, struct error *err)
{
    struct connections c = { 0 };
    struct printer p = { .json = a->json };
    struct haul_error error;
    struct haul_client *client = NULL;
    struct manifest *m = command_load(a, err);
    enum exit_code exit;
    if (m == NULL || check_local_sides(m, err) < 0 || connect_all(m, &c, err) < 0 ||
        check_remote_sides(m, &c, err) < 0)
        goto failed;
    client = haul_client_new(&(struct haul_client_options) { .retries = m->retries }, &error);
    if (client == NULL) {
        error_set(err, EXIT_QUEUE, "%s", error.text);
        goto failed;
    }
    for (size_t i = 0; i < m->transfer_count; i++) {
        p.t = m->transfers[i];
        if (plan_transfer(
                p.t, connection_of(&c, m, p.t), client, NULL, print_row, &p, err) < 0)
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
