/* The operations of S3 that the endpoint knows, and how to tell them apart. */
#ifndef ENDPOINT_OPERATIONS_H
#define ENDPOINT_OPERATIONS_H

#include "exchange.h"
#include "sums.h"

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
/* The object under the key is replaced by another of the same size: a fault. */
void replace_object(struct exchange *x);

/* publish.c */
/* What the request's headers say of an object in the making. NULL: it may be made. */
const char *refuse_new_object(struct exchange *x);
/* Receives the body into a draft and checks all its sums. -1: dropped, and the reply says why.
 */
int receive_draft(struct exchange *x, struct draft *d);
/* Makes the draft the object under the request's key, as its conditions let it, and fills in
 * the reply's headers. o->kept is given, and o->etag unless it is the bytes' MD5. false:
 * refused, and the reply says why. */
bool publish(struct exchange *x, struct draft *d, struct object *o);
void name_by_md5(struct object *o, const unsigned char md5[static MD5_BYTES]);
/* Headers of the reply: the ETag, what tells versions apart, the checksum that is kept. */
void set_etag(struct exchange *x, const char *etag);
void set_version(struct exchange *x, const struct object *o);
void set_sum(struct exchange *x, const struct text *kept);
/* ETag and checksum in the reply's document, instead of headers. */
void write_outcome(struct exchange *x, const struct text *kept);

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

/* versions.c */
void op_get_versioning(struct exchange *x);
void op_put_versioning(struct exchange *x);
void op_list_versions(struct exchange *x);

/* multipart.c */
void op_create_upload(struct exchange *x);
void op_upload_part(struct exchange *x);
void op_abort_upload(struct exchange *x);

/* A part on its way into its upload. */
struct arrival {
    struct text kept; /* owned: what the upload keeps */
    struct sums_plan plan;
    struct draft draft;
    struct text sum; /* owned: its checksum, as the plan has it; base64 */
    struct part part;
};

/* Checks what does not need the bytes. Whether the part may come; if not, the reply says why.
 * arrival_free() in either case. */
bool arrival_begin(struct exchange *x, struct arrival *a);
/* Makes the draft that part. Whether it did; likewise. */
bool arrival_end(struct exchange *x, struct arrival *a);
void arrival_free(struct arrival *a);

/* complete.c */
void op_complete_upload(struct exchange *x);

#endif
