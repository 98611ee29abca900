/* Checksums of every kind by one set of calls, and what S3 makes of those of an object's parts.
 * The computing is done in crc.c and hash.c. */
#include <haul/request.h>

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

static const struct kind {
    const char *name;
    size_t bytes;
    bool is_crc;    /* those of parts combine to that of all bytes */
    bool composite; /* S3 takes the checksum of the parts' checksums for the whole */
} kinds[] = {
    [HAUL_CHECKSUM_NONE] = { "none", 0, false, false },
    [HAUL_CRC32C] = { "crc32c", 4, true, true },
    [HAUL_CRC32] = { "crc32", 4, true, true },
    [HAUL_CRC64NVME] = { "crc64nvme", 8, true, false },
    [HAUL_SHA1] = { "sha1", 20, false, true },
    [HAUL_SHA256] = { "sha256", 32, false, true },
    [HAUL_MD5] = { "md5", 16, false, true },
};

static const struct kind *find(enum haul_checksum kind)
{
    bool known = (size_t) kind < sizeof kinds / sizeof kinds[0];
    return &kinds[known ? kind : HAUL_CHECKSUM_NONE];
}

const char *haul_checksum_name(enum haul_checksum kind)
{
    return find(kind)->name;
}

size_t haul_checksum_bytes(enum haul_checksum kind)
{
    return find(kind)->bytes;
}

/* ---- Piece by piece ---- */

struct haul_sum {
    enum haul_checksum kind;
    uint64_t crc;
    struct digest *digest; /* owned; NULL: a CRC */
};

struct haul_sum *haul_sum_new(enum haul_checksum kind)
{
    struct haul_sum *s = haul_checksum_bytes(kind) == 0 ? NULL : calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->kind = kind;
    if (!kinds[kind].is_crc && (s->digest = digest_new(kind)) == NULL) {
        free(s);
        s = NULL;
    }
    return s;
}

void haul_sum_add(struct haul_sum *s, const void *data, size_t len)
{
    if (s->kind == HAUL_CRC32C)
        s->crc = haul_crc32c((uint32_t) s->crc, data, len);
    else if (s->kind == HAUL_CRC32)
        s->crc = haul_crc32((uint32_t) s->crc, data, len);
    else if (s->kind == HAUL_CRC64NVME)
        s->crc = haul_crc64nvme(s->crc, data, len);
    else
        digest_add(s->digest, data, len);
}

/* The highest byte first. */
static size_t crc_value(enum haul_checksum kind, uint64_t crc, unsigned char *value)
{
    uint64_t swapped = htobe64(crc);
    size_t bytes = kinds[kind].bytes;
    memcpy(value, (char *) &swapped + sizeof swapped - bytes, bytes);
    return bytes;
}

size_t haul_sum_end(struct haul_sum *s, unsigned char value[HAUL_CHECKSUM_BYTES_MAX])
{
    if (s->digest != NULL)
        return digest_end(s->digest, value) < 0 ? 0 : kinds[s->kind].bytes;
    size_t bytes = crc_value(s->kind, s->crc, value);
    s->crc = 0;
    return bytes;
}

void haul_sum_free(struct haul_sum *s)
{
    if (s != NULL)
        digest_free(s->digest);
    free(s);
}

/* ---- Values of parts ---- */

static int part_value(enum haul_checksum kind, const struct haul_part *part,
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX], struct haul_error *err)
{
    const char *name = kinds[kind].name;
    if (part->checksum == NULL)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "part %u has no %s", part->number, name);
    if (base64_decode(part->checksum, value, kinds[kind].bytes) < 0)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "part %u: \"%s\" is no %s in base64",
            part->number, part->checksum, name);
    return 0;
}

static int full_object_value(enum haul_checksum kind, const struct haul_part *parts,
    size_t count, unsigned char value[HAUL_CHECKSUM_BYTES_MAX], struct haul_error *err)
{
    uint64_t crc = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t next = 0;
        if (part_value(kind, &parts[i], value, err) < 0)
            return -1;
        for (size_t b = 0; b < kinds[kind].bytes; b++)
            next = next << 8 | value[b];
        crc = haul_crc_combine(kind, crc, next, parts[i].size);
    }
    crc_value(kind, crc, value);
    return 0;
}

static int composite_value(enum haul_checksum kind, const struct haul_part *parts, size_t count,
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX], struct haul_error *err)
{
    int rc = -1;
    struct haul_sum *sum = haul_sum_new(kind);
    for (size_t i = 0; sum != NULL && i < count; i++) {
        if (part_value(kind, &parts[i], value, err) < 0)
            goto out;
        haul_sum_add(sum, value, kinds[kind].bytes);
    }
    if (sum != NULL && haul_sum_end(sum, value) > 0)
        rc = 0;
    else
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
out:
    haul_sum_free(sum);
    return rc;
}

int haul_checksum_of_parts(enum haul_checksum kind, bool full_object,
    const struct haul_part *parts, size_t count, char text[HAUL_CHECKSUM_TEXT_SIZE],
    struct haul_error *err)
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    const struct kind *k = find(kind);
    if (!(full_object ? k->is_crc : k->composite))
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "%s has no %s value", k->name,
            full_object ? "full object" : "composite");
    if (count < 1 || count > HAUL_PARTS_MAX)
        return haul_error_set(
            err, HAUL_BAD_ARGUMENT, "%zu parts: not 1 to %d", count, HAUL_PARTS_MAX);
    if ((full_object ? full_object_value : composite_value)(kind, parts, count, value, err) < 0)
        return -1;
    haul_checksum_text(value, k->bytes, text);
    if (!full_object)
        sprintf(text + strlen(text), "-%zu", count);
    return 0;
}
