/* The table that tells operations apart. */
#include "operations.h"

#include <string.h>

static void not_implemented(struct exchange *x)
{
    exchange_fail(x, "NotImplemented");
}

/* The first row that fits counts. */
static const struct operation operations[] = {
    { "ListBuckets", "GET", SERVICE, NULL, NULL, op_list_buckets },
    { "ListObjectsV2", "GET", BUCKET, "list-type", NULL, op_list_objects },
    { "ListMultipartUploads", "GET", BUCKET, "uploads", NULL, op_list_uploads },
    { "ListObjectVersions", "GET", BUCKET, "versions", NULL, op_list_versions },
    { "GetBucketVersioning", "GET", BUCKET, "versioning", NULL, op_get_versioning },
    { "PutBucketVersioning", "PUT", BUCKET, "versioning", NULL, op_put_versioning },
    { "GetBucketLocation", "GET", BUCKET, "location", NULL, op_get_bucket_location },
    { "CreateBucket", "PUT", BUCKET, NULL, NULL, op_create_bucket },
    { "HeadBucket", "HEAD", BUCKET, NULL, NULL, op_head_bucket },
    { "DeleteBucket", "DELETE", BUCKET, NULL, NULL, op_delete_bucket },
    { "DeleteObjects", "POST", BUCKET, "delete", NULL, op_delete_objects },
    { "GetObjectTagging", "GET", OBJECT, "tagging", NULL, op_get_tagging },
    { "PutObjectTagging", "PUT", OBJECT, "tagging", NULL, op_put_tagging },
    { "DeleteObjectTagging", "DELETE", OBJECT, "tagging", NULL, op_delete_tagging },
    { "UploadPartCopy", "PUT", OBJECT, "partNumber", "x-amz-copy-source", op_upload_part_copy },
    { "UploadPart", "PUT", OBJECT, "partNumber", NULL, op_upload_part },
    { "CopyObject", "PUT", OBJECT, NULL, "x-amz-copy-source", op_copy_object },
    { "PutObject", "PUT", OBJECT, NULL, NULL, op_put_object },
    { "ListParts", "GET", OBJECT, "uploadId", NULL, op_list_parts },
    { "GetObject", "GET", OBJECT, NULL, NULL, op_get_object },
    { "HeadObject", "HEAD", OBJECT, NULL, NULL, op_get_object },
    { "AbortMultipartUpload", "DELETE", OBJECT, "uploadId", NULL, op_abort_upload },
    { "DeleteObject", "DELETE", OBJECT, NULL, NULL, op_delete_object },
    { "CreateMultipartUpload", "POST", OBJECT, "uploads", NULL, op_create_upload },
    { "CompleteMultipartUpload", "POST", OBJECT, "uploadId", NULL, op_complete_upload },
    { "Unknown", "", SERVICE, NULL, NULL, not_implemented },
};

enum { OPERATION_COUNT = sizeof operations / sizeof operations[0] };
_Static_assert((int) OPERATION_COUNT <= (int) LEDGER_OPS_MAX, "the ledger has a counter a row");

/* Queries that make a request another operation than its method alone says. */
static const char *const subresources[] = { "accelerate", "acl", "attributes", "cors", "delete",
    "encryption", "legal-hold", "lifecycle", "list-type", "location", "logging", "notification",
    "object-lock", "partNumber", "policy", "replication", "restore", "retention", "select",
    "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website" };

static bool is_plain(const struct request *r)
{
    for (size_t i = 0; i < sizeof subresources / sizeof subresources[0]; i++)
        if (request_param(r, subresources[i]) != NULL)
            return false;
    return true;
}

const struct operation *operation_of(const struct request *r, enum scope scope)
{
    const struct operation *op = operations;
    for (; op < operations + OPERATION_COUNT - 1; op++)
        if (op->scope == scope && strcmp(op->method, r->method) == 0 &&
            (op->param != NULL ? request_param(r, op->param) != NULL : is_plain(r)) &&
            (op->header == NULL || request_header(r, op->header) != NULL))
            break;
    return op;
}

const char *operation_name(unsigned row)
{
    return row < OPERATION_COUNT ? operations[row].name : NULL;
}

bool operation_exists(const char *name)
{
    for (unsigned i = 0; i < OPERATION_COUNT; i++)
        if (strcmp(operations[i].name, name) == 0)
            return true;
    return false;
}

unsigned operation_row(const struct operation *op)
{
    return (unsigned) (op - operations);
}
