/* The names in a folder, sorted by their bytes however many they are. So many as are allowed
 * are held; of more, sorted runs are put into a file without a name, below $TMPDIR or else
 * /tmp, and merged as they are taken. Each call that fails leaves errno, and names_free() alone
 * to do. */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>

struct name {
    unsigned char type; /* DT_REG, DT_DIR... */
    char text[];        /* a folder's ends in a slash, so that names sort as keys do */
};

struct names;

/* after: borrowed; names up to it are left out; or NULL. NULL: out of memory. */
struct names *names_new(size_t held_max, const char *after);
int names_add(struct names *n, const char *text, unsigned char type); /* 0, or -1 */
int names_sort(struct names *n); /* after the last one, once: 0, or -1 */

/* 1: *out is the next one, until the next call; 0: the end; -1. A name that was added twice
 * comes once. */
int names_next(struct names *n, const struct name **out);
void names_free(struct names *n); /* NULL is fine */

/* Where the runs are, for a message. */
const char *names_folder(void);

#endif
