/* Hashes and HMAC by OpenSSL, for the signer, the resumable download and S3's ETags. What is
 * hashed, and what the sums are compared with, others know. */
#include "hash.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <haul/checksum.h>

/* Looking an algorithm up costs OpenSSL 3 more than running it over a request, so that is done
 * once. Never freed: OpenSSL's own end of process comes before ours. */
static struct {
    pthread_once_t once;
    EVP_MD *sha256;
    EVP_MD *md5;       /* NULL: switched off (FIPS) */
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
    methods.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    methods.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
}

int sha256_hex(const void *data, size_t len, char hex[static SHA256_HEX_SIZE])
{
    unsigned char sum[SHA256_BYTES];
    pthread_once(&methods.once, fetch_methods);
    if (methods.sha256 == NULL || EVP_Digest(data, len, sum, NULL, methods.sha256, NULL) != 1)
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

/* A sum under way, of either kind. */
struct sum {
    EVP_MD_CTX *context; /* owned */
    bool failed;
};

static int sum_begin(struct sum *s, const EVP_MD *method)
{
    if (s->context == NULL)
        s->context = EVP_MD_CTX_new();
    s->failed = s->context == NULL || method == NULL ||
                EVP_DigestInit_ex2(s->context, method, NULL) != 1;
    return s->failed ? -1 : 0;
}

static void sum_add(struct sum *s, const void *data, size_t len)
{
    s->failed = s->failed || EVP_DigestUpdate(s->context, data, len) != 1;
}

static int sum_end(struct sum *s, char *hex)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    s->failed = s->failed || EVP_DigestFinal_ex(s->context, sum, &len) != 1;
    hex_encode(sum, s->failed ? 0 : len, hex);
    return s->failed ? -1 : 0;
}

struct sha256 {
    struct sum sum;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *s = calloc(1, sizeof *s);
    pthread_once(&methods.once, fetch_methods);
    if (s != NULL && sum_begin(&s->sum, methods.sha256) < 0) {
        sha256_free(s);
        s = NULL;
    }
    return s;
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
    sum_add(&s->sum, data, len);
}

int sha256_end(struct sha256 *s, char hex[static SHA256_HEX_SIZE])
{
    int rc = sum_end(&s->sum, hex);
    sum_begin(&s->sum, methods.sha256); /* if this fails, the next end says so */
    return rc;
}

void sha256_free(struct sha256 *s)
{
    if (s != NULL)
        EVP_MD_CTX_free(s->sum.context);
    free(s);
}

struct haul_md5 {
    struct sum sum;
};

struct haul_md5 *haul_md5_new(void)
{
    struct haul_md5 *m = calloc(1, sizeof *m);
    pthread_once(&methods.once, fetch_methods);
    if (m != NULL && sum_begin(&m->sum, methods.md5) < 0) {
        haul_md5_free(m);
        m = NULL;
    }
    return m;
}

void haul_md5_add(struct haul_md5 *m, const void *data, size_t len)
{
    sum_add(&m->sum, data, len);
}

void haul_md5_hex(struct haul_md5 *m, char hex[33])
{
    sum_end(&m->sum, hex); /* "" when it failed, which equals no ETag */
}

void haul_md5_free(struct haul_md5 *m)
{
    if (m != NULL)
        EVP_MD_CTX_free(m->sum.context);
    free(m);
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
