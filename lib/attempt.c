/* What goes over the wire for one attempt: its headers, signature and options. How its bytes
 * move is attempt_bytes.c's. */
#include "attempt.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "chunked.h"
#include "credentials.h"
#include "endpoint.h"
#include "operation.h"

#define SLOW_OPERATION_STALL_MS 600000
#define SHARES 4         /* of the room for buffers that is left one takes one */
#define HEAD_BUFFER 1024 /* the reply to a PUT is little more than its head */

_Static_assert(WORDS_SIZE >= CURL_ERROR_SIZE, "libcurl writes so much");

/* Whether and how a body is part of the signature. Documents always are. */
static enum haul_payload payload_of(const struct exchange *x)
{
    const struct haul_request *r = x->request;
    if (x->call.body.size == 0 || x->call.document.len > 0)
        return HAUL_PAYLOAD_SIGNED;
    return r->payload != HAUL_PAYLOAD_AUTO ? r->payload : r->endpoint->payload;
}

/* What has to be known before the first byte goes, in one pass over the body: its SHA-256 for
 * the signature, and the checksums that headers tell. */
static int sum_body(
    struct haul_client *c, struct exchange *x, bool hashes, struct haul_error *err)
{
    const struct haul_body *body = &x->call.body;
    struct haul_sum *sums[CALL_SUMS_MAX] = { NULL };
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    int rc = -1;
    for (size_t i = 0; i < x->call.sum_count; i++)
        if ((sums[i] = haul_sum_new(x->call.sums[i].kind)) == NULL)
            goto no_sum;
    for (uint64_t at = 0; at < body->size;) {
        size_t want = c->options.buffer_bytes;
        if (want > body->size - at)
            want = (size_t) (body->size - at);
        ssize_t got = body_read(body, at, c->scratch, want);
        if (got <= 0) {
            attempt_fail_locally(got < 0 ? errno : 0, err);
            haul_sum_end(c->hash, value); /* ready for the next body */
            goto out;
        }
        if (hashes)
            haul_sum_add(c->hash, c->scratch, (size_t) got);
        for (size_t i = 0; i < x->call.sum_count; i++)
            haul_sum_add(sums[i], c->scratch, (size_t) got);
        at += (uint64_t) got;
    }
    if (hashes && haul_sum_end(c->hash, value) == 0)
        goto no_sum;
    if (hashes)
        hex_encode(value, SHA256_BYTES, x->payload_hash);
    for (size_t i = 0; i < x->call.sum_count; i++) {
        size_t bytes = haul_sum_end(sums[i], value);
        if (bytes == 0)
            goto no_sum;
        haul_checksum_text(value, bytes, x->call.sums[i].text);
    }
    rc = 0;
    goto out;
no_sum:
    haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a checksum");
out:
    for (size_t i = 0; i < CALL_SUMS_MAX; i++)
        haul_sum_free(sums[i]);
    return rc;
}

/* "name: value"; value "": sent empty; NULL: libcurl is to send none of its own. */
static int add_line(struct exchange *x, const char *name, const char *value)
{
    struct buf line = buf_make_secret(CALL_TEXT_MAX);
    buf_adds(&line, name);
    buf_adds(&line, value == NULL ? ":" : *value ? ": " : ";");
    buf_adds(&line, value ? value : "");
    struct curl_slist *more =
        line.failed ? NULL : curl_slist_append(x->header_list, buf_text(&line));
    buf_free(&line);
    if (more == NULL)
        return -1;
    x->header_list = more;
    return 0;
}

static void free_lines(struct curl_slist *lines)
{
    for (struct curl_slist *l = lines; l != NULL; l = l->next)
        wipe(l->data, strlen(l->data)); /* a token, a customer's key, the signature */
    curl_slist_free_all(lines);
}

/* All headers of an attempt, and what some of their values live in. */
struct head {
    struct sigv4_header headers[CALL_HEADERS_MAX + 5];
    size_t count;
    char time[SIGV4_TIME_SIZE], decoded_length[24];
    struct buf authorization;
};

static void add_header(struct head *h, const char *name, const char *value)
{
    h->headers[h->count++] = (struct sigv4_header){ name, value };
}

/* Signs for this moment. */
static int sign(struct exchange *x, struct head *h, const char *host, const char *region,
    struct haul_error *err)
{
    const struct haul_endpoint *e = x->request->endpoint;
    const struct keys *keys = x->keys;
    enum haul_payload payload = payload_of(x);
    struct sigv4_key key;
    char date[9];
    int rc = -1;

    sigv4_time(endpoint_signing_ms(e), h->time);
    snprintf(date, sizeof date, "%.8s", h->time);
    const char *hash = payload == HAUL_PAYLOAD_SIGNED    ? x->payload_hash
                       : payload == HAUL_PAYLOAD_CHUNKED ? CHUNKED_PAYLOAD
                                                         : SIGV4_UNSIGNED_PAYLOAD;
    if (payload == HAUL_PAYLOAD_CHUNKED) {
        snprintf(h->decoded_length, sizeof h->decoded_length, "%" PRIu64, x->call.body.size);
        add_header(h, "x-amz-decoded-content-length", h->decoded_length);
    }
    add_header(h, "host", host);
    add_header(h, "x-amz-content-sha256", hash);
    add_header(h, "x-amz-date", h->time);
    if (keys->token != NULL)
        add_header(h, "x-amz-security-token", keys->token);
    struct sigv4_request r = { .method = x->call.method,
        .path = buf_text(&x->call.path),
        .query = buf_text(&x->call.query),
        .headers = h->headers,
        .header_count = h->count,
        .payload_hash = hash,
        .region = region,
        .service = e->service,
        .time = h->time };
    if (endpoint_signing_key(e, keys, date, region, &key) < 0)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    if (sigv4_authorization(&h->authorization, &r, keys->key_id, &key, err) < 0)
        goto out;
    if (payload == HAUL_PAYLOAD_CHUNKED) {
        x->chunks = chunked_new(&x->call.body, &r, &key);
        if (x->chunks == NULL) {
            haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
            goto out;
        }
        x->body = chunked_body(x->chunks);
    }
    rc = 0;
out:
    wipe(&key, sizeof key);
    return rc;
}

static bool has_header(const struct head *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->headers[i].name, name) == 0)
            return true;
    return false;
}

/* Puts all headers into the list, signed unless there are no keys. */
static int add_headers(struct haul_client *c, struct exchange *x, const char *host,
    const char *region, struct haul_error *err)
{
    bool signs = x->keys != NULL;
    bool hashes = signs && payload_of(x) == HAUL_PAYLOAD_SIGNED;
    struct head h;
    int rc = -1;

    h.count = 0;
    h.authorization = buf_make_secret(CALL_TEXT_MAX);
    for (size_t i = 0; i < x->call.header_count; i++)
        h.headers[h.count++] = x->call.headers[i];
    if ((hashes || x->call.sum_count > 0) && sum_body(c, x, hashes, err) < 0)
        goto out;
    if (signs && sign(x, &h, host, region, err) < 0)
        goto out;
    /* libcurl's own habits off: no 100-continue pause; no form; bytes as they are stored. */
    bool ok = add_line(x, "Expect", NULL) == 0 &&
              (x->body.size == 0 || has_header(&h, "content-type") ||
                  add_line(x, "Content-Type", NULL) == 0) &&
              add_line(x, "accept-encoding", "identity") == 0 &&
              (!signs || add_line(x, "authorization", buf_text(&h.authorization)) == 0);
    for (size_t i = 0; ok && i < h.count; i++)
        ok = strcmp(h.headers[i].name, "host") == 0 ||
             add_line(x, h.headers[i].name, h.headers[i].value) == 0;
    rc = ok ? 0 : haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
out:
    buf_free(&h.authorization);
    return rc;
}

/* A small body is read before its head is sent, and both go out as one: libcurl keeps no buffer
 * for it, and the server hears of it once. */
static int take_whole(struct exchange *x, struct haul_error *err)
{
    if (x->body.size == 0 || x->body.size > SMALLEST_BUFFER)
        return 0;
    x->whole = malloc(x->body.size);
    if (x->whole == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    for (uint64_t at = 0; at < x->body.size;) {
        ssize_t got = body_read(&x->body, at, x->whole + at, (size_t) (x->body.size - at));
        if (got <= 0) {
            attempt_fail_locally(got < 0 ? errno : 0, err);
            return -1;
        }
        at += (uint64_t) got;
    }
    return 0;
}

/* Of what is left for all, a fair share: as more requests get under way each has less. */
static long take_buffer(struct haul_client *c, struct exchange *x, uint64_t bytes)
{
    size_t most = c->options.buffer_bytes;
    if (c->options.buffers_bytes > 0) {
        size_t all = c->options.buffers_bytes, used = c->buffers_bytes;
        size_t share = used < all ? (all - used) / SHARES : 0;
        most = share < most ? share : most;
    }
    most = bytes < most ? (size_t) bytes : most;
    most = most < SMALLEST_BUFFER ? SMALLEST_BUFFER : most;
    x->buffer_bytes += most;
    c->buffers_bytes += most;
    return (long) most;
}

/* What libcurl copies. Without it a request would be another one, or go elsewhere. */
static bool set_texts(const struct haul_client *c, CURL *easy, const char *method,
    const char *url, const struct haul_endpoint *e)
{
    const struct {
        CURLoption option;
        const char *text; /* NULL: left as it is */
    } texts[] = {
        { CURLOPT_URL, url }, { CURLOPT_CUSTOMREQUEST, method },
        { CURLOPT_USERAGENT, c->user_agent }, { CURLOPT_CAINFO, e->ca_file },
        { CURLOPT_SSLCERT, e->client_cert }, { CURLOPT_SSLKEY, e->client_key },
        /* OpenSSL would ask on the terminal for what is not set. */
        { CURLOPT_KEYPASSWD, e->client_key_password ? e->client_key_password : "" },
        { CURLOPT_PROXY, e->proxy },
        { CURLOPT_NOPROXY, e->proxy ? "" : NULL }, /* NO_PROXY is of the environment's */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text != NULL &&
            curl_easy_setopt(easy, texts[i].option, texts[i].text) != CURLE_OK)
            return false;
    return true;
}

static int set_options(
    struct haul_client *c, struct exchange *x, const char *url, struct haul_error *err)
{
    CURL *easy = x->easy;
    const struct haul_endpoint *e = x->request->endpoint;
    const char *method = x->call.method;
    long stall_ms = operation_is_slow(x->request->operation)
                        ? SLOW_OPERATION_STALL_MS
                        : (long) c->options.stall_timeout_ms;
    x->words[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *) x);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->words);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    attempt_set_callbacks(x);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, x->header_list);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) c->options.connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (stall_ms + 999) / 1000);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) c->options.request_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long) x->fresh);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, loop_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, c->loop);
    if (e->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* Debian's default would trust more */
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, e->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, e->insecure ? 0L : 2L);
    bool gets = strcmp(method, "GET") == 0;
    bool sends = x->body.size > 0 || strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0;
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    uint64_t comes = x->request->range.len > 0 ? x->request->range.len : UINT64_MAX;
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
        gets                         ? take_buffer(c, x, comes)
        : strcmp(method, "PUT") == 0 ? HEAD_BUFFER
                                     : SMALLEST_BUFFER);
    if (x->whole != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long) x->body.size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, x->whole);
    } else if (sends) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) x->body.size);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, take_buffer(c, x, x->body.size));
    }
    return set_texts(c, easy, method, url, e)
               ? 0
               : haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
}

void attempt_forget(struct haul_client *c, struct exchange *x)
{
    if (x->easy != NULL) {
        curl_multi_remove_handle(c->loop->multi, x->easy);
        /* One that failed before it had a connection keeps its buffer, and would take in more
         * than that holds when BUFFERSIZE says so the next time. */
        if (x->reply.status != 0 && c->idle_count < IDLE_HANDLES_MAX) {
            curl_easy_reset(x->easy);
            c->idle[c->idle_count++] = x->easy;
        } else {
            curl_easy_cleanup(x->easy);
        }
        x->easy = NULL;
    }
    free_lines(x->header_list);
    x->header_list = NULL;
    chunked_free(x->chunks);
    x->chunks = NULL;
    if (x->whole != NULL)
        wipe(x->whole, (size_t) x->body.size); /* a credential service's, perhaps */
    free(x->whole);
    x->whole = NULL;
    c->buffers_bytes -= x->buffer_bytes;
    x->buffer_bytes = 0;
    keys_release(x->keys);
    x->keys = NULL;
    x->bytes_sent += x->sent;
    x->bytes_received += x->received;
    x->sent = x->received = 0;
    x->begun = false;
}

static int build_call(struct exchange *x, struct haul_error *err)
{
    call_free(&x->call);
    x->call = (struct call){ .guess_type = true };
    x->is_rest = x->standing.bytes > 0;
    return call_build(standing_request(&x->standing, x->request), &x->call, err);
}

/* It asks for the rest of the object, or for all of it once more. A rest that can't be asked
 * for, as headers of the caller's are in the way, makes it all. */
static int renew_call(struct exchange *x, struct haul_error *err)
{
    struct standing *s = &x->standing;
    if (s->bytes > 0 && build_call(x, err) < 0)
        standing_refuse(s);
    return s->bytes > 0 || !x->is_rest ? 0 : build_call(x, err);
}

int attempt_build(struct haul_client *c, struct exchange *x, struct haul_error *err)
{
    const struct haul_request *r = x->request;
    struct buf host = buf_make(512), url = buf_make_secret(16384);
    char region[REGION_SIZE];
    int rc = -1;

    x->attempts++;
    x->head_checked = false;
    x->expected = -1;
    x->result.error.code = HAUL_OK;
    reply_free(&x->reply);
    if (renew_call(x, err) < 0)
        goto out;
    x->body = x->call.body;
    x->reply.sent_sum = x->call.sent_sum;
    endpoint_region(r->endpoint, x->call.bucket, region);
    endpoint_add_host(&host, r->endpoint, x->call.bucket, region, operation_can_accelerate(r));
    if (buf_failed(&host, "the host's name", err) ||
        add_headers(c, x, buf_text(&host), region, err) < 0 || take_whole(x, err) < 0)
        goto out;
    buf_add_all(&url,
        (const char *[]){ r->endpoint->scheme, "://", buf_text(&host), buf_text(&x->call.path),
            x->call.query.len > 0 ? "?" : "", buf_text(&x->call.query), NULL });
    if (buf_failed(&url, "the URL", err))
        goto out;
    x->easy = c->idle_count > 0 ? c->idle[--c->idle_count] : curl_easy_init();
    if (x->easy == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        goto out;
    }
    rc = set_options(c, x, buf_text(&url), err);
out:
    if (rc < 0)
        attempt_forget(c, x);
    buf_free(&host);
    buf_free(&url);
    return rc;
}
