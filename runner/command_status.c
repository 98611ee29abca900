/* `haul jobs` and `haul status`: they look into queues beside their owners. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "queue.h"
#include "runs.h"
#include "sizes.h"

#define WATCH_MS 1000

const char *command_state(const struct run *run, int holder)
{
    if (run->finished_at != NULL)
        return "finished";
    if (holder != 0)
        return "running";
    return run->paused != NULL ? "paused" : "interrupted";
}

/* A run, as one look finds it. view_close() frees it. */
struct view {
    struct queue *q;
    struct run run;
    struct tally tally;
    int holder;
};

static void view_close(struct view *v)
{
    queue_close(v->q);
    run_clear(&v->run);
    *v = (struct view){ 0 };
}

static int view_open(struct view *v, const char *path, struct error *err)
{
    *v = (struct view){ .holder = queue_holder(path) };
    if (queue_open_reader(&v->q, path, err) == 0 && queue_run(v->q, &v->run, err) == 0 &&
        queue_tally(v->q, &v->tally, err) == 0)
        return 0;
    view_close(v);
    return -1;
}

static void print_failure(void *payload, unsigned transfer, const char *name, const char *why)
{
    const char **comma = payload;
    printf("%s{\"transfer\":%u,\"name\":", *comma, transfer);
    json_string(stdout, name);
    fputs(",\"why\":", stdout);
    json_string(stdout, why);
    putchar('}');
    *comma = ",";
}

/* SQLite writes the object but for the failures: their names need not be UTF-8, so that they go
 * through json_string(), before the object's last brace. */
static int print_json(const struct view *v, bool failed, const char *end, struct error *err)
{
    char *json = NULL;
    const char *comma = "";
    if (queue_json(v->q, command_state(&v->run, v->holder), v->holder, &json, err) < 0)
        return -1;
    int rc = 0;
    printf("%.*s", (int) strlen(json) - failed, json);
    if (failed) {
        fputs(",\"failures\":[", stdout);
        rc = queue_failed(v->q, print_failure, &comma, err);
        fputs("]}", stdout);
    }
    fputs(end, stdout);
    free(json);
    return rc;
}

/* ---- jobs ---- */

static void print_line(const struct view *v)
{
    char moved[SIZES_TEXT_SIZE], all[SIZES_TEXT_SIZE];
    const struct tally *t = &v->tally;
    printf("%-24s %-22s %-11s %10llu of %llu objects  %s of %s%s\n", v->run.name, v->run.id,
        command_state(&v->run, v->holder), (unsigned long long) t->done,
        (unsigned long long) (t->objects - t->skipped), sizes_format(t->moved_bytes, moved),
        sizes_format(t->bytes, all), t->failed ? "  with failures" : "");
}

enum exit_code command_jobs(const struct arguments *a, struct error *err)
{
    struct run_file *files = NULL;
    size_t count = 0, shown = 0;
    if (runs_list(NULL, &files, &count, err) < 0)
        return err->exit;
    if (a->json)
        putchar('[');
    for (size_t i = 0; i < count; i++) {
        struct view v;
        struct error unreadable;
        if (view_open(&v, files[i].path, &unreadable) < 0) {
            fprintf(stderr, "haul: %s\n", unreadable.text);
            continue;
        }
        if (a->json && shown++ > 0)
            fputs(",\n ", stdout);
        if (!a->json)
            print_line(&v);
        else if (print_json(&v, false, "", &unreadable) < 0)
            fprintf(stderr, "haul: %s\n", unreadable.text);
        view_close(&v);
    }
    if (a->json)
        puts("]");
    else if (count == 0)
        puts("no runs yet: `haul run FILE` makes one");
    runs_free(files, count);
    return EXIT_DONE;
}

/* ---- status ---- */

static void print_failed(void *payload, unsigned transfer, const char *name, const char *why)
{
    (void) payload;
    printf("  failed     transfer %u: ", transfer);
    json_plain(stdout, name, "\"\\");
    printf(": %s\n", why);
}

static int print_status(const struct view *v, const struct arguments *a, struct error *err)
{
    char moved[SIZES_TEXT_SIZE], all[SIZES_TEXT_SIZE];
    const struct tally *t = &v->tally;
    const char *state = command_state(&v->run, v->holder);
    printf("%s %s: %s", v->run.name, v->run.id, state);
    if (v->holder > 0)
        printf(" (process %d)", v->holder);
    printf("\n  manifest   %s\n  started    %s\n", v->run.manifest_file, v->run.created_at);
    if (v->run.finished_at != NULL)
        printf("  finished   %s\n", v->run.finished_at);
    printf("  objects    %llu of %llu done, %llu failed, %llu skipped%s\n",
        (unsigned long long) t->done, (unsigned long long) (t->objects - t->skipped),
        (unsigned long long) t->failed, (unsigned long long) t->skipped,
        t->planned ? "" : "; not all are planned yet");
    printf("  bytes      %s of %s\n", sizes_format(t->moved_bytes, moved),
        sizes_format(t->bytes, all));
    bool is_paused = strcmp(state, "paused") == 0;
    if (is_paused)
        printf("  paused     %s\n", v->run.paused);
    if (is_paused || strcmp(state, "interrupted") == 0)
        printf("  next       haul resume %s%s\n", a->queue ? "--queue " : "",
            a->queue ? a->queue : v->run.id);
    return a->failed ? queue_failed(v->q, print_failed, NULL, err) : 0;
}

/* One look. Returns 1 when another one would show more, 0 when not, -1 with *err. */
static int show(const struct arguments *a, const char *path, struct error *err)
{
    struct view v;
    if (view_open(&v, path, err) < 0)
        return -1;
    if (a->watch && !a->json && isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout); /* over the last look */
    int rc = a->json ? print_json(&v, a->failed, "\n", err) : print_status(&v, a, err);
    if (rc == 0)
        rc = v.holder != 0;
    view_close(&v);
    fflush(stdout);
    return rc;
}

enum exit_code command_status(const struct arguments *a, struct error *err)
{
    char *found = a->queue ? NULL : runs_find(a->operand, err);
    const char *path = a->queue ? a->queue : found;
    int rc = path ? show(a, path, err) : -1;
    while (rc == 1 && a->watch) {
        poll(NULL, 0, WATCH_MS); /* a person's pace; nothing else could wake us */
        rc = show(a, path, err);
    }
    free(found);
    return rc < 0 ? err->exit : EXIT_DONE;
}
