/* Patience with a server that serves nobody or says SlowDown, and a client that is drained. The
 * arithmetic of it is test_pace.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client_fixture.h"

static struct end list_once(const struct fixture *f)
{
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    return perform(f, &list);
}

static void patient(struct fixture *f, unsigned patience_ms)
{
    renew_client(f, (struct haul_client_options){ .retries = 1, .patience_ms = patience_ms });
}

/* Case 53. */
static void what_fails_while_nobody_is_served_counts_by_time_not_by_number(void **state)
{
    struct fixture *f = *state;
    static const char *const faults[] = { "ListObjectsV2 always count=6 status=500",
        "ListObjectsV2 always count=6 drop-before", "ListObjectsV2 always count=6 status=503" };
    patient(f, 60000);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        s3_fault(f->s3, faults[i]);
        struct end e = list_once(f);
        assert_int_equal(e.error.code, HAUL_OK);
        assert_in_range(e.result.attempts, 6, 7); /* libcurl sends once again by itself */
        s3_clear(f->s3);
    }
}

static void without_patience_each_failure_counts(void **state)
{
    struct fixture *f = *state;
    patient(f, 0);
    s3_fault(f->s3, "ListObjectsV2 always status=500");
    struct end e = list_once(f);
    assert_int_equal(e.result.attempts, 2);
    assert_true(e.result.unserved);
}

static void patience_has_an_end(void **state)
{
    struct fixture *f = *state;
    patient(f, 2000);
    s3_fault(f->s3, "ListObjectsV2 always status=500");
    struct end e = list_once(f);
    assert_int_equal(e.error.http_status, 500);
    assert_true(e.result.attempts > 2);
    assert_true(e.result.unserved);
}

static void nothing_is_tried_again_that_may_be_tried_once(void **state)
{
    struct fixture *f = *state;
    patient(f, 60000);
    s3_fault(f->s3, "ListObjectsV2 always status=500");
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    list.tries = 1;
    assert_int_equal(perform(f, &list).result.attempts, 1);
    renew_client(
        f, (struct haul_client_options){ .retries = HAUL_NO_RETRIES, .patience_ms = 60000 });
    assert_int_equal(list_once(f).result.attempts, 1);
}

static void what_fails_while_others_are_served_counts(void **state)
{
    struct fixture *f = *state;
    struct end bad = { .calls = 0 };
    struct source from = { .data = "some bytes" };
    struct haul_request put = put_of(f, "bad", &from, 10);
    patient(f, 60000);
    s3_fault(f->s3, "PutObject key=bad always status=500");
    submit(f, &put, &bad);
    while (bad.calls == 0)
        assert_int_equal(list_once(f).error.code, HAUL_OK);
    assert_int_equal(bad.error.http_status, 500);
    assert_in_range(bad.result.attempts, 2, 3); /* the first may have failed before any list */
    assert_false(bad.result.unserved);
}

/* Case 54. A bucket that is served would end the patience with the other one's failures. */
static void a_bucket_that_is_slowed_slows_no_other(void **state)
{
    struct fixture *f = *state;
    struct end slowed[20] = { { .calls = 0 } };
    struct source from = { .data = "some bytes" };
    struct haul_request create = request(f, HAUL_CREATE_BUCKET, NULL),
                        put = put_of(f, "slow", &from, 10);
    create.bucket = "other";
    succeed(f, &create);
    patient(f, 60000);
    s3_fault(f->s3, "PutObject key=slow always status=503 code=SlowDown");
    for (size_t i = 0; i < 20; i++)
        submit(f, &put, &slowed[i]);
    put.bucket = "other";
    put.key = "k";
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(perform(f, &put).result.attempts, 1);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(slowed[i].calls, 0);
    patient(f, 0); /* another client: that one's requests end */
    assert_int_equal(slowed[0].calls, 1);
}

static void an_endpoint_tells_how_it_fares(void **state)
{
    struct fixture *f = *state;
    struct haul_health h;
    haul_endpoint_health(f->endpoint, &h);
    assert_true(h.rate == 0 && h.silence_ms == 0);
    patient(f, 500);
    s3_fault(f->s3, "ListObjectsV2 always status=500");
    for (unsigned tried = 0; tried < 16;)
        tried += list_once(f).result.attempts;
    haul_endpoint_health(f->endpoint, &h);
    assert_true(h.rate > 0 && h.silence_ms > 0 && !h.slowed);
    assert_non_null(strstr(h.why, "ListObjectsV2 answered 500"));
    s3_clear(f->s3);
    assert_int_equal(list_once(f).error.code, HAUL_OK);
    haul_endpoint_health(f->endpoint, &h);
    assert_true(h.rate > 0 && h.silence_ms == 0 && !h.slowed);
    s3_fault(f->s3, "ListObjectsV2 always status=503 code=SlowDown");
    for (unsigned tried = 0; tried < 16;)
        tried += list_once(f).result.attempts;
    haul_endpoint_health(f->endpoint, &h);
    assert_true(h.rate > 0 && h.slowed);
    assert_non_null(strstr(h.why, "SlowDown"));
}

static void a_drained_client_lets_what_moves_go_on_and_begins_nothing(void **state)
{
    struct fixture *f = *state;
    enum { MOVING, RETRYING, WAITING, LATE, COUNT };
    static const char *const keys[] = { "moving", "retrying", "waiting", "late" };
    struct end ends[COUNT] = { { .calls = 0 } };
    struct source from = { .data = "some bytes" };
    struct haul_request puts[COUNT];
    struct haul_error err;
    renew_client(f, (struct haul_client_options){ .connections = 1 });
    s3_fault(f->s3, "PutObject key=moving nth=1 gate-after=g\n"
                    "PutObject key=retrying nth=1 status=503 retry-after=50");
    for (int i = 0; i < COUNT; i++)
        puts[i] = put_of(f, keys[i], &from, 10);
    submit(f, &puts[RETRYING], &ends[RETRYING]);
    while (s3_count(f->s3, "PutObject") < 1 || s3_count(f->s3, "in_flight") > 0)
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    submit(f, &puts[MOVING], &ends[MOVING]);
    run_until_in_flight(f, 1);
    submit(f, &puts[WAITING], &ends[WAITING]);
    haul_client_drain(f->client);
    assert_int_equal(haul_client_run(f->client, 0, &err), 1);
    submit(f, &puts[LATE], &ends[LATE]);
    assert_int_equal(haul_client_run(f->client, 0, &err), 1);
    for (int i = RETRYING; i < COUNT; i++) {
        assert_int_equal(ends[i].calls, 1);
        assert_int_equal(ends[i].error.code, HAUL_CANCELLED);
        assert_int_equal(ends[i].result.maybe_repeated, i == RETRYING);
    }
    assert_int_equal(ends[MOVING].calls, 0);
    s3_open(f->s3, "g");
    run_all(f);
    assert_int_equal(ends[MOVING].error.code, HAUL_OK);
}

static void what_fails_in_a_drained_client_is_not_tried_again(void **state)
{
    struct fixture *f = *state;
    struct end e = { .calls = 0 };
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    s3_fault(f->s3, "ListObjectsV2 nth=1 gate=g status=500");
    submit(f, &list, &e);
    run_until_in_flight(f, 1);
    haul_client_drain(f->client);
    s3_open(f->s3, "g");
    run_all(f);
    assert_int_equal(e.error.code, HAUL_CANCELLED);
    assert_int_equal(e.result.attempts, 1);
    haul_client_stop(f->client); /* goes further */
    haul_client_drain(f->client);
    assert_int_equal(list_once(f).error.code, HAUL_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(test) cmocka_unit_test_setup_teardown(test, make, clear)
        CASE(what_fails_while_nobody_is_served_counts_by_time_not_by_number),
        CASE(without_patience_each_failure_counts),
        CASE(patience_has_an_end),
        CASE(nothing_is_tried_again_that_may_be_tried_once),
        CASE(what_fails_while_others_are_served_counts),
        CASE(a_bucket_that_is_slowed_slows_no_other),
        CASE(an_endpoint_tells_how_it_fares),
        CASE(a_drained_client_lets_what_moves_go_on_and_begins_nothing),
        CASE(what_fails_in_a_drained_client_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
