/* Listings as iterators: objects, common prefixes, versions, buckets, open uploads, parts.
 * Pages are fetched as they are needed, and each is asked for while the one before it is read.
 *
 *     struct haul_list *l = haul_list_new(s, &(struct haul_request){
 *         .operation = HAUL_LIST_OBJECTS, .prefix = "2026/", .delimiter = "/" }, &err);
 *     const struct haul_entry *e;
 *     int more = -1;
 *     while (l != NULL && (more = haul_list_next(l, &e, &err)) > 0)
 *         puts(e->key);
 *     haul_list_free(l);
 */
#ifndef HAUL_LIST_H
#define HAUL_LIST_H

#include <haul/store.h>

HAUL_BEGIN

struct haul_list;

/* r->operation is one of HAUL_LIST_…; r and what it points to stay as they are until
 * haul_list_free(). The store must outlive the list, and may be used for other calls between
 * entries. NULL with *err: HAUL_BAD_ARGUMENT (another operation), HAUL_NO_MEMORY. */
struct haul_list *haul_list_new(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

/* The next entry, valid until the next call on this list, whatever else the store does
 * meanwhile. Returns 1; 0 at the end; -1 with *err, as haul_perform(); and HAUL_BAD_REPLY when
 * the server's marker is missing or comes back a second time. After -1 it may be called again,
 * to try the same page once more. */
int haul_list_next(
    struct haul_list *l, const struct haul_entry **entry, struct haul_error *err);

/* LIST_OBJECTS, LIST_BUCKETS: the token with which another list, in another process too, goes
 * on behind the present page, when given as request.continuation with the same prefix and
 * delimiter. So save it when the whole page has been dealt with: with request.max_entries N,
 * after each N entries. NULL: before the first entry, and on the last page. Valid until the
 * next call. To go on behind any single entry instead, save its key and give it as
 * request.start_after; with LIST_VERSIONS and LIST_UPLOADS also its version_id or upload_id as
 * request.marker_id. */
const char *haul_list_continuation(const struct haul_list *l);

void haul_list_free(struct haul_list *l); /* NULL is fine */

HAUL_END
#endif
