/* Bytes of requests and replies that are not what was promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "client_fixture.h"

/* ---- Replies to ranges ---- */

/* Case 23. */
static void a_reply_to_another_range_is_refused_before_a_byte_is_written(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *fault;
        enum haul_retry retry;
        int status;
    } cases[] = {
        { "GetObject always content-range=bytes 0-99/1000", HAUL_RETRY_LATER, 0 },
        { "GetObject always content-range=bytes 100-198/1000", HAUL_RETRY_LATER, 0 },
        { "GetObject always content-range=bytes 100-199/150", HAUL_RETRY_LATER, 0 },
        { "GetObject always content-range=nonsense", HAUL_RETRY_LATER, 0 },
        { "GetObject always ignore-range", HAUL_RETRY_LATER, 0 },
        { "GetObject always extra-bytes", HAUL_RETRY_LATER, 0 },
        { "GetObject always etag=\"other\"", HAUL_RETRY_FROM_START, 0 },
        { "GetObject always replace-object", HAUL_RETRY_FROM_START, 412 },
    };
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char etag[64];
        struct sink to = { .data = NULL };
        struct haul_request head = request(f, HAUL_HEAD_OBJECT, "k"), get = get_of(f, "k", &to);
        print_message("%s\n", cases[i].fault);
        free(stored(f, "k", 1000));
        strcpy(etag, succeed(f, &head).etag);
        get.range = (struct haul_range){ 100, 100 };
        get.if_match = etag;
        s3_fault(f->s3, cases[i].fault);
        struct end e = perform(f, &get);
        print_message("    %s\n", e.error.text);
        assert_int_equal(e.error.code, cases[i].status ? HAUL_SERVER : HAUL_BAD_REPLY);
        assert_int_equal(e.error.http_status, cases[i].status);
        assert_int_equal(e.error.retry, cases[i].retry);
        assert_int_equal(to.beginnings, 0);
        s3_clear(f->s3);
    }
}

/* ---- Failures of our own side ---- */

static void a_source_that_fails_is_told_by_its_errno(void **state)
{
    struct fixture *f = *state;
    static const int causes[] = { EIO, 0, EIO, 0 };
    static const size_t sizes[] = { MIB, MIB, 10000, 10000 }; /* streamed, and in one piece */
    for (size_t i = 0; i < 4; i++) {
        char *data = some_bytes(sizes[i]);
        struct source from = { data, .fails_at = sizes[i] / 3, .fails_with = causes[i] };
        struct haul_request put = put_of(f, "k", &from, sizes[i]);
        struct end e = perform(f, &put);
        assert_int_equal(e.error.code, HAUL_LOCAL);
        assert_int_equal(e.error.sys_errno, causes[i]);
        assert_int_equal(e.error.retry, HAUL_RETRY_NEVER);
        assert_int_equal(e.result.attempts, 1);
        assert_string_equal(
            e.error.text, causes[i] ? strerror(EIO) : "the source ended before its size");
        free(data);
    }
    struct haul_request head = request(f, HAUL_HEAD_OBJECT, "k");
    assert_int_equal(perform(f, &head).error.http_status, 404);
}

static ssize_t boast(void *payload, uint64_t offset, void *data, size_t len)
{
    (void) payload, (void) offset;
    memset(data, 'x', len);
    return (ssize_t) len + 1;
}

static void a_source_that_claims_more_than_was_asked_for_fails(void **state)
{
    struct fixture *f = *state;
    for (int payload = HAUL_PAYLOAD_SIGNED; payload <= HAUL_PAYLOAD_CHUNKED; payload++) {
        struct haul_request put = request(f, HAUL_PUT_OBJECT, "k");
        put.payload = (enum haul_payload) payload;
        for (uint64_t size = 3000; size < 1000000; size *= 100) {
            put.body = (struct haul_body){ boast, NULL, size };
            struct end e = perform(f, &put);
            assert_int_equal(e.error.code, HAUL_LOCAL);
            assert_int_equal(e.error.sys_errno, EOVERFLOW);
        }
    }
}

static void a_sink_that_fails_is_told_by_its_errno(void **state)
{
    struct fixture *f = *state;
    free(stored(f, "k", 1000));
    struct sink to = { .fails_with = ENOSPC };
    struct haul_request get = get_of(f, "k", &to);
    struct end e = perform(f, &get);
    assert_int_equal(e.error.code, HAUL_LOCAL);
    assert_int_equal(e.error.sys_errno, ENOSPC);
    assert_int_equal(e.result.attempts, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reply_to_another_range_is_refused_before_a_byte_is_written),
        TEST(a_source_that_fails_is_told_by_its_errno),
        cmocka_unit_test_setup_teardown(
            a_source_that_fails_is_told_by_its_errno, make_unsigned, clear),
        TEST(a_source_that_claims_more_than_was_asked_for_fails),
        TEST(a_sink_that_fails_is_told_by_its_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
