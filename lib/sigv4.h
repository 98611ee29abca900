/* AWS Signature Version 4 for S3, header form, each stage on its own so that a mismatch names
 * its stage. Pure: time, region and keys come in as arguments.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
#ifndef SIGV4_H
#define SIGV4_H

#include "buf.h"
#include "hash.h"

#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

struct sigv4_header {
    const char *name;  /* lower case */
    const char *value; /* as sent; trimmed and collapsed here */
};

struct sigv4_request {
    const char *method;
    const char *path;             /* encoded once, as sent: "/bucket/a%20b" */
    const char *query;            /* encoded and sorted, as sent; "" for none */
    struct sigv4_header *headers; /* all that are signed: host and every x-amz-* among them;
                                   * sorted in place */
    size_t header_count;
    const char *payload_hash; /* lower-case hex, or SIGV4_UNSIGNED_PAYLOAD */
    const char *region;
    const char *time; /* "20130524T000000Z"; its first 8 characters are the date */

    char signature[SHA256_HEX_SIZE]; /* out: lower-case hex. Chunks need it: chunked.h */
};

/* The key for one secret, date and region: good for all requests of that day. */
struct sigv4_key {
    unsigned char bytes[SHA256_BYTES];
};
int sigv4_derive_key(
    const char *secret, const char *date, const char *region, struct sigv4_key *key);

void sigv4_add_canonical_request(struct buf *b, struct sigv4_request *r);
void sigv4_add_string_to_sign(
    struct buf *b, const struct sigv4_request *r, const char *canonical_request);

/* "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…", the header's value. Returns 0,
 * or -1 with *err. */
int sigv4_authorization(struct buf *b, struct sigv4_request *r, const char *key_id,
    const struct sigv4_key *key, struct haul_error *err);

#endif
