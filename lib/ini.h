/* AWS's shared files: sections, `key = value` lines, # and ; comments, CRLF, nested settings
 * (indented lines under a key without a value). Bounded: 16 MiB a file.
 *
 * A section of two words goes by one blank between them and without quotes: "profile my name"
 * is [ profile   "my name" ], too.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html */
#ifndef INI_H
#define INI_H

#include <stdbool.h>
#include <stddef.h>

#include <haul/error.h>

struct ini;

/* A missing file is an empty one. NULL with *err = HAUL_BAD_CONFIG: unreadable, too large, a
 * line that is neither section, setting nor comment ("PATH:LINE: ..."); HAUL_NO_MEMORY. */
struct ini *ini_read(const char *path, struct haul_error *err);

/* The same for a text that was read already. It is taken over and wiped, also on failure: a
 * block of malloc()'s with room for a NUL behind its `len` bytes. Messages say `name` for the
 * path. */
struct ini *ini_parse(const char *name, char *text, size_t len, struct haul_error *err);

void ini_free(struct ini *i); /* wipes; NULL is fine */

/* Was there a [section]? */
bool ini_has(const struct ini *i, const char *section);

/* The sections in the order of the file, duplicates and all, beginning with *at = 0; NULL: no
 * more. */
const char *ini_next_section(const struct ini *i, size_t *at);

/* The value, trimmed; of duplicate sections or keys the last wins. NULL: not there. Lives as
 * long as the ini. */
const char *ini_get(const struct ini *i, const char *section, const char *key);

/* The same of a nested setting: "path" for `s3 =\n  addressing_style = path`. nested NULL:
 * ini_get(). */
const char *ini_get_nested(
    const struct ini *i, const char *section, const char *key, const char *nested);

#endif
