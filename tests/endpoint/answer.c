/* Error documents, heads and bodies of replies, and all faults that spoil them. */
#include "answer.h"

#include "errors.h"
#include "operations.h"
#include "xml.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { SEND_BYTES = 1024 * 1024, SLICES_PER_S = 20 };

void answer_free(struct reply *p)
{
    if (p->fd >= 0)
        close(p->fd);
    text_free(&p->extra);
    text_free(&p->headers);
    text_free(&p->body);
    *p = (struct reply){ .fd = -1 };
}

static void add_error_document(struct exchange *x)
{
    struct reply *p = &x->reply;
    text_addf(&p->body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s"
        "</Message>",
        p->code, error_message(p->code));
    xml_element(&p->body, "BucketName", &x->bucket);
    xml_element(&p->body, "Key", &x->key);
    text_append(&p->body, &p->extra);
    text_addf(&p->body,
        "<RequestId>%016" PRIX64 "</RequestId><HostId>host/%" PRIu64 "=</HostId></Error>",
        x->stamp.seq, x->stamp.seq);
}

void answer_prepare(struct exchange *x)
{
    const struct play *p = &x->play;
    struct reply *reply = &x->reply;
    if (reply->status == 0)
        reply->status = 200;
    if (reply->code != NULL && reply->body.len == 0 && reply->status != 304)
        add_error_document(x);
    if (p->no_etag)
        reply->etag[0] = '\0';
    else if (*p->etag != '\0' && reply->etag[0] != '\0')
        memcpy(reply->etag, p->etag, sizeof reply->etag);
    if (*p->content_range != '\0' && reply->content_range[0] != '\0')
        memcpy(reply->content_range, p->content_range, sizeof reply->content_range);
    if (*p->header != '\0')
        text_addf(&reply->headers, "%s\r\n", p->header);
    if (p->retry_after != FAULT_UNSET)
        text_addf(&reply->headers, "Retry-After: %" PRId64 "\r\n", p->retry_after);
    if (reply->fd < 0)
        reply->len = reply->body.len;
}

static bool has_body(const struct exchange *x)
{
    return x->reply.status != 204 && x->reply.status != 304;
}

static void write_head(const struct exchange *x, uint64_t promised, struct text *out)
{
    const struct reply *p = &x->reply;
    const char *type = p->content_type != NULL ? p->content_type
                       : p->body.len > 0       ? "application/xml"
                                               : NULL;
    char date[DATE_MAX];
    text_addf(out,
        "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: s3-endpoint\r\nx-amz-request-id: %016" PRIX64
        "\r\nx-amz-id-2: host/%" PRIu64 "=\r\n",
        p->status, p->code != NULL ? p->code : "OK", date_http(x->now_ms, date), x->stamp.seq,
        x->stamp.seq);
    if (has_body(x))
        text_addf(out, "Content-Length: %" PRIu64 "\r\n", promised);
    if (type != NULL)
        text_addf(out, "Content-Type: %s\r\n", type);
    if (p->etag[0] != '\0')
        text_addf(out, "ETag: %s\r\n", p->etag);
    if (p->content_range[0] != '\0')
        text_addf(out, "Content-Range: %s\r\n", p->content_range);
    if (!x->request->keep_alive)
        text_puts(out, "Connection: close\r\n");
    text_append(out, &p->headers);
    text_puts(out, "\r\n");
}

/* One byte of the body with its lowest bit the other way round. */
static int send_flipped(struct wire *w, const struct reply *p, uint64_t at)
{
    char byte;
    if (p->fd < 0)
        byte = p->body.at[at];
    else if (pread(p->fd, &byte, 1, (off_t) (p->start + at)) != 1)
        return -1;
    byte ^= 1;
    return wire_send(w, &byte, 1, false);
}

/* Sends the first `len` bytes of the body and what a fault puts behind it. -1: broken. */
static int send_body(struct exchange *x, uint64_t len)
{
    struct wire *w = x->request->wire;
    const struct reply *p = &x->reply;
    _Atomic uint64_t *tally = strcmp(x->operation->name, "GetObject") == 0
                                  ? &ledger_tallies(x->server->ledger)->bytes_out
                                  : NULL;
    bool slow = x->play.trickle > 0;
    uint64_t flip = x->play.flip_bit >= 0 ? (uint64_t) x->play.flip_bit : UINT64_MAX;
    uint64_t step = slow ? (uint64_t) x->play.trickle / SLICES_PER_S + 1 : SEND_BYTES;
    for (uint64_t at = 0, n; at < len; at += n) {
        int rc;
        n = len - at < step ? len - at : step;
        if (at < p->len && n > p->len - at)
            n = p->len - at;
        if (at < flip && n > flip - at)
            n = flip - at;
        if (at == flip)
            n = 1;
        /* Before the bytes go, so that a client that has them finds them counted. */
        if (tally != NULL)
            atomic_fetch_add(tally, n);
        if (at >= p->len)
            rc = wire_send(w, "x", n = 1, false);
        else if (at == flip)
            rc = send_flipped(w, p, at);
        else if (p->fd >= 0)
            rc = wire_send_file(w, p->fd, p->start + at, (size_t) n);
        else
            rc = wire_send(w, p->body.at + at, (size_t) n, false);
        if (rc < 0)
            return -1;
        if (slow)
            wire_nap(w, (int64_t) n * 1000 / x->play.trickle);
    }
    return 0;
}

static uint64_t smaller(int64_t limit, uint64_t len)
{
    return limit >= 0 && (uint64_t) limit < len ? (uint64_t) limit : len;
}

bool answer_send(struct exchange *x)
{
    struct request *r = x->request;
    const struct play *p = &x->play;
    struct text head = { 0 };
    uint64_t extra =
        p->extra_bytes != FAULT_UNSET && x->reply.len > 0 ? (uint64_t) p->extra_bytes : 0;
    uint64_t promised = x->reply.len + extra;
    bool resets = p->reset_mid_body != FAULT_UNSET && r->length == 0;
    bool silent = strcmp(r->method, "HEAD") == 0 || !has_body(x);
    uint64_t len = silent ? 0 : promised;
    len = smaller(p->truncate, len);
    if (resets)
        len = smaller(p->reset_mid_body, len);
    bool cut = resets || (!silent && len < promised);
    write_head(x, promised, &head);
    int rc = wire_send(r->wire, head.at, head.len, len > 0 && !cut);
    if (rc == 0)
        rc = send_body(x, len);
    text_free(&head);
    if (resets)
        wire_reset(r->wire);
    return rc == 0 && !cut && r->keep_alive;
}
