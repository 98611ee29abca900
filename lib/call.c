/* A request in HTTP's terms: see call.h. Its headers are headers.c's, and the checks before are
 * operation.c's. */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "headers.h"
#include "operation.h"
#include "uri.h"
#include "xmlwrite.h"

#define OWN_PARAMS_MAX 12
#define EXTRA_PARAMS_MAX 32
#define PATH_MAX_BYTES 4096
#define QUERY_MAX_BYTES 8192
#define DOCUMENT_MAX_BYTES (8 * 1024 * 1024) /* 1,000 keys of 1 KiB, escaped: 5 MiB */

/* ---- The query ---- */

struct query {
    struct uri_param params[OWN_PARAMS_MAX + EXTRA_PARAMS_MAX];
    size_t count;
};

static void add_given(struct query *q, const char *name, const char *value)
{
    if (name != NULL && value != NULL)
        q->params[q->count++] = (struct uri_param){ name, value };
}

/* What the listings call the same things. */
static const struct {
    const char *start, *marker, *most, *token, *encoding;
} pages[] = {
    [HAUL_LIST_BUCKETS] = { .most = "max-buckets", .token = "continuation-token" },
    [HAUL_LIST_OBJECTS] = { "start-after", NULL, "max-keys", "continuation-token", "url" },
    [HAUL_LIST_VERSIONS] = { "key-marker", "version-id-marker", "max-keys", NULL, "url" },
    [HAUL_LIST_PARTS] = { .most = "max-parts" },
    /* No encoding-type: Ceph then encodes the keys, but does not say so in its reply. */
    [HAUL_LIST_UPLOADS] = { "key-marker", "upload-id-marker", "max-uploads", NULL, NULL },
};

static void add_page(struct query *q, const struct haul_request *r, const char *most)
{
    add_given(q, "encoding-type", pages[r->operation].encoding);
    add_given(q, pages[r->operation].start, r->start_after);
    add_given(q, pages[r->operation].marker, r->marker_id);
    add_given(q, pages[r->operation].token, r->continuation);
    add_given(q, pages[r->operation].most, r->max_entries > 0 ? most : NULL);
    if (r->operation != HAUL_LIST_PARTS) {
        add_given(q, "prefix", r->prefix);
        add_given(q, r->operation == HAUL_LIST_BUCKETS ? NULL : "delimiter", r->delimiter);
    }
}

/* Returns NULL, or what is wrong with the caller's own parameters. */
static const char *add_query(struct call *c, const struct haul_request *r)
{
    const struct operation *o = operation_of(r->operation);
    struct query q; /* large: not cleared */
    char number[16] = "", most[16] = "";
    if (r->part_number > 0)
        snprintf(number, sizeof number, "%u", r->part_number);
    if (r->max_entries > 0)
        snprintf(most, sizeof most, "%u", r->max_entries);
    q.count = 0;
    add_given(&q, o->flag, "");
    add_given(&q, "list-type", r->operation == HAUL_LIST_OBJECTS ? "2" : NULL);
    if (o->traits & NEEDS_PART)
        add_given(&q, "partNumber", number);
    if (o->traits & NEEDS_UPLOAD)
        add_given(&q, "uploadId", r->upload_id);
    if (o->traits & TAKES_VERSION)
        add_given(&q, "versionId", r->version_id);
    if (o->traits & LISTS)
        add_page(&q, r, most);
    if (r->operation == HAUL_LIST_PARTS && r->part_number > 0)
        add_given(&q, "part-number-marker", number);
    size_t own = q.count;
    if (r->query.count > EXTRA_PARAMS_MAX)
        return "takes at most 32 further query parameters";
    for (size_t i = 0; i < r->query.count; i++) {
        const struct haul_pair *p = &r->query.pairs[i];
        if (p->name == NULL || *p->name == '\0')
            return "takes no query parameter without a name";
        for (size_t n = 0; n < own; n++)
            if (strcmp(q.params[n].name, p->name) == 0)
                return "takes no query parameter twice";
        add_given(&q, p->name, p->value ? p->value : "");
    }
    uri_add_query(&c->query, q.params, q.count);
    return NULL;
}

/* ---- The document ---- */

/* The body that is XML lies in memory; it is read like any other. */
static ssize_t read_document(void *payload, uint64_t offset, void *data, size_t len)
{
    const struct buf *b = payload;
    size_t left = b->len - (size_t) offset;
    if (len > left)
        len = left;
    memcpy(data, b->data + offset, len);
    return (ssize_t) len;
}

static void add_document(struct call *c, const struct haul_request *r)
{
    if (r->operation == HAUL_COMPLETE_UPLOAD)
        xmlwrite_parts(&c->document, r->parts, r->part_count, r->checksum);
    else if (r->operation == HAUL_DELETE_OBJECTS)
        xmlwrite_victims(&c->document, r->victims, r->victim_count);
    else if (r->operation == HAUL_PUT_TAGS && r->tags.count > 0)
        xmlwrite_tags(&c->document, &r->tags);
    /* Others have one region, whose name is not always the one that they sign with: Ceph, for
     * one, refuses any but its zone group's. */
    else if (r->operation == HAUL_CREATE_BUCKET && haul_endpoint_is_aws(r->endpoint) &&
             strcmp(r->endpoint->region, "us-east-1") != 0)
        xmlwrite_region(&c->document, r->endpoint->region);
    if (c->document.len > 0)
        c->body = (struct haul_body){ read_document, &c->document, c->document.len };
}

/* ---- The whole ---- */

int call_build(const struct haul_request *r, struct call *c, struct haul_error *err)
{
    const struct operation *o = operation_of(r->operation);
    const char *fault = operation_fault(r);
    c->path = buf_make(PATH_MAX_BYTES);
    c->query = buf_make_secret(QUERY_MAX_BYTES); /* a caller's may have a token */
    c->document = buf_make(DOCUMENT_MAX_BYTES);
    c->text = buf_make_secret(CALL_TEXT_MAX); /* a customer's key may be in it */
    if (fault == NULL) {
        bool any = r->operation == HAUL_ANY;
        bool untags = r->operation == HAUL_PUT_TAGS && r->tags.count == 0;
        c->method = any ? r->method : untags ? "DELETE" : o->method;
        c->bucket = any || (o->traits & NEEDS_BUCKET) ? r->bucket : NULL;
        endpoint_add_path(
            &c->path, r->endpoint, c->bucket, any || (o->traits & NEEDS_KEY) ? r->key : NULL);
        if (o->traits & TAKES_BODY)
            c->body = r->body;
        add_document(c, r);
        fault = add_query(c, r);
    }
    if (fault == NULL)
        fault = headers_add(c, r);
    if (fault != NULL)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "%s %s", o->name, fault);
    return buf_failed(&c->path, "the key", err) || buf_failed(&c->query, "the query", err) ||
                   buf_failed(&c->document, "the document", err) ||
                   buf_failed(&c->text, "the headers", err)
               ? -1
               : 0;
}

void call_free(struct call *c)
{
    buf_free(&c->path);
    buf_free(&c->query);
    buf_free(&c->document);
    buf_free(&c->text);
    free(c->headers);
    c->headers = NULL;
    c->header_count = c->header_room = 0;
}
