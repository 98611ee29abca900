/* ListObjectsV2: the keys in byte order, page by page. */
#include "operations.h"

#include "kept.h"
#include "page.h"
#include "xml.h"

#include <inttypes.h>

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

/* `from` becomes where the page begins: a token is the key to go on at, in hex; start-after is
 * the key before it. */
static int page_start(struct exchange *x, const struct page *p, struct text *from)
{
    const struct text *token = exchange_param(x, "continuation-token");
    const struct text *after = exchange_param(x, "start-after");
    if (token->len > 0 && text_add_unhex(from, token->at, token->len) < 0) {
        exchange_fail(x, "InvalidArgument");
        return -1;
    }
    if (token->len == 0 && after->len > 0) {
        text_append(from, after);
        text_add(from, "", 1);
    }
    if (text_compare(from, p->prefix) < 0) {
        text_clear(from);
        text_append(from, p->prefix);
    }
    return 0;
}

static void add_object(struct page *p, const struct text *key, const struct object *o)
{
    struct sums_plan plan = sums_plan_of(&o->kept);
    struct text class = { 0 };
    char date[DATE_MAX];
    text_puts(&p->rows, "<Contents>");
    page_name(p, &p->rows, "Key", key);
    text_addf(&p->rows,
        "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag><Size>%" PRIu64
        "</Size><StorageClass>%s</StorageClass>",
        date_iso(o->modified_ms, date), o->etag, o->size, kept_storage_class(&o->kept, &class));
    sums_add_plan(&p->rows, &plan);
    text_puts(&p->rows, "</Contents>");
    text_free(&class);
}

/* Fills the page from the first key that is not below `from`; `next` becomes the key at which
 * the next page begins, and stays empty when this was the last. */
static void fill_page(
    struct page *p, const struct skiplist *objects, struct text *from, struct text *next)
{
    struct text common = { 0 };
    struct skipnode *n = p->max > 0 ? skiplist_seek(objects, from) : NULL;
    while (n != NULL && text_starts_with(&n->key, p->prefix)) {
        const struct object *o = n->item;
        if (o->is_marker) {
            n = n->next[0];
        } else if (p->count == p->max) {
            text_append(next, &n->key);
            break;
        } else if (page_common(p, &n->key, &common)) {
            page_add_prefix(p, &common);
            p->count++;
            after_prefix(from, &common);
            n = from->len > 0 ? skiplist_seek(objects, from) : NULL;
        } else {
            add_object(p, &n->key, o);
            p->count++;
            n = n->next[0];
        }
    }
    text_free(&common);
}

static void write_list(struct exchange *x, const struct page *p, const struct text *next)
{
    struct text *out = &x->reply.body;
    xml_begin(out, "ListBucketResult");
    xml_element(out, "Name", &x->bucket);
    if (exchange_param(x, "start-after")->len > 0)
        page_name(p, out, "StartAfter", exchange_param(x, "start-after"));
    if (exchange_param(x, "continuation-token")->len > 0)
        xml_element(out, "ContinuationToken", exchange_param(x, "continuation-token"));
    text_addf(out, "<KeyCount>%" PRId64 "</KeyCount>", p->count);
    if (next->len > 0) {
        text_puts(out, "<NextContinuationToken>");
        text_add_hex(out, next->at, next->len);
        text_puts(out, "</NextContinuationToken>");
    }
    page_write(x, p, "MaxKeys", next->len > 0);
    text_puts(out, "</ListBucketResult>");
}

void op_list_objects(struct exchange *x)
{
    struct page p;
    struct text from = { 0 }, next = { 0 };
    if (page_begin(x, &p, "max-keys", 0) < 0 || page_start(x, &p, &from) < 0)
        goto out;
    const struct skiplist *objects = store_lock_objects(x->server->store, &x->bucket);
    if (objects != NULL)
        fill_page(&p, objects, &from, &next);
    store_unlock(x->server->store);
    if (exchange_passes(x, objects != NULL ? NULL : "NoSuchBucket"))
        write_list(x, &p, &next);
out:
    page_free(&p);
    text_free(&from);
    text_free(&next);
}
