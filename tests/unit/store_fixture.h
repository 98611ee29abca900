/* The scripted endpoint with a bucket, and a store opened on it. Whatever goes wrong here fails
 * the test. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <pthread.h>

#include "client_fixture.h"

struct shop {
    struct fixture *base;
    struct s3 *s3;            /* base's */
    struct haul_store *store; /* of base's keys, on BUCKET, 3 retries */
    struct haul_error err;
};

/* Setup and teardown. */
int open_shop(void **state);
int close_shop(void **state);

/* Another store on the same endpoint, for the caller to free. */
struct haul_store *new_store(struct shop *p, struct haul_client_options client);

/* After haul_store_stop(): without faults, and with a store that can be used. */
void reopen(struct shop *p);

/* Fails the test with p->err when there is no result; returns it. */
const struct haul_result *good(const struct shop *p, const struct haul_result *result);

void put(struct shop *p, const char *key, const char *text);
void assert_file(const char *path, const char *data, size_t len);
void assert_object(struct shop *p, const char *key, const char *data, size_t len);
void assert_text(struct shop *p, const char *key, const char *text);
size_t count_uploads(struct shop *p); /* open ones of the bucket */
void assert_missing(struct shop *p, const char *key);

/* For haul_parallel_options: what was told last; and cancels at that call. */
struct told {
    unsigned calls;
    uint64_t done, total;
    unsigned cancel_at; /* 0: never */
};
int note_progress(void *told, uint64_t done, uint64_t total);

pthread_t begin_thread(void *(*run)(void *), void *payload);

/* For a thread of its own: once a request hangs at the gate "g", stops the store. */
void *stop_at_the_gate(void *shop);

/* Likewise: lengthens the file and opens the gate. */
struct change {
    struct shop *shop;
    const char *path;
};
void *append_at_the_gate(void *change);

#endif
