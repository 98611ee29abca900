/* The loop: one libcurl multi handle, its requests, and their retries. How an attempt is made
 * and moves its bytes is attempt.c's, what a reply means operation.c's, which failures deserve
 * another try retry.c's. */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "attempt.h"
#include "retry.h"

#define DEFAULT_RETRIES 10
#define DEFAULT_CONNECT_MS 10000
#define DEFAULT_STALL_MS 30000
#define DEFAULT_BUFFER_BYTES (256 * 1024)
#define CORRECTIONS_MAX 2 /* of clock, region and pooled connections, a request */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
}

static int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* xorshift: spreads retries, guards nothing. */
static uint32_t next_random(struct haul_client *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t) (c->random >> 16);
}

/* ---- A list that each exchange can leave by itself ---- */

static void enlist(struct exchange **list, struct exchange *x)
{
    x->next = *list;
    x->link = list;
    if (*list != NULL)
        (*list)->link = &x->next;
    *list = x;
}

static void delist(struct exchange *x)
{
    *x->link = x->next;
    if (x->next != NULL)
        x->next->link = x->link;
}

static int start(struct haul_client *c, struct exchange *x, struct haul_error *err)
{
    if (attempt_build(c, x, err) < 0)
        return -1;
    CURLMcode code = curl_multi_add_handle(c->multi, x->easy);
    if (code != CURLM_OK) {
        attempt_forget(c, x);
        return haul_error_set(err, HAUL_NO_MEMORY, "%s", curl_multi_strerror(code));
    }
    enlist(&c->moving, x);
    return 0;
}

/* ---- Finishing ---- */

static void deliver(struct haul_client *c, struct exchange *x, struct haul_result *result)
{
    result->attempts = x->attempts;
    result->failing_ms = x->failed_ms ? monotonic_ms() - x->failed_ms : 0;
    result->bytes_sent = x->bytes_sent + x->sent;
    result->bytes_received = x->bytes_received + x->received;
    result->maybe_repeated = x->maybe_repeated;
    c->count--;
    x->done(x->payload, result);
}

static void release(struct haul_client *c, struct exchange *x)
{
    attempt_forget(c, x);
    call_free(&x->call);
    free(x);
}

/* No reply, or half of one. */
static void judge_transport(const struct exchange *x, CURLcode code, struct haul_result *result)
{
    /* Not CURLE_SSL_CONNECT_ERROR, which is also a connection that was lost in the handshake.
     */
    static const CURLcode tls[] = { CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR,
        CURLE_SSL_PINNEDPUBKEYNOTMATCH };
    struct haul_error *err = &result->error;
    haul_error_set(err, code == CURLE_OUT_OF_MEMORY ? HAUL_NO_MEMORY : HAUL_NETWORK, "%s: %s",
        haul_endpoint_url(x->request->endpoint), curl_easy_strerror(code));
    err->retry = HAUL_RETRY_LATER;
    for (size_t i = 0; i < sizeof tls / sizeof *tls; i++)
        if (tls[i] == code) {
            err->code = HAUL_TLS;
            err->retry = HAUL_RETRY_WHEN_FIXED;
        }
    result->outcome_unknown = x->begun;
}

static bool may_retry(const struct haul_client *c, struct exchange *x, enum haul_retry class)
{
    switch (class) {
    case HAUL_RETRY_NOW:
    case HAUL_RETRY_LATER:
    case HAUL_RETRY_SLOWER:
        return x->attempts <= c->options.retries;
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

static void finish(struct haul_client *c, struct exchange *x, CURLcode code)
{
    struct haul_result result = { .modified_ms = -1, .server_ms = -1 };
    struct document *document = NULL;
    attempt_read_head(x);
    /* A refusal that came while we were still sending is a reply like any other. */
    bool refused = x->reply.status >= 300;
    if (x->error.code != HAUL_OK)
        result.error = x->error;
    else if (code != CURLE_OK && !refused)
        judge_transport(x, code, &result);
    else
        operation_judge(x->request, &x->reply, x->received, &result, &document);
    if (was_closed(x, code) && x->corrections++ < CORRECTIONS_MAX) {
        x->attempts--; /* nobody's failure */
        result.error.retry = HAUL_RETRY_NOW;
    }

    if (result.error.code != HAUL_OK && may_retry(c, x, result.error.retry)) {
        int64_t after_ms = 1000 * (int64_t) atoi(x->reply.retry_after); /* S3 sends seconds */
        int64_t now_ms = monotonic_ms();
        x->maybe_repeated |= result.outcome_unknown;
        x->failed_ms = x->failed_ms ? x->failed_ms : now_ms;
        x->payload_hash[0] = '\0'; /* the source may have changed meanwhile */
        x->due_ms = now_ms + retry_delay_ms(
                                 result.error.retry, x->attempts - 1, next_random(c), after_ms);
        attempt_forget(c, x);
        enlist(&c->waiting, x);
    } else {
        if (result.error.retry == HAUL_RETRY_RESIGN)
            result.error.retry = HAUL_RETRY_WHEN_FIXED; /* correcting did not help */
        deliver(c, x, &result);
        release(c, x);
    }
    document_free(document);
}

static unsigned reap_finished(struct haul_client *c)
{
    unsigned finished = 0;
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        struct exchange *x;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **) &x);
        delist(x);
        finish(c, x, code);
        finished++;
    }
    return finished;
}

/* It was cancelled, perhaps on its way, or could not even be sent. */
static void fail(struct haul_client *c, struct exchange *x, const struct haul_error *err)
{
    struct haul_result result = { .error = *err, .modified_ms = -1, .server_ms = -1 };
    result.outcome_unknown = x->begun;
    attempt_forget(c, x);
    deliver(c, x, &result);
    release(c, x);
}

static void cancel_all(struct haul_client *c)
{
    struct haul_error err;
    haul_error_set(&err, HAUL_CANCELLED, "cancelled");
    /* Callbacks may submit again: take what is there now, and only that. */
    struct exchange *doomed = NULL, *x;
    while ((x = c->moving) != NULL || (x = c->waiting) != NULL) {
        delist(x);
        enlist(&doomed, x);
    }
    while ((x = doomed) != NULL) {
        delist(x);
        fail(c, x, &err);
    }
}

/* Starts what is due. Returns how many could not be, and are finished. */
static unsigned start_due(struct haul_client *c)
{
    int64_t now = monotonic_ms();
    unsigned finished = 0;
    struct exchange *x, *following;
    for (x = c->waiting; x != NULL; x = following) {
        struct haul_error err;
        following = x->next;
        if (x->due_ms > now)
            continue;
        delist(x);
        if (start(c, x, &err) < 0) {
            fail(c, x, &err);
            finished++;
        }
    }
    return finished;
}

/* How long nothing is due, at most `most_ms`. */
static int idle_ms(const struct haul_client *c, int most_ms)
{
    int64_t now = monotonic_ms(), least_ms = most_ms;
    for (const struct exchange *x = c->waiting; x != NULL; x = x->next)
        if (x->due_ms - now < least_ms)
            least_ms = x->due_ms - now;
    return least_ms > 0 ? (int) least_ms : 0;
}

/* ---- The public face ---- */

int haul_client_submit(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    x->request = request;
    x->done = done;
    x->payload = payload;
    x->call.path = buf_make(4096);
    x->call.query = buf_make(8192);
    x->call.document = buf_make(DOCUMENT_MAX);
    if (operation_build(request, &x->call, err) < 0) {
        release(c, x);
        return -1;
    }
    c->count++;
    x->due_ms = monotonic_ms();
    enlist(&c->waiting, x);
    return 0;
}

int haul_client_run(struct haul_client *c, int max_wait_ms, struct haul_error *err)
{
    int running;
    if (atomic_load(&c->stopping)) {
        cancel_all(c);
        return (int) c->count; /* what the callbacks have submitted: for the next turn */
    }
    unsigned finished = start_due(c);
    CURLMcode code = curl_multi_perform(c->multi, &running);
    finished += reap_finished(c);
    /* Freed slots are refilled before anybody waits. */
    if (code == CURLM_OK && finished == 0)
        code = curl_multi_poll(c->multi, NULL, 0, idle_ms(c, max_wait_ms), NULL);
    if (code != CURLM_OK)
        return haul_error_set(err, HAUL_NO_MEMORY, "%s", curl_multi_strerror(code));
    return (int) c->count;
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
    if (w->rc < 0)
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
            struct haul_error why = *err;
            cancel_all(c); /* or w would be written to when it is gone */
            *err = why;
            return -1;
        }
    return w.rc;
}

void haul_client_wake(struct haul_client *c)
{
    curl_multi_wakeup(c->multi);
}

void haul_client_stop(struct haul_client *c)
{
    atomic_store(&c->stopping, true);
    haul_client_wake(c);
}

struct haul_client *haul_client_new(
    const struct haul_client_options *options, struct haul_error *err)
{
    pthread_once(&curl_once, init_curl);
    struct haul_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        goto no_memory;
    c->options = *options;
    if (c->options.retries == 0)
        c->options.retries = DEFAULT_RETRIES;
    else if (c->options.retries == HAUL_NO_RETRIES)
        c->options.retries = 0;
    if (c->options.connect_timeout_ms == 0)
        c->options.connect_timeout_ms = DEFAULT_CONNECT_MS;
    if (c->options.stall_timeout_ms == 0)
        c->options.stall_timeout_ms = DEFAULT_STALL_MS;
    if (c->options.buffer_bytes < SMALLEST_BUFFER)
        c->options.buffer_bytes = DEFAULT_BUFFER_BYTES;
    c->options.user_agent = NULL; /* the copy stands in user_agent */
    c->user_agent = strdup(options->user_agent ? options->user_agent : "libhaul/" HAUL_VERSION);
    c->multi = curl_multi_init();
    c->hash = haul_sum_new(HAUL_SHA256);
    c->scratch = malloc(c->options.buffer_bytes);
    if (c->multi == NULL || c->hash == NULL || c->scratch == NULL || c->user_agent == NULL)
        goto no_memory;
    if (getrandom(&c->random, sizeof c->random, 0) != sizeof c->random || c->random == 0)
        c->random = (uint64_t) monotonic_ms() | 1;
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long) IDLE_HANDLES_MAX * 4);
    return c;
no_memory:
    haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    haul_client_free(c);
    return NULL;
}

void haul_client_free(struct haul_client *c)
{
    if (c == NULL)
        return;
    if (c->multi != NULL)
        cancel_all(c);
    while (c->idle_count > 0)
        curl_easy_cleanup(c->idle[--c->idle_count]);
    if (c->multi != NULL)
        curl_multi_cleanup(c->multi);
    haul_sum_free(c->hash);
    free(c->scratch);
    free(c->user_agent);
    free(c);
}
