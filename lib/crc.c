/* The three CRCs of S3: CRC-32C and CRC-32 by ISA-L, which picks the fastest way that the
 * processor has; CRC-64/NVME, for which Debian has no library, by our own tables. All three are
 * bit-reflected: the highest power of x stands in the lowest bit. */
#include <haul/checksum.h>

#include <endian.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <isa-l/crc.h>

static const struct {
    unsigned bits;
    uint64_t polynomial; /* reflected, without its x^bits */
} crcs[] = {
    [HAUL_CRC32C] = { 32, 0x82F63B78 },
    [HAUL_CRC32] = { 32, 0xEDB88320 },
    [HAUL_CRC64NVME] = { 64, 0x9A6C9329AC4BC9B5 },
};

/* ISA-L leaves both inversions of this one to its caller, takes an int for the length, and
 * forgets the const. */
uint32_t haul_crc32c(uint32_t before, const void *data, size_t len)
{
    unsigned char *at = (unsigned char *) data;
    uint32_t crc = ~before;
    while (len > 0) {
        int piece = len < INT_MAX ? (int) len : INT_MAX;
        crc = crc32_iscsi(at, piece, crc);
        at += piece;
        len -= (size_t) piece;
    }
    return ~crc;
}

uint32_t haul_crc32(uint32_t before, const void *data, size_t len)
{
    return crc32_gzip_refl(before, data, len);
}

/* The remainder of value * x. */
static uint64_t times_x(uint64_t value, uint64_t polynomial)
{
    return value & 1 ? value >> 1 ^ polynomial : value >> 1;
}

/* Eight bytes are taken at once: by_distance[d][b] is what the byte b becomes while d further
 * ones pass. */
static struct {
    pthread_once_t once;
    uint64_t by_distance[8][256];
} tables = { .once = PTHREAD_ONCE_INIT };

static void fill_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t value = byte;
        for (int d = 0; d < 8; d++) {
            for (int bit = 0; bit < 8; bit++)
                value = times_x(value, crcs[HAUL_CRC64NVME].polynomial);
            tables.by_distance[d][byte] = value;
        }
    }
}

uint64_t haul_crc64nvme(uint64_t before, const void *data, size_t len)
{
    const unsigned char *at = data;
    uint64_t(*table)[256] = tables.by_distance;
    uint64_t crc = ~before, eight;
    pthread_once(&tables.once, fill_tables);
    for (; len >= 8; len -= 8, at += 8) {
        memcpy(&eight, at, 8);
        crc ^= le64toh(eight);
        crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^
              table[4][crc >> 24 & 255] ^ table[3][crc >> 32 & 255] ^
              table[2][crc >> 40 & 255] ^ table[1][crc >> 48 & 255] ^ table[0][crc >> 56];
    }
    for (; len > 0; len--)
        crc = crc >> 8 ^ table[0][(crc ^ *at++) & 255];
    return ~crc;
}

/* The remainder of a * b. `one` is x^0. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t one, uint64_t polynomial)
{
    uint64_t product = 0;
    for (uint64_t power = one; power > 0; power >>= 1, b = times_x(b, polynomial))
        if (a & power)
            product ^= b;
    return product;
}

/* Bytes that follow multiply what stands before them by x^8 each; the inversions at both ends
 * cancel out. */
uint64_t haul_crc_combine(
    enum haul_checksum kind, uint64_t first, uint64_t second, uint64_t second_bytes)
{
    if (kind != HAUL_CRC32C && kind != HAUL_CRC32 && kind != HAUL_CRC64NVME)
        return 0;
    uint64_t one = (uint64_t) 1 << (crcs[kind].bits - 1);
    uint64_t power = one >> 8; /* x^8, then its square, and the square of that */
    for (; second_bytes > 0; second_bytes >>= 1) {
        if (second_bytes & 1)
            first = multiply(first, power, one, crcs[kind].polynomial);
        power = multiply(power, power, one, crcs[kind].polynomial);
    }
    return first ^ second;
}
