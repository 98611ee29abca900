/* AWS Signature Version 4 for S3: in a header, in a URL's query, and of the chunks of a body.
 * Each stage on its own, so that a mismatch names its stage. Pure: time, region and keys come
 * in as arguments.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html */
#ifndef SIGV4_H
#define SIGV4_H

#include <stdint.h>

#include "buf.h"
#include "hash.h"

#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define SIGV4_TIME_SIZE 17 /* with the NUL */

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
    const char *payload_hash; /* lower-case hex, or a word that stands for none */
    const char *region;
    const char *service; /* "s3" */
    const char *time;    /* "20130524T000000Z"; its first 8 characters are the date */

    char signature[SHA256_HEX_SIZE]; /* out, of sigv4_sign() */
};

/* "20130524T000000Z" for ms since the epoch. */
void sigv4_time(int64_t ms, char time[static SIGV4_TIME_SIZE]);

/* The key for one secret, date, region and service: good for all requests of that day. */
struct sigv4_key {
    unsigned char bytes[SHA256_BYTES];
};
int sigv4_derive_key(const char *secret, const char *date, const char *region,
    const char *service, struct sigv4_key *key);

void sigv4_add_canonical_request(struct buf *b, struct sigv4_request *r);
void sigv4_add_string_to_sign(
    struct buf *b, const struct sigv4_request *r, const char *canonical_request);

/* Both, and r->signature. Returns 0, or -1 with *err. */
int sigv4_sign(struct sigv4_request *r, const struct sigv4_key *key, struct haul_error *err);

/* The header form: signs, and adds "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…,
 * Signature=…", the Authorization header's value. Returns 0, or -1 with *err. */
int sigv4_authorization(struct buf *b, struct sigv4_request *r, const char *key_id,
    const struct sigv4_key *key, struct haul_error *err);

/* The query form: r->query and with it, sorted, what tells of the signature. As r->query that
 * is signed; "&X-Amz-Signature=" and r->signature then go behind it. token may be NULL. */
void sigv4_add_query(struct buf *b, struct sigv4_request *r, const char *key_id,
    const char *token, unsigned seconds);

/* A chunk of r's body: `previous` is the signature of the chunk before, of the first r's own.
 * sigv4_sign_text() makes its signature, which may take the place of `previous`. */
void sigv4_add_chunk_string_to_sign(struct buf *b, const struct sigv4_request *r,
    const char *previous, const void *data, size_t len);

/* Returns 0, or -1: out of memory. */
int sigv4_sign_text(const struct buf *to_sign, const struct sigv4_key *key,
    char signature[static SHA256_HEX_SIZE]);

#endif
