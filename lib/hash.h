/* The one place for OpenSSL: SHA-256, HMAC-SHA-256 and MD5. (CRC-32C, from ISA-L, stands in
 * crc32c.c.) Any thread. */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>

#define SHA256_BYTES 32
#define SHA256_HEX_SIZE 65 /* with the NUL */

/* Each returns 0, or -1 when OpenSSL refuses (out of memory). */
int sha256_hex(const void *data, size_t len, char hex[static SHA256_HEX_SIZE]);
int hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char out[static SHA256_BYTES]);

/* Piece by piece. */
struct sha256;
struct sha256 *sha256_new(void); /* NULL: out of memory */
void sha256_add(struct sha256 *s, const void *data, size_t len);
int sha256_end(
    struct sha256 *s, char hex[static SHA256_HEX_SIZE]); /* then ready to begin again */
void sha256_free(struct sha256 *s);

void hex_encode(const unsigned char *data, size_t len, char *hex);

/* Overwrites secrets in a way that the compiler keeps. */
void wipe(void *data, size_t len);

#endif
