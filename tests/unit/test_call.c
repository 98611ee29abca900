/* call.c, headers.c, operation.c: what each operation looks like in HTTP, and which requests
 * are refused before anything is sent, without a server. */
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
#include "client_fixture.h"
#include "endpoint.h"
#include "operation.h"

static struct call new_call(void)
{
    return (struct call){ .guess_type = true };
}

static ssize_t read_nothing(void *payload, uint64_t offset, void *data, size_t len)
{
    (void) payload, (void) offset, (void) data, (void) len;
    return 0;
}

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

/* Case 17. */
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
    c = new_call();
    r.key = "a b/"; /* without a bucket it is all of the path */
    assert_int_equal(call_build(&r, &c, &err), 0);
    assert_string_equal(buf_text(&c.path), "/base/a%20b/");
    call_free(&c);
}

static void an_authorization_may_be_given_where_nothing_is_signed(void **state)
{
    struct haul_error err;
    struct haul_credentials *keys = haul_credentials_static("a", "b", NULL, &err);
    struct haul_endpoint *signing = haul_endpoint_new(
        &(struct haul_endpoint_options){ .url = "https://store", .credentials = keys }, &err);
    struct haul_request r = { .operation = HAUL_ANY,
        .endpoint = *state,
        .method = "GET",
        .headers = PAIRS({ "Authorization", "Bearer x" }) };
    struct call c = new_call();
    assert_int_equal(call_build(&r, &c, &err), 0);
    assert_int_equal(c.header_count, 1);
    assert_string_equal(c.headers[0].name, "authorization");
    call_free(&c);
    c = new_call();
    r.endpoint = signing;
    assert_int_equal(call_build(&r, &c, &err), -1);
    assert_non_null(strstr(err.text, "itself"));
    call_free(&c);
    haul_endpoint_free(signing);
    haul_credentials_free(keys);
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

/* Case 11. */
static void completions_and_copies_are_slow(void **state)
{
    (void) state;
    for (int i = HAUL_HEAD_BUCKET; i <= HAUL_LIST_UPLOADS; i++)
        assert_int_equal(operation_is_slow((enum haul_operation) i),
            i == HAUL_COMPLETE_UPLOAD || i == HAUL_COPY_OBJECT || i == HAUL_COPY_PART);
    assert_string_equal(operation_name(HAUL_UPLOAD_PART), "UploadPart");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_endpoint, free_endpoint)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_operation_has_its_form),
        TEST(a_request_of_any_kind_may_ask_the_service_itself),
        TEST(an_authorization_may_be_given_where_nothing_is_signed),
        TEST(what_is_presigned_states_only_what_was_given),
        cmocka_unit_test(a_bucket_is_constrained_to_amazons_regions_but_the_first),
        cmocka_unit_test(a_customers_key_goes_only_where_nobody_listens),
        TEST(a_completion_names_its_parts_in_a_body_that_is_read_piecewise),
        TEST(a_request_that_s3_must_refuse_is_not_built),
        TEST(the_largest_allowed_requests_are_built),
        cmocka_unit_test(a_part_size_fits_ten_thousand_times),
        cmocka_unit_test(completions_and_copies_are_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
