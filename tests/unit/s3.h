/* The scripted endpoint for one test: started, told what goes wrong, asked what it has seen.
 * Its program is what S3_ENDPOINT names; tests/endpoint/README.md is its manual. Whatever goes
 * wrong here ends the test program. */
#ifndef S3_H
#define S3_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define S3_ACCESS_KEY "AKIDSCRIPTED"
#define S3_SECRET_KEY "scripted/secret+key"

struct s3 {
    char url[64];
    char *folder; /* owned: its objects */
    unsigned port;
    pid_t pid; /* 0: stopped */
};

/* On a free port, with the two keys, parts of any size, and further options (NULL-terminated,
 * or NULL). s3_free() ends it. */
struct s3 *s3_start(const char *const *options);
void s3_stop(struct s3 *s);                                /* its objects stay */
void s3_restart(struct s3 *s, const char *const *options); /* the same port and objects */
void s3_free(struct s3 *s);

/* The functions from here on may be called from any thread. */

void s3_fault(const struct s3 *s, const char *lines);
void s3_clear(const struct s3 *s); /* forgets all faults and opens all gates */

/* Blocks until `count` requests hang at the gate. */
void s3_wait_at(const struct s3 *s, const char *gate, unsigned count);
void s3_open(const struct s3 *s, const char *gate);

/* A number of its statistics: "PutObject", "connections", "bytes_in"... */
uint64_t s3_count(const struct s3 *s, const char *name);

/* "name: value" lines of the latest requests of that operation, as much of them as fits. */
void s3_headers(const struct s3 *s, const char *operation, char *out, size_t size);

#endif
