/* JSON text, for what is not SQLite's to write: the frozen manifest and the log. libyaml reads
 * it as well: it refuses control characters, DEL and the C1 ones included, takes some others
 * for line ends or a byte order mark, and knows no surrogate pairs, so that what lies above
 * U+FFFF stands as it is. */
#ifndef JSON_H
#define JSON_H

#include <stdio.h>

/* A quoted string. Bytes that are not UTF-8 become U+FFFD, so that the line stays JSON. */
void json_string(FILE *out, const char *text);

/* The text as it is, or as a string when it holds one of `breaks` or what a terminal would act
 * on: names come from anywhere. */
void json_plain(FILE *out, const char *text, const char *breaks);

/* The character at `text`, which must not be its end, as it stands inside a string. Returns how
 * many bytes it took. */
unsigned json_character(FILE *out, const char *text);

#endif
