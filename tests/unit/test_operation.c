/* operation.c: what each operation looks like in HTTP, which requests are refused, and what is
 * made of every kind of reply, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "call.h"
#include "endpoint.h"
#include "operation.h"
#include "reply.h"

#define NOW_MS 1769903999000 /* Sat, 31 Jan 2026 23:59:59 GMT */
#define NOW "Sat, 31 Jan 2026 23:59:59 GMT"

static struct haul_endpoint *new_endpoint(void)
{
    struct haul_error err;
    struct haul_endpoint *e = haul_endpoint_new(
        &(struct haul_endpoint_options){ .url = "https://store:7480/base", .region = "here" },
        &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    return e;
}

static int make(void **state)
{
    *state = new_endpoint();
    return 0;
}

static int clear(void **state)
{
    haul_endpoint_free(*state);
    return 0;
}

static struct call new_call(void)
{
    return (struct call){ .guess_type = true };
}

static ssize_t read_nothing(void *payload, uint64_t offset, void *data, size_t len)
{
    (void) payload, (void) offset, (void) data, (void) len;
    return 0;
}

/* ---- Building ---- */

static const struct haul_part two_parts[] = { { .number = 1, .etag = "\"e1\"" },
    { .number = 7, .etag = "\"<&>\"" } };

#define NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define CUSTOMER                                                                               \
    "x-amz-server-side-encryption-customer-algorithm:AES256;"                                  \
    "x-amz-server-side-encryption-customer-key:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=;"  \
    "x-amz-server-side-encryption-customer-key-md5:KYvwGXoFFJ42a2u2GDWhwQ==;"
#define SOURCE_CUSTOMER                                                                        \
    "x-amz-copy-source-server-side-encryption-customer-algorithm:AES256;"                      \
    "x-amz-copy-source-server-side-encryption-customer-key:"                                   \
    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=;"                                            \
    "x-amz-copy-source-server-side-encryption-customer-key-md5:KYvwGXoFFJ42a2u2GDWhwQ==;"

/* clang-format off */
static const struct haul_encryption customer = { .kind = HAUL_ENCRYPT_C,
    .customer_key = (const unsigned char *) "01234567890123456789012345678901" };
#define SSE_C { HAUL_ENCRYPT_C, NULL, NULL, \
    (const unsigned char *) "01234567890123456789012345678901" }
#define PAIRS(...) { (const struct haul_pair[]){ __VA_ARGS__ }, \
    sizeof((const struct haul_pair[]){ __VA_ARGS__ }) / sizeof(struct haul_pair) }

static const struct {
    struct haul_request request; /* endpoint and bucket are put in */
    const char *method, *path, *query;
    const char *headers; /* "name:value;" each */
    const char *document; /* NULL: none */
} forms[] = {
    { { .operation = HAUL_HEAD_BUCKET, .key = "ignored", .version_id = "ignored" },
        "HEAD", "/base/bkt", "", "", NULL },
    { { .operation = HAUL_CREATE_BUCKET, .acl = "private" }, "PUT", "/base/bkt", "",
        "x-amz-acl:private;", NULL },
    { { .operation = HAUL_DELETE_BUCKET }, "DELETE", "/base/bkt", "", "", NULL },
    { { .operation = HAUL_LIST_BUCKETS, .bucket = "ignored" }, "GET", "/base/", "", "", NULL },
    { { .operation = HAUL_LIST_BUCKETS, .prefix = "p", .max_entries = 2, .continuation = "c",
        .delimiter = "ignored" },
        "GET", "/base/", "continuation-token=c&max-buckets=2&prefix=p", "", NULL },

    { { .operation = HAUL_PUT_OBJECT, .key = "a b/../\303\274?#%", .token = "tok",
        .content_type = "text/x", .body = { read_nothing, NULL, 5 } },
        "PUT", "/base/bkt/a%20b/../%C3%BC%3F%23%25", "",
        "content-type:text/x;x-amz-meta-haul:tok;", NULL },
    { { .operation = HAUL_PUT_OBJECT, .key = "d/a.JSON" }, "PUT", "/base/bkt/d/a.JSON", "",
        "content-type:application/json;", NULL },
    { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "", .cache_control = "no-store",
        .content_disposition = "attachment", .content_encoding = "gzip",
        .content_language = "de", .expires = "Thu, 01 Jan 1970 00:00:07 GMT",
        .metadata = PAIRS({ "Owner", "J\303\266rg" }, { "empty", "" }),
        .tags = PAIRS({ "a b", "c&d=" }, { "e", "" }), .acl = "public-read",
        .storage_class = "STANDARD_IA", .if_none_match = "*", .if_match = "\"e\"",
        .requester_pays = true, .expected_owner = "123456789012",
        .headers = PAIRS({ "X-Amz-Website-Redirect-Location", "/x" }),
        .query = PAIRS({ "x-id", "PutObject" }, { "a", NULL }) },
        "PUT", "/base/bkt/k", "a=&x-id=PutObject",
        "cache-control:no-store;content-disposition:attachment;content-encoding:gzip;"
        "content-language:de;expires:Thu, 01 Jan 1970 00:00:07 GMT;"
        "x-amz-meta-owner:J\303\266rg;x-amz-meta-empty:;x-amz-tagging:a%20b=c%26d%3D&e=;"
        "x-amz-storage-class:STANDARD_IA;x-amz-acl:public-read;if-match:\"e\";if-none-match:*;"
        "x-amz-request-payer:requester;x-amz-expected-bucket-owner:123456789012;"
        "x-amz-website-redirect-location:/x;", NULL },
    { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "",
        .encryption.kind = HAUL_ENCRYPT_S3 }, "PUT", "/base/bkt/k", "",
        "x-amz-server-side-encryption:AES256;", NULL },
    { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "",
        .encryption = { HAUL_ENCRYPT_KMS, "key-1", "e30=", NULL } }, "PUT", "/base/bkt/k", "",
        "x-amz-server-side-encryption:aws:kms;"
        "x-amz-server-side-encryption-aws-kms-key-id:key-1;"
        "x-amz-server-side-encryption-context:e30=;", NULL },
    { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "", .encryption = SSE_C },
        "PUT", "/base/bkt/k", "", CUSTOMER, NULL },
    { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "", .checksum = HAUL_CRC32C,
        .checksum_value = "AAAAAA==" }, "PUT", "/base/bkt/k", "",
        "x-amz-checksum-crc32c:AAAAAA==;", NULL },
    { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "", .checksum = HAUL_SHA1,
        .content_md5 = true }, "PUT", "/base/bkt/k", "",
        "x-amz-checksum-sha1:;content-md5:;", NULL }, /* to be computed */
    { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "", .checksum = HAUL_MD5,
        .content_md5 = true }, "PUT", "/base/bkt/k", "", "content-md5:;", NULL },

    { { .operation = HAUL_GET_OBJECT, .key = "k", .content_type = "ignored", .tags = { NULL, 1 },
        .acl = "ignored" }, "GET", "/base/bkt/k", "", "", NULL },
    { { .operation = HAUL_GET_OBJECT, .key = "k", .range = { 0, 8388608 }, .if_match = "\"e\"" },
        "GET", "/base/bkt/k", "", "if-match:\"e\";range:bytes=0-8388607;", NULL },
    { { .operation = HAUL_GET_OBJECT, .key = "k", .range = { HAUL_OBJECT_BYTES_MAX - 1, 1 } },
        "GET", "/base/bkt/k", "", "range:bytes=53687091199999-53687091199999;", NULL },
    { { .operation = HAUL_GET_OBJECT, .key = "k", .range = { 5, 0 } },
        "GET", "/base/bkt/k", "", "range:bytes=5-;", NULL },
    { { .operation = HAUL_GET_OBJECT, .key = "k", .version_id = "v+/", .encryption = SSE_C,
        .checksum = HAUL_SHA256, .if_modified_since_ms = 784111777999,
        .if_unmodified_since_ms = 4102444799000 },
        "GET", "/base/bkt/k", "versionId=v%2B%2F",
        CUSTOMER "x-amz-checksum-mode:ENABLED;"
        "if-modified-since:Sun, 06 Nov 1994 08:49:37 GMT;"
        "if-unmodified-since:Thu, 31 Dec 2099 23:59:59 GMT;", NULL },
    { { .operation = HAUL_HEAD_OBJECT, .key = "/k/", .range = { 1, 1 } },
        "HEAD", "/base/bkt//k/", "", "", NULL },
    { { .operation = HAUL_DELETE_OBJECT, .key = ".", .version_id = "null" },
        "DELETE", "/base/bkt/.", "versionId=null", "", NULL },
    { { .operation = HAUL_DELETE_OBJECTS, .victim_count = 2,
        .victims = (const struct haul_victim[]){ { "<a&b>\r\n\t\"'", NULL }, { "k", "v" } } },
        "POST", "/base/bkt", "delete=", "content-md5:;",
        "<Delete" NS "><Quiet>true</Quiet>"
        "<Object><Key>&lt;a&amp;b&gt;&#13;&#10;&#9;\"'</Key></Object>"
        "<Object><Key>k</Key><VersionId>v</VersionId></Object></Delete>" },

    { { .operation = HAUL_COPY_OBJECT, .key = "k", .source.key = "a b+%?#/\303\274", .token = "t" },
        "PUT", "/base/bkt/k", "", "x-amz-copy-source:/bkt/a%20b%2B%25%3F%23/%C3%BC;", NULL },
    { { .operation = HAUL_COPY_OBJECT, .key = "k.txt", .cache_control = "no-cache", .token = "t",
        .source = { .bucket = "other", .key = "s", .version_id = "v&1", .if_match = "\"e\"",
            .range = { 1, 1 }, .key_of_source = SSE_C }, .encryption = SSE_C,
        .tags = PAIRS({ "a", "b" }), .storage_class = "GLACIER", .if_none_match = "*" },
        "PUT", "/base/bkt/k.txt", "",
        "x-amz-metadata-directive:REPLACE;content-type:text/plain;cache-control:no-cache;"
        "x-amz-meta-haul:t;x-amz-tagging-directive:REPLACE;x-amz-tagging:a=b;"
        "x-amz-storage-class:GLACIER;x-amz-copy-source:/other/s?versionId=v%261;"
        "x-amz-copy-source-if-match:\"e\";x-amz-copy-if-match:\"e\";" SOURCE_CUSTOMER CUSTOMER "if-none-match:*;", NULL },
    { { .operation = HAUL_COPY_OBJECT, .key = "k", .source.key = "s", .content_type = "" },
        "PUT", "/base/bkt/k", "", "x-amz-metadata-directive:REPLACE;x-amz-copy-source:/bkt/s;",
        NULL },
    { { .operation = HAUL_COPY_PART, .key = "k", .upload_id = "u", .part_number = 2,
        .source = { .key = "s", .range = { 5, 10 } }, .content_type = "ignored" },
        "PUT", "/base/bkt/k", "partNumber=2&uploadId=u",
        "x-amz-copy-source:/bkt/s;x-amz-copy-source-range:bytes=5-14;", NULL },

    { { .operation = HAUL_GET_TAGS, .key = "k", .version_id = "v" },
        "GET", "/base/bkt/k", "tagging=&versionId=v", "", NULL },
    { { .operation = HAUL_PUT_TAGS, .key = "k", .tags = PAIRS({ "a", "<b>" }), .version_id = "v",
        .content_md5 = true },
        "PUT", "/base/bkt/k", "tagging=&versionId=v", "content-md5:;",
        "<Tagging" NS "><TagSet><Tag><Key>a</Key><Value>&lt;b&gt;</Value></Tag></TagSet>"
        "</Tagging>" },
    { { .operation = HAUL_PUT_TAGS, .key = "k" }, "DELETE", "/base/bkt/k", "tagging=", "", NULL },

    { { .operation = HAUL_CREATE_UPLOAD, .key = "k", .token = "tok", .content_type = "" },
        "POST", "/base/bkt/k", "uploads=", "x-amz-meta-haul:tok;", NULL },
    { { .operation = HAUL_CREATE_UPLOAD, .key = "k", .content_type = "", .checksum = HAUL_CRC32C },
        "POST", "/base/bkt/k", "uploads=",
        "x-amz-checksum-algorithm:CRC32C;x-amz-checksum-type:FULL_OBJECT;", NULL },
    { { .operation = HAUL_CREATE_UPLOAD, .key = "k", .content_type = "", .checksum = HAUL_CRC32,
        .checksum_composite = true }, "POST", "/base/bkt/k", "uploads=",
        "x-amz-checksum-algorithm:CRC32;x-amz-checksum-type:COMPOSITE;", NULL },
    { { .operation = HAUL_CREATE_UPLOAD, .key = "k", .content_type = "",
        .checksum = HAUL_CRC64NVME, .checksum_composite = true },
        "POST", "/base/bkt/k", "uploads=",
        "x-amz-checksum-algorithm:CRC64NVME;x-amz-checksum-type:FULL_OBJECT;", NULL },
    { { .operation = HAUL_CREATE_UPLOAD, .key = "k", .content_type = "", .checksum = HAUL_SHA256,
        .encryption = SSE_C }, "POST", "/base/bkt/k", "uploads=",
        CUSTOMER "x-amz-checksum-algorithm:SHA256;x-amz-checksum-type:COMPOSITE;", NULL },
    { { .operation = HAUL_CREATE_UPLOAD, .key = "k", .content_type = "", .checksum = HAUL_MD5 },
        "POST", "/base/bkt/k", "uploads=", "", NULL },
    { { .operation = HAUL_UPLOAD_PART, .key = "k", .upload_id = "u/+=", .part_number = 10000,
        .content_type = "ignored", .token = "ignored", .checksum = HAUL_CRC64NVME,
        .encryption = SSE_C },
        "PUT", "/base/bkt/k", "partNumber=10000&uploadId=u%2F%2B%3D",
        CUSTOMER "x-amz-checksum-crc64nvme:;", NULL },
    { { .operation = HAUL_COMPLETE_UPLOAD, .key = "k", .upload_id = "u",
        .parts = two_parts, .part_count = 2, .if_none_match = "*" },
        "POST", "/base/bkt/k", "uploadId=u", "if-none-match:*;",
        "<CompleteMultipartUpload" NS "><Part><PartNumber>1</PartNumber><ETag>\"e1\"</ETag>"
        "</Part><Part><PartNumber>7</PartNumber><ETag>\"&lt;&amp;&gt;\"</ETag></Part>"
        "</CompleteMultipartUpload>" },
    { { .operation = HAUL_COMPLETE_UPLOAD, .key = "k", .upload_id = "u", .part_count = 2,
        .parts = (const struct haul_part[]){ { 1, "\"e\"", "AAAAAA==", 5 },
            { 2, "\"f\"", NULL, 5 } },
        .checksum = HAUL_CRC32C, .checksum_value = "AQAAAA==" },
        "POST", "/base/bkt/k", "uploadId=u",
        "x-amz-checksum-crc32c:AQAAAA==;x-amz-checksum-type:FULL_OBJECT;",
        "<CompleteMultipartUpload" NS "><Part><PartNumber>1</PartNumber><ETag>\"e\"</ETag>"
        "<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>\"f\"</ETag></Part></CompleteMultipartUpload>" },
    { { .operation = HAUL_ABORT_UPLOAD, .key = "k", .upload_id = "u" },
        "DELETE", "/base/bkt/k", "uploadId=u", "", NULL },

    { { .operation = HAUL_LIST_PARTS, .key = "k", .upload_id = "u", .prefix = "ignored" },
        "GET", "/base/bkt/k", "uploadId=u", "", NULL },
    { { .operation = HAUL_LIST_PARTS, .key = "k", .upload_id = "u", .part_number = 1000,
        .max_entries = 2 },
        "GET", "/base/bkt/k", "max-parts=2&part-number-marker=1000&uploadId=u", "", NULL },
    { { .operation = HAUL_LIST_OBJECTS },
        "GET", "/base/bkt", "encoding-type=url&list-type=2", "", NULL },
    { { .operation = HAUL_LIST_OBJECTS, .prefix = "p/q&r", .start_after = "p/ a",
        .continuation = "c==", .max_entries = 3, .delimiter = "/" },
        "GET", "/base/bkt", "continuation-token=c%3D%3D&delimiter=%2F&encoding-type=url"
        "&list-type=2&max-keys=3&prefix=p%2Fq%26r&start-after=p%2F%20a", "", NULL },
    { { .operation = HAUL_LIST_VERSIONS, .prefix = "p", .start_after = "k", .marker_id = "v",
        .max_entries = 9, .delimiter = "/", .continuation = "ignored" },
        "GET", "/base/bkt", "delimiter=%2F&encoding-type=url&key-marker=k&max-keys=9&prefix=p"
        "&version-id-marker=v&versions=", "", NULL },
    { { .operation = HAUL_LIST_UPLOADS }, "GET", "/base/bkt", "uploads=", "", NULL },
    { { .operation = HAUL_LIST_UPLOADS, .prefix = "p", .start_after = "k",
        .marker_id = "u", .max_entries = 9, .delimiter = "/" },
        "GET", "/base/bkt", "delimiter=%2F&key-marker=k&max-uploads=9&prefix=p"
        "&upload-id-marker=u&uploads=", "", NULL },

    { { .operation = HAUL_ANY, .method = "PATCH", .key = "k", .query = PAIRS({ "acl", NULL }),
        .headers = PAIRS({ "Content-Type", "text/xml" }), .content_md5 = true,
        .content_type = "ignored", .version_id = "ignored", .if_match = "ignored",
        .body = { read_nothing, NULL, 5 } },
        "PATCH", "/base/bkt/k", "acl=", "content-md5:;content-type:text/xml;", NULL },
    { { .operation = HAUL_ANY, .method = "GET" }, "GET", "/base/bkt", "", "", NULL },
};
/* clang-format on */

static void each_operation_has_its_form(void **state)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct haul_request r = forms[i].request;
        struct call c = new_call();
        struct haul_error err;
        char headers[2048] = "";
        r.endpoint = *state;
        r.bucket = "bkt";
        if (call_build(&r, &c, &err) < 0)
            fail_msg("%zu: %s", i, err.text);
        for (size_t n = 0; n < c.header_count; n++)
            sprintf(headers + strlen(headers), "%s:%s;", c.headers[n].name, c.headers[n].value);
        print_message("%zu: %s %s\n", i, operation_name(r.operation), headers);
        assert_string_equal(c.method, forms[i].method);
        assert_string_equal(buf_text(&c.path), forms[i].path);
        assert_string_equal(buf_text(&c.query), forms[i].query);
        assert_string_equal(headers, forms[i].headers);
        assert_string_equal(buf_text(&c.document), forms[i].document ? forms[i].document : "");
        assert_int_equal(c.body.size, c.document.len ? c.document.len : r.body.size);
        call_free(&c);
    }
}

static void a_request_of_any_kind_may_ask_the_service_itself(void **state)
{
    struct haul_error err;
    struct call c = new_call();
    struct haul_request r = { .operation = HAUL_ANY, .endpoint = *state, .method = "GET" };
    assert_int_equal(call_build(&r, &c, &err), 0);
    assert_string_equal(buf_text(&c.path), "/base/");
    call_free(&c);
}

static void what_is_presigned_states_only_what_was_given(void **state)
{
    struct haul_error err;
    struct call c = { .guess_type = false };
    struct haul_request r = { .operation = HAUL_PUT_OBJECT,
        .endpoint = *state,
        .bucket = "bkt",
        .key = "a.txt",
        .checksum = HAUL_CRC32C,
        .content_md5 = true };
    assert_int_equal(call_build(&r, &c, &err), 0);
    assert_int_equal(c.header_count, 0);
    call_free(&c);
    c = (struct call){ .guess_type = false };
    r.content_type = "text/x";
    r.checksum_value = "AAAAAA==";
    assert_int_equal(call_build(&r, &c, &err), 0);
    assert_int_equal(c.header_count, 2);
    call_free(&c);
}

static void a_bucket_is_constrained_to_amazons_regions_but_the_first(void **state)
{
    static const struct {
        struct haul_endpoint_options options;
        const char *document;
    } cases[] = {
        { { .region = "us-east-1" }, "" },
        { { .region = "eu-west-1" },
            "<CreateBucketConfiguration" NS "><LocationConstraint>eu-west-1"
            "</LocationConstraint></CreateBucketConfiguration>" },
        { { .url = "https://s3.eu-west-1.amazonaws.com", .region = "us-east-1" }, "" },
        { { .url = "https://store", .region = "eu-west-1" }, "" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        struct haul_endpoint *e = haul_endpoint_new(&cases[i].options, &err);
        struct call c = new_call();
        struct haul_request r = {
            .operation = HAUL_CREATE_BUCKET, .endpoint = e, .bucket = "bkt"
        };
        assert_int_equal(call_build(&r, &c, &err), 0);
        assert_string_equal(buf_text(&c.document), cases[i].document);
        call_free(&c);
        haul_endpoint_free(e);
    }
}

static void a_customers_key_goes_only_where_nobody_listens(void **state)
{
    static const struct {
        const char *url;
        bool fine;
    } cases[] = {
        { "https://store", true },
        { NULL, true },
        { "http://localhost", true },
        { "http://LOCALHOST:80", true },
        { "http://127.0.0.1:7480", true },
        { "http://127.1.2.3", true },
        { "http://[::1]:80", true },
        { "http://store", false },
        { "http://localhost.evil.example", false },
        { "http://127.0.0.1.evil.example", false },
        { "http://10.0.0.1", false },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err = { .code = HAUL_OK };
        struct haul_endpoint *e =
            haul_endpoint_new(&(struct haul_endpoint_options){ .url = cases[i].url }, &err);
        struct haul_request r[] = {
            { .operation = HAUL_GET_OBJECT, .encryption = customer },
            { .operation = HAUL_COPY_OBJECT,
                .source = { .key = "s", .key_of_source = customer } },
        };
        for (size_t n = 0; n < 2; n++) {
            struct call c = new_call();
            r[n].endpoint = e;
            r[n].bucket = "bkt";
            r[n].key = "k";
            print_message("%s\n", cases[i].url ? cases[i].url : "AWS");
            assert_int_equal(call_build(&r[n], &c, &err), cases[i].fine ? 0 : -1);
            assert_int_equal(err.code, cases[i].fine ? HAUL_OK : HAUL_BAD_ARGUMENT);
            assert_null(strstr(err.text, "0123456789"));
            call_free(&c);
        }
        haul_endpoint_free(e);
    }
}

static void a_completion_names_its_parts_in_a_body_that_is_read_piecewise(void **state)
{
    static const char expected[] =
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Part><PartNumber>1</PartNumber><ETag>\"e1\"</ETag></Part>"
        "<Part><PartNumber>7</PartNumber><ETag>\"&lt;&amp;&gt;\"</ETag></Part>"
        "</CompleteMultipartUpload>";
    char text[2 * sizeof expected] = "";
    struct haul_error err;
    struct call c = new_call();
    struct haul_request r = { .operation = HAUL_COMPLETE_UPLOAD,
        .endpoint = *state,
        .bucket = "bkt",
        .key = "k",
        .upload_id = "u",
        .parts = two_parts,
        .part_count = 2 };
    assert_int_equal(call_build(&r, &c, &err), 0);
    ssize_t got = 0;
    uint64_t at = 0;
    for (; at < c.body.size; at += (uint64_t) got) {
        got = c.body.read(c.body.payload, at, text + at, 7);
        assert_in_range(got, 1, 7);
    }
    for (char *quote; (quote = strstr(text, "&quot;")) != NULL;) {
        *quote = '"';
        memmove(quote + 1, quote + 6, strlen(quote + 6) + 1);
    }
    assert_string_equal(text, expected);
    call_free(&c);
}

static void a_request_that_s3_must_refuse_is_not_built(void **state)
{
    static char long_key[HAUL_KEY_BYTES_MAX + 2];
    memset(long_key, 'k', HAUL_KEY_BYTES_MAX + 1);
    static char long_value[2049], names[130][4];
    static struct haul_pair many[130];
    memset(long_value, 'v', 2048);
    for (size_t i = 0; i < 130; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        many[i] = (struct haul_pair){ names[i], "" };
    }
    static const struct haul_part backwards[] = { { .number = 2, .etag = "\"b\"" },
        { .number = 1, .etag = "\"a\"" } },
                                  twice[] = { { .number = 1, .etag = "\"a\"" },
                                      { .number = 1, .etag = "\"a\"" } },
                                  zero[] = { { .number = 0, .etag = "\"a\"" } },
                                  bare[] = { { .number = 1, .etag = NULL } },
                                  far[] = { { .number = 10001, .etag = "\"a\"" } };
    /* clang-format off */
    const struct {
        struct haul_request request;
        const char *word;
    } bad[] = {
        { { .bucket = "b", .key = "k" }, "needs an operation" },
        { { .operation = HAUL_ANY + 1, .bucket = "b", .key = "k" }, "needs an operation" },
        { { .operation = HAUL_HEAD_BUCKET, .bucket = "" }, "HeadBucket needs a bucket" },
        { { .operation = HAUL_HEAD_BUCKET, .bucket = "a/b" }, "a bucket's name" },
        { { .operation = HAUL_HEAD_BUCKET, .bucket = "evil.example/?" }, "a bucket's name" },
        { { .operation = HAUL_HEAD_BUCKET, .bucket = "me@evil" }, "a bucket's name" },
        { { .operation = HAUL_GET_OBJECT }, "GetObject needs a key" },
        { { .operation = HAUL_GET_OBJECT, .key = "" }, "needs a key" },
        { { .operation = HAUL_GET_OBJECT, .key = long_key }, "1,024 bytes" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .range = { INT64_MAX, 1 } }, "2^63" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .range = { UINT64_MAX, 10 } }, "2^63" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .range = { 1, UINT64_MAX } }, "2^63" },
        { { .operation = HAUL_COPY_PART, .key = "k", .upload_id = "u", .part_number = 1,
            .source = { .key = "s", .range = { UINT64_MAX, 10 } } }, "2^63" },
        { { .operation = (enum haul_operation) 99 }, "needs an operation" },
        { { .operation = (enum haul_operation) -1 }, "needs an operation" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .checksum = (enum haul_checksum) 7 },
            "kind of checksum" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .payload = (enum haul_payload) 4 },
            "kind of payload" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k",
            .encryption.kind = (enum haul_encryption_kind) 4 }, "no such encryption" },
        { { .operation = HAUL_UPLOAD_PART, .key = "k", .part_number = 1 }, "upload id" },
        { { .operation = HAUL_UPLOAD_PART, .key = "k", .upload_id = "u" }, "1 to 10,000" },
        { { .operation = HAUL_UPLOAD_PART, .key = "k", .upload_id = "u",
            .part_number = 10001 }, "1 to 10,000" },
        { { .operation = HAUL_UPLOAD_PART, .key = "k", .upload_id = "u", .part_number = 1,
            .body = { read_nothing, NULL, HAUL_PART_BYTES_MAX + 1 } }, "5 GiB" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k",
            .body = { read_nothing, NULL, HAUL_PART_BYTES_MAX + 1 } }, "5 GiB" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .body = { .size = 1 } }, "reads the body" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .token = "a\r\nx: y" }, "control" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .metadata = PAIRS({ "a", "b\n" }) },
            "control" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .metadata = PAIRS({ "a b", "" }) },
            "name of a header" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .metadata = PAIRS({ "", "" }) },
            "name of a header" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .metadata = PAIRS({ "a", "" }, { "A", "" }) },
            "twice" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .token = "t",
            .metadata = PAIRS({ "haul", "" }) }, "twice" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .metadata = PAIRS({ "a", long_value }) },
            "2 KiB" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .token = long_value }, "2 KiB" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .tags = { NULL, 11 } }, "10 tags" },
        { { .operation = HAUL_PUT_TAGS, .key = "k", .tags = { NULL, 11 } }, "10 tags" },
        { { .operation = HAUL_PUT_TAGS, .key = "k", .tags = PAIRS({ "", "" }) }, "characters" },
        { { .operation = HAUL_PUT_TAGS, .key = "k", .tags = PAIRS({ "a", NULL }) }, "characters" },
        { { .operation = HAUL_PUT_TAGS, .key = "k", .tags = PAIRS({ "\1", "" }) }, "characters" },
        { { .operation = HAUL_PUT_TAGS, .key = "k", .tags = PAIRS({ "a", long_value }) },
            "characters" },
        { { .operation = HAUL_PUT_TAGS, .key = "k", .tags = PAIRS({ long_value + 1919, "" }) },
            "characters" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .headers = PAIRS({ "Host", "x" }) },
            "itself" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .headers = PAIRS({ "X-Amz-Date", "x" }) },
            "itself" },
        { { .operation = HAUL_ANY, .method = "GET",
            .headers = PAIRS({ "Transfer-Encoding", "chunked" }) }, "itself" },
        { { .operation = HAUL_ANY, .method = "GET", .headers = PAIRS({ "Proxy-X", "" }) },
            "itself" },
        { { .operation = HAUL_ANY, .method = "GET", .headers = PAIRS({ "a:b", "x" }) },
            "name of a header" },
        { { .operation = HAUL_ANY, .method = "GET", .headers = PAIRS({ NULL, "x" }) },
            "name of a header" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "a",
            .headers = PAIRS({ "content-TYPE", "x" }) }, "twice" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_md5 = true,
            .headers = PAIRS({ "Content-MD5", "x" }) }, "twice" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .metadata = { many, 130 } }, "128 headers" },
        { { .operation = HAUL_ANY, .method = "GET", .query = { many, 33 } }, "32 further" },
        { { .operation = HAUL_ANY, .method = "GET", .query = PAIRS({ "", "x" }) }, "without a name" },
        { { .operation = HAUL_LIST_OBJECTS, .query = PAIRS({ "list-type", "1" }) }, "twice" },
        { { .operation = HAUL_ANY }, "needs a method" },
        { { .operation = HAUL_ANY, .method = "get" }, "upper case" },
        { { .operation = HAUL_ANY, .method = "GET /" }, "upper case" },
        { { .operation = HAUL_ANY, .method = "GET", .bucket = "" }, "needs a bucket" },
        { { .operation = HAUL_ANY, .method = "GET", .key = "" }, "needs a key" },
        { { .operation = HAUL_ANY, .method = "HEAD", .body = { read_nothing, NULL, 5 } }, "HEAD" },
        { { .operation = HAUL_DELETE_OBJECTS }, "1 to 1,000" },
        { { .operation = HAUL_DELETE_OBJECTS, .victim_count = 1001 }, "1 to 1,000" },
        { { .operation = HAUL_DELETE_OBJECTS, .victim_count = 1,
            .victims = (const struct haul_victim[]){ { "", NULL } } }, "needs a key" },
        { { .operation = HAUL_DELETE_OBJECTS, .victim_count = 1,
            .victims = (const struct haul_victim[]){ { "a\1", NULL } } }, "XML" },
        { { .operation = HAUL_DELETE_OBJECTS, .victim_count = 1,
            .victims = (const struct haul_victim[]){ { "\xff", NULL } } }, "XML" },
        { { .operation = HAUL_DELETE_OBJECTS, .victim_count = 1,
            .victims = (const struct haul_victim[]){ { "a", "\xed\xa0\x80" } } }, "XML" },
        { { .operation = HAUL_COPY_OBJECT, .key = "k" }, "needs a key" },
        { { .operation = HAUL_COPY_OBJECT, .key = "k", .source = { .key = "s", .bucket = "a/b" } },
            "a bucket's name" },
        { { .operation = HAUL_COPY_OBJECT, .key = "k",
            .source = { .key = "s", .if_match = "\n" } }, "control" },
        { { .operation = HAUL_COPY_OBJECT, .key = "k",
            .source = { .key = "s", .key_of_source.kind = HAUL_ENCRYPT_S3 } }, "customer" },
        { { .operation = HAUL_COPY_PART, .key = "k", .upload_id = "u", .part_number = 1,
              .source = { .key = "s", .range = { 5, 0 } } }, "source's range with a length" },
        { { .operation = HAUL_COPY_PART, .key = "k", .upload_id = "u", .part_number = 1,
            .source = { .key = "s", .range = { 0, HAUL_PART_BYTES_MAX + 1 } } }, "5 GiB" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .encryption.kind = HAUL_ENCRYPT_C },
            "customer's key" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .range = { UINT64_MAX, 2 } }, "2^63" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .range = { 1, INT64_MAX } }, "2^63" },
        { { .operation = HAUL_COPY_PART, .key = "k", .upload_id = "u", .part_number = 1,
            .source = { .key = "s", .range = { UINT64_MAX, 1 } } }, "2^63" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .if_modified_since_ms = INT64_MAX },
            "9999" },
        { { .operation = HAUL_PUT_OBJECT, .key = "k", .content_type = "a\n" }, "control" },
        { { .operation = HAUL_GET_OBJECT, .key = "k", .if_match = "\"\x7f\"" }, "control" },
        { { .operation = HAUL_COMPLETE_UPLOAD, .key = "k", .upload_id = "u" }, "parts" },
        { { .operation = HAUL_COMPLETE_UPLOAD, .key = "k", .upload_id = "u",
            .parts = backwards, .part_count = 2 }, "order" },
        { { .operation = HAUL_COMPLETE_UPLOAD, .key = "k", .upload_id = "u",
            .parts = twice, .part_count = 2 }, "order" },
        { { .operation = HAUL_COMPLETE_UPLOAD, .key = "k", .upload_id = "u",
            .parts = zero, .part_count = 1 }, "order" },
        { { .operation = HAUL_COMPLETE_UPLOAD, .key = "k", .upload_id = "u",
            .parts = bare, .part_count = 1 }, "ETags" },
        { { .operation = HAUL_COMPLETE_UPLOAD, .key = "k", .upload_id = "u",
            .parts = far, .part_count = 1 }, "10,000" },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct haul_request r = bad[i].request;
        struct call c = new_call();
        struct haul_error err = { .code = HAUL_OK };
        r.endpoint = *state;
        if (r.bucket == NULL)
            r.bucket = "bkt";
        assert_int_equal(call_build(&r, &c, &err), -1);
        assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
        assert_int_equal(err.retry, HAUL_RETRY_NEVER);
        if (strstr(err.text, bad[i].word) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", err.text, bad[i].word);
        call_free(&c);
    }
    struct haul_request nowhere = { .operation = HAUL_HEAD_BUCKET, .bucket = "b" };
    struct haul_error err;
    struct call c = new_call();
    assert_int_equal(call_build(&nowhere, &c, &err), -1);
}

static void the_largest_allowed_requests_are_built(void **state)
{
    static char key[HAUL_KEY_BYTES_MAX + 1];
    static struct haul_part parts[HAUL_PARTS_MAX];
    memset(key, '/' + 200, HAUL_KEY_BYTES_MAX); /* each byte becomes three */
    for (unsigned i = 0; i < HAUL_PARTS_MAX; i++)
        parts[i] = (struct haul_part){ .number = i + 1,
            .etag = "\"0123456789abcdef0123456789abcdef\"" };
    struct haul_request r[] = {
        { .operation = HAUL_PUT_OBJECT,
            .key = key,
            .body = { read_nothing, NULL, HAUL_PART_BYTES_MAX } },
        { .operation = HAUL_COMPLETE_UPLOAD,
            .key = "k",
            .upload_id = "u",
            .parts = parts,
            .part_count = HAUL_PARTS_MAX },
    };
    for (size_t i = 0; i < 2; i++) {
        struct haul_error err;
        struct call c = new_call();
        r[i].endpoint = *state;
        r[i].bucket = "bkt";
        if (call_build(&r[i], &c, &err) < 0)
            fail_msg("%s", err.text);
        call_free(&c);
    }
}

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

static void a_part_size_fits_ten_thousand_times(void **state)
{
    static const uint64_t mib = 1024 * 1024;
    static const struct {
        uint64_t size, part;
    } cases[] = {
        { 0, 8 },
        { 1, 8 },
        { 80000 * (uint64_t) 1024 * 1024, 8 },
        { 80000 * (uint64_t) 1024 * 1024 + 1, 9 },
        { HAUL_OBJECT_BYTES_MAX, 5120 },
        { HAUL_OBJECT_BYTES_MAX + 1, 0 },
        { UINT64_MAX, 0 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(haul_part_bytes(cases[i].size), cases[i].part * mib);
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
        struct haul_endpoint *e = new_endpoint();
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
        struct haul_endpoint *e = new_endpoint();
        struct haul_error err =
            judge_refusal(e, cases[i].status, cases[i].body, "", cases[i].date);
        print_message("%zu: %s\n", i, err.text);
        assert_int_equal(err.retry, cases[i].retry);
        assert_int_equal(endpoint_signing_ms(e) / 1000 > ahead - 3600, cases[i].learnt);
        haul_endpoint_free(e);
    }
}

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

static void completions_and_copies_are_slow(void **state)
{
    (void) state;
    for (int i = HAUL_HEAD_BUCKET; i <= HAUL_LIST_UPLOADS; i++)
        assert_int_equal(operation_is_slow((enum haul_operation) i),
            i == HAUL_COMPLETE_UPLOAD || i == HAUL_COPY_OBJECT || i == HAUL_COPY_PART);
    assert_string_equal(operation_name(HAUL_UPLOAD_PART), "UploadPart");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_operation_has_its_form),
        TEST(a_request_of_any_kind_may_ask_the_service_itself),
        TEST(what_is_presigned_states_only_what_was_given),
        cmocka_unit_test(a_bucket_is_constrained_to_amazons_regions_but_the_first),
        cmocka_unit_test(a_customers_key_goes_only_where_nobody_listens),
        TEST(a_completion_names_its_parts_in_a_body_that_is_read_piecewise),
        TEST(a_request_that_s3_must_refuse_is_not_built),
        TEST(the_largest_allowed_requests_are_built),
        TEST(only_the_bytes_that_were_asked_for_are_let_in),
        TEST(every_reply_has_its_judgement),
        TEST(a_result_tells_what_the_reply_told),
        TEST(a_copys_result_stands_in_its_document),
        TEST(only_the_kind_of_checksum_that_was_asked_for_is_told),
        TEST(all_headers_are_handed_over_by_lower_case_names),
        TEST(endless_headers_are_refused),
        TEST(an_error_tells_what_the_server_said),
        cmocka_unit_test(only_a_whole_objects_own_checksum_is_computed),
        cmocka_unit_test(a_part_size_fits_ten_thousand_times),
        TEST(a_head_of_another_object_is_a_failure),
        TEST(a_body_of_another_length_is_no_object),
        cmocka_unit_test(a_wrong_region_is_learnt_and_signed_again),
        cmocka_unit_test(a_wrong_clock_is_learnt_and_signed_again),
        TEST(a_page_of_megabytes_is_quoted_briefly),
        cmocka_unit_test(completions_and_copies_are_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
