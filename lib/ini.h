/* AWS's shared files: sections, `key = value` lines, # and ; comments, CRLF, nested settings
 * (indented lines under a key without a value) passed over. Bounded: 1 MiB a file.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html */
#ifndef INI_H
#define INI_H

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
int ini_has(const struct ini *i, const char *section);

/* The value, trimmed; of duplicate sections or keys the last wins. NULL: not there. Lives as
 * long as the ini. */
const char *ini_get(const struct ini *i, const char *section, const char *key);

#endif
