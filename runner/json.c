/* Writing JSON strings. */
#include "json.h"

#include <stdint.h>

#include "utf8.h"

void json_string(FILE *out, const char *text)
{
    putc('"', out);
    while (*text != '\0') {
        uint32_t code;
        unsigned len = utf8_decode(text, &code);
        if (len == 0) {
            fputs("\\ufffd", out);
            len = 1;
        } else if (code == '"' || code == '\\') {
            fprintf(out, "\\%c", (char) code);
        } else if (code < 0x20 || code == 0x7f) {
            fprintf(out, "\\u%04x", (unsigned) code);
        } else {
            fwrite(text, 1, len, out);
        }
        text += len;
    }
    putc('"', out);
}
