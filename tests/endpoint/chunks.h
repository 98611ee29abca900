/* Bodies that are signed piece by piece, or carry a checksum behind them ("aws-chunked"):
 *
 *     HEX-SIZE[;chunk-signature=SIGNATURE] CRLF bytes CRLF …
 *     0[;chunk-signature=SIGNATURE] CRLF [NAME:VALUE CRLF]… CRLF
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html */
#ifndef ENDPOINT_CHUNKS_H
#define ENDPOINT_CHUNKS_H

#include "digests.h"
#include "signature.h"

enum chunks_state { CHUNKS_SIZE, CHUNKS_BYTES, CHUNKS_AFTER, CHUNKS_TRAILER, CHUNKS_DONE };

/* Zero: the body is not of that form. */
struct chunks {
    bool on, trails;
    enum chunks_state state;
    struct chain *chain;  /* borrowed */
    const char *at, *end; /* received and not yet decoded; borrowed */
    struct text line;     /* owned, and so are trailer and checksum */
    uint64_t left;        /* of the chunk */
    uint64_t total, want; /* of the whole */
    uint64_t last_size;
    struct digest sum; /* of the chunk */
    char claimed[SHA256_HEX_MAX];
    bool trailer_signed;
    struct text trailer;  /* the lines that are signed */
    struct text checksum; /* the value that came in the trailer */
};

/* NULL, or S3's code. */
const char *chunks_begin(struct chunks *c, const struct request *r, struct chain *chain);
void chunks_feed(struct chunks *c, const char *data, size_t len);
/* The next decoded bytes of what was fed: how many; 0: it is used up; -1: *why says what is
 * wrong with it. */
ssize_t chunks_take(struct chunks *c, const char **data, const char **why);
/* NULL: all of the body has come; else S3's code. */
const char *chunks_end(const struct chunks *c);
void chunks_free(struct chunks *c);

#endif
