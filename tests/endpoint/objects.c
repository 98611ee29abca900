/* PutObject, GetObject, HeadObject, DeleteObject. */
#include "operations.h"

#include "encryption.h"
#include "kept.h"
#include "ranges.h"
#include "tags.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

void op_put_object(struct exchange *x)
{
    struct draft d = DRAFT_NONE;
    struct object o = { 0 };
    if (!exchange_passes(x, refuse_new_object(x)) || receive_draft(x, &d) < 0)
        return;
    kept_from_request(
        x->request, KEPT_METADATA | KEPT_TAGS | KEPT_STORAGE | KEPT_ENCRYPTION, &o.kept);
    sums_keep(&o.kept, x->integrity.kind, text_c(&x->integrity.value), true);
    if (publish(x, &d, &o))
        set_sum(x, &o.kept);
    draft_drop(&d);
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
    const char *locked = encryption_unlock(r, "x-amz-", &o->kept);
    const char *mode = request_header(r, "x-amz-checksum-mode");
    p->len = o->size;
    enum range_kind kind = range_parse(header, o->size, &p->start, &p->len);
    if (why == NULL && kind == RANGE_OUTSIDE)
        why = "InvalidRange";
    if (locked != NULL)
        why = locked;
    if (!exchange_passes(x, why)) {
        if (p->status == 304)
            describe(x, o);
        if (p->status == 416)
            snprintf(p->content_range, sizeof p->content_range, "bytes */%" PRIu64, o->size);
        return;
    }
    describe(x, o);
    if (mode != NULL && strcasecmp(mode, "ENABLED") == 0 && kind != RANGE_SLICE)
        set_sum(x, &o->kept);
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
    struct text sum = { 0 }, kept = { 0 };
    unsigned char md5[MD5_BYTES], buf[4096];
    int fd = -1;
    if (store_find(x->server->store, &x->bucket, &x->key, &newest, &o, &fd) != NULL)
        goto out;
    int rc = draft_open(&x->server->drafts, &d);
    for (ssize_t n; rc == 0 && (n = read(fd, buf, sizeof buf)) > 0;) {
        for (ssize_t i = 0; i < n; i++)
            buf[i] ^= 0x5a;
        rc = draft_write(&d, buf, (size_t) n);
    }
    draft_md5(&d, md5);
    encryption_hide(&o.kept, md5);
    name_by_md5(&o, md5);
    struct sums_plan plan = sums_plan_of(&o.kept);
    kept_copy(&o.kept, ~(unsigned) KEPT_CHECKSUM, &kept);
    text_free(&o.kept);
    o.kept = kept;
    if (rc == 0 && digest_file(plan.kind, d.fd, d.size, &sum) == 0) {
        sums_keep(&o.kept, plan.kind, text_c(&sum), true);
        store_publish(x->server->store, &x->bucket, &x->key, &d, &o, &none);
    }
    close(fd);
out:
    draft_drop(&d);
    object_free(&o);
    text_free(&sum);
}
