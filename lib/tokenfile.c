/* Files of tokens: see tokenfile.h. */
#include "tokenfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "descriptor.h"
#include "hash.h"

const char *tokenfile_fault(const char *token)
{
    for (const char *c = token; *c != '\0'; c++)
        if ((unsigned char) *c < ' ' || *c == 0x7F)
            return "has a control character inside";
    return *token == '\0' ? "is empty" : NULL;
}

char *tokenfile_read(const char *path, const char *whose, struct haul_error *err)
{
    char *text = malloc(TOKENFILE_BYTES_MAX + 2);
    if (text == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    ssize_t read = descriptor_read_file(path, text, TOKENFILE_BYTES_MAX + 1);
    int error = errno;
    size_t len = read < 0 ? 0 : (size_t) read;
    while (len > 0 && len <= TOKENFILE_BYTES_MAX && isspace((unsigned char) text[len - 1]))
        len--;
    text[len] = '\0';
    const char *fault = len > TOKENFILE_BYTES_MAX ? "is too large for a token"
                        : memchr(text, '\0', len) ? "has a NUL character inside"
                                                  : tokenfile_fault(text);
    if (read >= 0 && fault == NULL)
        return text;
    if (read < 0)
        haul_error_set(
            err, HAUL_BAD_CONFIG, "%s, of %s, can't be read: %s", path, whose, strerror(error));
    else
        haul_error_set(err, HAUL_BAD_CONFIG, "%s, of %s, %s", path, whose, fault);
    wipe(text, TOKENFILE_BYTES_MAX + 2);
    free(text);
    return NULL;
}

void tokenfile_free(char *token)
{
    wipe_text(token);
}
