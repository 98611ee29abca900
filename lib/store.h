/* What the blocking calls need of a store. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <stdatomic.h>

#include <haul/store.h>

struct haul_store {
    struct haul_credentials *credentials; /* owned; NULL: the caller's */
    struct haul_endpoint *endpoint;       /* owned */
    struct haul_client *client;           /* owned */
    char *bucket;                         /* owned; NULL: none */
    const struct haul_result *last;       /* owned: until the next call; of a failed one, too */
    atomic_bool stopping;                 /* any thread sets it */
};

/* *r (NULL: nothing given) with that operation, and with the store's endpoint and bucket where
 * it names none. */
struct haul_request store_request(
    const struct haul_store *s, const struct haul_request *r, enum haul_operation operation);

/* 0, or -1 with *err: HAUL_CANCELLED after haul_store_stop(). */
int store_check(struct haul_store *s, struct haul_error *err);

/* One turn of the loop, for calls that have several requests in flight. Returns 0, or -1 with
 * *err: HAUL_NO_MEMORY, HAUL_CANCELLED after haul_store_stop(). Then they cancel what is theirs
 * with haul_client_cancel(), and run haul_client_run() until it has come back. */
int store_run(struct haul_store *s, struct haul_error *err);

/* haul_perform() of a request that is whole already, and goes out even after haul_store_stop():
 * for what has to be cleaned up. (An upload's creation under way is given a moment for its id
 * to come, so that it can be aborted.) s->last is that of a failure, too, unless nothing was
 * sent. */
const struct haul_result *store_perform(struct haul_store *s, const struct haul_request *r,
    bool even_stopped, struct haul_error *err);

/* store_perform() of a PUT or a copy of `size` bytes. When its reply was lost, a condition of
 * its own fails as it is sent again: then a HEAD that finds r->token is its result. */
const struct haul_result *store_write(
    struct haul_store *s, const struct haul_request *r, uint64_t size, struct haul_error *err);

/* haul_perform() of *r (NULL: nothing given) with that operation. */
const struct haul_result *store_call(struct haul_store *s, const struct haul_request *r,
    enum haul_operation operation, struct haul_error *err);

/* The last result is the caller's from here on, for client_release(); NULL: there is none. A
 * call that sends several requests takes it before the first, and lets go of it at its end:
 * what it was given may point there. */
const struct haul_result *store_take(struct haul_store *s);

#endif
