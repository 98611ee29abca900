/* Checksums, signed chunks and requests of any kind over the wire, against the scripted
 * endpoint, which verifies what it is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_fixture.h"

static const enum haul_checksum kinds[] = { HAUL_CRC32C, HAUL_CRC32, HAUL_CRC64NVME, HAUL_SHA1,
    HAUL_SHA256 };

static char told[HAUL_CHECKSUM_TEXT_SIZE], encoding[64], body[64];

/* What on_end() does not copy. */
static void keep_strings(void *payload, const struct haul_result *r)
{
    const char *e = haul_result_header(r, "content-encoding");
    snprintf(told, sizeof told, "%s", r->checksum ? r->checksum : "");
    snprintf(encoding, sizeof encoding, "%s", e ? e : "");
    snprintf(body, sizeof body, "%s", r->body ? r->body : "(none)");
    on_end(payload, r);
}

static struct end perform_and_keep(const struct fixture *f, const struct haul_request *r)
{
    struct end e = { .calls = 0 };
    struct haul_error err;
    haul_client_perform(f->client, r, keep_strings, &e, &err);
    assert_int_equal(e.calls, 1);
    return e;
}

static const char *sum_of(enum haul_checksum kind, const char *data, size_t len)
{
    static char text[HAUL_CHECKSUM_TEXT_SIZE];
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    struct haul_sum *s = haul_sum_new(kind);
    haul_sum_add(s, data, len);
    haul_checksum_text(value, haul_sum_end(s, value), text);
    haul_sum_free(s);
    return text;
}

static void an_objects_checksum_is_sent_and_verified_when_it_is_read(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t size = 0; size <= MIB; size += MIB) {
            struct source from = { .data = data };
            struct sink to = { .data = NULL };
            struct haul_request put = put_of(f, "k", &from, size), get = get_of(f, "k", &to);
            print_message("%s of %zu bytes\n", haul_checksum_name(kinds[i]), size);
            put.checksum = kinds[i];
            assert_int_equal(perform_and_keep(f, &put).error.code, HAUL_OK);
            assert_string_equal(told, sum_of(kinds[i], data, size));
            get.checksum = HAUL_CRC32C; /* any kind asks for whatever there is */
            struct end e = perform_and_keep(f, &get);
            assert_int_equal(e.error.code, HAUL_OK);
            assert_true(e.result.checksum_verified);
            assert_string_equal(told, sum_of(kinds[i], data, size));
            assert_int_equal(to.len, size);
            get.checksum = HAUL_CHECKSUM_NONE;
            e = perform_and_keep(f, &get);
            assert_false(e.result.checksum_verified);
            assert_string_equal(told, "");
            free(to.data);
        }
    free(data);
}

static void a_value_that_the_caller_gives_is_sent_as_it_is(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(1000);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, 1000);
    put.checksum = HAUL_SHA256;
    put.checksum_value = sum_of(HAUL_SHA256, data, 1000);
    succeed(f, &put);
    data[0] ^= 1;
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    struct end e = perform(f, &put);
    assert_string_equal(e.error.aws_code, "BadDigest");
    assert_int_equal(e.error.retry, HAUL_RETRY_LATER);
    free(data);
}

static void content_md5_is_verified_by_the_server(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(1000);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, 1000);
    put.content_md5 = true;
    succeed(f, &put);
    put.content_md5 = false;
    put.checksum = HAUL_MD5;
    succeed(f, &put);
    put.checksum_value = "AAAAAAAAAAAAAAAAAAAAAA==";
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    assert_string_equal(perform(f, &put).error.aws_code, "BadDigest");
    free(data);
}

/* Case 27. */
static void bytes_that_changed_on_their_way_are_asked_for_again(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    struct source from = { .data = data };
    struct sink to = { .data = NULL };
    struct haul_request put = put_of(f, "k", &from, MIB), get = get_of(f, "k", &to);
    put.checksum = get.checksum = HAUL_CRC64NVME;
    succeed(f, &put);
    s3_fault(f->s3, "GetObject nth=1 flip-bit=700000");
    struct end e = succeed(f, &get);
    assert_true(e.result.checksum_verified);
    assert_int_equal(e.result.attempts, 2);
    assert_int_equal(to.beginnings, 2);
    assert_memory_equal(to.data, data, MIB);
    s3_fault(f->s3, "GetObject always wrong-checksum");
    retry_at_most(f, 1, 0);
    e = perform(f, &get);
    assert_int_equal(e.error.code, HAUL_BAD_REPLY);
    assert_int_equal(e.error.retry, HAUL_RETRY_LATER);
    assert_int_equal(e.result.attempts, 2);
    free(to.data);
    free(data);
}

/* Case 20. */
static void a_server_that_refuses_a_checksum_is_not_asked_without_it(void **state)
{
    struct fixture *f = *state;
    struct source from = { .data = "text" };
    struct haul_request put = put_of(f, "k", &from, 4);
    s3_fault(f->s3, "PutObject nth=1 status=501 code=NotImplemented");
    put.checksum = HAUL_CRC64NVME;
    struct end e = perform(f, &put);
    assert_string_equal(e.error.aws_code, "NotImplemented");
    assert_int_equal(e.error.retry, HAUL_RETRY_NEVER);
    assert_int_equal(s3_count(f->s3, "PutObject"), 1);
    put.checksum = HAUL_CHECKSUM_NONE; /* that is for the caller to say */
    succeed(f, &put);
}

static void bytes_that_were_stored_with_another_checksum_are_sent_again(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(1000);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, 1000);
    put.checksum = HAUL_SHA256;
    s3_fault(f->s3, "PutObject nth=1 wrong-checksum");
    assert_int_equal(succeed(f, &put).result.attempts, 2);
    s3_fault(f->s3, "PutObject always wrong-checksum");
    retry_at_most(f, 1, 0);
    struct end e = perform(f, &put);
    assert_int_equal(e.error.code, HAUL_BAD_REPLY);
    assert_int_equal(e.result.attempts, 2);
    free(data);
}

static void a_ranges_bytes_are_not_held_against_the_whole_objects_checksum(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(1000);
    struct source from = { .data = data };
    struct sink to = { .data = NULL };
    struct haul_request put = put_of(f, "k", &from, 1000), get = get_of(f, "k", &to);
    put.checksum = get.checksum = HAUL_CRC32;
    succeed(f, &put);
    get.range = (struct haul_range){ 10, 20 };
    assert_false(succeed(f, &get).result.checksum_verified);
    free(to.data);
    free(data);
}

/* How often the source is read from its beginning: for sums before, and on its way. */
static void a_body_is_read_once_more_at_most(void **state)
{
    static const struct {
        enum haul_payload payload;
        enum haul_checksum checksum;
        unsigned beginnings;
    } cases[] = {
        { HAUL_PAYLOAD_UNSIGNED, HAUL_CHECKSUM_NONE, 1 },
        { HAUL_PAYLOAD_UNSIGNED, HAUL_CRC32C, 2 },
        { HAUL_PAYLOAD_SIGNED, HAUL_CHECKSUM_NONE, 2 },
        { HAUL_PAYLOAD_SIGNED, HAUL_CRC32C, 2 },
        { HAUL_PAYLOAD_CHUNKED, HAUL_CHECKSUM_NONE, 1 },
        { HAUL_PAYLOAD_CHUNKED, HAUL_CRC32C, 2 },
    };
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source from = { .data = data };
        struct haul_request put = put_of(f, "k", &from, MIB);
        put.payload = cases[i].payload;
        put.checksum = cases[i].checksum;
        put.content_md5 = cases[i].checksum != HAUL_CHECKSUM_NONE;
        print_message("%zu\n", i);
        succeed(f, &put);
        assert_int_equal(from.beginnings, cases[i].beginnings);
        assert_stored(f, "k", data, MIB);
    }
    free(data);
}

static void a_body_in_signed_chunks_arrives_as_it_was(void **state)
{
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 1000000 };
    struct fixture *f = *state;
    char *data = some_bytes(1000000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct source from = { .data = data };
        struct haul_request put = put_of(f, "k", &from, sizes[i]);
        struct haul_request head = request(f, HAUL_HEAD_OBJECT, "k");
        put.payload = HAUL_PAYLOAD_CHUNKED;
        put.content_encoding = i % 2 ? "gzip" : NULL;
        put.checksum = HAUL_SHA1;
        succeed(f, &put);
        assert_stored(f, "k", data, sizes[i]);
        assert_int_equal(perform_and_keep(f, &head).result.size, sizes[i]);
        assert_string_equal(encoding, i % 2 ? "gzip" : "");
    }
    free(data);
}

static void signed_chunks_begin_again_with_each_attempt(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, MIB);
    put.payload = HAUL_PAYLOAD_CHUNKED;
    s3_fault(f->s3, "PutObject nth=1 reset-mid-body=300000\nPutObject nth=2 status=503");
    succeed(f, &put);
    assert_int_equal(s3_count(f->s3, "PutObject"), 3);
    assert_stored(f, "k", data, MIB);
    from = (struct source){ .data = data, .fails_at = 500000, .fails_with = 0 };
    struct end e = perform(f, &put);
    assert_int_equal(e.error.code, HAUL_LOCAL);
    assert_string_equal(e.error.text, "the source ended before its size");
    free(data);
}

static void an_upload_carries_its_checksums_to_the_end(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(3 * MIB), sums[3][HAUL_CHECKSUM_TEXT_SIZE], etags[3][64];
    struct haul_part parts[3];
    struct haul_request create = request(f, HAUL_CREATE_UPLOAD, "k");
    create.checksum = HAUL_CRC32C;
    struct end e = succeed(f, &create);
    for (unsigned i = 0; i < 3; i++) {
        struct source from = { .data = data + i * MIB };
        struct haul_request part = put_of(f, "k", &from, MIB);
        part.operation = HAUL_UPLOAD_PART;
        part.upload_id = e.upload_id;
        part.part_number = i + 1;
        part.checksum = HAUL_CRC32C;
        struct end p = perform_and_keep(f, &part);
        snprintf(sums[i], sizeof sums[i], "%s", told);
        snprintf(etags[i], sizeof etags[i], "%s", p.etag);
        parts[i] = (struct haul_part){ i + 1, etags[i], sums[i], MIB };
    }
    struct haul_request complete = request(f, HAUL_COMPLETE_UPLOAD, "k");
    complete.upload_id = e.upload_id;
    complete.parts = parts;
    complete.part_count = 3;
    complete.checksum = HAUL_CRC32C;
    complete.checksum_value = sum_of(HAUL_CRC32C, data, 3 * MIB);
    assert_int_equal(perform_and_keep(f, &complete).error.code, HAUL_OK);
    assert_string_equal(told, sum_of(HAUL_CRC32C, data, 3 * MIB));
    struct sink to = { .data = NULL };
    struct haul_request get = get_of(f, "k", &to);
    get.checksum = HAUL_CRC32C;
    assert_true(succeed(f, &get).result.checksum_verified);
    free(to.data);
    free(data);
}

static void any_requests_body_is_handed_over_up_to_a_cap(void **state)
{
    struct fixture *f = *state;
    const size_t size = 9 * MIB;
    char *data = stored(f, "big", size);
    free(stored(f, "small", 10));
    struct haul_request any = request(f, HAUL_ANY, "big");
    struct sink to = { .data = NULL };
    any.method = "GET";
    struct end e = perform(f, &any);
    assert_int_equal(e.error.code, HAUL_TOO_LARGE);
    assert_int_equal(e.error.retry, HAUL_RETRY_NEVER);
    any.sink = (struct haul_sink){ write_sink, &to };
    e = perform_and_keep(f, &any);
    assert_int_equal(e.result.http_status, 200);
    assert_string_equal(body, "(none)");
    assert_int_equal(to.len, size);
    assert_memory_equal(to.data, data, size);
    any.method = "DELETE";
    any.sink = (struct haul_sink){ NULL, NULL };
    e = perform_and_keep(f, &any);
    assert_int_equal(e.result.http_status, 204);
    assert_string_equal(body, "");
    any.method = "GET";
    e = perform(f, &any);
    assert_int_equal(e.error.http_status, 404);
    assert_string_equal(e.error.aws_code, "NoSuchKey");
    free(to.data);
    free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_objects_checksum_is_sent_and_verified_when_it_is_read),
        TEST(a_value_that_the_caller_gives_is_sent_as_it_is),
        TEST(content_md5_is_verified_by_the_server),
        TEST(bytes_that_changed_on_their_way_are_asked_for_again),
        TEST(a_server_that_refuses_a_checksum_is_not_asked_without_it),
        TEST(bytes_that_were_stored_with_another_checksum_are_sent_again),
        TEST(a_ranges_bytes_are_not_held_against_the_whole_objects_checksum),
        TEST(a_body_is_read_once_more_at_most),
        TEST(a_body_in_signed_chunks_arrives_as_it_was),
        TEST(signed_chunks_begin_again_with_each_attempt),
        TEST(an_upload_carries_its_checksums_to_the_end),
        TEST(any_requests_body_is_handed_over_up_to_a_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
