/* haul_error: filling it in, and the names of its codes. What S3's own codes mean is retry.c's
 * matter. */
#include <haul/error.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum haul_retry retry; /* when there is no reply to say better */
} codes[] = {
    [HAUL_OK] = { "ok", HAUL_RETRY_NEVER },
    [HAUL_NO_MEMORY] = { "no_memory", HAUL_RETRY_NEVER },
    [HAUL_BAD_ARGUMENT] = { "bad_argument", HAUL_RETRY_NEVER },
    [HAUL_BAD_CONFIG] = { "bad_config", HAUL_RETRY_WHEN_FIXED },
    [HAUL_NO_CREDENTIALS] = { "no_credentials", HAUL_RETRY_WHEN_FIXED },
    [HAUL_NETWORK] = { "network", HAUL_RETRY_LATER },
    [HAUL_TLS] = { "tls", HAUL_RETRY_WHEN_FIXED },
    [HAUL_SERVER] = { "server", HAUL_RETRY_NEVER },
    [HAUL_BAD_REPLY] = { "bad_reply", HAUL_RETRY_LATER },
    [HAUL_LOCAL] = { "local", HAUL_RETRY_NEVER },
    [HAUL_TOO_LARGE] = { "too_large", HAUL_RETRY_NEVER },
    [HAUL_CANCELLED] = { "cancelled", HAUL_RETRY_NEVER },
};

/* One line that a terminal or a log can take, whatever a server wrote into it; and what was cut
 * is cut between characters, so that it stays UTF-8. */
static void tidy(char *text, bool cut)
{
    size_t len = strlen(text);
    if (cut) {
        while (len > 0 && ((unsigned char) text[len - 1] & 0xC0) == 0x80)
            len--;
        if (len > 0 && (unsigned char) text[len - 1] >= 0xC0)
            len--;
        text[len] = '\0';
    }
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char) *c < ' ' || *c == 0x7F)
            *c = ' ';
        else if ((unsigned char) c[0] == 0xC2 && (unsigned char) c[1] < 0xA0 && c[1] != '\0')
            c[0] = c[1] = ' '; /* the C1 controls, in UTF-8 */
    }
    len = strlen(text);
    if (len > 0 && text[len - 1] == '.' && (len == 1 || text[len - 2] != '.'))
        text[len - 1] = '\0'; /* a server's sentence; ours have none */
}

int haul_error_set(struct haul_error *err, enum haul_code code, const char *format, ...)
{
    if (err == NULL)
        return -1;
    bool known = (size_t) code < sizeof codes / sizeof codes[0];
    struct haul_error e = { .code = code,
        .retry = known ? codes[code].retry : HAUL_RETRY_NEVER };
    va_list args;
    va_start(args, format);
    int len = vsnprintf(e.text, sizeof e.text, format, args);
    va_end(args);
    tidy(e.text, len >= (int) sizeof e.text);
    *err = e; /* last: the arguments may have been *err's own */
    return -1;
}

const char *haul_code_name(enum haul_code code)
{
    return (size_t) code < sizeof codes / sizeof codes[0] ? codes[code].name : "unknown";
}
