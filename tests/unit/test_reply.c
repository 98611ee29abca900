/* reply.c: what is made of every kind of reply, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "client_fixture.h"
#include "endpoint.h"
#include "reply.h"

#define NOW_MS 1769903999000 /* Sat, 31 Jan 2026 23:59:59 GMT */
#define NOW "Sat, 31 Jan 2026 23:59:59 GMT"

/* ---- Heads of objects ---- */

static struct reply reply_of(int status, const char *body)
{
    struct reply r = reply_make();
    r.status = status;
    reply_add_header(&r, "X-Amz-Request-Id", "R1");
    buf_adds(&r.body, body);
    return r;
}

/* A header that is not empty, and the end of them. */
static void tell(struct reply *r, const char *name, const char *value)
{
    if (*value != '\0')
        reply_add_header(r, name, value);
}

static void end_head(struct reply *r)
{
    struct haul_error err;
    assert_int_equal(reply_end_head(r, &err), 0);
}

/* clang-format off */
static const struct {
    struct haul_range asked;
    const char *if_match;
    int status;
    const char *content_range, *etag;
    int64_t length, expected; /* expected -2: refused; -3: the range was wrong, not the reply */
    enum haul_retry retry;
} heads[] = {
    { { 0, 0 }, NULL, 200, "", "\"e\"", 100, 100, 0 },
    { { 0, 0 }, NULL, 200, "", "\"e\"", -1, -2, HAUL_RETRY_LATER },
    { { 0, 0 }, NULL, 204, "", "\"e\"", 0, -2, HAUL_RETRY_LATER },
    { { 0, 0 }, NULL, 203, "", "\"e\"", 100, -2, HAUL_RETRY_LATER },
    { { 0, 0 }, "\"e\"", 200, "", "\"e\"", 100, 100, 0 },
    { { 0, 0 }, "\"e\"", 200, "", "", 100, 100, 0 },
    { { 0, 0 }, "\"f\"", 200, "", "\"e\"", 100, -2, HAUL_RETRY_FROM_START },
    { { 0, 0 }, NULL, 206, "bytes 0-99/200", "", 100, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "bytes 10-99/200", "", 90, 90, 0 },
    { { 10, 90 }, NULL, 206, "bytes 10-99/200", "", -1, 90, 0 },
    { { 10, 90 }, "\"f\"", 206, "bytes 10-99/200", "\"e\"", 90, -2, HAUL_RETRY_FROM_START },
    { { 10, 90 }, NULL, 206, "bytes 10-99/200", "", 89, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "bytes 10-98/200", "", 89, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "bytes 0-89/200", "", 90, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "bytes 10-99/99", "", 90, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "bytes 10-99/*", "", 90, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "bytes 10-99/200x", "", 90, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "bytes 99-10/200", "", 90, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "", "", 90, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 200, "", "", 200, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 200, "", "", 90, -2, HAUL_RETRY_LATER },
    { { 10, 90 }, NULL, 206, "bytes 10-98/99", "", 89, -3, HAUL_RETRY_FROM_START },
    { { 10, 0 }, NULL, 206, "bytes 10-99/100", "", 90, 90, 0 },
    { { 10, 0 }, NULL, 206, "bytes 10-98/100", "", 89, -2, HAUL_RETRY_LATER },
    { { 10, 0 }, NULL, 206, "bytes 0-99/100", "", 100, -2, HAUL_RETRY_LATER },
    { { 10, 0 }, NULL, 200, "", "", 100, -2, HAUL_RETRY_LATER },
    { { 0, 90 }, NULL, 200, "", "", 90, 90, 0 }, /* the whole object, which is no less */
    { { 0, 90 }, NULL, 200, "", "", 200, -2, HAUL_RETRY_LATER },
    { { 0, 90 }, NULL, 200, "", "", -1, -2, HAUL_RETRY_LATER },
};
/* clang-format on */

/* Cases 22 and 23. */
static void only_the_bytes_that_were_asked_for_are_let_in(void **state)
{
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct haul_request r = { .operation = HAUL_GET_OBJECT,
            .endpoint = *state,
            .bucket = "bkt",
            .key = "k",
            .range = heads[i].asked,
            .if_match = heads[i].if_match };
        struct reply reply = reply_of(heads[i].status, "");
        struct haul_error err = { .code = HAUL_OK };
        int64_t expected = -2;
        tell(&reply, "content-range", heads[i].content_range);
        tell(&reply, "etag", heads[i].etag);
        tell(&reply, "last-modified", NOW);
        reply.content_length = heads[i].length;
        end_head(&reply);
        int rc = reply_check_head(&r, &reply, &expected, &err);
        print_message("%zu: %s %s\n", i, heads[i].content_range, rc < 0 ? err.text : "fine");
        assert_int_equal(rc, heads[i].expected < -1 ? -1 : 0);
        if (rc == 0)
            assert_int_equal(expected, heads[i].expected);
        else
            assert_int_equal(
                err.code, heads[i].expected == -3 ? HAUL_BAD_ARGUMENT : HAUL_BAD_REPLY);
        assert_int_equal(err.retry, heads[i].retry);
        reply_free(&reply);
    }
}

/* ---- Whole replies ---- */

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define ERROR(code) XML "<Error><Code>" code "</Code><Message>As it is</Message></Error>"
#define ELSEWHERE(code) XML "<Error><Code>" code "</Code><Region>there</Region></Error>"
#define COMPLETED                                                                              \
    XML "<CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"    \
        "<ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>"
#define COPIED                                                                                 \
    XML "<CopyObjectResult><ETag>e</ETag><LastModified>2026-01-31T12:00:00.000Z"               \
        "</LastModified><ChecksumCRC32>AAAAAA==</ChecksumCRC32></CopyObjectResult>"
#define CREATED                                                                                \
    XML "<InitiateMultipartUploadResult><UploadId>u1</UploadId></"                             \
        "InitiateMultipartUploadResult>"
#define LISTING                                                                                \
    XML "<ListBucketResult><IsTruncated>false</IsTruncated>"                                   \
        "<Contents><Key>k</Key><Size>5</Size></Contents></ListBucketResult>"

/* clang-format off */
static const struct {
    enum haul_operation operation;
    int status;
    const char *etag, *body;
    enum haul_code code;
    enum haul_retry retry;
    const char *aws_code, *word; /* part of the text */
    bool unknown;
} replies[] = {
    { HAUL_PUT_OBJECT, 200, "\"e\"", "", HAUL_OK, 0, "", "", false },
    { HAUL_PUT_OBJECT, 200, "", "", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "no ETag", true },
    { HAUL_UPLOAD_PART, 200, "", "", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "no ETag", true },
    { HAUL_PUT_OBJECT, 200, "\"e\"", ERROR("InternalError"),
        HAUL_SERVER, HAUL_RETRY_LATER, "InternalError", "As it is", true },
    { HAUL_PUT_OBJECT, 200, "\"e\"", "<not xml", HAUL_OK, 0, "", "", false },
    { HAUL_PUT_OBJECT, 403, "", ERROR("AccessDenied"),
        HAUL_SERVER, HAUL_RETRY_NEVER, "AccessDenied",
        "PutObject answered 403 AccessDenied: As it is", false },
    { HAUL_PUT_OBJECT, 503, "", ERROR("SlowDown"),
        HAUL_SERVER, HAUL_RETRY_SLOWER, "SlowDown", "As it is", true },
    { HAUL_PUT_OBJECT, 502, "", "<html>\n<body>\tBad\x01 Gateway \xff</body>",
        HAUL_SERVER, HAUL_RETRY_LATER, "", "502: <html> <body> Bad Gateway ?</body>", true },
    { HAUL_PUT_OBJECT, 500, "", "", HAUL_SERVER, HAUL_RETRY_LATER, "", "answered 500", true },
    { HAUL_PUT_OBJECT, 302, "", "", HAUL_SERVER, HAUL_RETRY_NEVER, "", "302", false },
    { HAUL_PUT_OBJECT, 100, "", "", HAUL_SERVER, HAUL_RETRY_LATER, "", "100", true },
    { HAUL_PUT_OBJECT, 403, "", "<!DOCTYPE x><Error><Code>SlowDown</Code></Error>",
        HAUL_SERVER, HAUL_RETRY_NEVER, "", "DOCTYPE", false },
    { HAUL_CREATE_UPLOAD, 200, "", CREATED, HAUL_OK, 0, "", "", false },
    { HAUL_CREATE_UPLOAD, 200, "", "", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "no upload id", true },
    { HAUL_CREATE_UPLOAD, 200, "", "<a><UploadId/></a>",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "no upload id", true },
    { HAUL_CREATE_UPLOAD, 200, "", "<InitiateMultipartUploadResult><Uplo",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "", true },
    { HAUL_COMPLETE_UPLOAD, 200, "", COMPLETED, HAUL_OK, 0, "", "", false },
    { HAUL_COMPLETE_UPLOAD, 200, "", "\n \n  " COMPLETED, HAUL_OK, 0, "", "", false },
    { HAUL_COMPLETE_UPLOAD, 200, "", ERROR("InternalError"),
        HAUL_SERVER, HAUL_RETRY_LATER, "InternalError", "As it is", true },
    { HAUL_COMPLETE_UPLOAD, 200, "", "  " ERROR("EntityTooSmall"),
        HAUL_SERVER, HAUL_RETRY_NEVER, "EntityTooSmall", "As it is", true },
    { HAUL_COMPLETE_UPLOAD, 200, "\"e\"", "",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "neither a result nor an error", true },
    { HAUL_COMPLETE_UPLOAD, 200, "\"e\"", "<html><p>hello</p></html>",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "neither", true },
    { HAUL_COMPLETE_UPLOAD, 200, "", "<CompleteMultipartUploadResult/>",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "neither", true },
    { HAUL_COMPLETE_UPLOAD, 200, "", "<html><p>hello",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "", true },
    { HAUL_COMPLETE_UPLOAD, 404, "", ERROR("NoSuchUpload"),
        HAUL_SERVER, HAUL_RETRY_FROM_START, "NoSuchUpload", "", false },
    { HAUL_LIST_OBJECTS, 200, "", LISTING, HAUL_OK, 0, "", "", false },
    { HAUL_LIST_OBJECTS, 200, "", "", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "empty", true },
    { HAUL_LIST_OBJECTS, 200, "", "<html/>", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "", true },
    { HAUL_LIST_OBJECTS, 200, "", "<DeleteResult/>",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "another document", true },
    { HAUL_LIST_BUCKETS, 200, "", LISTING,
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "another document", true },
    { HAUL_LIST_OBJECTS, 404, "", ERROR("NoSuchBucket"),
        HAUL_SERVER, HAUL_RETRY_WHEN_FIXED, "NoSuchBucket", "", false },
    { HAUL_ABORT_UPLOAD, 204, "", "", HAUL_OK, 0, "", "", false },
    { HAUL_DELETE_OBJECT, 204, "", "", HAUL_OK, 0, "", "", false },
    { HAUL_HEAD_BUCKET, 200, "", "", HAUL_OK, 0, "", "", false },
    { HAUL_HEAD_BUCKET, 404, "", "", HAUL_SERVER, HAUL_RETRY_NEVER, "", "404", false },
    { HAUL_CREATE_BUCKET, 409, "", ERROR("BucketAlreadyOwnedByYou"),
        HAUL_SERVER, HAUL_RETRY_NEVER, "BucketAlreadyOwnedByYou", "", false },
    { HAUL_DELETE_BUCKET, 409, "", ERROR("BucketNotEmpty"),
        HAUL_SERVER, HAUL_RETRY_NEVER, "BucketNotEmpty", "", false },
    { HAUL_LIST_BUCKETS, 200, "", "<ListAllMyBucketsResult/>", HAUL_OK, 0, "", "", false },
    { HAUL_GET_OBJECT, 304, "", "", HAUL_SERVER, HAUL_RETRY_NEVER, "", "304", false },
    { HAUL_COPY_OBJECT, 200, "", COPIED, HAUL_OK, 0, "", "", false },
    { HAUL_COPY_OBJECT, 200, "", "  " ERROR("InternalError"),
        HAUL_SERVER, HAUL_RETRY_LATER, "InternalError", "", true },
    { HAUL_COPY_OBJECT, 200, "\"e\"", "",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "neither", true },
    { HAUL_COPY_OBJECT, 200, "", COMPLETED,
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "neither", true },
    { HAUL_COPY_PART, 200, "", "<CopyPartResult><ETag>e</ETag></CopyPartResult>",
        HAUL_OK, 0, "", "", false },
    { HAUL_COPY_PART, 200, "", ERROR("SlowDown"),
        HAUL_SERVER, HAUL_RETRY_SLOWER, "SlowDown", "", true },
    { HAUL_GET_TAGS, 200, "", "<Tagging><TagSet/></Tagging>", HAUL_OK, 0, "", "", false },
    { HAUL_GET_TAGS, 200, "", "", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "empty", true },
    { HAUL_GET_TAGS, 200, "", "<a/>", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "no list", true },
    { HAUL_PUT_TAGS, 200, "", "", HAUL_OK, 0, "", "", false },
    { HAUL_DELETE_OBJECTS, 200, "", "<DeleteResult/>", HAUL_OK, 0, "", "", false },
    { HAUL_DELETE_OBJECTS, 200, "", ERROR("InternalError"),
        HAUL_SERVER, HAUL_RETRY_LATER, "InternalError", "", true },
    { HAUL_ANY, 204, "", "", HAUL_OK, 0, "", "", false },
    { HAUL_ANY, 200, "", ERROR("SlowDown"), HAUL_OK, 0, "", "", false }, /* it is the caller's */
    { HAUL_ANY, 404, "", ERROR("NoSuchKey"),
        HAUL_SERVER, HAUL_RETRY_NEVER, "NoSuchKey", "the request answered 404", false },
    { HAUL_HEAD_OBJECT, 200, "\"e\"", "",
        HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "Content-Length", true },
    { HAUL_HEAD_OBJECT, 200, "", "", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "neither an ETag", true },
    { HAUL_GET_OBJECT, 200, "", "", HAUL_BAD_REPLY, HAUL_RETRY_LATER, "", "neither an ETag", true },
};
/* clang-format on */

/* Cases 2 and 7. */
static void every_reply_has_its_judgement(void **state)
{
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct haul_request r = {
            .operation = replies[i].operation, .endpoint = *state, .bucket = "bkt", .key = "k"
        };
        struct reply reply = reply_of(replies[i].status, replies[i].body);
        struct haul_result result = { .size = 0 };
        struct document *document = NULL;
        tell(&reply, "etag", replies[i].etag);
        tell(&reply, "date", NOW);
        end_head(&reply);
        reply_judge(&r, &reply, 0, &result, &document);
        print_message("%zu: %s\n", i, result.error.text);
        assert_int_equal(result.error.code, replies[i].code);
        if (replies[i].code != HAUL_OK) {
            assert_int_equal(result.error.retry, replies[i].retry);
            assert_string_equal(result.error.aws_code, replies[i].aws_code);
            assert_int_equal(result.error.http_status, replies[i].status);
            assert_string_equal(result.error.request_id, "R1");
            assert_non_null(strstr(result.error.text, replies[i].word));
        }
        assert_int_equal(result.outcome_unknown, replies[i].unknown);
        assert_true(result.server_ms == NOW_MS);
        document_free(document);
        reply_free(&reply);
    }
}

static void a_result_tells_what_the_reply_told(void **state)
{
    struct haul_result result;
    struct document *document;
    struct haul_request r = {
        .operation = HAUL_HEAD_OBJECT, .endpoint = *state, .bucket = "bkt", .key = "k"
    };
    struct reply reply = reply_of(200, "");
    reply.content_length = 0x1234567890;
    tell(&reply, "etag", "W/\"e\"");
    tell(&reply, "x-amz-meta-haul", "tok");
    tell(&reply, "last-modified", "Thu, 01 Jan 1970 00:00:07 GMT");
    result = (struct haul_result){ .size = 0 };
    end_head(&reply);
    reply_judge(&r, &reply, 0, &result, &document);
    assert_int_equal(result.error.code, HAUL_OK);
    assert_true(result.size == 0x1234567890);
    assert_string_equal(result.etag, "W/\"e\"");
    assert_string_equal(result.token, "tok");
    assert_true(result.modified_ms == 7000);
    assert_null(document);
    reply_free(&reply);

    r.operation = HAUL_COMPLETE_UPLOAD;
    reply = reply_of(200, COMPLETED);
    tell(&reply, "date", "the day before yesterday");
    result = (struct haul_result){ .size = 0 };
    end_head(&reply);
    reply_judge(&r, &reply, 0, &result, &document);
    assert_string_equal(result.etag, "\"e-2\"");
    assert_null(result.token);
    assert_true(result.modified_ms == -1);
    assert_true(result.server_ms == -1);
    document_free(document);
    reply_free(&reply);

    r.operation = HAUL_LIST_OBJECTS;
    reply = reply_of(200, LISTING);
    result = (struct haul_result){ .size = 0 };
    end_head(&reply);
    reply_judge(&r, &reply, 0, &result, &document);
    assert_int_equal(result.listing.count, 1);
    assert_string_equal(result.listing.entries[0].key, "k");
    document_free(document);
    reply_free(&reply);
}

static void a_copys_result_stands_in_its_document(void **state)
{
    struct haul_result result = { .size = 0 };
    struct document *document;
    struct haul_request r = {
        .operation = HAUL_COPY_OBJECT, .endpoint = *state, .bucket = "bkt", .key = "k"
    };
    struct reply reply = reply_of(200, COPIED);
    tell(&reply, "x-amz-version-id", "v1");
    end_head(&reply);
    reply_judge(&r, &reply, 0, &result, &document);
    assert_string_equal(result.etag, "\"e\""); /* its quotes are put where a server has none */
    assert_string_equal(result.version_id, "v1");
    assert_string_equal(result.checksum, "AAAAAA==");
    assert_true(result.modified_ms == 1769860800000);
    document_free(document);
    reply_free(&reply);
}

static void only_the_kind_of_checksum_that_was_asked_for_is_told(void **state)
{
    static const struct {
        enum haul_checksum kind;
        const char *told; /* NULL: none */
    } cases[] = {
        { HAUL_CHECKSUM_NONE, "AAAAAA==" },
        { HAUL_CRC32, "AAAAAA==" },
        { HAUL_CRC32C, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_result result = { .size = 0 };
        struct document *document;
        struct haul_request r = { .operation = HAUL_COPY_OBJECT,
            .endpoint = *state,
            .bucket = "bkt",
            .key = "k",
            .checksum = cases[i].kind };
        struct reply reply = reply_of(200, COPIED);
        end_head(&reply);
        reply_judge(&r, &reply, 0, &result, &document);
        if (cases[i].told != NULL)
            assert_string_equal(result.checksum, cases[i].told);
        else
            assert_null(result.checksum);
        document_free(document);
        reply_free(&reply);
    }
}

static void all_headers_are_handed_over_by_lower_case_names(void **state)
{
    struct haul_result result = { .size = 0 };
    struct document *document;
    char name[16], value[16];
    struct haul_request r = {
        .operation = HAUL_HEAD_BUCKET, .endpoint = *state, .bucket = "b"
    };
    struct reply reply = reply_of(200, "");
    reply_add_header(&reply, "X-Amz-Bucket-Region", "there");
    reply_add_header(&reply, "ETag", "");
    reply_add_header(&reply, "Twice", "first");
    reply_add_header(&reply, "twice", "second");
    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "N%u", i);
        snprintf(value, sizeof value, "V%u", i);
        reply_add_header(&reply, name, value);
    }
    end_head(&reply);
    reply_judge(&r, &reply, 0, &result, &document);
    assert_int_equal(result.error.code, HAUL_OK);
    assert_int_equal(result.http_status, 200);
    assert_int_equal(result.headers.count, 505);
    assert_string_equal(result.region, "there");
    assert_null(result.etag);
    assert_string_equal(haul_result_header(&result, "etag"), "");
    assert_string_equal(haul_result_header(&result, "twice"), "first");
    assert_string_equal(haul_result_header(&result, "n499"), "V499");
    assert_null(haul_result_header(&result, "n500"));
    assert_null(haul_result_header(&result, "N1"));
    reply_free(&reply);
}

static void endless_headers_are_refused(void **state)
{
    struct haul_error err = { .code = HAUL_OK };
    struct reply reply = reply_of(200, "");
    (void) state;
    for (unsigned i = 0; i < 20000; i++)
        reply_add_header(&reply, "x-filler", "0123456789");
    assert_int_equal(reply_end_head(&reply, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_REPLY);
    assert_string_equal(reply_header(&reply, "x-filler"), "");
    reply_free(&reply);
}

static void an_error_tells_what_the_server_said(void **state)
{
    struct haul_result result = { .size = 0 };
    struct document *document;
    struct haul_request r = { .operation = HAUL_LIST_BUCKETS, .endpoint = *state };
    struct reply reply = reply_of(403, ERROR("AccessDenied"));
    tell(&reply, "x-amz-id-2", "H1");
    end_head(&reply);
    reply_judge(&r, &reply, 0, &result, &document);
    assert_string_equal(result.error.message, "As it is");
    assert_string_equal(result.error.request_id, "R1");
    assert_string_equal(result.error.host_id, "H1");
    document_free(document);
    reply_free(&reply);
}

/* Over the wire it is another test's: here, which replies are worth summing up. */
static void only_a_whole_objects_own_checksum_is_computed(void **state)
{
    static const struct {
        struct haul_request request;
        int status;
        const char *name, *value, *type;
        enum haul_checksum kind; /* NONE: not computed */
    } cases[] = {
        { { .checksum = HAUL_CRC32C }, 200, "x-amz-checksum-crc32c", "AAAAAA==", "",
            HAUL_CRC32C },
        { { .checksum = HAUL_CRC32C }, 200, "x-amz-checksum-sha1", "x", "FULL_OBJECT",
            HAUL_SHA1 },
        { { .checksum = HAUL_CRC32C }, 200, "x-amz-checksum-sha256", "x", "COMPOSITE", 0 },
        { { .checksum = HAUL_CRC32C }, 200, "x-amz-checksum-crc32c", "AAAAAA==-2", "", 0 },
        { { .checksum = HAUL_CRC32C }, 200, "x-amz-checksum-unheard-of", "x", "", 0 },
        { { .checksum = HAUL_CRC32C }, 404, "x-amz-checksum-crc32c", "AAAAAA==", "", 0 },
        { { .checksum = HAUL_CRC32C, .range = { 1, 1 } }, 200, "x-amz-checksum-crc32c",
            "AAAAAA==", "", 0 },
        { { .checksum = HAUL_CHECKSUM_NONE }, 200, "x-amz-checksum-crc32c", "AAAAAA==", "", 0 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_request r = cases[i].request;
        struct reply reply = reply_of(cases[i].status, "");
        r.operation = HAUL_GET_OBJECT;
        tell(&reply, cases[i].name, cases[i].value);
        tell(&reply, "x-amz-checksum-type", cases[i].type);
        end_head(&reply);
        print_message("%zu\n", i);
        assert_int_equal(reply_begin_sum(&reply, &r, NULL), 0);
        assert_int_equal(reply.sum != NULL, cases[i].kind != HAUL_CHECKSUM_NONE);
        assert_int_equal(reply.sum_kind, cases[i].kind);
        reply_free(&reply);
    }
}

static void a_head_of_another_object_is_a_failure(void **state)
{
    static const struct {
        const char *if_match, *etag;
        enum haul_code code;
    } cases[] = {
        { "\"e\"", "\"e\"", HAUL_OK },
        { "*", "\"e\"", HAUL_OK },
        { "\"e\"", "", HAUL_OK },
        { "\"e\"", "\"f\"", HAUL_BAD_REPLY },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_result result = { .size = 0 };
        struct document *document;
        struct haul_request r = { .operation = HAUL_HEAD_OBJECT,
            .endpoint = *state,
            .bucket = "bkt",
            .key = "k",
            .if_match = cases[i].if_match };
        struct reply reply = reply_of(200, "");
        reply.content_length = 1;
        tell(&reply, "etag", cases[i].etag);
        tell(&reply, "last-modified", "Sat, 31 Jan 2026 12:00:00 GMT");
        end_head(&reply);
        reply_judge(&r, &reply, 0, &result, &document);
        assert_int_equal(result.error.code, cases[i].code);
        if (result.error.code != HAUL_OK)
            assert_int_equal(result.error.retry, HAUL_RETRY_FROM_START);
        reply_free(&reply);
    }
}

/* Case 23. */
static void a_body_of_another_length_is_no_object(void **state)
{
    static const struct {
        struct haul_range range;
        uint64_t received;
        enum haul_code code;
    } cases[] = {
        { { 0, 0 }, 200, HAUL_OK },
        { { 0, 0 }, 199, HAUL_BAD_REPLY },
        { { 0, 0 }, 0, HAUL_BAD_REPLY },
        { { 10, 90 }, 90, HAUL_OK },
        { { 10, 90 }, 89, HAUL_BAD_REPLY },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_result result = { .size = 0 };
        struct document *document;
        struct haul_request r = { .operation = HAUL_GET_OBJECT,
            .endpoint = *state,
            .bucket = "bkt",
            .key = "k",
            .range = cases[i].range };
        struct reply reply = reply_of(r.range.len ? 206 : 200, "");
        reply.content_length = r.range.len ? 90 : 200;
        tell(&reply, "content-range", r.range.len ? "bytes 10-99/200" : "");
        tell(&reply, "etag", "\"e\"");
        end_head(&reply);
        reply_judge(&r, &reply, cases[i].received, &result, &document);
        assert_int_equal(result.error.code, cases[i].code);
        assert_int_equal(result.size, 200);
        reply_free(&reply);
    }
}

/* ---- Corrections ---- */

static struct haul_error judge_refusal(
    struct haul_endpoint *e, int status, const char *body, const char *region, const char *date)
{
    struct haul_result result = { .size = 0 };
    struct document *document;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS, .endpoint = e, .bucket = "bkt" };
    struct reply reply = reply_of(status, body);
    tell(&reply, "x-amz-bucket-region", region);
    tell(&reply, "date", date);
    end_head(&reply);
    reply_judge(&r, &reply, 0, &result, &document);
    document_free(document);
    reply_free(&reply);
    return result.error;
}

/* Case 44. */
static void a_wrong_region_is_learnt_and_signed_again(void **state)
{
    static const struct {
        int status;
        const char *body, *header, *learnt;
        enum haul_retry retry;
    } cases[] = {
        { 400, ELSEWHERE("AuthorizationHeaderMalformed"), "else", "else", HAUL_RETRY_RESIGN },
        { 400, ELSEWHERE("AuthorizationHeaderMalformed"), "", "there", HAUL_RETRY_RESIGN },
        { 301, ERROR("PermanentRedirect"), "else", "else", HAUL_RETRY_RESIGN },
        { 301, "", "else", "else", HAUL_RETRY_RESIGN },
        { 307, "", "else", "else", HAUL_RETRY_RESIGN },
        { 403, "", "else", "else", HAUL_RETRY_RESIGN },
        { 301, "", "", "here", HAUL_RETRY_WHEN_FIXED },
        { 403, ELSEWHERE("AccessDenied"), "", "here", HAUL_RETRY_NEVER },
        { 400, "", "here", "here", HAUL_RETRY_NEVER },
        { 301, "", "evil.example/", "here", HAUL_RETRY_RESIGN },
        { 200, LISTING, "else", "here", HAUL_RETRY_NEVER },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char region[REGION_SIZE];
        struct haul_endpoint *e = offline_endpoint();
        for (int again = 0; again < 2; again++) { /* a second one was on its way meanwhile */
            struct haul_error err =
                judge_refusal(e, cases[i].status, cases[i].body, cases[i].header, NOW);
            endpoint_region(e, "bkt", region);
            print_message("%zu: %s\n", i, err.text);
            assert_string_equal(region, cases[i].learnt);
            if (!again || cases[i].status != 403)
                assert_int_equal(err.retry, cases[i].retry);
        }
        haul_endpoint_free(e);
    }
}

/* Case 43. */
static void a_wrong_clock_is_learnt_and_signed_again(void **state)
{
    char soon[64];
    struct tm utc;
    time_t ahead = time(NULL) + 7200;
    strftime(soon, sizeof soon, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&ahead, &utc));
    const struct {
        int status;
        const char *body, *date;
        bool learnt;
        enum haul_retry retry;
    } cases[] = {
        { 403, ERROR("RequestTimeTooSkewed"), soon, true, HAUL_RETRY_RESIGN },
        { 403, ERROR("RequestTimeTooSkewed"), "", false, HAUL_RETRY_WHEN_FIXED },
        { 403, "", soon, true, HAUL_RETRY_RESIGN },
        { 403, ERROR("AccessDenied"), soon, false, HAUL_RETRY_NEVER },
        { 404, "", soon, false, HAUL_RETRY_NEVER },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_endpoint *e = offline_endpoint();
        struct haul_error err =
            judge_refusal(e, cases[i].status, cases[i].body, "", cases[i].date);
        print_message("%zu: %s\n", i, err.text);
        assert_int_equal(err.retry, cases[i].retry);
        assert_int_equal(endpoint_signing_ms(e) / 1000 > ahead - 3600, cases[i].learnt);
        haul_endpoint_free(e);
    }
}

/* Case 59. */
static void a_page_of_megabytes_is_quoted_briefly(void **state)
{
    struct haul_result result = { .size = 0 };
    struct document *document;
    struct haul_request r = {
        .operation = HAUL_LIST_OBJECTS, .endpoint = *state, .bucket = "b"
    };
    struct reply reply = reply_of(502, "");
    for (int i = 0; i < 60000; i++)
        buf_adds(&reply.body, i % 2 ? "lorem ipsum " : "\n\n\t");
    end_head(&reply);
    reply_judge(&r, &reply, 0, &result, &document);
    assert_in_range(strlen(result.error.text), 50, 120);
    assert_non_null(strstr(result.error.text, ": lorem ipsum lorem"));
    reply_free(&reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_endpoint, free_endpoint)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_bytes_that_were_asked_for_are_let_in),
        TEST(every_reply_has_its_judgement),
        TEST(a_result_tells_what_the_reply_told),
        TEST(a_copys_result_stands_in_its_document),
        TEST(only_the_kind_of_checksum_that_was_asked_for_is_told),
        TEST(all_headers_are_handed_over_by_lower_case_names),
        TEST(endless_headers_are_refused),
        TEST(an_error_tells_what_the_server_said),
        cmocka_unit_test(only_a_whole_objects_own_checksum_is_computed),
        TEST(a_head_of_another_object_is_a_failure),
        TEST(a_body_of_another_length_is_no_object),
        cmocka_unit_test(a_wrong_region_is_learnt_and_signed_again),
        cmocka_unit_test(a_wrong_clock_is_learnt_and_signed_again),
        TEST(a_page_of_megabytes_is_quoted_briefly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
