/* RFC 9110, section 14, one range at a time. */
#include "ranges.h"

#include <stdlib.h>
#include <string.h>

enum range_kind range_parse(const char *header, uint64_t size, uint64_t *start, uint64_t *len)
{
    char *end = NULL;
    if (header == NULL || strncmp(header, "bytes=", 6) != 0)
        return RANGE_NONE;
    const char *at = header + 6;
    if (*at == '-') {
        uint64_t tail = strtoull(at + 1, &end, 10);
        if (end == at + 1 || *end != '\0')
            return RANGE_NONE;
        *len = tail < size ? tail : size;
        *start = size - *len;
        return *len > 0 ? RANGE_SLICE : RANGE_OUTSIDE;
    }
    uint64_t first = strtoull(at, &end, 10);
    if (end == at || *end != '-')
        return RANGE_NONE;
    at = end + 1;
    uint64_t last = *at == '\0' ? UINT64_MAX : strtoull(at, &end, 10);
    if ((*at != '\0' && (end == at || *end != '\0')) || last < first)
        return RANGE_NONE;
    if (first >= size)
        return RANGE_OUTSIDE;
    *start = first;
    *len = (last < size ? last : size - 1) - first + 1;
    return RANGE_SLICE;
}
