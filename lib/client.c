/* The loop: one libcurl multi handle, its requests, and their retries. What a request looks like
 * and what a reply means is operation.c's; which failures deserve another try is retry.c's. */
#include <haul/haul.h>

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "credentials.h"
#include "endpoint.h"
#include "operation.h"
#include "retry.h"

#define DEFAULT_RETRIES 10
#define DEFAULT_CONNECT_MS 10000
#define DEFAULT_STALL_MS 30000
#define DEFAULT_BUFFER_BYTES (256 * 1024)
#define SMALLEST_BUFFER 16384 /* libcurl's */
#define SLOW_OPERATION_STALL_MS 600000
#define ERROR_BODY_MAX 65536
#define DOCUMENT_MAX (64 * 1024 * 1024)
#define CORRECTIONS_MAX 2 /* of clock and region, a request */
#define IDLE_HANDLES_MAX 64
#define RETRY_AFTER_MAX_S 60

/* One request under way: sent, or waiting for its next attempt. */
struct exchange {
    struct exchange *next, **link; /* in client->moving or client->waiting */
    const struct haul_request *request; /* the caller's */
    haul_done_fn *done;
    void *payload;

    struct call call;
    struct reply reply;
    char payload_hash[SHA256_HEX_SIZE]; /* empty until the body has been hashed */
    unsigned attempts, corrections;
    bool maybe_repeated;
    int64_t due_ms; /* waiting: when the next attempt starts, CLOCK_MONOTONIC */
    uint64_t bytes_sent, bytes_received; /* all attempts */

    /* This attempt. */
    CURL *easy; /* owned; NULL while waiting */
    struct curl_slist *header_list; /* owned */
    uint64_t sent, received;
    bool head_checked;
    int64_t expected; /* body bytes; -1: not known */
    struct haul_error error; /* set by a callback that aborted the transfer */
};

struct haul_client {
    struct haul_client_options options; /* defaults filled in */
    char *user_agent;                   /* owned */
    CURLM *multi;
    struct exchange *moving, *waiting;
    unsigned count; /* of both */
    CURL *idle[IDLE_HANDLES_MAX];
    unsigned idle_count;
    struct sha256 *hash;
    uint64_t random; /* for jitter only */
    char *scratch;   /* options.buffer_bytes, for hashing bodies */
    atomic_bool stopping; /* any thread sets it */
};

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

/* ---- Callbacks: they move bytes and nothing else ---- */

static size_t on_read(char *data, size_t unit, size_t count, void *payload)
{
    struct exchange *x = payload;
    const struct haul_body *body = &x->call.body;
    size_t room = unit * count;
    if (room > body->size - x->sent)
        room = (size_t) (body->size - x->sent);
    if (room == 0)
        return 0;
    ssize_t got = body->read(body->payload, x->sent, data, room);
    if (got <= 0) {
        int cause = got < 0 ? errno : 0;
        haul_error_set(&x->error, HAUL_LOCAL, "%s",
            got < 0 ? strerror(cause) : "the source ended before its size");
        x->error.sys_errno = cause;
        return CURL_READFUNC_ABORT;
    }
    x->sent += (uint64_t) got;
    return (size_t) got;
}

/* A pooled connection was found dead: libcurl begins the body again on a new one. */
static int on_seek(void *payload, curl_off_t offset, int origin)
{
    struct exchange *x = payload;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_FAIL;
    x->sent = (uint64_t) offset;
    return CURL_SEEKFUNC_OK;
}

static void read_head(struct exchange *x);

static size_t on_object_bytes(struct exchange *x, char *data, size_t len)
{
    if (!x->head_checked) {
        if (operation_check_head(x->request, &x->reply, &x->expected, &x->error) < 0)
            return 0;
        x->head_checked = true;
    }
    if (x->expected >= 0 && len > (uint64_t) x->expected - x->received) {
        haul_error_set(&x->error, HAUL_BAD_REPLY, "GetObject of %s: more bytes than promised",
            x->request->key);
        x->error.retry = HAUL_RETRY_LATER;
        return 0;
    }
    const struct haul_sink *sink = &x->request->sink;
    if (sink->write && sink->write(sink->payload, x->received, data, len) < 0) {
        int cause = errno;
        haul_error_set(&x->error, HAUL_LOCAL, "%s", strerror(cause));
        x->error.sys_errno = cause;
        return 0;
    }
    x->received += len;
    return len;
}

static size_t on_body(char *data, size_t unit, size_t count, void *payload)
{
    struct exchange *x = payload;
    size_t len = unit * count;
    if (x->reply.status == 0)
        read_head(x);
    bool success = x->reply.status >= 200 && x->reply.status < 300;
    if (success && x->request->operation == HAUL_GET_OBJECT)
        return on_object_bytes(x, data, len);
    if (!success && x->reply.body.len + len > ERROR_BODY_MAX)
        return len; /* a page of somebody's: its beginning is enough */
    buf_add(&x->reply.body, data, len);
    return x->reply.body.failed ? 0 : len;
}

/* ---- Sending ---- */

static void copy_header(CURL *easy, const char *name, char *out, size_t size)
{
    struct curl_header *h = NULL;
    out[0] = '\0';
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK)
        snprintf(out, size, "%s", h->value);
}

static void read_head(struct exchange *x)
{
    struct reply *r = &x->reply;
    long status = 0;
    curl_off_t length = -1;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    r->status = (int) status;
    r->content_length = length;
    if (status == 0)
        return;
    copy_header(x->easy, "etag", r->etag, sizeof r->etag);
    copy_header(x->easy, "date", r->date, sizeof r->date);
    copy_header(x->easy, "x-amz-request-id", r->request_id, sizeof r->request_id);
    if (x->request->operation == HAUL_GET_OBJECT || x->request->operation == HAUL_HEAD_OBJECT) {
        copy_header(x->easy, "content-range", r->content_range, sizeof r->content_range);
        copy_header(x->easy, "last-modified", r->last_modified, sizeof r->last_modified);
        copy_header(x->easy, "x-amz-meta-haul", r->token, sizeof r->token);
    }
    if (status >= 300) {
        copy_header(x->easy, "x-amz-bucket-region", r->region, sizeof r->region);
        copy_header(x->easy, "retry-after", r->retry_after, sizeof r->retry_after);
    }
}

/* The signature covers the body's SHA-256, which has to be known before the first byte goes. */
static int hash_body(struct haul_client *c, struct exchange *x, struct haul_error *err)
{
    const struct haul_body *body = &x->call.body;
    uint64_t at = 0;
    while (at < body->size) {
        size_t want = c->options.buffer_bytes;
        if (want > body->size - at)
            want = (size_t) (body->size - at);
        ssize_t got = body->read(body->payload, at, c->scratch, want);
        if (got <= 0) {
            int cause = got < 0 ? errno : 0;
            haul_error_set(err, HAUL_LOCAL, "%s",
                got < 0 ? strerror(cause) : "the source ended before its size");
            err->sys_errno = cause;
            sha256_end(c->hash, x->payload_hash);
            x->payload_hash[0] = '\0';
            return -1;
        }
        sha256_add(c->hash, c->scratch, (size_t) got);
        at += (uint64_t) got;
    }
    if (sha256_end(c->hash, x->payload_hash) < 0)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    return 0;
}

static int add_line(struct exchange *x, const char *name, const char *value)
{
    struct buf line = buf_make(8192);
    buf_adds(&line, name);
    buf_adds(&line, *value ? ": " : "");
    buf_adds(&line, value);
    struct curl_slist *more =
        line.failed ? NULL : curl_slist_append(x->header_list, buf_text(&line));
    buf_free(&line);
    if (more == NULL)
        return -1;
    x->header_list = more;
    return 0;
}

/* Signs for this moment and puts all headers into the list. */
static int add_headers(struct haul_client *c, struct exchange *x, const char *host,
    const char *region, struct haul_error *err)
{
    const struct haul_endpoint *e = x->request->endpoint;
    const struct haul_credentials *keys = e->credentials;
    struct sigv4_header signed_headers[CALL_HEADERS_MAX + 4];
    struct buf authorization = buf_make(4096);
    size_t n = x->call.header_count;
    int rc = -1;

    memcpy(signed_headers, x->call.headers, n * sizeof *signed_headers);
    if (keys != NULL && keys->key_id != NULL) {
        char time[17];
        struct sigv4_key key;
        time_t now = (time_t) (haul_endpoint_now_ms(e) / 1000);
        struct tm utc;
        strftime(time, sizeof time, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
        char date[9];
        snprintf(date, sizeof date, "%.8s", time);
        const char *hash = SIGV4_UNSIGNED_PAYLOAD;
        if (e->sign_payload || x->call.body.size == 0 || x->call.document.len > 0) {
            if (*x->payload_hash == '\0' && hash_body(c, x, err) < 0)
                goto out;
            hash = x->payload_hash;
        }
        signed_headers[n++] = (struct sigv4_header) { "host", host };
        signed_headers[n++] = (struct sigv4_header) { "x-amz-content-sha256", hash };
        signed_headers[n++] = (struct sigv4_header) { "x-amz-date", time };
        if (keys->token != NULL)
            signed_headers[n++] = (struct sigv4_header) { "x-amz-security-token", keys->token };
        struct sigv4_request r = { .method = x->call.method, .path = buf_text(&x->call.path),
            .query = buf_text(&x->call.query), .headers = signed_headers, .header_count = n,
            .payload_hash = hash, .region = region, .time = time };
        if (endpoint_signing_key(e, date, region, &key) < 0) {
            haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
            goto out;
        }
        int signed_ok = sigv4_authorization(&authorization, &r, keys->key_id, &key, err);
        wipe(&key, sizeof key);
        if (signed_ok < 0)
            goto out;
        for (size_t i = 0; i < n; i++)
            if (strcmp(signed_headers[i].name, "host") != 0 &&
                add_line(x, signed_headers[i].name, signed_headers[i].value) < 0)
                goto no_memory;
        if (add_line(x, "authorization", buf_text(&authorization)) < 0)
            goto no_memory;
    } else {
        for (size_t i = 0; i < n; i++)
            if (add_line(x, signed_headers[i].name, signed_headers[i].value) < 0)
                goto no_memory;
    }
    /* libcurl's own habits off: no 100-continue pause; bytes as they are stored. */
    if (add_line(x, "Expect:", "") < 0 || add_line(x, "accept-encoding", "identity") < 0)
        goto no_memory;
    rc = 0;
    goto out;
no_memory:
    haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
out:
    buf_free(&authorization);
    return rc;
}

static long buffer_size(const struct haul_client *c, uint64_t expected)
{
    if (expected >= c->options.buffer_bytes)
        return (long) c->options.buffer_bytes;
    return expected > SMALLEST_BUFFER ? (long) expected : SMALLEST_BUFFER;
}

static void set_options(struct haul_client *c, struct exchange *x, const char *url)
{
    CURL *easy = x->easy;
    const struct haul_endpoint *e = x->request->endpoint;
    long stall_ms = operation_is_slow(x->request->operation) ? SLOW_OPERATION_STALL_MS
                                                             : (long) c->options.stall_timeout_ms;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *) x);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, c->user_agent);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, x->header_list);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) c->options.connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (stall_ms + 999) / 1000);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    if (e->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, e->ca_file);
    if (e->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (strcmp(x->call.method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(x->call.method, "GET") == 0) {
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
            buffer_size(c, x->request->range.len ? x->request->range.len : UINT64_MAX));
    } else if (strcmp(x->call.method, "DELETE") == 0) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    } else {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, x->call.method);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) x->call.body.size);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, buffer_size(c, x->call.body.size));
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, x);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
    }
}

/* Everything of the last attempt goes, but what the next one can use. */
static void forget_attempt(struct haul_client *c, struct exchange *x)
{
    if (x->easy != NULL) {
        curl_multi_remove_handle(c->multi, x->easy);
        if (c->idle_count < IDLE_HANDLES_MAX) {
            curl_easy_reset(x->easy);
            c->idle[c->idle_count++] = x->easy;
        } else {
            curl_easy_cleanup(x->easy);
        }
        x->easy = NULL;
    }
    curl_slist_free_all(x->header_list);
    x->header_list = NULL;
    buf_free(&x->reply.body);
}

/* Begins an attempt: built afresh, as clock, region and keys may be others by now. */
static int start(struct haul_client *c, struct exchange *x, struct haul_error *err)
{
    const struct haul_request *r = x->request;
    struct buf host = buf_make(512), url = buf_make(16384);
    char region[REGION_SIZE];
    int rc = -1;

    x->attempts++;
    x->sent = x->received = 0;
    x->head_checked = false;
    x->expected = -1;
    x->error.code = HAUL_OK;
    x->reply = (struct reply) { .content_length = -1, .body = buf_make(DOCUMENT_MAX) };
    endpoint_region(r->endpoint, r->bucket, region);
    endpoint_add_host(&host, r->endpoint, r->bucket, region);
    if (buf_failed(&host, "the host's name", err) ||
        add_headers(c, x, buf_text(&host), region, err) < 0)
        goto out;
    buf_addf(&url, "%s://%s%s%s%s", r->endpoint->scheme, buf_text(&host),
        buf_text(&x->call.path), x->call.query.len ? "?" : "", buf_text(&x->call.query));
    if (buf_failed(&url, "the URL", err))
        goto out;
    x->easy = c->idle_count > 0 ? c->idle[--c->idle_count] : curl_easy_init();
    if (x->easy == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        goto out;
    }
    set_options(c, x, buf_text(&url));
    CURLMcode code = curl_multi_add_handle(c->multi, x->easy);
    if (code != CURLM_OK) {
        haul_error_set(err, HAUL_NO_MEMORY, "%s", curl_multi_strerror(code));
        goto out;
    }
    enlist(&c->moving, x);
    rc = 0;
out:
    if (rc < 0)
        forget_attempt(c, x);
    buf_free(&host);
    buf_free(&url);
    return rc;
}

/* ---- Finishing ---- */

static void deliver(struct haul_client *c, struct exchange *x, struct haul_result *result)
{
    result->attempts = x->attempts;
    result->bytes_sent = x->bytes_sent;
    result->bytes_received = x->bytes_received;
    result->maybe_repeated = x->maybe_repeated;
    c->count--;
    x->done(x->payload, result);
}

static void release(struct haul_client *c, struct exchange *x)
{
    forget_attempt(c, x);
    call_free(&x->call);
    free(x);
}

/* No reply, or half of one. */
static void judge_transport(
    const struct exchange *x, CURLcode code, struct haul_result *result)
{
    static const CURLcode tls[] = { CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR,
        CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
        CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH };
    struct haul_error *err = &result->error;
    haul_error_set(err, code == CURLE_OUT_OF_MEMORY ? HAUL_NO_MEMORY : HAUL_NETWORK,
        "%s: %s", haul_endpoint_url(x->request->endpoint), curl_easy_strerror(code));
    err->retry = HAUL_RETRY_LATER;
    for (size_t i = 0; i < sizeof tls / sizeof *tls; i++)
        if (tls[i] == code) {
            err->code = HAUL_TLS;
            err->retry = HAUL_RETRY_WHEN_FIXED;
        }
    result->outcome_unknown = code != CURLE_COULDNT_CONNECT &&
        code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_COULDNT_RESOLVE_PROXY &&
        err->code != HAUL_TLS;
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

/* In seconds, as S3 sends it; a server may ask for patience, not for eternity. */
static int64_t retry_after_ms(const struct reply *r)
{
    long s = strtol(r->retry_after, NULL, 10);
    return s <= 0 ? 0 : s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S * 1000 : s * 1000;
}

static void finish(struct haul_client *c, struct exchange *x, CURLcode code)
{
    struct haul_result result = { .modified_ms = -1, .server_ms = -1 };
    struct document *document = NULL;
    read_head(x);
    x->bytes_sent += x->sent;
    x->bytes_received += x->received;
    /* A refusal that came while we were still sending is a reply like any other. */
    bool refused = x->reply.status >= 300;
    if (x->error.code != HAUL_OK)
        result.error = x->error;
    else if (code != CURLE_OK && !refused)
        judge_transport(x, code, &result);
    else
        operation_judge(x->request, &x->reply, x->received, &result, &document);

    if (result.error.code != HAUL_OK && may_retry(c, x, result.error.retry)) {
        int64_t after_ms = retry_after_ms(&x->reply);
        x->maybe_repeated |= result.outcome_unknown;
        x->due_ms = monotonic_ms() +
            retry_delay_ms(result.error.retry, x->attempts - 1, next_random(c), after_ms);
        forget_attempt(c, x);
        enlist(&c->waiting, x);
    } else {
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

/* It could not even be sent. */
static void fail(struct haul_client *c, struct exchange *x, const struct haul_error *err)
{
    struct haul_result result = { .modified_ms = -1, .server_ms = -1, .error = *err };
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
        x->bytes_sent += x->sent;
        forget_attempt(c, x);
        enlist(&doomed, x);
    }
    while ((x = doomed) != NULL) {
        delist(x);
        fail(c, x, &err);
    }
}

/* Starts the retries that are due. Returns the ms until the next one, or -1: none waits. */
static int64_t start_due(struct haul_client *c)
{
    int64_t now = monotonic_ms(), next = -1;
    struct exchange *x, *following;
    for (x = c->waiting; x != NULL; x = following) {
        struct haul_error err;
        following = x->next;
        if (x->due_ms > now) {
            if (next < 0 || x->due_ms - now < next)
                next = x->due_ms - now;
            continue;
        }
        delist(x);
        if (start(c, x, &err) < 0)
            fail(c, x, &err);
    }
    return next;
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
    if (atomic_load(&c->stopping))
        cancel_all(c);
    unsigned before = c->count;
    int64_t next_ms = start_due(c);
    CURLMcode code = curl_multi_perform(c->multi, &running);
    /* Freed slots are refilled before anybody waits. */
    if (code == CURLM_OK && reap_finished(c) == 0 && c->count == before && max_wait_ms > 0) {
        if (next_ms >= 0 && next_ms < max_wait_ms)
            max_wait_ms = (int) next_ms;
        code = curl_multi_poll(c->multi, NULL, 0, max_wait_ms, NULL);
    }
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
        if (haul_client_run(c, 1000, err) < 0)
            return -1;
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
    c->hash = sha256_new();
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
    sha256_free(c->hash);
    free(c->scratch);
    free(c->user_agent);
    free(c);
}
