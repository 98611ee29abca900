/* The checksums that S3 knows, for bytes in memory, piece by piece, and for objects made of
 * parts. Nothing here touches the network. Any thread; a sum under way belongs to one.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 *
 *     unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
 *     char text[HAUL_CHECKSUM_TEXT_SIZE];
 *     struct haul_sum *s = haul_sum_new(HAUL_CRC64NVME);
 *     while (s != NULL && (got = read(fd, buffer, sizeof buffer)) > 0)
 *         haul_sum_add(s, buffer, (size_t) got);
 *     if (s != NULL)
 *         haul_checksum_text(value, haul_sum_end(s, value), text);
 *     haul_sum_free(s);
 */
#ifndef HAUL_CHECKSUM_H
#define HAUL_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <haul/error.h>

HAUL_BEGIN

enum haul_checksum {
    HAUL_CHECKSUM_NONE,
    HAUL_CRC32C,    /* Castagnoli, RFC 3720 appendix B.4 */
    HAUL_CRC32,     /* ISO 3309, that of zip and Ethernet */
    HAUL_CRC64NVME, /* NVM Express; S3 takes it for whole objects only */
    HAUL_SHA1, /* the SHAs can't be combined: a multipart object has a composite one only */
    HAUL_SHA256,
    HAUL_MD5, /* ETags without KMS or SSE-C, Content-MD5. Not for security */
};

#define HAUL_CHECKSUM_BYTES_MAX 32
#define HAUL_CHECKSUM_TEXT_SIZE 56 /* base64 of 32 bytes, "-10000" and the NUL */

/* The CRC of `len` bytes that follow a stretch whose value is `before`; 0 to begin.
 * Of "123456789": 0xE3069283, 0xCBF43926, 0xAE8B14860A799888. */
uint32_t haul_crc32c(uint32_t before, const void *data, size_t len);
uint32_t haul_crc32(uint32_t before, const void *data, size_t len);
uint64_t haul_crc64nvme(uint64_t before, const void *data, size_t len);

/* The CRC of two stretches in a row, from those of each. 0 for a kind that is no CRC. */
uint64_t haul_crc_combine(
    enum haul_checksum kind, uint64_t first, uint64_t second, uint64_t second_bytes);

/* "crc32c", "sha256"…: as S3's header x-amz-checksum-NAME has it; "md5"; "none". Never NULL. */
const char *haul_checksum_name(enum haul_checksum kind);

/* How many bytes a value has: 4, 8, 20, 32, 16; 0 for none. */
size_t haul_checksum_bytes(enum haul_checksum kind);

/* Piece by piece, every kind the same way. new: NULL when out of memory, when OpenSSL has the
 * kind switched off (MD5 under FIPS), and for none. end: writes haul_checksum_bytes() bytes,
 * CRCs with the highest byte first, as S3 does; returns how many, or 0 when the sum failed;
 * then a new one may begin. free: NULL is fine. */
struct haul_sum;
struct haul_sum *haul_sum_new(enum haul_checksum kind);
void haul_sum_add(struct haul_sum *s, const void *data, size_t len);
size_t haul_sum_end(struct haul_sum *s, unsigned char value[HAUL_CHECKSUM_BYTES_MAX]);
void haul_sum_free(struct haul_sum *s);

/* A value as S3's headers and documents have it, base64. `text` has room for the longest kind.
 */
void haul_checksum_text(const unsigned char *value, size_t bytes, char *text);

/* A part of a multipart upload: as the server took it, as ListParts tells it, and as
 * CompleteMultipartUpload names it. */
struct haul_part {
    unsigned number;      /* from 1 */
    const char *etag;     /* as the server gave it, quotes included */
    const char *checksum; /* base64; NULL: none */
    uint64_t size;        /* bytes; needed only for haul_checksum_of_parts() */
};

/* The value of the whole object, from those of its parts in their order: for CRCs the very
 * checksum of all bytes (`full_object`), or the composite one, which is the checksum of the
 * parts' values with "-COUNT" behind. Returns 0 with the text; -1 with *err: HAUL_BAD_ARGUMENT
 * (full_object of a SHA or MD5, composite of CRC64NVME, either of none, no parts or over
 * 10,000, a part without a value or with one that is not base64 of the right length),
 * HAUL_NO_MEMORY. */
int haul_checksum_of_parts(enum haul_checksum kind, bool full_object,
    const struct haul_part *parts, size_t count, char text[HAUL_CHECKSUM_TEXT_SIZE],
    struct haul_error *err);

HAUL_END
#endif
