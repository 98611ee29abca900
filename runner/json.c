/* Writing JSON strings. */
#include "json.h"

#include <stdint.h>
#include <string.h>

#include "utf8.h"

/* Neither a control character nor one that libyaml takes for more than itself. */
static bool is_plain(uint32_t c)
{
    return c >= 0x20 && (c < 0x7f || c >= 0xa0) && c != 0x2028 && c != 0x2029 && c != 0xfeff &&
           c != 0xfffe && c != 0xffff;
}

unsigned json_character(FILE *out, const char *text)
{
    uint32_t c;
    unsigned len = utf8_decode(text, &c);
    if (len == 0) {
        fputs("\\ufffd", out);
        len = 1;
    } else if (c == '"' || c == '\\') {
        fprintf(out, "\\%c", (char) c);
    } else if (!is_plain(c)) {
        fprintf(out, "\\u%04x", (unsigned) c);
    } else {
        fwrite(text, 1, len, out);
    }
    return len;
}

void json_string(FILE *out, const char *text)
{
    putc('"', out);
    while (*text != '\0')
        text += json_character(out, text);
    putc('"', out);
}

void json_plain(FILE *out, const char *text, const char *breaks)
{
    uint32_t c;
    unsigned len;
    bool plain = text[strcspn(text, breaks)] == '\0';
    for (const char *at = text; plain && *at != '\0'; at += len)
        plain = (len = utf8_decode(at, &c)) > 0 && is_plain(c);
    if (plain)
        fputs(text, out);
    else
        json_string(out, text);
}
