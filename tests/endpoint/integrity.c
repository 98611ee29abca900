/* Which sums are claimed, and whether they are right. */
#include "integrity.h"

#include <string.h>
#include <strings.h>

/* Whether it is base64 of so many bytes. */
static bool is_sum(const char *base64, size_t bytes)
{
    struct text raw = { 0 };
    bool is = text_add_unbase64(&raw, base64) == 0 && raw.len == bytes;
    text_free(&raw);
    return is;
}

/* The one x-amz-checksum-* header, or the name of one in x-amz-trailer. */
static const char *begin_checksum(struct integrity *i, const struct request *r)
{
    const char *trailer = request_header(r, "x-amz-trailer");
    const char *announced = request_header(r, "x-amz-sdk-checksum-algorithm");
    char name[DIGEST_HEADER_MAX];
    for (enum digest_kind kind = DIGEST_CRC32; kind < DIGEST_MD5; kind++) {
        const char *value = request_header(r, digest_header(kind, name));
        bool trails = trailer != NULL && strcasecmp(trailer, name) == 0;
        if (value == NULL && !trails)
            continue;
        if (i->kind != DIGEST_NONE || (value != NULL && !is_sum(value, digest_bytes(kind))))
            return "InvalidRequest";
        i->kind = kind;
        text_puts(&i->want, value != NULL ? value : "");
    }
    if (announced != NULL && (i->kind == DIGEST_NONE || digest_named(announced) != i->kind))
        return "InvalidRequest";
    digest_begin(&i->checksum, i->kind);
    return NULL;
}

const char *integrity_begin(
    struct integrity *i, const struct request *r, const char *payload_hash, bool of_object)
{
    i->want_md5 = request_header(r, "Content-MD5");
    if (*payload_hash != '\0') {
        i->want_payload = payload_hash;
        digest_begin(&i->payload, DIGEST_SHA256);
    }
    if (i->want_md5 != NULL) {
        if (!is_sum(i->want_md5, digest_bytes(DIGEST_MD5)))
            return "InvalidDigest";
        digest_begin(&i->md5, DIGEST_MD5);
    }
    return of_object ? NULL : begin_checksum(i, r);
}

void integrity_add(struct integrity *i, const void *data, size_t len)
{
    digest_add(&i->payload, data, len);
    digest_add(&i->md5, data, len);
    digest_add(&i->checksum, data, len);
}

void integrity_expect(struct integrity *i, const struct text *base64)
{
    if (base64->len > 0) {
        text_clear(&i->want);
        text_append(&i->want, base64);
    }
}

static bool matches(struct digest *d, const char *want, struct text *base64)
{
    unsigned char value[DIGEST_MAX];
    text_clear(base64);
    text_add_base64(base64, value, digest_end(d, value));
    return want == NULL || strcmp(text_c(base64), want) == 0;
}

const char *integrity_end(struct integrity *i)
{
    struct text payload = { 0 }, found = { 0 };
    unsigned char value[DIGEST_MAX];
    const char *why = NULL;
    if (i->done)
        return NULL;
    i->done = true;
    text_add_hex(&payload, value, digest_end(&i->payload, value));
    if (i->want_payload != NULL && strcmp(payload.at, i->want_payload) != 0)
        why = "XAmzContentSHA256Mismatch";
    else if (!matches(&i->md5, i->want_md5, &found) ||
             !matches(&i->checksum, text_c(&i->want), &i->value))
        why = "BadDigest";
    text_free(&payload);
    text_free(&found);
    return why;
}

void integrity_free(struct integrity *i)
{
    digest_free(&i->payload);
    digest_free(&i->md5);
    digest_free(&i->checksum);
    text_free(&i->want);
    text_free(&i->value);
}
