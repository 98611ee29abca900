/* The checksums of S3, byte by byte: CRCs by tables of our own, the rest by libcrypto. */
#ifndef ENDPOINT_DIGESTS_H
#define ENDPOINT_DIGESTS_H

#include "text.h"

enum { DIGEST_MAX = 32, DIGEST_HEADER_MAX = 32 };

enum digest_kind {
    DIGEST_NONE,
    DIGEST_CRC32,
    DIGEST_CRC32C,
    DIGEST_CRC64NVME,
    DIGEST_SHA1,
    DIGEST_SHA256,
    DIGEST_MD5, /* the last of them, and no x-amz-checksum- */
};

/* Zero is none: it takes bytes and forgets them. */
struct digest {
    enum digest_kind kind;
    uint64_t crc;
    struct evp_md_ctx_st *evp; /* owned */
};

void digest_begin(struct digest *d, enum digest_kind kind);
void digest_add(struct digest *d, const void *data, size_t len);
/* Writes the value, its highest byte first, and frees the digest. Returns how many bytes. */
size_t digest_end(struct digest *d, unsigned char out[static DIGEST_MAX]);
void digest_free(struct digest *d);
/* That of a file's bytes [0, size), appended in base64. -1: it could not be read. */
int digest_file(enum digest_kind kind, int fd, uint64_t size, struct text *base64);

size_t digest_bytes(enum digest_kind kind);
/* As S3 calls it: "CRC32C"; "" for none. */
const char *digest_name(enum digest_kind kind);
/* "x-amz-checksum-crc32c" */
const char *digest_header(enum digest_kind kind, char out[static DIGEST_HEADER_MAX]);
/* By its name in any case; NONE: no x-amz-checksum- of that name. */
enum digest_kind digest_named(const char *name);

#endif
