/* What came back: a reply's headers, and what all of it means for its request. Pure, but for
 * what the endpoint learns of clock and region. */
#ifndef REPLY_H
#define REPLY_H

#include <haul/request.h>

#include "buf.h"
#include "document.h"

struct reply {
    int status;                /* 0: no status line arrived */
    int64_t content_length;    /* -1: not told */
    struct buf head;           /* "name\0value\0"…, then the index */
    size_t head_count;         /* headers in it */
    struct haul_pairs headers; /* in head, once that is whole */
    struct buf body;           /* all bodies but an object's bytes */

    enum haul_checksum sum_kind;
    struct haul_sum *sum; /* owned: of the object's bytes so far; NULL: not verified */
    const char *sent_sum; /* the request's own; NULL: none */
};

struct reply reply_make(void);
void reply_free(struct reply *r);

/* The head, as it arrives: each header, then the end. They fail with HAUL_NO_MEMORY, and with
 * HAUL_BAD_REPLY when there is too much. */
void reply_add_header(struct reply *r, const char *name, const char *value);
int reply_end_head(struct reply *r, struct haul_error *err);

/* "" when it is missing; the first one when it is there twice. */
const char *reply_header(const struct reply *r, const char *name);

/* A header's time, ms since the epoch; -1: none. */
int64_t reply_date_ms(const struct reply *r, const char *name);

/* Quotes included; NULL: none. */
const char *reply_etag(const struct reply *r);

/* Begins r->sum when the reply names a checksum of all the bytes that it brings. Returns 0, or
 * -1 with *err = HAUL_NO_MEMORY. */
int reply_begin_sum(struct reply *reply, const struct haul_request *r, struct haul_error *err);

/* The whole object's size, from whichever header tells it; else as many as have come. */
uint64_t reply_object_bytes(const struct reply *r, uint64_t received_bytes);

/* GET_OBJECT, once the head of a successful reply is there: is what follows the bytes that were
 * asked for? Returns 0 with *expected_bytes (-1: not known), or -1 with *err = HAUL_BAD_REPLY.
 */
int reply_check_head(const struct haul_request *r, const struct reply *reply,
    int64_t *expected_bytes, struct haul_error *err);

/* The whole reply. Fills *result; its strings live in *reply and in *document, which the caller
 * frees (NULL when there is none). Failures are in result->error. */
void reply_judge(const struct haul_request *r, const struct reply *reply,
    uint64_t received_bytes, struct haul_result *result, struct document **document);

/* ---- Of it, by reply_failure.c ---- */

/* Is it an error's document (d, or JSON), in a failed reply or, as XML, in one that claims
 * success? Then *err says so, and the endpoint has learnt what it tells of clock and region. */
bool reply_judge_failure(const struct haul_request *r, const struct reply *reply,
    const struct document *d, struct haul_error *err);

/* Whose reply it was: status and the server's names for it. */
void reply_name(const struct reply *reply, struct haul_error *err);

#endif
