/* PutObject, GetObject, HeadObject, DeleteObject, and what all that store an object share. */
#include "operations.h"

#include "kept.h"
#include "ranges.h"
#include "tags.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void set_etag(struct exchange *x, const char *etag)
{
    snprintf(x->reply.etag, sizeof x->reply.etag, "\"%s\"", etag);
}

void set_md5_etag(char etag[static ETAG_MAX], const unsigned char md5[static MD5_BYTES])
{
    struct text hex = { 0 };
    text_add_hex(&hex, md5, MD5_BYTES);
    memcpy(etag, hex.at, hex.len + 1);
    text_free(&hex);
}

void set_version(struct exchange *x, const struct object *o)
{
    if (*o->version != '\0')
        text_addf(&x->reply.headers, "x-amz-version-id: %s\r\n", o->version);
    if (o->is_marker)
        text_puts(&x->reply.headers, "x-amz-delete-marker: true\r\n");
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
    if (n == 0 && why == NULL) {
        draft_md5(d, md5);
        return 0;
    }
    draft_drop(d);
    if (why != NULL)
        exchange_fail(x, why);
    return -1;
}

static bool is_one_of(const char *value, const char *const list[])
{
    size_t i = 0;
    while (list[i] != NULL && strcmp(list[i], value) != 0)
        i++;
    return list[i] != NULL;
}

const char *refuse_new_object(struct exchange *x)
{
    static const char *const acls[] = { "private", "public-read", "public-read-write",
        "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control",
        NULL };
    static const char *const classes[] = { "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA",
        "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR", NULL };
    const struct request *r = x->request;
    const char *acl = request_header(r, "x-amz-acl");
    const char *class = request_header(r, "x-amz-storage-class");
    if (acl != NULL && !is_one_of(acl, acls))
        return "InvalidArgument";
    if (class != NULL && !is_one_of(class, classes))
        return "InvalidStorageClass";
    const char *why = tags_refuse(request_header(r, "x-amz-tagging"));
    return why != NULL ? why : store_check_bucket(x->server->store, &x->bucket);
}

bool publish(struct exchange *x, struct draft *d, struct object *o)
{
    struct conditions c = conditions_of(x->request, "");
    bool done =
        exchange_passes(x, store_publish(x->server->store, &x->bucket, &x->key, d, o, &c));
    if (done) {
        set_etag(x, o->etag);
        set_version(x, o);
        kept_copy(&o->kept, KEPT_ENCRYPTION, &x->reply.headers);
    }
    draft_drop(d);
    return done;
}

void op_put_object(struct exchange *x)
{
    struct draft d;
    struct object o = { 0 };
    unsigned char md5[MD5_BYTES];
    if (!exchange_passes(x, refuse_new_object(x)) || receive_draft(x, &d, md5) < 0)
        return;
    kept_from_request(
        x->request, KEPT_METADATA | KEPT_TAGS | KEPT_STORAGE | KEPT_ENCRYPTION, &o.kept);
    set_md5_etag(o.etag, md5);
    publish(x, &d, &o);
    object_free(&o);
}

/* The headers that tell of the object, whether its bytes follow or not. */
static void describe(struct exchange *x, const struct object *o)
{
    struct text *out = &x->reply.headers, value = { 0 };
    char date[DATE_MAX];
    set_etag(x, o->etag);
    set_version(x, o);
    text_addf(out, "Last-Modified: %s\r\n", date_http(o->modified_ms, date));
    kept_copy(&o->kept, KEPT_METADATA | KEPT_STORAGE | KEPT_ENCRYPTION, out);
    if (kept_get(&o->kept, "x-amz-tagging", &value))
        text_addf(out, "x-amz-tagging-count: %u\r\n", tags_count(value.at));
    text_free(&value);
}

static void serve(struct exchange *x, const struct object *o)
{
    const struct request *r = x->request;
    struct reply *p = &x->reply;
    struct conditions c = conditions_of(r, "");
    const char *why = conditions_refuse(&c, o->etag, o->modified_ms);
    const char *header = x->play.ignore_range ? NULL : request_header(r, "Range");
    p->len = o->size;
    enum range_kind kind = range_parse(header, o->size, &p->start, &p->len);
    if (why == NULL && kind == RANGE_OUTSIDE)
        why = "InvalidRange";
    if (!exchange_passes(x, why)) {
        if (p->status == 304)
            describe(x, o);
        if (p->status == 416)
            snprintf(p->content_range, sizeof p->content_range, "bytes */%" PRIu64, o->size);
        return;
    }
    describe(x, o);
    text_puts(&p->headers, "Accept-Ranges: bytes\r\n");
    if (kind == RANGE_SLICE) {
        p->status = 206;
        snprintf(p->content_range, sizeof p->content_range,
            "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, p->start, p->start + p->len - 1, o->size);
    }
}

/* GetObject and HeadObject: the same reply, of which HEAD sends no body. */
void op_get_object(struct exchange *x)
{
    struct object o = { 0 };
    if (exchange_passes(x, store_find(x->server->store, &x->bucket, &x->key,
                               exchange_param(x, "versionId"), &o, &x->reply.fd)))
        serve(x, &o);
    else if (o.is_marker)
        set_version(x, &o);
    object_free(&o);
}

void op_delete_object(struct exchange *x)
{
    struct conditions c = conditions_of(x->request, "");
    struct object gone = { 0 };
    if (exchange_passes(x, store_delete(x->server->store, &x->bucket, &x->key,
                               exchange_param(x, "versionId"), &c, &gone))) {
        x->reply.status = 204;
        set_version(x, &gone);
    }
    object_free(&gone);
}

void replace_object(struct exchange *x)
{
    static const struct text newest;
    static const struct conditions none = CONDITIONS_NONE;
    struct object o = { 0 };
    struct draft d = DRAFT_NONE;
    unsigned char md5[MD5_BYTES], buf[4096];
    int fd = -1;
    if (store_find(x->server->store, &x->bucket, &x->key, &newest, &o, &fd) == NULL) {
        int rc = draft_open(&x->server->drafts, &d);
        for (ssize_t n; rc == 0 && (n = read(fd, buf, sizeof buf)) > 0;) {
            for (ssize_t i = 0; i < n; i++)
                buf[i] ^= 0x5a;
            rc = draft_write(&d, buf, (size_t) n);
        }
        draft_md5(&d, md5);
        set_md5_etag(o.etag, md5);
        if (rc == 0)
            store_publish(x->server->store, &x->bucket, &x->key, &d, &o, &none);
        draft_drop(&d);
        close(fd);
    }
    object_free(&o);
}
