/* Bodies that go as signed chunks, which the scripted endpoint verifies one by one: read once,
 * and begun anew whenever the request is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_fixture.h"

static int make_chunked(void **state)
{
    struct fixture *f = make_with(NULL, HAUL_PAYLOAD_CHUNKED);
    struct haul_request r = request(f, HAUL_CREATE_BUCKET, NULL);
    succeed(f, &r);
    *state = f;
    return 0;
}

static void bodies_of_all_sizes_arrive_and_are_read_once(void **state)
{
    struct fixture *f = *state;
    const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, MIB + 1 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data = some_bytes(sizes[i]);
        struct source from = { .data = data };
        struct haul_request put = put_of(f, "k", &from, sizes[i]);
        succeed(f, &put);
        assert_int_equal(from.beginnings, sizes[i] > 0);
        assert_stored(f, "k", data, sizes[i]);
        free(data);
    }
}

static void a_part_goes_in_chunks_and_a_document_does_not(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB), id[64];
    begin_upload(f, "k", id);
    struct source from = { .data = data };
    struct haul_request r = put_of(f, "k", &from, MIB);
    r.operation = HAUL_UPLOAD_PART;
    r.upload_id = id;
    r.part_number = 1;
    struct end e = succeed(f, &r);
    assert_int_equal(from.beginnings, 1);
    struct haul_part part = { .number = 1, .etag = e.etag };
    r = request(f, HAUL_COMPLETE_UPLOAD, "k");
    r.upload_id = id;
    r.parts = &part;
    r.part_count = 1;
    succeed(f, &r);
    assert_stored(f, "k", data, MIB);
    free(data);
}

static void an_attempt_is_signed_afresh(void **state)
{
    struct fixture *f = *state;
    static const char *const faults[] = { "PutObject nth=1 status=500",
        "PutObject nth=1 reset-mid-body=300000", "PutObject nth=1 status=503 early",
        "PutObject always skew-s=7200" };
    char *data = some_bytes(MIB);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct source from = { .data = data };
        struct haul_request put = put_of(f, "k", &from, MIB);
        print_message("%s\n", faults[i]);
        retry_at_most(f, 3, 0); /* no pooled connection, which would hide the reset */
        s3_fault(f->s3, faults[i]);
        assert_int_equal(succeed(f, &put).result.attempts, 2);
        s3_clear(f->s3);
        assert_stored(f, "k", data, MIB);
    }
    free(data);
}

/* Case 55. */
static void a_pooled_connection_that_died_costs_no_attempt(void **state)
{
    struct fixture *f = *state;
    static const char *const faults[] = { "PutObject nth=1 drop-before",
        "PutObject nth=1 reset-mid-body=300000" };
    char *data = some_bytes(MIB);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct source from = { .data = data };
        struct haul_request put = put_of(f, "k", &from, MIB);
        retry_at_most(f, HAUL_NO_RETRIES, 0);
        free(stored(f, "first", 1));
        s3_fault(f->s3, faults[i]);
        assert_int_equal(succeed(f, &put).result.attempts, 1);
        assert_stored(f, "k", data, MIB);
    }
    free(data);
}

static void a_source_that_fails_is_told_by_its_errno(void **state)
{
    struct fixture *f = *state;
    static const int causes[] = { EIO, 0 };
    char *data = some_bytes(MIB);
    for (size_t i = 0; i < 2; i++) {
        struct source from = { .data = data, .fails_at = 400000, .fails_with = causes[i] };
        struct haul_request put = put_of(f, "k", &from, MIB);
        struct end e = perform(f, &put);
        assert_int_equal(e.error.code, HAUL_LOCAL);
        assert_int_equal(e.error.sys_errno, causes[i]);
        assert_int_equal(e.result.attempts, 1);
    }
    free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_chunked, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bodies_of_all_sizes_arrive_and_are_read_once),
        TEST(a_part_goes_in_chunks_and_a_document_does_not),
        TEST(an_attempt_is_signed_afresh),
        TEST(a_pooled_connection_that_died_costs_no_attempt),
        TEST(a_source_that_fails_is_told_by_its_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
