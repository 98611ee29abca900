/* The small JSON documents of the credential services, the one place for libyaml here: JSON is
 * YAML's subset, but for "\ud83d\ude00", the escapes of what is beyond 16 bits, which are
 * refused. Input is hostile: bounded depth, no aliases, no tags; 64 KiB. What is kept of it is
 * wiped. Pure, any thread. */
#ifndef JSONREAD_H
#define JSONREAD_H

#include <stddef.h>
#include <stdint.h>

#include <haul/error.h>

struct json;

/* NULL with *err: HAUL_BAD_REPLY ("WHAT is no JSON object"; never quotes it), HAUL_NO_MEMORY.
 */
struct json *json_parse(const char *what, const char *text, size_t len, struct haul_error *err);
void json_free(struct json *j); /* NULL is fine */

/* A member's text, by its path ("roleCredentials.accessKeyId"); numbers as they are written.
 * NULL: not there, null, an object or a list. */
const char *json_text(const struct json *j, const char *path);

/* "2026-01-31T12:00:00Z", with fractions and offsets ("+00:00"), as all of these services write
 * it; ms since the epoch, or -1: it is none. */
int64_t json_time_ms(const char *text);

#endif
