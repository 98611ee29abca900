/* A prefix of a bucket, object by object, in the order of the keys. One page is held at a time.
 */
#ifndef LISTING_H
#define LISTING_H

#include <haul/client.h>

#include "manifest.h"

struct listing;

struct listed {
    const char *name; /* the key without the prefix; valid until the next call */
    const char *etag; /* NULL: not told */
    uint64_t size;
    int64_t modified_ms; /* -1: not told */
};

/* The client and the rest are borrowed. after: the last name that an earlier listing gave, or
 * NULL. NULL: out of memory. */
struct listing *listing_open(struct haul_client *client, const struct haul_endpoint *endpoint,
    const struct transfer *t, const char *after);

/* 1: *out is the next one; 0: the end; -1 with *err (EXIT_PAUSED): the endpoint refuses, lists
 * keys twice or out of order, or keys of other prefixes. */
int listing_next(struct listing *l, struct listed *out, struct error *err);

void listing_close(struct listing *l);

#endif
