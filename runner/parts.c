/* The arithmetic of parts, written so that it cannot overflow. */
#include "parts.h"

#define MIB (1024 * (uint64_t) 1024)

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

uint64_t part_bytes_for(uint64_t size, uint64_t wanted)
{
    uint64_t bytes = wanted ? wanted : PART_BYTES_DEFAULT;
    uint64_t least = divide_up(size, HAUL_PARTS_MAX);
    if (size > HAUL_OBJECT_BYTES_MAX)
        return 0;
    if (bytes < least)
        bytes = divide_up(least, MIB) * MIB;
    return bytes;
}

unsigned part_count(uint64_t size, uint64_t part_bytes)
{
    return (unsigned) divide_up(size, part_bytes);
}

struct haul_range part_range(uint64_t size, uint64_t part_bytes, unsigned number)
{
    uint64_t start = part_bytes * (number - 1), left = size - start;
    return (struct haul_range){ start, left < part_bytes ? left : part_bytes };
}
