/* The operations of a multipart upload, but for copied parts. */
#include "operations.h"

#include "kept.h"
#include "xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void op_create_upload(struct exchange *x)
{
    struct text kept = { 0 }, *out = &x->reply.body;
    char id[UPLOAD_ID_MAX] = "";
    const char *why = refuse_new_object(x);
    kept_from_request(
        x->request, KEPT_METADATA | KEPT_TAGS | KEPT_STORAGE | KEPT_ENCRYPTION, &kept);
    kept_copy(&kept, KEPT_ENCRYPTION, &x->reply.headers);
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

bool accepts_part(struct exchange *x)
{
    const char *why =
        upload_check(x->server->uploads, &x->bucket, &x->key, exchange_param(x, "uploadId"));
    if (exchange_number(x, "partNumber", -1, 1, PARTS_MAX) < 0)
        why = "InvalidArgument";
    return exchange_passes(x, why);
}

bool put_part(struct exchange *x, struct draft *d, const unsigned char md5[static MD5_BYTES])
{
    char etag[ETAG_MAX];
    const char *why = upload_put_part(x->server->uploads, &x->bucket, &x->key,
        exchange_param(x, "uploadId"), x->part, d, md5);
    draft_drop(d);
    set_md5_etag(etag, md5);
    if (!exchange_passes(x, why))
        return false;
    set_etag(x, etag);
    return true;
}

void op_upload_part(struct exchange *x)
{
    struct draft d;
    unsigned char md5[MD5_BYTES];
    if (accepts_part(x) && receive_draft(x, &d, md5) == 0)
        put_part(x, &d, md5);
}

void op_abort_upload(struct exchange *x)
{
    const char *why =
        upload_abort(x->server->uploads, &x->bucket, &x->key, exchange_param(x, "uploadId"));
    if (exchange_passes(x, why))
        x->reply.status = 204;
}

static void free_list(struct wanted *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        text_free(&list[i].etag);
    free(list);
}

static void read_part(const struct xml_node *part, struct wanted *w)
{
    struct text number = { 0 };
    if (xml_value(part, "PartNumber", &number))
        w->number = (unsigned) strtoul(number.at, NULL, 10);
    xml_value(part, "ETag", &w->etag);
    text_free(&number);
}

/* The <Part>s of the document; NULL: it is none, or has none. */
static struct wanted *read_list(const struct text *content, unsigned *count)
{
    struct xml *doc = xml_read(content, "CompleteMultipartUpload");
    struct wanted *list = calloc(PARTS_MAX, sizeof *list);
    const struct xml_node *part = NULL;
    *count = 0;
    if (list == NULL)
        abort();
    while (doc != NULL && *count < PARTS_MAX &&
           (part = xml_child(xml_root(doc), "Part", part)) != NULL)
        read_part(part, &list[(*count)++]);
    xml_free(doc);
    if (*count > 0)
        return list;
    free(list);
    return NULL;
}

/* Joins the parts and puts the object in its place. Whether it did; if not, the reply says why.
 */
static bool complete(struct exchange *x, const struct wanted *list, unsigned count)
{
    struct upload *up;
    struct draft d = DRAFT_NONE;
    struct object o = { 0 };
    if (!exchange_passes(
            x, upload_begin_complete(x->server->uploads, &x->bucket, &x->key,
                   exchange_param(x, "uploadId"), list, count, x->server->min_part_bytes, &up)))
        return false;
    text_append(&o.kept, &up->kept);
    bool done =
        exchange_passes(x, upload_assemble(x->server->uploads, up, list, count, &d, o.etag) < 0
                               ? "InternalError"
                               : NULL) &&
        publish(x, &d, &o);
    upload_end_complete(x->server->uploads, up, done);
    draft_drop(&d);
    object_free(&o);
    return done;
}

/* The ETag goes into a document instead of a header. */
static void write_result(struct exchange *x)
{
    struct text *out = &x->reply.body, location = { 0 }, quoted = { 0 };
    text_addf(&location, "/%s/", text_c(&x->bucket));
    text_add_percent(&location, &x->key, "/");
    text_puts(&quoted, *x->play.etag != '\0' ? x->play.etag : x->reply.etag);
    xml_begin(out, "CompleteMultipartUploadResult");
    xml_element(out, "Location", &location);
    xml_element(out, "Bucket", &x->bucket);
    xml_element(out, "Key", &x->key);
    if (!x->play.no_etag)
        xml_element(out, "ETag", &quoted);
    text_puts(out, "</CompleteMultipartUploadResult>");
    x->reply.etag[0] = '\0';
    text_free(&location);
    text_free(&quoted);
}

void op_complete_upload(struct exchange *x)
{
    struct text content = { 0 };
    struct wanted *list = NULL;
    unsigned count = 0;
    if (exchange_body_text(x, &content) < 0)
        goto out;
    list = read_list(&content, &count);
    if (exchange_passes(x, list != NULL ? NULL : "MalformedXML") && complete(x, list, count))
        write_result(x);
out:
    free_list(list, count);
    text_free(&content);
}
