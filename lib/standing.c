/* How far a GET has come: see standing.h. */
#include "standing.h"

#include <string.h>

#define ETAG_MAX 256 /* S3's have 34 to 40 bytes */

void standing_free(struct standing *s)
{
    reply_free(&s->first);
}

/* A weak one names no bytes. */
static bool is_strong(const char *etag)
{
    return etag != NULL && strncmp(etag, "W/", 2) != 0 && strlen(etag) < ETAG_MAX;
}

bool standing_can_advance(
    const struct standing *s, const struct reply *reply, uint64_t received, int64_t expected)
{
    if (s->bytes > 0)
        return received < s->expected - s->bytes;
    return received > 0 && expected >= 0 && received < (uint64_t) expected && !s->is_refused &&
           is_strong(reply_etag(reply));
}

int standing_check(const struct standing *s, const struct reply *reply, struct haul_error *err)
{
    const char *etag = reply_etag(reply);
    if (s->bytes == 0 || (etag != NULL && strcmp(etag, reply_etag(&s->first)) == 0 &&
                             reply_object_bytes(reply, 0) == reply_object_bytes(&s->first, 0)))
        return 0;
    return haul_error_set(err, HAUL_BAD_REPLY,
        "GetObject of %s: the rest is of another object than the beginning", s->request.key);
}

void standing_advance(struct standing *s, const struct haul_request *r, struct reply *reply,
    uint64_t received, int64_t expected)
{
    if (s->bytes == 0) {
        reply_free(&s->first);
        s->first = *reply;
        *reply = reply_make();
        s->expected = (uint64_t) expected;
    }
    s->bytes += received;
    s->request = *r;
    s->request.range = (struct haul_range){ r->range.start + s->bytes, s->expected - s->bytes };
    s->request.if_match = reply_etag(&s->first);
    s->request.if_none_match = NULL; /* this version has met all conditions */
    s->request.if_modified_since_ms = s->request.if_unmodified_since_ms = 0;
}

void standing_begin_anew(struct standing *s)
{
    s->beginnings++;
    s->bytes = 0;
}

void standing_refuse(struct standing *s)
{
    s->is_refused = true;
    standing_begin_anew(s);
}

const struct haul_request *standing_request(
    const struct standing *s, const struct haul_request *r)
{
    return s->bytes > 0 ? &s->request : r;
}
