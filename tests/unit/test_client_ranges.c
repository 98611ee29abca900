/* GETs that break off, against the scripted endpoint: where the next attempt begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_fixture.h"

#define SIZE ((uint64_t) 2 * MIB)

/* A sink that counts its beginnings, and knows what it was told of the last one. */
struct taker {
    struct sink sink; /* first: write_sink() gets the same payload */
    unsigned begun;
    char etag[64];
    int64_t bytes;
};

static int begin_taker(void *payload, const char *etag, int64_t bytes)
{
    struct taker *t = payload;
    t->begun++;
    t->bytes = bytes;
    snprintf(t->etag, sizeof t->etag, "%s", etag ? etag : "");
    return 0;
}

static struct haul_request take(const struct fixture *f, struct taker *t)
{
    struct haul_request get = get_of(f, "k", &t->sink);
    *t = (struct taker){ .begun = 0 };
    get.begin = begin_taker;
    return get;
}

/* SIZE bytes with a checksum. */
static char *stored_with_sum(const struct fixture *f)
{
    char *data = some_bytes(SIZE);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, SIZE);
    put.checksum = HAUL_CRC64NVME;
    succeed(f, &put);
    return data;
}

static void assert_taken(struct taker *t, const char *data, uint64_t len, unsigned beginnings)
{
    assert_int_equal(t->begun, beginnings);
    assert_int_equal(t->sink.beginnings, beginnings);
    assert_int_equal(t->sink.len, len);
    assert_memory_equal(t->sink.data, data, len);
    assert_int_equal(t->bytes, len);
    free(t->sink.data);
}

/* How often that text is in the heads of the latest GETs. */
static unsigned count_sent(const struct fixture *f, const char *text)
{
    static char heads[65536];
    unsigned count = 0;
    s3_headers(f->s3, "GetObject", heads, sizeof heads);
    for (const char *at = heads; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* ---- Where it stood ---- */

static void what_breaks_off_goes_on_where_it_stood(void **state)
{
    static const struct {
        const char *faults;
        unsigned attempts;
    } cases[] = {
        { "GetObject nth=1 truncate=1000000", 2 },
        { "GetObject nth=1 reset-mid-body=1000000", 2 },
        { "GetObject nth=1 truncate=700000\nGetObject nth=2 reset-mid-body=300000\n"
          "GetObject nth=3 truncate=1",
            4 },
        { "GetObject nth=1 truncate=1000000\nGetObject nth=2 status=503\n"
          "GetObject nth=3 status=500",
            4 },
        { "GetObject nth=1 truncate=1", 2 },
        { "GetObject nth=1 truncate=2096151", 2 }, /* all but a byte of the shortest */
    };
    static const struct haul_range ranges[] = { { 0, 0 }, { 0, SIZE - 1000 }, { 5, SIZE - 5 },
        { 1000, 0 } };
    struct fixture *f = *state;
    char *data = stored_with_sum(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t n = 0; n < sizeof ranges / sizeof *ranges; n++) {
            struct taker t;
            struct haul_request get = take(f, &t);
            uint64_t start = ranges[n].start;
            uint64_t len = ranges[n].len ? ranges[n].len : SIZE - start;
            print_message("%s from %d\n", cases[i].faults, (int) start);
            get.range = ranges[n];
            get.checksum = HAUL_CRC64NVME;
            s3_clear(f->s3);
            s3_fault(f->s3, cases[i].faults);
            struct end e = succeed(f, &get);
            assert_int_equal(e.result.attempts, cases[i].attempts);
            assert_int_equal(e.result.bytes_received, len); /* none came twice */
            assert_int_equal(e.result.size, SIZE);
            assert_int_equal(e.result.http_status, n == 0 ? 200 : 206);
            assert_int_equal(e.result.checksum_verified, n == 0);
            assert_taken(&t, data + start, len, 1);
        }
    free(data);
}

static void the_rest_is_asked_for_by_its_etag(void **state)
{
    struct fixture *f = *state;
    char *data = stored_with_sum(f), line[100];
    struct taker t;
    struct haul_request get = take(f, &t);
    get.range = (struct haul_range){ 100, SIZE - 200 };
    get.if_none_match = "\"another\"";
    s3_fault(f->s3, "GetObject nth=1 truncate=1000000");
    struct end e = succeed(f, &get);
    snprintf(line, sizeof line, "\nif-match: %s\n", e.etag);
    assert_int_equal(count_sent(f, line), 1);
    assert_int_equal(count_sent(f, "\nif-none-match:"), 1);
    snprintf(line, sizeof line, "\nrange: bytes=1000100-%d\n", (int) SIZE - 101);
    assert_int_equal(count_sent(f, line), 1);
    assert_taken(&t, data + 100, SIZE - 200, 1);
    free(data);
}

static void an_attempt_that_brought_bytes_is_not_counted(void **state)
{
    struct fixture *f = *state;
    char *data = stored_with_sum(f);
    struct taker t;
    struct haul_request get = take(f, &t);
    struct haul_health health;
    s3_fault(f->s3, "GetObject always truncate=100000");
    struct end e = succeed(f, &get); /* with three retries */
    assert_int_equal(e.result.attempts, 21);
    assert_int_equal(e.result.bytes_received, SIZE);
    assert_taken(&t, data, SIZE, 1);
    haul_endpoint_health(f->endpoint, &health);
    assert_true(health.rate == 0); /* nor is it taken for an outage */
    get = take(f, &t);
    get.tries = 1; /* but none is none */
    e = perform(f, &get);
    assert_int_equal(e.error.code, HAUL_NETWORK);
    assert_int_equal(e.result.attempts, 1);
    free(t.sink.data);
    free(data);
}

static void attempts_that_bring_next_to_nothing_are_counted(void **state)
{
    struct fixture *f = *state;
    free(stored_with_sum(f));
    struct taker t;
    struct haul_request get = take(f, &t);
    s3_fault(f->s3, "GetObject always truncate=1000");
    struct end e = perform(f, &get);
    assert_int_equal(e.error.code, HAUL_NETWORK);
    assert_int_equal(e.result.attempts, 4);
    assert_int_equal(t.sink.len, 4000);
    free(t.sink.data);
}

/* Case 56. */
static void an_attempt_that_timed_out_goes_on_over_a_fresh_connection(void **state)
{
    struct fixture *f = *state;
    char *data = stored_with_sum(f);
    struct taker t;
    struct haul_request get = take(f, &t), other = request(f, HAUL_HEAD_OBJECT, "k");
    struct end ends[2] = { { .calls = 0 }, { .calls = 0 } };
    renew_client(f, (struct haul_client_options){ .request_timeout_ms = 3000 });
    s3_fault(f->s3, "GetObject nth=1 trickle=300000");
    uint64_t before = s3_count(f->s3, "connections");
    submit(f, &get, &ends[0]);
    submit(f, &other, &ends[1]); /* leaves an idle connection behind */
    run_all(f);
    assert_int_equal(ends[0].error.code, HAUL_OK);
    assert_int_equal(ends[0].result.attempts, 2);
    assert_int_equal(s3_count(f->s3, "connections"), before + 3);
    assert_int_equal(ends[0].result.bytes_received, SIZE);
    assert_taken(&t, data, SIZE, 1);
    free(data);
}

/* ---- Anew ---- */

/* Cases 22, 23 and 25. */
static void what_can_t_go_on_begins_anew(void **state)
{
    static const struct {
        const char *faults;
        unsigned attempts, beginnings;
    } cases[] = {
        { "GetObject always no-etag\nGetObject nth=1 truncate=1000000", 2, 2 },
        { "GetObject always etag=W/\"x\"\nGetObject nth=1 truncate=1000000", 2, 2 },
        { "GetObject nth=1 truncate=1000000\nGetObject nth=2 ignore-range", 3, 2 },
        { "GetObject nth=1 truncate=1000000\nGetObject nth=2 content-range=bytes 0-4/9", 3, 2 },
        { "GetObject nth=1 truncate=1000000\nGetObject nth=2 extra-bytes", 3, 2 },
        { "GetObject nth=1 truncate=1000000\nGetObject nth=2 empty-200", 3, 2 },
        /* Of an object that may be another one, or is. */
        { "GetObject nth=1 truncate=1000000\nGetObject nth=2 no-etag", 3, 2 },
        { "GetObject nth=1 truncate=1000000\n"
          "GetObject nth=2 content-range=bytes 1000000-2097151/2097153",
            3, 2 },
        /* A server that does so once is not asked again. */
        { "GetObject nth=1 truncate=1000000\nGetObject nth=2 ignore-range\n"
          "GetObject nth=3 truncate=1000000",
            4, 3 },
    };
    struct fixture *f = *state;
    char *data = stored_with_sum(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct taker t;
        struct haul_request get = take(f, &t);
        print_message("%s\n", cases[i].faults);
        s3_clear(f->s3);
        s3_fault(f->s3, cases[i].faults);
        get.checksum = HAUL_CRC64NVME;
        struct end e = succeed(f, &get);
        assert_int_equal(e.result.attempts, cases[i].attempts);
        assert_true(e.result.checksum_verified);
        assert_taken(&t, data, SIZE, cases[i].beginnings);
    }
    free(data);
}

static void headers_of_the_caller_may_forbid_to_go_on(void **state)
{
    struct fixture *f = *state;
    char *data = stored_with_sum(f);
    struct taker t;
    struct haul_request get = take(f, &t);
    struct haul_pair any = { "If-Match", "*" };
    get.headers = (struct haul_pairs){ &any, 1 };
    s3_fault(f->s3, "GetObject nth=1 truncate=1000000");
    assert_int_equal(succeed(f, &get).result.attempts, 2);
    assert_taken(&t, data, SIZE, 2);
    free(data);
}

/* Case 21. */
static void an_object_that_was_replaced_begins_anew(void **state)
{
    static const char *const conditions[] = { NULL, "*" };
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        free(stored_with_sum(f));
        struct taker t, whole;
        struct haul_request get = take(f, &t), again = take(f, &whole);
        get.if_match = conditions[i];
        s3_fault(f->s3, "GetObject nth=1 truncate=1000000\nGetObject nth=2 replace-object\n"
                        "GetObject nth=3 truncate=1500000");
        struct end e = succeed(f, &get), now = succeed(f, &again);
        assert_int_equal(e.result.attempts, 4);
        assert_int_equal(e.result.bytes_received, 1000000 + SIZE);
        assert_string_equal(e.etag, now.etag);
        assert_string_equal(t.etag, now.etag);
        assert_taken(&t, whole.sink.data, SIZE, 2);
        free(whole.sink.data);
    }
}

static void an_object_that_is_replaced_all_the_time_is_given_up(void **state)
{
    struct fixture *f = *state;
    free(stored_with_sum(f));
    struct taker t;
    struct haul_request get = take(f, &t);
    s3_fault(f->s3, "GetObject always truncate=1000000\nGetObject every=2 replace-object");
    struct end e = perform(f, &get);
    assert_int_equal(e.error.http_status, 412);
    assert_int_equal(
        e.result.attempts, 6); /* each beginning in vain is one of its four tries */
    assert_int_equal(t.sink.beginnings, 3);
    free(t.sink.data);
}

static void an_object_that_was_pinned_and_replaced_is_not_gone_on_with(void **state)
{
    struct fixture *f = *state;
    free(stored_with_sum(f));
    struct taker t;
    struct haul_request get = take(f, &t), head = request(f, HAUL_HEAD_OBJECT, "k");
    struct end now = succeed(f, &head);
    get.if_match = now.etag;
    s3_fault(f->s3, "GetObject nth=1 truncate=1000000\nGetObject nth=2 replace-object");
    struct end e = perform(f, &get);
    assert_int_equal(e.error.http_status, 412);
    assert_int_equal(e.error.retry, HAUL_RETRY_FROM_START);
    assert_int_equal(e.result.attempts, 2);
    assert_int_equal(t.sink.beginnings, 1);
    free(t.sink.data);
}

/* Case 27. */
static void bytes_of_another_checksum_all_come_again_but_not_for_ever(void **state)
{
    struct fixture *f = *state;
    char *data = stored_with_sum(f);
    struct taker t;
    struct haul_request get = take(f, &t);
    get.checksum = HAUL_CRC64NVME;
    s3_fault(f->s3, "GetObject nth=1 flip-bit=3 truncate=1000000");
    struct end e = succeed(f, &get);
    assert_int_equal(e.result.attempts, 3);
    assert_true(e.result.checksum_verified);
    assert_taken(&t, data, SIZE, 2);
    get = take(f, &t);
    get.checksum = HAUL_CRC64NVME;
    s3_fault(f->s3, "GetObject always wrong-checksum truncate=1000000");
    e = perform(f, &get);
    assert_int_equal(e.error.code, HAUL_NETWORK);
    assert_int_equal(e.result.attempts, 5); /* three for the first time, and each after it */
    free(t.sink.data);
    free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_breaks_off_goes_on_where_it_stood),
        TEST(the_rest_is_asked_for_by_its_etag),
        TEST(an_attempt_that_brought_bytes_is_not_counted),
        TEST(attempts_that_bring_next_to_nothing_are_counted),
        TEST(an_attempt_that_timed_out_goes_on_over_a_fresh_connection),
        TEST(what_can_t_go_on_begins_anew),
        TEST(headers_of_the_caller_may_forbid_to_go_on),
        TEST(an_object_that_was_replaced_begins_anew),
        TEST(an_object_that_is_replaced_all_the_time_is_given_up),
        TEST(an_object_that_was_pinned_and_replaced_is_not_gone_on_with),
        TEST(bytes_of_another_checksum_all_come_again_but_not_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
