/* S3's operations: one table of what each takes and answers. What a request becomes in HTTP's
 * terms is call.h's, what a reply means reply.h's; the loop that sends is client.c. */
#ifndef OPERATION_H
#define OPERATION_H

#include <haul/request.h>

/* What an operation needs, and which fields of a request it takes. */
enum trait {
    NEEDS_BUCKET = 1 << 0,
    NEEDS_KEY = 1 << 1,
    NEEDS_UPLOAD = 1 << 2,
    NEEDS_PART = 1 << 3,
    NEEDS_PARTS = 1 << 4,
    NEEDS_SOURCE = 1 << 5,
    NEEDS_VICTIMS = 1 << 6,
    TAKES_BODY = 1 << 7,
    TAKES_CHECKSUM = 1 << 8,  /* of the body */
    TAKES_METADATA = 1 << 9,  /* all that is stored beside the bytes, and how */
    TAKES_CUSTOMER = 1 << 10, /* the customer's key */
    TAKES_VERSION = 1 << 11,  /* as part of the query */
    TAKES_MATCHES = 1 << 12,  /* if-match, if-none-match */
    READS_OBJECT = 1 << 13,   /* dates as conditions; asks for checksums */
    LISTS = 1 << 14,
    IS_SLOW = 1 << 15,
    IS_REGIONAL = 1 << 16, /* no accelerated host takes it */
};

/* What a successful reply must bring. */
enum answer {
    ANSWER_NOTHING,
    ANSWER_ETAG,
    ANSWER_OBJECT,
    ANSWER_ANY,
    /* From here on the body is a document. */
    ANSWER_UPLOAD,
    ANSWER_RESULT, /* an ETag in the root that the table names */
    ANSWER_TAGS,
    ANSWER_LISTING, /* rows in that root */
};

struct operation {
    const char *name, *method;
    unsigned traits; /* of enum trait */
    enum answer answer;
    const char *flag; /* the query's parameter that tells it from others; NULL: none */
    const char *root; /* of ANSWER_RESULT and ANSWER_LISTING */
};

const struct operation *operation_of(enum haul_operation operation);

/* "UploadPart": for messages. */
const char *operation_name(enum haul_operation operation);

/* May the server rightly stay silent for minutes before it answers? (CompleteMultipartUpload,
 * and copies) */
bool operation_is_slow(enum haul_operation operation);

/* May it go to an accelerated host? What is about an object may, and lists of them; buckets are
 * made and removed in their region. */
bool operation_can_accelerate(const struct haul_request *r);

/* Limits first: a request that S3 must refuse is not worth its bytes. Returns NULL, or what is
 * wrong with it: "needs a bucket". */
const char *operation_fault(const struct haul_request *r);

#endif
