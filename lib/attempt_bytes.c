/* The functions that libcurl calls: they move an attempt's bytes, and nothing else. */
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "attempt.h"
#include "body.h"
#include "operation.h"

#define ERROR_BODY_MAX 65536

size_t attempt_fail_locally(int cause, struct haul_error *err)
{
    haul_error_set(err, cause == ENOMEM ? HAUL_NO_MEMORY : HAUL_LOCAL, "%s",
        cause ? strerror(cause) : "the source ended before its size");
    err->sys_errno = cause;
    return 0;
}

static size_t on_read(char *data, size_t unit, size_t count, void *payload)
{
    struct exchange *x = payload;
    size_t room = unit * count;
    if (room > x->body.size - x->sent)
        room = (size_t) (x->body.size - x->sent);
    if (room == 0)
        return 0;
    ssize_t got = body_read(&x->body, x->sent, data, room);
    if (got <= 0) {
        attempt_fail_locally(got < 0 ? errno : 0, &x->result.error);
        return CURL_READFUNC_ABORT;
    }
    x->sent += (uint64_t) got;
    return (size_t) got;
}

/* Programs that the caller starts do not inherit it. That there are no descriptors left is no
 * fault of the network. */
static curl_socket_t on_open(void *payload, curlsocktype purpose, struct curl_sockaddr *at)
{
    struct exchange *x = payload;
    (void) purpose;
    int fd = socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        attempt_fail_locally(errno, &x->result.error);
    return fd;
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
    if (x->whole != NULL) {
        x->bytes_sent += x->sent;
        x->sent = x->body.size;
    }
    return CURL_PREREQFUNC_OK;
}

void attempt_read_head(struct exchange *x)
{
    struct reply *r = &x->reply;
    long status = 0;
    curl_off_t length = -1;
    if (r->status != 0)
        return;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    r->status = (int) status;
    r->content_length = length;
    if (status == 0)
        return;
    for (struct curl_header *h = NULL;
         (h = curl_easy_nextheader(x->easy, CURLH_HEADER, -1, h)) != NULL;)
        reply_add_header(r, h->name, h->value);
    if (reply_end_head(r, &x->result.error) == 0)
        reply_begin_sum(r, x->request, &x->result.error);
}

/* An object's bytes, or what a request of any kind has a sink for. */
static size_t on_bytes(struct exchange *x, char *data, size_t len)
{
    const struct haul_request *r = x->request;
    const struct haul_sink *sink = &r->sink;
    if (!x->head_checked) {
        const struct haul_request *asked = standing_request(&x->standing, r);
        if (r->operation == HAUL_GET_OBJECT &&
            (reply_check_head(asked, &x->reply, &x->expected, &x->result.error) < 0 ||
                standing_check(&x->standing, &x->reply, &x->result.error) < 0))
            return 0;
        x->head_checked = true;
        if (r->operation == HAUL_GET_OBJECT && r->begin && x->standing.bytes == 0 &&
            r->begin(sink->payload, reply_etag(&x->reply), x->expected) < 0)
            return attempt_fail_locally(errno, &x->result.error);
    }
    if (x->expected >= 0 && len > (uint64_t) x->expected - x->received) {
        haul_error_set(&x->result.error, HAUL_BAD_REPLY,
            "GetObject of %s: more bytes than promised", r->key);
        x->result.error.retry = HAUL_RETRY_LATER;
        return 0;
    }
    struct haul_sum *sum = x->standing.bytes > 0 ? x->standing.first.sum : x->reply.sum;
    if (sum != NULL)
        haul_sum_add(sum, data, len);
    if (sink->write &&
        sink->write(sink->payload, x->standing.bytes + x->received, data, len) < 0)
        return attempt_fail_locally(errno, &x->result.error);
    x->received += len;
    return len;
}

static size_t on_document(struct exchange *x, const char *data, size_t len)
{
    struct buf *body = &x->reply.body;
    buf_add(body, data, len);
    if (!body->failed)
        return len;
    haul_error_set(&x->result.error,
        body->failed == HAUL_NO_MEMORY      ? HAUL_NO_MEMORY
        : x->request->operation == HAUL_ANY ? HAUL_TOO_LARGE
                                            : HAUL_BAD_REPLY,
        "%s: no room for a reply of over %zu bytes", operation_name(x->request->operation),
        body->limit);
    return 0;
}

static size_t on_body(char *data, size_t unit, size_t count, void *payload)
{
    struct exchange *x = payload;
    const struct haul_request *r = x->request;
    size_t len = unit * count, room = ERROR_BODY_MAX - x->reply.body.len;
    attempt_read_head(x);
    if (x->result.error.code != HAUL_OK)
        return 0;
    bool success = x->reply.status >= 200 && x->reply.status < 300;
    if (success && (r->operation == HAUL_GET_OBJECT ||
                       (r->operation == HAUL_ANY && r->sink.write != NULL)))
        return on_bytes(x, data, len);
    if (success)
        return on_document(x, data, len);
    /* A page of somebody's: its beginning is enough, and ends the attempt. */
    return on_document(x, data, len < room ? len : room);
}

void attempt_set_callbacks(struct exchange *x)
{
    CURL *easy = x->easy;
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, x);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_begin);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, x);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, x);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
}
