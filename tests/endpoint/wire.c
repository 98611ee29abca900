/* Sockets, TLS and the framing of HTTP/1.1 requests with Content-Length bodies. Chunked bodies
 * are left out: no client that is tested here sends one. */
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUF_BYTES = 256 * 1024,
    HEAD_MAX = 64 * 1024,
    LINGER_MS = 500,
    SLICES_PER_S = 20, /* a throttled body moves in steps of 50 ms */
};

static ssize_t receive(struct wire *w, void *into, size_t max)
{
    if (w->ssl != NULL) {
        int n = SSL_read(w->ssl, into, (int) max);
        return n > 0 ? n : -1;
    }
    ssize_t n;
    do
        n = recv(w->fd, into, max, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

int wire_open(struct wire *w, int fd, int stop_fd, void *ctx)
{
    *w = (struct wire){ .fd = fd, .stop_fd = stop_fd, .buf = malloc(BUF_BYTES) };
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (w->buf == NULL)
        abort();
    if (ctx == NULL)
        return 0;
    w->ssl = SSL_new(ctx);
    if (w->ssl != NULL && SSL_set_fd(w->ssl, fd) == 1 && SSL_accept(w->ssl) == 1)
        return 0;
    wire_close(w);
    return -1;
}

void wire_close(struct wire *w)
{
    if (w->fd >= 0) {
        if (w->ssl != NULL)
            SSL_shutdown(w->ssl);
        /* close() with bytes unread sends RST, which may overtake our reply. */
        shutdown(w->fd, SHUT_WR);
        struct pollfd peer = { .fd = w->fd, .events = POLLIN };
        while (poll(&peer, 1, LINGER_MS) == 1 && recv(w->fd, w->buf, BUF_BYTES, 0) > 0)
            continue;
        close(w->fd);
    }
    SSL_free(w->ssl);
    free(w->buf);
    *w = (struct wire){ .fd = -1 };
}

void wire_reset(struct wire *w)
{
    setsockopt(
        w->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
    close(w->fd);
    w->fd = -1;
}

void wire_nap(const struct wire *w, int64_t ms)
{
    struct pollfd stop = { .fd = w->stop_fd, .events = POLLIN };
    poll(&stop, 1, (int) ms);
}

/* Cuts the line that starts at *at off the head; NULL: there is none. */
static char *cut_line(char **at)
{
    char *line = *at;
    char *end = strstr(line, "\r\n");
    if (end == NULL)
        return NULL;
    *end = '\0';
    *at = end + 2;
    return line;
}

static int parse_request_line(struct request *r, char *line)
{
    char *target = strchr(line, ' ');
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
    if (version == NULL || target[1] != '/' || strncmp(version, " HTTP/1.", 8) != 0)
        return -1;
    *target++ = *version++ = '\0';
    r->method = line;
    r->path = target;
    r->keep_alive = strcmp(version, "HTTP/1.1") == 0;
    char *query = strchr(target, '?');
    r->query = query != NULL ? query + 1 : "";
    if (query != NULL)
        *query = '\0';
    return 0;
}

static int parse_header(struct request *r, char *line)
{
    char *value = strchr(line, ':');
    if (value == NULL || r->header_count == HEADERS_MAX)
        return -1;
    *value++ = '\0';
    value += strspn(value, " \t");
    for (size_t len = strlen(value); len > 0 && strchr(" \t", value[len - 1]) != NULL; len--)
        value[len - 1] = '\0';
    r->headers[r->header_count++] = (struct header){ line, value };
    return 0;
}

static int parse_query(struct request *r)
{
    for (const char *at = r->query; *at != '\0';) {
        size_t len = strcspn(at, "&");
        size_t name = strcspn(at, "=&");
        if (r->param_count == PARAMS_MAX)
            return -1;
        struct param *p = &r->params[r->param_count++];
        text_add_unpercent(&p->name, at, name, true);
        if (name < len)
            text_add_unpercent(&p->value, at + name + 1, len - name - 1, true);
        at += len + (at[len] == '&');
    }
    return 0;
}

static int parse_head(struct request *r)
{
    char *at = r->head.at;
    char *line = cut_line(&at);
    if (line == NULL || parse_request_line(r, line) < 0)
        return -1;
    while ((line = cut_line(&at)) != NULL && *line != '\0')
        if (parse_header(r, line) < 0)
            return -1;
    const char *length = request_header(r, "Content-Length");
    const char *connection = request_header(r, "Connection");
    const char *expect = request_header(r, "Expect");
    char *end = NULL;
    r->has_length = length != NULL;
    if (length != NULL)
        r->length = strtoull(length, &end, 10);
    if ((end != NULL && (end == length || *end != '\0')) ||
        request_header(r, "Transfer-Encoding"))
        return -1;
    if (connection != NULL && strcasecmp(connection, "close") == 0)
        r->keep_alive = false;
    r->awaits_continue =
        expect != NULL && strcasecmp(expect, "100-continue") == 0 && r->length > 0;
    return parse_query(r);
}

int wire_next(struct wire *w, struct request *r)
{
    *r = (struct request){ .wire = w, .reset_after = -1 };
    memmove(w->buf, w->buf + w->start, w->end - w->start);
    w->end -= w->start;
    w->start = 0;
    char *end;
    while ((end = memmem(w->buf, w->end, "\r\n\r\n", 4)) == NULL) {
        if (w->end >= HEAD_MAX)
            return -1;
        ssize_t n = receive(w, w->buf + w->end, HEAD_MAX - w->end);
        if (n <= 0)
            return 0;
        w->end += (size_t) n;
    }
    w->start = (size_t) (end + 4 - w->buf);
    text_add(&r->head, w->buf, w->start);
    return parse_head(r) < 0 ? -1 : 1;
}

void request_free(struct request *r)
{
    text_free(&r->head);
    text_free(&r->kept);
    for (unsigned i = 0; i < r->param_count; i++) {
        text_free(&r->params[i].name);
        text_free(&r->params[i].value);
    }
    r->param_count = 0;
}

const char *request_header(const struct request *r, const char *name)
{
    for (unsigned i = 0; i < r->header_count; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

const struct text *request_param(const struct request *r, const char *name)
{
    for (unsigned i = 0; i < r->param_count; i++)
        if (strcmp(text_c(&r->params[i].name), name) == 0)
            return &r->params[i].value;
    return NULL;
}

static ssize_t broken(struct request *r)
{
    r->broken = true;
    return -1;
}

ssize_t request_body(struct request *r, const char **data)
{
    struct wire *w = r->wire;
    uint64_t left = r->length - r->received;
    if (r->broken)
        return -1;
    if (r->rewound) {
        size_t again = r->kept_left;
        r->kept_left = 0;
        *data = text_c(&r->kept);
        return (ssize_t) again;
    }
    if (r->reset_after >= 0 && r->length > 0) {
        uint64_t limit =
            (uint64_t) r->reset_after < r->length ? (uint64_t) r->reset_after : r->length;
        left = limit - r->received;
        if (left == 0) {
            wire_reset(w);
            return broken(r);
        }
    }
    if (left == 0)
        return 0;
    if (r->awaits_continue) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        r->awaits_continue = false;
        if (wire_send(w, go_on, sizeof go_on - 1, false) < 0)
            return broken(r);
    }
    if (w->start == w->end) {
        ssize_t n = receive(w, w->buf, BUF_BYTES);
        if (n <= 0)
            return broken(r);
        w->start = 0;
        w->end = (size_t) n;
    }
    size_t n = w->end - w->start < left ? w->end - w->start : (size_t) left;
    if (r->rate > 0) {
        size_t slice = (size_t) r->rate / SLICES_PER_S + 1;
        n = n < slice ? n : slice;
        wire_nap(w, (int64_t) n * 1000 / r->rate);
    }
    *data = w->buf + w->start;
    w->start += n;
    r->received += n;
    if (r->tally != NULL)
        atomic_fetch_add(r->tally, n);
    if (r->keeps)
        text_add(&r->kept, *data, n);
    return (ssize_t) n;
}

void request_rewind(struct request *r)
{
    r->rewound = true;
    r->kept_left = r->kept.len;
}

int wire_send(struct wire *w, const void *data, size_t len, bool more)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = w->ssl != NULL ? SSL_write(w->ssl, at, (int) len)
                                   : send(w->fd, at, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (n <= 0 && !(w->ssl == NULL && errno == EINTR))
            return -1;
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t) n : 0;
    }
    return 0;
}

static int send_file_by_hand(struct wire *w, int fd, uint64_t start, size_t len)
{
    char buf[16 * 1024]; /* the size of a TLS record */
    while (len > 0) {
        ssize_t n = pread(fd, buf, len < sizeof buf ? len : sizeof buf, (off_t) start);
        if (n <= 0 || wire_send(w, buf, (size_t) n, false) < 0)
            return -1;
        start += (uint64_t) n;
        len -= (size_t) n;
    }
    return 0;
}

int wire_send_file(struct wire *w, int fd, uint64_t start, size_t len)
{
    if (w->ssl != NULL)
        return send_file_by_hand(w, fd, start, len);
    off_t at = (off_t) start;
    while (len > 0) {
        ssize_t n = sendfile(w->fd, fd, &at, len);
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        len -= n > 0 ? (size_t) n : 0;
    }
    return 0;
}
