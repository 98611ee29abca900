/* The one pure decision of put.c, for its test. */
#ifndef PUT_H
#define PUT_H

#include <stdint.h>

/* How large part `number` of a stream is, whose first one has `first` bytes: twice as large
 * after each 1,000 parts, at most 5 GiB. */
uint64_t put_part_bytes(uint64_t first, unsigned number);

#endif
