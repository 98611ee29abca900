/* Reading tags, their limits, and the three operations on those of an object. */
#include "tags.h"

#include "kept.h"
#include "operations.h"
#include "xml.h"

#include <string.h>

enum { TAGS_MAX = 10, NAME_MAX_BYTES = 128, VALUE_MAX_BYTES = 256 };

static const char tagging[] = "x-amz-tagging";

/* Reads the tag at *at into `name` and `value` and steps behind it. Whether there was one. */
static bool next_tag(const char **at, struct text *name, struct text *value)
{
    size_t len = strcspn(*at, "&"), name_len = strcspn(*at, "=&");
    if (len == 0)
        return false;
    text_clear(name);
    text_clear(value);
    text_add_unpercent(name, *at, name_len, true);
    if (name_len < len)
        text_add_unpercent(value, *at + name_len + 1, len - name_len - 1, true);
    *at += len + ((*at)[len] == '&');
    return true;
}

unsigned tags_count(const char *encoded)
{
    struct text name = { 0 }, value = { 0 };
    unsigned count = 0;
    while (next_tag(&encoded, &name, &value))
        count++;
    text_free(&name);
    text_free(&value);
    return count;
}

const char *tags_refuse(const char *encoded)
{
    struct text name[TAGS_MAX + 1] = { 0 }, value = { 0 };
    const char *why = NULL;
    unsigned count = 0;
    while (encoded != NULL && count <= TAGS_MAX && next_tag(&encoded, &name[count], &value)) {
        if (name[count].len == 0 || name[count].len > NAME_MAX_BYTES ||
            value.len > VALUE_MAX_BYTES)
            why = "InvalidTag";
        for (unsigned i = 0; i < count; i++)
            if (text_compare(&name[i], &name[count]) == 0)
                why = "InvalidTag";
        count++;
    }
    if (count > TAGS_MAX)
        why = "BadRequest";
    for (unsigned i = 0; i < count; i++)
        text_free(&name[i]);
    text_free(&value);
    return why;
}

static const char *find(struct exchange *x, struct object *o)
{
    return store_find(
        x->server->store, &x->bucket, &x->key, exchange_param(x, "versionId"), o, NULL);
}

void op_get_tagging(struct exchange *x)
{
    struct text *out = &x->reply.body, all = { 0 }, name = { 0 }, value = { 0 };
    struct object o = { 0 };
    if (!exchange_passes(x, find(x, &o)))
        goto out;
    set_version(x, &o);
    xml_begin(out, "Tagging");
    text_puts(out, "<TagSet>");
    kept_get(&o.kept, tagging, &all);
    for (const char *at = text_c(&all); next_tag(&at, &name, &value);) {
        text_puts(out, "<Tag>");
        xml_element(out, "Key", &name);
        xml_element(out, "Value", &value);
        text_puts(out, "</Tag>");
    }
    text_puts(out, "</TagSet></Tagging>");
out:
    object_free(&o);
    text_free(&all);
    text_free(&name);
    text_free(&value);
}

/* Replaces the object's tags by these, or by none when that is empty. */
static void set_tags(struct exchange *x, const struct text *encoded)
{
    struct object o = { 0 };
    struct text kept = { 0 };
    const char *why = find(x, &o);
    if (why == NULL) {
        kept_copy(&o.kept, ~(unsigned) KEPT_TAGS, &kept);
        if (encoded->len > 0)
            text_addf(&kept, "%s: %s\r\n", tagging, encoded->at);
        text_free(&o.kept);
        o.kept = kept;
        why = store_set_kept(x->server->store, &x->bucket, &x->key, &o);
    }
    if (exchange_passes(x, why))
        set_version(x, &o);
    object_free(&o);
}

void op_delete_tagging(struct exchange *x)
{
    static const struct text none;
    set_tags(x, &none);
    if (x->reply.code == NULL)
        x->reply.status = 204;
}

/* The document's tags as x-amz-tagging has them. -1: it is none. */
static int read_document(const struct text *content, struct text *encoded)
{
    struct xml *doc = xml_read(content, "Tagging");
    const struct xml_node *set = doc != NULL ? xml_child(xml_root(doc), "TagSet", NULL) : NULL;
    int rc = set != NULL ? 0 : -1;
    for (const struct xml_node *tag = NULL; rc == 0 && (tag = xml_child(set, "Tag", tag));) {
        struct text name = { 0 }, value = { 0 };
        if (!xml_value(tag, "Key", &name) || !xml_value(tag, "Value", &value))
            rc = -1;
        text_puts(encoded, encoded->len > 0 ? "&" : "");
        text_add_percent(encoded, &name, "");
        text_puts(encoded, "=");
        text_add_percent(encoded, &value, "");
        text_free(&name);
        text_free(&value);
    }
    xml_free(doc);
    return rc;
}

void op_put_tagging(struct exchange *x)
{
    struct text content = { 0 }, encoded = { 0 };
    if (exchange_body_text(x, &content) < 0)
        goto out;
    const char *why =
        read_document(&content, &encoded) < 0 ? "MalformedXML" : tags_refuse(text_c(&encoded));
    if (exchange_passes(x, why))
        set_tags(x, &encoded);
out:
    text_free(&content);
    text_free(&encoded);
}
