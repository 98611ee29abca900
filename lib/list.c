/* Listings as iterators: see <haul/list.h>. A page's request points to the markers in the page
 * before it, which therefore stays until the next one is there. */
#include <haul/list.h>

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "client.h"
#include "operation.h"
#include "store.h"

#define MARKER_MAX 65536

struct haul_list {
    struct haul_store *store;          /* borrowed */
    struct haul_request request;       /* of the page to come */
    bool in_flight;                    /* it is on its way */
    const struct haul_result *arrived; /* owned: that page, or its failure; NULL: not there */
    const struct haul_result *page;    /* owned: the one that is read; NULL: none yet */
    size_t at;                         /* its next entry */
    uint64_t pages;
    struct buf landmark; /* where a page began that is replaced after 1, 2, 4... of them */
};

/* ---- Markers ---- */

/* Makes it the request for what is behind that page, whose marker is there (see rows.h). */
static void go_behind(struct haul_request *r, const struct haul_listing *page)
{
    if (r->operation == HAUL_LIST_PARTS) {
        r->part_number = page->next_part;
    } else if (r->operation == HAUL_LIST_VERSIONS || r->operation == HAUL_LIST_UPLOADS) {
        r->start_after = page->next_key;
        r->marker_id = page->next_id;
    } else {
        r->start_after = NULL;
        r->continuation = page->continuation;
    }
}

static void describe_beginning(struct buf *b, const struct haul_request *r)
{
    const char *texts[] = { r->continuation, r->start_after, r->marker_id };
    buf_clear(b);
    buf_addf(b, "%u", r->part_number);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        buf_addf(b, "\n%s", texts[i] ? texts[i] : "");
}

/* No server may lead us in a circle, of however many pages: sooner or later all of it lies
 * between a landmark and its replacement. */
static int check_marker(
    struct haul_list *l, const struct haul_listing *page, struct haul_error *err)
{
    struct haul_request next = l->request;
    struct buf from = buf_make(MARKER_MAX), to = buf_make(MARKER_MAX);
    go_behind(&next, page);
    describe_beginning(&from, &l->request);
    describe_beginning(&to, &next);
    int rc =
        buf_failed(&from, "the marker", err) || buf_failed(&to, "the marker", err) ? -1 : 0;
    if (rc == 0 && (strcmp(buf_text(&from), buf_text(&to)) == 0 ||
                       strcmp(buf_text(&l->landmark), buf_text(&to)) == 0))
        rc = haul_error_set(err, HAUL_BAD_REPLY, "%s: the server's marker comes back",
            operation_name(next.operation));
    if (rc == 0 && (l->pages & (l->pages - 1)) == 0) {
        struct buf old = l->landmark;
        l->landmark = to;
        to = old;
    }
    buf_free(&from);
    buf_free(&to);
    return rc;
}

/* ---- Pages ---- */

static void on_page(void *payload, const struct haul_result *result)
{
    struct haul_list *l = payload;
    l->arrived = client_keep(result);
    l->in_flight = false;
}

static int ask(struct haul_list *l, struct haul_error *err)
{
    if (haul_client_submit(l->store->client, &l->request, on_page, l, err) < 0)
        return -1;
    l->in_flight = true;
    return 0;
}

/* While this page is read the next one comes. Should asking fail here, it will fail again when
 * that page is needed, and be told then. */
static void turn_to(struct haul_list *l, const struct haul_result *page)
{
    struct haul_error ignored;
    client_release(l->page);
    l->page = page;
    l->at = 0;
    l->pages++;
    if (!page->listing.truncated)
        return;
    go_behind(&l->request, &page->listing);
    if (ask(l, &ignored) == 0)
        haul_client_run(l->store->client, 0, &ignored);
}

static int next_page(struct haul_list *l, struct haul_error *err)
{
    if (l->arrived == NULL && !l->in_flight && ask(l, err) < 0)
        return -1;
    while (l->arrived == NULL)
        if (store_run(l->store, err) < 0)
            return -1;
    const struct haul_result *page = l->arrived;
    l->arrived = NULL;
    if (page->error.code != HAUL_OK)
        *err = page->error;
    else if (!page->listing.truncated || check_marker(l, &page->listing, err) == 0) {
        turn_to(l, page);
        return 0;
    }
    client_release(page);
    return -1;
}

/* ---- The public face ---- */

struct haul_list *haul_list_new(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    struct haul_list *l = NULL;
    if (!(operation_of(r->operation)->traits & LISTS))
        haul_error_set(err, HAUL_BAD_ARGUMENT, "a list needs an operation that lists");
    else if ((l = calloc(1, sizeof *l)) == NULL)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    if (l == NULL)
        return NULL;
    l->store = s;
    l->request = store_request(s, r, r->operation);
    l->landmark = buf_make(MARKER_MAX);
    return l;
}

int haul_list_next(struct haul_list *l, const struct haul_entry **entry, struct haul_error *err)
{
    if (store_check(l->store, err) < 0)
        return -1;
    while (l->page == NULL || l->at == l->page->listing.count) {
        if (l->page != NULL && !l->page->listing.truncated)
            return 0;
        if (next_page(l, err) < 0)
            return -1;
    }
    *entry = &l->page->listing.entries[l->at++];
    return 1;
}

const char *haul_list_continuation(const struct haul_list *l)
{
    return l->page && l->page->listing.truncated ? l->page->listing.continuation : NULL;
}

void haul_list_free(struct haul_list *l)
{
    struct haul_error ignored;
    if (l == NULL)
        return;
    if (l->in_flight)
        haul_client_cancel(l->store->client, &l->request);
    while (l->in_flight)
        haul_client_run(l->store->client, 0, &ignored);
    client_release(l->arrived);
    client_release(l->page);
    buf_free(&l->landmark);
    free(l);
}
