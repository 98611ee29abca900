/* RFC 9110, section 13, as S3 reads it. */
#include "conditions.h"

#include <stdio.h>
#include <string.h>

static const char *find(const struct request *r, const char *prefix, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return request_header(r, full);
}

static int64_t date_of(const char *header)
{
    return header != NULL ? date_from_http(header) : -1;
}

struct conditions conditions_of(const struct request *r, const char *prefix)
{
    return (struct conditions){
        .if_match = find(r, prefix, "if-match"),
        .if_none_match = find(r, prefix, "if-none-match"),
        .modified_since = date_of(find(r, prefix, "if-modified-since")),
        .unmodified_since = date_of(find(r, prefix, "if-unmodified-since")),
    };
}

/* Whether a header like `"a", W/"b"` or `*` names the ETag. */
static bool names_etag(const char *header, const char *etag)
{
    size_t len = strlen(etag);
    if (strcmp(header, "*") == 0)
        return true;
    for (const char *at = header; *at != '\0';) {
        at += strspn(at, " ,\"");
        size_t word = strcspn(at, " ,\"");
        if (word == len && strncmp(at, etag, len) == 0)
            return true;
        at += word;
    }
    return false;
}

/* An ETag says more than a date: where one is given, its date is not looked at. Dates know
 * whole seconds. */
const char *conditions_refuse(const struct conditions *c, const char *etag, int64_t modified_ms)
{
    int64_t modified = modified_ms - modified_ms % 1000;
    if (c->if_match != NULL ? !names_etag(c->if_match, etag)
                            : c->unmodified_since >= 0 && modified > c->unmodified_since)
        return "PreconditionFailed";
    if (c->if_none_match != NULL ? names_etag(c->if_none_match, etag)
                                 : c->modified_since >= 0 && modified <= c->modified_since)
        return "NotModified";
    return NULL;
}

const char *conditions_refuse_write(const struct conditions *c, const char *etag)
{
    if (c->if_none_match != NULL && strcmp(c->if_none_match, "*") != 0)
        return "NotImplemented";
    if (c->if_match != NULL && etag == NULL)
        return "NoSuchKey";
    if ((c->if_none_match != NULL && etag != NULL) ||
        (c->if_match != NULL && !names_etag(c->if_match, etag)))
        return "PreconditionFailed";
    return NULL;
}
