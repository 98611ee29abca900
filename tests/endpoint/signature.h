/* AWS Signature Version 4 as a server checks it, written from the specification: the
 * Authorization header and presigned queries, and the hash that a signed body must have. */
#ifndef ENDPOINT_SIGNATURE_H
#define ENDPOINT_SIGNATURE_H

#include "wire.h"

enum { SHA256_BYTES = 32, SHA256_HEX_MAX = 65 };

struct keys {
    const char *access_key;          /* NULL: nothing is checked */
    const char *secret_key, *region; /* the server's own */
};

/* What the signatures of a body's chunks are made with, each over the one before. */
struct chain {
    bool checked; /* false: any will do */
    unsigned char key[SHA256_BYTES];
    char stamp[20], scope[128];
    char previous[SHA256_HEX_MAX];
};

/* NULL: the request may pass; else S3's code. `region` is where its bucket lives. payload_hash
 * is what the body's SHA-256 must be in hex, empty when it is free. *chain is for bodies that
 * are signed chunk by chunk. `extra` gets XML that belongs into the error's document. */
const char *signature_check(const struct keys *keys, const char *region,
    const struct request *r, int64_t now_ms, char payload_hash[static SHA256_HEX_MAX],
    struct chain *chain, struct text *extra);
/* Whether that is the signature of the chunk, or of the trailer, with this SHA-256; the chain
 * goes on from it. */
bool chain_accepts(struct chain *chain, bool trailer,
    const unsigned char hash[static SHA256_BYTES], const char *signature);

#endif
