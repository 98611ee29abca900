/* Percent-encoding as SigV4 wants it: everything but A-Z a-z 0-9 - . _ ~ becomes %XX, upper
 * case. Nothing is ever normalised. Pure. */
#ifndef URI_H
#define URI_H

#include "buf.h"

/* One path: slashes stay. */
void uri_add_path(struct buf *b, const char *path);

/* One query name or value: slashes are encoded too. */
void uri_add_value(struct buf *b, const char *value);

/* Undoes %XX (and nothing else, "+" stays) in place. Returns 0; -1 for a broken escape or %00.
 */
int uri_decode(char *text);

/* A query parameter, unescaped. value NULL: none given, "name=" is written, as S3 expects. */
struct uri_param {
    const char *name, *value;
};

/* "a=1&b=&c=%2F": encoded, then sorted by encoded name. Sorts params in place. */
void uri_add_query(struct buf *b, struct uri_param *params, size_t count);

/* Two such queries as one. */
void uri_merge_queries(struct buf *b, const char *query, const char *more);

#endif
