/* Reads a tree depth first, with the folders from the root down to the current one on a stack.
 * A folder's names are read when they are needed, and sorted. So an interrupted walk goes on
 * by putting its last name's folders on the stack, each of which takes the names that follow.
 * What becomes of the names, the planner decides. */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "destination.h"
#include "names.h"
#include "utf8.h"

/* Of this many levels, the deepest ones, the descriptors are kept, and the root's. */
#define OPEN_LEVELS_MAX 32

struct level {
    int fd;              /* owned; -1 when closed, or not yet opened */
    size_t path_len;     /* this folder's part of the walk's path, with its slash */
    char *after;         /* owned; names up to this one are done; NULL: none */
    struct names *names; /* owned; NULL: not read yet */
};

struct walk {
    struct level *levels; /* the root first */
    size_t depth, level_room;
    char *path; /* of the entry that was given last */
    size_t path_room;
    size_t names_max; /* to hold */
    bool unsorted;    /* it was the names that failed */
    alignas(struct dirent64) char buffer[1 << 16];
};

static struct level *deepest(struct walk *w)
{
    return &w->levels[w->depth - 1];
}

/* The path becomes its first `len` bytes and `tail`. */
static int set_path(struct walk *w, size_t len, const char *tail)
{
    size_t need = len + strlen(tail) + 1;
    if (need > w->path_room) {
        char *path = realloc(w->path, 2 * need);
        if (!path)
            return -1;
        w->path = path;
        w->path_room = 2 * need;
    }
    strcpy(w->path + len, tail);
    return 0;
}

/* Enters the folder that the path names. It is opened when it is read. */
static int push(struct walk *w)
{
    if (w->depth == w->level_room) {
        size_t room = 2 * w->level_room + 16;
        struct level *levels = realloc(w->levels, room * sizeof *levels);
        if (!levels)
            return -1;
        w->levels = levels;
        w->level_room = room;
    }
    w->levels[w->depth++] = (struct level){ .fd = -1, .path_len = strlen(w->path) };
    return 0;
}

static void close_level(struct level *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

static int pop(struct walk *w)
{
    struct level *l = deepest(w);
    names_free(l->names);
    free(l->after);
    close_level(l);
    w->depth--;
    return 0;
}

/* The descriptor of the deepest level. It and those above may have been closed, or may never
 * have been opened: then we come from the nearest open one, never by "..", which leads
 * elsewhere once somebody has moved a folder. */
static int open_deepest(struct walk *w)
{
    size_t at = w->depth - 1;
    while (w->levels[at].fd < 0)
        at--;
    while (++at < w->depth) {
        struct level *l = &w->levels[at];
        char *slash = &w->path[l->path_len - 1];
        *slash = '\0'; /* "name/" would follow a link in spite of O_NOFOLLOW */
        l->fd = openat(l[-1].fd, w->path + l[-1].path_len,
            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        *slash = '/';
        if (l->fd < 0)
            return -1;
        if (at > OPEN_LEVELS_MAX)
            close_level(l - OPEN_LEVELS_MAX);
    }
    return deepest(w)->fd;
}

/* "", "." and ".." are no folder's names. */
static bool is_dots(const char *text, size_t len)
{
    return len <= 2 && strspn(text, ".") >= len;
}

static int keep_entry(struct level *l, const char *text, unsigned char type)
{
    struct stat st;
    if (is_dots(text, strlen(text)))
        return 0;
    if (type == DT_UNKNOWN) /* some file systems never tell; describe() will see a failure */
        type = fstatat(l->fd, text, &st, AT_SYMLINK_NOFOLLOW) < 0 ? DT_REG : IFTODT(st.st_mode);
    if (type == DT_REG && destination_is_temp(text))
        return 0;
    return names_add(l->names, text, type);
}

/* Of the deepest level. */
static int read_names(struct walk *w)
{
    struct level *l = deepest(w);
    ssize_t got;
    if (open_deepest(w) < 0)
        return -1;
    w->unsorted = !(l->names = names_new(w->names_max, l->after));
    if (w->unsorted)
        return -1;
    while ((got = getdents64(l->fd, w->buffer, sizeof w->buffer)) > 0) {
        const struct dirent64 *entry;
        for (char *at = w->buffer; at < w->buffer + got; at += entry->d_reclen) {
            entry = (const void *) at;
            w->unsorted = keep_entry(l, entry->d_name, entry->d_type) < 0;
            if (w->unsorted)
                return -1;
        }
    }
    if (got == 0)
        w->unsorted = names_sort(l->names) < 0;
    return w->unsorted ? -1 : (int) got;
}

static int fail(struct walk_entry *out, const char *why)
{
    out->kind = WALK_FAILED;
    out->why = why;
    return 1;
}

/* By errno. 1: the entry failed; 0: it has vanished; -1: the fault is ours. */
static int fail_by_errno(struct walk_entry *out)
{
    if (errno == ENOMEM || errno == EMFILE || errno == ENFILE)
        return -1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : fail(out, strerror(errno));
}

static int describe(struct walk *w, const struct name *n, struct walk_entry *out)
{
    static const char *const others[] = {
        [DT_FIFO] = "named pipe",
        [DT_CHR] = "character device",
        [DT_DIR] = "has just become a folder",
        [DT_BLK] = "block device",
        [DT_LNK] = "symbolic link",
        [DT_SOCK] = "socket",
    };
    unsigned char type = n->type;
    struct stat st;
    if (type == DT_REG) {
        int folder = open_deepest(w);
        if (folder < 0 || fstatat(folder, n->text, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return fail_by_errno(out);
        type = IFTODT(st.st_mode); /* it may have been replaced */
    }
    if (type == DT_REG) {
        out->kind = WALK_FILE;
        out->size = (uint64_t) st.st_size;
        out->modified_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
    } else {
        out->kind = WALK_SKIPPED;
        out->why = type < sizeof others / sizeof *others ? others[type] : NULL;
        if (!out->why)
            out->why = "neither file nor folder";
    }
    return 1;
}

static int read_level(struct walk *w, struct walk_entry *out)
{
    if (read_names(w) == 0)
        return 0;
    bool is_ours = w->unsorted || w->depth == 1; /* the root's failure ends the walk */
    int rc = is_ours ? -1 : fail_by_errno(out);
    if (rc >= 0)
        pop(w);
    return rc;
}

/* 1: *out is given; 0: go on; -1: errno. */
static int step(struct walk *w, struct walk_entry *out)
{
    struct level *l = deepest(w);
    const struct name *n = NULL;
    w->unsorted = l->names && names_next(l->names, &n) < 0;
    if (w->unsorted || set_path(w, l->path_len, n ? n->text : "") < 0)
        return -1;
    *out = (struct walk_entry){ .name = w->path };
    if (!n)
        return l->names ? pop(w) : read_level(w, out);
    if (!utf8_is_valid(n->text))
        return fail(out, "the name is not UTF-8");
    return n->type == DT_DIR ? push(w) : describe(w, n, out);
}

int walk_next(struct walk *w, struct walk_entry *out, struct error *err)
{
    int rc = 0;
    while (rc == 0 && w->depth > 0)
        rc = step(w, out);
    if (rc < 0 && w->unsorted)
        error_set(err, EXIT_PAUSED, "can't sort a folder's names in a file below '%s': %s%s",
            names_folder(), strerror(errno), error_advice(errno));
    else if (rc < 0)
        error_set(err, EXIT_PAUSED, "can't read on after '%s': %s%s", w->path, strerror(errno),
            error_advice(errno));
    return rc;
}

/* Puts the folders of that name on the stack, each with the name in it that is done. A final
 * slash tells of a folder that was given as a whole, as failed. The name comes from a file, so
 * its segments are not trusted to be a folder's. */
static int resume(struct walk *w, const char *after)
{
    while (*after) {
        struct level *l = deepest(w);
        size_t len = strcspn(after, "/");
        bool is_folder = after[len] == '/';
        l->after = strndup(after, len + is_folder);
        if (!l->after || set_path(w, l->path_len, l->after) < 0)
            return -1;
        if (!is_folder || after[len + 1] == '\0' || is_dots(after, len))
            return 0;
        if (push(w) < 0)
            return -1;
        after += len + 1;
    }
    return 0;
}

struct walk *walk_open_bounded(
    const char *root, const char *after, size_t names_max, struct error *err)
{
    struct walk *w = NULL;
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        goto failed;
    w = calloc(1, sizeof *w);
    if (!w || set_path(w, 0, "") < 0 || push(w) < 0)
        goto failed;
    w->names_max = names_max;
    w->levels[0].fd = fd;
    fd = -1;
    if (resume(w, after ? after : "") < 0)
        goto failed;
    return w;
failed:
    error_set(err, EXIT_USAGE, "can't read the folder '%s': %s%s", root, strerror(errno),
        error_advice(errno));
    walk_close(w);
    if (fd >= 0)
        close(fd);
    return NULL;
}

struct walk *walk_open(const char *root, const char *after, struct error *err)
{
    return walk_open_bounded(root, after, WALK_NAMES_MAX, err);
}

void walk_close(struct walk *w)
{
    if (!w)
        return;
    while (w->depth > 0)
        pop(w);
    free(w->levels);
    free(w->path);
    free(w);
}
