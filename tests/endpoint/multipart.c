/* The operations of a multipart upload, but for copied parts and its completion. */
#include "operations.h"

#include "encryption.h"
#include "kept.h"
#include "xml.h"

#include <string.h>

void op_create_upload(struct exchange *x)
{
    struct text kept = { 0 }, *out = &x->reply.body;
    char id[UPLOAD_ID_MAX] = "";
    const char *why = refuse_new_object(x);
    kept_from_request(
        x->request, KEPT_METADATA | KEPT_TAGS | KEPT_STORAGE | KEPT_ENCRYPTION, &kept);
    if (why == NULL)
        why = sums_announce(x->request, &kept);
    kept_copy(&kept, KEPT_ENCRYPTION | KEPT_CHECKSUM, &x->reply.headers);
    if (why == NULL)
        why = upload_create(x->server->uploads, &x->bucket, &x->key, &kept, id);
    text_free(&kept);
    if (!exchange_passes(x, why))
        return;
    xml_begin(out, "InitiateMultipartUploadResult");
    xml_element(out, "Bucket", &x->bucket);
    xml_element(out, "Key", &x->key);
    if (!x->play.no_upload_id)
        text_addf(out, "<UploadId>%s</UploadId>", id);
    text_puts(out, "</InitiateMultipartUploadResult>");
}

bool arrival_begin(struct exchange *x, struct arrival *a)
{
    *a = (struct arrival){ .draft = DRAFT_NONE };
    const char *why = upload_check(
        x->server->uploads, &x->bucket, &x->key, exchange_param(x, "uploadId"), &a->kept);
    a->plan = sums_plan_of(&a->kept);
    if (why == NULL)
        why = encryption_unlock(x->request, "x-amz-", &a->kept);
    if (exchange_number(x, "partNumber", -1, 1, PARTS_MAX) < 0)
        why = "InvalidArgument";
    return exchange_passes(x, why);
}

bool arrival_end(struct exchange *x, struct arrival *a)
{
    struct object named = { 0 };
    struct text sum = { 0 };
    draft_md5(&a->draft, a->part.md5);
    encryption_hide(&a->kept, a->part.md5);
    text_add_unbase64(&sum, text_c(&a->sum));
    memcpy(a->part.sum, text_c(&sum), sum.len);
    a->part.sum_bytes = (unsigned) sum.len;
    text_free(&sum);
    name_by_md5(&named, a->part.md5);
    if (!exchange_passes(x, upload_put_part(x->server->uploads, &x->bucket, &x->key,
                                exchange_param(x, "uploadId"), x->part, &a->draft, &a->part)))
        return false;
    set_etag(x, named.etag);
    kept_copy(&a->kept, KEPT_ENCRYPTION, &x->reply.headers);
    return true;
}

void arrival_free(struct arrival *a)
{
    draft_drop(&a->draft);
    text_free(&a->kept);
    text_free(&a->sum);
}

void op_upload_part(struct exchange *x)
{
    struct arrival a;
    if (!arrival_begin(x, &a) ||
        !exchange_passes(x, a.plan.kind != x->integrity.kind ? "InvalidRequest" : NULL) ||
        receive_draft(x, &a.draft) < 0)
        goto out;
    text_append(&a.sum, &x->integrity.value);
    if (arrival_end(x, &a))
        sums_add_header(&x->reply.headers, a.plan.kind, a.sum.at, x->play.wrong_checksum);
out:
    arrival_free(&a);
}

void op_abort_upload(struct exchange *x)
{
    const char *why =
        upload_abort(x->server->uploads, &x->bucket, &x->key, exchange_param(x, "uploadId"));
    if (exchange_passes(x, why))
        x->reply.status = 204;
}
