/* The names in a folder: see names.h. */
#include "names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES 8192 /* of a run; no name is longer than PATH_MAX */

/* Sorted names, as they are in memory, one after the other. */
struct run {
    off_t at, end; /* what the file has of it beyond the buffer */
    char *buffer;  /* owned */
    size_t used, filled;
};

struct names {
    struct name **held; /* owned, with the names in it */
    size_t held_max, next, count, room;
    const char *after; /* borrowed; or NULL */
    FILE *file;        /* owned; NULL: all are held */
    struct run *runs;  /* owned; once sorted a heap, the one with the least name first */
    size_t run_count;
    struct name *given; /* owned; from the runs */
};

/* ---- One name ---- */

static struct name *new_name(const char *text, unsigned char type)
{
    size_t len = strlen(text);
    struct name *n = malloc(sizeof *n + len + 2);
    if (!n)
        return NULL;
    n->type = type;
    memcpy(n->text, text, len);
    strcpy(n->text + len, type == DT_DIR ? "/" : "");
    return n;
}

static size_t bytes_of(const struct name *n)
{
    return sizeof *n + strlen(n->text) + 1;
}

/* ---- Those that are held ---- */

static int compare(const void *a, const void *b)
{
    const struct name *const *left = a, *const *right = b;
    return strcmp((*left)->text, (*right)->text); /* as unsigned bytes */
}

static void sort_held(struct names *n)
{
    if (n->count > 0)
        qsort(n->held, n->count, sizeof *n->held, compare);
}

/* A folder that changes while it is read may tell a name twice. */
static int held_next(struct names *n, const struct name **out)
{
    while (n->next > 0 && n->next < n->count &&
           compare(&n->held[n->next - 1], &n->held[n->next]) == 0)
        n->next++;
    if (n->next == n->count)
        return 0;
    *out = n->held[n->next++];
    return 1;
}

static void drop_held(struct names *n)
{
    while (n->count > 0)
        free(n->held[--n->count]);
}

/* ---- Runs ---- */

const char *names_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
}

static FILE *open_nameless(void)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/haul-names-XXXXXX", names_folder()) >=
        (int) sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return NULL;
    unlink(path);
    FILE *file = fdopen(fd, "w");
    if (!file)
        close(fd);
    return file;
}

/* Makes a run of what is held. */
static int spill(struct names *n)
{
    struct run *runs = realloc(n->runs, (n->run_count + 1) * sizeof *runs);
    if (!runs)
        return -1;
    n->runs = runs;
    if (!n->file && !(n->file = open_nameless()))
        return -1;
    struct run *run = &runs[n->run_count];
    *run = (struct run){ .at = ftello(n->file) };
    sort_held(n);
    for (size_t i = 0; i < n->count; i++)
        if (fwrite(n->held[i], bytes_of(n->held[i]), 1, n->file) != 1)
            return -1;
    run->end = ftello(n->file);
    n->run_count++;
    drop_held(n);
    return 0;
}

static struct name *head(const struct run *r)
{
    return (struct name *) (r->buffer + r->used);
}

/* Gets the run's next name into its buffer as a whole, if there is one. */
static int fill(const struct names *n, struct run *r)
{
    size_t rest = r->filled - r->used;
    if (rest > sizeof *head(r) && memchr(head(r)->text, '\0', rest - sizeof *head(r)))
        return 0;
    memmove(r->buffer, r->buffer + r->used, rest);
    r->used = 0;
    r->filled = rest;
    while (r->at < r->end && r->filled < BUFFER_BYTES) {
        size_t want = BUFFER_BYTES - r->filled, left = (size_t) (r->end - r->at);
        ssize_t got =
            pread(fileno(n->file), r->buffer + r->filled, want < left ? want : left, r->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO;
        if (got <= 0)
            return -1;
        r->filled += (size_t) got;
        r->at += got;
    }
    return 0;
}

/* Restores the order of the heap below its element i. */
static void sift_down(struct names *n, size_t i)
{
    struct run *heap = n->runs;
    for (size_t child; (child = 2 * i + 1) < n->run_count; i = child) {
        if (child + 1 < n->run_count &&
            strcmp(head(&heap[child + 1])->text, head(&heap[child])->text) < 0)
            child++;
        if (strcmp(head(&heap[i])->text, head(&heap[child])->text) <= 0)
            return;
        struct run less = heap[child];
        heap[child] = heap[i];
        heap[i] = less;
    }
}

static int begin_merge(struct names *n)
{
    if (fflush(n->file) != 0 || !(n->given = calloc(1, BUFFER_BYTES)))
        return -1;
    for (size_t i = 0; i < n->run_count; i++)
        if (!(n->runs[i].buffer = malloc(BUFFER_BYTES)) || fill(n, &n->runs[i]) < 0)
            return -1;
    for (size_t i = n->run_count; i-- > 0;)
        sift_down(n, i);
    return 0;
}

static int drop_least(struct names *n)
{
    struct run *r = &n->runs[0];
    r->used += bytes_of(head(r));
    if (fill(n, r) < 0)
        return -1;
    if (r->used == r->filled) {
        free(r->buffer);
        *r = n->runs[--n->run_count];
    }
    sift_down(n, 0);
    return 0;
}

/* Likewise, in one run or in several. */
static int merge_next(struct names *n, const struct name **out)
{
    while (n->run_count > 0 && strcmp(head(&n->runs[0])->text, n->given->text) == 0)
        if (drop_least(n) < 0)
            return -1;
    if (n->run_count == 0)
        return 0;
    memcpy(n->given, head(&n->runs[0]), bytes_of(head(&n->runs[0])));
    *out = n->given;
    return 1;
}

/* ---- All of them ---- */

struct names *names_new(size_t held_max, const char *after)
{
    struct names *n = calloc(1, sizeof *n);
    if (n) {
        n->held_max = held_max;
        n->after = after;
    }
    return n;
}

static int make_room(struct names *n)
{
    if (n->count == n->held_max)
        return spill(n);
    if (n->count < n->room)
        return 0;
    size_t room = 2 * n->room + 16;
    struct name **held = realloc(n->held, room * sizeof *held);
    if (!held)
        return -1;
    n->held = held;
    n->room = room;
    return 0;
}

int names_add(struct names *n, const char *text, unsigned char type)
{
    if (make_room(n) < 0)
        return -1;
    struct name *name = new_name(text, type);
    if (!name)
        return -1;
    if (n->after && strcmp(name->text, n->after) <= 0)
        free(name);
    else
        n->held[n->count++] = name;
    return 0;
}

int names_sort(struct names *n)
{
    if (n->file)
        return n->count > 0 && spill(n) < 0 ? -1 : begin_merge(n);
    sort_held(n);
    return 0;
}

int names_next(struct names *n, const struct name **out)
{
    return n->file ? merge_next(n, out) : held_next(n, out);
}

void names_free(struct names *n)
{
    if (!n)
        return;
    drop_held(n);
    free(n->held);
    while (n->run_count > 0)
        free(n->runs[--n->run_count].buffer);
    free(n->runs);
    free(n->given);
    if (n->file)
        fclose(n->file);
    free(n);
}
