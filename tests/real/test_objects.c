/* The calls of object.h against the real server, with boto3's view of what they did. Put and
 * get of files and streams stand in unit tests, single operations in test_operations.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/haul.h>

#include "boto.h"

#define MIB (1024 * 1024)
#define BIG (20 * MIB)

/* 20 MiB are four parts, of 6 MiB and what is left. */
static const struct haul_copy_options in_parts = {
    .multipart_from_bytes = 6 * MIB, .part_bytes = 6 * MIB, .workers = 3
};

struct fixture {
    char *bucket;
    struct haul_store *store;
    struct haul_error err;
};

static const struct haul_result *good(const struct fixture *f, const struct haul_result *result)
{
    if (result == NULL)
        fail_msg("%s", f->err.text);
    return result;
}

/* Over TLS when the options have a ca_file. */
static struct haul_store *open_store(struct fixture *f, struct haul_store_options o)
{
    char url[256];
    snprintf(url, sizeof url, "%s/%s",
        getenv(o.endpoint.ca_file ? "TLS_ENDPOINT_URL" : "AWS_ENDPOINT_URL"), f->bucket);
    struct haul_store *s = haul_store_new(url, &o, &f->err);
    if (s == NULL)
        fail_msg("%s", f->err.text);
    return s;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->bucket = boto_bucket();
    f->store = open_store(f, (struct haul_store_options){ .bucket = NULL });
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    haul_store_free(f->store);
    free(f->bucket);
    free(f);
    return 0;
}

static char *some_bytes(size_t len)
{
    char *data = malloc(len);
    uint32_t x = 2463534242;
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        data[i] = (char) x;
    }
    return data;
}

static const struct haul_pair metadata[] = { { "owner", "me" }, { "colour", "blue" } };
static const struct haul_pair tags[] = { { "kind", "a+b &c=" } };

/* Puts it with all that an object can have beside its bytes. */
static void put_described(struct fixture *f, const char *key, const void *data, size_t len)
{
    struct haul_request r = { .key = key,
        .content_type = "text/x",
        .cache_control = "max-age=3",
        .content_disposition = "attachment",
        .content_language = "de",
        .metadata = { metadata, 2 },
        .tags = { tags, 1 } };
    good(f, haul_put_memory(f->store, &r, data, len, &f->err));
}

static void assert_described(const struct fixture *f, const char *key)
{
    assert_string_equal(
        boto("(lambda h: (h['ContentType'], h['CacheControl'], h['ContentDisposition'], "
             "h['ContentLanguage'], h['Metadata']['owner'], h['Metadata']['colour']))"
             "(s3.head_object(Bucket='%s', Key='%s'))",
            f->bucket, key),
        "('text/x', 'max-age=3', 'attachment', 'de', 'me', 'blue')");
}

static void assert_tags(const struct fixture *f, const char *key, const char *expected)
{
    assert_string_equal(boto("[(t['Key'], t['Value']) for t in "
                             "s3.get_object_tagging(Bucket='%s', Key='%s')['TagSet']]",
                            f->bucket, key),
        expected);
}

static void assert_bytes(const struct fixture *f, const char *key)
{
    assert_string_equal(boto("read('%s', '%s') == data", f->bucket, key), "True");
}

/* ---- Put, get, head ---- */

static int collect(void *payload, uint64_t offset, const void *data, size_t len)
{
    memcpy((char *) payload + offset, data, len);
    return 0;
}

static void both_read_what_the_other_has_put(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "a/b c.html" };
    good(f, haul_put_string(f->store, &r, "<p>", &f->err));
    assert_string_equal(boto("read('%s', 'a/b c.html')", f->bucket), "b'<p>'");
    assert_string_equal(
        boto("s3.head_object(Bucket='%s', Key='a/b c.html')['ContentType']", f->bucket),
        "text/html");
    r.body = haul_body_string("mine");
    good(f, haul_put(f->store, &r, &f->err));
    assert_string_equal(boto("read('%s', 'a/b c.html')", f->bucket), "b'mine'");

    char got[16] = "";
    boto("s3.put_object(Bucket='%s', Key='c', Body=b'from boto', Metadata={'n': '1'})",
        f->bucket);
    r = (struct haul_request){ .key = "c", .sink = { collect, got } };
    const struct haul_result *result = good(f, haul_get(f->store, &r, &f->err));
    assert_string_equal(got, "from boto");
    assert_string_equal(haul_result_header(result, "x-amz-meta-n"), "1");
    result = good(f, haul_head(f->store, &r, &f->err));
    assert_int_equal(result->size, 9);
    r.if_none_match = result->etag;
    assert_null(haul_get(f->store, &r, &f->err));
    assert_int_equal(f->err.http_status, 304);
}

static void an_object_is_deleted_and_again(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "a" };
    good(f, haul_put_string(f->store, &r, "text", &f->err));
    good(f, haul_delete(f->store, &r, &f->err));
    assert_string_equal(boto("keys('%s')", f->bucket), "[]");
    good(f, haul_delete(f->store, &r, &f->err));
}

static void tags_are_put_and_read(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "a", .tags = { tags, 1 } };
    boto("s3.put_object(Bucket='%s', Key='a')", f->bucket);
    good(f, haul_put_tags(f->store, &r, &f->err));
    assert_tags(f, "a", "[('kind', 'a+b &c=')]");
    const struct haul_result *result = good(f, haul_get_tags(f->store, &r, &f->err));
    assert_int_equal(result->tags.count, 1);
    assert_string_equal(result->tags.pairs[0].value, "a+b &c=");
    r.tags.count = 0;
    good(f, haul_put_tags(f->store, &r, &f->err));
    assert_tags(f, "a", "[]");
}

static void a_bucket_is_made_and_removed(void **state)
{
    struct fixture *f = *state;
    char name[80];
    struct haul_request r = { .bucket = name };
    snprintf(name, sizeof name, "%s-2", f->bucket);
    good(f, haul_head_bucket(f->store, NULL, &f->err));
    good(f, haul_create_bucket(f->store, &r, &f->err));
    assert_string_equal(boto("keys('%s')", name), "[]");
    good(f, haul_delete_bucket(f->store, &r, &f->err));
    assert_string_equal(boto("keys('%s')", name), "error: NoSuchBucket");
    assert_null(haul_head_bucket(f->store, &r, &f->err));
    assert_int_equal(f->err.http_status, 404);
}

/* ---- Many ---- */

#define MANY 2500

static void many_keys_are_deleted_and_no_other(void **state)
{
    struct fixture *f = *state;
    static char keys[MANY][16];
    static struct haul_victim victims[MANY];
    boto("[s3.put_object(Bucket='%s', Key=k) and None for k in "
         "['key-%%04d' %% i for i in range(0, 2500, 100)] + ['key-2499', 'key-2500']]",
        f->bucket);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%04u", i);
        victims[i].key = keys[i];
    }
    assert_int_equal(haul_delete_many(f->store, NULL, victims, MANY, NULL, NULL, &f->err), 0);
    assert_string_equal(boto("keys('%s')", f->bucket), "['key-2500']");
}

/* ---- Copies ---- */

/* Case 32. */
static void a_copy_keeps_metadata_and_tags(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "b", .source.key = "a" };
    put_described(f, "a", "text", 4);
    boto_bytes("data", "text", 4);
    assert_non_null(good(f, haul_copy(f->store, &r, NULL, &f->err))->etag);
    assert_bytes(f, "b");
    assert_described(f, "b");
    assert_tags(f, "b", "[('kind', 'a+b &c=')]");
}

/* Case 32. */
static void a_copy_in_parts_keeps_them_too(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(BIG);
    struct haul_request r = { .key = "b", .source.key = "a" };
    put_described(f, "a", data, BIG);
    boto_bytes("data", data, BIG);
    const struct haul_result *result = good(f, haul_copy(f->store, &r, &in_parts, &f->err));
    assert_non_null(strstr(result->etag, "-4\""));
    assert_bytes(f, "b");
    assert_described(f, "b");
    assert_tags(f, "b", "[('kind', 'a+b &c=')]");
    free(data);
}

static void a_copy_replaces_what_is_given(void **state)
{
    struct fixture *f = *state;
    static const struct haul_pair other[] = { { "owner", "you" } };
    char *data = some_bytes(BIG);
    put_described(f, "a", data, BIG);
    for (int i = 0; i < 2; i++) {
        struct haul_request r = { .key = "b", .source.key = "a" };
        r.content_type = "text/y";
        r.metadata = (struct haul_pairs){ other, 1 };
        r.tags = (struct haul_pairs){ other, 1 };
        good(f, haul_copy(f->store, &r, i == 0 ? NULL : &in_parts, &f->err));
        assert_string_equal(
            boto("(lambda h: (h['ContentType'], h['Metadata'], h.get('CacheControl')))"
                 "(s3.head_object(Bucket='%s', Key='b'))",
                f->bucket),
            "('text/y', {'owner': 'you'}, None)");
        assert_tags(f, "b", "[('owner', 'you')]");
        r.tags.count = 0;
        good(f, haul_copy(f->store, &r, i == 0 ? NULL : &in_parts, &f->err));
        assert_tags(f, "b", "[('kind', 'a+b &c=')]");
    }
    free(data);
}

static void an_object_is_copied_onto_itself_to_change_its_metadata(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "a", .source.key = "a" };
    put_described(f, "a", "text", 4);
    boto_bytes("data", "text", 4);
    assert_null(haul_copy(f->store, &r, NULL, &f->err));
    assert_int_equal(f->err.code, HAUL_BAD_ARGUMENT);
    r.content_type = "text/y";
    good(f, haul_copy(f->store, &r, NULL, &f->err));
    assert_bytes(f, "a");
    assert_string_equal(
        boto("s3.head_object(Bucket='%s', Key='a')['ContentType']", f->bucket), "text/y");
}

static void a_source_that_is_another_one_by_now_is_not_copied(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "a" };
    char etag[64];
    snprintf(
        etag, sizeof etag, "%s", good(f, haul_put_string(f->store, &r, "old", &f->err))->etag);
    good(f, haul_put_string(f->store, &r, "new", &f->err));
    r = (struct haul_request){ .key = "b", .source = { .key = "a", .if_match = etag } };
    assert_null(haul_copy(f->store, &r, NULL, &f->err));
    assert_int_equal(f->err.http_status, 412);
    assert_int_equal(f->err.retry, HAUL_RETRY_FROM_START);
    assert_string_equal(boto("keys('%s')", f->bucket), "['a']");
}

static void renaming_leaves_one_object_under_the_new_name(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(BIG), *other = boto_bucket();
    struct haul_request r = { .key = "to/b", .source.key = "a" };
    put_described(f, "a", data, BIG);
    boto_bytes("data", data, BIG);
    good(f, haul_rename(f->store, &r, NULL, &f->err));
    assert_string_equal(boto("keys('%s')", f->bucket), "['to/b']");
    assert_bytes(f, "to/b");
    assert_described(f, "to/b");

    r = (struct haul_request){
        .bucket = other, .key = "c", .source = { .bucket = f->bucket, .key = "to/b" }
    };
    good(f, haul_rename(f->store, &r, &in_parts, &f->err));
    assert_string_equal(boto("keys('%s')", f->bucket), "[]");
    assert_string_equal(boto("read('%s', 'c') == data", other), "True");
    free(other);
    free(data);
}

static void a_named_version_is_copied_and_renamed(void **state)
{
    struct fixture *f = *state;
    boto("s3.put_bucket_versioning(Bucket='%s', "
         "VersioningConfiguration={'Status': 'Enabled'})",
        f->bucket);
    struct haul_request r = { .key = "a" };
    char version[128];
    snprintf(version, sizeof version, "%s",
        good(f, haul_put_string(f->store, &r, "old", &f->err))->version_id);
    good(f, haul_put_string(f->store, &r, "new", &f->err));

    r = (struct haul_request){ .key = "b", .source = { .key = "a", .version_id = version } };
    good(f, haul_copy(f->store, &r, NULL, &f->err));
    assert_string_equal(boto("read('%s', 'b')", f->bucket), "b'old'");
    r.key = "c";
    good(f, haul_rename(f->store, &r, NULL, &f->err));
    assert_string_equal(boto("read('%s', 'c')", f->bucket), "b'old'");
    assert_string_equal(boto("read('%s', 'a')", f->bucket), "b'new'");
    assert_string_equal(boto("len(every('list_object_versions', 'Versions', Bucket='%s', "
                             "Prefix='a'))",
                            f->bucket),
        "1"); /* the old one is gone, for good */
}

/* ---- Customers' keys ---- */

/* This server copies what is so encrypted only part by part, and with one key for both. */
static void what_a_customers_key_encrypts_is_copied_with_it(void **state)
{
    struct fixture *f = *state;
    static const struct haul_encryption one = { .kind = HAUL_ENCRYPT_C,
        .customer_key = (const unsigned char *) "the first key of 32 bytes, in all" };
    static const struct haul_encryption other = { .kind = HAUL_ENCRYPT_C,
        .customer_key = (const unsigned char *) "another key of 32 bytes, in all.." };
    struct haul_store *s = open_store(
        f, (struct haul_store_options){ .endpoint.ca_file = getenv("TLS_CA_BUNDLE") });
    char *data = some_bytes(BIG), *got = calloc(1, BIG);
    struct haul_request r = { .key = "a", .encryption = one };
    assert_non_null(got);
    good(f, haul_put_memory(s, &r, data, BIG, &f->err));
    r = (struct haul_request){
        .key = "b", .source = { .key = "a", .key_of_source = one }, .encryption = one
    };
    good(f, haul_copy(s, &r, &in_parts, &f->err));
    r = (struct haul_request){ .key = "b", .encryption = one, .sink = { collect, got } };
    good(f, haul_get(s, &r, &f->err));
    assert_memory_equal(got, data, BIG);
    r.encryption = other;
    assert_null(haul_get(s, &r, &f->err));
    assert_int_equal(f->err.code, HAUL_SERVER);
    free(data);
    free(got);
    haul_store_free(s);
}

/* ---- Keys of the server's ---- */

/* The key's name is that of tests/real/cluster. This server takes AES256, but leaves it at
 * that. */
static void what_a_key_of_the_servers_encrypts_says_so_and_is_read(void **state)
{
    struct fixture *f = *state;
    static const struct haul_encryption kms = { .kind = HAUL_ENCRYPT_KMS,
        .kms_key_id = "nightly" };
    char *data = some_bytes(BIG), *got = calloc(1, BIG);
    assert_non_null(got);
    struct haul_request r = { .key = "a", .encryption = kms };
    good(f, haul_put_memory(f->store, &r, data, 100, &f->err));
    r = (struct haul_request){
        .key = "b", .encryption = kms, .body = haul_body_memory(data, BIG)
    };
    good(f, haul_put_file_multipart(f->store, &r, NULL, NULL, &f->err));
    for (int i = 0; i < 2; i++)
        assert_string_equal(
            boto("(lambda h: h['ServerSideEncryption'] + ' ' + h['SSEKMSKeyId'])"
                 "(s3.head_object(Bucket='%s', Key='%c'))",
                f->bucket, "ab"[i]),
            "aws:kms nightly");
    r = (struct haul_request){ .key = "b", .sink = { collect, got } };
    good(f, haul_get(f->store, &r, &f->err));
    assert_memory_equal(got, data, BIG);
    r = (struct haul_request){ .key = "c", .encryption.kind = HAUL_ENCRYPT_S3 };
    good(f, haul_put_string(f->store, &r, "c", &f->err));
    r = (struct haul_request){ .key = "d",
        .encryption = { .kind = HAUL_ENCRYPT_KMS, .kms_key_id = "unknown" } };
    assert_null(haul_put_string(f->store, &r, "d", &f->err));
    assert_int_equal(f->err.code, HAUL_SERVER);
    free(data);
    free(got);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_read_what_the_other_has_put),
        TEST(an_object_is_deleted_and_again),
        TEST(tags_are_put_and_read),
        TEST(a_bucket_is_made_and_removed),
        TEST(many_keys_are_deleted_and_no_other),
        TEST(a_copy_keeps_metadata_and_tags),
        TEST(a_copy_in_parts_keeps_them_too),
        TEST(a_copy_replaces_what_is_given),
        TEST(an_object_is_copied_onto_itself_to_change_its_metadata),
        TEST(a_source_that_is_another_one_by_now_is_not_copied),
        TEST(renaming_leaves_one_object_under_the_new_name),
        TEST(a_named_version_is_copied_and_renamed),
        TEST(what_a_customers_key_encrypts_is_copied_with_it),
        TEST(what_a_key_of_the_servers_encrypts_says_so_and_is_read),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
