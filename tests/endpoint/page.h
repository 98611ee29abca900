/* One page of a listing of keys: what those of objects, versions and uploads share. */
#ifndef ENDPOINT_PAGE_H
#define ENDPOINT_PAGE_H

#include "exchange.h"

enum { PAGE_MAX = 1000 };

struct page {
    const struct text *prefix, *delimiter; /* the request's */
    bool url;                              /* keys are percent-encoded */
    int64_t max, count;                    /* rows and prefixes together */
    struct text rows, prefixes;            /* owned */
};

/* Reads what all listings ask for; `max_name` is the parameter with the number of rows. -1: the
 * reply says what is wrong. page_free() in every case. */
int page_begin(struct exchange *x, struct page *p, const char *max_name, int64_t least);
void page_free(struct page *p);
/* A key, marker or prefix. */
void page_name(
    const struct page *p, struct text *out, const char *element, const struct text *value);
/* The key's bytes up to and with the delimiter behind the prefix. Whether there is one. */
bool page_common(const struct page *p, const struct text *key, struct text *out);
void page_add_prefix(struct page *p, const struct text *common);
/* The elements Prefix, Delimiter, EncodingType, the one of that name with the number, and
 * IsTruncated; then rows and prefixes. */
void page_write(struct exchange *x, const struct page *p, const char *max_name, bool truncated);

#endif
