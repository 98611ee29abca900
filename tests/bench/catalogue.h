/* The objects that the sink makes up: so many keys below small/, in folders of a thousand, all
 * of one size, each with an ETag of its own. Pure. */
#ifndef BENCH_CATALOGUE_H
#define BENCH_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

#define CATALOGUE_PREFIX "small/"

enum { CATALOGUE_ETAG_SIZE = 35, CATALOGUE_PAGE_KEYS = 1000 };

struct catalogue {
    uint64_t count, object_bytes;
};

/* What a ListObjectsV2 asks for, or a ListObjects, whose marker is `after`. */
struct catalogue_query {
    const char *prefix, *after; /* "": none */
    uint64_t token;             /* of the page before; 0: none */
    unsigned max;               /* at most CATALOGUE_PAGE_KEYS */
};

/* The page as XML; the caller frees it. *len: its bytes. NULL: no memory. */
char *catalogue_page(
    const struct catalogue *c, const struct catalogue_query *query, size_t *len);

/* The ETag, without quotes, of any key; the same in a listing. It has the form of a multipart
 * upload's, so that nobody takes it for the MD5 of the bytes. */
void catalogue_etag(const char *key, char etag[static CATALOGUE_ETAG_SIZE]);

#endif
