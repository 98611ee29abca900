/* The operations on buckets and whole objects. */
#include "operations.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Fails the exchange if there is a reason to. Returns whether there was none. */
static bool passes(struct exchange *x, const char *why)
{
    if (why != NULL)
        exchange_fail(x, why);
    return why == NULL;
}

void op_list_buckets(struct exchange *x)
{
    struct text *out = &x->reply.body;
    char date[DATE_MAX];
    xml_begin(out, "ListAllMyBucketsResult");
    text_puts(out, "<Owner><ID>owner</ID></Owner><Buckets>");
    const struct skiplist *buckets = store_lock_buckets(x->server->store);
    for (const struct skipnode *n = buckets->first[0]; n != NULL; n = n->next[0])
        text_addf(out, "<Bucket><Name>%s</Name><CreationDate>%s</CreationDate></Bucket>",
            text_c(&n->key), date_iso(((const struct bucket *) n->item)->created_ms, date));
    store_unlock(x->server->store);
    text_puts(out, "</Buckets></ListAllMyBucketsResult>");
}

void op_create_bucket(struct exchange *x)
{
    struct text location = { 0 };
    if (exchange_body_text(x, &location) == 0 &&
        passes(x, store_create_bucket(x->server->store, &x->bucket)))
        text_addf(&x->reply.headers, "Location: /%s\r\n", text_c(&x->bucket));
    text_free(&location);
}

void op_head_bucket(struct exchange *x)
{
    if (passes(x, store_check_bucket(x->server->store, &x->bucket)))
        text_addf(&x->reply.headers, "x-amz-bucket-region: %s\r\n", x->server->keys.region);
}

void op_get_bucket_location(struct exchange *x)
{
    const char *region = x->server->keys.region;
    if (!passes(x, store_check_bucket(x->server->store, &x->bucket)))
        return;
    xml_begin(&x->reply.body, "LocationConstraint");
    text_addf(&x->reply.body, "%s</LocationConstraint>",
        strcmp(region, "us-east-1") == 0 ? "" : region);
}

void op_delete_bucket(struct exchange *x)
{
    if (!passes(x, store_delete_bucket(x->server->store, &x->bucket)))
        return;
    uploads_drop_bucket(x->server->uploads, &x->bucket);
    x->reply.status = 204;
}

void set_etag(struct exchange *x, const char *etag)
{
    snprintf(x->reply.etag, sizeof x->reply.etag, "\"%s\"", etag);
}

void kept_headers(const struct request *r, struct text *out)
{
    static const char *const kept[] = { "Cache-Control", "Content-Disposition",
        "Content-Encoding", "Content-Language", "Content-Type", "Expires" };
    for (unsigned i = 0; i < r->header_count; i++) {
        const struct header *h = &r->headers[i];
        bool keep = strncasecmp(h->name, "x-amz-meta-", 11) == 0;
        for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++)
            keep |= strcasecmp(h->name, kept[k]) == 0;
        if (keep)
            text_addf(out, "%s: %s\r\n", h->name, h->value);
    }
    if (request_header(r, "Content-Type") == NULL)
        text_puts(out, "Content-Type: binary/octet-stream\r\n");
}

/* Content-MD5 is the sum in base64. */
static bool md5_agrees(const struct request *r, const unsigned char md5[static MD5_BYTES])
{
    const char *claimed = request_header(r, "Content-MD5");
    unsigned char base64[2 * MD5_BYTES];
    EVP_EncodeBlock(base64, md5, MD5_BYTES);
    return claimed == NULL || strcmp(claimed, (const char *) base64) == 0;
}

int receive_draft(struct exchange *x, struct draft *d, unsigned char md5[static MD5_BYTES])
{
    const char *data, *why = NULL;
    ssize_t n = -1;
    *d = (struct draft) DRAFT_NONE;
    if (!x->request->has_length)
        why = "MissingContentLength";
    else if (draft_open(&x->server->drafts, d) < 0)
        why = "InternalError";
    while (why == NULL && (n = exchange_body(x, &data)) > 0)
        if (draft_write(d, data, (size_t) n) < 0)
            why = "InternalError";
    if (n == 0) {
        draft_md5(d, md5);
        if (!md5_agrees(x->request, md5))
            why = "BadDigest";
    }
    if (n == 0 && why == NULL)
        return 0;
    draft_drop(d);
    if (why != NULL)
        exchange_fail(x, why);
    return -1;
}

static void publish(struct exchange *x, struct draft *d,
    const unsigned char md5[static MD5_BYTES], struct text *headers)
{
    const char *only_new = request_header(x->request, "If-None-Match");
    struct text hex = { 0 };
    struct object o = { .headers = *headers };
    *headers = (struct text){ 0 };
    text_add_hex(&hex, md5, MD5_BYTES);
    memcpy(o.etag, hex.at, hex.len + 1);
    if (passes(
            x, store_publish(x->server->store, &x->bucket, &x->key, d, &o, only_new != NULL)))
        set_etag(x, o.etag);
    draft_drop(d);
    object_free(&o);
    text_free(&hex);
}

void op_put_object(struct exchange *x)
{
    struct draft d;
    struct text headers = { 0 };
    unsigned char md5[MD5_BYTES];
    if (!passes(x, store_check_bucket(x->server->store, &x->bucket)) ||
        receive_draft(x, &d, md5) < 0)
        return;
    kept_headers(x->request, &headers);
    publish(x, &d, md5, &headers);
}

enum range_kind { RANGE_NONE, RANGE_SLICE, RANGE_OUTSIDE };

/* One range of bytes as in "bytes=0-99", "bytes=100-", "bytes=-5". What is not of that form is
 * ignored, as HTTP wants it. */
static enum range_kind parse_range(
    const char *header, uint64_t size, uint64_t *start, uint64_t *len)
{
    char *end = NULL;
    if (header == NULL || strncmp(header, "bytes=", 6) != 0)
        return RANGE_NONE;
    const char *at = header + 6;
    if (*at == '-') {
        uint64_t tail = strtoull(at + 1, &end, 10);
        if (end == at + 1 || *end != '\0')
            return RANGE_NONE;
        *len = tail < size ? tail : size;
        *start = size - *len;
        return *len > 0 ? RANGE_SLICE : RANGE_OUTSIDE;
    }
    uint64_t first = strtoull(at, &end, 10);
    if (end == at || *end != '-')
        return RANGE_NONE;
    at = end + 1;
    uint64_t last = *at == '\0' ? UINT64_MAX : strtoull(at, &end, 10);
    if ((*at != '\0' && (end == at || *end != '\0')) || last < first)
        return RANGE_NONE;
    if (first >= size)
        return RANGE_OUTSIDE;
    *start = first;
    *len = (last < size ? last : size - 1) - first + 1;
    return RANGE_SLICE;
}

/* Whether a header like `"a", W/"b"` or `*` names the ETag. */
static bool names_etag(const char *header, const char *etag)
{
    size_t len = strlen(etag);
    if (strcmp(header, "*") == 0)
        return true;
    for (const char *at = header; *at != '\0';) {
        at += strspn(at, " ,\"");
        size_t word = strcspn(at, " ,\"");
        if (word == len && strncmp(at, etag, len) == 0)
            return true;
        at += word;
    }
    return false;
}

static const char *check_conditions(
    const char *if_match, const char *if_none_match, const char *etag)
{
    if (if_match != NULL && !names_etag(if_match, etag))
        return "PreconditionFailed";
    return if_none_match != NULL && names_etag(if_none_match, etag) ? "NotModified" : NULL;
}

/* GetObject and HeadObject: the same reply, of which HEAD sends no body. */
void op_get_object(struct exchange *x)
{
    const struct request *r = x->request;
    struct reply *p = &x->reply;
    struct object o = { 0 };
    char date[DATE_MAX];
    if (!passes(x, store_find(x->server->store, &x->bucket, &x->key, &o, &p->fd)))
        return;
    const char *why = check_conditions(
        request_header(r, "If-Match"), request_header(r, "If-None-Match"), o.etag);
    const char *header = x->play.ignore_range ? NULL : request_header(r, "Range");
    p->len = o.size;
    enum range_kind kind = parse_range(header, o.size, &p->start, &p->len);
    if (why != NULL) {
        exchange_fail(x, why);
    } else if (kind == RANGE_OUTSIDE) {
        exchange_fail(x, "InvalidRange");
        snprintf(p->content_range, sizeof p->content_range, "bytes */%" PRIu64, o.size);
    } else {
        if (kind == RANGE_SLICE) {
            p->status = 206;
            snprintf(p->content_range, sizeof p->content_range,
                "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, p->start, p->start + p->len - 1,
                o.size);
        }
        set_etag(x, o.etag);
        text_addf(&p->headers, "Accept-Ranges: bytes\r\nLast-Modified: %s\r\n",
            date_http(o.modified_ms, date));
        text_add(&p->headers, o.headers.at, o.headers.len);
    }
    object_free(&o);
}

void op_delete_object(struct exchange *x)
{
    if (passes(x, store_delete(x->server->store, &x->bucket, &x->key)))
        x->reply.status = 204;
}

/* "/bucket/key", percent-encoded; a version id behind it is ignored. */
static void parse_source(const struct request *r, struct text *bucket, struct text *key)
{
    const char *at = request_header(r, "x-amz-copy-source");
    at += *at == '/';
    size_t len = strcspn(at, "?");
    size_t slash = strcspn(at, "/");
    text_add_unpercent(bucket, at, slash < len ? slash : len, false);
    if (slash < len)
        text_add_unpercent(key, at + slash + 1, len - slash - 1, false);
}

int copy_draft(struct exchange *x, struct draft *d, unsigned char md5[static MD5_BYTES],
    struct text *headers)
{
    const struct request *r = x->request;
    struct text bucket = { 0 }, key = { 0 };
    struct object o = { 0 };
    uint64_t start = 0, len;
    int fd = -1;
    *d = (struct draft) DRAFT_NONE;
    parse_source(r, &bucket, &key);
    const char *why = store_find(x->server->store, &bucket, &key, &o, &fd);
    len = o.size;
    if (why == NULL &&
        check_conditions(request_header(r, "x-amz-copy-source-if-match"),
            request_header(r, "x-amz-copy-source-if-none-match"), o.etag) != NULL)
        why = "PreconditionFailed";
    if (why == NULL && parse_range(request_header(r, "x-amz-copy-source-range"), o.size, &start,
                           &len) == RANGE_OUTSIDE)
        why = "InvalidRange";
    if (why == NULL &&
        (draft_open(&x->server->drafts, d) < 0 || draft_append(d, fd, start, len, true) < 0))
        why = "InternalError";
    if (passes(x, why)) {
        draft_md5(d, md5);
        if (headers != NULL)
            text_add(headers, o.headers.at, o.headers.len);
    } else {
        draft_drop(d);
    }
    if (fd >= 0)
        close(fd);
    object_free(&o);
    text_free(&bucket);
    text_free(&key);
    return why == NULL ? 0 : -1;
}

void write_copy_result(struct exchange *x, const char *root)
{
    struct text *out = &x->reply.body;
    char date[DATE_MAX];
    if (x->reply.code != NULL)
        return;
    xml_begin(out, root);
    text_addf(out, "<ETag>%s</ETag><LastModified>%s</LastModified></%s>", x->reply.etag,
        date_iso(x->now_ms, date), root);
    x->reply.etag[0] = '\0';
}

void op_copy_object(struct exchange *x)
{
    const char *directive = request_header(x->request, "x-amz-metadata-directive");
    struct draft d;
    struct text headers = { 0 };
    unsigned char md5[MD5_BYTES];
    if (copy_draft(x, &d, md5, &headers) < 0)
        return;
    if (directive != NULL && strcmp(directive, "REPLACE") == 0) {
        text_clear(&headers);
        kept_headers(x->request, &headers);
    }
    publish(x, &d, md5, &headers);
    write_copy_result(x, "CopyObjectResult");
}

void replace_object(struct exchange *x)
{
    struct object o = { 0 };
    struct draft d = DRAFT_NONE;
    struct text headers = { 0 };
    unsigned char md5[MD5_BYTES], buf[4096];
    int fd = -1;
    if (store_find(x->server->store, &x->bucket, &x->key, &o, &fd) != NULL)
        return;
    int rc = draft_open(&x->server->drafts, &d);
    for (ssize_t n; rc == 0 && (n = read(fd, buf, sizeof buf)) > 0;) {
        for (ssize_t i = 0; i < n; i++)
            buf[i] ^= 0x5a;
        rc = draft_write(&d, buf, (size_t) n);
    }
    if (rc == 0) {
        draft_md5(&d, md5);
        text_add(&headers, o.headers.at, o.headers.len);
        publish(x, &d, md5, &headers);
        x->reply.etag[0] = '\0';
    }
    draft_drop(&d);
    close(fd);
    object_free(&o);
}
