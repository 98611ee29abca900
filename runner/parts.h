/* How an object is cut into parts (uploads) or ranges (downloads). Pure. */
#ifndef PARTS_H
#define PARTS_H

#include <haul/request.h>

#define PART_BYTES_DEFAULT (8 * (uint64_t) 1024 * 1024)

/* The size of a part for an object of `size` bytes: what was wanted (0: 8 MiB), raised to the
 * next whole MiB with which the object fits 10,000 parts. 0: no legal size does (over 48.8
 * TiB). */
uint64_t part_bytes_for(uint64_t size, uint64_t wanted);

/* How many parts. size > 0, part_bytes > 0. */
unsigned part_count(uint64_t size, uint64_t part_bytes);

/* The bytes of part `number`, from 1. */
struct haul_range part_range(uint64_t size, uint64_t part_bytes, unsigned number);

#endif
