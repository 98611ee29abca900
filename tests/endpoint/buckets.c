/* The operations on buckets. */
#include "operations.h"

#include "xml.h"

#include <string.h>

/* Has no name as a location, and takes buckets for all others. */
static const char first_region[] = "us-east-1";

void op_list_buckets(struct exchange *x)
{
    struct text *out = &x->reply.body;
    char date[DATE_MAX];
    xml_begin(out, "ListAllMyBucketsResult");
    text_addf(out, "<Owner><ID>%s</ID></Owner><Buckets>", x->server->owner);
    const struct skiplist *buckets = store_lock_buckets(x->server->store);
    for (const struct skipnode *n = buckets->first[0]; n != NULL; n = n->next[0])
        text_addf(out, "<Bucket><Name>%s</Name><CreationDate>%s</CreationDate></Bucket>",
            text_c(&n->key), date_iso(((const struct bucket *) n->item)->created_ms, date));
    store_unlock(x->server->store);
    text_puts(out, "</Buckets></ListAllMyBucketsResult>");
}

/* Where the bucket shall live: LocationConstraint, which an empty body leaves to us. NULL:
 * fine.
 */
static const char *read_location(
    const struct exchange *x, const struct text *content, struct settings *out)
{
    const char *ours = x->server->keys.region;
    bool anywhere = strcmp(ours, first_region) == 0;
    struct text region = { 0 };
    const char *why = NULL;
    struct xml *doc = content->len > 0 ? xml_read(content, "CreateBucketConfiguration") : NULL;
    if (doc != NULL)
        xml_value(xml_root(doc), "LocationConstraint", &region);
    if (content->len > 0 && doc == NULL)
        why = "MalformedXML";
    else if (region.len >= REGION_MAX || strcmp(text_c(&region), first_region) == 0)
        why = "InvalidLocationConstraint";
    else if (!anywhere && strcmp(text_c(&region), ours) != 0)
        why = "IllegalLocationConstraintException";
    else if (anywhere)
        memcpy(out->region, text_c(&region), region.len + 1);
    xml_free(doc);
    text_free(&region);
    return why;
}

void op_create_bucket(struct exchange *x)
{
    struct text content = { 0 };
    struct settings settings = { 0 };
    if (exchange_body_text(x, &content) == 0 &&
        exchange_passes(x, read_location(x, &content, &settings)) &&
        exchange_passes(x, store_create_bucket(x->server->store, &x->bucket, &settings)))
        text_addf(&x->reply.headers, "Location: /%s\r\n", text_c(&x->bucket));
    text_free(&content);
}

static const char *region_of(const struct exchange *x, const struct settings *settings)
{
    return *settings->region != '\0' ? settings->region : x->server->keys.region;
}

void op_head_bucket(struct exchange *x)
{
    struct settings settings = { 0 };
    if (exchange_passes(x, store_settings(x->server->store, &x->bucket, &settings)))
        text_addf(&x->reply.headers, "x-amz-bucket-region: %s\r\n", region_of(x, &settings));
}

void op_get_bucket_location(struct exchange *x)
{
    struct settings settings = { 0 };
    if (!exchange_passes(x, store_settings(x->server->store, &x->bucket, &settings)))
        return;
    const char *region = region_of(x, &settings);
    xml_begin(&x->reply.body, "LocationConstraint");
    text_addf(&x->reply.body, "%s</LocationConstraint>",
        strcmp(region, first_region) == 0 ? "" : region);
}

void op_delete_bucket(struct exchange *x)
{
    if (!exchange_passes(x, store_delete_bucket(x->server->store, &x->bucket)))
        return;
    uploads_drop_bucket(x->server->uploads, &x->bucket);
    x->reply.status = 204;
}
