/* CompleteMultipartUpload. */
#include "operations.h"

#include "kept.h"
#include "xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_list(struct wanted *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        text_free(&list[i].etag);
        text_free(&list[i].sum);
    }
    free(list);
}

static void read_part(const struct xml_node *part, struct wanted *w)
{
    struct text number = { 0 };
    if (xml_value(part, "PartNumber", &number))
        w->number = (unsigned) strtoul(number.at, NULL, 10);
    xml_value(part, "ETag", &w->etag);
    for (enum digest_kind kind = DIGEST_CRC32; kind < DIGEST_MD5; kind++) {
        char name[DIGEST_HEADER_MAX];
        snprintf(name, sizeof name, "Checksum%s", digest_name(kind));
        if (xml_value(part, name, &w->sum))
            w->kind = kind;
    }
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

/* The checksum of all the bytes, or that of the parts' checksums with their number behind. */
static const char *sum_up(const struct upload *up, const struct wanted *list, unsigned count,
    const struct draft *d, const struct sums_plan *plan, struct text *base64)
{
    struct digest sums;
    unsigned char value[DIGEST_MAX];
    if (plan->whole)
        return digest_file(plan->kind, d->fd, d->size, base64) < 0 ? "InternalError" : NULL;
    digest_begin(&sums, plan->kind);
    for (unsigned i = 0; i < count; i++)
        digest_add(&sums, up->parts[list[i].number].sum, up->parts[list[i].number].sum_bytes);
    text_add_base64(base64, value, digest_end(&sums, value));
    text_addf(base64, "-%u", count);
    return NULL;
}

/* Joins the parts into `d` and fills in *o. */
static const char *assemble(struct exchange *x, const struct upload *up,
    const struct wanted *list, unsigned count, struct draft *d, struct object *o)
{
    struct sums_plan plan = sums_plan_of(&up->kept);
    struct text sum = { 0 };
    const char *why = "InternalError";
    if (upload_assemble(x->server->uploads, up, list, count, d, o->etag) == 0)
        why = sum_up(up, list, count, d, &plan, &sum);
    if (why == NULL)
        why = sums_refuse(x->request, &plan, text_c(&sum), d->size);
    kept_copy(&up->kept, ~(unsigned) KEPT_CHECKSUM, &o->kept);
    sums_keep(&o->kept, plan.kind, text_c(&sum), plan.whole);
    text_free(&sum);
    return why;
}

static void write_result(struct exchange *x, const struct text *kept)
{
    struct text *out = &x->reply.body, location = { 0 };
    text_addf(&location, "/%s/", text_c(&x->bucket));
    text_add_percent(&location, &x->key, "/");
    xml_begin(out, "CompleteMultipartUploadResult");
    xml_element(out, "Location", &location);
    xml_element(out, "Bucket", &x->bucket);
    xml_element(out, "Key", &x->key);
    write_outcome(x, kept);
    text_puts(out, "</CompleteMultipartUploadResult>");
    text_free(&location);
}

/* Joins the parts and puts the object in its place, or puts the upload back. */
static void complete(struct exchange *x, const struct wanted *list, unsigned count)
{
    struct upload *up;
    struct draft d = DRAFT_NONE;
    struct object o = { 0 };
    if (!exchange_passes(
            x, upload_begin_complete(x->server->uploads, &x->bucket, &x->key,
                   exchange_param(x, "uploadId"), list, count, x->server->min_part_bytes, &up)))
        return;
    bool done = exchange_passes(x, assemble(x, up, list, count, &d, &o)) && publish(x, &d, &o);
    upload_end_complete(x->server->uploads, up, done);
    if (done)
        write_result(x, &o.kept);
    draft_drop(&d);
    object_free(&o);
}

void op_complete_upload(struct exchange *x)
{
    struct text content = { 0 };
    struct wanted *list = NULL;
    unsigned count = 0;
    if (exchange_body_text(x, &content) == 0) {
        list = read_list(&content, &count);
        if (exchange_passes(x, list != NULL ? NULL : "MalformedXML"))
            complete(x, list, count);
    }
    free_list(list, count);
    text_free(&content);
}
