/* Files in the making. All bytes of objects and parts begin as a draft under ROOT/data, named
 * by a serial number; a draft that is not kept vanishes. Paths are relative to the root's
 * descriptor. */
#ifndef ENDPOINT_DRAFT_H
#define ENDPOINT_DRAFT_H

#include "text.h"

#include <stdatomic.h>

enum { DRAFT_PATH_MAX = 48, MD5_BYTES = 16, MD5_HEX_MAX = 33 };

struct drafts {
    int root_fd; /* owned */
    _Atomic uint64_t
        serial; /* begins at the clock's nanoseconds: newer files have higher ones */
};

struct draft {
    struct drafts *in; /* borrowed */
    uint64_t serial, size;
    int fd;                    /* owned; -1: none */
    struct evp_md_ctx_st *md5; /* owned */
};

#define DRAFT_NONE                                                                             \
    {                                                                                          \
        .fd = -1                                                                               \
    }

/* Makes the root and its folders as needed. -1: errno says why. */
int drafts_open(struct drafts *ds, const char *root);
void drafts_close(struct drafts *ds);
/* Where the bytes of that serial are. */
const char *draft_path(uint64_t serial, char out[static DRAFT_PATH_MAX]);

int draft_open(struct drafts *ds, struct draft *d);
int draft_write(struct draft *d, const void *data, size_t len);
/* Appends bytes [start, start + len) of a file; hashed only when asked to. */
int draft_append(struct draft *d, int fd, uint64_t start, uint64_t len, bool hashed);
/* MD5 of what was written (and hashed). Once. */
void draft_md5(struct draft *d, unsigned char out[static MD5_BYTES]);
/* Frees the draft; the file stays. */
void draft_keep(struct draft *d);
/* Frees the draft and removes the file; a kept or empty one is left alone. */
void draft_drop(struct draft *d);
/* Writes a whole small file at `path` at once: readers see the old one or the new one. */
int draft_small_file(struct drafts *ds, const char *path, const struct text *content);
/* Appends a whole file to `out`. -1: no such file. */
int draft_read_file(const struct drafts *ds, const char *path, struct text *out);
/* Removes the data files that `is_used` does not know: what a crash left behind. */
void drafts_sweep(
    struct drafts *ds, bool (*is_used)(void *payload, uint64_t serial), void *payload);

#endif
