/* The versions of a bucket's objects: whether it has any, and their listing. */
#include "operations.h"

#include "kept.h"
#include "page.h"
#include "xml.h"

#include <inttypes.h>
#include <string.h>

static const char *const states[] = {
    [VERSIONING_NEVER] = "", /* S3 can't go back to it */
    [VERSIONING_ENABLED] = "Enabled",
    [VERSIONING_SUSPENDED] = "Suspended",
};

void op_get_versioning(struct exchange *x)
{
    struct settings settings = { 0 };
    struct text *out = &x->reply.body;
    if (!exchange_passes(x, store_settings(x->server->store, &x->bucket, &settings)))
        return;
    xml_begin(out, "VersioningConfiguration");
    if (settings.versioning != VERSIONING_NEVER)
        text_addf(out, "<Status>%s</Status>", states[settings.versioning]);
    text_puts(out, "</VersioningConfiguration>");
}

void op_put_versioning(struct exchange *x)
{
    struct settings settings = { 0 };
    struct text content = { 0 }, status = { 0 };
    struct xml *doc = NULL;
    if (exchange_body_text(x, &content) < 0 ||
        !exchange_passes(x, store_settings(x->server->store, &x->bucket, &settings)))
        goto out;
    doc = xml_read(&content, "VersioningConfiguration");
    if (doc != NULL)
        xml_value(xml_root(doc), "Status", &status);
    settings.versioning = VERSIONING_SUSPENDED;
    while (settings.versioning != VERSIONING_NEVER &&
           strcmp(states[settings.versioning], text_c(&status)) != 0)
        settings.versioning--;
    if (exchange_passes(x, settings.versioning == VERSIONING_NEVER ? "MalformedXML" : NULL))
        exchange_passes(x, store_set_settings(x->server->store, &x->bucket, &settings));
out:
    xml_free(doc);
    text_free(&content);
    text_free(&status);
}

/* The last row of a page: where the next one goes on. */
struct last {
    struct text key;
    const char *version; /* "": all of the key, or of the common prefix */
    bool more;
};

static void add_version(
    struct page *p, const struct text *key, const struct object *o, bool newest)
{
    const char *element = o->is_marker ? "DeleteMarker" : "Version";
    struct text class = { 0 };
    char date[DATE_MAX];
    text_addf(&p->rows, "<%s>", element);
    page_name(p, &p->rows, "Key", key);
    text_addf(&p->rows,
        "<VersionId>%s</VersionId><IsLatest>%s</IsLatest><LastModified>%s</LastModified>",
        o->version, newest ? "true" : "false", date_iso(o->modified_ms, date));
    if (!o->is_marker)
        text_addf(&p->rows,
            "<ETag>&quot;%s&quot;</ETag><Size>%" PRIu64
            "</Size><StorageClass>%s</StorageClass>",
            o->etag, o->size, kept_storage_class(&o->kept, &class));
    text_addf(&p->rows, "</%s>", element);
    text_free(&class);
}

/* Whether there is room for one more; if not, the page ends here. */
static bool takes(struct page *p, struct last *last)
{
    last->more = p->count == p->max;
    p->count += !last->more;
    return !last->more;
}

/* The first version of the key that lies behind the markers; NULL: none does. */
static const struct object *first_behind(
    const struct exchange *x, const struct text *key, const struct object *newest)
{
    const struct text *marker = exchange_param(x, "key-marker");
    const struct text *id = exchange_param(x, "version-id-marker");
    if (text_compare(key, marker) != 0)
        return newest;
    const struct object *o = id->len > 0 ? newest : NULL;
    while (o != NULL && strcmp(o->version, id->at) != 0)
        o = o->older;
    return o != NULL ? o->older : NULL;
}

static void fill_page(
    struct exchange *x, struct page *p, const struct skiplist *objects, struct last *last)
{
    const struct text *marker = exchange_param(x, "key-marker");
    struct text common = { 0 };
    const struct skipnode *n =
        skiplist_seek(objects, text_compare(marker, p->prefix) > 0 ? marker : p->prefix);
    for (; n != NULL && text_starts_with(&n->key, p->prefix) && !last->more; n = n->next[0]) {
        const struct object *o = first_behind(x, &n->key, n->item);
        bool rolled = page_common(p, &n->key, &common);
        const struct text *name = rolled ? &common : &n->key;
        if (rolled &&
            (text_compare(&common, marker) == 0 || text_compare(&common, &last->key) == 0))
            continue;
        while (o != NULL && takes(p, last)) {
            if (rolled)
                page_add_prefix(p, &common);
            else
                add_version(p, &n->key, o, o == n->item);
            text_clear(&last->key);
            text_append(&last->key, name);
            last->version = rolled ? "" : o->version;
            o = rolled ? NULL : o->older;
        }
    }
    text_free(&common);
}

void op_list_versions(struct exchange *x)
{
    struct page p;
    struct last last = { .version = "" };
    struct text *out = &x->reply.body;
    if (page_begin(x, &p, "max-keys", 1) < 0)
        goto out;
    const struct skiplist *objects = store_lock_objects(x->server->store, &x->bucket);
    if (objects != NULL)
        fill_page(x, &p, objects, &last);
    xml_begin(out, "ListVersionsResult");
    xml_element(out, "Name", &x->bucket);
    page_name(&p, out, "KeyMarker", exchange_param(x, "key-marker"));
    xml_element(out, "VersionIdMarker", exchange_param(x, "version-id-marker"));
    if (last.more) {
        page_name(&p, out, "NextKeyMarker", &last.key);
        text_addf(out, "<NextVersionIdMarker>%s</NextVersionIdMarker>", last.version);
    }
    page_write(x, &p, "MaxKeys", last.more);
    text_puts(out, "</ListVersionsResult>");
    store_unlock(x->server->store);
    exchange_passes(x, objects != NULL ? NULL : "NoSuchBucket");
out:
    page_free(&p);
    text_free(&last.key);
}
