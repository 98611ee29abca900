/* Percent-encoding: see uri.h. Where a path or a query goes to is the caller's matter. */
#include "uri.h"

#include <stdlib.h>
#include <string.h>

static const bool plain[256] = {
    ['A' ... 'Z'] = true,
    ['a' ... 'z'] = true,
    ['0' ... '9'] = true,
    ['-'] = true,
    ['.'] = true,
    ['_'] = true,
    ['~'] = true,
};

static void add_encoded(struct buf *b, const char *text, char kept)
{
    const unsigned char *at = (const unsigned char *) text;
    for (;;) {
        size_t run = 0;
        while (plain[at[run]] || (at[run] == kept && kept != '\0'))
            run++;
        buf_add(b, at, run);
        at += run;
        if (*at == '\0')
            return;
        const char *hex = "0123456789ABCDEF";
        buf_add(b, (char[]){ '%', hex[*at >> 4], hex[*at & 15] }, 3);
        at++;
    }
}

void uri_add_path(struct buf *b, const char *path)
{
    add_encoded(b, path, '/');
}

void uri_add_value(struct buf *b, const char *value)
{
    add_encoded(b, value, '\0');
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uri_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = digit(in[1]), low = high < 0 ? -1 : digit(in[2]);
        if (low < 0 || high + low == 0)
            return -1;
        *out++ = (char) (high * 16 + low);
        in += 2;
    }
    *out = '\0';
    return 0;
}

/* Where a byte's encoded form sorts: '%' comes before all that is plain, and %XX as XX does. */
static int rank(char c)
{
    unsigned char byte = (unsigned char) c;
    return plain[byte] ? 256 + byte : byte;
}

/* strcmp() of the encoded forms. */
static int compare(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++)
        b++;
    return rank(*a) - rank(*b);
}

static const char *value_of(const struct uri_param *p)
{
    return p->value == NULL ? "" : p->value;
}

static int compare_params(const void *a, const void *b)
{
    const struct uri_param *p = a, *q = b;
    int order = compare(p->name, q->name);
    return order != 0 ? order : compare(value_of(p), value_of(q));
}

void uri_add_query(struct buf *b, struct uri_param *params, size_t count)
{
    if (count > 1)
        qsort(params, count, sizeof params[0], compare_params);
    for (size_t i = 0; i < count; i++) {
        buf_adds(b, i == 0 ? "" : "&");
        uri_add_value(b, params[i].name);
        buf_adds(b, "=");
        uri_add_value(b, value_of(&params[i]));
    }
}

/* Where a character of an encoded query sorts: the ends of a parameter and of its name come
 * before all else. */
static int query_rank(char c)
{
    return c == '\0' || c == '&' ? 0 : c == '=' ? 1 : (unsigned char) c;
}

static int compare_encoded(const char *a, const char *b)
{
    for (; query_rank(*a) != 0 && *a == *b; a++)
        b++;
    return query_rank(*a) - query_rank(*b);
}

void uri_merge_queries(struct buf *b, const char *query, const char *more)
{
    while (*query != '\0' || *more != '\0') {
        bool first = *more == '\0' || (*query != '\0' && compare_encoded(query, more) <= 0);
        const char **from = first ? &query : &more;
        size_t len = strcspn(*from, "&");
        buf_adds(b, b->len == 0 ? "" : "&");
        buf_add(b, *from, len);
        *from += len + ((*from)[len] == '&');
    }
}
