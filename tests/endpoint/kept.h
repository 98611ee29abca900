/* What an object or an open upload keeps beside its bytes: headers of the request that made it,
 * as lines "Name: value\r\n". Pure. */
#ifndef ENDPOINT_KEPT_H
#define ENDPOINT_KEPT_H

#include "wire.h"

/* Kinds of them, which come and go together. */
enum {
    KEPT_METADATA = 1,   /* Content-Type and the like, x-amz-meta-* */
    KEPT_TAGS = 2,       /* x-amz-tagging: only its count is sent with the object */
    KEPT_STORAGE = 4,    /* x-amz-storage-class, unless it is STANDARD */
    KEPT_ENCRYPTION = 8, /* x-amz-server-side-encryption*, never a key */
    KEPT_CHECKSUM = 16,  /* x-amz-checksum-*: sent to those who ask for it */
};

/* Appends the request's headers of these kinds. An object without Content-Type gets S3's. */
void kept_from_request(const struct request *r, unsigned kinds, struct text *out);
void kept_copy(const struct text *lines, unsigned kinds, struct text *out);
/* A line's value, instead of what `out` holds. Whether there is such a line. */
bool kept_get(const struct text *lines, const char *name, struct text *out);
/* "STANDARD" when nothing is kept. */
const char *kept_storage_class(const struct text *lines, struct text *out);

#endif
