/* UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* The character at `text`, which must not be its end. Returns its bytes, 1 to 4; 0: not UTF-8.
 */
unsigned utf8_decode(const char *text, uint32_t *code);

bool utf8_is_valid(const char *text);

#endif
