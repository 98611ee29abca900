/* The operations on buckets. */
#include "operations.h"

#include "xml.h"

#include <string.h>

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
        exchange_passes(
            x, store_create_bucket(x->server->store, &x->bucket, &(struct settings){ 0 })))
        text_addf(&x->reply.headers, "Location: /%s\r\n", text_c(&x->bucket));
    text_free(&location);
}

void op_head_bucket(struct exchange *x)
{
    if (exchange_passes(x, store_check_bucket(x->server->store, &x->bucket)))
        text_addf(&x->reply.headers, "x-amz-bucket-region: %s\r\n", x->server->keys.region);
}

void op_get_bucket_location(struct exchange *x)
{
    const char *region = x->server->keys.region;
    if (!exchange_passes(x, store_check_bucket(x->server->store, &x->bucket)))
        return;
    xml_begin(&x->reply.body, "LocationConstraint");
    text_addf(&x->reply.body, "%s</LocationConstraint>",
        strcmp(region, "us-east-1") == 0 ? "" : region);
}

void op_delete_bucket(struct exchange *x)
{
    if (!exchange_passes(x, store_delete_bucket(x->server->store, &x->bucket)))
        return;
    uploads_drop_bucket(x->server->uploads, &x->bucket);
    x->reply.status = 204;
}
