/* Decodes UTF-8 strictly. What a character means is left to others. */
#include "utf8.h"

unsigned utf8_decode(const char *text, uint32_t *code)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least; /* smaller ones are overlong */
    } forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 },
        { 0xf8, 0xf0, 0x10000 } };
    const unsigned char *at = (const unsigned char *) text;

    for (unsigned more = 0; more < sizeof forms / sizeof *forms; more++) {
        if ((at[0] & forms[more].mask) != forms[more].lead)
            continue;
        uint32_t c = at[0] & (unsigned char) ~forms[more].mask;
        for (unsigned i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80) /* also stops at the text's end */
                return 0;
            c = c << 6 | (at[i] & 0x3f);
        }
        if (c < forms[more].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
        *code = c;
        return more + 1;
    }
    return 0;
}

bool utf8_is_valid(const char *text)
{
    uint32_t code;
    unsigned len = 1;
    for (; *text != '\0' && len > 0; text += len)
        len = utf8_decode(text, &code);
    return len > 0;
}
