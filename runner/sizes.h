/* Sizes as people write them, and back; durations. Pure. */
#ifndef SIZES_H
#define SIZES_H

#include <stdbool.h>
#include <stdint.h>

/* "16MiB", "5 GB", "8388608": whole numbers without leading zeros, and KiB MiB GiB TiB (of
 * 1024) or KB MB GB TB (of 1000). NULL: *bytes is set. Else what is wrong with it. */
const char *sizes_parse(const char *text, uint64_t *bytes);

/* "90", "90s", "15m", "12h", "7d" in seconds. false: it is none of them. */
bool sizes_duration(const char *text, unsigned *seconds);

/* "0 B", "16 MiB", "1.5 GiB": rounded to a tenth, which is left out when it is 0. */
#define SIZES_TEXT_SIZE 16
char *sizes_format(uint64_t bytes, char text[static SIZES_TEXT_SIZE]); /* returns text */

#endif
