/* What has come of an attempt, and where the next one begins: see attempt.h. */
#include <string.h>

#include "attempt.h"
#include "endpoint.h"

#define FRUITFUL_BYTES 65536 /* an attempt that brought so many is not held against the tries  \
                              */
#define REPLACED_MAX 2       /* a request */

/* The bytes may have come by several replies: the first then stands for all. */
void attempt_judge(struct exchange *x)
{
    struct haul_result *result = &x->result;
    bool success = x->reply.status >= 200 && x->reply.status < 300;
    if (x->standing.bytes == 0 || !success) {
        reply_judge(x->request, &x->reply, x->received, result, &x->document);
        return;
    }
    reply_judge(
        x->request, &x->standing.first, x->standing.bytes + x->received, result, &x->document);
    result->server_ms = reply_date_ms(&x->reply, "date");
    if (result->server_ms >= 0)
        endpoint_note_date(x->request->endpoint, result->server_ms);
}

/* By another object than the one that was begun, which its caller takes as well. */
static bool was_replaced(const struct exchange *x)
{
    const char *wanted = x->request->if_match;
    return x->standing.bytes > 0 && x->result.error.retry == HAUL_RETRY_FROM_START &&
           (wanted == NULL || strcmp(wanted, "*") == 0);
}

static bool can_advance(const struct exchange *x)
{
    return standing_can_advance(&x->standing, &x->reply, x->received, x->expected);
}

static void advance(struct exchange *x)
{
    standing_advance(&x->standing, x->request, &x->reply, x->received, x->expected);
}

void attempt_settle(struct exchange *x, bool broke)
{
    struct haul_error *err = &x->result.error;
    if (x->request->operation != HAUL_GET_OBJECT)
        return;
    if (was_replaced(x)) {
        err->retry = HAUL_RETRY_LATER;
        standing_begin_anew(&x->standing);
    } else if (err->code == HAUL_BAD_REPLY && x->standing.bytes > 0) {
        standing_refuse(&x->standing);
    } else if (x->received > 0 && !(broke && can_advance(x))) {
        standing_begin_anew(&x->standing);
    } else if (x->received > 0) {
        advance(x);
        if (x->received < FRUITFUL_BYTES)
            return;
        x->spared = x->attempts - 1 - x->standing.beginnings;
        x->failed_ms = 0;
    }
}

bool attempt_can_leave(const struct exchange *x)
{
    return x->replaced < REPLACED_MAX && (x->received == 0 || can_advance(x));
}

void attempt_leave(struct haul_client *c, struct exchange *x)
{
    if (x->received > 0)
        advance(x);
    attempt_forget(c, x); /* libcurl closes what is taken from it half-way */
    x->fresh = true;
    x->replaced++;
    x->spared++;
}

uint64_t attempt_measured_bytes(const struct exchange *x)
{
    const struct haul_request *r = standing_request(&x->standing, x->request);
    uint64_t bytes = x->expected > 0 ? (uint64_t) x->expected : r->range.len;
    return r->operation == HAUL_GET_OBJECT && bytes >= TEMPO_BYTES_MIN ? bytes : 0;
}
