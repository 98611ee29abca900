/* `haul run` and `haul resume`: which queue, new or old, and then carry it out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "carry.h"
#include "command.h"
#include "connect.h"
#include "log.h"
#include "queue.h"
#include "runs.h"

static void print_problem(void *payload, const struct problem *p)
{
    (void) payload;
    fprintf(stderr, "%s:%d:%d: %s\n", p->file, p->line, p->column, p->text);
}

struct manifest *command_load(const char *path, const struct arguments *a, struct error *err)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct manifest_options options = { .settings = a->settings,
        .setting_count = a->setting_count,
        .now_ms = (int64_t) now.tv_sec * 1000 };
    return manifest_load(path, &options, print_problem, NULL, err);
}

/* Reads a run's row beside whoever holds its queue. */
static int peek(const char *path, struct run *run, struct error *err)
{
    struct queue *q = NULL;
    int rc = queue_open_reader(&q, path, err);
    if (rc == 0)
        rc = queue_run(q, run, err);
    queue_close(q);
    return rc;
}

static char *take_path(struct run_file *file)
{
    char *path = file->path;
    file->path = NULL;
    return path;
}

/* The latest unfinished run of exactly this manifest. NULL without err->text: there is none. */
static char *find_unfinished(const char *name, const char *frozen, struct error *err)
{
    struct run_file *files = NULL;
    size_t count = 0;
    char *path = NULL;
    if (runs_list(name, &files, &count, err) < 0)
        return NULL;
    for (size_t i = 0; i < count && path == NULL; i++) {
        struct run run;
        struct error unreadable;
        if (peek(files[i].path, &run, &unreadable) < 0) {
            LOG(LOG_WARN, "run_not_readable", { "queue", files[i].path },
                { "why", unreadable.text });
            continue;
        }
        if (run.finished_at == NULL && strcmp(run.manifest, frozen) == 0)
            path = take_path(&files[i]);
        else if (run.finished_at == NULL)
            LOG(LOG_INFO, "unfinished_run", { "run", run.id },
                { "why",
                    "of another version of this manifest; `haul resume` with its id goes on" });
        run_clear(&run);
    }
    runs_free(files, count);
    return path;
}

static int create(struct queue **q, const char *path, const char *id, const struct manifest *m,
    const char *file, char *frozen, struct error *err)
{
    char at[32], *whole = realpath(file, NULL);
    struct tm utc;
    time_t now = time(NULL);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    struct run run = { .id = (char *) id,
        .name = m->name,
        .manifest = frozen,
        .manifest_file = whole ? whole : (char *) file,
        .created_at = at };
    int rc = queue_create(q, path, &run, (unsigned) m->transfer_count, err);
    free(whole);
    return rc;
}

/* --queue PATH: new, or this manifest's own. */
static int open_named(struct queue **q, const char *path, const char *frozen, struct error *err)
{
    struct run run;
    if (queue_open(q, path, err) < 0)
        return -1;
    if (queue_run(*q, &run, err) < 0)
        goto failed;
    bool same = strcmp(run.manifest, frozen) == 0, finished = run.finished_at != NULL;
    run_clear(&run);
    if (same && !finished)
        return 0;
    if (finished)
        error_set(
            err, EXIT_USAGE, "queue %s holds a run that is finished: name another file", path);
    else
        error_set(err, EXIT_USAGE,
            "queue %s holds a run of another manifest: `haul resume --queue %s` goes on with "
            "it,"
            " or name another file",
            path, path);
failed:
    queue_close(*q);
    *q = NULL;
    return -1;
}

static int find_queue(struct queue **q, const struct arguments *a, const struct manifest *m,
    char *frozen, struct error *err)
{
    char id[RUN_ID_SIZE], *found = NULL;
    int rc;
    if (a->queue != NULL && access(a->queue, F_OK) == 0 && !a->fresh)
        return open_named(q, a->queue, frozen, err);
    if (a->queue == NULL && !a->fresh) {
        found = find_unfinished(m->name, frozen, err);
        if (found != NULL || err->text[0] != '\0') {
            rc = found ? queue_open(q, found, err) : -1;
            free(found);
            return rc;
        }
    }
    if (check_local_sides(m, err) < 0)
        return -1;
    if (a->queue == NULL)
        runs_clear_drafts(m->name);
    runs_new_id(id);
    if (a->queue != NULL)
        return create(q, a->queue, id, m, a->operand, frozen, err);
    found = runs_path(m->name, id, err);
    rc = found ? create(q, found, id, m, a->operand, frozen, err) : -1;
    free(found);
    return rc;
}

enum exit_code command_run(const struct arguments *a, struct error *err)
{
    struct queue *q = NULL;
    enum exit_code exit = EXIT_USAGE;
    carry_block_signals();
    struct manifest *m = command_load(a->operand, a, err);
    char *frozen = m ? manifest_freeze(m) : NULL;
    if (m != NULL && frozen == NULL)
        error_no_memory(err);
    if (frozen != NULL && find_queue(&q, a, m, frozen, err) == 0)
        exit = carry_out(q, a->queue, m, err);
    else
        exit = err->exit;
    free(frozen);
    manifest_free(m);
    return exit;
}

/* The unfinished run, when there is just one. */
static char *find_only_unfinished(struct error *err)
{
    struct run_file *files = NULL;
    size_t count = 0, unfinished = 0, unreadable = 0;
    char *path = NULL, names[512] = "";
    struct error first;
    if (runs_list(NULL, &files, &count, err) < 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct run run;
        struct error why;
        if (peek(files[i].path, &run, &why) < 0) {
            LOG(LOG_WARN, "run_not_readable", { "queue", files[i].path }, { "why", why.text });
            if (unreadable++ == 0)
                first = why;
            continue;
        }
        if (run.finished_at == NULL) {
            size_t len = strlen(names);
            snprintf(names + len, sizeof names - len, "%s%s (%s)", unfinished ? ", " : "",
                run.id, run.name);
            if (unfinished++ == 0)
                path = take_path(&files[i]);
        }
        run_clear(&run);
    }
    runs_free(files, count);
    if (unfinished == 1)
        return path;
    free(path);
    if (unfinished == 0 && unreadable > 0)
        *err = first;
    else if (unfinished == 0)
        error_set(err, EXIT_USAGE, "there is no unfinished run: `haul jobs` lists them all");
    else
        error_set(err, EXIT_USAGE, "several runs are unfinished: say which, of %s", names);
    return NULL;
}

/* Before the queue is opened, which changes the file. */
static struct manifest *thaw(const char *path, const char *frozen, struct error *err)
{
    struct error why;
    struct manifest *m = manifest_thaw(frozen, &why);
    if (m == NULL)
        error_set(err, why.exit, "queue %s: %s", path, why.text);
    return m;
}

enum exit_code command_resume(const struct arguments *a, struct error *err)
{
    struct queue *q = NULL;
    struct run run = { 0 };
    struct manifest *m = NULL;
    enum exit_code exit = EXIT_QUEUE;
    carry_block_signals();
    char *found = NULL;
    const char *path = a->queue;
    if (path == NULL)
        path = found = a->operand ? runs_find(a->operand, err) : find_only_unfinished(err);
    if (path == NULL || peek(path, &run, err) < 0) {
        exit = err->exit;
    } else if (run.finished_at != NULL) {
        error_set(
            err, EXIT_USAGE, "run %s is finished: `haul status %s` tells how", run.id, run.id);
        exit = EXIT_USAGE;
    } else if ((m = thaw(path, run.manifest, err)) == NULL || queue_open(&q, path, err) < 0) {
        exit = err->exit;
    } else {
        exit = carry_out(q, a->queue, m, err);
        q = NULL;
    }
    queue_close(q);
    free(found);
    run_clear(&run);
    manifest_free(m);
    return exit;
}
