/* Parameters, names and common prefixes of listings. */
#include "page.h"

#include "xml.h"

#include <inttypes.h>
#include <string.h>

int page_begin(struct exchange *x, struct page *p, const char *max_name, int64_t least)
{
    const struct text *type = exchange_param(x, "encoding-type");
    *p = (struct page){
        .prefix = exchange_param(x, "prefix"),
        .delimiter = exchange_param(x, "delimiter"),
        .url = type->len > 0,
        .max = exchange_number(x, max_name, PAGE_MAX, least, INT32_MAX),
    };
    if (p->max > PAGE_MAX)
        p->max = PAGE_MAX;
    if (p->url && strcmp(type->at, "url") != 0)
        exchange_fail(x, "InvalidArgument");
    return x->reply.code == NULL ? 0 : -1;
}

void page_free(struct page *p)
{
    text_free(&p->rows);
    text_free(&p->prefixes);
}

/* With encoding-type=url as Amazon does it, a blank being "+". */
void page_name(
    const struct page *p, struct text *out, const char *element, const struct text *value)
{
    struct text encoded = { 0 };
    if (p->url) {
        text_add_percent(&encoded, value, "/ ");
        for (size_t i = 0; i < encoded.len; i++)
            if (encoded.at[i] == ' ')
                encoded.at[i] = '+';
    }
    xml_element(out, element, p->url ? &encoded : value);
    text_free(&encoded);
}

bool page_common(const struct page *p, const struct text *key, struct text *out)
{
    const char *rest = key->at + p->prefix->len;
    const char *end = p->delimiter->len == 0 ? NULL
                                             : memmem(rest, key->len - p->prefix->len,
                                                   p->delimiter->at, p->delimiter->len);
    text_clear(out);
    if (end != NULL)
        text_add(out, key->at, (size_t) (end - key->at) + p->delimiter->len);
    return end != NULL;
}

void page_add_prefix(struct page *p, const struct text *common)
{
    text_puts(&p->prefixes, "<CommonPrefixes>");
    page_name(p, &p->prefixes, "Prefix", common);
    text_puts(&p->prefixes, "</CommonPrefixes>");
}

void page_write(struct exchange *x, const struct page *p, const char *max_name, bool truncated)
{
    struct text *out = &x->reply.body;
    page_name(p, out, "Prefix", p->prefix);
    if (p->delimiter->len > 0)
        page_name(p, out, "Delimiter", p->delimiter);
    text_addf(out, "%s<%s>%" PRId64 "</%s><IsTruncated>%s</IsTruncated>",
        p->url ? "<EncodingType>url</EncodingType>" : "", max_name, p->max, max_name,
        truncated ? "true" : "false");
    text_append(out, &p->rows);
    text_append(out, &p->prefixes);
}
