/* What stands in S3's documents row by row: listings, tags, and the times and numbers in them.
 * Pure. */
#ifndef ROWS_H
#define ROWS_H

#include <haul/request.h>

struct document;
struct element;

/* Any listing, and the DeleteResult, whose failures are rows. Once for a document, in which all
 * strings live. With <EncodingType>url</> keys, prefixes and markers are decoded, once ("+" is
 * a space there). Returns 0, or -1 with *err = HAUL_BAD_REPLY: another root, a row without its
 * key, upload id or part number, a number that is none, truncated without a marker to go on
 * with, or keys with characters that XML can't have and no encoding. Rows lacking optional
 * elements are kept.
 */
int rows_listing(struct document *d, struct haul_listing *out, struct haul_error *err);

/* <Tagging>. Returns 0, or -1 with *err = HAUL_BAD_REPLY: another root, a tag without key or
 * value. */
int rows_tags(struct document *d, struct haul_pairs *out, struct haul_error *err);

/* The text of a child that is a checksum of that kind, NONE: of whatever kind; NULL: there is
 * none. */
const char *rows_checksum(const struct element *parent, enum haul_checksum kind);

/* "2026-01-31T12:00:00.000Z" → ms since the epoch; -1: not such a time. */
int64_t rows_time_ms(const char *text);

/* The digits that *text begins with, which then points behind them. false: none, or over 64
 * bits; nothing is changed. */
bool rows_take_number(const char **text, uint64_t *out);

#endif
