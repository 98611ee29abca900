/* S3's operations: one table of what each takes and answers, and the checks before anything is
 * sent. Nothing here sends, signs or retries. */
#include "operation.h"

#include <string.h>

#include "endpoint.h"
#include "uri.h"
#include "xmlwrite.h"

#define PATH_MAX_BYTES 4096
#define QUERY_MAX_BYTES 8192
#define DOCUMENT_MAX_BYTES (8 * 1024 * 1024) /* 1,000 keys of 1 KiB, escaped: 5 MiB */
#define METADATA_BYTES_MAX 2048

enum {
    BUCKET = NEEDS_BUCKET,
    OBJECT = NEEDS_BUCKET | NEEDS_KEY,
    UPLOAD = OBJECT | NEEDS_UPLOAD,
    STORED = TAKES_METADATA | TAKES_CUSTOMER, /* an object comes into being */
};

/* clang-format off */
static const struct operation operations[] = {
    [HAUL_NO_OPERATION] = { "the request", NULL, 0, ANSWER_NOTHING, NULL, NULL },

    [HAUL_HEAD_BUCKET] = { "HeadBucket", "HEAD", BUCKET, ANSWER_NOTHING, NULL, NULL },
    [HAUL_CREATE_BUCKET] = { "CreateBucket", "PUT", BUCKET, ANSWER_NOTHING, NULL, NULL },
    [HAUL_DELETE_BUCKET] = { "DeleteBucket", "DELETE", BUCKET, ANSWER_NOTHING, NULL, NULL },
    [HAUL_LIST_BUCKETS] = { "ListBuckets", "GET", LISTS, ANSWER_LISTING, NULL, NULL },

    [HAUL_PUT_OBJECT] = { "PutObject", "PUT",
        OBJECT | STORED | TAKES_BODY | TAKES_CHECKSUM | TAKES_MATCHES, ANSWER_ETAG, NULL, NULL },
    [HAUL_GET_OBJECT] = { "GetObject", "GET",
        OBJECT | TAKES_VERSION | TAKES_CUSTOMER | TAKES_MATCHES | READS_OBJECT,
        ANSWER_OBJECT, NULL, NULL },
    [HAUL_HEAD_OBJECT] = { "HeadObject", "HEAD",
        OBJECT | TAKES_VERSION | TAKES_CUSTOMER | TAKES_MATCHES | READS_OBJECT,
        ANSWER_OBJECT, NULL, NULL },
    [HAUL_DELETE_OBJECT] = { "DeleteObject", "DELETE",
        OBJECT | TAKES_VERSION | TAKES_MATCHES, ANSWER_NOTHING, NULL, NULL },
    [HAUL_DELETE_OBJECTS] = { "DeleteObjects", "POST",
        BUCKET | NEEDS_VICTIMS, ANSWER_LISTING, "delete", NULL },
    [HAUL_COPY_OBJECT] = { "CopyObject", "PUT",
        OBJECT | NEEDS_SOURCE | STORED | TAKES_MATCHES | IS_SLOW,
        ANSWER_RESULT, NULL, "CopyObjectResult" },
    [HAUL_GET_TAGS] = { "GetObjectTagging", "GET",
        OBJECT | TAKES_VERSION, ANSWER_TAGS, "tagging", NULL },
    [HAUL_PUT_TAGS] = { "PutObjectTagging", "PUT",
        OBJECT | TAKES_VERSION, ANSWER_NOTHING, "tagging", NULL },

    [HAUL_CREATE_UPLOAD] = { "CreateMultipartUpload", "POST",
        OBJECT | STORED, ANSWER_UPLOAD, "uploads", NULL },
    [HAUL_UPLOAD_PART] = { "UploadPart", "PUT",
        UPLOAD | NEEDS_PART | TAKES_CUSTOMER | TAKES_BODY | TAKES_CHECKSUM,
        ANSWER_ETAG, NULL, NULL },
    [HAUL_COPY_PART] = { "UploadPartCopy", "PUT",
        UPLOAD | NEEDS_PART | NEEDS_SOURCE | TAKES_CUSTOMER | IS_SLOW,
        ANSWER_RESULT, NULL, "CopyPartResult" },
    [HAUL_COMPLETE_UPLOAD] = { "CompleteMultipartUpload", "POST",
        UPLOAD | NEEDS_PARTS | TAKES_CUSTOMER | TAKES_MATCHES | IS_SLOW,
        ANSWER_RESULT, NULL, "CompleteMultipartUploadResult" },
    [HAUL_ABORT_UPLOAD] = { "AbortMultipartUpload", "DELETE", UPLOAD, ANSWER_NOTHING, NULL, NULL },

    [HAUL_LIST_OBJECTS] = { "ListObjectsV2", "GET", BUCKET | LISTS, ANSWER_LISTING, NULL, NULL },
    [HAUL_LIST_VERSIONS] = { "ListObjectVersions", "GET",
        BUCKET | LISTS, ANSWER_LISTING, "versions", NULL },
    [HAUL_LIST_PARTS] = { "ListParts", "GET",
        UPLOAD | LISTS | TAKES_CUSTOMER, ANSWER_LISTING, NULL, NULL },
    [HAUL_LIST_UPLOADS] = { "ListMultipartUploads", "GET",
        BUCKET | LISTS, ANSWER_LISTING, "uploads", NULL },

    [HAUL_ANY] = { "the request", NULL, TAKES_BODY, ANSWER_ANY, NULL, NULL },
};
/* clang-format on */

const struct operation *operation_of(enum haul_operation operation)
{
    bool known = (size_t) operation < sizeof operations / sizeof *operations;
    return &operations[known ? operation : HAUL_NO_OPERATION];
}

const char *operation_name(enum haul_operation operation)
{
    return operation_of(operation)->name;
}

bool operation_is_slow(enum haul_operation operation)
{
    return (operation_of(operation)->traits & IS_SLOW) != 0;
}

static bool is_missing(const char *text)
{
    return text == NULL || *text == '\0';
}

/* Nothing that would end the host's name: keys are sent there. Ceph writes tenant:bucket. */
static bool is_bucket(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") ==
           strlen(name);
}

static const char *fault_of_bucket(const char *bucket)
{
    if (is_missing(bucket))
        return "needs a bucket";
    return is_bucket(bucket) ? NULL : "takes a bucket's name of letters, digits and . _ : -";
}

static const char *fault_of_key(const char *key)
{
    if (is_missing(key))
        return "needs a key";
    return strlen(key) > HAUL_KEY_BYTES_MAX ? "takes a key of at most 1,024 bytes" : NULL;
}

static const char *fault_of_parts(const struct haul_part *parts, size_t count)
{
    unsigned last = 0;
    bool ok = count > 0;
    for (size_t i = 0; ok && i < count; i++) {
        ok = parts[i].etag != NULL && xmlwrite_is_text(parts[i].etag) &&
             parts[i].number > last && parts[i].number <= HAUL_PARTS_MAX;
        last = parts[i].number;
    }
    return ok ? NULL : "takes 1 to 10,000 parts with ETags, in the order of their numbers";
}

static const char *fault_of_victims(const struct haul_victim *victims, size_t count)
{
    const char *fault = count < 1 || count > HAUL_DELETE_MAX ? "takes 1 to 1,000 keys" : NULL;
    for (size_t i = 0; fault == NULL && i < count; i++) {
        fault = fault_of_key(victims[i].key);
        if (fault == NULL &&
            (!xmlwrite_is_text(victims[i].key) ||
                (victims[i].version_id != NULL && !xmlwrite_is_text(victims[i].version_id))))
            fault = "takes no keys that XML can't write: delete them one by one";
    }
    return fault;
}

static const char *fault_of_source(const struct haul_request *r)
{
    const struct haul_source *s = &r->source;
    const char *fault = fault_of_bucket(s->bucket ? s->bucket : r->bucket);
    if (fault != NULL || (fault = fault_of_key(s->key)) != NULL)
        return fault;
    if (s->key_of_source.kind != HAUL_ENCRYPT_DEFAULT &&
        s->key_of_source.kind != HAUL_ENCRYPT_C)
        return "takes only a customer's key for its source";
    if (s->range.start > 0 && s->range.len == 0)
        return "takes its source's range with a length";
    return s->range.len > HAUL_PART_BYTES_MAX ? "takes at most 5 GiB in one request" : NULL;
}

/* In UTF-8: all bytes but those that go on with a character. */
static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char) *text & 0xC0) != 0x80;
    return count;
}

static const char *fault_of_tags(const struct haul_pairs *tags)
{
    if (tags->count > HAUL_TAGS_MAX)
        return "takes at most 10 tags";
    for (size_t i = 0; i < tags->count; i++) {
        const struct haul_pair *t = &tags->pairs[i];
        if (is_missing(t->name) || t->value == NULL || !xmlwrite_is_text(t->name) ||
            !xmlwrite_is_text(t->value) || count_characters(t->name) > 128 ||
            count_characters(t->value) > 256)
            return "takes tags of 1 to 128 characters, with values of at most 256";
    }
    return NULL;
}

static const char *fault_of_metadata(const struct haul_request *r)
{
    size_t bytes = r->token ? strlen("haul") + strlen(r->token) : 0;
    for (size_t i = 0; i < r->metadata.count; i++) {
        const struct haul_pair *p = &r->metadata.pairs[i];
        bytes += (p->name ? strlen(p->name) : 0) + (p->value ? strlen(p->value) : 0);
    }
    return bytes > METADATA_BYTES_MAX ? "takes at most 2 KiB of metadata" : NULL;
}

static const char *fault_of_any(const struct haul_request *r)
{
    if (is_missing(r->method) ||
        r->method[strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0')
        return "needs a method, in upper case";
    if (r->body.size > 0 && strcmp(r->method, "HEAD") == 0)
        return "takes no body with HEAD";
    const char *fault = r->bucket || r->key ? fault_of_bucket(r->bucket) : NULL;
    return fault || r->key == NULL ? fault : fault_of_key(r->key);
}

/* A customer's key goes over the wire as it is. */
static const char *fault_of_encryption(
    const struct haul_endpoint *e, const struct haul_encryption *encryption)
{
    if (encryption->kind != HAUL_ENCRYPT_C)
        return NULL;
    if (encryption->customer_key == NULL)
        return "needs the customer's key";
    return endpoint_is_private(e) ? NULL : "sends a customer's key over https only";
}

/* Limits first: a request that S3 must refuse is not worth its bytes. */
static const char *fault_of(const struct haul_request *r, unsigned traits)
{
    const char *fault = NULL;
    if (r->endpoint == NULL)
        return "needs an endpoint";
    if (operation_of(r->operation) == &operations[HAUL_NO_OPERATION])
        return "needs an operation";
    if (r->operation == HAUL_ANY)
        fault = fault_of_any(r);
    if (fault == NULL && (traits & NEEDS_BUCKET))
        fault = fault_of_bucket(r->bucket);
    if (fault == NULL && (traits & NEEDS_KEY))
        fault = fault_of_key(r->key);
    if (fault == NULL && (traits & NEEDS_UPLOAD) && is_missing(r->upload_id))
        fault = "needs an upload id";
    if (fault == NULL && (traits & NEEDS_PART) &&
        (r->part_number < 1 || r->part_number > HAUL_PARTS_MAX))
        fault = "takes part numbers from 1 to 10,000";
    if (fault == NULL && (traits & NEEDS_PARTS))
        fault = fault_of_parts(r->parts, r->part_count);
    if (fault == NULL && (traits & NEEDS_VICTIMS))
        fault = fault_of_victims(r->victims, r->victim_count);
    if (fault == NULL && (traits & NEEDS_SOURCE))
        fault = fault_of_source(r);
    if (fault == NULL && (traits & NEEDS_SOURCE))
        fault = fault_of_encryption(r->endpoint, &r->source.key_of_source);
    if (fault == NULL && (traits & TAKES_CUSTOMER))
        fault = fault_of_encryption(r->endpoint, &r->encryption);
    if (fault == NULL && ((traits & TAKES_METADATA) || r->operation == HAUL_PUT_TAGS))
        fault = fault_of_tags(&r->tags);
    if (fault == NULL && (traits & TAKES_METADATA))
        fault = fault_of_metadata(r);
    if (fault == NULL && (traits & TAKES_BODY) && r->body.size > 0 && r->body.read == NULL)
        fault = "needs a function that reads the body";
    if (fault == NULL && (traits & TAKES_BODY) && r->body.size > HAUL_PART_BYTES_MAX)
        fault = "takes at most 5 GiB in one request";
    return fault;
}

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
    else if (r->operation == HAUL_CREATE_BUCKET && endpoint_is_aws(r->endpoint) &&
             strcmp(r->endpoint->region, "us-east-1") != 0)
        xmlwrite_region(&c->document, r->endpoint->region);
    if (c->document.len > 0)
        c->body = (struct haul_body){ read_document, &c->document, c->document.len };
}

uint64_t haul_part_bytes(uint64_t size)
{
    const uint64_t mib = 1024 * 1024, least = 8 * mib;
    uint64_t part = size / HAUL_PARTS_MAX + (size % HAUL_PARTS_MAX != 0);
    if (size > HAUL_OBJECT_BYTES_MAX)
        return 0;
    return part <= least ? least : (part + mib - 1) / mib * mib;
}

int operation_build(const struct haul_request *r, struct call *c, struct haul_error *err)
{
    const struct operation *o = operation_of(r->operation);
    const char *fault = fault_of(r, o->traits);
    c->path = buf_make(PATH_MAX_BYTES);
    c->query = buf_make(QUERY_MAX_BYTES);
    c->document = buf_make(DOCUMENT_MAX_BYTES);
    c->text = buf_make(CALL_TEXT_MAX);
    if (fault == NULL) {
        bool any = r->operation == HAUL_ANY;
        bool untags = r->operation == HAUL_PUT_TAGS && r->tags.count == 0;
        c->method = any ? r->method : untags ? "DELETE" : o->method;
        endpoint_add_path(&c->path, r->endpoint,
            any || (o->traits & NEEDS_BUCKET) ? r->bucket : NULL,
            any || (o->traits & NEEDS_KEY) ? r->key : NULL);
        if (o->traits & TAKES_BODY)
            c->body = r->body;
        add_document(c, r);
        fault = call_add_query(c, r);
    }
    if (fault == NULL)
        fault = call_add_headers(c, r);
    if (fault != NULL)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "%s %s", o->name, fault);
    return buf_failed(&c->path, "the key", err) || buf_failed(&c->query, "the query", err) ||
                   buf_failed(&c->document, "the document", err) ||
                   buf_failed(&c->text, "the headers", err)
               ? -1
               : 0;
}
