/* The listings: objects, open uploads and the parts of one, page by page in the keys' byte
 * order. */
#include "operations.h"

#include "kept.h"
#include "xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 1000 };

/* A key, marker or prefix: with encoding-type=url as Amazon does it, a blank being "+". */
static void name_element(struct text *out, const char *name, const struct text *value, bool url)
{
    struct text encoded = { 0 };
    if (url) {
        text_add_percent(&encoded, value, "/ ");
        for (size_t i = 0; i < encoded.len; i++)
            if (encoded.at[i] == ' ')
                encoded.at[i] = '+';
    }
    xml_element(out, name, url ? &encoded : value);
    text_free(&encoded);
}

/* "" is none, "url" is true, all else is refused: -1. */
static int url_encoding(struct exchange *x)
{
    const struct text *type = exchange_param(x, "encoding-type");
    if (type->len == 0 || strcmp(type->at, "url") == 0)
        return type->len > 0;
    exchange_fail(x, "InvalidArgument");
    return -1;
}

/* The smallest text above all that begin with `prefix`; empty: there is none. */
static void after_prefix(struct text *t, const struct text *prefix)
{
    text_clear(t);
    text_append(t, prefix);
    while (t->len > 0 && (unsigned char) t->at[t->len - 1] == 0xff)
        t->at[--t->len] = '\0';
    if (t->len > 0)
        t->at[t->len - 1]++;
}

/* What a page of objects is made of. */
struct page {
    const struct text *prefix, *delimiter;
    bool url;
    int64_t max, count;
    struct text from;  /* the listing goes on at the first key that is not below */
    struct text token; /* where the next page begins; empty: this was the last */
    struct text contents, prefixes;
};

/* A token is the key to go on at, in hex; start-after is the key before it. */
static int page_start(struct exchange *x, struct page *p)
{
    const struct text *token = exchange_param(x, "continuation-token");
    const struct text *after = exchange_param(x, "start-after");
    if (token->len > 0 && text_add_unhex(&p->from, token->at, token->len) < 0) {
        exchange_fail(x, "InvalidArgument");
        return -1;
    }
    if (token->len == 0 && after->len > 0) {
        text_append(&p->from, after);
        text_add(&p->from, "", 1);
    }
    if (text_compare(&p->from, p->prefix) < 0) {
        text_clear(&p->from);
        text_append(&p->from, p->prefix);
    }
    return 0;
}

static void add_object(struct page *p, const struct text *key, const struct object *o)
{
    struct text class = { 0 };
    char date[DATE_MAX];
    text_puts(&p->contents, "<Contents>");
    name_element(&p->contents, "Key", key, p->url);
    text_addf(&p->contents,
        "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag><Size>%" PRIu64
        "</Size><StorageClass>%s</StorageClass></Contents>",
        date_iso(o->modified_ms, date), o->etag, o->size, kept_storage_class(&o->kept, &class));
    text_free(&class);
}

/* The key's bytes up to and with the delimiter behind the prefix. Whether there is one. */
static bool common_prefix(const struct page *p, const struct text *key, struct text *out)
{
    const char *rest = key->at + p->prefix->len;
    const char *end = p->delimiter->len == 0 ? NULL
                                             : memmem(rest, key->len - p->prefix->len,
                                                   p->delimiter->at, p->delimiter->len);
    text_clear(out);
    if (end != NULL)
        text_add(out, key->at, (size_t) (end - key->at) + p->delimiter->len);
    return end != NULL;
}

static void fill_page(struct page *p, const struct skiplist *objects)
{
    struct text common = { 0 };
    struct skipnode *n = p->max > 0 ? skiplist_seek(objects, &p->from) : NULL;
    while (n != NULL && text_starts_with(&n->key, p->prefix)) {
        if (((const struct object *) n->item)->is_marker) {
            n = n->next[0];
            continue;
        }
        if (p->count++ == p->max) {
            p->count = p->max;
            text_add_hex(&p->token, n->key.at, n->key.len);
            break;
        }
        if (common_prefix(p, &n->key, &common)) {
            text_puts(&p->prefixes, "<CommonPrefixes>");
            name_element(&p->prefixes, "Prefix", &common, p->url);
            text_puts(&p->prefixes, "</CommonPrefixes>");
            after_prefix(&p->from, &common);
            n = p->from.len > 0 ? skiplist_seek(objects, &p->from) : NULL;
        } else {
            add_object(p, &n->key, n->item);
            n = n->next[0];
        }
    }
    text_free(&common);
}

static void write_page(struct exchange *x, const struct page *p)
{
    struct text *out = &x->reply.body;
    xml_begin(out, "ListBucketResult");
    xml_element(out, "Name", &x->bucket);
    name_element(out, "Prefix", p->prefix, p->url);
    if (p->delimiter->len > 0)
        name_element(out, "Delimiter", p->delimiter, p->url);
    if (exchange_param(x, "start-after")->len > 0)
        name_element(out, "StartAfter", exchange_param(x, "start-after"), p->url);
    if (exchange_param(x, "continuation-token")->len > 0)
        xml_element(out, "ContinuationToken", exchange_param(x, "continuation-token"));
    text_addf(out,
        "%s<MaxKeys>%" PRId64 "</MaxKeys><KeyCount>%" PRId64 "</KeyCount><IsTruncated>%s"
        "</IsTruncated>",
        p->url ? "<EncodingType>url</EncodingType>" : "", p->max, p->count,
        p->token.len > 0 ? "true" : "false");
    if (p->token.len > 0)
        xml_element(out, "NextContinuationToken", &p->token);
    text_append(out, &p->contents);
    text_append(out, &p->prefixes);
    text_puts(out, "</ListBucketResult>");
}

void op_list_objects(struct exchange *x)
{
    int url = url_encoding(x);
    struct page p = {
        .prefix = exchange_param(x, "prefix"),
        .delimiter = exchange_param(x, "delimiter"),
        .url = url > 0,
        .max = exchange_number(x, "max-keys", PAGE_MAX, 0, INT32_MAX),
    };
    if (url < 0 || p.max < 0 || page_start(x, &p) < 0)
        goto out;
    if (p.max > PAGE_MAX)
        p.max = PAGE_MAX;
    const struct skiplist *objects = store_lock_objects(x->server->store, &x->bucket);
    if (objects != NULL)
        fill_page(&p, objects);
    store_unlock(x->server->store);
    if (objects != NULL)
        write_page(x, &p);
    else
        exchange_fail(x, "NoSuchBucket");
out:
    text_free(&p.from);
    text_free(&p.token);
    text_free(&p.contents);
    text_free(&p.prefixes);
}

static void add_upload(struct text *out, const struct upload *up, bool url)
{
    struct text class = { 0 };
    char date[DATE_MAX];
    text_puts(out, "<Upload>");
    name_element(out, "Key", &up->key, url);
    text_addf(out,
        "<UploadId>%s</UploadId><StorageClass>%s</StorageClass><Initiated>%s</Initiated>"
        "</Upload>",
        up->id, kept_storage_class(&up->kept, &class), date_iso(up->initiated_ms, date));
    text_free(&class);
}

/* Fills `page` with the uploads behind (key-marker, upload-id-marker); *last is the last of
 * them, NULL when nothing is left behind it. */
static void walk_uploads(struct exchange *x, const struct skiplist *all, int64_t max, bool url,
    struct text *page, struct text *last_key, struct text *last_id)
{
    const struct text *prefix = exchange_param(x, "prefix");
    const struct text *key_marker = exchange_param(x, "key-marker");
    const struct text *id_marker = exchange_param(x, "upload-id-marker");
    struct text from = { 0 }, bucket = { 0 };
    text_add(&bucket, x->bucket.at, x->bucket.len + 1); /* with its NUL */
    text_append(&from, &bucket);
    text_append(&from, prefix);
    if (text_compare(key_marker, prefix) > 0) {
        text_clear(&from);
        text_append(&from, &bucket);
        text_append(&from, key_marker);
    }
    int64_t count = 0;
    for (struct skipnode *n = skiplist_seek(all, &from); n != NULL; n = n->next[0]) {
        const struct upload *up = n->item;
        int order = text_compare(&up->key, key_marker);
        bool behind =
            key_marker->len == 0 || order > 0 ||
            (order == 0 && id_marker->len > 0 && strcmp(up->id, text_c(id_marker)) > 0);
        if (!text_starts_with(&n->key, &bucket) || !text_starts_with(&up->key, prefix))
            break;
        if (!behind || up->completing)
            continue;
        if (count++ == max)
            goto out;
        add_upload(page, up, url);
        text_clear(last_key);
        text_clear(last_id);
        text_append(last_key, &up->key);
        text_puts(last_id, up->id);
    }
    text_clear(last_key);
    text_clear(last_id);
out:
    text_free(&from);
    text_free(&bucket);
}

void op_list_uploads(struct exchange *x)
{
    int url = url_encoding(x);
    int64_t max = exchange_number(x, "max-uploads", PAGE_MAX, 1, INT32_MAX);
    struct text page = { 0 }, last_key = { 0 }, last_id = { 0 }, *out = &x->reply.body;
    const char *why = store_check_bucket(x->server->store, &x->bucket);
    if (url < 0 || max < 0)
        return;
    if (why != NULL) {
        exchange_fail(x, why);
        return;
    }
    max = max > PAGE_MAX ? PAGE_MAX : max;
    walk_uploads(x, uploads_lock(x->server->uploads), max, url, &page, &last_key, &last_id);
    uploads_unlock(x->server->uploads);

    xml_begin(out, "ListMultipartUploadsResult");
    xml_element(out, "Bucket", &x->bucket);
    name_element(out, "KeyMarker", exchange_param(x, "key-marker"), url);
    xml_element(out, "UploadIdMarker", exchange_param(x, "upload-id-marker"));
    name_element(out, "Prefix", exchange_param(x, "prefix"), url);
    if (last_id.len > 0) {
        name_element(out, "NextKeyMarker", &last_key, url);
        xml_element(out, "NextUploadIdMarker", &last_id);
    }
    text_addf(out,
        "%s<MaxUploads>%" PRId64 "</MaxUploads><IsTruncated>%s</IsTruncated>%s"
        "</ListMultipartUploadsResult>",
        url ? "<EncodingType>url</EncodingType>" : "", max, last_id.len > 0 ? "true" : "false",
        text_c(&page));
    text_free(&page);
    text_free(&last_key);
    text_free(&last_id);
}

static void add_part(struct text *out, unsigned number, const struct part *p)
{
    char date[DATE_MAX];
    text_addf(out,
        "<Part><PartNumber>%u</PartNumber><LastModified>%s</LastModified><ETag>&quot;", number,
        date_iso(p->modified_ms, date));
    text_add_hex(out, p->md5, MD5_BYTES);
    text_addf(out, "&quot;</ETag><Size>%" PRIu64 "</Size></Part>", p->size);
}

void op_list_parts(struct exchange *x)
{
    int64_t max = exchange_number(x, "max-parts", PAGE_MAX, 1, INT32_MAX);
    int64_t marker = exchange_number(x, "part-number-marker", 0, 0, INT32_MAX);
    const struct text *id = exchange_param(x, "uploadId");
    struct text page = { 0 }, *out = &x->reply.body;
    bool truncated = false;
    int64_t last = 0;
    if (max < 0 || marker < 0)
        return;
    max = max > PAGE_MAX ? PAGE_MAX : max;
    uploads_lock(x->server->uploads);
    const struct upload *up = upload_find_locked(x->server->uploads, &x->bucket, &x->key, id);
    int64_t left = max;
    for (int64_t n = marker + 1; up != NULL && n < up->part_count && !truncated; n++) {
        if (up->parts[n].serial == 0)
            continue;
        truncated = left-- == 0;
        if (!truncated)
            add_part(&page, (unsigned) (last = n), &up->parts[n]);
    }
    uploads_unlock(x->server->uploads);
    if (up == NULL) {
        exchange_fail(x, "NoSuchUpload");
        goto out;
    }
    xml_begin(out, "ListPartsResult");
    xml_element(out, "Bucket", &x->bucket);
    xml_element(out, "Key", &x->key);
    text_addf(out, "<UploadId>%s</UploadId><PartNumberMarker>%" PRId64 "</PartNumberMarker>",
        id->at, marker);
    if (truncated)
        text_addf(out, "<NextPartNumberMarker>%" PRId64 "</NextPartNumberMarker>", last);
    text_addf(out,
        "<MaxParts>%" PRId64 "</MaxParts><IsTruncated>%s</IsTruncated>%s</ListPartsResult>",
        max, truncated ? "true" : "false", text_c(&page));
out:
    text_free(&page);
}
