/* S3's XML by libxml2: see document.h. What a document means for a request, and how large one
 * may be, others decide. */
#include "document.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "uri.h"

#define DEPTH_MAX 32
#define TAG_BYTES_MAX 65536

struct document {
    xmlDoc *xml;                /* owned */
    xmlNode *root;              /* in xml */
    struct haul_entry *entries; /* owned; their strings stand in xml */
    bool lacks_characters;      /* some were none of XML's and are left out */
};

/* Stops a parse for a reason of ours. libxml2 may call what it has so far well-formed, so the
 * reason is kept where parse_quietly() looks for it. */
static void refuse(xmlParserCtxt *parser, const char *why)
{
    *(const char **) parser->_private = why;
    xmlStopParser(parser);
}

/* What libxml2 found wrong. Not all its functions return that memory ran out. */
struct faults {
    bool out_of_memory, invalid_character, others;
};

static void on_error(void *payload, xmlError *error)
{
    struct faults *f = payload;
    f->out_of_memory |= error->code == XML_ERR_NO_MEMORY;
    if (error->code == XML_ERR_INVALID_CHAR)
        f->invalid_character = true;
    else if (error->level != XML_ERR_WARNING && error->domain != XML_FROM_NAMESPACE)
        f->others = true;
}

/* Before any declaration inside is read: nothing is ever defined, so nothing can expand. */
static void on_doctype(
    void *parser, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
    (void) name, (void) public_id, (void) system_id;
    refuse(parser, "has a DOCTYPE");
}

static void on_element(void *context, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int namespace_count, const xmlChar **namespaces, int attribute_count,
    int defaulted_count, const xmlChar **attributes)
{
    xmlParserCtxt *parser = context;
    if (parser->nodeNr >= DEPTH_MAX)
        refuse(parser, "is nested too deeply");
    else
        xmlSAX2StartElementNs(parser, name, prefix, uri, namespace_count, namespaces,
            attribute_count, defaulted_count, attributes);
}

/* NULL with *refused set, or not: then it is not well-formed. RECOVER, as servers repeat keys
 * in their replies, and a key may hold characters that XML can't; on_error() sees to the rest.
 */
static xmlDoc *parse(const char *data, int len, const char **refused)
{
    xmlParserCtxt *parser = xmlNewParserCtxt();
    if (parser == NULL)
        return NULL;
    parser->_private = refused;
    parser->sax->internalSubset = on_doctype;
    parser->sax->startElementNs = on_element;
    /* Without these, and with CDATA as text, an element's text is one node. */
    parser->sax->comment = NULL;
    parser->sax->processingInstruction = NULL;
    xmlDoc *xml = xmlCtxtReadMemory(parser, data, len, NULL, NULL,
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA |
            XML_PARSE_RECOVER);
    xmlFreeParserCtxt(parser);
    return xml;
}

/* The same, with libxml2's errors caught: it would print some of them on standard error. */
static xmlDoc *parse_quietly(
    const char *data, int len, bool *lacks_characters, struct haul_error *err)
{
    struct faults faults = { 0 };
    const char *refused = NULL;
    xmlStructuredErrorFunc before = xmlStructuredError; /* this thread's */
    void *payload_before = xmlStructuredErrorContext;
    xmlSetStructuredErrorFunc(&faults, on_error);
    xmlDoc *xml = parse(data, len, &refused);
    xmlSetStructuredErrorFunc(payload_before, before);

    *lacks_characters = faults.invalid_character;
    if (faults.out_of_memory)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a reply");
    else if (refused != NULL)
        haul_error_set(err, HAUL_BAD_REPLY, "the reply's XML %s", refused);
    else if (faults.others || xml == NULL || xmlDocGetRootElement(xml) == NULL)
        haul_error_set(err, HAUL_BAD_REPLY, "the reply is not well-formed XML");
    else
        return xml;
    xmlFreeDoc(xml);
    return NULL;
}

/* What must not get to libxml2: it would read on behind a NUL, and its check that no attribute
 * comes twice takes time with the square of their number. */
static const char *fault_of(const char *data, size_t len)
{
    const char *end = data + len;
    if (memchr(data, '\0', len) != NULL)
        return "has a NUL";
    for (const char *tag = memchr(data, '<', len); tag != NULL;
         tag = memchr(tag, '<', (size_t) (end - tag))) {
        const char *closed = memchr(tag, '>', (size_t) (end - tag));
        if (closed == NULL || closed - tag > TAG_BYTES_MAX)
            return "has a tag without end";
        tag = closed;
    }
    return NULL;
}

struct document *document_parse(const char *data, size_t len, struct haul_error *err)
{
    for (; len > 0 && memchr(" \t\r\n", *data, 4) != NULL; len--)
        data++;
    if (len == 0 || len > INT_MAX) {
        haul_error_set(
            err, HAUL_BAD_REPLY, "the reply's XML is %s", len == 0 ? "missing" : "too long");
        return NULL;
    }
    const char *fault = fault_of(data, len);
    if (fault != NULL) {
        haul_error_set(err, HAUL_BAD_REPLY, "the reply's XML %s", fault);
        return NULL;
    }
    struct document *d = calloc(1, sizeof *d);
    if (d == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a reply");
        return NULL;
    }
    d->xml = parse_quietly(data, (int) len, &d->lacks_characters, err);
    if (d->xml == NULL) {
        document_free(d);
        return NULL;
    }
    d->root = xmlDocGetRootElement(d->xml);
    return d;
}

void document_free(struct document *d)
{
    if (d == NULL)
        return;
    free(d->entries);
    xmlFreeDoc(d->xml);
    free(d);
}

const char *document_root(const struct document *d)
{
    return (const char *) d->root->name;
}

static bool is_named(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *) node->name, name) == 0;
}

static xmlNode *child(const xmlNode *parent, const char *name)
{
    xmlNode *node = parent->children;
    while (node != NULL && !is_named(node, name))
        node = node->next;
    return node;
}

static const char *child_text(const xmlNode *parent, const char *name)
{
    const xmlNode *node = child(parent, name);
    if (node == NULL)
        return NULL;
    const xmlNode *text = node->children;
    return text == NULL || text->content == NULL ? "" : (const char *) text->content;
}

const char *document_text(const struct document *d, const char *name)
{
    return child_text(d->root, name);
}

/* The text of a child that EncodingType speaks of. *out is NULL when it is missing. S3 encodes
 * as HTML forms do: a space is "+", and a plus is "%2B". */
static int child_name(const xmlNode *parent, const char *name, bool is_encoded,
    const char **out, struct haul_error *err)
{
    const char *given = child_text(parent, name);
    if (given == NULL || !is_encoded || strpbrk(given, "%+") == NULL) {
        *out = given;
        return 0;
    }
    /* Not in place: libxml2 keeps short equal texts once for all nodes. */
    xmlChar *copy = xmlStrdup((const xmlChar *) given);
    if (copy == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a listing");
    for (char *c = (char *) copy; (c = strchr(c, '+')) != NULL;)
        *c = ' ';
    if (uri_decode((char *) copy) < 0) {
        xmlFree(copy);
        return haul_error_set(err, HAUL_BAD_REPLY, "the listing's %s is not URL-encoded", name);
    }
    xmlNode *text = child(parent, name)->children;
    xmlNodeSetContent(text, NULL); /* frees what was there, if it was the node's own */
    text->content = copy;
    *out = (const char *) copy;
    return 0;
}

/* 0 when it is missing. */
static int child_number(const xmlNode *parent, const char *name, uint64_t max, uint64_t *out,
    struct haul_error *err)
{
    const char *text = child_text(parent, name);
    uint64_t number = 0;
    if (text == NULL)
        text = "0";
    size_t digits = strspn(text, "0123456789");
    bool ok = digits > 0 && text[digits] == '\0';
    for (; ok && *text != '\0'; text++)
        ok = !__builtin_mul_overflow(number, 10, &number) &&
             !__builtin_add_overflow(number, (unsigned) (*text - '0'), &number);
    if (!ok || number > max)
        return haul_error_set(err, HAUL_BAD_REPLY, "the listing's %s is not a number", name);
    *out = number;
    return 0;
}

/* What each kind of listing is made of, and what its rows can't do without. */
static const struct layout {
    const char *root, *row, *marker;
    bool has_key, has_upload_id, has_part_number;
} layouts[] = {
    { "ListBucketResult", "Contents", "NextContinuationToken", .has_key = true },
    { "ListPartsResult", "Part", "NextPartNumberMarker", .has_part_number = true },
    { "ListMultipartUploadsResult", "Upload", "NextKeyMarker", .has_key = true,
        .has_upload_id = true },
};

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

static int read_entry(const xmlNode *row, const struct layout *layout, bool is_encoded,
    struct haul_entry *e, struct haul_error *err)
{
    uint64_t part_number;
    if (child_name(row, "Key", is_encoded, &e->key, err) < 0 ||
        child_number(row, "Size", UINT64_MAX, &e->size, err) < 0 ||
        child_number(row, "PartNumber", UINT_MAX, &part_number, err) < 0)
        return -1;
    const char *time = child_text(row, "LastModified");
    if (time == NULL)
        time = child_text(row, "Initiated");
    e->modified_ms = time == NULL ? -1 : document_time_ms(time);
    e->etag = child_text(row, "ETag");
    e->upload_id = child_text(row, "UploadId");
    e->part_number = (unsigned) part_number;
    if ((layout->has_key && !is_given(e->key)) ||
        (layout->has_part_number && part_number == 0) ||
        (layout->has_upload_id && !is_given(e->upload_id)))
        return haul_error_set(err, HAUL_BAD_REPLY, "the listing has a %s without its %s",
            layout->row, layout->has_part_number ? "number" : "name");
    return 0;
}

static int read_entries(struct document *d, const struct layout *layout, bool is_encoded,
    size_t *count, struct haul_error *err)
{
    size_t n = 0;
    for (const xmlNode *node = d->root->children; node != NULL; node = node->next)
        n += is_named(node, layout->row);
    d->entries = calloc(n + 1, sizeof *d->entries);
    if (d->entries == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a listing");
    struct haul_entry *e = d->entries;
    for (const xmlNode *node = d->root->children; node != NULL; node = node->next)
        if (is_named(node, layout->row) && read_entry(node, layout, is_encoded, e++, err) < 0)
            return -1;
    *count = n;
    return 0;
}

int document_listing(struct document *d, struct haul_listing *out, struct haul_error *err)
{
    const struct layout *layout = layouts, *end = layouts + sizeof layouts / sizeof layouts[0];
    while (layout < end && !is_named(d->root, layout->root))
        layout++;
    if (layout == end)
        return haul_error_set(
            err, HAUL_BAD_REPLY, "the reply is no listing but <%s>", document_root(d));
    if (d->lacks_characters && layout->has_key)
        return haul_error_set(
            err, HAUL_BAD_REPLY, "the listing has characters that XML can't have");

    const char *encoding = document_text(d, "EncodingType");
    bool is_encoded = encoding != NULL && strcmp(encoding, "url") == 0;
    const char *truncated = document_text(d, "IsTruncated");
    struct haul_listing l = {
        .truncated = truncated != NULL && strcmp(truncated, "true") == 0,
        .continuation = document_text(d, "NextContinuationToken"),
        .next_id = document_text(d, "NextUploadIdMarker"),
    };
    uint64_t next_part;
    if (child_name(d->root, "NextKeyMarker", is_encoded, &l.next_key, err) < 0 ||
        child_number(d->root, "NextPartNumberMarker", UINT_MAX, &next_part, err) < 0 ||
        read_entries(d, layout, is_encoded, &l.count, err) < 0)
        return -1;
    l.next_part = (unsigned) next_part;
    l.entries = d->entries;
    if (l.truncated && (layout->has_part_number ? next_part == 0
                                                : !is_given(document_text(d, layout->marker))))
        return haul_error_set(
            err, HAUL_BAD_REPLY, "the listing is truncated but has no %s", layout->marker);
    *out = l;
    return 0;
}

static void add_escaped(struct buf *b, const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '&':
            buf_adds(b, "&amp;");
            break;
        case '<':
            buf_adds(b, "&lt;");
            break;
        case '>':
            buf_adds(b, "&gt;");
            break;
        default:
            buf_add(b, text, 1);
        }
}

void document_add_complete(struct buf *b, const struct haul_part *parts, size_t count)
{
    buf_adds(b, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < count; i++) {
        buf_addf(b, "<Part><PartNumber>%u</PartNumber><ETag>", parts[i].number);
        add_escaped(b, parts[i].etag);
        buf_adds(b, "</ETag></Part>");
    }
    buf_adds(b, "</CompleteMultipartUpload>");
}

/* Does the text begin as the picture does, where 0 stands for any digit? */
static bool looks_like(const char *text, const char *picture)
{
    for (; *picture != '\0'; picture++, text++)
        if (*picture == '0' ? *text < '0' || *text > '9' : *text != *picture)
            return false;
    return true;
}

int64_t document_time_ms(const char *text)
{
    struct tm t = { 0 };
    if (!looks_like(text, "0000-00-00T00:00:00"))
        return -1;
    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
        &t.tm_min, &t.tm_sec);
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    struct tm given = t;
    int64_t seconds = timegm(&t); /* which turns 31 June into 1 July */
    if (t.tm_mon != given.tm_mon || t.tm_mday != given.tm_mday || t.tm_hour != given.tm_hour ||
        t.tm_min != given.tm_min || t.tm_sec != given.tm_sec)
        return -1;

    const char *at = text + strlen("0000-00-00T00:00:00");
    int ms = 0;
    if (*at == '.') {
        size_t digits = strspn(++at, "0123456789");
        if (digits == 0)
            return -1;
        for (size_t i = 0; i < 3; i++)
            ms = ms * 10 + (i < digits ? at[i] - '0' : 0);
        at += digits;
    }
    return strcmp(at, "Z") == 0 && seconds >= 0 ? seconds * 1000 + ms : -1;
}
