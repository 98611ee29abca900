/* The file in which AWS's tools keep a login's token, which they and we renew: any number of
 * processes may read and replace it at any time. Pure but for the file; any thread. */
#ifndef SSO_CACHE_H
#define SSO_CACHE_H

#include <limits.h>
#include <stdint.h>

#include "buf.h"

struct json;

#define SSO_CACHE_BYTES_MAX (64 * 1024)

struct sso_token {
    struct json *members; /* owned; NULL: there is no token */
    const char *access;   /* lives as long as members; fit for a header */
    int64_t expires_ms;   /* by our clock */
    int64_t renewable_ms; /* until when it can be; 0: it can't, for it lacks what that takes */
};
void sso_token_free(struct sso_token *t); /* wipes; and it is empty */

/* Where the login of a session, or without one of a start URL, is kept. Returns 0 or -1 with
 * *err: HAUL_NO_CREDENTIALS (there is no home), HAUL_BAD_CONFIG, HAUL_NO_MEMORY. */
int sso_cache_path(const char *name, char path[static PATH_MAX], struct haul_error *err);

/* Adds what the file holds. Returns 0, or -1 with *err: HAUL_NO_CREDENTIALS ("why"),
 * HAUL_NO_MEMORY. */
int sso_cache_read(const char *path, struct buf *text, struct haul_error *err);

/* A token out of such a text. Returns 0, or -1 as sso_cache_read(). */
int sso_cache_parse(const struct buf *text, struct sso_token *out, struct haul_error *err);

/* The text for a renewed token. refresh NULL: the one that there is stays. */
void sso_cache_renew(const struct sso_token *t, const char *access, const char *refresh,
    int64_t expires_ms, struct buf *text);

/* Replaces the file, atomically; nobody but its owner may read it. Returns 0, or -1 with *err =
 * HAUL_LOCAL. */
int sso_cache_write(const char *path, const struct buf *text, struct haul_error *err);

#endif
