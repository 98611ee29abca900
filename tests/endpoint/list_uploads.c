/* The listings of open uploads and of the parts of one. */
#include "operations.h"

#include "kept.h"
#include "page.h"
#include "xml.h"

#include <inttypes.h>
#include <string.h>

/* The last row of a page: where the next one goes on. */
struct last {
    struct text key, id;
    bool more;
};

static void set_last(struct last *last, const struct text *key, const char *id)
{
    text_clear(&last->key);
    text_clear(&last->id);
    text_append(&last->key, key);
    text_puts(&last->id, id);
}

static void add_upload(struct page *p, const struct upload *up)
{
    struct sums_plan plan = sums_plan_of(&up->kept);
    struct text class = { 0 };
    char date[DATE_MAX];
    text_puts(&p->rows, "<Upload>");
    page_name(p, &p->rows, "Key", &up->key);
    text_addf(&p->rows,
        "<UploadId>%s</UploadId><StorageClass>%s</StorageClass><Initiated>%s</Initiated>",
        up->id, kept_storage_class(&up->kept, &class), date_iso(up->initiated_ms, date));
    sums_add_plan(&p->rows, &plan);
    text_puts(&p->rows, "</Upload>");
    text_free(&class);
}

/* Whether the upload lies behind (key-marker, upload-id-marker). */
static bool is_behind(const struct exchange *x, const struct upload *up)
{
    const struct text *key = exchange_param(x, "key-marker");
    const struct text *id = exchange_param(x, "upload-id-marker");
    int order = text_compare(&up->key, key);
    return key->len == 0 || order > 0 ||
           (order == 0 && id->len > 0 && strcmp(up->id, id->at) > 0);
}

/* The index goes on at BUCKET NUL KEY: that of the prefix, or of the marker if that is behind
 * it. A marker that is itself a common prefix has all that it stands for behind it. */
static void fill_page(
    struct exchange *x, struct page *p, const struct skiplist *all, struct last *last)
{
    const struct text *marker = exchange_param(x, "key-marker");
    struct text from = { 0 }, bucket = { 0 }, common = { 0 };
    text_add(&bucket, x->bucket.at, x->bucket.len + 1); /* with its NUL */
    text_append(&from, &bucket);
    text_append(&from, text_compare(marker, p->prefix) > 0 ? marker : p->prefix);
    for (struct skipnode *n = skiplist_seek(all, &from); n != NULL; n = n->next[0]) {
        const struct upload *up = n->item;
        if (!text_starts_with(&n->key, &bucket) || !text_starts_with(&up->key, p->prefix))
            break;
        bool rolled = page_common(p, &up->key, &common);
        if (up->completing || !is_behind(x, up) ||
            (rolled && (text_compare(&common, marker) == 0 ||
                           (last->id.len == 0 && text_compare(&common, &last->key) == 0))))
            continue;
        last->more = p->count == p->max;
        if (last->more)
            break;
        p->count++;
        if (rolled)
            page_add_prefix(p, &common);
        else
            add_upload(p, up);
        set_last(last, rolled ? &common : &up->key, rolled ? "" : up->id);
    }
    text_free(&from);
    text_free(&bucket);
    text_free(&common);
}

void op_list_uploads(struct exchange *x)
{
    struct page p;
    struct last last = { 0 };
    struct text *out = &x->reply.body;
    if (page_begin(x, &p, "max-uploads", 1) < 0 ||
        !exchange_passes(x, store_check_bucket(x->server->store, &x->bucket)))
        goto out;
    fill_page(x, &p, uploads_lock(x->server->uploads), &last);
    uploads_unlock(x->server->uploads);

    xml_begin(out, "ListMultipartUploadsResult");
    xml_element(out, "Bucket", &x->bucket);
    page_name(&p, out, "KeyMarker", exchange_param(x, "key-marker"));
    xml_element(out, "UploadIdMarker", exchange_param(x, "upload-id-marker"));
    if (last.more) {
        page_name(&p, out, "NextKeyMarker", &last.key);
        xml_element(out, "NextUploadIdMarker", &last.id);
    }
    page_write(x, &p, "MaxUploads", last.more);
    text_puts(out, "</ListMultipartUploadsResult>");
out:
    page_free(&p);
    text_free(&last.key);
    text_free(&last.id);
}

static void add_part(struct exchange *x, struct text *out, enum digest_kind kind,
    unsigned number, const struct part *p)
{
    struct text sum = { 0 };
    char date[DATE_MAX];
    text_addf(out,
        "<Part><PartNumber>%u</PartNumber><LastModified>%s</LastModified><ETag>&quot;", number,
        date_iso(p->modified_ms, date));
    text_add_hex(out, p->md5, MD5_BYTES);
    text_addf(out, "&quot;</ETag><Size>%" PRIu64 "</Size>", p->size);
    text_add_base64(&sum, p->sum, p->sum_bytes);
    sums_add_xml(out, kind, text_c(&sum), x->play.wrong_checksum);
    text_puts(out, "</Part>");
    text_free(&sum);
}

void op_list_parts(struct exchange *x)
{
    int64_t max = exchange_number(x, "max-parts", PAGE_MAX, 1, INT32_MAX);
    int64_t marker = exchange_number(x, "part-number-marker", 0, 0, INT32_MAX);
    const struct text *id = exchange_param(x, "uploadId");
    struct text page = { 0 }, class = { 0 }, *out = &x->reply.body;
    struct sums_plan plan = { .kind = DIGEST_NONE };
    bool truncated = false;
    int64_t last = 0;
    if (max < 0 || marker < 0)
        return;
    max = max > PAGE_MAX ? PAGE_MAX : max;
    uploads_lock(x->server->uploads);
    const struct upload *up = upload_find_locked(x->server->uploads, &x->bucket, &x->key, id);
    if (up != NULL) {
        plan = sums_plan_of(&up->kept);
        kept_get(&up->kept, "x-amz-storage-class", &class);
    }
    int64_t left = max;
    for (int64_t n = marker + 1; up != NULL && n < up->part_count && !truncated; n++) {
        if (up->parts[n].serial == 0)
            continue;
        truncated = left-- == 0;
        if (!truncated)
            add_part(x, &page, plan.kind, (unsigned) (last = n), &up->parts[n]);
    }
    uploads_unlock(x->server->uploads);
    if (!exchange_passes(x, up == NULL ? "NoSuchUpload" : NULL))
        goto out;
    xml_begin(out, "ListPartsResult");
    xml_element(out, "Bucket", &x->bucket);
    xml_element(out, "Key", &x->key);
    text_addf(out, "<UploadId>%s</UploadId><PartNumberMarker>%" PRId64 "</PartNumberMarker>",
        id->at, marker);
    if (truncated)
        text_addf(out, "<NextPartNumberMarker>%" PRId64 "</NextPartNumberMarker>", last);
    text_addf(out,
        "<MaxParts>%" PRId64 "</MaxParts><IsTruncated>%s</IsTruncated><StorageClass>%s"
        "</StorageClass>",
        max, truncated ? "true" : "false", class.len > 0 ? class.at : "STANDARD");
    sums_add_plan(out, &plan);
    text_append(out, &page);
    text_puts(out, "</ListPartsResult>");
out:
    text_free(&page);
    text_free(&class);
}
