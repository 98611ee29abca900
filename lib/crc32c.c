/* CRC-32C by ISA-L, which picks the fastest way that the processor has. */
#include <haul/checksum.h>

#include <limits.h>

#include <isa-l/crc.h>

/* ISA-L leaves both inversions of the standard to its caller, takes an int for the length, and
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
