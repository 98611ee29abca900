/* Reads and writes sizes. Limits (of a part, of an object) are left to those who ask. */
#include "sizes.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint64_t bytes;
} units[] = {
    { "", 1 },
    { "KiB", UINT64_C(1) << 10 },
    { "MiB", UINT64_C(1) << 20 },
    { "GiB", UINT64_C(1) << 30 },
    { "TiB", UINT64_C(1) << 40 },
    { "KB", UINT64_C(1000) },
    { "MB", UINT64_C(1000000) },
    { "GB", UINT64_C(1000000000) },
    { "TB", UINT64_C(1000000000000) },
};

const char *sizes_parse(const char *text, uint64_t *bytes)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || (text[0] == '0' && digits > 1) || text[digits] == '.')
        return "a size is a whole number and a unit: 16MiB";

    const char *unit = text + digits;
    if (unit[0] == ' ' && unit[1] != '\0')
        unit++;
    uint64_t value = 0;
    bool over = false;
    for (size_t i = 0; i < digits; i++)
        over |= __builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, (uint64_t) (text[i] - '0'), &value);

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) != 0)
            continue;
        if (over || __builtin_mul_overflow(value, units[i].bytes, &value))
            return "that is more than 16 EiB";
        *bytes = value;
        return NULL;
    }
    return "the units are KiB MiB GiB TiB and KB MB GB TB";
}

char *sizes_format(uint64_t bytes, char text[static SIZES_TEXT_SIZE])
{
    static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    uint64_t unit = 1;
    size_t i = 0;
    for (; bytes / unit >= 1024; unit <<= 10)
        i++;

    /* Rounded; 1023.96 KiB is 1 MiB. */
    unsigned tenths = (unsigned) (bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit);
    if (tenths == 10240 && i + 1 < sizeof names / sizeof *names) {
        tenths = 10;
        i++;
    }
    if (tenths % 10 == 0)
        snprintf(text, SIZES_TEXT_SIZE, "%u %s", tenths / 10, names[i]);
    else
        snprintf(text, SIZES_TEXT_SIZE, "%u.%u %s", tenths / 10, tenths % 10, names[i]);
    return text;
}

bool sizes_duration(const char *text, unsigned *seconds)
{
    static const struct {
        const char *unit;
        unsigned seconds;
    } times[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 6)
        return false;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (strcmp(text + digits, times[i].unit) == 0) {
            uint64_t found = strtoull(text, NULL, 10) * times[i].seconds;
            *seconds = (unsigned) found;
            return found <= UINT_MAX;
        }
    return false;
}
