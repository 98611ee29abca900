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

/* buckets.c */
void op_list_buckets(struct exchange *x);
void op_create_bucket(struct exchange *x);
void op_head_bucket(struct exchange *x);
void op_get_bucket_location(struct exchange *x);
void op_delete_bucket(struct exchange *x);

/* objects.c */
void op_put_object(struct exchange *x);
void op_get_object(struct exchange *x);
void op_delete_object(struct exchange *x);
/* What the request's headers say of an object in the making. NULL: it may be made. */
const char *refuse_new_object(struct exchange *x);
/* Receives the body into a draft and checks all its sums. -1: dropped, and the reply says why.
 */
int receive_draft(struct exchange *x, struct draft *d, unsigned char md5[static MD5_BYTES]);
/* Makes the draft the object under the request's key, as its conditions let it, and fills in
 * the reply. o->etag and o->kept are given. The draft is gone afterwards. false: refused, and
 * the reply says why. */
bool publish(struct exchange *x, struct draft *d, struct object *o);
void set_etag(struct exchange *x, const char *etag);
void set_md5_etag(char etag[static ETAG_MAX], const unsigned char md5[static MD5_BYTES]);
/* The headers that tell versions apart. */
void set_version(struct exchange *x, const struct object *o);
/* The object under the key is replaced by another of the same size: a fault. */
void replace_object(struct exchange *x);

/* delete_many.c */
void op_delete_objects(struct exchange *x);

/* copies.c */
void op_copy_object(struct exchange *x);
void op_upload_part_copy(struct exchange *x);

/* tags.c */
void op_get_tagging(struct exchange *x);
void op_put_tagging(struct exchange *x);
void op_delete_tagging(struct exchange *x);

/* list_objects.c */
void op_list_objects(struct exchange *x);

/* list_uploads.c */
void op_list_uploads(struct exchange *x);
void op_list_parts(struct exchange *x);

/* multipart.c */
void op_create_upload(struct exchange *x);
void op_upload_part(struct exchange *x);
void op_complete_upload(struct exchange *x);
void op_abort_upload(struct exchange *x);
/* Checks what does not need the bytes. Whether the part may come; if not, the reply says why.
 */
bool accepts_part(struct exchange *x);
/* Makes the draft that part; likewise. */
bool put_part(struct exchange *x, struct draft *d, const unsigned char md5[static MD5_BYTES]);

#endif
