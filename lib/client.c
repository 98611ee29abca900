/* The client: the states of its requests. How libcurl is driven is loop.c's, how an attempt is
 * made and moves its bytes attempt.c's, what becomes of it attempt_end.c's. */
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

#define DEFAULT_RETRIES 10
#define DEFAULT_CONNECTIONS 64
#define DEFAULT_CONNECT_MS 10000
#define DEFAULT_STALL_MS 30000
#define DEFAULT_BUFFER_BYTES (256 * 1024)
#define IDLE_CONNECTIONS 256
#define HELD_MOST_MS 500  /* until we look again whether the bucket's pace is another */
#define LOOK_EVERY_MS 250 /* for slow GETs */
#define KEYS_WAIT_MS 50   /* until we look again whether the refresher has fresh ones */

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

static void end_cancelled(struct haul_client *c, struct exchange *x)
{
    struct haul_error err;
    haul_error_set(&err, HAUL_CANCELLED, "cancelled");
    fail(c, x, &err);
}

static void retry_at(struct haul_client *c, struct exchange *x, int64_t due_ms)
{
    x->due_ms = due_ms;
    append(&c->retrying, x);
    if (due_ms < c->retry_ms)
        c->retry_ms = due_ms;
}

static void finish(struct haul_client *c, struct exchange *x, CURLcode code)
{
    int64_t delay_ms = attempt_end(c, x, (int) code);
    if (delay_ms < 0)
        deliver(x);
    else if (atomic_load(&c->end) != CLIENT_GOES_ON)
        end_cancelled(c, x);
    else
        retry_at(c, x, x->tried_ms + delay_ms);
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

/* All of a list, or those of one request. Returns how many. They may be inside libcurl right
 * now, which called us: the next turn takes them out. */
static unsigned cancel_in(
    struct haul_client *c, struct exchange_list *list, const struct haul_request *only)
{
    unsigned found = 0;
    for (struct exchange *x = list->first, *following; x != NULL; x = following) {
        following = x->next;
        if (only != NULL && x->request != only)
            continue;
        delist(x);
        append(&c->cancelled, x);
        found++;
    }
    return found;
}

static unsigned cancel(struct haul_client *c, const struct haul_request *only)
{
    return cancel_in(c, &c->moving, only) + cancel_in(c, &c->retrying, only) +
           cancel_in(c, &c->ready, only);
}

static void cancel_at_end(struct haul_client *c)
{
    switch (atomic_load(&c->end)) {
    case CLIENT_GOES_ON:
        return;
    case CLIENT_STOPS:
        cancel_in(c, &c->moving, NULL);
        /* fall through */
    case CLIENT_DRAINS:
        cancel_in(c, &c->retrying, NULL);
        cancel_in(c, &c->ready, NULL);
        return;
    }
}

/* Those that are there now: callbacks may submit and cancel again. Returns how many. */
static unsigned deliver_cancelled(struct haul_client *c)
{
    const unsigned count = c->cancelled.count;
    for (unsigned left = count; left > 0 && c->cancelled.count > 0; left--) {
        struct exchange *x = c->cancelled.first;
        delist(x);
        end_cancelled(c, x);
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
    if (atomic_load(&c->end) != CLIENT_GOES_ON)
        return;
    for (struct exchange *x = c->moving.first, *following; x != NULL; x = following) {
        following = x->next;
        if (x->request->operation != HAUL_GET_OBJECT)
            continue;
        c->slow_ms = now_ms + LOOK_EVERY_MS;
        if (!attempt_is_slow(x, now_ms))
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
           atomic_load(&c->end) == CLIENT_GOES_ON;
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
    if (c->slow_ms == LOOP_NEVER && !c->options.keep_slow &&
        x->request->operation == HAUL_GET_OBJECT)
        c->slow_ms = x->began_ms + LOOK_EVERY_MS;
    return 0;
}

/* Its bucket's pace has it wait. */
static bool holds_back(struct haul_client *c, struct exchange *x)
{
    int64_t now_ms = loop_now_ms();
    int64_t wait_ms =
        endpoint_wait_ms(x->request->endpoint, x->call.bucket, now_ms, c->options.patience_ms);
    if (wait_ms > 0) {
        retry_at(c, x, now_ms + (wait_ms < HELD_MOST_MS ? wait_ms : HELD_MOST_MS));
        return true;
    }
    x->began_ms = now_ms;
    if (x->first_failed_ms == 0)
        x->tried_ms = now_ms;
    return false;
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
        if (holds_back(c, x))
            continue;
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
    cancel_at_end(c);
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
        (atomic_load(&c->end) != CLIENT_GOES_ON && c->ready.count + c->retrying.count > 0) ||
        (atomic_load(&c->end) == CLIENT_STOPS && c->moving.count > 0))
        return 0;
    int64_t due_ms = c->loop->timer_ms;
    if (c->retrying.count > 0 && c->retry_ms < due_ms)
        due_ms = c->retry_ms;
    if (c->moving.count > 0 && c->slow_ms < due_ms)
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

void haul_client_drain(struct haul_client *c)
{
    enum client_end before = CLIENT_GOES_ON; /* who stops does not go back to that */
    if (atomic_compare_exchange_strong(&c->end, &before, CLIENT_DRAINS))
        haul_client_wake(c);
}

void haul_client_stop(struct haul_client *c)
{
    atomic_store(&c->end, CLIENT_STOPS);
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
