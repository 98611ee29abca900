/* haul_presign(): what it refuses, what stands in the URL, and that the scripted endpoint,
 * which has a signer of its own, lets plain curl do with the URL what was signed, and nothing
 * else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/presign.h>

#include "client_fixture.h"
#include "curl.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PAIRS(array)                                                                           \
    {                                                                                          \
        array, COUNT(array)                                                                    \
    }

/* ---- Refused ---- */

static void assert_refused(
    const struct haul_request *r, unsigned seconds, enum haul_code code, const char *text)
{
    struct haul_error err = { .code = HAUL_OK };
    assert_null(haul_presign(r, seconds, &err));
    assert_int_equal(err.code, code);
    assert_string_equal(err.text, text);
    assert_null(haul_presign(r, seconds, NULL));
}

static char *presigned(const struct haul_request *r, unsigned seconds)
{
    struct haul_error err;
    char *url = haul_presign(r, seconds, &err);
    if (url == NULL)
        fail_msg("%s", err.text);
    return url;
}

static void a_url_lasts_from_a_second_to_seven_days(void **state)
{
    const char *text = "a presigned URL lasts from 1 second to 7 days (604800 seconds)";
    struct haul_request r = request(*state, HAUL_GET_OBJECT, "k");
    assert_refused(&r, 0, HAUL_BAD_ARGUMENT, text);
    assert_refused(&r, HAUL_PRESIGN_SECONDS_MAX + 1, HAUL_BAD_ARGUMENT, text);
    free(presigned(&r, 1));
    free(presigned(&r, HAUL_PRESIGN_SECONDS_MAX));
}

static void operations_whose_body_is_a_document_are_refused(void **state)
{
    struct haul_request r = request(*state, HAUL_COMPLETE_UPLOAD, "k");
    assert_refused(&r, 60, HAUL_BAD_ARGUMENT,
        "CompleteMultipartUpload can't be presigned: its body is a document");
    r.operation = HAUL_DELETE_OBJECTS;
    assert_refused(
        &r, 60, HAUL_BAD_ARGUMENT, "DeleteObjects can't be presigned: its body is a document");
    r.operation = HAUL_PUT_TAGS;
    assert_refused(&r, 60, HAUL_BAD_ARGUMENT,
        "PutObjectTagging can't be presigned: its body is a document");
}

static void a_request_that_breaks_the_manual_is_refused(void **state)
{
    struct haul_request r = request(*state, HAUL_GET_OBJECT, NULL);
    assert_refused(&r, 60, HAUL_BAD_ARGUMENT, "GetObject needs a key");
    r = (struct haul_request){ .operation = HAUL_GET_OBJECT, .bucket = "bkt", .key = "k" };
    assert_refused(&r, 60, HAUL_BAD_ARGUMENT, "GetObject needs an endpoint");
}

static void without_keys_nothing_can_be_presigned(void **state)
{
    const char *text = "GetObject can't be presigned: the endpoint has no credentials";
    struct haul_error err;
    struct haul_credentials *nobody = haul_credentials_anonymous(&err);
    struct haul_endpoint *none =
        haul_endpoint_new(&(struct haul_endpoint_options){ .url = "http://localhost" }, &err);
    struct haul_endpoint *anonymous =
        new_endpoint(*state, (struct haul_endpoint_options){ .credentials = nobody });
    struct haul_request r = request(*state, HAUL_GET_OBJECT, "k");
    r.endpoint = none;
    assert_refused(&r, 60, HAUL_NO_CREDENTIALS, text);
    r.endpoint = anonymous;
    assert_refused(&r, 60, HAUL_NO_CREDENTIALS, text);
    haul_endpoint_free(none);
    haul_endpoint_free(anonymous);
    haul_credentials_free(nobody);
}

static void what_makes_too_long_a_url_is_refused_without_being_quoted(void **state)
{
    enum { LONG = 20000 };
    struct haul_error err = { .code = HAUL_OK };
    char *token = malloc(LONG + 1);
    memset(token, 's', LONG);
    token[LONG] = '\0';
    struct haul_credentials *keys =
        haul_credentials_static(S3_ACCESS_KEY, S3_SECRET_KEY, token, &err);
    struct haul_endpoint *e =
        new_endpoint(*state, (struct haul_endpoint_options){ .credentials = keys });
    struct haul_request r = request(*state, HAUL_GET_OBJECT, "k");
    r.endpoint = e;
    assert_null(haul_presign(&r, 60, &err));
    assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
    assert_string_equal(err.text, "the query is longer than 16384 bytes");
    haul_endpoint_free(e);
    haul_credentials_free(keys);
    free(token);
}

/* ---- What stands in the URL ---- */

/* The URL's begin, and the parameter's value as it is encoded there. */
static void assert_begins(const char *url, const char *begin)
{
    char found[512];
    snprintf(found, sizeof found, "%.*s", (int) strlen(begin), url);
    assert_string_equal(found, begin);
}

static void assert_param(const char *url, const char *name, const char *value)
{
    char found[512] = "missing";
    size_t len = strlen(name);
    for (const char *at = strchr(url, '?'); at != NULL; at = strchr(at + 1, '&'))
        if (strncmp(at + 1, name, len) == 0 && at[1 + len] == '=')
            snprintf(
                found, sizeof found, "%.*s", (int) strcspn(at + len + 2, "&"), at + len + 2);
    assert_string_equal(found, value);
}

static void assert_signs(const struct haul_request *r, const char *headers)
{
    char *url = presigned(r, 60);
    assert_param(url, "X-Amz-SignedHeaders", headers);
    free(url);
}

static void the_url_says_how_it_was_signed(void **state)
{
    struct haul_request r = request(*state, HAUL_GET_OBJECT, "k");
    char *url = presigned(&r, 86400), begin[128], *date, scope[128];
    snprintf(begin, sizeof begin, "%s/bkt/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=",
        ((struct fixture *) *state)->s3->url);
    assert_begins(url, begin);
    date = strstr(url, "X-Amz-Date=") + strlen("X-Amz-Date=");
    snprintf(
        scope, sizeof scope, S3_ACCESS_KEY "%%2F%.8s%%2Fus-east-1%%2Fs3%%2Faws4_request", date);
    assert_param(url, "X-Amz-Credential", scope);
    assert_param(url, "X-Amz-Expires", "86400");
    assert_param(url, "X-Amz-SignedHeaders", "host");
    assert_param(url, "X-Amz-Security-Token", "missing");
    assert_int_equal(
        strlen(strstr(url, "&X-Amz-Signature=")), strlen("&X-Amz-Signature=") + 64);
    assert_null(strstr(url, S3_SECRET_KEY));
    free(url);
}

static void what_the_request_states_is_signed_and_nothing_is_guessed(void **state)
{
    struct haul_pair metadata[] = { { "Owner", "me" } }, more[] = { { "X-Odd", "1" } };
    struct haul_request put = request(*state, HAUL_PUT_OBJECT, "page.html");
    assert_signs(&put, "host");
    put.body = (struct haul_body){ .size = 5 }; /* not looked at */
    put.checksum = HAUL_CRC32C;
    put.content_md5 = true;
    assert_signs(&put, "host");
    put.checksum_value = "yZRlqg==";
    put.content_type = "text/html";
    put.acl = "public-read";
    put.metadata = (struct haul_pairs) PAIRS(metadata);
    put.headers = (struct haul_pairs) PAIRS(more);
    assert_signs(&put, "content-type%3Bhost%3Bx-amz-acl%3Bx-amz-checksum-crc32c%3B"
                       "x-amz-meta-owner%3Bx-odd");
    struct haul_request get = request(*state, HAUL_GET_OBJECT, "k");
    get.range = (struct haul_range){ 2, 3 };
    get.if_match = "\"e\"";
    assert_signs(&get, "host%3Bif-match%3Brange");
}

static void the_query_of_request_caller_and_signature_is_sorted_as_one(void **state)
{
    struct haul_pair query[] = { { "x-id", "GetObject" }, { "A", NULL },
        { "response-content-disposition", "attachment; filename=\"a b.txt\"" } };
    const char *const names[] = { "A", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date",
        "X-Amz-Expires", "X-Amz-SignedHeaders", "response-content-disposition", "versionId",
        "x-id", "X-Amz-Signature" };
    struct haul_request r = request(*state, HAUL_GET_OBJECT, "k");
    r.version_id = "a/b";
    r.query = (struct haul_pairs) PAIRS(query);
    char *url = presigned(&r, 60), *at = strchr(url, '?');
    for (size_t i = 0; i < COUNT(names); i++, at = strchr(at + 1, '&')) {
        assert_non_null(at);
        assert_begins(at + 1, names[i]);
    }
    assert_null(at);
    assert_param(url, "A", "");
    assert_param(url, "versionId", "a%2Fb");
    assert_param(
        url, "response-content-disposition", "attachment%3B%20filename%3D%22a%20b.txt%22");
    free(url);
}

static void a_temporary_key_s_token_is_part_of_the_url(void **state)
{
    struct haul_error err;
    struct haul_credentials *keys =
        haul_credentials_static(S3_ACCESS_KEY, S3_SECRET_KEY, "to/k+en==", &err);
    struct haul_endpoint *e =
        new_endpoint(*state, (struct haul_endpoint_options){ .credentials = keys });
    struct haul_request r = request(*state, HAUL_LIST_OBJECTS, NULL);
    r.endpoint = e;
    char *url = presigned(&r, 60);
    assert_param(url, "X-Amz-Security-Token", "to%2Fk%2Ben%3D%3D");
    assert_int_equal(curl_run(url, NULL, NULL, 0), 200); /* it is signed, too */
    free(url);
    haul_endpoint_free(e);
    haul_credentials_free(keys);
}

static void addressing_is_the_endpoint_s(void **state)
{
    const struct {
        const char *url, *region;
        enum haul_addressing addressing;
        const char *bucket, *key, *begin;
    } cases[] = {
        { NULL, "eu-central-1", HAUL_ADDRESS_AUTO, "bkt", "a/k",
            "https://bkt.s3.eu-central-1.amazonaws.com/a/k?" },
        { NULL, "eu-central-1", HAUL_ADDRESS_AUTO, "b.k.t", "k",
            "https://s3.eu-central-1.amazonaws.com/b.k.t/k?" },
        { "https://s3.example.com:9000/base", NULL, HAUL_ADDRESS_AUTO, "bkt", "k",
            "https://s3.example.com:9000/base/bkt/k?" },
        { "http://s3.example.com:80", NULL, HAUL_ADDRESS_VIRTUAL, "bkt", "k",
            "http://bkt.s3.example.com/k?" },
        { "https://s3.example.com", NULL, HAUL_ADDRESS_PATH, "bkt", "~ +%ü//../?#&",
            "https://s3.example.com/bkt/~%20%2B%25%C3%BC//../%3F%23%26?" },
    };
    struct haul_error err;
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct haul_endpoint *e =
            haul_endpoint_new(&(struct haul_endpoint_options){ .url = cases[i].url,
                                  .region = cases[i].region,
                                  .addressing = cases[i].addressing,
                                  .credentials = f->keys },
                &err);
        assert_non_null(e);
        struct haul_request r = { .operation = HAUL_GET_OBJECT,
            .endpoint = e,
            .bucket = cases[i].bucket,
            .key = cases[i].key };
        char *url = presigned(&r, 60);
        assert_begins(url, cases[i].begin);
        free(url);
        haul_endpoint_free(e);
    }
}

/* ---- Used by curl ---- */

static int curl_with(const struct haul_request *r, const char *const *options, char out[256])
{
    char *url = presigned(r, 60);
    int status = curl_run(url, options, out, 256);
    free(url);
    return status;
}

static void assert_kept(const struct fixture *f, const char *key, const char *text)
{
    assert_stored(f, key, text, strlen(text));
}

static void curl_puts_gets_looks_at_lists_and_deletes(void **state)
{
    struct fixture *f = *state;
    char out[256];
    struct haul_request r = request(f, HAUL_PUT_OBJECT, "folder/k");
    const char *const put[] = { "--request", "PUT", "--data-binary", "some text", NULL };
    assert_int_equal(curl_with(&r, put, out), 200);
    assert_kept(f, "folder/k", "some text");
    r.operation = HAUL_GET_OBJECT;
    assert_int_equal(curl_with(&r, NULL, out), 200);
    assert_string_equal(out, "some text");
    r.operation = HAUL_HEAD_OBJECT;
    assert_int_equal(curl_with(&r, (const char *[]){ "--head", NULL }, out), 200);
    assert_non_null(strstr(out, "Content-Length: 9\r\n"));

    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    list.prefix = "folder/";
    list.max_entries = 1;
    char *url = presigned(&list, 60), page[4096];
    assert_int_equal(curl_run(url, NULL, page, sizeof page), 200);
    assert_non_null(strstr(page, "<Key>folder/k</Key>"));
    free(url);

    r.operation = HAUL_DELETE_OBJECT;
    assert_int_equal(curl_with(&r, (const char *[]){ "--request", "DELETE", NULL }, out), 204);
    r.operation = HAUL_GET_OBJECT;
    assert_int_equal(curl_with(&r, NULL, out), 404);
}

static void any_method_can_be_presigned(void **state)
{
    struct fixture *f = *state;
    char out[256];
    struct haul_pair query[] = { { "location", NULL } };
    struct haul_request r = request(f, HAUL_ANY, NULL);
    r.method = "GET";
    r.query = (struct haul_pairs) PAIRS(query);
    assert_int_equal(curl_with(&r, NULL, out), 200);
    assert_non_null(strstr(out, "<LocationConstraint"));
    r = (struct haul_request){
        .operation = HAUL_ANY, .endpoint = f->endpoint, .method = "GET"
    };
    assert_int_equal(curl_with(&r, NULL, out), 200);
    assert_non_null(strstr(out, "<ListAllMyBucketsResult"));
}

static void keys_with_special_characters_arrive(void **state)
{
    const char *const keys[] = { "~a b+c%20d%", "//a/./b/../c//", "a?b#c&d=e", "ü/漢字/😀",
        "'\"$(x)`\\;|<>", "\x01\n\x7f", "X-Amz-Signature=0" };
    struct fixture *f = *state;
    char out[256];
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct haul_request r = request(f, HAUL_PUT_OBJECT, keys[i]);
        const char *const put[] = { "--request", "PUT", "--data-binary", keys[i], NULL };
        assert_int_equal(curl_with(&r, put, out), 200);
        assert_kept(f, keys[i], keys[i]);
        r.operation = HAUL_GET_OBJECT;
        assert_int_equal(curl_with(&r, NULL, out), 200);
        assert_string_equal(out, keys[i]);
    }
}

static void virtual_addressing_arrives(void **state)
{
    struct fixture *f = *state;
    char out[256], root[64];
    free(stored(f, "k", 10));
    snprintf(root, sizeof root, "http://localhost:%u", f->s3->port);
    struct haul_endpoint *e = new_endpoint(
        f, (struct haul_endpoint_options){ .url = root, .addressing = HAUL_ADDRESS_VIRTUAL });
    struct haul_request r = request(f, HAUL_HEAD_OBJECT, "k");
    r.endpoint = e;
    char *url = presigned(&r, 60);
    assert_begins(url, "http://bkt.localhost:");
    assert_int_equal(curl_run(url, (const char *[]){ "--head", NULL }, out, sizeof out), 200);
    free(url);
    haul_endpoint_free(e);
}

static void signed_headers_have_to_be_sent_as_they_were_signed(void **state)
{
    struct fixture *f = *state;
    char out[256];
    struct haul_pair metadata[] = { { "Owner", "me and you" } };
    struct haul_request r = request(f, HAUL_PUT_OBJECT, "k");
    r.content_type = "text/x; a=b";
    r.metadata = (struct haul_pairs) PAIRS(metadata);
    const char *const right[] = { "--request", "PUT", "--data-binary", "text", "--header",
        "Content-Type: text/x; a=b", "--header", "X-Amz-Meta-Owner: me and you", NULL };
    const char *const missing[] = { "--request", "PUT", "--data-binary", "text", "--header",
        "Content-Type: text/x; a=b", NULL };
    const char *const other[] = { "--request", "PUT", "--data-binary", "text", "--header",
        "Content-Type: text/y", "--header", "X-Amz-Meta-Owner: me and you", NULL };
    assert_int_equal(curl_with(&r, missing, out), 403);
    assert_int_equal(curl_with(&r, other, out), 403);
    assert_int_equal(curl_with(&r, right, out), 200);
    assert_kept(f, "k", "text");
}

static void a_header_that_was_not_signed_is_refused(void **state)
{
    struct fixture *f = *state;
    char out[256];
    struct haul_request r = request(f, HAUL_PUT_OBJECT, "k");
    const char *const more[] = { "--request", "PUT", "--data-binary", "text", "--header",
        "x-amz-acl: public-read", NULL };
    assert_int_equal(curl_with(&r, more, out), 403);
}

static void assert_tampered_refused(const char *url, const char *what, const char *by)
{
    char other[4096], out[1024];
    const char *at = strstr(url, what);
    assert_non_null(at);
    snprintf(other, sizeof other, "%.*s%s%s", (int) (at - url), url, by, at + strlen(what));
    assert_int_equal(curl_run(other, NULL, out, sizeof out), 403);
    assert_non_null(strstr(out, "<Code>SignatureDoesNotMatch</Code>"));
}

static void a_url_that_was_tampered_with_is_refused(void **state)
{
    struct fixture *f = *state;
    free(stored(f, "key", 10));
    free(stored(f, "kez", 10));
    struct haul_pair query[] = { { "response-content-type", "text/x" } };
    struct haul_request r = request(f, HAUL_GET_OBJECT, "key");
    r.query = (struct haul_pairs) PAIRS(query);
    char *url = presigned(&r, 60), out[1024];
    assert_int_equal(curl_run(url, NULL, NULL, 0), 200);
    assert_tampered_refused(url, "/key?", "/kez?");
    assert_tampered_refused(url, "Expires=60", "Expires=61");
    assert_tampered_refused(url, "text%2Fx", "text%2Fy");
    assert_tampered_refused(url, "&response", "&other=1&response");
    assert_tampered_refused(url, "Signature=", "Signature=0");
    const char *const delete[] = { "--request", "DELETE", NULL };
    assert_int_equal(curl_run(url, delete, out, sizeof out), 403);
    assert_non_null(strstr(out, "<Code>SignatureDoesNotMatch</Code>"));
    free(url);
}

static void a_url_that_has_expired_is_refused(void **state)
{
    struct fixture *f = *state;
    free(stored(f, "k", 10));
    struct haul_request r = request(f, HAUL_GET_OBJECT, "k");
    char *url = presigned(&r, 1000), out[1024];
    s3_fault(f->s3, "GetObject nth=1 skew-s=900\nGetObject nth=2 skew-s=1100");
    assert_int_equal(curl_run(url, NULL, NULL, 0), 200);
    assert_int_equal(curl_run(url, NULL, out, sizeof out), 403);
    assert_non_null(strstr(out, "<Code>AccessDenied</Code>"));
    free(url);
}

static void the_time_is_the_server_s_once_that_is_known(void **state)
{
    struct fixture *f = *state;
    char out[256];
    s3_fault(f->s3, "* always skew-s=7200");
    free(stored(f, "k", 10)); /* refused, learnt and sent again */
    struct haul_request r = request(f, HAUL_HEAD_OBJECT, "k");
    assert_int_equal(curl_with(&r, (const char *[]){ "--head", NULL }, out), 200);
    s3_clear(f->s3);
    assert_int_equal(curl_with(&r, (const char *[]){ "--head", NULL }, out), 403);
}

static void a_range_is_part_of_what_is_signed(void **state)
{
    struct fixture *f = *state;
    char out[256];
    struct source s = { .data = "0123456789" };
    struct haul_request put = put_of(f, "k", &s, 10), get = request(f, HAUL_GET_OBJECT, "k");
    succeed(f, &put);
    get.range = (struct haul_range){ 2, 3 };
    assert_int_equal(curl_with(&get, (const char *[]){ "--range", "2-4", NULL }, out), 206);
    assert_string_equal(out, "234");
    assert_int_equal(curl_with(&get, (const char *[]){ "--range", "2-5", NULL }, out), 403);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_url_lasts_from_a_second_to_seven_days),
        WITH_SERVER(operations_whose_body_is_a_document_are_refused),
        WITH_SERVER(a_request_that_breaks_the_manual_is_refused),
        WITH_SERVER(without_keys_nothing_can_be_presigned),
        WITH_SERVER(what_makes_too_long_a_url_is_refused_without_being_quoted),
        WITH_SERVER(the_url_says_how_it_was_signed),
        WITH_SERVER(what_the_request_states_is_signed_and_nothing_is_guessed),
        WITH_SERVER(the_query_of_request_caller_and_signature_is_sorted_as_one),
        WITH_SERVER(a_temporary_key_s_token_is_part_of_the_url),
        WITH_SERVER(addressing_is_the_endpoint_s),
        WITH_SERVER(curl_puts_gets_looks_at_lists_and_deletes),
        WITH_SERVER(any_method_can_be_presigned),
        WITH_SERVER(keys_with_special_characters_arrive),
        WITH_SERVER(virtual_addressing_arrives),
        WITH_SERVER(signed_headers_have_to_be_sent_as_they_were_signed),
        WITH_SERVER(a_header_that_was_not_signed_is_refused),
        WITH_SERVER(a_url_that_was_tampered_with_is_refused),
        WITH_SERVER(a_url_that_has_expired_is_refused),
        WITH_SERVER(the_time_is_the_server_s_once_that_is_known),
        WITH_SERVER(a_range_is_part_of_what_is_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
