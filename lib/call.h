/* A request in HTTP's terms, without time and signature: its path, query, headers and body. */
#ifndef CALL_H
#define CALL_H

#include <haul/request.h>

#include "buf.h"
#include "sigv4.h"

#define CALL_HEADERS_MAX 128
#define CALL_TEXT_MAX 32768 /* of S3's 8 KiB of headers, whatever they were escaped to */

#define CALL_SUMS_MAX 2

/* A checksum of the body, as a header has it. */
struct call_sum {
    enum haul_checksum kind;
    char text[HAUL_CHECKSUM_TEXT_SIZE];
};

struct call {
    /* Set before call_build(). true: we send it ourselves, with the body that is there, so
     * that a content type is guessed and checksums are computed. false: somebody else will, by
     * a presigned URL, and only what the request states is part of it. */
    bool guess_type;

    const char *method, *bucket; /* bucket NULL: the operation takes none */
    struct buf path;             /* encoded */
    struct buf query;            /* encoded and sorted, without "?" */
    struct buf document;         /* the XML body, when the operation has one */
    struct haul_body body;
    struct sigv4_header *headers; /* owned; without host and the signer's own */
    size_t header_count, header_room;
    /* headers[] points to these: the sums' texts are written when the body has been read. */
    struct call_sum sums[CALL_SUMS_MAX];
    size_t sum_count;
    const char *sent_sum; /* of the request's kind; NULL: none is sent */
    struct buf text;      /* has all its memory at once, so that it never moves */
    char range[64], source_range[64];
};

/* Checks the request and fills *c, which is zero but for guess_type and stays where it is until
 * call_free(). Returns 0, or -1 with *err = HAUL_BAD_ARGUMENT or HAUL_NO_MEMORY. */
int call_build(const struct haul_request *r, struct call *c, struct haul_error *err);
void call_free(struct call *c);

#endif
