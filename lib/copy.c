/* Copies inside a store, and renaming: see <haul/object.h>. The source's HEAD comes first: its
 * ETag pins what is copied, its size says how. One CopyObject keeps by itself what stands
 * beside the bytes; a multipart upload has to be told all of it. */
#include <haul/object.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <haul/upload.h>

#include "client.h"
#include "headers.h"
#include "store.h"

#define DEFAULT_WORKERS 8
#define DEFAULT_PART_BYTES (64 * 1024 * (uint64_t) 1024)
#define COPY_OBJECT_MAX (5 * 1024 * 1024 * (uint64_t) 1024)
#define METADATA "x-amz-meta-"

/* One copy. */
struct copy {
    struct haul_store *store;
    struct haul_request request; /* whole, and the source pinned once its HEAD is there */
    const struct haul_result *before, *head, *tags; /* owned: what the request points into */
    struct haul_pair *metadata;                     /* owned */
};

static int begin(
    struct copy *c, struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    *c = (struct copy){ .store = s, .request = store_request(s, r, HAUL_COPY_OBJECT) };
    struct haul_source *source = &c->request.source;
    if (source->bucket == NULL)
        source->bucket = c->request.bucket;
    if (source->bucket == NULL || c->request.bucket == NULL || source->key == NULL ||
        c->request.key == NULL)
        return haul_error_set(
            err, HAUL_BAD_ARGUMENT, "a copy needs a bucket, a key and a source's key");
    c->before = store_take(s);
    return 0;
}

static void end(struct copy *c)
{
    client_release(c->before);
    client_release(c->head);
    client_release(c->tags);
    free(c->metadata);
}

static bool is_onto_itself(const struct haul_request *r)
{
    return strcmp(r->key, r->source.key) == 0 && strcmp(r->bucket, r->source.bucket) == 0;
}

static int refuse_itself(const struct haul_request *r, struct haul_error *err)
{
    return haul_error_set(err, HAUL_BAD_ARGUMENT, "%s is both source and destination", r->key);
}

/* After further requests: the result is the store's last again, and what is returned if all
 * went well. */
static const struct haul_result *give_back(
    struct copy *c, const struct haul_result *result, bool went_well)
{
    client_release(c->store->last);
    c->store->last = result;
    return went_well ? result : NULL;
}

/* Another request for the one or the other. */
static struct haul_request of_target(const struct copy *c, enum haul_operation operation)
{
    const struct haul_request *r = &c->request;
    return (struct haul_request){ .operation = operation,
        .endpoint = r->endpoint,
        .bucket = r->bucket,
        .key = r->key,
        .requester_pays = r->requester_pays,
        .expected_owner = r->expected_owner,
        .tries = r->tries };
}

static struct haul_request of_source(const struct copy *c, enum haul_operation operation)
{
    const struct haul_source *source = &c->request.source;
    struct haul_request r = of_target(c, operation);
    if (strcmp(r.bucket, source->bucket) != 0)
        r.expected_owner = NULL;
    r.bucket = source->bucket;
    r.key = source->key;
    r.version_id = source->version_id;
    r.encryption = source->key_of_source;
    return r;
}

static int pin_source(struct copy *c, struct haul_error *err)
{
    struct haul_request head = of_source(c, HAUL_HEAD_OBJECT);
    head.if_match = c->request.source.if_match;
    if (store_perform(c->store, &head, false, err) == NULL)
        return -1;
    c->head = store_take(c->store);
    if (head.if_match == NULL || strcmp(head.if_match, "*") == 0)
        c->request.source.if_match = c->head->etag;
    return 0;
}

/* ---- What stands beside the bytes ---- */

static int keep_metadata(struct copy *c, struct haul_error *err)
{
    struct haul_request *r = &c->request;
    const struct haul_pairs *headers = &c->head->headers;
    c->metadata = calloc(headers->count + 1, sizeof *c->metadata);
    if (c->metadata == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    r->metadata = (struct haul_pairs){ c->metadata, 0 };
    for (size_t i = 0; i < headers->count; i++) {
        struct haul_pair p = headers->pairs[i];
        if (strncmp(p.name, METADATA, strlen(METADATA)) != 0)
            continue;
        p.name += strlen(METADATA);
        if (r->token == NULL || strcmp(p.name, "haul") != 0) /* the token's own */
            c->metadata[r->metadata.count++] = p;
    }
    r->content_type = haul_result_header(c->head, "content-type");
    if (r->content_type == NULL)
        r->content_type = ""; /* nothing is guessed */
    r->cache_control = haul_result_header(c->head, "cache-control");
    r->content_disposition = haul_result_header(c->head, "content-disposition");
    r->content_encoding = haul_result_header(c->head, "content-encoding");
    r->content_language = haul_result_header(c->head, "content-language");
    r->expires = haul_result_header(c->head, "expires");
    return 0;
}

/* A store that knows no tags has none to keep; one that forbids to look may have some. */
static int keep_tags(struct copy *c, struct haul_error *err)
{
    struct haul_request get = of_source(c, HAUL_GET_TAGS);
    if (store_perform(c->store, &get, false, err) == NULL)
        return err->http_status == 501 || strcmp(err->aws_code, "NoSuchTagSet") == 0 ? 0 : -1;
    c->tags = store_take(c->store);
    c->request.tags = c->tags->tags;
    return 0;
}

static bool has_tag(const struct haul_pairs *tags, const struct haul_pair *t)
{
    for (size_t i = 0; i < tags->count; i++)
        if (strcmp(tags->pairs[i].name, t->name) == 0)
            return strcmp(tags->pairs[i].value, t->value) == 0;
    return false;
}

static bool are_same(const struct haul_pairs *a, const struct haul_pairs *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (!has_tag(b, &a->pairs[i]))
            return false;
    return a->count == b->count;
}

/* Ceph 16 passes over the tags that an upload or a copy comes with. Where nobody may look, they
 * are taken to be there. */
static int check_tags(struct copy *c, const char *version_id, struct haul_error *err)
{
    struct haul_request get = of_target(c, HAUL_GET_TAGS), put = of_target(c, HAUL_PUT_TAGS);
    get.version_id = put.version_id = version_id;
    put.tags = c->request.tags;
    const struct haul_result *got = store_perform(c->store, &get, false, err);
    if (got == NULL)
        return err->http_status == 403 || err->http_status == 501 ? 0 : -1;
    if (are_same(&got->tags, &put.tags))
        return 0;
    return store_perform(c->store, &put, false, err) ? 0 : -1;
}

/* ---- Copying ---- */

/* Part by part; sources[] has room for `count`. */
static const struct haul_result *fill(struct copy *c, struct haul_upload *u,
    struct haul_source *sources, uint64_t count, uint64_t part_bytes, struct haul_error *err)
{
    for (uint64_t i = 0, start = 0; i < count; i++, start += part_bytes) {
        uint64_t left = c->head->size - start;
        sources[i] = c->request.source;
        sources[i].range = (struct haul_range){ start, left < part_bytes ? left : part_bytes };
        if (haul_upload_start_copy(u, (unsigned) i + 1, &sources[i], err) < 0)
            return NULL;
    }
    return haul_upload_complete(u, err);
}

static const struct haul_result *copy_in_parts(
    struct copy *c, const struct haul_copy_options *o, struct haul_error *err)
{
    const struct haul_result *result = NULL;
    uint64_t size = c->head->size, part_bytes = o->part_bytes;
    if (part_bytes == 0) {
        part_bytes = haul_part_bytes(size);
        if (part_bytes < DEFAULT_PART_BYTES)
            part_bytes = DEFAULT_PART_BYTES;
    }
    uint64_t count = size / part_bytes + (size % part_bytes != 0);
    if (count > 1 && part_bytes < HAUL_PART_BYTES_MIN) {
        haul_error_set(err, HAUL_BAD_ARGUMENT,
            "parts of %" PRIu64 " bytes: S3 takes from 5 MiB to 5 GiB", part_bytes);
        return NULL;
    }
    if (count > HAUL_PARTS_MAX || part_bytes > HAUL_PART_BYTES_MAX) {
        haul_error_set(err, HAUL_BAD_ARGUMENT,
            "%" PRIu64 " bytes are to be copied in parts of %" PRIu64
            ": at most %d parts of 5 GiB",
            size, part_bytes, HAUL_PARTS_MAX);
        return NULL;
    }
    struct haul_source *sources = calloc(count, sizeof *sources);
    struct haul_upload *u = NULL;
    if (sources == NULL)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    else
        u = haul_upload_new(c->store, &c->request, err);
    if (u != NULL) {
        haul_upload_limit(u, o->workers ? o->workers : DEFAULT_WORKERS);
        result = fill(c, u, sources, count, part_bytes, err);
        if (result == NULL)
            haul_upload_abort(u, NULL);
        haul_upload_free(u);
    }
    free(sources);
    return result;
}

static const struct haul_result *carry_out(
    struct copy *c, const struct haul_copy_options *options, struct haul_error *err)
{
    static const struct haul_copy_options defaults;
    const struct haul_copy_options *o = options ? options : &defaults;
    uint64_t from = o->multipart_from_bytes;
    if (from == 0 || from > COPY_OBJECT_MAX)
        from = COPY_OBJECT_MAX + 1;
    if (pin_source(c, err) < 0)
        return NULL;
    bool in_parts = c->head->size >= from;
    /* A token is metadata, too: S3 keeps the rest only when nothing is given. */
    if ((in_parts || c->request.token) && !headers_replace_metadata(&c->request) &&
        keep_metadata(c, err) < 0)
        return NULL;
    bool loses_tags = in_parts || (headers_replace_metadata(&c->request) &&
                                      haul_result_header(c->head, "x-amz-tagging-count"));
    if (loses_tags && c->request.tags.count == 0 && keep_tags(c, err) < 0)
        return NULL;
    if ((in_parts ? copy_in_parts(c, o, err)
                  : store_write(c->store, &c->request, c->head->size, err)) == NULL)
        return NULL;
    const struct haul_result *result = store_take(c->store);
    bool right = c->request.tags.count == 0 || check_tags(c, result->version_id, err) == 0;
    return give_back(c, result, right);
}

const struct haul_result *haul_copy(struct haul_store *s, const struct haul_request *r,
    const struct haul_copy_options *options, struct haul_error *err)
{
    const struct haul_result *result = NULL;
    struct copy c;
    if (begin(&c, s, r, err) == 0) {
        /* S3 takes an object onto itself only when that changes something. */
        if (is_onto_itself(&c.request) && r->source.version_id == NULL &&
            !headers_replace_metadata(&c.request) && r->storage_class == NULL &&
            r->encryption.kind == HAUL_ENCRYPT_DEFAULT)
            refuse_itself(&c.request, err);
        else
            result = carry_out(&c, options, err);
    }
    end(&c);
    return result;
}

/* Not when another object has come to stand there since. Stores that know no conditional
 * deletion pass over the condition, or say so. */
static int delete_source(struct copy *c, struct haul_error *err)
{
    struct haul_request head = of_source(c, HAUL_HEAD_OBJECT);
    struct haul_request delete = of_source(c, HAUL_DELETE_OBJECT);
    head.if_match = c->request.source.if_match;
    if (store_perform(c->store, &head, false, err) == NULL)
        return err->http_status == 404 ? 0 : -1;
    if (delete.version_id == NULL)
        delete.if_match = head.if_match;
    const struct haul_result *deleted = store_perform(c->store, &delete, false, err);
    if (deleted == NULL && err->http_status == 501) {
        delete.if_match = NULL;
        deleted = store_perform(c->store, &delete, false, err);
    }
    if (deleted != NULL || err->http_status == 404)
        return 0;
    /* A deletion whose reply was lost may have left nothing that fits the condition. */
    struct haul_error why;
    head.if_match = NULL;
    return err->http_status == 412 && store_perform(c->store, &head, false, &why) == NULL &&
                   why.http_status == 404
               ? 0
               : -1;
}

const struct haul_result *haul_rename(struct haul_store *s, const struct haul_request *r,
    const struct haul_copy_options *options, struct haul_error *err)
{
    const struct haul_result *result = NULL;
    struct copy c;
    if (begin(&c, s, r, err) == 0) {
        if (is_onto_itself(&c.request))
            refuse_itself(&c.request, err);
        else
            result = carry_out(&c, options, err);
    }
    if (result != NULL) {
        result = store_take(s);
        result = give_back(&c, result, delete_source(&c, err) == 0);
    }
    end(&c);
    return result;
}
