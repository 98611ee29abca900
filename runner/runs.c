/* The state folder: names and ids become paths here, and nowhere else. */
#include "runs.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue.h"

void runs_new_id(char id[static RUN_ID_SIZE])
{
    struct tm utc;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    size_t len = strftime(id, RUN_ID_SIZE, "%Y%m%dT%H%M%SZ", gmtime_r(&now.tv_sec, &utc));
    unsigned fraction = (unsigned) (now.tv_nsec * INT64_C(0x10000) / 1000000000);
    snprintf(id + len, RUN_ID_SIZE - len, "-%04x", fraction);
}

/* The folder of one name, or of all. */
static char *state_folder(const char *name, struct error *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    bool set = state != NULL && state[0] == '/';
    char *path = NULL;
    if (!set && (home == NULL || home[0] != '/')) {
        error_set(err, EXIT_QUEUE,
            "neither XDG_STATE_HOME nor HOME says where runs are kept: set one, or give "
            "--queue");
        return NULL;
    }
    if (asprintf(&path, "%s%s/haul%s%s", set ? state : home, set ? "" : "/.local/state",
            name ? "/" : "", name ? name : "") < 0) {
        error_no_memory(err);
        return NULL;
    }
    return path;
}

char *runs_path(const char *name, const char *id, struct error *err)
{
    char *folder = state_folder(name, err), *path = NULL;
    if (folder != NULL && asprintf(&path, "%s/%s.db", folder, id) < 0) {
        error_no_memory(err);
        path = NULL;
    }
    free(folder);
    return path;
}

struct list {
    struct run_file *runs;
    size_t count;
};

/* "20260131T235959Z-1f2e.db": 0 stands for a digit, x for one of a hexadecimal number. */
static bool is_run_file(const char *file)
{
    static const char picture[] = "00000000T000000Z-xxxx.db";
    for (size_t i = 0; i < sizeof picture; i++) {
        bool digit = file[i] >= '0' && file[i] <= '9';
        bool letter = file[i] >= 'a' && file[i] <= 'f';
        if (picture[i] == '0'   ? !digit
            : picture[i] == 'x' ? !digit && !letter
                                : file[i] != picture[i])
            return false;
    }
    return true;
}

static int add_run(
    struct list *l, const char *folder, const char *name, const char *file, struct error *err)
{
    size_t len = strlen(file);
    if (!is_run_file(file))
        return 0;
    struct run_file *more = realloc(l->runs, (l->count + 1) * sizeof *more);
    if (more == NULL)
        return error_no_memory(err);
    l->runs = more;
    struct run_file *r = &more[l->count];
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->id, sizeof r->id, "%.*s", (int) len - 3, file);
    if (asprintf(&r->path, "%s/%s", folder, file) < 0)
        return error_no_memory(err);
    l->count++;
    return 0;
}

/* The entries of a name's folder are its runs, those of the folder of all (NULL) the names. One
 * that is not there has none; of one that can't be read nobody knows. */
static int add_folder(struct list *l, const char *name, struct error *err)
{
    char *folder = state_folder(name, err);
    DIR *d = folder ? opendir(folder) : NULL;
    struct dirent *e = NULL;
    int rc = d ? 0 : -1;
    while (rc == 0 && (errno = 0, e = readdir(d)) != NULL)
        if (name != NULL)
            rc = add_run(l, folder, name, e->d_name, err);
        else if (e->d_name[0] != '.')
            rc = add_folder(l, e->d_name, err);
    if (folder != NULL && e == NULL && errno != 0)
        rc = errno == ENOENT || errno == ENOTDIR
                 ? 0
                 : error_set(err, EXIT_QUEUE, "can't read the folder of runs %s: %s", folder,
                       strerror(errno));
    if (d != NULL)
        closedir(d);
    free(folder);
    return rc;
}

void runs_clear_drafts(const char *name)
{
    struct error ignored;
    char *folder = state_folder(name, &ignored);
    DIR *d = folder ? opendir(folder) : NULL;
    struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL) {
        char *end = strstr(e->d_name, ".db" QUEUE_DRAFT), *path = NULL;
        if (end == NULL)
            continue;
        end[strlen(".db")] = '\0';
        if (is_run_file(e->d_name) && asprintf(&path, "%s/%s", folder, e->d_name) >= 0)
            queue_clear_draft(path);
        free(path);
    }
    if (d != NULL)
        closedir(d);
    free(folder);
}

static int latest_first(const void *a, const void *b)
{
    return strcmp(((const struct run_file *) b)->id, ((const struct run_file *) a)->id);
}

int runs_list(const char *name, struct run_file **out, size_t *count, struct error *err)
{
    struct list l = { 0 };
    if (add_folder(&l, name, err) < 0) {
        runs_free(l.runs, l.count);
        return -1;
    }
    if (l.count > 0)
        qsort(l.runs, l.count, sizeof *l.runs, latest_first);
    *out = l.runs;
    *count = l.count;
    return 0;
}

void runs_free(struct run_file *runs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(runs[i].path);
    free(runs);
}

char *runs_find(const char *job, struct error *err)
{
    struct run_file *runs = NULL;
    size_t count = 0;
    char *path = NULL;
    if (runs_list(NULL, &runs, &count, err) < 0)
        return NULL;
    for (size_t i = 0; i < count && path == NULL; i++)
        if (job == NULL || strcmp(runs[i].id, job) == 0 || strcmp(runs[i].name, job) == 0) {
            path = runs[i].path;
            runs[i].path = NULL;
        }
    if (path == NULL)
        error_set(err, EXIT_USAGE, "there is no run%s%s: `haul jobs` lists them",
            job ? " " : "", job ? job : "");
    runs_free(runs, count);
    return path;
}
