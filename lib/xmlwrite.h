/* The XML documents that requests carry. Pure; how long they may get, the buffers know. */
#ifndef XMLWRITE_H
#define XMLWRITE_H

#include <haul/request.h>

#include "buf.h"

/* Is it UTF-8 of characters that XML 1.0 has, as themselves or as references? It has no way to
 * write control characters other than tab, line feed and carriage return. */
bool xmlwrite_is_text(const char *text);

/* Of a kind that documents have no element for, no checksums are written. */
void xmlwrite_parts(
    struct buf *b, const struct haul_part *parts, size_t count, enum haul_checksum kind);
void xmlwrite_victims(struct buf *b, const struct haul_victim *victims, size_t count);
void xmlwrite_tags(struct buf *b, const struct haul_pairs *tags);
void xmlwrite_region(struct buf *b, const char *region);

#endif
