/* A body as a stream of signed chunks, so that it is read once, hashed and signed on its way
 * (aws-chunked). Each signature covers the one before it; the first covers the seed, which is
 * the signature of the Authorization header. That header in turn signs, instead of a hash:
 *     x-amz-content-sha256: CHUNKED_PAYLOAD
 *     x-amz-decoded-content-length: the body's size
 * and Content-Length is chunked_size(). No "content-encoding: aws-chunked": S3 does not need
 * it, whatever its manual says (some of its SDKs send none), and other stores keep it with the
 * object.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html */
#ifndef CHUNKED_H
#define CHUNKED_H

#include <haul/body.h>

#include "sigv4.h"

#define CHUNKED_PAYLOAD "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
#define CHUNKED_DATA_BYTES 65536 /* in each chunk but the last two: the rest, and none */

/* How long the stream is for a body of that size. Pure. */
uint64_t chunked_size(uint64_t body_bytes);

/* One stream for one attempt: the next one has another time and seed. Holds one chunk. Used by
 * one thread at a time. */
struct chunked;

/* What was signed: r's time and region as in the Authorization header, r->signature as
 * sigv4_authorization() left it. All is copied but the body's payload. NULL: out of memory. */
struct chunked *chunked_new(
    const struct haul_body *body, const struct sigv4_request *r, const struct sigv4_key *key);
void chunked_free(struct chunked *c); /* wipes the key; NULL is fine */

/* The stream as a body of chunked_size() bytes, valid until chunked_free(). It is meant to be
 * read in order. Offset 0 begins anew; any other offset is right too, but what lies before it
 * is read and signed again. Returns what the inner read returned when that is 0 or -1 (errno
 * says why; ENOMEM when a signature could not be made), and then can be asked again for all
 * that it has not given. */
struct haul_body chunked_body(struct chunked *c);

#endif
