/* Plain uploads are dropped inside the kernel, plain downloads never leave it. */
#include "link.h"

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
#include <time.h>
#include <unistd.h>

enum {
    BUF_BYTES = 64 * 1024,
    STEP_BYTES = 1024 * 1024,       /* of a body, at a time */
    CAPPED_STEP_BYTES = 256 * 1024, /* the same under a cap */
};
#define NAP_MIN_S 0.001

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

void link_nap(double seconds)
{
    struct timespec t = { .tv_sec = (time_t) seconds };
    t.tv_nsec = (long) ((seconds - (double) t.tv_sec) * 1e9);
    while (seconds > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
        continue;
}

/* Of a body that began then: sleeps until so many bytes are due. */
static void keep_rate(const struct link *l, uint64_t moved, double began_s)
{
    if (l->bytes_per_s == 0)
        return;
    double early_s = (double) moved / (double) l->bytes_per_s - (now_s() - began_s);
    if (early_s >= NAP_MIN_S)
        link_nap(early_s);
}

int link_open(struct link *l, int fd, struct ssl_ctx_st *tls, uint64_t bytes_per_s)
{
    *l = (struct link){ .fd = fd, .buf = malloc(BUF_BYTES), .bytes_per_s = bytes_per_s };
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (l->buf == NULL)
        goto fail;
    if (tls == NULL)
        return 0;
    l->ssl = SSL_new(tls);
    if (l->ssl != NULL && SSL_set_fd(l->ssl, fd) == 1 && SSL_accept(l->ssl) == 1)
        return 0;
fail:
    link_close(l);
    return -1;
}

void link_close(struct link *l)
{
    SSL_free(l->ssl);
    free(l->buf);
    close(l->fd);
}

/* Like recv(); without a cap on TLS's side. flags are the plain socket's. */
static ssize_t receive(struct link *l, char *into, size_t max, int flags)
{
    if (l->ssl != NULL)
        return SSL_read(l->ssl, into, (int) max);
    ssize_t n;
    do
        n = recv(l->fd, into, max, flags);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Receives until a whole head stands at the buffer's beginning. Returns its end, NULL: none. */
static char *receive_head(struct link *l)
{
    memmove(l->buf, l->buf + l->start, l->end - l->start);
    l->end -= l->start;
    l->start = 0;
    for (;;) {
        char *end = memmem(l->buf, l->end, "\r\n\r\n", 4);
        if (end != NULL)
            return end;
        ssize_t n = receive(l, l->buf + l->end, BUF_BYTES - l->end, 0);
        if (n <= 0)
            return NULL;
        l->end += (size_t) n;
    }
}

bool link_next(struct link *l, struct request *r)
{
    char *end = receive_head(l);
    if (end == NULL)
        return false;
    *end = '\0';
    l->start = (size_t) (end - l->buf) + 4;
    char *target = strchr(l->buf, ' ');
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
    char *headers = version != NULL ? strstr(version, "\r\n") : NULL;
    if (headers == NULL)
        return false;
    *target++ = *version = '\0';
    char *query = strchr(target, '?');
    if (query != NULL)
        *query++ = '\0';
    *r = (struct request){ .method = l->buf, .path = target, .headers = headers };
    r->query = query != NULL ? query : "";
    const char *length = link_header(r, "Content-Length");
    r->length = length != NULL ? strtoull(length, NULL, 10) : 0;
    return true;
}

const char *link_header(const struct request *r, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = r->headers; at != NULL; at = strstr(at + 2, "\r\n"))
        if (strncasecmp(at + 2, name, len) == 0 && at[2 + len] == ':')
            return at + 3 + len + strspn(at + 3 + len, " ");
    return NULL;
}

bool link_discard(struct link *l, const struct request *r)
{
    uint64_t here = l->end - l->start, moved = here < r->length ? here : r->length;
    double began_s = now_s();
    l->start += moved;
    if (moved < r->length && link_header(r, "Expect") != NULL &&
        !link_send(l, "HTTP/1.1 100 Continue\r\n\r\n", 25, false))
        return false;
    /* All that came is used, so the request's own head is all that the buffer must keep. */
    char *junk = l->buf + l->end;
    size_t room = l->ssl != NULL ? BUF_BYTES - l->end : STEP_BYTES;
    while (moved < r->length) {
        uint64_t left = r->length - moved;
        ssize_t n = receive(l, junk, left < room ? left : room, MSG_TRUNC);
        if (n <= 0)
            return false;
        moved += (uint64_t) n;
        keep_rate(l, moved, began_s);
    }
    return true;
}

void link_hold(struct link *l)
{
    struct pollfd peer = { .fd = l->fd, .events = POLLRDHUP };
    while (poll(&peer, 1, -1) < 0 && errno == EINTR)
        continue;
}

bool link_send(struct link *l, const char *data, size_t len, bool more)
{
    if (l->ssl != NULL)
        return SSL_write(l->ssl, data, (int) len) == (int) len;
    while (len > 0) {
        ssize_t n = send(l->fd, data, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (n < 0 && errno != EINTR)
            return false;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t) n : 0;
    }
    return true;
}

uint64_t link_send_file(struct link *l, const struct backing *b, uint64_t start, uint64_t len)
{
    double began_s = now_s();
    size_t step = l->bytes_per_s != 0 ? CAPPED_STEP_BYTES : STEP_BYTES;
    off_t at = (off_t) start;
    uint64_t moved = 0;
    while (moved < len) {
        size_t want = len - moved < step ? (size_t) (len - moved) : step;
        ssize_t n = (ssize_t) want;
        if (l->ssl == NULL)
            n = sendfile(l->fd, b->fd, &at, want);
        else if (!link_send(l, b->map + start + moved, want, false))
            n = 0;
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        moved += n > 0 ? (uint64_t) n : 0;
        keep_rate(l, moved, began_s);
    }
    return moved;
}
