/* What the fuzz targets share. A target is a file with the one function that libFuzzer calls
 * with ever other bytes; it stops the program, by must() or by a sanitizer, when the library
 * breaks a promise. corpus/TARGET/ has its seeds and a small file for each past finding;
 * replay.c runs those in the normal tests, `run` looks for more. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haul/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must(condition) ((condition) ? (void) 0 : fuzz_stop(__FILE__, __LINE__, #condition))

static inline void fuzz_stop(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

/* The input as a string, for free(), with room for one byte more. It ends at its first NUL. */
static inline char *fuzz_text(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);
    must(text != NULL);
    memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

/* The next line of *rest, cut off it; "" behind the last. */
static inline char *fuzz_line(char **rest)
{
    static char nothing[1];
    char *line = *rest == NULL ? NULL : strsep(rest, "\n");
    return line == NULL ? nothing : line;
}

/* Reads the whole string, so that a sanitizer sees where it lies. NULL is fine. */
static inline size_t fuzz_touch(const char *text)
{
    static volatile size_t len;
    len = text == NULL ? 0 : strlen(text);
    return len;
}

/* One printable line. */
static inline void fuzz_plain(const char *text)
{
    must(*text != '\0');
    for (const char *c = text; *c != '\0'; c++)
        must((unsigned char) *c >= ' ' && *c != 0x7f);
}

/* A failure says why. */
static inline void fuzz_error(const struct haul_error *err)
{
    must(err->code != HAUL_OK && err->code != HAUL_NO_MEMORY);
    must(fuzz_touch(err->text) < sizeof err->text);
    fuzz_plain(err->text);
}

#endif
