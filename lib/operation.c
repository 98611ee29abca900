/* S3's operations: one table of what each takes and answers, and the checks before anything is
 * sent. Nothing here sends, signs or retries. */
#include "operation.h"

#include <string.h>

#include "endpoint.h"
#include "xmlwrite.h"

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
    [HAUL_CREATE_BUCKET] = { "CreateBucket", "PUT", BUCKET | IS_REGIONAL, ANSWER_NOTHING, NULL, NULL },
    [HAUL_DELETE_BUCKET] = { "DeleteBucket", "DELETE", BUCKET | IS_REGIONAL, ANSWER_NOTHING, NULL, NULL },
    [HAUL_LIST_BUCKETS] = { "ListBuckets", "GET",
        LISTS | IS_REGIONAL, ANSWER_LISTING, NULL, "ListAllMyBucketsResult" },

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
        BUCKET | NEEDS_VICTIMS, ANSWER_LISTING, "delete", "DeleteResult" },
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

    [HAUL_LIST_OBJECTS] = { "ListObjectsV2", "GET",
        BUCKET | LISTS, ANSWER_LISTING, NULL, "ListBucketResult" },
    [HAUL_LIST_VERSIONS] = { "ListObjectVersions", "GET",
        BUCKET | LISTS, ANSWER_LISTING, "versions", "ListVersionsResult" },
    [HAUL_LIST_PARTS] = { "ListParts", "GET",
        UPLOAD | LISTS | TAKES_CUSTOMER, ANSWER_LISTING, NULL, "ListPartsResult" },
    [HAUL_LIST_UPLOADS] = { "ListMultipartUploads", "GET",
        BUCKET | LISTS, ANSWER_LISTING, "uploads", "ListMultipartUploadsResult" },

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

bool operation_can_accelerate(const struct haul_request *r)
{
    return r->operation == HAUL_ANY ? r->key != NULL
                                    : !(operation_of(r->operation)->traits & IS_REGIONAL);
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

/* Behind it there is no byte that any file or int64_t could tell. */
static bool ends_nowhere(const struct haul_range *range)
{
    return range->len > INT64_MAX || range->start > INT64_MAX - range->len;
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
    if (ends_nowhere(&s->range))
        return "takes a range that ends before 2^63";
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
    const char *fault = r->bucket ? fault_of_bucket(r->bucket) : NULL;
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

/* Numbers that stand for nothing. */
static const char *fault_of_kinds(const struct haul_request *r)
{
    if (operation_of(r->operation) == &operations[HAUL_NO_OPERATION])
        return "needs an operation";
    if ((unsigned) r->checksum > HAUL_MD5)
        return "takes no such kind of checksum";
    if ((unsigned) r->payload > HAUL_PAYLOAD_CHUNKED)
        return "takes no such kind of payload";
    return (unsigned) r->encryption.kind > HAUL_ENCRYPT_C ? "takes no such encryption" : NULL;
}

const char *operation_fault(const struct haul_request *r)
{
    const unsigned traits = operation_of(r->operation)->traits;
    const char *fault = fault_of_kinds(r);
    if (fault == NULL && r->endpoint == NULL)
        fault = "needs an endpoint";
    if (fault == NULL && r->operation == HAUL_ANY)
        fault = fault_of_any(r);
    if (fault == NULL && (traits & NEEDS_BUCKET))
        fault = fault_of_bucket(r->bucket);
    if (fault == NULL &&
        !endpoint_can_reach(r->endpoint, r->bucket, operation_can_accelerate(r)))
        fault = "needs a bucket whose name has no dots: the endpoint accelerates";
    if (fault == NULL && (traits & NEEDS_KEY))
        fault = fault_of_key(r->key);
    if (fault == NULL && r->operation == HAUL_GET_OBJECT && ends_nowhere(&r->range))
        fault = "takes a range that ends before 2^63";
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

uint64_t haul_part_bytes(uint64_t size)
{
    const uint64_t mib = 1024 * 1024, least = 8 * mib;
    uint64_t part = size / HAUL_PARTS_MAX + (size % HAUL_PARTS_MAX != 0);
    if (size > HAUL_OBJECT_BYTES_MAX)
        return 0;
    return part <= least ? least : (part + mib - 1) / mib * mib;
}
