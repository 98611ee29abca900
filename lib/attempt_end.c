/* What becomes of an attempt that has ended: the last word, or another one, and when. What a
 * reply means is reply.c's to say, which failures deserve another try retry.c's, how many
 * requests a server can take pace.c's. */
#include <curl/curl.h>
#include <stdlib.h>

#include "attempt.h"
#include "credentials.h"
#include "endpoint.h"
#include "retry.h"
#include "transport.h"

#define CORRECTIONS_MAX 2 /* of clock, region and pooled connections, a request */
#define EXPIRIES_MAX 2    /* in a row: fresh keys are no better, then */
#define PROBE_MS 2000     /* at most between attempts while a bucket's pace holds back */

/* xorshift: spreads retries, guards nothing. */
static uint32_t next_random(struct haul_client *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t) (c->random >> 16);
}

/* ---- What happened ---- */

/* Tells the source of the keys when they were refused because they have expired. true: it can
 * give others. */
static bool report_expiry(const struct exchange *x, const struct haul_result *r)
{
    const struct keys *k = x->keys;
    return k != NULL && r->error.code == HAUL_SERVER &&
           retry_is_expiry(
               r->error.http_status, r->error.aws_code, keys_have_expired(k, r->server_ms)) &&
           credentials_refused(x->request->endpoint->credentials, k);
}

/* The server had closed a pooled connection while we began to send on it. libcurl sees most of
 * these itself, and begins again. */
static bool was_closed(const struct exchange *x, CURLcode code)
{
    long connections = 1;
    if (code != CURLE_SEND_ERROR || x->reply.status != 0)
        return false;
    curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connections);
    return connections == 0;
}

/* A refusal without its document's end, and not because we had enough of it. */
static bool is_cut_off(const struct exchange *x, CURLcode code)
{
    return code != CURLE_OK && code != CURLE_WRITE_ERROR &&
           x->result.error.code == HAUL_SERVER && x->result.error.aws_code[0] == '\0' &&
           (x->reply.content_length < 0 ||
               x->reply.content_length > (int64_t) x->reply.body.len);
}

/* false: it broke off without a complete reply. */
static bool judge(struct exchange *x, CURLcode code)
{
    struct haul_result *r = &x->result;
    attempt_read_head(x);
    /* A refusal that came while we were still sending is a reply like any other. */
    bool aborted = r->error.code != HAUL_OK, refused = x->reply.status >= 300;
    bool broke = code != CURLE_OK && !refused && !aborted;
    struct haul_error why = { 0 };
    if (aborted)
        why = r->error;
    *r = (struct haul_result){ .error = why, .modified_ms = -1, .server_ms = -1 };
    if (broke) {
        transport_judge(x, (int) code, &r->error);
        r->outcome_unknown = x->begun;
    } else if (!aborted) {
        attempt_judge(x);
        if (is_cut_off(x, code))
            r->error.retry = HAUL_RETRY_LATER; /* nobody knows what it would have said */
    }
    if (x->keys != NULL) {
        keys_hide(r->error.text, x->keys->token);
        keys_hide(r->error.message, x->keys->token);
    }
    return !broke;
}

/* ---- What to do ---- */

/* What the server asked for, in seconds as S3 sends it. */
static int64_t retry_after_ms(const struct exchange *x)
{
    long seconds = strtol(reply_header(&x->reply, "retry-after"), NULL, 10);
    return seconds <= 0                          ? 0
           : seconds > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS
                                                 : seconds * 1000;
}

static bool was_served_since(const struct exchange *x, int64_t since_ms)
{
    return endpoint_served_since(x->request->endpoint, x->call.bucket, since_ms);
}

/* Does the failure count against the tries? Not while the server serves nobody or says
 * SlowDown: then time counts. */
static bool is_strike(const struct haul_client *c, const struct exchange *x, enum pace_end end)
{
    if (c->options.patience_ms == 0 || end == PACE_NEUTRAL)
        return true;
    return end == PACE_UNSERVED && was_served_since(x, x->tried_ms);
}

static bool has_patience(const struct haul_client *c, const struct exchange *x)
{
    int64_t now_ms = x->tried_ms;
    int64_t silence_ms = endpoint_silence_ms(x->request->endpoint, x->call.bucket, now_ms);
    int64_t failing_ms = now_ms - x->first_failed_ms;
    return (silence_ms > failing_ms ? silence_ms : failing_ms) <
           (int64_t) c->options.patience_ms;
}

static bool may_retry(
    const struct haul_client *c, struct exchange *x, enum haul_retry class, bool strikes)
{
    unsigned tries = x->request->tries ? x->request->tries : c->options.retries + 1;
    switch (class) {
    case HAUL_RETRY_NOW:
    case HAUL_RETRY_LATER:
    case HAUL_RETRY_SLOWER:
        return tries > 1 && (strikes ? x->strikes < tries : has_patience(c, x));
    case HAUL_RETRY_RESIGN:
        return x->corrections++ < CORRECTIONS_MAX;
    case HAUL_RETRY_NEVER:
    case HAUL_RETRY_FROM_START:
    case HAUL_RETRY_WHEN_FIXED:
        return false;
    }
    return false;
}

static int64_t delay_ms(
    struct haul_client *c, const struct exchange *x, enum haul_retry class, bool strikes)
{
    int64_t after_ms = retry_after_ms(x);
    int64_t chosen_ms =
        retry_delay_ms(class, x->attempts - 1 - x->spared, next_random(c), after_ms);
    if (strikes || chosen_ms < PROBE_MS)
        return chosen_ms;
    return after_ms > PROBE_MS ? after_ms : PROBE_MS;
}

/* Notes a failure. true: another attempt is due, after *after_ms. */
static bool is_tried_again(struct haul_client *c, struct exchange *x, enum haul_retry class,
    enum pace_end end, int64_t *after_ms)
{
    bool strikes = is_strike(c, x, end);
    x->strikes += strikes;
    /* Who has lost patience may have begun to fail while some were served still. Bytes that are
     * wrong behind a head that is right come from a server that works. */
    bool damaged = x->head_checked && x->result.error.code == HAUL_BAD_REPLY;
    x->result.unserved =
        !damaged &&
        !was_served_since(x, strikes && x->first_failed_ms ? x->first_failed_ms : x->tried_ms);
    x->tried_ms = loop_now_ms();
    if (x->first_failed_ms == 0)
        x->first_failed_ms = x->tried_ms;
    if (!may_retry(c, x, class, strikes))
        return false;
    *after_ms = delay_ms(c, x, class, strikes);
    return true;
}

int64_t attempt_end(struct haul_client *c, struct exchange *x, int code)
{
    struct haul_result *r = &x->result;
    int64_t after_ms = 0;
    bool broke = !judge(x, (CURLcode) code);
    bool closed = was_closed(x, (CURLcode) code) && x->corrections++ < CORRECTIONS_MAX;
    x->expiries = report_expiry(x, r) ? x->expiries + 1 : 0;
    bool resigns = x->expiries > 0 && x->expiries <= EXPIRIES_MAX;
    enum pace_end end = closed ? PACE_NEUTRAL : pace_end_of(&r->error);
    if (r->error.code == HAUL_OK)
        attempt_note_tempo(x);
    else
        end = attempt_settle(x, broke, end);
    x->fresh = code == CURLE_OPERATION_TIMEDOUT;
    endpoint_note_end(
        x->request->endpoint, x->call.bucket, end, r->error.text, x->began_ms, loop_now_ms());
    attempt_forget(c, x);
    if (closed)
        x->attempts--; /* nobody's failure */
    if (r->error.code == HAUL_OK)
        return -1;
    if (!closed && !resigns && !is_tried_again(c, x, r->error.retry, end, &after_ms)) {
        if (r->error.retry == HAUL_RETRY_RESIGN)
            r->error.retry = HAUL_RETRY_WHEN_FIXED; /* correcting did not help */
        return -1;
    }
    x->maybe_repeated |= r->outcome_unknown;
    x->payload_hash[0] = '\0'; /* the source may have changed meanwhile */
    reply_free(&x->reply);
    document_free(x->document);
    x->document = NULL;
    return after_ms;
}
