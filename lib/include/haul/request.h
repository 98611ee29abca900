/* One request to an S3 store and its result. A request is a plain struct whose zeroes mean "not
 * given". Each field's comment names the operations that take it, others ignore it; what is
 * missing or over S3's limits is refused with HAUL_BAD_ARGUMENT before a byte is sent.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
 */
#ifndef HAUL_REQUEST_H
#define HAUL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <haul/body.h>
#include <haul/checksum.h>
#include <haul/endpoint.h>
#include <haul/error.h>

HAUL_BEGIN

/* S3's limits. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
#define HAUL_PARTS_MAX 10000
#define HAUL_PART_BYTES_MIN (5 * (uint64_t) 1024 * 1024) /* but the last part: any size */
#define HAUL_PART_BYTES_MAX (5 * (uint64_t) 1024 * 1024 * 1024)
#define HAUL_OBJECT_BYTES_MAX (HAUL_PARTS_MAX * HAUL_PART_BYTES_MAX) /* 48.8 TiB */
#define HAUL_KEY_BYTES_MAX 1024
#define HAUL_DELETE_MAX 1000 /* keys in one DeleteObjects */
#define HAUL_TAGS_MAX 10

enum haul_operation {
    HAUL_NO_OPERATION, /* refused: it was forgotten */

    HAUL_HEAD_BUCKET,
    HAUL_CREATE_BUCKET, /* in the endpoint's region */
    HAUL_DELETE_BUCKET,
    HAUL_LIST_BUCKETS, /* takes no bucket */

    HAUL_PUT_OBJECT,
    HAUL_GET_OBJECT,
    HAUL_HEAD_OBJECT,
    HAUL_DELETE_OBJECT,
    HAUL_DELETE_OBJECTS, /* up to HAUL_DELETE_MAX, which may fail one by one: result.entries */
    HAUL_COPY_OBJECT,    /* at most 5 GiB, inside one store */
    HAUL_GET_TAGS,
    HAUL_PUT_TAGS, /* replaces them all; none: removes them */

    HAUL_CREATE_UPLOAD,
    HAUL_UPLOAD_PART,
    HAUL_COPY_PART, /* a part from another object's range */
    HAUL_COMPLETE_UPLOAD,
    HAUL_ABORT_UPLOAD,

    HAUL_LIST_OBJECTS, /* ListObjectsV2 */
    HAUL_LIST_VERSIONS,
    HAUL_LIST_PARTS,
    HAUL_LIST_UPLOADS,

    HAUL_ANY, /* whatever `method`, key, query, headers and body say, signed; the key and even
               * the bucket may be missing (a key alone is all of the path). Any 2xx is success;
               * the reply's body goes to the sink when there is one, else into the result */
};

/* Bytes [start, start + len) of an object, all of which must be there: what ends behind the
 * object fails with HAUL_BAD_ARGUMENT, whose text tells its size; what begins there with HTTP
 * status 416. len 0: to the end, so { 0, 0 } is the whole object. */
struct haul_range {
    uint64_t start, len;
};

/* A header, a query parameter, a tag, a line of metadata. */
struct haul_pair {
    const char *name, *value;
};

struct haul_pairs {
    const struct haul_pair *pairs;
    size_t count;
};

/* Who encrypts what is stored. */
enum haul_encryption_kind {
    HAUL_ENCRYPT_DEFAULT, /* as the bucket does it */
    HAUL_ENCRYPT_S3,      /* SSE-S3, AES256 */
    HAUL_ENCRYPT_KMS,     /* SSE-KMS */
    HAUL_ENCRYPT_C,       /* SSE-C: the key goes with every request for that object: put, get,
                           * head, parts. Https only, unless the endpoint is loopback */
};

struct haul_encryption {
    enum haul_encryption_kind kind;
    const char *kms_key_id;            /* KMS; NULL: the account's default */
    const char *kms_context;           /* KMS: base64 of a JSON object; NULL: none */
    const unsigned char *customer_key; /* C: 32 bytes, a secret */
};

/* What a copy is made from. */
struct haul_source {
    const char *bucket; /* NULL: the request's */
    const char *key;    /* unescaped; encoded once here, "%", "+", "?" and "#" included */
    const char *version_id;
    const char *if_match;    /* its ETag: 412 when another object stands there now */
    struct haul_range range; /* COPY_PART; with a length, or { 0, 0 }: all of it */
    struct haul_encryption key_of_source; /* C only: how the source is encrypted */
};

/* DELETE_OBJECTS: one of them. */
struct haul_victim {
    const char *key;
    const char *version_id; /* NULL: the latest; leaves a delete marker in a versioned bucket */
};

struct haul_request {
    enum haul_operation operation; /* set by the calls of object.h, upload.h and file.h; 0 is
                                    * HEAD_BUCKET */
    const struct haul_endpoint *endpoint; /* NULL in calls that take a store: the store's */
    const char *bucket;                   /* NULL in calls that take a store: the store's */
    const char *key;        /* UTF-8, unescaped, sent exactly as it is: "a//b/../c" stays */
    const char *version_id; /* GET, HEAD and DELETE_OBJECT, tags; NULL: the latest */

    /* What is stored: PUT_OBJECT, CREATE_UPLOAD, COPY_OBJECT. Given any of the first block, a
     * copy replaces the source's metadata by these fields; else it keeps the source's. */
    const char *content_type; /* NULL: guessed from the key; "": none is sent */
    const char *cache_control, *content_disposition, *content_encoding, *content_language;
    const char *expires;        /* an HTTP date */
    struct haul_pairs metadata; /* names without "x-amz-meta-" */

    const char *token;      /* sent as x-amz-meta-haul: proves later who wrote the object */
    struct haul_pairs tags; /* also PUT_TAGS. A copy keeps the source's when none are given */
    const char *acl;        /* "private", "public-read"…; also CREATE_BUCKET */
    const char *storage_class;         /* "STANDARD_IA"… */
    struct haul_encryption encryption; /* C: also what reads the object, or its parts */

    struct haul_body body;     /* PUT_OBJECT, UPLOAD_PART, ANY */
    enum haul_payload payload; /* AUTO: as the endpoint has it */
    /* PUT_OBJECT, UPLOAD_PART: computed from the body, which is read once more for it, sent as
     * x-amz-checksum-…, verified by the server, whose own has to be the same. CREATE_UPLOAD:
     * announced. COMPLETE_UPLOAD: of the parts. GET_OBJECT: any kind asks the server for its
     * own and verifies whole objects.
     */
    enum haul_checksum checksum;
    bool checksum_composite;    /* CREATE_UPLOAD, COMPLETE_UPLOAD: the CRCs' type, too; SHAs are
                                 * always composite, CRC64NVME never is */
    const char *checksum_value; /* base64, when the caller knows it: nothing is computed.
                                 * COMPLETE_UPLOAD: of the whole object */
    bool content_md5;           /* some stores insist; DELETE_OBJECTS always sends it */

    /* Conditions, ETags with their quotes. One that fails is HAUL_SERVER with status 412, or
     * 304 from GET and HEAD with if_none_match or if_modified_since. PUT_OBJECT, COPY_OBJECT,
     * COMPLETE_UPLOAD take if_match, and if_none_match "*" (only if nothing stands there);
     * DELETE_OBJECT takes if_match. A store that does not know them there ignores them, as
     * Ceph does in buckets with versions. */
    const char *if_match; /* GET, HEAD: also compared with the reply's own ETag */
    const char *if_none_match;
    int64_t if_modified_since_ms, if_unmodified_since_ms; /* GET, HEAD. Since the epoch, sent in
                                                           * whole seconds; 0: none */

    struct haul_range range; /* GET_OBJECT */
    struct haul_sink sink;   /* GET_OBJECT, ANY */
    haul_begin_fn *begin;    /* GET_OBJECT; NULL: nobody wants to know */

    struct haul_source source; /* COPY_OBJECT, COPY_PART */

    const struct haul_victim *victims; /* DELETE_OBJECTS */
    size_t victim_count;

    const char *upload_id;         /* parts, COMPLETE_UPLOAD, ABORT_UPLOAD */
    unsigned part_number;          /* UPLOAD_PART: from 1. LIST_PARTS: list those after it */
    const struct haul_part *parts; /* COMPLETE_UPLOAD: ascending numbers */
    size_t part_count;

    const char *prefix;    /* listings but parts */
    const char *delimiter; /* objects, versions, uploads: usually "/"; gives common prefixes */
    const char *start_after; /* LIST_OBJECTS: names after this one. LIST_UPLOADS, LIST_VERSIONS:
                              * the key marker */
    const char *marker_id;   /* LIST_UPLOADS: upload id marker. LIST_VERSIONS: version marker */
    const char *continuation; /* LIST_OBJECTS, LIST_BUCKETS: goes on behind an earlier page */
    unsigned max_entries;     /* in a page, not in all; 0: the server's default, 1,000 */

    /* All operations. */

    bool requester_pays;        /* we pay for what another account's bucket asks for that */
    const char *expected_owner; /* account id: 403 when the bucket is another's */

    const char *method;        /* ANY: "GET"… */
    struct haul_pairs query;   /* further ones, unescaped; value NULL: "name=" */
    struct haul_pairs headers; /* further ones, all signed; names in any case */

    unsigned tries; /* 0: as the client has it; 1: no retries */
};

enum haul_entry_kind {
    HAUL_ENTRY,         /* an object, an object's version, an upload, a part, a bucket */
    HAUL_COMMON_PREFIX, /* key: the prefix, up to and with the delimiter */
    HAUL_DELETE_MARKER, /* LIST_VERSIONS */
    HAUL_DELETE_FAILED, /* DELETE_OBJECTS: key, version_id, aws_code, message */
};

/* A row of a listing. What a server left out is NULL, 0 or -1. */
struct haul_entry {
    enum haul_entry_kind kind;
    const char *key;        /* decoded; a bucket's name */
    const char *etag;       /* quotes included */
    const char *upload_id;  /* LIST_UPLOADS */
    const char *version_id; /* LIST_VERSIONS: "null" for one from before versioning */
    const char *storage_class;
    const char *checksum;           /* LIST_PARTS: base64, of whatever kind the upload has */
    const char *aws_code, *message; /* DELETE_FAILED */
    uint64_t size;
    int64_t modified_ms; /* since the epoch: LastModified, Initiated, CreationDate; -1 */
    unsigned part_number;
    bool is_latest; /* LIST_VERSIONS */
};

struct haul_listing {
    const struct haul_entry *entries; /* as the server ordered them; prefixes come last */
    size_t count;
    bool truncated;           /* there is more: ask again with the marker that is given */
    const char *continuation; /* LIST_OBJECTS, LIST_BUCKETS */
    const char *next_key;     /* LIST_UPLOADS, LIST_VERSIONS */
    const char *next_id;      /* LIST_UPLOADS, LIST_VERSIONS: goes with next_key */
    unsigned next_part;       /* LIST_PARTS */
};

/* Valid only during the done callback; what a blocking call returns, until the store's next. */
struct haul_result {
    struct haul_error error; /* code HAUL_OK: success, and the fields below hold */
    int http_status;
    const char *etag;       /* quotes included; NULL: none */
    const char *token;      /* x-amz-meta-haul; NULL: none */
    const char *version_id; /* NULL: none */
    const char *region;     /* x-amz-bucket-region: HEAD_BUCKET; NULL: not told */
    const char *upload_id;  /* CREATE_UPLOAD: never NULL on success */
    const char *checksum;   /* base64, of the request's kind (GET: of any, if there is none of
                             * it), as sent or as the server told it; NULL: none. "...-N" is
                             * composite */
    bool checksum_verified; /* GET: computed here and found equal */
    uint64_t size;          /* HEAD, GET: of the whole object */
    int64_t modified_ms;    /* Last-Modified; -1: none */
    int64_t server_ms;      /* the reply's Date; -1: none */
    struct haul_pairs headers;   /* all of the reply's, names in lower case */
    struct haul_pairs tags;      /* GET_TAGS */
    struct haul_listing listing; /* DELETE_OBJECTS: those that failed */
    const char *body;            /* ANY without a sink; NUL-terminated */
    size_t body_len;             /* ANY, also of what went to the sink */
    unsigned attempts;           /* how often it was sent */
    unsigned replaced; /* GET: how often it left a slow connection, see keep_slow in client.h */
    /* Failed requests: the bucket's server has served nobody since this one began to fail or,
     * when it was patience that ended, since the attempt before. */
    bool unserved;
    uint64_t bytes_sent; /* body bytes handed to the network, all attempts together */
    uint64_t bytes_received;
    /* Failed requests: a server may have carried it out all the same (the reply was lost). */
    bool outcome_unknown;
    /* An attempt before the last one had an unknown outcome. */
    bool maybe_repeated;
};

/* A reply's header by its lower-case name ("content-type", "x-amz-meta-owner"); NULL: not
 * there.
 */
const char *haul_result_header(const struct haul_result *r, const char *name);

/* The type for a name's ending, by the system's /etc/mime.types when there is one, else by a
 * small table: "text/html" for "a/index.html"; "application/octet-stream" when nothing fits.
 * Any thread; lives as long as the process. */
const char *haul_content_type(const char *name);

/* A part size that fits an object of that size: max(8 MiB, size / 10,000) rounded up to a whole
 * MiB; 0 when size is over HAUL_OBJECT_BYTES_MAX. Pure. */
uint64_t haul_part_bytes(uint64_t size);

HAUL_END
#endif
