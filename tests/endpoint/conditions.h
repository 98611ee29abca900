/* The conditions that a request sets: If-Match and its kin. Pure. */
#ifndef ENDPOINT_CONDITIONS_H
#define ENDPOINT_CONDITIONS_H

#include "wire.h"

struct conditions {
    const char *if_match, *if_none_match;     /* NULL: none */
    int64_t modified_since, unmodified_since; /* ms; -1: none, or no date */
};

#define CONDITIONS_NONE                                                                        \
    {                                                                                          \
        .modified_since = -1, .unmodified_since = -1                                           \
    }

/* `prefix` stands before the headers' names: "", or "x-amz-copy-source-". */
struct conditions conditions_of(const struct request *r, const char *prefix);
/* For reading: NULL, "PreconditionFailed" or "NotModified". */
const char *conditions_refuse(
    const struct conditions *c, const char *etag, int64_t modified_ms);
/* For writing, where `etag` is that of the object in the way, NULL: there is none. */
const char *conditions_refuse_write(const struct conditions *c, const char *etag);

#endif
