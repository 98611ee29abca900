/* ListObjectsV2 as an iterator. The server's pages are copied into one block of text, as they
 * are gone when their callback returns. */
#include "listing.h"

#include <haul/haul.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refusal.h"

struct row {
    char *name, *etag; /* owned */
    uint64_t size;
    int64_t modified_ms;
};

struct listing {
    struct haul_client *client;
    const struct haul_endpoint *endpoint;
    const struct transfer *transfer;
    char *start_after; /* owned: the key of `after` */
    struct row *rows;  /* owned: the page */
    size_t count, at;
    char *continuation; /* owned; NULL: no page is left */
    char *landmark;     /* owned: an earlier continuation; replaced ever more seldom */
    unsigned pages;
    char *last; /* owned: the last name given */
    bool begun, no_memory;
    const char *fault; /* what was wrong with the page */
};

static void clear_page(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->rows[i].name);
        free(l->rows[i].etag);
    }
    free(l->rows);
    l->rows = NULL;
    l->count = l->at = 0;
}

struct listing *listing_open(struct haul_client *client, const struct haul_endpoint *endpoint,
    const struct transfer *t, const char *after)
{
    struct listing *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->client = client;
    l->endpoint = endpoint;
    l->transfer = t;
    if (after != NULL && asprintf(&l->start_after, "%s%s", t->key, after) < 0) {
        l->start_after = NULL;
        listing_close(l);
        return NULL;
    }
    return l;
}

void listing_close(struct listing *l)
{
    if (l == NULL)
        return;
    clear_page(l);
    free(l->start_after);
    free(l->continuation);
    free(l->landmark);
    free(l->last);
    free(l);
}

/* Resuming and merging both rest on the order; a server that breaks it must not go unnoticed.
 */
static const char *row_fault(struct listing *l, const struct haul_entry *e, const char *before)
{
    size_t prefix = strlen(l->transfer->key);
    if (strncmp(e->key, l->transfer->key, prefix) != 0)
        return "lists keys that were not asked for";
    if (before != NULL && strcmp(before, e->key + prefix) >= 0)
        return "lists keys twice or out of order";
    return NULL;
}

/* No server may lead us in a circle of empty pages, however many: sooner or later all of it
 * lies between a landmark and its replacement. */
static void go_on_at(struct listing *l, char *next)
{
    if (next && ((l->continuation && strcmp(next, l->continuation) == 0) ||
                    (l->landmark && strcmp(next, l->landmark) == 0)))
        l->fault = "gives the same continuation token twice";
    l->pages++;
    if ((l->pages & (l->pages - 1)) == 0) {
        free(l->landmark);
        l->landmark = l->continuation;
        l->continuation = NULL;
    }
    free(l->continuation);
    l->continuation = next;
}

static void on_page(void *payload, const struct haul_result *result)
{
    struct listing *l = payload;
    const struct haul_listing *page = &result->listing;
    if (result->error.code != HAUL_OK)
        return;
    size_t prefix = strlen(l->transfer->key);
    const char *before = l->last;
    l->rows = calloc(page->count ? page->count : 1, sizeof *l->rows);
    l->no_memory = l->rows == NULL;
    for (size_t i = 0; i < page->count && !l->no_memory; i++) {
        const struct haul_entry *e = &page->entries[i];
        l->fault = row_fault(l, e, before);
        if (l->fault != NULL)
            return;
        struct row *r = &l->rows[l->count++];
        *r = (struct row){ strdup(e->key + prefix), e->etag ? strdup(e->etag) : NULL, e->size,
            e->modified_ms };
        l->no_memory = !r->name || (e->etag && !r->etag);
        before = r->name;
    }
    char *next = page->truncated && page->continuation ? strdup(page->continuation) : NULL;
    l->no_memory |= page->truncated && next == NULL;
    go_on_at(l, next);
}

static int fetch_page(struct listing *l, struct error *err)
{
    struct haul_error error;
    char *token = l->continuation ? strdup(l->continuation) : NULL;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS,
        .endpoint = l->endpoint,
        .bucket = l->transfer->bucket,
        .prefix = *l->transfer->key ? l->transfer->key : NULL,
        .start_after = token ? NULL : l->start_after,
        .continuation = token };
    if (l->continuation && !token)
        return error_no_memory(err);
    clear_page(l);
    int rc = haul_client_perform(l->client, &r, on_page, l, &error);
    free(token);
    l->begun = true;
    if (rc < 0) {
        refusal_explain(&error, l->transfer->endpoint, l->transfer->bucket, err);
        return -1;
    }
    if (l->fault != NULL)
        return error_set(err, EXIT_PAUSED, "endpoint %s, bucket %s: the server %s",
            l->transfer->endpoint->name, l->transfer->bucket, l->fault);
    if (l->no_memory)
        return error_no_memory(err);
    return 0;
}

int listing_next(struct listing *l, struct listed *out, struct error *err)
{
    while (l->at == l->count) { /* a page may be empty and yet not the last one */
        if (l->begun && l->continuation == NULL)
            return 0;
        if (l->count > 0) {
            free(l->last);
            l->last = l->rows[l->count - 1].name;
            l->rows[l->count - 1].name = NULL;
        }
        if (fetch_page(l, err) < 0)
            return -1;
    }
    const struct row *r = &l->rows[l->at++];
    *out = (struct listed){ r->name, r->etag, r->size, r->modified_ms };
    return 1;
}
