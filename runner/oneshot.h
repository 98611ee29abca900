/* What the one-shot commands share: an address and the store behind it, words for failures,
 * Ctrl-C, and the progress line. No queue, no resume: for that there are jobs. */
#ifndef ONESHOT_H
#define ONESHOT_H

#include <haul/haul.h>

#include "address.h"
#include "command.h"
#include "error.h"

#define ONESHOT_THREADS 8

struct oneshot {
    const struct arguments *arguments;
    struct manifest *manifest;         /* owned; NULL without --manifest */
    struct manifest_endpoint implicit; /* what options and settings say, without one */
    struct haul_settings settings;
    const struct manifest_endpoint *endpoint;
    struct haul_credentials *credentials; /* owned */
    struct haul_refresher *refresher;     /* owned; NULL: the keys don't expire */
    struct address address;               /* the bucket is "" for all of the store */
    struct haul_store *store;             /* owned */
};

/* The store of `address`, and Ctrl-C from here on stops what runs in it. Returns 0, or -1 with
 * *err; oneshot_close() in both cases. */
int oneshot_open(
    struct oneshot *o, const struct arguments *a, const char *address, struct error *err);
void oneshot_close(struct oneshot *o);

/* One more store of the same endpoint and bucket, for another thread. NULL with *err. Made and
 * freed on the thread that takes the signals: their handler looks at every open store. */
struct haul_store *oneshot_store(const struct oneshot *o, struct error *err);
void oneshot_store_free(struct haul_store *s);

/* Blocks SIGINT and SIGTERM for threads that are started now, or lets them come again. */
void oneshot_hold_signals(bool hold);

/* A further address of the same endpoint. */
int oneshot_parse(
    const struct oneshot *o, const char *text, struct address *out, struct error *err);

/* Does the word name something in a store? "-" and paths (./s3://x is one) do not. */
bool oneshot_is_address(const char *text);

/* Fills *err from what a call said of a key ("": of the bucket), and returns its exit code. */
enum exit_code oneshot_failed(const struct oneshot *o, const struct address *address,
    const struct haul_error *error, struct error *err);

/* The same, or of the file on the other side. Returns -1. */
int oneshot_side_failed(const struct oneshot *o, const struct address *remote,
    const char *local, const struct haul_error *error, struct error *err);

/* "WHAT: WHY". Returns EXIT_USAGE. */
enum exit_code oneshot_usage(struct error *err, const char *what, const char *why);

/* Draws "12 MiB of 1 GiB, 80 MiB/s" on a terminal; for haul_parallel_options.progress. */
struct oneshot_meter {
    bool drawn;
    int64_t began_ms, drawn_ms;
};
struct oneshot_meter oneshot_meter(void);

/* Is it time to draw it again? At most ten times a second. */
bool oneshot_meter_due(struct oneshot_meter *m);
int oneshot_progress(void *meter, uint64_t done_bytes, uint64_t total_bytes);

/* "2026-01-31T12:00:00Z"; "-" for a time that was not told. */
#define ONESHOT_TIME_SIZE 24
char *oneshot_time(int64_t ms, char text[static ONESHOT_TIME_SIZE]);

/* ,"NAME":"VALUE", or nothing when value is NULL. */
void oneshot_json_field(const char *name, const char *value);

#endif
