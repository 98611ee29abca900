/* Telling the caller of a long transfer how far it is, and hearing whether it is to go on. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>

#include <haul/file.h>

struct progress {
    haul_progress_fn *tell; /* NULL: nobody asks */
    void *payload;
    uint64_t total, done; /* done: as was told last */
    int64_t told_ms;      /* CLOCK_MONOTONIC */
};

struct progress progress_begin(const struct haul_parallel_options *o, uint64_t total);

/* `done` bytes are through: told at once when that is all, else when there is news and the last
 * telling is 50 ms old. Returns 0, or -1 with *err = HAUL_CANCELLED. */
int progress_tell(struct progress *p, uint64_t done, struct haul_error *err);

#endif
