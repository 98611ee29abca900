/* Where a download goes: a temporary file beside its destination, which takes the name when all
 * is there; or, as a stream, what is no regular file. */
#ifndef TEMPORARY_H
#define TEMPORARY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <haul/error.h>

struct temporary {
    int fd;                    /* owned: write here; -1: closed */
    int folder;                /* owned; -1: a stream, what was written can't be taken back */
    char name[32];             /* in the folder; "": there is none (any more) */
    char target[NAME_MAX + 1]; /* likewise: what it will be called */
};

/* Nothing is open: temporary_discard() may come before temporary_open(). */
#define TEMPORARY_NONE                                                                         \
    {                                                                                          \
        .fd = -1, .folder = -1                                                                 \
    }

/* `path` is missing or a regular file: the new one has a random name, and the mode 0666 less
 * the umask. Links are followed to where they lead. What is neither (a FIFO, a device, and all
 * that /dev/fd has) is opened for writing, which waits for a FIFO's reader. With `replace` none
 * of this is looked at: the new file takes the name, whatever has it.
 * Returns 0, or -1 with *err = HAUL_LOCAL. */
int temporary_open(struct temporary *t, const char *path, bool replace, struct haul_error *err);

/* The same, without `replace`, for a file with the mode 0600. */
int temporary_open_private(struct temporary *t, const char *path, struct haul_error *err);

bool temporary_is_stream(const struct temporary *t);

/* Makes the file `size` bytes long, empty ones for a beginning, and finds out now whether the
 * disk has room for them. Returns 0, or -1 with errno. Not for streams. */
int temporary_reserve(const struct temporary *t, uint64_t size);

/* File synced, renamed, folder synced, everything closed. A stream: closed. Leaves nothing
 * behind when it fails. Returns 0, or -1 with *err = HAUL_LOCAL. */
int temporary_publish(struct temporary *t, struct haul_error *err);

/* Closes and removes. Fine after temporary_publish(). */
void temporary_discard(struct temporary *t);

/* A file without a name, in TMPDIR or else /tmp. -1 with errno. */
int temporary_nameless(void);

#endif
