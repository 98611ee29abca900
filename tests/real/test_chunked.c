/* Bodies that go as signed chunks, as a real server and boto3 see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/store.h>

#include "boto.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct haul_store *open_store(const char *bucket)
{
    struct haul_error err;
    struct haul_store *s = haul_store_new("s3://",
        &(struct haul_store_options){
            .bucket = bucket, .endpoint.payload = HAUL_PAYLOAD_CHUNKED },
        &err);
    if (s == NULL)
        fail_msg("%s", err.text);
    return s;
}

static char *some_bytes(size_t len)
{
    char *data = malloc(len + 1);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (char) (i * 2654435761U >> 13);
    return data;
}

static const struct haul_result *perform(struct haul_store *s, const struct haul_request *r)
{
    struct haul_error err;
    const struct haul_result *result = haul_perform(s, r, &err);
    if (result == NULL)
        fail_msg("%s", err.text);
    return result;
}

static void boto3_reads_what_went_in_chunks(void **state)
{
    const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 5 * 1024 * 1024 + 1 };
    char *bucket = boto_bucket();
    struct haul_store *s = open_store(bucket);
    (void) state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *data = some_bytes(sizes[i]);
        struct haul_request r = {
            .operation = HAUL_PUT_OBJECT, .key = "k", .body = haul_body_memory(data, sizes[i])
        };
        assert_int_equal(perform(s, &r)->attempts, 1);
        boto_bytes("data", data, sizes[i]);
        assert_string_equal(boto("read('%s', 'k') == data", bucket), "True");
        free(data);
    }
    haul_store_free(s);
    free(bucket);
}

static void an_object_keeps_its_own_encoding_alone(void **state)
{
    char *bucket = boto_bucket();
    struct haul_store *s = open_store(bucket);
    const char *const encodings[] = { NULL, "gzip" }, *const stored[] = { "None", "gzip" };
    (void) state;
    for (size_t i = 0; i < COUNT(encodings); i++) {
        struct haul_request r = { .operation = HAUL_PUT_OBJECT,
            .key = "k",
            .content_type = "text/x",
            .content_encoding = encodings[i],
            .body = haul_body_string("text") };
        perform(s, &r);
        assert_string_equal(
            boto("s3.head_object(Bucket='%s', Key='k').get('ContentEncoding')", bucket),
            stored[i]);
    }
    haul_store_free(s);
    free(bucket);
}

static void parts_go_in_chunks_too(void **state)
{
    const size_t size = 5 * 1024 * 1024;
    char *bucket = boto_bucket(), *data = some_bytes(size), id[256], etag[64];
    struct haul_store *s = open_store(bucket);
    (void) state;
    struct haul_request r = { .operation = HAUL_CREATE_UPLOAD, .key = "k" };
    snprintf(id, sizeof id, "%s", perform(s, &r)->upload_id);
    r = (struct haul_request){ .operation = HAUL_UPLOAD_PART,
        .key = "k",
        .upload_id = id,
        .part_number = 1,
        .body = haul_body_memory(data, size) };
    snprintf(etag, sizeof etag, "%s", perform(s, &r)->etag);
    struct haul_part part = { .number = 1, .etag = etag };
    r = (struct haul_request){ .operation = HAUL_COMPLETE_UPLOAD,
        .key = "k",
        .upload_id = id,
        .parts = &part,
        .part_count = 1 };
    perform(s, &r);
    boto_bytes("data", data, size);
    assert_string_equal(boto("read('%s', 'k') == data", bucket), "True");
    haul_store_free(s);
    free(data);
    free(bucket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boto3_reads_what_went_in_chunks),
        cmocka_unit_test(an_object_keeps_its_own_encoding_alone),
        cmocka_unit_test(parts_go_in_chunks_too),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
