/* Requests whose keys expire: what the client takes for that, how it signs again, and how it
 * waits. Who fetches fresh ones is test_refresher.c's matter. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/haul.h>

#include "client_fixture.h"
#include "fake_source.h"

#define HOUR (3600 * (int64_t) 1000)
#define SMALL "eleven byte"
#define THREADS 4

struct scene {
    struct fixture *f;          /* its endpoint signs with the source's keys */
    struct fake_source *source; /* of keys that live for an hour */
};

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    void *fixture;
    assert_non_null(s);
    make(&fixture);
    s->f = fixture;
    s->source = fake_source_new(HOUR);
    haul_endpoint_free(s->f->endpoint);
    s->f->endpoint =
        new_endpoint(s->f, (struct haul_endpoint_options){ .credentials = s->source->keys });
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;
    void *fixture = s->f;
    clear(&fixture);
    fake_source_free(s->source);
    free(s);
    return 0;
}

static struct source small_body(void)
{
    return (struct source){ .data = SMALL };
}

static struct end put_small(struct scene *s, const char *key)
{
    struct source body = small_body();
    struct haul_request r = put_of(s->f, key, &body, strlen(SMALL));
    return perform(s->f, &r);
}

static void assert_ok(const struct end *e)
{
    if (e->error.code != HAUL_OK)
        fail_msg("%s", e->error.text);
}

/* ---- Expired by the server's word ---- */

static void a_request_is_signed_again_with_fresh_keys(void **state)
{
    static const char *const refusals[] = { "code=ExpiredToken", "code=ExpiredTokenException",
        "code=TokenRefreshRequired", "code=ExpiredToken early" };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct scene *s = *state;
        char fault[128], token[32];
        size_t size = 3 * MIB;
        char *data = some_bytes(size);
        struct source body = { .data = data };
        struct haul_request put = put_of(s->f, "k", &body, size);
        snprintf(fault, sizeof fault, "PutObject token=t%zu always status=400 %s", i + 1,
            refusals[i]);
        s3_fault(s->f->s3, fault);
        struct end e = perform(s->f, &put);
        assert_ok(&e);
        assert_int_equal(e.result.attempts, 2);
        assert_int_equal(fake_source_asks(s->source), i + 2);
        snprintf(token, sizeof token, "t%zu", i + 2);
        assert_string_equal(fake_source_token(s->source), token);
        assert_stored(s->f, "k", data, size);
        free(data);
    }
}

/* However few retries there are: nothing has failed. */
static void fresh_keys_take_no_retry(void **state)
{
    struct scene *s = *state;
    retry_at_most(s->f, HAUL_NO_RETRIES, 0);
    s3_fault(s->f->s3, "PutObject nth=1 status=400 code=ExpiredToken");
    struct end e = put_small(s, "k");
    assert_ok(&e);
}

/* Ceph says AccessDenied to an expired session, and nobody anything to HEAD. The server's clock
 * tells: two hours ahead of ours, and of the keys. */
static void any_refusal_of_keys_past_their_time_is_an_expiry(void **state)
{
    static const char *const refusals[] = { "status=403 code=AccessDenied",
        "status=400 code=Whatever", "status=401", "status=403 code=InvalidAccessKeyId" };
    struct scene *s = *state;
    char *data = stored(s->f, "k", 10);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        for (int heads = 0; heads < 2; heads++) {
            struct haul_request r =
                request(s->f, heads ? HAUL_HEAD_OBJECT : HAUL_LIST_OBJECTS, heads ? "k" : NULL);
            unsigned asks = fake_source_asks(s->source);
            char fault[128];
            snprintf(
                fault, sizeof fault, "* token=t%u always skew-s=7200 %s", asks, refusals[i]);
            s3_fault(s->f->s3, fault);
            succeed(s->f, &r);
            assert_int_equal(fake_source_asks(s->source), asks + 1);
        }
    free(data);
}

static void a_refusal_in_time_is_no_expiry(void **state)
{
    static const struct {
        const char *refusal;
        enum haul_retry retry;
    } cases[] = {
        { "status=403 code=AccessDenied", HAUL_RETRY_NEVER },
        { "status=403 code=InvalidAccessKeyId", HAUL_RETRY_WHEN_FIXED },
        { "status=400 code=InvalidToken", HAUL_RETRY_WHEN_FIXED },
        { "status=404 code=NoSuchKey skew-s=7200", HAUL_RETRY_NEVER },
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char fault[128];
        snprintf(fault, sizeof fault, "PutObject nth=1 %s", cases[i].refusal);
        s3_fault(s->f->s3, fault);
        struct end e = put_small(s, "k");
        assert_int_equal(e.error.code, HAUL_SERVER);
        assert_int_equal(e.error.retry, cases[i].retry);
        assert_int_equal(e.result.attempts, 1);
    }
    assert_int_equal(fake_source_asks(s->source), 1);
}

static void an_expiry_after_corrections_of_the_clock_is_no_failure(void **state)
{
    struct scene *s = *state;
    retry_at_most(s->f, 10, 0);
    s3_fault(s->f->s3, "PutObject nth=1 status=403 code=RequestTimeTooSkewed skew-s=1800\n"
                       "PutObject nth=2 status=403 code=RequestTimeTooSkewed\n"
                       "PutObject nth=3 status=400 code=ExpiredToken\n"
                       "PutObject nth=4 status=500\n"
                       "PutObject nth=5 status=400 code=ExpiredToken\n"
                       "PutObject nth=6 status=400 code=ExpiredToken\n");
    struct end e = put_small(s, "k");
    assert_ok(&e);
    assert_int_equal(e.result.attempts, 7);
    assert_string_equal(fake_source_token(s->source), "t4");
}

static void a_server_that_takes_no_keys_is_asked_three_times(void **state)
{
    struct scene *s = *state;
    s3_fault(s->f->s3, "PutObject always status=400 code=ExpiredToken");
    struct end e = put_small(s, "k");
    assert_int_equal(e.error.code, HAUL_SERVER);
    assert_string_equal(e.error.aws_code, "ExpiredToken");
    assert_int_equal(e.error.retry, HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(e.result.attempts, 3);
}

static void keys_that_never_change_are_for_somebody_to_mend(void **state)
{
    struct scene *s = *state;
    struct haul_error err;
    struct haul_credentials *fixed =
        haul_credentials_static(S3_ACCESS_KEY, S3_SECRET_KEY, "t0", &err);
    struct haul_endpoint *e =
        new_endpoint(s->f, (struct haul_endpoint_options){ .credentials = fixed });
    struct haul_request list = request(s->f, HAUL_LIST_OBJECTS, NULL);
    list.endpoint = e;
    s3_fault(s->f->s3, "* token=t0 always status=400 code=ExpiredToken");
    struct end got = perform(s->f, &list);
    assert_string_equal(got.error.aws_code, "ExpiredToken");
    assert_int_equal(got.error.retry, HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(got.result.attempts, 1);
    haul_endpoint_free(e);
    haul_credentials_free(fixed);
}

static void without_fresh_keys_it_says_why(void **state)
{
    struct scene *s = *state;
    s3_fault(s->f->s3, "PutObject token=t1 always status=400 code=ExpiredToken");
    fake_source_fail(s->source, 1);
    for (int i = 0; i < 2; i++) { /* the second is not even sent */
        struct end e = put_small(s, "k");
        assert_int_equal(e.error.code, HAUL_NO_CREDENTIALS);
        assert_int_equal(e.error.retry, HAUL_RETRY_WHEN_FIXED);
        assert_non_null(strstr(e.error.text, "nobody is at home"));
        assert_false(e.result.outcome_unknown);
    }
    assert_int_equal(s3_count(s->f->s3, "PutObject"), 1);
    assert_int_equal(fake_source_asks(s->source), 2);
}

/* ---- By our own clock ---- */

static void keys_that_have_expired_are_not_sent(void **state)
{
    struct scene *s = *state;
    fake_source_expire(s->source);
    struct end e = put_small(s, "k");
    assert_ok(&e);
    assert_int_equal(e.result.attempts, 1);
    assert_int_equal(fake_source_asks(s->source), 2);
}

static void an_url_is_presigned_with_fresh_keys(void **state)
{
    struct scene *s = *state;
    struct haul_error err;
    struct haul_request r = request(s->f, HAUL_GET_OBJECT, "k");
    fake_source_expire(s->source);
    char *url = haul_presign(&r, 60, &err);
    assert_non_null(url);
    assert_non_null(strstr(url, "X-Amz-Security-Token=t2"));
    free(url);
    fake_source_expire(s->source);
    fake_source_fail(s->source, 1);
    assert_null(haul_presign(&r, 60, &err));
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
}

/* ---- Many at once ---- */

struct worker {
    struct scene *scene;
    pthread_t thread;
    char id;
    struct haul_error error;
};

/* A client of its own, some requests at once. */
static void *work(void *payload)
{
    struct worker *w = payload;
    struct source bodies[8];
    struct haul_request puts[8];
    struct end ends[8];
    char keys[8][3];
    struct haul_client *c = haul_client_new(NULL, &w->error);
    if (c == NULL)
        return w;
    for (int i = 0; i < 8; i++) {
        snprintf(keys[i], sizeof keys[i], "%c%c", w->id, 'a' + i);
        bodies[i] = small_body();
        puts[i] = put_of(w->scene->f, keys[i], &bodies[i], strlen(SMALL));
        ends[i] = (struct end){ .calls = 0 };
        haul_client_submit(c, &puts[i], on_end, &ends[i], &w->error);
    }
    while (haul_client_run(c, 1000, &w->error) > 0)
        continue;
    haul_client_free(c);
    w->error = (struct haul_error){ .code = HAUL_OK };
    for (int i = 0; i < 8; i++)
        if (ends[i].calls != 1 || ends[i].error.code != HAUL_OK)
            w->error = ends[i].error;
    return w->error.code == HAUL_OK ? NULL : w;
}

/* They find out at about the same time: no reply leaves before all are there. */
static void run_workers(struct scene *s)
{
    struct worker workers[THREADS];
    s3_fault(s->f->s3, "PutObject token=t1 always gate-after=all\n"
                       "PutObject token=t1 always status-after=400 code=ExpiredToken");
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .scene = s, .id = (char) ('a' + i) };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    s3_wait_at(s->f->s3, "all", THREADS * 8);
    s3_open(s->f->s3, "all");
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(workers[i].thread, &failed);
        if (failed != NULL)
            fail_msg("%s", workers[i].error.text);
    }
    assert_int_equal(fake_source_asks(s->source), 2);
    assert_int_equal(s3_count(s->f->s3, "PutObject"), 2 * THREADS * 8);
}

/* Cases 45 and 58. */
static void four_clients_fetch_fresh_keys_once(void **state)
{
    run_workers(*state);
}

static struct haul_refresher *start(struct scene *s)
{
    struct haul_error err;
    struct haul_refresher *r = haul_refresher_start(&s->source->keys, 1, &err);
    if (r == NULL)
        fail_msg("%s", err.text);
    return r;
}

static void four_clients_let_the_refresher_fetch_them_once(void **state)
{
    struct scene *s = *state;
    struct haul_refresher *r = start(s);
    run_workers(s);
    haul_refresher_stop(r);
}

/* ---- While fresh ones are on their way ---- */

static void what_is_under_way_keeps_its_keys(void **state)
{
    struct scene *s = *state;
    char headers[4096];
    struct sink sink = { .data = NULL };
    struct end of_get = { .calls = 0 }, of_put = of_get;
    struct source body = small_body();
    char *data = stored(s->f, "k", 10);
    struct haul_request get = get_of(s->f, "k", &sink);
    struct haul_request put = put_of(s->f, "p", &body, strlen(SMALL));
    struct haul_refresher *r = start(s);
    s3_fault(s->f->s3, "GetObject nth=1 gate=slow");
    submit(s->f, &get, &of_get);
    run_until_in_flight(s->f, 1);
    fake_source_expire(s->source);
    submit(s->f, &put, &of_put);
    while (of_put.calls == 0) {
        struct haul_error err;
        assert_int_not_equal(haul_client_run(s->f->client, 1000, &err), -1);
    }
    assert_int_equal(of_get.calls, 0);
    assert_ok(&of_put);
    s3_open(s->f->s3, "slow");
    run_all(s->f);
    assert_ok(&of_get);
    assert_int_equal(of_get.result.attempts, 1);
    s3_headers(s->f->s3, "GetObject", headers, sizeof headers);
    assert_non_null(strstr(headers, "x-amz-security-token: t1\n"));
    assert_memory_equal(sink.data, data, 10);
    haul_refresher_stop(r);
    free(sink.data);
    free(data);
}

/* Submits a request that waits for keys which the source will not give, and runs a bit. */
static void wait_for_keys(struct scene *s, const struct haul_request *r, struct end *e)
{
    struct haul_error err;
    fake_source_close(s->source);
    fake_source_expire(s->source);
    submit(s->f, r, e);
    for (unsigned asks = 0; asks < 2; asks = fake_source_asks(s->source))
        assert_int_equal(haul_client_run(s->f->client, 10, &err), 1);
    assert_int_equal(haul_client_run(s->f->client, 60, &err), 1); /* looks, and waits again */
    assert_in_range(haul_client_wait_ms(s->f->client), 0, 50);
    assert_int_equal(e->calls, 0);
}

static void a_request_that_waits_for_keys_has_not_been_tried(void **state)
{
    struct scene *s = *state;
    struct haul_refresher *r = start(s);
    struct source body = small_body();
    struct haul_request put = put_of(s->f, "k", &body, strlen(SMALL));
    struct end e = { .calls = 0 };
    wait_for_keys(s, &put, &e);
    fake_source_open(s->source);
    run_all(s->f);
    assert_ok(&e);
    assert_int_equal(e.result.attempts, 1);
    haul_refresher_stop(r);
}

static void a_request_that_waits_for_keys_can_be_cancelled(void **state)
{
    struct scene *s = *state;
    struct haul_refresher *r = start(s);
    struct haul_request list = request(s->f, HAUL_LIST_OBJECTS, NULL);
    struct end e = { .calls = 0 };
    wait_for_keys(s, &list, &e);
    assert_int_equal(haul_client_cancel(s->f->client, &list), 0);
    run_all(s->f);
    assert_int_equal(e.error.code, HAUL_CANCELLED);
    haul_refresher_stop(r);
    fake_source_open(s->source);
}

static void a_client_that_waits_for_keys_can_be_stopped(void **state)
{
    struct scene *s = *state;
    struct haul_refresher *r = start(s);
    struct haul_request list = request(s->f, HAUL_LIST_OBJECTS, NULL);
    struct end e = { .calls = 0 };
    wait_for_keys(s, &list, &e);
    haul_client_stop(s->f->client);
    run_all(s->f);
    assert_int_equal(e.calls, 1);
    assert_int_equal(e.error.code, HAUL_CANCELLED);
    haul_refresher_stop(r);
    fake_source_open(s->source);
}

/* The refresher gone, the request sees to its keys itself. */
static void a_request_that_waits_outlives_the_refresher(void **state)
{
    struct scene *s = *state;
    struct haul_refresher *r = start(s);
    struct haul_request list = request(s->f, HAUL_LIST_OBJECTS, NULL);
    struct end e = { .calls = 0 };
    wait_for_keys(s, &list, &e);
    haul_refresher_stop(r);
    fake_source_open(s->source);
    run_all(s->f);
    assert_ok(&e);
    assert_int_equal(fake_source_asks(s->source), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_signed_again_with_fresh_keys),
        TEST(fresh_keys_take_no_retry),
        TEST(any_refusal_of_keys_past_their_time_is_an_expiry),
        TEST(a_refusal_in_time_is_no_expiry),
        TEST(an_expiry_after_corrections_of_the_clock_is_no_failure),
        TEST(a_server_that_takes_no_keys_is_asked_three_times),
        TEST(keys_that_never_change_are_for_somebody_to_mend),
        TEST(without_fresh_keys_it_says_why),
        TEST(keys_that_have_expired_are_not_sent),
        TEST(an_url_is_presigned_with_fresh_keys),
        TEST(four_clients_fetch_fresh_keys_once),
        TEST(four_clients_let_the_refresher_fetch_them_once),
        TEST(what_is_under_way_keeps_its_keys),
        TEST(a_request_that_waits_for_keys_has_not_been_tried),
        TEST(a_request_that_waits_for_keys_can_be_cancelled),
        TEST(a_client_that_waits_for_keys_can_be_stopped),
        TEST(a_request_that_waits_outlives_the_refresher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
