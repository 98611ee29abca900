/* The client: its requests' states, their retries and their ends. How libcurl is driven is
 * loop.c's, how an attempt is made and moves its bytes attempt.c's, what a reply means
 * reply.c's, which failures deserve another try retry.c's. */
#include "client.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "attempt.h"
#include "credentials.h"
#include "endpoint.h"
#include "retry.h"
#include "transport.h"

#define DEFAULT_RETRIES 10
#define DEFAULT_CONNECTIONS 64
#define DEFAULT_CONNECT_MS 10000
#define DEFAULT_STALL_MS 30000
#define DEFAULT_BUFFER_BYTES (256 * 1024)
#define CORRECTIONS_MAX 2 /* of clock, region and pooled connections, a request */
#define EXPIRIES_MAX 2    /* in a row: fresh keys are no better, then */
#define IDLE_CONNECTIONS 256
#define LOOK_EVERY_MS 250 /* for slow ones */
#define KEYS_WAIT_MS 50   /* until we look again whether the refresher has fresh ones */

/* xorshift: spreads retries, guards nothing. */
static uint32_t next_random(struct haul_client *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t) (c->random >> 16);
}

/* ---- The states of an exchange: which list it is in ---- */

static void insert(struct exchange_list *list, struct exchange **at, struct exchange *x)
{
    x->list = list;
    x->link = at;
    x->next = *at;
    *(x->next ? &x->next->link : &list->last) = &x->next;
    *at = x;
    list->count++;
}

static void append(struct exchange_list *list, struct exchange *x)
{
    insert(list, list->last, x);
}

static void delist(struct exchange *x)
{
    *x->link = x->next;
    *(x->next ? &x->next->link : &x->list->last) = x->link;
    x->list->count--;
}

static unsigned under_way(const struct haul_client *c)
{
    return c->ready.count + c->moving.count + c->retrying.count + c->cancelled.count;
}

static void exchange_free(struct exchange *x)
{
    call_free(&x->call);
    reply_free(&x->reply);
    standing_free(&x->standing);
    document_free(x->document);
    free(x);
}

/* ---- Finishing ---- */

static void deliver(struct exchange *x)
{
    struct haul_result *r = &x->result;
    r->attempts = x->attempts;
    r->replaced = x->replaced;
    r->failing_ms = x->failed_ms ? loop_now_ms() - x->failed_ms : 0;
    r->bytes_sent = x->bytes_sent;
    r->bytes_received = x->bytes_received;
    r->maybe_repeated = x->maybe_repeated;
    x->done(x->payload, r);
    if (!x->kept)
        exchange_free(x);
}

/* It was cancelled, perhaps on its way, or could not even be sent. */
static void fail(struct haul_client *c, struct exchange *x, const struct haul_error *err)
{
    x->result = (struct haul_result){
        .error = *err, .modified_ms = -1, .server_ms = -1, .outcome_unknown = x->begun
    };
    attempt_forget(c, x);
    deliver(x);
}

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

static bool may_retry(const struct haul_client *c, struct exchange *x, enum haul_retry class)
{
    unsigned tries = x->request->tries ? x->request->tries : c->options.retries + 1;
    switch (class) {
    case HAUL_RETRY_NOW:
    case HAUL_RETRY_LATER:
    case HAUL_RETRY_SLOWER:
        return x->attempts - x->spared < tries;
    case HAUL_RETRY_RESIGN:
        return x->corrections++ < CORRECTIONS_MAX;
    case HAUL_RETRY_NEVER:
    case HAUL_RETRY_FROM_START:
    case HAUL_RETRY_WHEN_FIXED:
        return false;
    }
    return false;
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

static void retry_at(struct haul_client *c, struct exchange *x, int64_t due_ms)
{
    x->due_ms = due_ms;
    append(&c->retrying, x);
    if (due_ms < c->retry_ms)
        c->retry_ms = due_ms;
}

static void retry_later(struct haul_client *c, struct exchange *x, enum haul_retry class)
{
    int64_t after_ms =
        1000 * (int64_t) atoi(reply_header(&x->reply, "retry-after")); /* S3 sends seconds */
    int64_t now_ms = loop_now_ms();
    x->maybe_repeated |= x->result.outcome_unknown;
    x->failed_ms = x->failed_ms ? x->failed_ms : now_ms;
    x->payload_hash[0] = '\0'; /* the source may have changed meanwhile */
    reply_free(&x->reply);
    document_free(x->document);
    x->document = NULL;
    retry_at(c, x,
        now_ms + retry_delay_ms(class, x->attempts - x->spared - 1, next_random(c), after_ms));
}

static void finish(struct haul_client *c, struct exchange *x, CURLcode code)
{
    struct haul_result *r = &x->result;
    *r = (struct haul_result){ .modified_ms = -1, .server_ms = -1 };
    attempt_read_head(x);
    /* A refusal that came while we were still sending is a reply like any other. */
    bool refused = x->reply.status >= 300;
    bool broke = code != CURLE_OK && !refused && x->error.code == HAUL_OK;
    if (x->error.code != HAUL_OK) {
        r->error = x->error;
    } else if (broke) {
        transport_judge(x, (int) code, &r->error);
        r->outcome_unknown = x->begun;
    } else {
        attempt_judge(x);
    }
    if (was_closed(x, code) && x->corrections++ < CORRECTIONS_MAX) {
        x->attempts--; /* nobody's failure */
        r->error.retry = HAUL_RETRY_NOW;
    }
    if (x->keys != NULL) {
        keys_hide(r->error.text, x->keys->token);
        keys_hide(r->error.message, x->keys->token);
    }
    x->expiries = report_expiry(x, r) ? x->expiries + 1 : 0;
    bool resigns = x->expiries > 0 && x->expiries <= EXPIRIES_MAX;
    x->fresh = code == CURLE_OPERATION_TIMEDOUT;
    if (r->error.code != HAUL_OK)
        attempt_settle(x, broke);
    else if (attempt_measured_bytes(x) > 0)
        endpoint_note_tempo(x->request->endpoint, x->received, loop_now_ms() - x->started_ms);
    attempt_forget(c, x);
    if (r->error.code != HAUL_OK && (resigns || may_retry(c, x, r->error.retry))) {
        retry_later(c, x, resigns ? HAUL_RETRY_RESIGN : r->error.retry);
        return;
    }
    if (r->error.retry == HAUL_RETRY_RESIGN)
        r->error.retry = HAUL_RETRY_WHEN_FIXED; /* correcting did not help */
    deliver(x);
}

static unsigned reap_finished(struct haul_client *c)
{
    unsigned finished = 0;
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->loop->multi, &left)) != NULL) {
        struct exchange *x;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **) &x);
        if (x->list == &c->cancelled)
            continue; /* too late */
        delist(x);
        finish(c, x, code);
        finished++;
    }
    return finished;
}

/* ---- Cancelling ---- */

/* All of them, or those of one request. Returns how many. They may be inside libcurl right now,
 * which called us: the next turn takes them out. */
static unsigned cancel(struct haul_client *c, const struct haul_request *only)
{
    struct exchange_list *const lists[] = { &c->moving, &c->retrying, &c->ready };
    unsigned found = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (struct exchange *x = lists[i]->first, *following; x != NULL; x = following) {
            following = x->next;
            if (only != NULL && x->request != only)
                continue;
            delist(x);
            append(&c->cancelled, x);
            found++;
        }
    return found;
}

/* Those that are there now: callbacks may submit and cancel again. Returns how many. */
static unsigned deliver_cancelled(struct haul_client *c)
{
    const unsigned count = c->cancelled.count;
    for (unsigned left = count; left > 0 && c->cancelled.count > 0; left--) {
        struct exchange *x = c->cancelled.first;
        struct haul_error err;
        haul_error_set(&err, HAUL_CANCELLED, "cancelled");
        delist(x);
        fail(c, x, &err);
    }
    return count;
}

/* ---- Replacing ---- */

/* What is under way for much longer than others of its size goes on over a fresh connection. */
static void replace_slow(struct haul_client *c)
{
    int64_t now_ms;
    if (c->slow_ms == LOOP_NEVER || c->slow_ms > (now_ms = loop_now_ms()))
        return;
    c->slow_ms = LOOP_NEVER;
    for (struct exchange *x = c->moving.first, *following; x != NULL; x = following) {
        uint64_t bytes = attempt_measured_bytes(x);
        following = x->next;
        if (x->request->operation != HAUL_GET_OBJECT)
            continue;
        c->slow_ms = now_ms + LOOK_EVERY_MS;
        if (bytes == 0 || !attempt_can_leave(x) ||
            !endpoint_replaces(x->request->endpoint, bytes, now_ms - x->started_ms, now_ms))
            continue;
        attempt_leave(c, x);
        delist(x);
        retry_at(c, x, now_ms);
    }
}

/* ---- Starting ---- */

/* Those whose time has come go before what was submitted after them. */
static void resume_due(struct haul_client *c)
{
    int64_t now_ms = c->retrying.count > 0 ? loop_now_ms() : 0;
    if (c->retrying.count == 0 || c->retry_ms > now_ms)
        return;
    c->retry_ms = LOOP_NEVER;
    struct exchange **at = &c->ready.first;
    uint64_t before = 0; /* the one before `at`: as a rule they come in order */
    for (struct exchange *x = c->retrying.first, *following; x != NULL; x = following) {
        following = x->next;
        if (x->due_ms <= now_ms) {
            if (x->number < before)
                at = &c->ready.first;
            while (*at != NULL && (*at)->number < x->number)
                at = &(*at)->next;
            before = x->number;
            delist(x);
            insert(&c->ready, at, x);
        } else if (x->due_ms < c->retry_ms) {
            c->retry_ms = x->due_ms;
        }
    }
}

static bool may_start(const struct haul_client *c)
{
    return c->ready.count > 0 && c->moving.count < c->options.connections &&
           !atomic_load(&c->stopping);
}

/* Returns 0; 1: fresh keys are being fetched; -1 with *err. */
static int start(struct haul_client *c, struct exchange *x, struct haul_error *err)
{
    const struct haul_credentials *credentials = x->request->endpoint->credentials;
    int rc = credentials ? credentials_hold(credentials, &x->keys, err) : 0;
    if (rc != 0)
        return rc;
    if (attempt_build(c, x, err) < 0)
        return -1;
    CURLMcode code = curl_multi_add_handle(c->loop->multi, x->easy);
    if (code != CURLM_OK)
        return haul_error_set(err, HAUL_NO_MEMORY, "%s", curl_multi_strerror(code));
    x->started_ms = loop_now_ms();
    if (c->slow_ms == LOOP_NEVER && !c->options.keep_slow &&
        x->request->operation == HAUL_GET_OBJECT)
        c->slow_ms = x->started_ms + LOOK_EVERY_MS;
    return 0;
}

/* As far as there is room; what callbacks submit meanwhile waits for the next turn. Returns how
 * many could not be started, and are finished. */
static unsigned start_due(struct haul_client *c)
{
    unsigned finished = 0;
    resume_due(c);
    for (unsigned left = c->ready.count; left > 0 && may_start(c); left--) {
        struct exchange *x = c->ready.first;
        struct haul_error err;
        delist(x);
        append(&c->moving, x); /* first, as its body's reader may cancel it */
        int rc = start(c, x, &err);
        if (rc != 0)
            delist(x);
        if (rc < 0) {
            fail(c, x, &err);
            finished++;
        } else if (rc > 0) {
            retry_at(c, x, loop_now_ms() + KEYS_WAIT_MS);
        }
    }
    return finished;
}

/* ---- The public face ---- */

int haul_client_submit(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    x->number = c->submitted++;
    x->request = request;
    x->done = done;
    x->payload = payload;
    x->call.guess_type = true;
    if (call_build(request, &x->call, err) < 0) {
        exchange_free(x);
        return -1;
    }
    append(&c->ready, x);
    return 0;
}

/* Whatever has ended comes back before anybody waits, so that freed slots are refilled. */
int haul_client_run(struct haul_client *c, int max_wait_ms, struct haul_error *err)
{
    if (atomic_load(&c->stopping))
        cancel(c, NULL);
    unsigned finished = deliver_cancelled(c);
    replace_slow(c);
    finished += start_due(c);
    if (loop_tick(c->loop, err) < 0)
        return -1;
    finished += reap_finished(c);
    int wait_ms = finished > 0 ? 0 : haul_client_wait_ms(c);
    if (wait_ms < 0 || wait_ms > max_wait_ms)
        wait_ms = max_wait_ms > 0 ? max_wait_ms : 0;
    if (loop_wait(c->loop, wait_ms, err) < 0)
        return -1;
    reap_finished(c);
    return (int) under_way(c);
}

int haul_client_cancel(struct haul_client *c, const struct haul_request *request)
{
    if (cancel(c, request) > 0)
        return 0;
    for (const struct exchange *x = c->cancelled.first; x != NULL; x = x->next)
        if (x->request == request)
            return 0;
    return -1;
}

int haul_client_fd(const struct haul_client *c)
{
    return c->loop->epoll_fd;
}

int haul_client_wait_ms(const struct haul_client *c)
{
    if (c->cancelled.count > 0 || may_start(c) ||
        (atomic_load(&c->stopping) && under_way(c) > 0))
        return 0;
    int64_t due_ms = c->loop->timer_ms;
    if (c->retrying.count > 0 && c->retry_ms < due_ms)
        due_ms = c->retry_ms;
    if (c->slow_ms < due_ms)
        due_ms = c->slow_ms;
    if (due_ms == LOOP_NEVER)
        return -1;
    int64_t wait_ms = due_ms - loop_now_ms();
    return wait_ms < 0 ? 0 : wait_ms > INT_MAX ? INT_MAX : (int) wait_ms;
}

struct waiter {
    haul_done_fn *done;
    void *payload;
    struct haul_error *err;
    bool finished;
    int rc;
};

static void on_waited(void *payload, const struct haul_result *result)
{
    struct waiter *w = payload;
    w->finished = true;
    w->rc = result->error.code == HAUL_OK ? 0 : -1;
    if (w->rc < 0 && w->err != NULL)
        *w->err = result->error;
    if (w->done != NULL)
        w->done(w->payload, result);
}

int haul_client_perform(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err)
{
    struct waiter w = { .done = done, .payload = payload, .err = err };
    if (haul_client_submit(c, request, on_waited, &w, err) < 0)
        return -1;
    while (!w.finished)
        if (haul_client_run(c, 1000, err) < 0) {
            w.err = NULL;
            cancel(c, NULL); /* or w would be written to when it is gone */
            deliver_cancelled(c);
            return -1;
        }
    return w.rc;
}

void haul_client_wake(struct haul_client *c)
{
    loop_wake(c->loop);
}

void haul_client_stop(struct haul_client *c)
{
    atomic_store(&c->stopping, true);
    haul_client_wake(c);
}

void client_set_timeout(struct haul_client *c, unsigned timeout_ms)
{
    c->options.connect_timeout_ms = c->options.request_timeout_ms = timeout_ms;
}

static void default_to(unsigned *option, unsigned value)
{
    if (*option == 0)
        *option = value;
}

struct haul_client *haul_client_new(
    const struct haul_client_options *options, struct haul_error *err)
{
    struct haul_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        goto no_memory;
    c->ready.last = &c->ready.first;
    c->moving.last = &c->moving.first;
    c->retrying.last = &c->retrying.first;
    c->cancelled.last = &c->cancelled.first;
    c->retry_ms = c->slow_ms = LOOP_NEVER;
    if (options != NULL)
        c->options = *options;
    default_to(&c->options.retries, DEFAULT_RETRIES);
    if (c->options.retries == HAUL_NO_RETRIES)
        c->options.retries = 0;
    default_to(&c->options.connections, DEFAULT_CONNECTIONS);
    default_to(&c->options.connect_timeout_ms, DEFAULT_CONNECT_MS);
    default_to(&c->options.stall_timeout_ms, DEFAULT_STALL_MS);
    if (c->options.buffer_bytes < SMALLEST_BUFFER)
        c->options.buffer_bytes = DEFAULT_BUFFER_BYTES;
    const char *agent = c->options.user_agent;
    c->options.user_agent = NULL; /* the copy stands in user_agent */
    c->user_agent = strdup(agent ? agent : "libhaul/" HAUL_VERSION);
    c->hash = haul_sum_new(HAUL_SHA256);
    c->scratch = malloc(c->options.buffer_bytes);
    if (c->hash == NULL || c->scratch == NULL || c->user_agent == NULL)
        goto no_memory;
    if (getrandom(&c->random, sizeof c->random, 0) != sizeof c->random || c->random == 0)
        c->random = (uint64_t) loop_now_ms() | 1;
    c->loop = loop_new(
        c->options.connections > IDLE_CONNECTIONS ? c->options.connections : IDLE_CONNECTIONS,
        err);
    if (c->loop == NULL)
        goto failed;
    return c;
no_memory:
    haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
failed:
    haul_client_free(c);
    return NULL;
}

void haul_client_free(struct haul_client *c)
{
    if (c == NULL)
        return;
    if (c->loop != NULL) {
        cancel(c, NULL);
        deliver_cancelled(c);
    }
    while (c->idle_count > 0)
        curl_easy_cleanup(c->idle[--c->idle_count]);
    loop_free(c->loop);
    haul_sum_free(c->hash);
    free(c->scratch);
    free(c->user_agent);
    free(c);
}

/* ---- Results that outlive their callback ---- */

static struct exchange *exchange_of(const struct haul_result *result)
{
    return (struct exchange *) ((char *) result - offsetof(struct exchange, result));
}

const struct haul_result *client_keep(const struct haul_result *result)
{
    exchange_of(result)->kept = true;
    return result;
}

void client_release(const struct haul_result *kept)
{
    if (kept != NULL)
        exchange_free(exchange_of(kept));
}
