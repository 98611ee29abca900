/* Digests, HMAC and base64 by OpenSSL, for the signer and for checksum.c. What is hashed, and
 * what the sums are compared with, others know. */
#include "hash.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* Looking an algorithm up costs OpenSSL 3 more than running it over a request, so that is done
 * once. Never freed: OpenSSL's own end of process comes before ours. */
static struct {
    pthread_once_t once;
    EVP_MD *digests[HAUL_MD5 + 1]; /* NULL: no such one, or switched off (MD5 under FIPS) */
    EVP_MAC_CTX *hmac; /* never used itself, only copied: its digest is set already */
} methods = { .once = PTHREAD_ONCE_INIT };

static void fetch_methods(void)
{
    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    methods.hmac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    if (methods.hmac != NULL && EVP_MAC_CTX_set_params(methods.hmac, digest) != 1) {
        EVP_MAC_CTX_free(methods.hmac);
        methods.hmac = NULL;
    }
    methods.digests[HAUL_SHA1] = EVP_MD_fetch(NULL, "SHA1", NULL);
    methods.digests[HAUL_SHA256] = EVP_MD_fetch(NULL, "SHA256", NULL);
    methods.digests[HAUL_MD5] = EVP_MD_fetch(NULL, "MD5", NULL);
}

int sha256_hex(const void *data, size_t len, char hex[static SHA256_HEX_SIZE])
{
    unsigned char sum[SHA256_BYTES];
    pthread_once(&methods.once, fetch_methods);
    const EVP_MD *sha256 = methods.digests[HAUL_SHA256];
    if (sha256 == NULL || EVP_Digest(data, len, sum, NULL, sha256, NULL) != 1)
        return -1;
    hex_encode(sum, sizeof sum, hex);
    return 0;
}

int hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char out[static SHA256_BYTES])
{
    size_t written = 0;
    pthread_once(&methods.once, fetch_methods);
    EVP_MAC_CTX *c = methods.hmac == NULL ? NULL : EVP_MAC_CTX_dup(methods.hmac);
    bool ok = c != NULL && EVP_MAC_init(c, key, key_len, NULL) == 1 &&
              EVP_MAC_update(c, data, len) == 1 &&
              EVP_MAC_final(c, out, &written, SHA256_BYTES) == 1;
    EVP_MAC_CTX_free(c);
    return ok ? 0 : -1;
}

struct digest {
    EVP_MD_CTX *context;  /* owned */
    const EVP_MD *method; /* borrowed */
    bool begun, failed;
};

/* With what is first added, so that what fails here fails no sum but its own. */
static void digest_begin(struct digest *d)
{
    if (!d->begun)
        d->failed = EVP_DigestInit_ex2(d->context, d->method, NULL) != 1;
    d->begun = true;
}

struct digest *digest_new(enum haul_checksum kind)
{
    struct digest *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    pthread_once(&methods.once, fetch_methods);
    d->method = methods.digests[kind];
    d->context = d->method == NULL ? NULL : EVP_MD_CTX_new();
    if (d->context == NULL) {
        digest_free(d);
        d = NULL;
    }
    return d;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
    digest_begin(d);
    d->failed = d->failed || EVP_DigestUpdate(d->context, data, len) != 1;
}

int digest_end(struct digest *d, unsigned char *value)
{
    digest_begin(d);
    d->begun = false;
    return !d->failed && EVP_DigestFinal_ex(d->context, value, NULL) == 1 ? 0 : -1;
}

void digest_free(struct digest *d)
{
    if (d != NULL)
        EVP_MD_CTX_free(d->context);
    free(d);
}

void haul_checksum_text(const unsigned char *value, size_t bytes, char *text)
{
    EVP_EncodeBlock((unsigned char *) text, value, (int) bytes);
}

/* OpenSSL forgives white space and stray bits, and rounds the length up. */
int base64_decode(const char *text, unsigned char *data, size_t len)
{
    unsigned char decoded[HAUL_CHECKSUM_BYTES_MAX + 1];
    char again[HAUL_CHECKSUM_TEXT_SIZE];
    size_t text_len = strlen(text);
    if (text_len != (len + 2) / 3 * 4 ||
        EVP_DecodeBlock(decoded, (const unsigned char *) text, (int) text_len) < 0)
        return -1;
    haul_checksum_text(decoded, len, again);
    if (strcmp(again, text) != 0)
        return -1;
    memcpy(data, decoded, len);
    return 0;
}

void hex_encode(const unsigned char *data, size_t len, char *hex)
{
    for (size_t i = 0; i < len; i++) {
        *hex++ = "0123456789abcdef"[data[i] >> 4];
        *hex++ = "0123456789abcdef"[data[i] & 15];
    }
    *hex = '\0';
}

void wipe(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}

void wipe_text(char *text)
{
    if (text != NULL)
        wipe(text, strlen(text));
    free(text);
}
