/* What goes over the wire for one attempt, and the callbacks that move its bytes. */
#include "attempt.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "credentials.h"
#include "endpoint.h"

#define SLOW_OPERATION_STALL_MS 600000
#define ERROR_BODY_MAX 65536

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
    x->bytes_sent += x->sent;
    x->sent = (uint64_t) offset;
    return CURL_SEEKFUNC_OK;
}

/* The request goes out: the second time when the pooled connection died before a reply came,
 * which does not tell whether the server has carried it out. */
static int on_begin(void *payload, char *address, char *own_address, int port, int own_port)
{
    struct exchange *x = payload;
    (void) address, (void) own_address, (void) port, (void) own_port;
    x->maybe_repeated |= x->begun;
    x->begun = true;
    return CURL_PREREQFUNC_OK;
}

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
        attempt_read_head(x);
    bool success = x->reply.status >= 200 && x->reply.status < 300;
    if (success && x->request->operation == HAUL_GET_OBJECT)
        return on_object_bytes(x, data, len);
    size_t take = len, room = ERROR_BODY_MAX - x->reply.body.len;
    if (!success && take > room)
        take = room; /* a page of somebody's: its beginning is enough, and ends the attempt */
    buf_add(&x->reply.body, data, take);
    return x->reply.body.failed ? 0 : take;
}

/* ---- Sending ---- */

static void copy_header(CURL *easy, const char *name, char *out, size_t size)
{
    struct curl_header *h = NULL;
    out[0] = '\0';
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK)
        snprintf(out, size, "%s", h->value);
}

void attempt_read_head(struct exchange *x)
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
    unsigned char sum[SHA256_BYTES];
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
            haul_sum_end(c->hash, sum); /* ready for the next body */
            return -1;
        }
        haul_sum_add(c->hash, c->scratch, (size_t) got);
        at += (uint64_t) got;
    }
    if (haul_sum_end(c->hash, sum) == 0)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    hex_encode(sum, sizeof sum, x->payload_hash);
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
        time_t now = (time_t) (endpoint_signing_ms(e) / 1000);
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
        signed_headers[n++] = (struct sigv4_header){ "host", host };
        signed_headers[n++] = (struct sigv4_header){ "x-amz-content-sha256", hash };
        signed_headers[n++] = (struct sigv4_header){ "x-amz-date", time };
        if (keys->token != NULL)
            signed_headers[n++] = (struct sigv4_header){ "x-amz-security-token", keys->token };
        struct sigv4_request r = { .method = x->call.method,
            .path = buf_text(&x->call.path),
            .query = buf_text(&x->call.query),
            .headers = signed_headers,
            .header_count = n,
            .payload_hash = hash,
            .region = region,
            .time = time };
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
    long stall_ms = operation_is_slow(x->request->operation)
                        ? SLOW_OPERATION_STALL_MS
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
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) c->options.request_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_begin);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, x);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    if (e->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, e->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* Debian's default would trust more */
    }
    if (e->proxy != NULL)
        curl_easy_setopt(easy, CURLOPT_PROXY, e->proxy);
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

void attempt_forget(struct haul_client *c, struct exchange *x)
{
    if (x->easy != NULL) {
        curl_multi_remove_handle(c->loop->multi, x->easy);
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
    x->bytes_sent += x->sent;
    x->bytes_received += x->received;
    x->sent = x->received = 0;
    x->begun = false;
}

int attempt_build(struct haul_client *c, struct exchange *x, struct haul_error *err)
{
    const struct haul_request *r = x->request;
    struct buf host = buf_make(512), url = buf_make(16384);
    char region[REGION_SIZE];
    int rc = -1;

    x->attempts++;
    x->head_checked = false;
    x->expected = -1;
    x->error.code = HAUL_OK;
    x->reply = (struct reply){ .content_length = -1, .body = buf_make(DOCUMENT_MAX) };
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
    rc = 0;
out:
    if (rc < 0)
        attempt_forget(c, x);
    buf_free(&host);
    buf_free(&url);
    return rc;
}
