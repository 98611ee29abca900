/* From submit to the done callback, and what may come in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "client.h"
#include "client_fixture.h"

static void a_request_that_breaks_the_manual_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct end e = { .calls = 0 };
    struct haul_error err;
    struct haul_request r = request(f, HAUL_PUT_OBJECT, NULL);
    assert_int_equal(haul_client_submit(f->client, &r, on_end, &e, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
    assert_int_equal(haul_client_perform(f->client, &r, NULL, NULL, NULL), -1);
    assert_int_equal(haul_client_perform(f->client, &r, on_end, &e, &err), -1);
    assert_int_equal(haul_client_run(f->client, 0, &err), 0);
    assert_int_equal(e.calls, 0);
}

static void submit_stuck(struct fixture *f, const struct haul_request *list, struct end *ends)
{
    struct haul_error err;
    s3_fault(f->s3, "ListObjectsV2 nth=1 status=503 retry-after=50\n"
                    "ListObjectsV2 always gate=g");
    s3_open(f->s3, "g");
    submit(f, list, &ends[0]);
    while (s3_count(f->s3, "ListObjectsV2") < 1 || s3_count(f->s3, "in_flight") > 0)
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    for (int i = 0; i < 5; i++) /* the reply is there: let it be taken */
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    s3_fault(f->s3, "ListObjectsV2 always gate=g"); /* closes it again */
    submit(f, list, &ends[1]);
    submit(f, list, &ends[2]);
    while (s3_count(f->s3, "in_flight") < 2)
        assert_int_equal(haul_client_run(f->client, 10, &err), 3);
}

static void assert_cancelled(const struct end *ends)
{
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ends[i].calls, 1);
        assert_int_equal(ends[i].error.code, HAUL_CANCELLED);
        assert_int_equal(ends[i].result.attempts, 1);
        assert_int_equal(ends[i].result.outcome_unknown, i > 0);
        assert_int_equal(ends[i].result.maybe_repeated, i == 0);
    }
}

static void a_stopped_client_ends_all_that_it_had_and_gets(void **state)
{
    struct fixture *f = *state;
    struct end ends[3] = { { .calls = 0 } };
    struct haul_error err;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    submit_stuck(f, &list, ends);
    haul_client_stop(f->client);
    assert_int_equal(haul_client_run(f->client, 60000, &err), 0);
    assert_cancelled(ends);
    uint64_t before = s3_count(f->s3, "requests");
    struct end e = perform(f, &list);
    assert_int_equal(e.error.code, HAUL_CANCELLED);
    assert_int_equal(e.result.attempts, 0);
    assert_false(e.result.outcome_unknown);
    assert_int_equal(s3_count(f->s3, "requests"), before);
}

static void a_client_may_be_freed_with_requests_in_flight(void **state)
{
    struct fixture *f = *state;
    struct end ends[3] = { { .calls = 0 } };
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    submit_stuck(f, &list, ends);
    haul_client_free(f->client);
    f->client = NULL;
    assert_cancelled(ends);
    haul_client_free(NULL);
}

static void bytes_of_a_cancelled_attempt_are_counted_once(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    struct source from = { .data = data };
    struct end e = { .calls = 0 };
    struct haul_error err;
    struct haul_request put = put_of(f, "k", &from, MIB);
    s3_fault(f->s3, "PutObject always status=503 retry-after=50");
    submit(f, &put, &e);
    while (s3_count(f->s3, "PutObject") < 1 || s3_count(f->s3, "in_flight") > 0)
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    haul_client_stop(f->client);
    assert_int_equal(haul_client_run(f->client, 0, &err), 0);
    assert_int_equal(e.result.bytes_sent, MIB);
    free(data);
}

static void many_requests_end_exactly_once_each(void **state)
{
    enum { COUNT = 200 };
    struct fixture *f = *state;
    struct end *ends = calloc(COUNT, sizeof *ends);
    struct source from = { .data = "some bytes" };
    struct haul_request puts[COUNT];
    char keys[COUNT][8];
    s3_fault(f->s3, "PutObject every=7 status=500\nPutObject every=11 drop-after\n"
                    "PutObject every=13 status=403 code=AccessDenied");
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        puts[i] = put_of(f, keys[i], &from, 10);
        submit(f, &puts[i], &ends[i]);
    }
    run_all(f);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(ends[i].calls, 1);
        failed += ends[i].error.code != HAUL_OK;
    }
    assert_in_range(failed, 1, 30);
    assert_int_equal(s3_count(f->s3, "in_flight"), 0);
    free(ends);
}

/* Each end submits the next request, until none is left. */
struct chain {
    struct fixture *f;
    struct haul_request *request;
    unsigned left, done;
};

static void on_link(void *payload, const struct haul_result *result)
{
    struct chain *c = payload;
    struct haul_error err;
    c->done += result->error.code == HAUL_OK || result->error.code == HAUL_LOCAL;
    if (c->left-- > 0)
        assert_int_equal(haul_client_submit(c->f->client, c->request, on_link, c, &err), 0);
}

static void a_callback_may_submit_the_next_request(void **state)
{
    struct fixture *f = *state;
    struct haul_error err;
    struct source broken = { .data = "", .fails_at = 1, .fails_with = EIO },
                  whole = { .data = "some bytes" };
    struct haul_request put = put_of(f, "k", &whole, 10), fails = put_of(f, "k", &broken, 10);
    struct chain good = { f, &put, 20, 0 }, bad = { f, &fails, 20, 0 };
    broken.data = whole.data;
    broken.fails_at = UINT64_MAX;
    assert_int_equal(haul_client_submit(f->client, &put, on_link, &good, &err), 0);
    assert_int_equal(haul_client_submit(f->client, &fails, on_link, &bad, &err), 0);
    run_all(f);
    assert_int_equal(good.done, 21);
    assert_int_equal(bad.done, 21);
}

static ssize_t read_nothing(void *payload, uint64_t offset, void *data, size_t len)
{
    (void) payload, (void) offset, (void) data, (void) len;
    errno = EIO;
    return -1;
}

/* Fails before it is sent, and its successor is due at once: nobody waits in between. */
static void the_successor_of_an_unsendable_request_is_not_kept_waiting(void **state)
{
    struct fixture *f = *state;
    struct haul_error err;
    struct haul_request put = request(f, HAUL_PUT_OBJECT, "k");
    struct chain c = { f, &put, 20, 0 };
    put.body = (struct haul_body){ read_nothing, NULL, 10 };
    assert_int_equal(haul_client_submit(f->client, &put, on_link, &c, &err), 0);
    while (haul_client_run(f->client, 1000000, &err) > 0)
        continue; /* a wait would last until the test's limit */
    assert_int_equal(c.done, 21);
}

/* ---- Cancelling ---- */

static void cancel(const struct fixture *f, const struct haul_request *r)
{
    assert_int_equal(haul_client_cancel(f->client, r), 0);
    assert_int_equal(haul_client_wait_ms(f->client), 0);
}

static void assert_ended(const struct end *e, enum haul_code code, unsigned attempts)
{
    assert_int_equal(e->calls, 1);
    assert_int_equal(e->error.code, code);
    assert_int_equal(e->result.attempts, attempts);
}

static void a_cancelled_request_ends_in_the_next_run(void **state)
{
    struct fixture *f = *state;
    struct end waiting = { .calls = 0 }, moving = { .calls = 0 };
    struct haul_error err;
    struct source from = { .data = "some bytes" };
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL),
                        put = put_of(f, "k", &from, 10);
    renew_client(f, (struct haul_client_options){ .connections = 1 });
    s3_fault(f->s3, "ListObjectsV2 always gate=g");
    submit(f, &list, &moving);
    submit(f, &put, &waiting);
    run_until_in_flight(f, 1);

    cancel(f, &put);
    cancel(f, &put); /* not yet delivered: still there */
    assert_int_equal(waiting.calls, 0);
    assert_int_equal(haul_client_run(f->client, 1000000, &err), 1);
    assert_ended(&waiting, HAUL_CANCELLED, 0);
    assert_false(waiting.result.outcome_unknown);
    assert_int_equal(haul_client_cancel(f->client, &put), -1);

    cancel(f, &list);
    assert_int_equal(haul_client_run(f->client, 1000000, &err), 0);
    assert_ended(&moving, HAUL_CANCELLED, 1);
    assert_true(moving.result.outcome_unknown);
    s3_open(f->s3, "g");
    succeed(f, &put);
    assert_int_equal(s3_count(f->s3, "PutObject"), 1);
}

static void all_submissions_of_a_request_are_cancelled_its_retry_too(void **state)
{
    struct fixture *f = *state;
    struct end ends[3] = { { .calls = 0 } };
    struct haul_error err;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    submit_stuck(f, &list, ends);
    cancel(f, &list);
    assert_int_equal(haul_client_run(f->client, 1000000, &err), 0);
    assert_cancelled(ends);
    assert_int_equal(haul_client_wait_ms(f->client), -1);
}

/* Whoever ends first cancels the others. */
struct race {
    struct fixture *f;
    struct runner {
        struct race *race;
        struct haul_request list;
        struct end end;
    } runners[4];
    bool won;
};

static void on_finish(void *payload, const struct haul_result *result)
{
    struct runner *r = payload;
    on_end(&r->end, result);
    assert_int_equal(haul_client_cancel(r->race->f->client, &r->list), -1);
    if (r->race->won)
        return;
    r->race->won = true;
    for (size_t i = 0; i < 4; i++)
        if (&r->race->runners[i] != r)
            cancel(r->race->f, &r->race->runners[i].list);
}

/* Three replies come in one turn, and the fourth request has not been sent. */
static void a_callback_may_cancel_what_has_just_finished(void **state)
{
    struct fixture *f = *state;
    struct race race = { .f = f };
    struct haul_error err;
    unsigned cancelled = 0;
    renew_client(f, (struct haul_client_options){ .connections = 3 });
    s3_fault(f->s3, "ListObjectsV2 always gate=g");
    for (size_t i = 0; i < 4; i++) {
        struct runner *r = &race.runners[i];
        *r = (struct runner){ .race = &race, .list = request(f, HAUL_LIST_OBJECTS, NULL) };
        assert_int_equal(haul_client_submit(f->client, &r->list, on_finish, r, &err), 0);
    }
    run_until_in_flight(f, 3);
    s3_open(f->s3, "g");
    while (s3_count(f->s3, "in_flight") > 0)
        continue;
    run_all(f);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(race.runners[i].end.calls, 1);
        cancelled += race.runners[i].end.error.code == HAUL_CANCELLED;
    }
    assert_int_equal(cancelled, 3);
    assert_int_equal(s3_count(f->s3, "ListObjectsV2"), 3);
}

struct taker {
    struct fixture *f;
    struct haul_request request;
    unsigned writes;
};

static int write_and_cancel(void *payload, uint64_t offset, const void *data, size_t len)
{
    struct taker *t = payload;
    (void) offset, (void) data, (void) len;
    t->writes++;
    cancel(t->f, &t->request);
    return 0;
}

static void a_sink_may_cancel_its_own_request(void **state)
{
    struct fixture *f = *state;
    struct taker t = { .f = f, .request = request(f, HAUL_GET_OBJECT, "k") };
    free(stored(f, "k", 2 * MIB));
    t.request.sink = (struct haul_sink){ write_and_cancel, &t };
    struct end e = perform(f, &t.request);
    assert_ended(&e, HAUL_CANCELLED, 1);
    assert_true(t.writes >= 1);
}

static ssize_t read_and_cancel(void *payload, uint64_t offset, void *data, size_t len)
{
    struct taker *t = payload;
    (void) offset;
    cancel(t->f, &t->request);
    memset(data, 'x', len);
    return (ssize_t) len;
}

static void a_body_may_cancel_its_own_request_while_it_is_hashed(void **state)
{
    struct fixture *f = *state;
    struct taker t = { .f = f, .request = request(f, HAUL_PUT_OBJECT, "k") };
    t.request.body = (struct haul_body){ read_and_cancel, &t, 1000 };
    struct end e = perform(f, &t.request);
    assert_ended(&e, HAUL_CANCELLED, 1);
}

/* Submits and cancels itself again each time. */
static void on_reborn(void *payload, const struct haul_result *result)
{
    struct chain *c = payload;
    struct haul_error err;
    c->done += result->error.code == HAUL_CANCELLED && result->attempts == 0;
    if (c->left-- > 0) {
        assert_int_equal(haul_client_submit(c->f->client, c->request, on_reborn, c, &err), 0);
        cancel(c->f, c->request);
    }
}

static void what_a_callback_cancels_ends_in_another_run(void **state)
{
    struct fixture *f = *state;
    struct haul_error err;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    struct chain c = { f, &list, 20, 0 };
    unsigned runs = 1;
    assert_int_equal(haul_client_submit(f->client, &list, on_reborn, &c, &err), 0);
    cancel(f, &list);
    while (haul_client_run(f->client, 1000000, &err) > 0)
        runs++;
    assert_int_equal(c.done, 21);
    assert_int_equal(runs, 21);
    assert_int_equal(s3_count(f->s3, "ListObjectsV2"), 0);
}

/* ---- Limits and order ---- */

static void no_more_requests_are_in_flight_than_connections_allow(void **state)
{
    struct fixture *f = *state;
    struct end ends[6] = { { .calls = 0 } };
    struct haul_error err;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    renew_client(f, (struct haul_client_options){ .connections = 2 });
    s3_fault(f->s3, "ListObjectsV2 always gate=g");
    for (size_t i = 0; i < 6; i++)
        submit(f, &list, &ends[i]);
    run_until_in_flight(f, 2);
    assert_true(haul_client_wait_ms(f->client) != 0); /* those who wait are not due */
    for (int i = 0; i < 5; i++)
        assert_int_equal(haul_client_run(f->client, 10, &err), 6);
    s3_open(f->s3, "g");
    run_all(f);
    for (size_t i = 0; i < 6; i++)
        assert_ended(&ends[i], HAUL_OK, 1);
    assert_int_equal(s3_count(f->s3, "in_flight_max"), 2);
}

struct order {
    char text[64];
};

struct place {
    struct order *order;
    const char *name;
};

static void on_place(void *payload, const struct haul_result *result)
{
    struct place *p = payload;
    assert_int_equal(result->error.code, HAUL_OK);
    strcat(p->order->text, p->name);
}

static void requests_are_sent_in_the_order_of_their_submission(void **state)
{
    enum { COUNT = 8 };
    struct fixture *f = *state;
    struct haul_error err;
    struct source from = { .data = "some bytes" };
    struct order order = { "" };
    struct haul_request puts[COUNT];
    struct place places[COUNT];
    static const char *const keys[COUNT] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    renew_client(f, (struct haul_client_options){ .connections = 1 });
    /* What has to be sent again at once goes before what was submitted later. */
    s3_fault(f->s3, "PutObject key=a nth=1 status=400 code=RequestTimeout\n"
                    "PutObject key=d nth=1 status=400 code=RequestTimeout");
    for (size_t i = 0; i < COUNT; i++) {
        puts[i] = put_of(f, keys[i], &from, 10);
        places[i] = (struct place){ &order, keys[i] };
        assert_int_equal(
            haul_client_submit(f->client, &puts[i], on_place, &places[i], &err), 0);
    }
    run_all(f);
    assert_string_equal(order.text, "abcdefgh");
    assert_int_equal(s3_count(f->s3, "PutObject"), COUNT + 2);
}

/* ---- Kept results ---- */

static void on_keep(void *payload, const struct haul_result *result)
{
    *(const struct haul_result **) payload = client_keep(result);
}

static void a_kept_result_outlives_its_client(void **state)
{
    struct fixture *f = *state;
    struct haul_error err;
    const struct haul_result *listed = NULL, *put = NULL, *refused = NULL;
    struct source from = { .data = "some bytes" };
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL),
                        first = put_of(f, "k", &from, 10),
                        get = request(f, HAUL_GET_OBJECT, "not there");
    assert_int_equal(haul_client_perform(f->client, &first, on_keep, &put, &err), 0);
    assert_int_equal(haul_client_perform(f->client, &list, on_keep, &listed, &err), 0);
    assert_int_equal(haul_client_perform(f->client, &get, on_keep, &refused, &err), -1);
    haul_client_free(f->client);
    f->client = NULL;
    assert_int_equal(listed->listing.count, 1);
    assert_string_equal(listed->listing.entries[0].key, "k");
    assert_string_equal(listed->listing.entries[0].etag, put->etag);
    assert_string_equal(refused->error.aws_code, "NoSuchKey");
    client_release(listed);
    client_release(put);
    client_release(refused);
    client_release(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_that_breaks_the_manual_is_refused_at_once),
        TEST(a_stopped_client_ends_all_that_it_had_and_gets),
        TEST(a_client_may_be_freed_with_requests_in_flight),
        TEST(bytes_of_a_cancelled_attempt_are_counted_once),
        TEST(many_requests_end_exactly_once_each),
        TEST(a_callback_may_submit_the_next_request),
        TEST(the_successor_of_an_unsendable_request_is_not_kept_waiting),
        TEST(a_cancelled_request_ends_in_the_next_run),
        TEST(all_submissions_of_a_request_are_cancelled_its_retry_too),
        TEST(a_callback_may_cancel_what_has_just_finished),
        TEST(a_sink_may_cancel_its_own_request),
        TEST(a_body_may_cancel_its_own_request_while_it_is_hashed),
        TEST(what_a_callback_cancels_ends_in_another_run),
        TEST(no_more_requests_are_in_flight_than_connections_allow),
        TEST(requests_are_sent_in_the_order_of_their_submission),
        TEST(a_kept_result_outlives_its_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
