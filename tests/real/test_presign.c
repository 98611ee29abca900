/* What plain curl does at a real server with presigned URLs, as boto3 sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/presign.h>
#include <haul/store.h>

#include "boto.h"
#include "curl.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PAIRS(array)                                                                           \
    {                                                                                          \
        array, COUNT(array)                                                                    \
    }

struct fixture {
    char *bucket;
    struct haul_store *store;
};

static struct haul_store *open_store(
    const char *url, const char *bucket, struct haul_endpoint_options options)
{
    struct haul_error err;
    struct haul_store *s = haul_store_new(
        url, &(struct haul_store_options){ .bucket = bucket, .endpoint = options }, &err);
    if (s == NULL)
        fail_msg("%s", err.text);
    return s;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->bucket = boto_bucket();
    f->store = open_store("s3://", f->bucket, (struct haul_endpoint_options){ .region = NULL });
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    haul_store_free(f->store);
    free(f->bucket);
    free(f);
    return 0;
}

static struct haul_request request(
    const struct fixture *f, enum haul_operation operation, const char *key)
{
    return (struct haul_request){ .operation = operation,
        .endpoint = haul_store_endpoint(f->store),
        .bucket = f->bucket,
        .key = key };
}

static char *presigned(const struct haul_request *r)
{
    struct haul_error err;
    char *url = haul_presign(r, 600, &err);
    if (url == NULL)
        fail_msg("%s", err.text);
    return url;
}

static char reply[65536];

/* Presigns and uses it: the HTTP status; the reply is kept. */
static int use(const struct haul_request *r, const char *const *options)
{
    char *url = presigned(r);
    int status = curl_run(url, options, reply, sizeof reply);
    free(url);
    return status;
}

#define PUT(text) ((const char *[]){ "--request", "PUT", "--data-binary", text, NULL })
#define HEAD ((const char *[]){ "--head", NULL })
#define DELETE ((const char *[]){ "--request", "DELETE", NULL })
#define SHOW_HEAD ((const char *[]){ "--include", NULL })

static void curl_puts_gets_looks_at_and_deletes(void **state)
{
    const struct fixture *f = *state;
    struct haul_request r = request(f, HAUL_PUT_OBJECT, "k");
    assert_int_equal(use(&r, PUT("some text")), 200);
    assert_string_equal(boto("read('%s', 'k')", f->bucket), "b'some text'");
    r.operation = HAUL_GET_OBJECT;
    assert_int_equal(use(&r, NULL), 200);
    assert_string_equal(reply, "some text");
    r.operation = HAUL_HEAD_OBJECT;
    assert_int_equal(use(&r, HEAD), 200);
    assert_non_null(strcasestr(reply, "content-length: 9\r\n"));
    r.operation = HAUL_DELETE_OBJECT;
    assert_int_equal(use(&r, DELETE), 204);
    assert_string_equal(boto("keys('%s')", f->bucket), "[]");
}

static void what_the_headers_say_is_stored(void **state)
{
    const struct fixture *f = *state;
    struct haul_pair metadata[] = { { "Owner", "me and you" } };
    struct haul_request r = request(f, HAUL_PUT_OBJECT, "k");
    r.content_type = "text/x; a=b";
    r.metadata = (struct haul_pairs) PAIRS(metadata);
    const char *const wrong[] = { "--request", "PUT", "--data-binary", "text", "--header",
        "Content-Type: text/x; a=b", "--header", "x-amz-meta-owner: somebody", NULL };
    const char *const right[] = { "--request", "PUT", "--data-binary", "text", "--header",
        "Content-Type: text/x; a=b", "--header", "x-amz-meta-owner: me and you", NULL };
    assert_int_equal(use(&r, wrong), 403);
    assert_int_equal(use(&r, right), 200);
    assert_string_equal(boto("(lambda o: (o['ContentType'], o['Metadata']))("
                             "s3.head_object(Bucket='%s', Key='k'))",
                            f->bucket),
        "('text/x; a=b', {'owner': 'me and you'})");
}

static void the_query_can_name_the_reply_s_headers(void **state)
{
    const struct fixture *f = *state;
    struct haul_pair query[] = { { "response-content-disposition",
        "attachment; filename=\"a b+c.txt\"" } };
    struct haul_request r = request(f, HAUL_GET_OBJECT, "k");
    boto("s3.put_object(Bucket='%s', Key='k', Body=b'text')", f->bucket);
    r.query = (struct haul_pairs) PAIRS(query);
    assert_int_equal(use(&r, SHOW_HEAD), 200);
    assert_non_null(
        strcasestr(reply, "content-disposition: attachment; filename=\"a b+c.txt\"\r\n"));
    assert_non_null(strstr(reply, "\r\n\r\ntext"));
}

static void a_listing_is_presigned_as_itself_or_as_any(void **state)
{
    const struct fixture *f = *state;
    struct haul_pair query[] = { { "prefix", "a b/" }, { "list-type", "2" } };
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    boto("[s3.put_object(Bucket='%s', Key=k) for k in ('a b/c', 'x')]", f->bucket);
    list.prefix = "a b/";
    assert_int_equal(use(&list, NULL), 200);
    assert_non_null(strstr(reply, "<KeyCount>1</KeyCount>"));
    assert_non_null(strstr(reply, "<Key>a%20b%2Fc</Key>"));
    struct haul_request any = request(f, HAUL_ANY, NULL);
    any.method = "GET";
    any.query = (struct haul_pairs) PAIRS(query);
    assert_int_equal(use(&any, NULL), 200);
    assert_non_null(strstr(reply, "<Key>a b/c</Key>"));
}

static void hard_keys_arrive(void **state)
{
    const struct fixture *f = *state;
    const char *const keys[] = { "~a b+c%20d%", "//a/./b/../c//", "a?b#c&d=e", "ü/漢字/😀",
        "'\"$(x)`\\;|<>", "\x01\n\x7f", "?uploads", "AWS4-HMAC-SHA256" };
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct haul_request r = request(f, HAUL_PUT_OBJECT, keys[i]);
        assert_int_equal(use(&r, PUT(keys[i])), 200);
        boto_text("key", keys[i]);
        assert_string_equal(boto("read('%s', key) == key.encode()", f->bucket), "True");
        r.operation = HAUL_GET_OBJECT;
        assert_int_equal(use(&r, NULL), 200);
        assert_string_equal(reply, keys[i]);
    }
    assert_int_equal(atoi(boto("len(keys('%s'))", f->bucket)), COUNT(keys));
}

static void a_part_can_be_put_by_url(void **state)
{
    const struct fixture *f = *state;
    struct haul_request r = request(f, HAUL_UPLOAD_PART, "k");
    char id[256];
    snprintf(id, sizeof id, "%s",
        boto("s3.create_multipart_upload(Bucket='%s', Key='k')['UploadId']", f->bucket));
    r.upload_id = id;
    r.part_number = 1;
    assert_int_equal(use(&r, PUT("the only part")), 200);
    boto("s3.complete_multipart_upload(Bucket='%s', Key='k', UploadId='%s', MultipartUpload="
         "{'Parts': [{'PartNumber': 1, 'ETag': s3.list_parts(Bucket='%s', Key='k', "
         "UploadId='%s')['Parts'][0]['ETag']}]})",
        f->bucket, id, f->bucket, id);
    assert_string_equal(boto("read('%s', 'k')", f->bucket), "b'the only part'");
}

static void a_url_of_https_with_the_bucket_in_the_host_s_name_works(void **state)
{
    const struct fixture *f = *state;
    char url[64];
    boto("s3.put_object(Bucket='%s', Key='k', Body=b'text')", f->bucket);
    snprintf(url, sizeof url, "http://localhost%s", strrchr(getenv("AWS_ENDPOINT_URL"), ':'));
    struct haul_store *named = open_store(
        url, f->bucket, (struct haul_endpoint_options){ .addressing = HAUL_ADDRESS_VIRTUAL });
    struct haul_store *tls = open_store(
        getenv("TLS_ENDPOINT_URL"), f->bucket, (struct haul_endpoint_options){ .url = NULL });
    struct haul_request r = request(f, HAUL_GET_OBJECT, "k");
    r.endpoint = haul_store_endpoint(named);
    assert_int_equal(use(&r, NULL), 200);
    r.endpoint = haul_store_endpoint(tls);
    assert_int_equal(
        use(&r, (const char *[]){ "--cacert", getenv("TLS_CA_BUNDLE"), NULL }), 200);
    haul_store_free(named);
    haul_store_free(tls);
}

static void a_url_that_was_tampered_with_is_refused(void **state)
{
    const struct fixture *f = *state;
    boto("[s3.put_object(Bucket='%s', Key=k) for k in 'kl']", f->bucket);
    struct haul_request r = request(f, HAUL_GET_OBJECT, "k");
    char *url = presigned(&r), *key = strstr(url, "/k?");
    assert_int_equal(curl_run(url, NULL, reply, sizeof reply), 200);
    assert_int_equal(curl_run(url, DELETE, reply, sizeof reply), 403);
    key[1] = 'l';
    assert_int_equal(curl_run(url, NULL, reply, sizeof reply), 403);
    assert_non_null(strstr(reply, "<Code>SignatureDoesNotMatch</Code>"));
    free(url);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(curl_puts_gets_looks_at_and_deletes),
        TEST(what_the_headers_say_is_stored),
        TEST(the_query_can_name_the_reply_s_headers),
        TEST(a_listing_is_presigned_as_itself_or_as_any),
        TEST(hard_keys_arrive),
        TEST(a_part_can_be_put_by_url),
        TEST(a_url_of_https_with_the_bucket_in_the_host_s_name_works),
        TEST(a_url_that_was_tampered_with_is_refused),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
