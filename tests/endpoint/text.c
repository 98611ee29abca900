/* Byte strings and the ways S3 writes them. Knows nothing of requests or files. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void make_room(struct text *t, size_t more)
{
    if (t->len + more < t->room)
        return;
    t->room = (t->len + more + 1) * 2;
    t->at = realloc(t->at, t->room);
    if (t->at == NULL)
        abort();
}

void text_add(struct text *t, const void *data, size_t len)
{
    make_room(t, len);
    if (len > 0)
        memcpy(t->at + t->len, data, len);
    t->len += len;
    t->at[t->len] = '\0';
}

void text_append(struct text *t, const struct text *more)
{
    text_add(t, more->at, more->len);
}

void text_puts(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void text_addf(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    make_room(t, (size_t) len);
    va_start(args, format);
    vsnprintf(t->at + t->len, (size_t) len + 1, format, args);
    va_end(args);
    t->len += (size_t) len;
}

const char *text_c(const struct text *t)
{
    return t->at != NULL ? t->at : "";
}

void text_clear(struct text *t)
{
    t->len = 0;
    if (t->at != NULL)
        t->at[0] = '\0';
}

void text_free(struct text *t)
{
    free(t->at);
    *t = (struct text){ 0 };
}

int text_compare(const struct text *a, const struct text *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = len > 0 ? memcmp(a->at, b->at, len) : 0;
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

bool text_starts_with(const struct text *t, const struct text *prefix)
{
    return prefix->len == 0 ||
           (t->len >= prefix->len && memcmp(t->at, prefix->at, prefix->len) == 0);
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

void text_add_percent(struct text *t, const struct text *raw, const char *keep)
{
    for (size_t i = 0; i < raw->len; i++) {
        unsigned char c = (unsigned char) raw->at[i];
        if (is_unreserved(c) || (c != '\0' && strchr(keep, c) != NULL))
            text_add(t, &raw->at[i], 1);
        else
            text_addf(t, "%%%02X", c);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_byte(const char *two)
{
    int high = hex_value(two[0]);
    int low = high < 0 ? -1 : hex_value(two[1]);
    return low < 0 ? -1 : high * 16 + low;
}

void text_add_unpercent(struct text *t, const char *from, size_t len, bool plus_is_space)
{
    make_room(t, len);
    t->at[t->len] = '\0';
    for (size_t i = 0; i < len; i++) {
        int byte = from[i] == '%' && i + 2 < len ? hex_byte(from + i + 1) : -1;
        char c = from[i] == '+' && plus_is_space ? ' ' : from[i];
        if (byte >= 0) {
            c = (char) byte;
            i += 2;
        }
        text_add(t, &c, 1);
    }
}

void text_add_hex(struct text *t, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        text_add(t, (char[]){ digits[bytes[i] >> 4], digits[bytes[i] & 15] }, 2);
}

int text_add_unhex(struct text *t, const char *hex, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        int byte = hex_byte(hex + i);
        if (byte < 0)
            return -1;
        text_add(t, &(char){ (char) byte }, 1);
    }
    return len % 2 == 0 ? 0 : -1;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_add_base64(struct text *t, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        unsigned group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < have ? bytes[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            text_add(t, k <= have ? &base64_digits[group >> (18 - 6 * k) & 63] : "=", 1);
    }
}

int text_add_unbase64(struct text *t, const char *base64)
{
    size_t len = strlen(base64), digits = strspn(base64, base64_digits);
    if (len % 4 != 0 || len - digits > 2 || strspn(base64 + digits, "=") != len - digits)
        return -1;
    unsigned group = 0;
    for (size_t i = 0; i < digits; i++) {
        group = group << 6 | (unsigned) (strchr(base64_digits, base64[i]) - base64_digits);
        if (i % 4 > 0)
            text_add(t, &(char){ (char) (group >> (6 - 2 * (i % 4))) }, 1);
    }
    return 0;
}

/* How many bytes the UTF-8 character at p has; 0: none starts here. */
static size_t utf8_len(const char *p, size_t left)
{
    const unsigned char *u = (const unsigned char *) p;
    size_t len = u[0] < 0x80   ? 1
                 : u[0] < 0xc2 ? 0
                 : u[0] < 0xe0 ? 2
                 : u[0] < 0xf0 ? 3
                 : u[0] < 0xf5 ? 4
                               : 0;
    if (len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xf0 && u[1] < 0x90);
    bool surrogate = u[0] == 0xed && u[1] >= 0xa0;
    return overlong || surrogate || (u[0] == 0xf4 && u[1] >= 0x90) ? 0 : len;
}

void text_add_xml(struct text *t, const struct text *raw)
{
    for (size_t i = 0, len; i < raw->len; i += len) {
        const char *p = raw->at + i;
        len = utf8_len(p, raw->len - i);
        if (len == 0) {
            text_puts(t, "\xef\xbf\xbd");
            len = 1;
        } else if ((unsigned char) *p < 0x20 || strchr("&<>\"'", *p) != NULL) {
            text_addf(t, "&#x%X;", (unsigned) *p);
        } else {
            text_add(t, p, len);
        }
    }
}

void text_add_json(struct text *t, const struct text *raw)
{
    if (raw == NULL) {
        text_puts(t, "null");
        return;
    }
    text_puts(t, "\"");
    for (size_t i = 0, len; i < raw->len; i += len) {
        const char *p = raw->at + i;
        len = utf8_len(p, raw->len - i);
        if (len == 0) {
            text_addf(t, "\\udc%02x", (unsigned char) *p);
            len = 1;
        } else if ((unsigned char) *p < 0x20 || *p == '"' || *p == '\\') {
            text_addf(t, "\\u%04x", (unsigned) *p);
        } else {
            text_add(t, p, len);
        }
    }
    text_puts(t, "\"");
}

int64_t date_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *date_http(int64_t ms, char out[static DATE_MAX])
{
    struct tm tm;
    strftime(out, DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&(time_t){ ms / 1000 }, &tm));
    return out;
}

const char *date_iso(int64_t ms, char out[static DATE_MAX])
{
    struct tm tm;
    size_t len =
        strftime(out, DATE_MAX, "%Y-%m-%dT%H:%M:%S", gmtime_r(&(time_t){ ms / 1000 }, &tm));
    snprintf(out + len, DATE_MAX - len, ".%03uZ", (unsigned) (ms % 1000));
    return out;
}

int64_t date_from_http(const char *date)
{
    struct tm tm = { 0 };
    const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end != NULL && *end == '\0' ? (int64_t) timegm(&tm) * 1000 : -1;
}

int64_t date_from_amz(const char *stamp)
{
    struct tm tm = { 0 };
    const char *end = strptime(stamp, "%Y%m%dT%H%M%SZ", &tm);
    return end != NULL && *end == '\0' && strlen(stamp) == 16 ? (int64_t) timegm(&tm) * 1000
                                                              : -1;
}
