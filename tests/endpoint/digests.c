/* All three CRCs are the reflected kind: start with all ones, end by inverting. They differ in
 * polynomial and width alone. */
#include "digests.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

static const struct {
    const char *name;
    size_t bytes;
    uint64_t polynomial; /* reflected; 0: no CRC */
    const EVP_MD *(*evp)(void);
} kinds[] = {
    [DIGEST_NONE] = { "", 0, 0, NULL },
    [DIGEST_CRC32] = { "CRC32", 4, 0xedb88320, NULL },
    [DIGEST_CRC32C] = { "CRC32C", 4, 0x82f63b78, NULL },
    [DIGEST_CRC64NVME] = { "CRC64NVME", 8, 0x9a6c9329ac4bc9b5, NULL },
    [DIGEST_SHA1] = { "SHA1", 20, 0, EVP_sha1 },
    [DIGEST_SHA256] = { "SHA256", 32, 0, EVP_sha256 },
    [DIGEST_MD5] = { "MD5", 16, 0, EVP_md5 },
};

static uint64_t tables[DIGEST_MD5 + 1][256];
static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (int kind = 0; kind <= DIGEST_MD5; kind++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t crc = byte;
            for (int bit = 0; bit < 8; bit++)
                crc = crc >> 1 ^ (crc & 1 ? kinds[kind].polynomial : 0);
            tables[kind][byte] = crc;
        }
    }
}

static uint64_t all_ones(enum digest_kind kind)
{
    return UINT64_MAX >> (64 - 8 * kinds[kind].bytes);
}

void digest_begin(struct digest *d, enum digest_kind kind)
{
    *d = (struct digest){ .kind = kind };
    if (kinds[kind].polynomial != 0) {
        pthread_once(&tables_made, make_tables);
        d->crc = all_ones(kind);
    } else if (kinds[kind].evp != NULL) {
        d->evp = EVP_MD_CTX_new();
        if (d->evp == NULL || EVP_DigestInit_ex(d->evp, kinds[kind].evp(), NULL) != 1)
            abort();
    }
}

void digest_add(struct digest *d, const void *data, size_t len)
{
    const unsigned char *at = data;
    const uint64_t *table = tables[d->kind];
    if (d->evp != NULL)
        EVP_DigestUpdate(d->evp, data, len);
    else if (d->kind != DIGEST_NONE)
        for (size_t i = 0; i < len; i++)
            d->crc = table[(d->crc ^ at[i]) & 0xff] ^ d->crc >> 8;
}

size_t digest_end(struct digest *d, unsigned char out[static DIGEST_MAX])
{
    size_t bytes = kinds[d->kind].bytes;
    if (d->evp != NULL)
        EVP_DigestFinal_ex(d->evp, out, NULL);
    else
        for (size_t i = 0; i < bytes; i++)
            out[i] = (unsigned char) (~d->crc >> 8 * (bytes - 1 - i));
    digest_free(d);
    return bytes;
}

void digest_free(struct digest *d)
{
    EVP_MD_CTX_free(d->evp);
    *d = (struct digest){ 0 };
}

int digest_file(enum digest_kind kind, int fd, uint64_t size, struct text *base64)
{
    struct digest d;
    unsigned char value[DIGEST_MAX], *buf;
    uint64_t at = 0;
    ssize_t n = 1;
    if (kind == DIGEST_NONE)
        return 0;
    buf = malloc(READ_BYTES);
    if (buf == NULL)
        abort();
    digest_begin(&d, kind);
    for (; at < size && n > 0; at += n > 0 ? (uint64_t) n : 0) {
        n = pread(fd, buf, size - at < READ_BYTES ? size - at : READ_BYTES, (off_t) at);
        digest_add(&d, buf, n > 0 ? (size_t) n : 0);
    }
    text_add_base64(base64, value, digest_end(&d, value));
    free(buf);
    return at == size ? 0 : -1;
}

size_t digest_bytes(enum digest_kind kind)
{
    return kinds[kind].bytes;
}

const char *digest_name(enum digest_kind kind)
{
    return kinds[kind].name;
}

const char *digest_header(enum digest_kind kind, char out[static DIGEST_HEADER_MAX])
{
    int len = snprintf(out, DIGEST_HEADER_MAX, "x-amz-checksum-%s", kinds[kind].name);
    for (int i = 0; i < len; i++)
        out[i] |= out[i] >= 'A' && out[i] <= 'Z' ? 0x20 : 0;
    return out;
}

enum digest_kind digest_named(const char *name)
{
    enum digest_kind kind = DIGEST_MD5;
    while (--kind > DIGEST_NONE && strcasecmp(kinds[kind].name, name) != 0)
        continue;
    return kind;
}
