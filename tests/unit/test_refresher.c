/* credentials.c and refresher.c: when a source is asked again, by whom, and how often. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/refresher.h>

#include "fake_source.h"

#define HOUR (3600 * (int64_t) 1000)
#define THREADS 4

/* ---- When ---- */

/* Case 45. */
static void keys_are_due_in_the_last_quarter_of_their_life(void **state)
{
    (void) state;
    static const struct {
        int64_t obtained, expires, offset; /* ms */
        unsigned failures;
        int64_t failed, earliest, latest;
    } cases[] = {
        /* Of long lives the last ten minutes at most. */
        { 0, HOUR, 0, 0, 0, HOUR - 600000, HOUR - 300000 },
        { 0, 12 * HOUR, 0, 0, 0, 12 * HOUR - 600000, 12 * HOUR - 300000 },
        { 0, 16 * 60000, 0, 0, 0, 12 * 60000, 14 * 60000 },
        { 5000, 45000, 0, 0, 0, 35000, 40000 },
        /* By our clock, when the issuer's is a minute ahead, or behind. */
        { 0, 100000, 60000, 0, 0, 30000, 35000 },
        { 0, 40000, -60000, 0, 0, 75000, 87500 },
        /* A second is left in between, whatever they say. */
        { 7000, 7100, 0, 0, 0, 8000, 8000 },
        { 7000, 7001, 0, 0, 0, 8000, 8000 },
        { 7000, 5000, 0, 0, 0, 8000, 8000 },
        /* After failures: 1 s, 2 s, 4 s... of which the second half is random. */
        { 0, HOUR, 0, 1, 100000, 100500, 101000 },
        { 0, HOUR, 0, 2, 100000, 101000, 102000 },
        { 0, HOUR, 0, 6, 100000, 116000, 132000 },
        { 0, HOUR, 0, 7, 100000, 130000, 160000 },
        { 0, HOUR, 0, 8, 100000, 130000, 160000 },
        { 0, HOUR, 0, 4000000000, 100000, 130000, 160000 },
        /* Also when they have expired long since. */
        { 0, 1, 0, 1, 5 * HOUR, 5 * HOUR + 500, 5 * HOUR + 1000 },
        /* Nobody asks for what lasts. */
        { 0, KEYS_NEVER_EXPIRE, 0, 0, 0, INT64_MAX, INT64_MAX },
        { 0, KEYS_NEVER_EXPIRE, 0, 3, 5, INT64_MAX, INT64_MAX },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keys k = { .obtained_ms = cases[i].obtained,
            .expires_ms = cases[i].expires,
            .issuer_offset_ms = cases[i].offset };
        int64_t last = keys_due_ms(&k, cases[i].failures, cases[i].failed, 0),
                first = keys_due_ms(&k, cases[i].failures, cases[i].failed, UINT32_MAX);
        if (cases[i].failures > 0) { /* there, more is later */
            int64_t swapped = first;
            first = last;
            last = swapped;
        }
        if (llabs(first - cases[i].earliest) > 1 || llabs(last - cases[i].latest) > 1)
            fail_msg("%zu: %lld to %lld", i, (long long) first, (long long) last);
        int64_t middle = keys_due_ms(&k, cases[i].failures, cases[i].failed, UINT32_MAX / 2);
        if (llabs(middle - (first + (last - first) / 2)) > 1)
            fail_msg("%zu: %lld is not between %lld and %lld", i, (long long) middle,
                (long long) first, (long long) last);
    }
}

/* ---- Without a refresher ---- */

/* Returns the source, or NULL when it gets the second keys. */
static void *take_second_keys(void *payload)
{
    return strcmp(fake_source_token(payload), "t2") == 0 ? NULL : payload;
}

/* All of them find the keys worthless while the one that was first is asking. */
static void assert_one_ask_for_all(struct fake_source *s)
{
    pthread_t threads[THREADS];
    fake_source_close(s);
    fake_source_expire(s);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_second_keys, s), 0);
    fake_source_wait(s, 2);
    fake_source_open(s);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(fake_source_asks(s), 2);
}

static void four_threads_with_expired_keys_ask_once(void **state)
{
    (void) state;
    struct fake_source *s = fake_source_new(0);
    assert_one_ask_for_all(s);
    fake_source_free(s);
}

static void keys_that_have_expired_by_the_clock_are_fetched(void **state)
{
    (void) state;
    struct fake_source *s = fake_source_new(1000);
    while (strcmp(fake_source_token(s), "t1") == 0)
        continue;
    fake_source_free(s);
}

static int hold_fails(struct fake_source *s, struct haul_error *err)
{
    const struct keys *k;
    return credentials_hold(s->keys, &k, err);
}

static void a_source_that_fails_is_left_alone_for_a_while(void **state)
{
    (void) state;
    struct haul_error err;
    struct fake_source *s = fake_source_new(HOUR);
    fake_source_expire(s);
    fake_source_fail(s, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hold_fails(s, &err), -1);
        assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
        assert_int_equal(err.retry, HAUL_RETRY_WHEN_FIXED);
        assert_non_null(strstr(err.text, "nobody is at home"));
    }
    assert_int_equal(fake_source_asks(s), 2);
    fake_source_free(s);
}

/* What failed ahead of need does not count when the need is there. */
static void refused_keys_are_fetched_even_after_a_failure(void **state)
{
    (void) state;
    struct haul_error err;
    struct fake_source *s = fake_source_new(HOUR);
    fake_source_fail(s, 1);
    assert_int_equal(haul_credentials_refresh(s->keys, &err), -1);
    assert_int_equal(err.code, HAUL_NETWORK);
    assert_string_equal(fake_source_token(s), "t1");
    fake_source_expire(s);
    assert_string_equal(fake_source_token(s), "t3");
    fake_source_free(s);
}

static void the_same_keys_again_are_no_fresh_ones(void **state)
{
    (void) state;
    struct haul_error err;
    struct fake_source *s = fake_source_new(HOUR);
    s->repeats = true;
    assert_int_equal(haul_credentials_refresh(s->keys, &err), 0); /* why not, as yet */
    fake_source_expire(s);
    assert_int_equal(hold_fails(s, &err), -1);
    assert_non_null(strstr(err.text, "no others"));
    s->repeats = false;
    assert_int_equal(haul_credentials_refresh(s->keys, &err), 0);
    assert_string_equal(fake_source_token(s), "t4");
    fake_source_free(s);
}

static void half_a_pair_takes_no_whole_ones_place(void **state)
{
    (void) state;
    struct haul_error err;
    struct fake_source *s = fake_source_new(HOUR);
    s->gives_half = true;
    assert_int_equal(haul_credentials_refresh(s->keys, &err), -1);
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
    assert_non_null(strstr(err.text, "the secret is missing"));
    assert_string_equal(fake_source_token(s), "t1");
    fake_source_free(s);
}

static struct keys *give_old_ones(void *state, struct inquirer *i, struct haul_error *err)
{
    (void) state, (void) i;
    struct keys *k = keys_new("the test", "id", "secret", NULL, err);
    k->expires_ms = 1;
    return k;
}

static void keys_that_come_expired_are_none(void **state)
{
    (void) state;
    struct haul_error err;
    const struct credentials_kind kind = { "old", give_old_ones, NULL };
    assert_null(credentials_new(&kind, NULL, NULL, NULL, &err));
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
    assert_non_null(strstr(err.text, "expired"));
}

static void a_server_that_speaks_of_older_keys_is_late(void **state)
{
    (void) state;
    struct haul_error err;
    const struct keys *old;
    struct fake_source *s = fake_source_new(0);
    assert_int_equal(credentials_hold(s->keys, &old, &err), 0);
    assert_int_equal(haul_credentials_refresh(s->keys, &err), 0);
    assert_true(credentials_refused(s->keys, old));
    assert_string_equal(old->token, "t1"); /* whoever holds them can go on */
    assert_string_equal(fake_source_token(s), "t2");
    fake_source_expire(s);
    assert_true(credentials_refused(s->keys, old)); /* which does not acquit the second ones */
    assert_string_equal(fake_source_token(s), "t3");
    keys_release(old);
    fake_source_free(s);
}

/* ---- With one ---- */

static struct haul_refresher *start(struct fake_source *s)
{
    struct haul_error err;
    struct haul_refresher *r = haul_refresher_start(&s->keys, 1, &err);
    if (r == NULL)
        fail_msg("%s", err.text);
    return r;
}

/* Case 45. */
static void keys_are_fetched_before_anybody_needs_them(void **state)
{
    (void) state;
    struct fake_source *s = fake_source_new(1200);
    struct haul_refresher *r = start(s);
    fake_source_wait(s, 3);
    haul_refresher_stop(r);
    fake_source_free(s);
}

static void a_refusal_wakes_it_and_requests_do_not_block(void **state)
{
    (void) state;
    struct haul_error err;
    const struct keys *k;
    struct fake_source *s = fake_source_new(0);
    struct haul_refresher *r = start(s);
    fake_source_close(s);
    fake_source_expire(s);
    assert_int_equal(credentials_hold(s->keys, &k, &err), 1);
    fake_source_wait(s, 2);
    assert_int_equal(credentials_hold(s->keys, &k, &err), 1);
    fake_source_open(s);
    assert_string_equal(fake_source_token(s), "t2");
    haul_refresher_stop(r);
    fake_source_free(s);
}

static void it_asks_once_for_four_threads(void **state)
{
    (void) state;
    struct fake_source *s = fake_source_new(HOUR);
    struct haul_refresher *r = start(s);
    assert_one_ask_for_all(s);
    haul_refresher_stop(r);
    assert_int_equal(fake_source_asks(s), 2);
    fake_source_free(s);
}

/* Nobody waits: it does so by itself. And nobody but the caller has told it of the first. */
static void it_goes_on_after_failures(void **state)
{
    (void) state;
    struct haul_error err;
    struct fake_source *s = fake_source_new(HOUR);
    struct haul_refresher *r = start(s);
    for (int i = 0; i < 2; i++) { /* then it sleeps for an hour */
        fake_source_expire(s);
        assert_string_equal(fake_source_token(s), i == 0 ? "t2" : "t3");
    }
    fake_source_fail(s, 2);
    assert_int_equal(haul_credentials_refresh(s->keys, &err), -1);
    fake_source_wait(s, 6);
    haul_refresher_stop(r);
    fake_source_free(s);
}

static void requests_fail_when_it_finds_no_keys(void **state)
{
    (void) state;
    struct haul_error err;
    const struct keys *k;
    struct fake_source *s = fake_source_new(HOUR);
    struct haul_refresher *r = start(s);
    fake_source_fail(s, 1);
    fake_source_expire(s);
    assert_int_equal(credentials_await(s->keys, NULL, &k, &err), -1);
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
    assert_non_null(strstr(err.text, "nobody is at home"));
    fake_source_wait(s, 3); /* by itself, after a while */
    assert_string_equal(fake_source_token(s), "t3");
    haul_refresher_stop(r);
    fake_source_free(s);
}

/* Who was waiting for it asks by itself. */
static void its_end_is_that_of_its_inquiry_and_of_nobody_elses(void **state)
{
    (void) state;
    pthread_t thread;
    void *wrong;
    struct fake_source *s = fake_source_new(0);
    struct haul_refresher *r = start(s);
    fake_source_close(s);
    fake_source_expire(s);
    assert_int_equal(pthread_create(&thread, NULL, take_second_keys, s), 0);
    fake_source_wait(s, 2);
    haul_refresher_stop(r); /* at a closed gate */
    fake_source_wait(s, 3);
    fake_source_open(s);
    pthread_join(thread, &wrong);
    assert_non_null(wrong); /* t3: it was not the cancelled one that gave them */
    assert_string_equal(fake_source_token(s), "t3");
    fake_source_free(s);
}

static void credentials_have_one_refresher_at_a_time(void **state)
{
    (void) state;
    struct haul_error err;
    struct fake_source *s = fake_source_new(HOUR), *other = fake_source_new(HOUR);
    struct haul_refresher *r = start(s);
    struct haul_credentials *const both[] = { other->keys, s->keys };
    struct haul_credentials *const twice[] = { other->keys, other->keys };
    assert_null(haul_refresher_start(both, 2, &err));
    assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
    assert_null(haul_refresher_start(twice, 2, &err));
    assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
    haul_refresher_stop(start(other)); /* it was let go each time */
    haul_refresher_stop(r);
    haul_refresher_stop(start(s));
    fake_source_free(s);
    fake_source_free(other);
}

static void what_never_changes_is_passed_over(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_credentials *fixed = haul_credentials_static("id", "secret", NULL, &err),
                            *none = haul_credentials_anonymous(&err);
    struct haul_credentials *const all[] = { fixed, NULL, none, fixed };
    struct haul_refresher *r = haul_refresher_start(all, 4, &err);
    assert_non_null(r);
    haul_refresher_stop(r);
    haul_refresher_stop(NULL);
    haul_credentials_free(fixed);
    haul_credentials_free(none);
}

static void signals_are_for_other_threads(void **state)
{
    (void) state;
    struct fake_source *s = fake_source_new(0);
    sigset_t own;
    assert_int_equal(sigismember(&s->blocked, SIGINT), 0);
    struct haul_refresher *r = start(s);
    fake_source_close(s);
    fake_source_expire(s);
    fake_source_open(s);
    assert_string_equal(fake_source_token(s), "t2");
    haul_refresher_stop(r);
    assert_int_equal(sigismember(&s->blocked, SIGINT), 1);
    assert_int_equal(sigismember(&s->blocked, SIGTERM), 1);
    pthread_sigmask(SIG_BLOCK, NULL, &own);
    assert_int_equal(sigismember(&own, SIGINT), 0);
    fake_source_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_due_in_the_last_quarter_of_their_life),
        cmocka_unit_test(four_threads_with_expired_keys_ask_once),
        cmocka_unit_test(keys_that_have_expired_by_the_clock_are_fetched),
        cmocka_unit_test(a_source_that_fails_is_left_alone_for_a_while),
        cmocka_unit_test(refused_keys_are_fetched_even_after_a_failure),
        cmocka_unit_test(the_same_keys_again_are_no_fresh_ones),
        cmocka_unit_test(half_a_pair_takes_no_whole_ones_place),
        cmocka_unit_test(keys_that_come_expired_are_none),
        cmocka_unit_test(a_server_that_speaks_of_older_keys_is_late),
        cmocka_unit_test(keys_are_fetched_before_anybody_needs_them),
        cmocka_unit_test(a_refusal_wakes_it_and_requests_do_not_block),
        cmocka_unit_test(it_asks_once_for_four_threads),
        cmocka_unit_test(it_goes_on_after_failures),
        cmocka_unit_test(requests_fail_when_it_finds_no_keys),
        cmocka_unit_test(its_end_is_that_of_its_inquiry_and_of_nobody_elses),
        cmocka_unit_test(credentials_have_one_refresher_at_a_time),
        cmocka_unit_test(what_never_changes_is_passed_over),
        cmocka_unit_test(signals_are_for_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
