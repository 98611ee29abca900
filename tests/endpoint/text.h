/* Byte strings that grow, and the ways S3 writes bytes and times down: percent, XML, JSON, hex,
 * base64, HTTP dates. Pure. Out of memory ends the program: this is a test tool. */
#ifndef ENDPOINT_TEXT_H
#define ENDPOINT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATE_MAX = 32 };

/* Any bytes, NUL included; a NUL that len does not count follows them. Zero is the empty text
 * (then at is NULL: text_c() gives "" instead). The holder frees it. */
struct text {
    char *at;
    size_t len, room;
};

void text_add(struct text *t, const void *data, size_t len);
void text_append(struct text *t, const struct text *more);
void text_puts(struct text *t, const char *s);
void text_addf(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3), nonnull));
/* The text's bytes as a C string, never NULL. */
const char *text_c(const struct text *t);
/* Sets the length back to 0 and keeps the room. */
void text_clear(struct text *t);
void text_free(struct text *t);

/* memcmp order, a prefix before what it starts. */
int text_compare(const struct text *a, const struct text *b);
bool text_starts_with(const struct text *t, const struct text *prefix);

/* RFC 3986: all but the unreserved characters and those in `keep` become %XX. */
void text_add_percent(struct text *t, const struct text *raw, const char *keep);
/* Undoes it. A % without two hex digits stays as it is. */
void text_add_unpercent(struct text *t, const char *from, size_t len, bool plus_is_space);
void text_add_hex(struct text *t, const void *data, size_t len);
/* -1: not hex, the text is then of no use. */
int text_add_unhex(struct text *t, const char *hex, size_t len);
void text_add_base64(struct text *t, const void *data, size_t len);
/* -1: not base64 with its padding, the text is then of no use. */
int text_add_unbase64(struct text *t, const char *base64);
/* Escaped for an XML element. Control characters become references as S3 writes them, although
 * XML 1.0 forbids them; bytes that are not UTF-8 become U+FFFD. */
void text_add_xml(struct text *t, const struct text *raw);
/* A quoted JSON string; bytes that are not UTF-8 become \udc80 to \udcff, as Python reads them
 * with surrogateescape. NULL: null. */
void text_add_json(struct text *t, const struct text *raw);

int64_t date_now_ms(void);
/* "Sun, 06 Nov 1994 08:49:37 GMT" */
const char *date_http(int64_t ms, char out[static DATE_MAX]);
/* "1994-11-06T08:49:37.000Z" */
const char *date_iso(int64_t ms, char out[static DATE_MAX]);
/* The same to milliseconds; -1: not of that form. */
int64_t date_from_http(const char *date);
/* "19941106T084937Z" to milliseconds; -1: not of that form. */
int64_t date_from_amz(const char *stamp);

#endif
