/* S3's XML documents, the one place for libxml2. Input is hostile: no entities, no network, no
 * DTD, bounded depth (32) and size (the caller's buffer). Everything but the element names that
 * S3 documents is ignored; namespaces are not looked at. Pure, any thread. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <haul/request.h>

#include "buf.h"

/* A parsed document; the strings of what is read from it live as long as it does. */
struct document;

/* NULL with *err = HAUL_BAD_REPLY: not well-formed, has a DOCTYPE, too deep; or HAUL_NO_MEMORY.
 * White space before the document is passed over: servers keep connections alive with it.
 * Characters that XML can't have, and what is not UTF-8, are left out or replaced: servers
 * repeat keys in their replies. */
struct document *document_parse(const char *data, size_t len, struct haul_error *err);
void document_free(struct document *d);

/* "CompleteMultipartUploadResult", "Error"… Never NULL. */
const char *document_root(const struct document *d);

/* The text of the root's child of that name, white space kept; NULL when it is missing. */
const char *document_text(const struct document *d, const char *name);

/* ListBucketResult, ListPartsResult, ListMultipartUploadsResult. Not twice for one document.
 * With <EncodingType>url</> keys, prefixes and markers are decoded, once ("+" is a space
 * there). Returns 0, or -1 with *err = HAUL_BAD_REPLY: another root, a row without its key,
 * upload id or part number, a number that is none, truncated without a marker to go on with, or
 * keys with characters that XML can't have. Rows lacking optional elements are kept. */
int document_listing(struct document *d, struct haul_listing *out, struct haul_error *err);

/* <CompleteMultipartUpload> for the parts given. */
void document_add_complete(struct buf *b, const struct haul_part *parts, size_t count);

/* "2026-01-31T12:00:00.000Z" → ms since the epoch; -1: not such a time. */
int64_t document_time_ms(const char *text);

#endif
