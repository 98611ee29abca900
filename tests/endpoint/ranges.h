/* Byte ranges as requests write them. Pure. */
#ifndef ENDPOINT_RANGES_H
#define ENDPOINT_RANGES_H

#include "text.h"

enum range_kind { RANGE_NONE, RANGE_SLICE, RANGE_OUTSIDE };

/* One range of bytes as in "bytes=0-99", "bytes=100-", "bytes=-5", cut to the size. NONE:
 * another form, or NULL, to be ignored as HTTP wants it; *start and *len are then untouched. */
enum range_kind range_parse(const char *header, uint64_t size, uint64_t *start, uint64_t *len);

#endif
