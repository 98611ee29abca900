/* The only file that knows libxml2. A document is an xmlDoc and a node an xmlNode under names
 * of our own. */
#include "xml.h"

#include <libxml/parser.h>

void xml_begin(struct text *out, const char *root)
{
    text_addf(out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
        root);
}

void xml_element(struct text *out, const char *name, const struct text *value)
{
    text_addf(out, "<%s>", name);
    text_add_xml(out, value);
    text_addf(out, "</%s>", name);
}

struct xml *xml_read(const struct text *content, const char *root)
{
    xmlDoc *doc = xmlReadMemory(text_c(content), (int) content->len, "request.xml", NULL,
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const xmlNode *top = doc != NULL ? xmlDocGetRootElement(doc) : NULL;
    if (top != NULL && xmlStrEqual(top->name, BAD_CAST root))
        return (struct xml *) doc;
    xmlFreeDoc(doc);
    return NULL;
}

void xml_free(struct xml *doc)
{
    xmlFreeDoc((xmlDoc *) doc);
}

const struct xml_node *xml_root(const struct xml *doc)
{
    return (const struct xml_node *) xmlDocGetRootElement((const xmlDoc *) doc);
}

const struct xml_node *xml_child(
    const struct xml_node *parent, const char *name, const struct xml_node *before)
{
    const xmlNode *n = before != NULL ? ((const xmlNode *) before)->next
                                      : ((const xmlNode *) parent)->children;
    while (n != NULL && !(n->type == XML_ELEMENT_NODE && xmlStrEqual(n->name, BAD_CAST name)))
        n = n->next;
    return (const struct xml_node *) n;
}

bool xml_value(const struct xml_node *parent, const char *name, struct text *out)
{
    const struct xml_node *n = xml_child(parent, name, NULL);
    if (n == NULL)
        return false;
    xmlChar *content = xmlNodeGetContent((const xmlNode *) n);
    text_puts(out, (const char *) content);
    xmlFree(content);
    return true;
}

void xml_open(void)
{
    xmlInitParser();
}

void xml_close(void)
{
    xmlCleanupParser();
}
