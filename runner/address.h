/* Addresses of objects and prefixes: ENDPOINT://BUCKET/KEY. The key is taken as it stands:
 * nothing is decoded or normalised. Pure. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>

#include <haul/request.h>

#define ADDRESS_ENDPOINT_MAX 64
#define ADDRESS_BUCKET_MAX 63

struct address {
    char endpoint[ADDRESS_ENDPOINT_MAX + 1];
    char bucket[ADDRESS_BUCKET_MAX + 1];
    char key[HAUL_KEY_BYTES_MAX + 1]; /* "": the whole bucket */
};

/* NULL: *out is filled. Else what is wrong with it. */
const char *address_parse(const char *text, struct address *out);

/* A bucket, or a key with a final slash: it stands for everything below it. */
bool address_is_prefix(const struct address *a);

/* Letters, digits, dots, underscores and hyphens, at most 64, the first a letter or digit. */
bool address_is_endpoint_name(const char *name);

#endif
