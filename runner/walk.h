/* A folder's tree in the order of S3 keys: the relative names, folders written with a final
 * slash, sorted by their bytes. So a walk can stop anywhere and a new one goes on after the
 * last name, and it can be merged with a listing. Memory is bounded: of a folder's names at
 * most WALK_NAMES_MAX are held at a time; names.h says where more of them are.
 * Symbolic links are never followed, except that the root itself may be one.
 *
 * A folder that can't be read is one failed name, with its slash, and so is one whose own name
 * is not UTF-8. When a folder fails only after some of its names were given (the walk was
 * resumed in it), then its name comes after those, the one exception to the order.
 * haul's own temporary files are passed over. */
#ifndef WALK_H
#define WALK_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define WALK_NAMES_MAX 32768

enum walk_kind {
    WALK_FILE,
    WALK_SKIPPED, /* neither file nor folder: `why` says what, "symbolic link", "socket"... */
    WALK_FAILED,  /* could not be read: `why` says so */
};

struct walk_entry {
    enum walk_kind kind;
    const char *name; /* relative to the root, "/" between; valid until the next call */
    uint64_t size;
    int64_t modified_ns;
    const char *why;
};

struct walk;

/* after: the last name that an earlier walk gave, or NULL. When it is a folder's, the folder
 * was given as a whole, and nothing of it follows. NULL with *err (EXIT_USAGE): the root is no
 * folder or can't be read. */
struct walk *walk_open(const char *root, const char *after, struct error *err);

/* The same, with another bound than WALK_NAMES_MAX: for tests. */
struct walk *walk_open_bounded(
    const char *root, const char *after, size_t names_max, struct error *err);

/* 1: *out is the next one; 0: the end; -1 with *err (EXIT_PAUSED): out of memory or
 * descriptors, the root can't be read any more, or there is no room to sort the names of a
 * large folder; then only close it. Empty folders give
 * nothing. What vanishes during the walk is left out. */
int walk_next(struct walk *w, struct walk_entry *out, struct error *err);

void walk_close(struct walk *w); /* NULL is fine */

#endif
