/* Every operation of enum haul_operation against the real server, with boto3's view of what it
 * did. Checksum headers and signed chunks, which this server does not know, are not here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/object.h>

#include "boto.h"

#define PAIRS(...)                                                                             \
    {                                                                                          \
        (const struct haul_pair[]){ __VA_ARGS__ },                                             \
            sizeof((const struct haul_pair[]){ __VA_ARGS__ }) / sizeof(struct haul_pair)       \
    }

static struct haul_store *open_store(const char *bucket)
{
    struct haul_error err;
    char url[128];
    snprintf(url, sizeof url, "s3://%s", bucket ? bucket : "");
    struct haul_store *s = haul_store_new(url, NULL, &err);
    if (s == NULL)
        fail_msg("%s", err.text);
    return s;
}

static const struct haul_result *perform(struct haul_store *s, struct haul_request r)
{
    struct haul_error err;
    const struct haul_result *result = haul_perform(s, &r, &err);
    if (result == NULL)
        fail_msg("%s", err.text);
    return result;
}

static struct haul_error refused(struct haul_store *s, struct haul_request r)
{
    struct haul_error err = { .code = HAUL_OK };
    assert_null(haul_perform(s, &r, &err));
    assert_int_equal(err.code, HAUL_SERVER);
    return err;
}

static void buckets_are_made_told_of_and_removed(void **state)
{
    (void) state;
    struct haul_store *s = open_store(NULL);
    char *other = boto_bucket(), name[64];
    snprintf(name, sizeof name, "%s-made", other);

    perform(s, (struct haul_request){ .operation = HAUL_CREATE_BUCKET, .bucket = name });
    perform(s, (struct haul_request){ .operation = HAUL_HEAD_BUCKET, .bucket = name });
    const struct haul_listing *l =
        &perform(s, (struct haul_request){ .operation = HAUL_LIST_BUCKETS })->listing;
    size_t found = 0;
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->entries[i].key, name) == 0 || strcmp(l->entries[i].key, other) == 0) {
            assert_true(l->entries[i].modified_ms > 1600000000000);
            found++;
        }
    assert_int_equal(found, 2);
    perform(s, (struct haul_request){ .operation = HAUL_DELETE_BUCKET, .bucket = name });
    struct haul_error err =
        refused(s, (struct haul_request){ .operation = HAUL_HEAD_BUCKET, .bucket = name });
    assert_int_equal(err.http_status, 404);
    free(other);
    haul_store_free(s);
}

static void all_that_is_stored_beside_the_bytes_arrives(void **state)
{
    (void) state;
    char *bucket = boto_bucket();
    struct haul_store *s = open_store(bucket);
    perform(s, (struct haul_request){ .operation = HAUL_PUT_OBJECT,
                   .key = "a.html",
                   .cache_control = "max-age=60",
                   .content_disposition = "inline",
                   .content_encoding = "gzip",
                   .content_language = "de",
                   .expires = "Thu, 01 Dec 2033 16:00:00 GMT",
                   .metadata = PAIRS({ "Owner", "two  words" }, { "n", "1" }),
                   .token = "t0",
                   .tags = PAIRS({ "a b", "c&d=+" }, { "e", "" }),
                   .acl = "public-read",
                   .content_md5 = true,
                   .body = haul_body_string("hello") });
    assert_string_equal(
        boto(
            "[(lambda h: [h[k] for k in ('ContentType','CacheControl','ContentDisposition',"
            "'ContentEncoding','ContentLanguage')])(s3.head_object(Bucket='%s',Key='a.html'))]",
            bucket),
        "[['text/html', 'max-age=60', 'inline', 'gzip', 'de']]");
    assert_string_equal(
        boto("sorted(s3.head_object(Bucket='%s',Key='a.html')['Metadata'].items())", bucket),
        "[('haul', 't0'), ('n', '1'), ('owner', 'two  words')]");
    assert_string_equal(boto("sorted((t['Key'],t['Value']) for t in "
                             "s3.get_object_tagging(Bucket='%s',Key='a.html')['TagSet'])",
                            bucket),
        "[('a b', 'c&d=+'), ('e', '')]");
    assert_string_equal(
        boto("'AllUsers' in str(s3.get_object_acl(Bucket='%s',Key='a.html'))", bucket), "True");

    const struct haul_result *h =
        perform(s, (struct haul_request){ .operation = HAUL_HEAD_OBJECT, .key = "a.html" });
    assert_string_equal(haul_result_header(h, "x-amz-meta-owner"), "two  words");
    assert_string_equal(haul_result_header(h, "cache-control"), "max-age=60");
    assert_null(haul_result_header(h, "x-amz-meta-none"));
    assert_string_equal(h->token, "t0");
    assert_int_equal(h->size, 5);
    assert_int_equal(h->http_status, 200);
    haul_store_free(s);
    free(bucket);
}

static void conditions_on_reading_hold(void **state)
{
    (void) state;
    char *bucket = boto_bucket(), etag[64];
    struct haul_store *s = open_store(bucket);
    const struct haul_result *put = perform(
        s, (struct haul_request){
               .operation = HAUL_PUT_OBJECT, .key = "a", .body = haul_body_string("hello") });
    snprintf(etag, sizeof etag, "%s", put->etag);
    const struct {
        struct haul_request r;
        int status;
    } cases[] = {
        { { .if_none_match = etag }, 304 },
        { { .if_modified_since_ms = 1000000000000 }, 200 },
        { { .if_unmodified_since_ms = 1000000000000 }, 412 },
        { { .if_match = "\"other\"" }, 412 },
        { { .if_match = etag, .if_unmodified_since_ms = 4102444799000 }, 200 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int head = 0; head < 2; head++) {
            struct haul_request r = cases[i].r;
            r.operation = head ? HAUL_HEAD_OBJECT : HAUL_GET_OBJECT;
            r.key = "a";
            print_message("%zu\n", i);
            if (cases[i].status == 200) {
                perform(s, r);
                continue;
            }
            struct haul_error err = refused(s, r);
            assert_int_equal(err.http_status, cases[i].status);
            if (cases[i].status == 304)
                assert_int_equal(err.retry, HAUL_RETRY_NEVER);
        }
    haul_store_free(s);
    free(bucket);
}

static void versions_are_listed_in_their_order_and_named_one_by_one(void **state)
{
    (void) state;
    char *bucket = boto_bucket(), first[64];
    struct haul_store *s = open_store(bucket);
    boto("s3.put_bucket_versioning(Bucket='%s',VersioningConfiguration={'Status':'Enabled'})",
        bucket);
    static const char *const texts[] = { "one", "two" };
    for (int i = 0; i < 2; i++) {
        const struct haul_result *put =
            perform(s, (struct haul_request){ .operation = HAUL_PUT_OBJECT,
                           .key = "d/\x01 +%",
                           .body = haul_body_string(texts[i]) });
        assert_non_null(put->version_id);
        if (i == 0)
            snprintf(first, sizeof first, "%s", put->version_id);
    }
    perform(s, (struct haul_request){ .operation = HAUL_DELETE_OBJECT, .key = "d/\x01 +%" });
    perform(s, (struct haul_request){ .operation = HAUL_PUT_OBJECT, .key = "e/x" });

    const struct haul_listing *l =
        &perform(s, (struct haul_request){ .operation = HAUL_LIST_VERSIONS, .prefix = "d/" })
             ->listing;
    assert_int_equal(l->count, 3);
    assert_int_equal(l->entries[0].kind, HAUL_DELETE_MARKER);
    assert_true(l->entries[0].is_latest);
    for (int i = 0; i < 3; i++)
        assert_string_equal(l->entries[i].key, "d/\x01 +%");
    assert_false(l->entries[2].is_latest);
    assert_string_equal(l->entries[2].version_id, first);
    l = &perform(s, (struct haul_request){ .operation = HAUL_LIST_VERSIONS, .delimiter = "/" })
             ->listing;
    assert_int_equal(l->count, 2);
    assert_int_equal(l->entries[1].kind, HAUL_COMMON_PREFIX);
    assert_string_equal(l->entries[1].key, "e/");
    l = &perform(s, (struct haul_request){ .operation = HAUL_LIST_VERSIONS, .max_entries = 1 })
             ->listing;
    assert_true(l->truncated);
    assert_string_equal(l->next_key, "d/\x01 +%");
    assert_non_null(l->next_id);
    char key[32], id[64];
    snprintf(key, sizeof key, "%s", l->next_key);
    snprintf(id, sizeof id, "%s", l->next_id);
    l = &perform(s,
        (struct haul_request){
            .operation = HAUL_LIST_VERSIONS, .start_after = key, .marker_id = id })
             ->listing;
    assert_int_equal(l->count, 3);

    const struct haul_result *any = perform(
        s, (struct haul_request){
               .operation = HAUL_HEAD_OBJECT, .key = "d/\x01 +%", .version_id = first });
    assert_int_equal(any->size, 3);
    /* A version is copied by name, into another key. */
    perform(s, (struct haul_request){ .operation = HAUL_COPY_OBJECT,
                   .key = "copy",
                   .source = { .key = "d/\x01 +%", .version_id = first } });
    assert_string_equal(boto("read('%s','copy')", bucket), "b'one'");
    perform(s, (struct haul_request){ .operation = HAUL_PUT_TAGS,
                   .key = "d/\x01 +%",
                   .version_id = first,
                   .tags = PAIRS({ "a", "b" }) });
    any = perform(s, (struct haul_request){
                         .operation = HAUL_GET_TAGS, .key = "d/\x01 +%", .version_id = first });
    assert_int_equal(any->tags.count, 1);
    perform(s, (struct haul_request){
                   .operation = HAUL_DELETE_OBJECT, .key = "d/\x01 +%", .version_id = first });
    l = &perform(s, (struct haul_request){ .operation = HAUL_LIST_VERSIONS, .prefix = "d/" })
             ->listing;
    assert_int_equal(l->count, 2);
    haul_store_free(s);
    free(bucket);
}

static void many_keys_go_in_one_request_odd_ones_too(void **state)
{
    (void) state;
    static const struct haul_victim victims[] = { { "a\r\n\tb", NULL }, { "<&>\"'", NULL },
        { "never there", NULL }, { "\303\274", NULL } };
    char *bucket = boto_bucket();
    struct haul_store *s = open_store(bucket);
    for (size_t i = 0; i < 4; i++)
        if (i != 2)
            perform(s,
                (struct haul_request){ .operation = HAUL_PUT_OBJECT, .key = victims[i].key });
    perform(s, (struct haul_request){ .operation = HAUL_PUT_OBJECT, .key = "stays" });
    const struct haul_result *result = perform(
        s, (struct haul_request){
               .operation = HAUL_DELETE_OBJECTS, .victims = victims, .victim_count = 4 });
    assert_int_equal(result->listing.count, 0);
    assert_string_equal(boto("keys('%s')", bucket), "['stays']");
    haul_store_free(s);
    free(bucket);
}

static void tags_come_and_go(void **state)
{
    (void) state;
    char *bucket = boto_bucket();
    struct haul_store *s = open_store(bucket);
    perform(s, (struct haul_request){ .operation = HAUL_PUT_OBJECT, .key = "a" });
    perform(s, (struct haul_request){ .operation = HAUL_PUT_TAGS,
                   .key = "a",
                   .tags = PAIRS({ "k<1>", "v&1" }, { "\303\274", "" }) });
    const struct haul_pairs *tags =
        &perform(s, (struct haul_request){ .operation = HAUL_GET_TAGS, .key = "a" })->tags;
    assert_int_equal(tags->count, 2);
    assert_string_equal(tags->pairs[0].name, "k<1>");
    assert_string_equal(tags->pairs[0].value, "v&1");
    assert_string_equal(tags->pairs[1].name, "\303\274");
    assert_string_equal(tags->pairs[1].value, "");
    perform(s, (struct haul_request){ .operation = HAUL_PUT_TAGS, .key = "a" });
    tags = &perform(s, (struct haul_request){ .operation = HAUL_GET_TAGS, .key = "a" })->tags;
    assert_int_equal(tags->count, 0);
    haul_store_free(s);
    free(bucket);
}

static void a_copy_keeps_metadata_or_replaces_it(void **state)
{
    (void) state;
    char *bucket = boto_bucket();
    struct haul_store *s = open_store(bucket);
    const struct haul_result *put =
        perform(s, (struct haul_request){ .operation = HAUL_PUT_OBJECT,
                       .key = "a b+%?#/\303\274",
                       .content_type = "text/x",
                       .metadata = PAIRS({ "m", "1" }),
                       .body = haul_body_string("hello") });
    char etag[64];
    snprintf(etag, sizeof etag, "%s", put->etag);
    struct haul_source source = { .key = "a b+%?#/\303\274", .if_match = etag };
    const struct haul_result *copy =
        perform(s, (struct haul_request){
                       .operation = HAUL_COPY_OBJECT, .key = "kept", .source = source });
    assert_string_equal(copy->etag, etag);
    assert_true(copy->modified_ms > 1600000000000);
    perform(s, (struct haul_request){ .operation = HAUL_COPY_OBJECT,
                   .key = "new.css",
                   .source = source,
                   .metadata = PAIRS({ "n", "2" }) });
    assert_string_equal(boto("[(h['ContentType'],h['Metadata']) for h in "
                             "[s3.head_object(Bucket='%s',Key=k) for k in ('kept','new.css')]]",
                            bucket),
        "[('text/x', {'m': '1'}), ('text/css', {'n': '2'})]");
    source.if_match = "\"other\"";
    struct haul_error err = refused(s,
        (struct haul_request){ .operation = HAUL_COPY_OBJECT, .key = "no", .source = source });
    assert_int_equal(err.http_status, 412);
    haul_store_free(s);
    free(bucket);
}

static void an_upload_is_made_of_bytes_and_of_another_objects_range(void **state)
{
    (void) state;
    enum { MIB = 1024 * 1024 };
    char *bucket = boto_bucket(), id[128], etags[2][64];
    char *big = malloc(6 * MIB);
    assert_non_null(big);
    memset(big, 'x', 6 * MIB);
    struct haul_store *s = open_store(bucket);
    perform(s, (struct haul_request){ .operation = HAUL_PUT_OBJECT,
                   .key = "source",
                   .body = haul_body_memory(big, 6 * MIB) });
    const struct haul_result *r =
        perform(s, (struct haul_request){ .operation = HAUL_CREATE_UPLOAD,
                       .key = "d/big.png",
                       .metadata = PAIRS({ "m", "1" }) });
    snprintf(id, sizeof id, "%s", r->upload_id);
    r = perform(s, (struct haul_request){ .operation = HAUL_COPY_PART,
                       .key = "d/big.png",
                       .upload_id = id,
                       .part_number = 1,
                       .source = { .key = "source", .range = { MIB, 5 * MIB } } });
    snprintf(etags[0], sizeof etags[0], "%s", r->etag);
    r = perform(s, (struct haul_request){ .operation = HAUL_UPLOAD_PART,
                       .key = "d/big.png",
                       .upload_id = id,
                       .part_number = 2,
                       .content_md5 = true,
                       .body = haul_body_string("end") });
    snprintf(etags[1], sizeof etags[1], "%s", r->etag);

    const struct haul_listing *l = &perform(s,
        (struct haul_request){
            .operation = HAUL_LIST_PARTS, .key = "d/big.png", .upload_id = id })
                                        ->listing;
    assert_int_equal(l->count, 2);
    assert_string_equal(l->entries[0].etag, etags[0]);
    assert_int_equal(l->entries[0].size, 5 * MIB);
    l = &perform(s, (struct haul_request){ .operation = HAUL_LIST_UPLOADS })->listing;
    assert_int_equal(l->count, 1);
    assert_string_equal(l->entries[0].upload_id, id);
    const struct haul_part parts[] = { { 1, etags[0], NULL, 0 }, { 2, etags[1], NULL, 0 } };
    r = perform(s, (struct haul_request){ .operation = HAUL_COMPLETE_UPLOAD,
                       .key = "d/big.png",
                       .upload_id = id,
                       .parts = parts,
                       .part_count = 2 });
    assert_non_null(strstr(r->etag, "-2"));
    assert_string_equal(boto("(lambda h: (h['ContentType'],h['Metadata'],h['ContentLength']))"
                             "(s3.head_object(Bucket='%s',Key='d/big.png'))",
                            bucket),
        "('image/png', {'m': '1'}, 5242883)");
    r = perform(s, (struct haul_request){ .operation = HAUL_CREATE_UPLOAD, .key = "gone" });
    snprintf(id, sizeof id, "%s", r->upload_id);
    perform(s, (struct haul_request){
                   .operation = HAUL_ABORT_UPLOAD, .key = "gone", .upload_id = id });
    assert_string_equal(
        boto("len(every('list_multipart_uploads','Uploads',Bucket='%s'))", bucket), "0");
    haul_store_free(s);
    free(big);
    free(bucket);
}

static int collect(void *payload, uint64_t offset, const void *data, size_t len)
{
    assert_true(offset + len < 64);
    memcpy((char *) payload + offset, data, len);
    return 0;
}

static void what_a_customers_key_encrypts_is_read_with_it_alone(void **state)
{
    (void) state;
    char *bucket = boto_bucket(), text[64] = "";
    struct haul_error err;
    struct haul_credentials *keys = haul_credentials_default(&err);
    struct haul_store *s = haul_store_new(getenv("TLS_ENDPOINT_URL"),
        &(struct haul_store_options){ .bucket = bucket,
            .endpoint = { .credentials = keys, .ca_file = getenv("TLS_CA_BUNDLE") } },
        &err);
    assert_non_null(s);
    const struct haul_encryption encryption = { .kind = HAUL_ENCRYPT_C,
        .customer_key = (const unsigned char *) "01234567890123456789012345678901" };
    struct haul_sink sink = { collect, text };
    perform(s, (struct haul_request){ .operation = HAUL_PUT_OBJECT,
                   .key = "a",
                   .encryption = encryption,
                   .body = haul_body_string("secret") });
    perform(s,
        (struct haul_request){
            .operation = HAUL_GET_OBJECT, .key = "a", .encryption = encryption, .sink = sink });
    assert_string_equal(text, "secret");
    err = refused(s, (struct haul_request){ .operation = HAUL_GET_OBJECT, .key = "a" });
    assert_int_equal(err.http_status, 400);

    const struct haul_result *r =
        perform(s, (struct haul_request){
                       .operation = HAUL_CREATE_UPLOAD, .key = "b", .encryption = encryption });
    char id[128], etag[64];
    snprintf(id, sizeof id, "%s", r->upload_id);
    r = perform(s, (struct haul_request){ .operation = HAUL_UPLOAD_PART,
                       .key = "b",
                       .upload_id = id,
                       .part_number = 1,
                       .encryption = encryption,
                       .body = haul_body_string("part") });
    snprintf(etag, sizeof etag, "%s", r->etag);
    perform(s, (struct haul_request){ .operation = HAUL_LIST_PARTS,
                   .key = "b",
                   .upload_id = id,
                   .encryption = encryption });
    perform(s, (struct haul_request){ .operation = HAUL_COMPLETE_UPLOAD,
                   .key = "b",
                   .upload_id = id,
                   .encryption = encryption,
                   .parts = &(const struct haul_part){ 1, etag, NULL, 0 },
                   .part_count = 1 });
    r = perform(s, (struct haul_request){
                       .operation = HAUL_HEAD_OBJECT, .key = "b", .encryption = encryption });
    assert_int_equal(r->size, 4);
    haul_store_free(s);
    haul_credentials_free(keys);
    free(bucket);
}

static void any_other_request_is_signed_and_its_body_handed_over(void **state)
{
    (void) state;
    static const char policy[] =
        "<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>tmp/</Prefix></Filter>"
        "<Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>"
        "</LifecycleConfiguration>";
    char *bucket = boto_bucket(), text[64] = "";
    struct haul_store *s = open_store(bucket);
    perform(s, (struct haul_request){ .operation = HAUL_ANY,
                   .method = "PUT",
                   .query = PAIRS({ "lifecycle", NULL }),
                   .headers = PAIRS({ "Content-Type", "application/xml" }),
                   .content_md5 = true,
                   .body = haul_body_string(policy) });
    const struct haul_result *r = perform(
        s, (struct haul_request){
               .operation = HAUL_ANY, .method = "GET", .query = PAIRS({ "lifecycle", NULL }) });
    assert_int_equal(r->http_status, 200);
    assert_non_null(strstr(r->body, "<Days>3</Days>"));
    assert_int_equal(r->body_len, strlen(r->body));
    r = perform(s, (struct haul_request){ .operation = HAUL_ANY,
                       .method = "PUT",
                       .key = "k",
                       .body = haul_body_string("hello") });
    assert_string_equal(r->body, "");
    r = perform(s, (struct haul_request){ .operation = HAUL_ANY,
                       .method = "GET",
                       .key = "k",
                       .headers = PAIRS({ "Range", "bytes=1-3" }),
                       .sink = { collect, text } });
    assert_int_equal(r->http_status, 206);
    assert_null(r->body);
    assert_string_equal(text, "ell");
    r = perform(s,
        (struct haul_request){
            .operation = HAUL_ANY, .method = "DELETE", .query = PAIRS({ "lifecycle", "" }) });
    assert_int_equal(r->http_status, 204);
    struct haul_error err = refused(
        s, (struct haul_request){
               .operation = HAUL_ANY, .method = "GET", .query = PAIRS({ "lifecycle", NULL }) });
    assert_string_equal(err.aws_code, "NoSuchLifecycleConfiguration");
    haul_store_free(s);
    s = open_store(NULL);
    r = perform(s, (struct haul_request){ .operation = HAUL_ANY, .method = "GET" });
    assert_non_null(strstr(r->body, bucket));
    haul_store_free(s);
    free(bucket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_made_told_of_and_removed),
        cmocka_unit_test(all_that_is_stored_beside_the_bytes_arrives),
        cmocka_unit_test(conditions_on_reading_hold),
        cmocka_unit_test(versions_are_listed_in_their_order_and_named_one_by_one),
        cmocka_unit_test(many_keys_go_in_one_request_odd_ones_too),
        cmocka_unit_test(tags_come_and_go),
        cmocka_unit_test(a_copy_keeps_metadata_or_replaces_it),
        cmocka_unit_test(an_upload_is_made_of_bytes_and_of_another_objects_range),
        cmocka_unit_test(what_a_customers_key_encrypts_is_read_with_it_alone),
        cmocka_unit_test(any_other_request_is_signed_and_its_body_handed_over),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
