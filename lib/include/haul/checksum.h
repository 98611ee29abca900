/* Checksums that S3 and a resumable download need. Pure functions, any thread. */
#ifndef HAUL_CHECKSUM_H
#define HAUL_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `len` bytes that follow a stretch whose value
 * is `before`; 0 to begin. haul_crc32c(0, "123456789", 9) == 0xE3069283. */
uint32_t haul_crc32c(uint32_t before, const void *data, size_t len);

/* MD5 as S3's ETags have it for parts without KMS or SSE-C. Not for security. */
struct haul_md5;
struct haul_md5 *haul_md5_new(void); /* NULL: out of memory, or MD5 is switched off (FIPS) */
void haul_md5_add(struct haul_md5 *m, const void *data, size_t len);
void haul_md5_hex(
    struct haul_md5 *m, char hex[static 33]); /* ends the sum; then only free it */
void haul_md5_free(struct haul_md5 *m);

#ifdef __cplusplus
}
#endif
#endif
