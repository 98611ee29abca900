/* DeleteObjects: a document of keys, a document of what became of each. */
#include "operations.h"

#include "errors.h"
#include "xml.h"

#include <string.h>

enum { DELETE_MAX = 1000 };

/* Whether the script keeps this key from going. */
static bool is_denied(const struct exchange *x, const struct text *key)
{
    struct text part = { 0 };
    text_add_unpercent(&part, x->play.deny_key, strlen(x->play.deny_key), false);
    bool denied = part.len > 0 && memmem(key->at, key->len, part.at, part.len) != NULL;
    text_free(&part);
    return denied;
}

static void write_error(
    struct exchange *x, const struct text *key, const struct text *version, const char *code)
{
    struct text *out = &x->reply.body;
    text_puts(out, "<Error>");
    xml_element(out, "Key", key);
    if (version->len > 0)
        xml_element(out, "VersionId", version);
    text_addf(out, "<Code>%s</Code><Message>%s</Message></Error>", code, error_message(code));
}

static void write_deleted(struct exchange *x, const struct text *key,
    const struct text *version, const struct object *gone)
{
    struct text *out = &x->reply.body;
    text_puts(out, "<Deleted>");
    xml_element(out, "Key", key);
    if (version->len > 0)
        xml_element(out, "VersionId", version);
    if (gone->is_marker)
        text_addf(out,
            "<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>%s</"
            "DeleteMarkerVersionId>",
            gone->version);
    text_puts(out, "</Deleted>");
}

static void delete_one(struct exchange *x, const struct xml_node *node, bool quiet)
{
    static const struct conditions none = CONDITIONS_NONE;
    struct text key = { 0 }, version = { 0 };
    struct object gone = { 0 };
    const char *why = "AccessDenied";
    xml_value(node, "Key", &key);
    xml_value(node, "VersionId", &version);
    if (!is_denied(x, &key))
        why = store_delete(x->server->store, &x->bucket, &key, &version, &none, &gone);
    else if (*x->play.code != '\0')
        why = x->play.code;
    if (why != NULL)
        write_error(x, &key, &version, why);
    else if (!quiet)
        write_deleted(x, &key, &version, &gone);
    object_free(&gone);
    text_free(&key);
    text_free(&version);
}

/* NULL: 1 to 1,000 <Object>s that each have a key. */
static const char *refuse_document(const struct xml *doc)
{
    const struct xml_node *node = NULL;
    unsigned count = 0;
    while (doc != NULL && (node = xml_child(xml_root(doc), "Object", node)) != NULL) {
        struct text key = { 0 };
        xml_value(node, "Key", &key);
        bool named = key.len > 0 && key.len <= KEY_MAX_BYTES;
        text_free(&key);
        if (!named || ++count > DELETE_MAX)
            return "MalformedXML";
    }
    return count > 0 ? NULL : "MalformedXML";
}

void op_delete_objects(struct exchange *x)
{
    struct text content = { 0 }, quiet = { 0 };
    struct xml *doc = NULL;
    const struct xml_node *node = NULL;
    bool summed =
        request_header(x->request, "Content-MD5") != NULL || x->integrity.kind != DIGEST_NONE;
    if (exchange_body_text(x, &content) < 0 ||
        !exchange_passes(x, summed ? NULL : "InvalidRequest"))
        goto out;
    doc = xml_read(&content, "Delete");
    if (!exchange_passes(x, refuse_document(doc)) ||
        !exchange_passes(x, store_check_bucket(x->server->store, &x->bucket)))
        goto out;
    xml_value(xml_root(doc), "Quiet", &quiet);
    xml_begin(&x->reply.body, "DeleteResult");
    while ((node = xml_child(xml_root(doc), "Object", node)) != NULL)
        delete_one(x, node, strcmp(text_c(&quiet), "true") == 0);
    text_puts(&x->reply.body, "</DeleteResult>");
out:
    xml_free(doc);
    text_free(&content);
    text_free(&quiet);
}
