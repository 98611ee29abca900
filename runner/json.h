/* JSON text, for what is not SQLite's to write: the frozen manifest and the log. */
#ifndef JSON_H
#define JSON_H

#include <stdio.h>

/* A quoted string. Bytes that are not UTF-8 become U+FFFD, so that the line stays JSON. */
void json_string(FILE *out, const char *text);

#endif
