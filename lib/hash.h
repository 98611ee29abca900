/* The one place for OpenSSL: digests, HMAC-SHA-256, base64. (CRCs stand in crc.c, and checksums
 * of any kind have the calls of haul/checksum.h.) Any thread. */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>

#include <haul/checksum.h>

#define SHA256_BYTES 32
#define SHA256_HEX_SIZE 65 /* with the NUL */

/* Each returns 0, or -1 when OpenSSL refuses (out of memory). */
int sha256_hex(const void *data, size_t len, char hex[static SHA256_HEX_SIZE]);
int hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char out[static SHA256_BYTES]);

/* HAUL_SHA1, HAUL_SHA256 or HAUL_MD5, for checksum.c; others use haul_sum. new: NULL when out
 * of memory or when it is switched off. end: 0, or -1 when the sum failed; then ready to begin
 * again. */
struct digest;
struct digest *digest_new(enum haul_checksum kind);
void digest_add(struct digest *d, const void *data, size_t len);
int digest_end(struct digest *d, unsigned char *value);
void digest_free(struct digest *d);

void hex_encode(const unsigned char *data, size_t len, char *hex);

/* The way back from haul_checksum_text(), for up to HAUL_CHECKSUM_BYTES_MAX bytes: 0 when the
 * text stands for exactly `len`, in the one canonical way; else -1. */
int base64_decode(const char *text, unsigned char *data, size_t len);

/* Overwrites secrets in a way that the compiler keeps. */
void wipe(void *data, size_t len);
void wipe_text(char *text); /* and frees it; NULL is fine */

#endif
