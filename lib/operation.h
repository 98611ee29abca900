/* S3's operations as HTTP has them: which method, path, query and headers a request becomes,
 * and what its reply means. A table and pure functions; the loop that sends is client.c. */
#ifndef OPERATION_H
#define OPERATION_H

#include <haul/request.h>

#include "document.h"
#include "sigv4.h"

#define CALL_HEADERS_MAX 12

/* A request in HTTP's terms, without time and signature. */
struct call {
    const char *method;
    struct buf path;     /* encoded */
    struct buf query;    /* encoded and sorted, without "?" */
    struct buf document; /* the XML body, when the operation has one */
    struct haul_body body;
    struct sigv4_header headers[CALL_HEADERS_MAX]; /* without host and the signer's own */
    size_t header_count;
    char range[64]; /* the Range header's value, which headers[] points to */
};

/* What came back. Header values are empty when missing. */
struct reply {
    int status; /* 0: no status line arrived */
    char etag[256];
    char token[128];
    char content_range[64];
    char last_modified[48];
    char date[48];
    char retry_after[24];
    char region[64];
    char request_id[64];
    int64_t content_length; /* -1: not told */
    struct buf body;        /* all bodies but an object's bytes */
};

/* "UploadPart": for messages. */
const char *operation_name(enum haul_operation operation);

/* May the server rightly stay silent for minutes before it answers? (CompleteMultipartUpload)
 */
bool operation_is_slow(enum haul_operation operation);

/* Checks the request and fills *c, whose buffers are empty. Returns 0, or -1 with *err =
 * HAUL_BAD_ARGUMENT or HAUL_NO_MEMORY. */
int operation_build(const struct haul_request *r, struct call *c, struct haul_error *err);
void call_free(struct call *c);
void reply_free(struct reply *r);

/* GET_OBJECT, once the head of a successful reply is there: is what follows the bytes that were
 * asked for? Returns 0 with *expected_bytes (-1: not known), or -1 with *err = HAUL_BAD_REPLY.
 */
int operation_check_head(const struct haul_request *r, const struct reply *reply,
    int64_t *expected_bytes, struct haul_error *err);

/* The whole reply. Fills *result; its strings live in *reply and in *document, which the caller
 * frees (NULL when there is none). Failures are in result->error. */
void operation_judge(const struct haul_request *r, const struct reply *reply,
    uint64_t received_bytes, struct haul_result *result, struct document **document);

#endif
