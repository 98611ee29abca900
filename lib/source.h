/* A local file as the source of an upload. */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <sys/stat.h>

#include <haul/body.h>

struct source {
    int fd;            /* source_open()'s: owned; -1: closed */
    uint64_t start;    /* where the body begins in it */
    struct stat found; /* before it was read */
};

/* A regular file that knows its size, without waiting for anything else that may stand there.
 * Returns 0, or -1 with *err = HAUL_LOCAL. */
int source_open(struct source *f, const char *path, struct haul_error *err);
void source_close(struct source *f);

/* Somebody's descriptor, from where it stands. Returns 0; 1: it is no regular file; -1 with
 * *err = HAUL_LOCAL. */
int source_borrow(struct source *f, int fd, struct haul_error *err);

/* All of it, from its start. *f must stay. */
struct haul_body source_body(struct source *f);

/* Is it what it was when it was found? Returns 0, or -1 with *err = HAUL_LOCAL. */
int source_check(const struct source *f, const char *name, struct haul_error *err);

/* A stretch of a body, itself a body. Both must stay. */
struct slice {
    struct haul_body whole;
    uint64_t start;
};
struct haul_body slice_body(struct slice *s, uint64_t len);

#endif
