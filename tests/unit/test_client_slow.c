/* Ranges that take much longer than others go on over a fresh connection, against the scripted
 * endpoint. Which those are is tempo.c's matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_fixture.h"

#define OBJECT_SIZE ((size_t) 4 * MIB)

struct range {
    struct haul_request get;
    const char *data; /* what must come */
    uint64_t len;     /* of it has come */
    struct end end;
};

/* No byte comes twice. */
static int write_range(void *payload, uint64_t offset, const void *data, size_t len)
{
    struct range *r = payload;
    assert_int_equal(offset, r->len);
    assert_memory_equal(data, r->data + offset, len);
    r->len += len;
    return 0;
}

/* GETs of a MiB each, from places all over the object. */
static struct range *begin_ranges(const struct fixture *f, unsigned count, const char *data)
{
    struct range *ranges = calloc(count, sizeof *ranges);
    for (unsigned i = 0; i < count; i++) {
        struct range *r = &ranges[i];
        r->get = request(f, HAUL_GET_OBJECT, "k");
        r->get.sink = (struct haul_sink){ write_range, r };
        r->get.range = (struct haul_range){ i * 1000 % (OBJECT_SIZE - MIB), MIB };
        r->data = data + r->get.range.start;
        submit(f, &r->get, &r->end);
    }
    return ranges;
}

/* All come. Returns how often they were replaced. */
static unsigned end_ranges(const struct fixture *f, struct range *ranges, unsigned count)
{
    unsigned replaced = 0;
    run_all(f);
    for (unsigned i = 0; i < count; i++) {
        const struct range *r = &ranges[i];
        if (r->end.error.code != HAUL_OK)
            fail_msg("%s", r->end.error.text);
        assert_int_equal(r->len, MIB);
        assert_int_equal(r->end.result.bytes_received, MIB);
        assert_int_equal(r->end.result.attempts, 1 + r->end.result.replaced);
        replaced += r->end.result.replaced;
    }
    free(ranges);
    return replaced;
}

static unsigned move_ranges(const struct fixture *f, unsigned count, const char *data)
{
    return end_ranges(f, begin_ranges(f, count, data), count);
}

/* Teaches the endpoint what is usual. */
static char *made_usual(struct fixture *f, bool keep_slow)
{
    char *data = stored(f, "k", OBJECT_SIZE);
    struct haul_client_options options = { .connections = 8, .keep_slow = true };
    renew_client(f, options);
    move_ranges(f, 24, data);
    options.keep_slow = keep_slow;
    options.retries = HAUL_NO_RETRIES; /* to replace one is none */
    renew_client(f, options);
    return data;
}

/* Runs until so many hang there, and looks for slow ones a few times more. */
static void hang(const struct fixture *f, unsigned count)
{
    struct haul_error err;
    while (s3_count(f->s3, "GetObject") < count)
        assert_true(haul_client_run(f->client, 100, &err) > 0);
    for (int i = 0; i < 5; i++)
        assert_true(haul_client_run(f->client, 300, &err) > 0);
}

/* Case 56. They would take a quarter of an hour each. */
static void the_slowest_go_on_over_a_fresh_connection(void **state)
{
    struct fixture *f = *state;
    char *data = made_usual(f, false);
    s3_fault(f->s3, "GetObject every=50 trickle=1000");
    unsigned replaced = move_ranges(f, 200, data);
    assert_in_range(replaced, 4, 8);
    assert_int_equal(s3_count(f->s3, "GetObject"), 24 + 200 + replaced);
    free(data);
}

static void an_object_that_is_slow_goes_on_too(void **state)
{
    struct fixture *f = *state;
    char *data = made_usual(f, false);
    struct sink to = { .data = NULL };
    struct haul_request get = get_of(f, "k", &to);
    s3_fault(f->s3, "GetObject nth=1 trickle=100000");
    assert_in_range(succeed(f, &get).result.replaced, 1, 2);
    assert_int_equal(to.beginnings, 1);
    assert_int_equal(to.len, OBJECT_SIZE);
    assert_memory_equal(to.data, data, OBJECT_SIZE);
    free(to.data);
    free(data);
}

/* Case 56. */
static void some_that_bring_nothing_are_replaced(void **state)
{
    static const struct {
        unsigned count;
        bool keep_slow;
        unsigned replaced;
    } cases[] = {
        { 1, false, 2 }, /* twice each */
        { 8, false, 4 }, /* as there is credit */
        { 8, true, 0 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_endpoint *before = f->endpoint;
        f->endpoint = new_endpoint(f, (struct haul_endpoint_options){ 0 });
        haul_endpoint_free(before);
        char *data = made_usual(f, cases[i].keep_slow);
        move_ranges(f, 8, data); /* leaves idle connections */
        uint64_t sent = s3_count(f->s3, "GetObject");
        uint64_t connections = s3_count(f->s3, "connections");
        s3_fault(f->s3, "GetObject always gate=g");
        struct range *ranges = begin_ranges(f, cases[i].count, data);
        hang(f, (unsigned) sent + cases[i].count + cases[i].replaced);
        s3_clear(f->s3);
        assert_int_equal(end_ranges(f, ranges, cases[i].count), cases[i].replaced);
        assert_int_equal(s3_count(f->s3, "connections"), connections + cases[i].replaced);
        free(data);
    }
}

static void where_all_are_equally_slow_none_is_replaced(void **state)
{
    struct fixture *f = *state;
    char *data = stored(f, "k", OBJECT_SIZE);
    renew_client(f, (struct haul_client_options){ .connections = 8 });
    s3_fault(f->s3, "GetObject always trickle=700000");
    assert_int_equal(move_ranges(f, 16, data), 0);
    free(data);
}

/* It is left to the limits of time. */
static void what_would_begin_anew_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    char *data = made_usual(f, false);
    s3_fault(f->s3, "GetObject always no-etag trickle=500000");
    assert_int_equal(move_ranges(f, 1, data), 0);
    free(data);
}

/* It is on its way, and a drained client begins nothing. */
static void what_is_slow_is_not_replaced_in_a_drained_client(void **state)
{
    struct fixture *f = *state;
    char *data = made_usual(f, false);
    struct haul_error err;
    uint64_t sent = s3_count(f->s3, "GetObject");
    s3_fault(f->s3, "GetObject always gate=g");
    struct range *ranges = begin_ranges(f, 1, data);
    run_until_in_flight(f, 1);
    haul_client_drain(f->client);
    hang(f, (unsigned) sent + 1);
    assert_int_equal(haul_client_run(f->client, 0, &err), 1);
    assert_true(haul_client_wait_ms(f->client) != 0); /* nor does it look all the time */
    s3_clear(f->s3);
    assert_int_equal(end_ranges(f, ranges, 1), 0);
    free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_slowest_go_on_over_a_fresh_connection),
        TEST(an_object_that_is_slow_goes_on_too),
        TEST(some_that_bring_nothing_are_replaced),
        TEST(where_all_are_equally_slow_none_is_replaced),
        TEST(what_would_begin_anew_is_not_replaced),
        TEST(what_is_slow_is_not_replaced_in_a_drained_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
