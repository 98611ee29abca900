/* The sums that a request claims for its body, checked as the body arrives: its SHA-256 in the
 * signature, Content-MD5, x-amz-checksum-*. */
#ifndef ENDPOINT_INTEGRITY_H
#define ENDPOINT_INTEGRITY_H

#include "digests.h"
#include "wire.h"

/* Zero claims nothing. */
struct integrity {
    struct digest payload, md5, checksum;
    const char *want_payload; /* hex; borrowed; NULL: free */
    const char *want_md5;     /* base64; in the request; NULL: free */
    enum digest_kind kind;    /* of the checksum; NONE: none is claimed */
    struct text want, value;  /* owned: the checksum claimed, and that found; base64 */
    bool done;
};

/* `payload_hash` is what the body's SHA-256 must be in hex, empty when it is free. `of_object`:
 * that request's x-amz-checksum-* are not of its body and left alone. Returns NULL, or S3's
 * code for claims that make no sense. */
const char *integrity_begin(
    struct integrity *i, const struct request *r, const char *payload_hash, bool of_object);
void integrity_add(struct integrity *i, const void *data, size_t len);
/* The value of a checksum that came behind the body, if one did. */
void integrity_expect(struct integrity *i, const struct text *base64);
/* The body is complete. NULL: as claimed; else S3's code. Later calls change nothing. */
const char *integrity_end(struct integrity *i);
void integrity_free(struct integrity *i);

#endif
