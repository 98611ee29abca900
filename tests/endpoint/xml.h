/* The documents of S3, written and read. Reading is libxml2's. */
#ifndef ENDPOINT_XML_H
#define ENDPOINT_XML_H

#include "text.h"

/* The declaration and the open root element, in S3's namespace. */
void xml_begin(struct text *out, const char *root);
void xml_element(struct text *out, const char *name, const struct text *value)
    __attribute__((nonnull));

struct xml; /* a document */
struct xml_node;

/* NULL: not well-formed, or another root. */
struct xml *xml_read(const struct text *content, const char *root);
void xml_free(struct xml *doc);
const struct xml_node *xml_root(const struct xml *doc);
/* The first child of that name behind `before`, or of all; NULL: there is none. */
const struct xml_node *xml_child(
    const struct xml_node *parent, const char *name, const struct xml_node *before);
/* Appends the content of the first child of that name. Whether there is one. */
bool xml_value(const struct xml_node *parent, const char *name, struct text *out);

/* Once in the program's life each. */
void xml_open(void);
void xml_close(void);

#endif
