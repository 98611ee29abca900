/* The operations of S3 that the endpoint knows, and how to tell them apart. */
#ifndef ENDPOINT_OPERATIONS_H
#define ENDPOINT_OPERATIONS_H

#include "exchange.h"

enum scope { SERVICE, BUCKET, OBJECT };

struct operation {
    const char *name, *method;
    enum scope scope;
    const char *param;  /* the query must have it; NULL: nothing that names another operation */
    const char *header; /* the request must have it; NULL: any */
    void (*run)(struct exchange *x);
};

/* Never NULL: the last row, "Unknown", takes what no other does. */
const struct operation *operation_of(const struct request *r, enum scope scope);
/* NULL: there are no more rows. */
const char *operation_name(unsigned row);
bool operation_exists(const char *name);
unsigned operation_row(const struct operation *op);

/* objects.c */
void op_list_buckets(struct exchange *x);
void op_create_bucket(struct exchange *x);
void op_head_bucket(struct exchange *x);
void op_get_bucket_location(struct exchange *x);
void op_delete_bucket(struct exchange *x);
void op_put_object(struct exchange *x);
void op_copy_object(struct exchange *x);
void op_get_object(struct exchange *x);
void op_delete_object(struct exchange *x);
/* Receives the body into a draft and checks all its sums. -1: dropped, and the reply says why.
 */
int receive_draft(struct exchange *x, struct draft *d, unsigned char md5[static MD5_BYTES]);
/* Copies what x-amz-copy-source names into a draft, as receive_draft(). `headers` gets the
 * source's, which the caller frees, if it is not NULL. */
int copy_draft(struct exchange *x, struct draft *d, unsigned char md5[static MD5_BYTES],
    struct text *headers);
/* The request's headers that are kept with an object. */
void kept_headers(const struct request *r, struct text *out);
/* The reply to a copy carries the ETag in a document instead of a header. */
void write_copy_result(struct exchange *x, const char *root);
void set_etag(struct exchange *x, const char *etag);
/* The object under the key is replaced by another of the same size: a fault. */
void replace_object(struct exchange *x);

/* list_objects.c */
void op_list_objects(struct exchange *x);
void op_list_uploads(struct exchange *x);
void op_list_parts(struct exchange *x);
/* The declaration and the open root element, in S3's namespace. */
void xml_begin(struct text *out, const char *root);
void xml_element(struct text *out, const char *name, const struct text *value)
    __attribute__((nonnull));

/* multipart.c */
void op_create_upload(struct exchange *x);
void op_upload_part(struct exchange *x);
void op_upload_part_copy(struct exchange *x);
void op_complete_upload(struct exchange *x);
void op_abort_upload(struct exchange *x);

#endif
