/* SSE-C, SSE-S3 and SSE-KMS as far as a client can see them. */
#include "encryption.h"

#include "digests.h"
#include "kept.h"

#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 32, NAME_MAX_BYTES = 96 };

static const char sse[] = "x-amz-server-side-encryption",
                  kms_key[] = "x-amz-server-side-encryption-aws-kms-key-id",
                  kept_key[] = "x-amz-server-side-encryption-customer-key-MD5";

static const char *customer(const struct request *r, const char *prefix, const char *what)
{
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%sserver-side-encryption-customer-%s", prefix, what);
    return request_header(r, name);
}

static const char *refuse_key(const char *key, const char *md5)
{
    struct text raw = { 0 }, right = { 0 };
    struct digest d;
    unsigned char value[DIGEST_MAX];
    bool fits = text_add_unbase64(&raw, key) == 0 && raw.len == KEY_BYTES;
    digest_begin(&d, DIGEST_MD5);
    digest_add(&d, text_c(&raw), raw.len);
    text_add_base64(&right, value, digest_end(&d, value));
    fits = fits && strcmp(right.at, md5) == 0;
    text_free(&raw);
    text_free(&right);
    return fits ? NULL : "InvalidArgument";
}

const char *encryption_refuse(const struct request *r, const char *prefix)
{
    const char *algorithm = customer(r, prefix, "algorithm");
    const char *key = customer(r, prefix, "key");
    const char *md5 = customer(r, prefix, "key-MD5");
    const char *kind = request_header(r, sse);
    bool kms = kind != NULL && strncmp(kind, "aws:kms", 7) == 0;
    if (kind != NULL && !kms && strcmp(kind, "AES256") != 0)
        return "InvalidArgument";
    if (request_header(r, kms_key) != NULL && !kms)
        return "InvalidArgument";
    if (algorithm == NULL && key == NULL && md5 == NULL)
        return NULL;
    if (algorithm == NULL || key == NULL || md5 == NULL || kind != NULL)
        return "InvalidArgument";
    if (strcmp(algorithm, "AES256") != 0)
        return "InvalidEncryptionAlgorithmError";
    return refuse_key(key, md5);
}

const char *encryption_unlock(
    const struct request *r, const char *prefix, const struct text *kept)
{
    const char *why = encryption_refuse(r, prefix), *given = customer(r, prefix, "key-MD5");
    struct text needed = { 0 };
    bool locked = kept_get(kept, kept_key, &needed);
    if (why == NULL && locked != (given != NULL))
        why = "InvalidRequest";
    else if (why == NULL && locked && strcmp(given, needed.at) != 0)
        why = "AccessDenied";
    text_free(&needed);
    return why;
}

void encryption_hide(const struct text *kept, unsigned char md5[static 16])
{
    struct text kind = { 0 };
    if (kept_get(kept, kept_key, &kind) ||
        (kept_get(kept, sse, &kind) && strncmp(kind.at, "aws:kms", 7) == 0))
        for (int i = 0; i < 16; i++)
            md5[i] ^= 0xa5;
    text_free(&kind);
}
