/* Where a GET stands when an attempt has ended: judged as a whole, gone on with, begun anew, or
 * moved to a fresh connection. See attempt.h. */
#include <string.h>

#include "attempt.h"
#include "endpoint.h"

#define FRUITFUL_BYTES 65536 /* what brought so many has not failed in vain */
#define REPLACED_MAX 2

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

/* Behind what it brought, unless next to nothing: delays and strikes are forgotten, too. */
static enum pace_end go_on(struct exchange *x, enum pace_end end)
{
    advance(x);
    if (x->received < FRUITFUL_BYTES)
        return end;
    x->strikes = x->standing.beginnings;
    x->spared = x->attempts - 1;
    x->first_failed_ms = 0;
    return PACE_SERVED;
}

enum pace_end attempt_settle(struct exchange *x, bool broke, enum pace_end end)
{
    struct standing *s = &x->standing;
    struct haul_error *err = &x->result.error;
    if (x->request->operation != HAUL_GET_OBJECT)
        return end;
    if (was_replaced(x)) {
        err->retry = HAUL_RETRY_LATER;
        standing_begin_anew(s);
    } else if (s->bytes > 0 && err->code == HAUL_BAD_REPLY) {
        standing_refuse(s);
    } else if (x->received > 0 && !(broke && can_advance(x))) {
        standing_begin_anew(s);
    } else {
        return x->received > 0 ? go_on(x, end) : end;
    }
    return PACE_NEUTRAL; /* a strike */
}

/* ---- Slow ones ---- */

/* How many bytes it brings, if its speed tells something; 0: it does not, or not yet. */
static uint64_t measured_bytes(const struct exchange *x)
{
    uint64_t asked = standing_request(&x->standing, x->request)->range.len;
    uint64_t bytes = x->expected > 0 ? (uint64_t) x->expected : asked;
    return bytes >= TEMPO_BYTES_MIN ? bytes : 0;
}

void attempt_note_tempo(const struct exchange *x)
{
    if (x->request->operation == HAUL_GET_OBJECT && measured_bytes(x) > 0)
        endpoint_note_tempo(x->request->endpoint, x->received, loop_now_ms() - x->began_ms);
}

bool attempt_is_slow(const struct exchange *x, int64_t now_ms)
{
    uint64_t bytes = measured_bytes(x);
    bool can_leave = x->replaced < REPLACED_MAX && (x->received == 0 || can_advance(x));
    return bytes > 0 && can_leave &&
           endpoint_replaces(x->request->endpoint, bytes, now_ms - x->began_ms, now_ms);
}

void attempt_leave(struct haul_client *c, struct exchange *x)
{
    if (x->received > 0)
        advance(x);
    attempt_forget(c, x); /* libcurl closes what is taken from it half-way */
    x->fresh = true;
    x->replaced++;
}
