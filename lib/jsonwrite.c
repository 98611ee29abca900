/* Members of a JSON object: see jsonwrite.h. */
#include "jsonwrite.h"

#include <string.h>

static void add_string(struct buf *b, const char *text)
{
    buf_adds(b, "\"");
    while (*text != '\0') {
        size_t plain = 0;
        while ((unsigned char) text[plain] >= ' ' && strchr("\"\\", text[plain]) == NULL)
            plain++;
        buf_add(b, text, plain);
        text += plain;
        if (*text != '\0')
            buf_addf(b, "\\u%04x", (unsigned char) *text++);
    }
    buf_adds(b, "\"");
}

void jsonwrite_member(struct buf *b, const char *name, const char *value)
{
    buf_adds(b, b->len == 0 ? "{" : ", ");
    add_string(b, name);
    buf_adds(b, ": ");
    add_string(b, value);
}
