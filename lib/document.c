/* S3's XML by libxml2: see document.h. What a document means for a request, and how large one
 * may be, others decide. */
#include "document.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "uri.h"

#define DEPTH_MAX 32
#define TAG_BYTES_MAX 65536

struct document {
    xmlDoc *xml;           /* owned */
    void *rows;            /* owned: what document_allot() gave */
    bool lacks_characters; /* some were none of XML's and are left out */
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
    return d;
}

void document_free(struct document *d)
{
    if (d == NULL)
        return;
    free(d->rows);
    xmlFreeDoc(d->xml);
    free(d);
}

bool document_lacks_characters(const struct document *d)
{
    return d->lacks_characters;
}

void *document_allot(struct document *d, size_t count, size_t size)
{
    free(d->rows);
    d->rows = calloc(count + 1, size);
    return d->rows;
}

/* An element is a node of libxml2's, which others never see. */
static const struct element *as_element(const xmlNode *node)
{
    return (const struct element *) (const void *) node;
}

static const xmlNode *as_node(const struct element *e)
{
    return (const xmlNode *) (const void *) e;
}

static const struct element *element_from(const xmlNode *node)
{
    while (node != NULL && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return as_element(node);
}

const struct element *document_element(const struct document *d)
{
    return as_element(xmlDocGetRootElement(d->xml));
}

const struct element *element_first(const struct element *parent)
{
    return element_from(as_node(parent)->children);
}

const struct element *element_next(const struct element *e)
{
    return element_from(as_node(e)->next);
}

const char *element_name(const struct element *e)
{
    return (const char *) as_node(e)->name;
}

bool element_is(const struct element *e, const char *name)
{
    return strcmp(element_name(e), name) == 0;
}

const struct element *element_child(const struct element *parent, const char *name)
{
    const struct element *e = element_first(parent);
    while (e != NULL && !element_is(e, name))
        e = element_next(e);
    return e;
}

const char *element_text(const struct element *parent, const char *name)
{
    const struct element *e = element_child(parent, name);
    if (e == NULL)
        return NULL;
    const xmlNode *text = as_node(e)->children;
    return text == NULL || text->content == NULL ? "" : (const char *) text->content;
}

const char *document_root(const struct document *d)
{
    return element_name(document_element(d));
}

const char *document_text(const struct document *d, const char *name)
{
    return element_text(document_element(d), name);
}

int element_decode(const struct element *parent, const char *name, struct haul_error *err)
{
    const char *given = element_text(parent, name);
    if (given == NULL || strpbrk(given, "%+") == NULL)
        return 0;
    /* Not in place: libxml2 keeps short equal texts once for all nodes. */
    size_t size = strlen(given) + 1;
    xmlChar *copy = xmlMalloc(size); /* xmlStrdup() prints that there is no memory */
    if (copy == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a listing");
    memcpy(copy, given, size);
    for (char *c = (char *) copy; (c = strchr(c, '+')) != NULL;)
        *c = ' ';
    if (uri_decode((char *) copy) < 0) {
        xmlFree(copy);
        if (strstr(given, "%00") != NULL)
            return haul_error_set(err, HAUL_BAD_REPLY,
                "the listing's %s has a NUL byte, remove or rename it: %s", name, given);
        return haul_error_set(err, HAUL_BAD_REPLY, "the listing's %s is not URL-encoded", name);
    }
    xmlNode *text = as_node(element_child(parent, name))->children;
    xmlNodeSetContent(text, NULL); /* frees what was there, if it was the node's own */
    text->content = copy;
    return 0;
}
