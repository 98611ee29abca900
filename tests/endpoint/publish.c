/* What all operations share that make an object, or tell what was made. */
#include "operations.h"

#include "encryption.h"
#include "kept.h"
#include "tags.h"
#include "xml.h"

#include <stdio.h>
#include <string.h>

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
    if (why == NULL)
        why = encryption_refuse(r, "x-amz-");
    return why != NULL ? why : store_check_bucket(x->server->store, &x->bucket);
}

int receive_draft(struct exchange *x, struct draft *d)
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
    if (why != NULL)
        exchange_fail(x, why);
    if (n == 0 && why == NULL)
        return 0;
    draft_drop(d);
    return -1;
}

void set_etag(struct exchange *x, const char *etag)
{
    snprintf(x->reply.etag, sizeof x->reply.etag, "\"%s\"", etag);
}

void set_version(struct exchange *x, const struct object *o)
{
    if (*o->version != '\0')
        text_addf(&x->reply.headers, "x-amz-version-id: %s\r\n", o->version);
    if (o->is_marker)
        text_puts(&x->reply.headers, "x-amz-delete-marker: true\r\n");
}

void set_sum(struct exchange *x, const struct text *kept)
{
    struct sums_plan plan = sums_plan_of(kept);
    struct text *out = &x->reply.headers, sum = { 0 };
    sums_get(kept, &sum);
    sums_add_header(out, plan.kind, text_c(&sum), x->play.wrong_checksum);
    if (plan.kind != DIGEST_NONE)
        text_addf(out, "x-amz-checksum-type: %s\r\n", sums_type(plan.whole));
    text_free(&sum);
}

void write_outcome(struct exchange *x, const struct text *kept)
{
    struct sums_plan plan = sums_plan_of(kept);
    struct text *out = &x->reply.body, etag = { 0 }, sum = { 0 };
    text_puts(&etag, *x->play.etag != '\0' ? x->play.etag : x->reply.etag);
    if (!x->play.no_etag)
        xml_element(out, "ETag", &etag);
    sums_get(kept, &sum);
    sums_add_xml(out, plan.kind, text_c(&sum), x->play.wrong_checksum);
    if (plan.kind != DIGEST_NONE)
        text_addf(out, "<ChecksumType>%s</ChecksumType>", sums_type(plan.whole));
    x->reply.etag[0] = '\0';
    text_free(&etag);
    text_free(&sum);
}

void name_by_md5(struct object *o, const unsigned char md5[static MD5_BYTES])
{
    struct text hex = { 0 };
    text_add_hex(&hex, md5, MD5_BYTES);
    memcpy(o->etag, hex.at, hex.len + 1);
    text_free(&hex);
}

bool publish(struct exchange *x, struct draft *d, struct object *o)
{
    struct conditions c = conditions_of(x->request, "");
    unsigned char md5[MD5_BYTES];
    if (*o->etag == '\0') {
        draft_md5(d, md5);
        encryption_hide(&o->kept, md5);
        name_by_md5(o, md5);
    }
    if (!exchange_passes(x, store_publish(x->server->store, &x->bucket, &x->key, d, o, &c)))
        return false;
    set_etag(x, o->etag);
    set_version(x, o);
    kept_copy(&o->kept, KEPT_ENCRYPTION, &x->reply.headers);
    return true;
}
