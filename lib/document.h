/* S3's XML documents, the one place for libxml2. Input is hostile: no entities, no network, no
 * DTD, bounded depth (32) and size (the caller's buffer). Namespaces, attributes and comments
 * are not looked at. Pure, any thread. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include <haul/error.h>

/* A parsed document; the strings of what is read from it live as long as it does. */
struct document;

/* NULL with *err = HAUL_BAD_REPLY: not well-formed, has a DOCTYPE, too deep; or HAUL_NO_MEMORY.
 * White space before the document is passed over: servers keep connections alive with it.
 * Characters that XML can't have, and what is not UTF-8, are left out or replaced: servers
 * repeat keys in their replies. */
struct document *document_parse(const char *data, size_t len, struct haul_error *err);
void document_free(struct document *d);
bool document_lacks_characters(const struct document *d); /* some were left out */

/* "CompleteMultipartUploadResult", "Error"… Never NULL. */
const char *document_root(const struct document *d);

/* The text of the root's child of that name, white space kept; NULL when it is missing. */
const char *document_text(const struct document *d, const char *name);

/* Zeroed memory for `count` things and one more, that lives as long as the document; the next
 * call frees it. NULL: out of memory. */
void *document_allot(struct document *d, size_t count, size_t size);

/* An element of a document. Functions that find none return NULL. */
struct element;
const struct element *document_element(const struct document *d); /* the root. Never NULL */
const struct element *element_first(const struct element *parent);
const struct element *element_next(const struct element *e);
const struct element *element_child(const struct element *parent, const char *name);
const char *element_name(const struct element *e);
bool element_is(const struct element *e, const char *name);
const char *element_text(const struct element *parent, const char *name); /* of a child */

/* The child's text is decoded as EncodingType says: HTML forms' way, in which a space is "+".
 * Once. A child that is missing is fine. Returns 0, or -1 with *err = HAUL_BAD_REPLY: a broken
 * escape, or HAUL_NO_MEMORY. */
int element_decode(const struct element *parent, const char *name, struct haul_error *err);

#endif
