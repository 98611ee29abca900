/* Checksums that a real server knows itself: MD5, which Ceph's ETags are made of. What S3 calls
 * additional checksums Ceph 16 does not look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/object.h>

#include "boto.h"

enum { PART = 5 << 20, SIZE = PART + 100 };

struct fixture {
    char *bucket;
    struct haul_store *store;
    unsigned char *data; /* SIZE bytes */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->bucket = boto_bucket();
    f->store = haul_store_new(getenv("AWS_ENDPOINT_URL"),
        &(struct haul_store_options){ .bucket = f->bucket, .client.retries = 2 }, NULL);
    f->data = malloc(SIZE);
    assert_true(f->store && f->data);
    srand(1);
    for (size_t i = 0; i < SIZE; i++)
        f->data[i] = (unsigned char) rand();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    haul_store_free(f->store);
    free(f->bucket);
    free(f->data);
    free(f);
    return 0;
}

static void md5_text(const void *data, size_t len, char text[static HAUL_CHECKSUM_TEXT_SIZE])
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    struct haul_sum *s = haul_sum_new(HAUL_MD5);
    assert_non_null(s);
    haul_sum_add(s, data, len);
    haul_checksum_text(value, haul_sum_end(s, value), text);
    haul_sum_free(s);
}

static void an_etag_is_the_md5_of_all_bytes(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    char text[HAUL_CHECKSUM_TEXT_SIZE];
    if (haul_put_memory(f->store, &(struct haul_request){ .key = "a" }, f->data, SIZE, &err) ==
        NULL)
        fail_msg("%s", err.text);
    md5_text(f->data, SIZE, text);
    assert_string_equal(boto("etag('%s', 'a')", f->bucket), text);
}

static void an_etag_of_parts_is_the_composite_md5(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    struct haul_part parts[2];
    char id[256], etags[2][64], sums[2][HAUL_CHECKSUM_TEXT_SIZE], text[HAUL_CHECKSUM_TEXT_SIZE];
    struct haul_request r = { .operation = HAUL_CREATE_UPLOAD, .key = "a" };
    const struct haul_result *done = haul_perform(f->store, &r, &err);
    assert_non_null(done);
    snprintf(id, sizeof id, "%s", done->upload_id);
    r.upload_id = id;
    for (unsigned n = 0; n < 2; n++) {
        size_t len = n == 0 ? PART : SIZE - PART;
        r.operation = HAUL_UPLOAD_PART;
        r.part_number = n + 1;
        r.body = haul_body_memory(f->data + n * PART, len);
        if ((done = haul_perform(f->store, &r, &err)) == NULL)
            fail_msg("%s", err.text);
        snprintf(etags[n], sizeof etags[n], "%s", done->etag);
        md5_text(f->data + n * PART, len, sums[n]);
        parts[n] = (struct haul_part){
            .number = n + 1, .etag = etags[n], .checksum = sums[n], .size = len
        };
    }
    r = (struct haul_request){ .operation = HAUL_COMPLETE_UPLOAD,
        .key = "a",
        .upload_id = id,
        .parts = parts,
        .part_count = 2 };
    if (haul_perform(f->store, &r, &err) == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(haul_checksum_of_parts(HAUL_MD5, false, parts, 2, text, &err), 0);
    assert_string_equal(boto("etag('%s', 'a')", f->bucket), text);
}

/* Reads the data, and from the second time on with one byte changed. */
struct fickle {
    const unsigned char *data;
    unsigned beginnings;
};

static ssize_t read_fickle(void *payload, uint64_t offset, void *out, size_t len)
{
    struct fickle *s = payload;
    memcpy(out, s->data + offset, len);
    if (offset == 0 && s->beginnings++ > 0)
        *(unsigned char *) out ^= 1;
    return (ssize_t) len;
}

static void bytes_that_changed_behind_their_md5_are_refused(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err = { 0 };
    struct fickle source = { .data = f->data };
    struct haul_request r = { .key = "a",
        .payload = HAUL_PAYLOAD_UNSIGNED,
        .content_md5 = true,
        .body = { read_fickle, &source, SIZE },
        .tries = 1 };
    assert_null(haul_put(f->store, &r, &err));
    assert_int_equal(err.code, HAUL_SERVER);
    assert_string_equal(err.aws_code, "BadDigest");
    assert_string_equal(boto("s3.head_object(Bucket='%s', Key='a')", f->bucket), "error: 404");
    r.body = haul_body_memory(f->data, SIZE);
    if (haul_put(f->store, &r, &err) == NULL)
        fail_msg("%s", err.text);
}

/* Case 20. Ceph 16 neither looks at x-amz-checksum-... nor sends it. */
static void a_server_without_checksums_stores_and_serves_all_the_same(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err = { 0 };
    for (enum haul_checksum kind = HAUL_CRC32C; kind <= HAUL_SHA256; kind++) {
        struct haul_request r = { .key = "a", .checksum = kind };
        if (haul_put_memory(f->store, &r, f->data, SIZE, &err) == NULL)
            fail_msg("%s: %s", haul_checksum_name(kind), err.text);
        const struct haul_result *got = haul_get(f->store, &r, &err);
        if (got == NULL)
            fail_msg("%s: %s", haul_checksum_name(kind), err.text);
        assert_false(got->checksum_verified);
        boto_bytes("data", f->data, SIZE);
        assert_string_equal(boto("read('%s', 'a') == data", f->bucket), "True");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_etag_is_the_md5_of_all_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_etag_of_parts_is_the_composite_md5, setup, teardown),
        cmocka_unit_test_setup_teardown(
            bytes_that_changed_behind_their_md5_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_server_without_checksums_stores_and_serves_all_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
