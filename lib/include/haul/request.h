/* One request to an S3 store and its result. A request is a plain struct whose zeroes mean "not
 * given"; the table in operation.c says which fields an operation takes, and anything missing
 * or over S3's limits is refused with HAUL_BAD_ARGUMENT before a byte is sent.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
 */
#ifndef HAUL_REQUEST_H
#define HAUL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <haul/endpoint.h>
#include <haul/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* S3's limits. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
#define HAUL_PARTS_MAX 10000
#define HAUL_PART_BYTES_MIN                                                                    \
    (5 * (uint64_t) 1024 * 1024) /* but the last part, which may be less */
#define HAUL_PART_BYTES_MAX (5 * (uint64_t) 1024 * 1024 * 1024)
#define HAUL_OBJECT_BYTES_MAX (HAUL_PARTS_MAX * HAUL_PART_BYTES_MAX) /* 48.8 TiB */
#define HAUL_KEY_BYTES_MAX 1024

enum haul_operation {
    HAUL_HEAD_BUCKET,
    HAUL_CREATE_BUCKET,
    HAUL_PUT_OBJECT,
    HAUL_GET_OBJECT,
    HAUL_HEAD_OBJECT,
    HAUL_DELETE_OBJECT,
    HAUL_CREATE_UPLOAD,
    HAUL_UPLOAD_PART,
    HAUL_COMPLETE_UPLOAD,
    HAUL_ABORT_UPLOAD,
    HAUL_LIST_OBJECTS,
    HAUL_LIST_PARTS,
    HAUL_LIST_UPLOADS,
};

/* Bytes [start, start + len) of an object. len > 0 where a range is meant: an empty object has
 * none, and { 0, 0 } means the whole object. */
struct haul_range {
    uint64_t start, len;
};

/* pread(2) for a body: fills `data` with 1..len bytes found at `offset` of the body and returns
 * how many; 0: the source ends there (too early, which fails the request); -1: errno says why.
 * Called on the client's thread, several times for the same bytes when a request is hashed,
 * rewound or sent again. */
typedef ssize_t haul_read_fn(void *payload, uint64_t offset, void *data, size_t len);

/* Takes `len` bytes that stand at `offset` of the requested range. Returns 0, or -1 with errno.
 * Called on the client's thread, in order from offset 0, and only after status, Content-Range,
 * length and ETag were found right; offset 0 again means that an earlier attempt is void. */
typedef int haul_write_fn(void *payload, uint64_t offset, const void *data, size_t len);

struct haul_body {
    haul_read_fn *read; /* NULL: no body, size 0 */
    void *payload;
    uint64_t size; /* bytes */
};

struct haul_sink {
    haul_write_fn *write; /* NULL: the body is dropped */
    void *payload;
};

/* A part as CompleteMultipartUpload names it. */
struct haul_part {
    unsigned number;  /* from 1 */
    const char *etag; /* as the server gave it, quotes included */
};

struct haul_request {
    enum haul_operation operation;
    const struct haul_endpoint *endpoint;
    const char *bucket;
    const char *key; /* UTF-8, unescaped, sent exactly as it is: "a//b/../c" stays */

    struct haul_body body;
    const char *content_type;
    const char *token; /* sent as x-amz-meta-haul: proves later who wrote the object */

    struct haul_range range; /* GET_OBJECT */
    const char *if_match;    /* an ETag, quotes included. GET: also compared with the reply's */
    struct haul_sink sink;   /* GET_OBJECT */

    const char *upload_id;
    unsigned part_number;          /* UPLOAD_PART: from 1. LIST_PARTS: list those after it */
    const struct haul_part *parts; /* COMPLETE_UPLOAD: ascending numbers */
    size_t part_count;

    const char *prefix;      /* listings */
    const char *start_after; /* LIST_OBJECTS: names after this one. LIST_UPLOADS: key marker */
    const char *upload_id_marker; /* LIST_UPLOADS */
    const char *continuation;     /* LIST_OBJECTS: goes on with an earlier page */
    unsigned max_entries;         /* 0: the server's default, 1,000 */
};

/* A row of a listing. What a server left out is NULL, 0 or -1. */
struct haul_entry {
    const char *key;       /* LIST_OBJECTS, LIST_UPLOADS: decoded */
    const char *etag;      /* quotes included */
    const char *upload_id; /* LIST_UPLOADS */
    uint64_t size;
    int64_t modified_ms; /* since the epoch: LastModified or Initiated; -1: not told */
    unsigned part_number;
};

struct haul_listing {
    const struct haul_entry *entries;
    size_t count;
    bool truncated;           /* there is more: ask again with the marker that is given */
    const char *continuation; /* LIST_OBJECTS */
    const char *next_key;     /* LIST_UPLOADS */
    const char *next_upload_id;
    unsigned next_part; /* LIST_PARTS */
};

/* Valid only during the done callback. */
struct haul_result {
    struct haul_error error; /* code HAUL_OK: success, and the fields below hold */
    const char *etag;        /* quotes included; NULL: none */
    const char *token;       /* x-amz-meta-haul; NULL: none */
    const char *upload_id;   /* CREATE_UPLOAD: never NULL on success */
    uint64_t size;           /* HEAD, GET: of the whole object */
    int64_t modified_ms;     /* Last-Modified; -1: none */
    int64_t server_ms;       /* the reply's Date; -1: none */
    struct haul_listing listing;
    unsigned attempts;   /* how often it was sent */
    int64_t failing_ms;  /* how long ago its first attempt failed; 0: just now, or none did */
    uint64_t bytes_sent; /* body bytes handed to the network, all attempts together */
    uint64_t bytes_received;
    /* Failed requests: a server may have carried it out all the same (the reply was lost). */
    bool outcome_unknown;
    /* An attempt before the last one had an unknown outcome. */
    bool maybe_repeated;
};

#ifdef __cplusplus
}
#endif
#endif
