/* How many requests a second a bucket is given: played through in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "pace.h"

#define CLIENTS 16
#define PATIENT 300000

/* A server that serves so many requests a second, each in 5 ms. */
struct server {
    double limit; /* a second; 0: it is gone */
    double tokens;
    unsigned served, refused;
};

/* As many clients as there are ask it from `*now` on, for so long. A request that was refused
 * is sent again at once, so that the pace is all that holds it back. */
static void play(struct pace *p, struct server *s, int64_t *now, int64_t ms, unsigned clients)
{
    int64_t busy_until[CLIENTS] = { 0 }, began[CLIENTS] = { 0 };
    s->served = s->refused = 0;
    for (int64_t end = *now + ms; *now < end; ++*now) {
        s->tokens += s->limit / 1000;
        if (s->tokens > s->limit / 10 + 1)
            s->tokens = s->limit / 10 + 1;
        for (unsigned i = 0; i < clients; i++) {
            if (busy_until[i] > *now)
                continue;
            if (busy_until[i] > 0) {
                bool serves = s->limit > 0 && s->tokens >= 1;
                s->tokens -= serves;
                s->served += serves;
                s->refused += !serves;
                pace_note(p,
                    serves         ? PACE_SERVED
                    : s->limit > 0 ? PACE_SLOWED
                                   : PACE_UNSERVED,
                    began[i], *now);
                busy_until[i] = 0;
            }
            if (pace_wait_ms(p, *now, PATIENT) == 0) {
                began[i] = *now;
                busy_until[i] = *now + 5;
            }
        }
    }
}

static void nothing_waits_while_a_server_serves(void **state)
{
    (void) state;
    struct pace p = { 0 };
    for (int64_t now = 1000; now < 2000; now++) {
        for (int i = 0; i < 100; i++)
            assert_int_equal(pace_wait_ms(&p, now, PATIENT), 0);
        pace_note(&p, PACE_SERVED, now, now);
    }
}

static void single_failures_slow_nobody_down(void **state)
{
    (void) state;
    struct pace p = { 0 };
    for (int64_t now = 1000; now < 5000; now++) {
        pace_note(&p, now % 10 < 5 ? PACE_UNSERVED : PACE_SERVED, now, now);
        assert_int_equal(pace_wait_ms(&p, now, PATIENT), 0);
    }
}

/* Case 54. */
static void a_refusal_now_and_then_slows_nobody_down(void **state)
{
    (void) state;
    struct pace p = { 0 };
    for (int64_t now = 1000; now < 10000; now++) {
        pace_note(&p, now % 100 == 0 ? PACE_SLOWED : PACE_SERVED, now, now);
        assert_int_equal(pace_wait_ms(&p, now, PATIENT), 0);
    }
}

/* Case 54. */
static void a_burst_of_refusals_halves_the_rate_once(void **state)
{
    (void) state;
    struct pace p = { 0 };
    int64_t now = 1000;
    for (; now < 2000; now++)
        pace_note(&p, PACE_SERVED, now, now);
    for (int i = 0; i < 20; i++)
        pace_note(&p, PACE_SLOWED, now - 10 - i, now + i);
    assert_true(p.rate > 400 && p.rate < 600);
    pace_note(&p, PACE_SLOWED, now + 30, now + 40);
    assert_true(p.rate > 200 && p.rate < 300);
}

/* Case 54. */
static void the_rate_finds_what_a_server_takes_and_recovers(void **state)
{
    (void) state;
    static const double limits[] = { 20, 100, 1000 };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct pace p = { 0 };
        struct server s = { .limit = 1e6 };
        int64_t now = 1000;
        play(&p, &s, &now, 2000, CLIENTS);
        unsigned full = s.served;
        assert_int_equal(s.refused, 0);

        s.limit = limits[i];
        play(&p, &s, &now, 10000, CLIENTS); /* it finds it */
        play(&p, &s, &now, 60000, CLIENTS);
        assert_true(s.served > 0.6 * 60 * limits[i]);
        assert_true(s.refused < 0.01 * s.served + 80);

        s.limit = 1e6;
        play(&p, &s, &now, 20000, CLIENTS);
        play(&p, &s, &now, 2000, CLIENTS);
        assert_true(s.served == full && p.rate == 0);
    }
}

/* Case 53. */
static void an_outage_is_no_storm_and_its_end_is_noticed_soon(void **state)
{
    (void) state;
    struct pace p = { 0 };
    struct server s = { .limit = 1e6 };
    int64_t now = 1000;
    play(&p, &s, &now, 2000, CLIENTS);
    unsigned full = s.served;
    s.limit = 0;
    play(&p, &s, &now, 120000, CLIENTS);
    assert_int_equal(s.served, 0);
    assert_true(s.refused >= 60 && s.refused < 120);
    s.limit = 1e6;
    play(&p, &s, &now, 2100, CLIENTS);
    assert_true(s.served > 0);
    play(&p, &s, &now, 15000, CLIENTS);
    play(&p, &s, &now, 2000, CLIENTS);
    assert_int_equal(s.served, full);
}

static void who_has_no_patience_left_need_not_wait_in_a_silence(void **state)
{
    (void) state;
    struct pace p = { 0 };
    int64_t now = 1000;
    for (int i = 0; i < 30; i++, now += 10)
        pace_note(&p, PACE_UNSERVED, now - 5, now);
    assert_true(pace_wait_ms(&p, now, PATIENT) > 100);
    assert_int_equal(pace_silence_ms(&p, now), 300);
    assert_int_equal(pace_wait_ms(&p, now, 300), 0);
    assert_int_equal(pace_wait_ms(&p, now, 0), 0);
    pace_note(&p, PACE_SERVED, now, now);
    assert_int_equal(pace_silence_ms(&p, now), 0);
}

/* The last failure of the day before is not the beginning of an outage. */
static void a_time_in_which_nobody_asks_is_no_silence(void **state)
{
    (void) state;
    struct pace p = { 0 };
    int64_t now = 1000;
    for (int i = 0; i < 30; i++, now += 10)
        pace_note(&p, PACE_UNSERVED, now - 5, now);
    now += 24 * 3600 * 1000;
    pace_note(&p, PACE_UNSERVED, now - 5, now);
    assert_int_equal(pace_silence_ms(&p, now), 0);
    /* But who waits as a server has asked for, or hangs for long, does ask. */
    pace_note(&p, PACE_UNSERVED, now + 60000, now + 60010);
    pace_note(&p, PACE_UNSERVED, now + 50000, now + 660010);
    assert_int_equal(pace_silence_ms(&p, now + 660010), 660010);
}

static void what_an_end_says_of_its_server(void **state)
{
    (void) state;
    static const struct {
        enum haul_code code;
        int status;
        const char *aws_code;
        enum haul_retry retry;
        enum pace_end end;
    } rows[] = {
        { HAUL_OK, 200, "", HAUL_RETRY_NEVER, PACE_SERVED },
        { HAUL_SERVER, 403, "AccessDenied", HAUL_RETRY_NEVER, PACE_SERVED },
        { HAUL_SERVER, 412, "PreconditionFailed", HAUL_RETRY_FROM_START, PACE_SERVED },
        { HAUL_SERVER, 401, "", HAUL_RETRY_WHEN_FIXED, PACE_SERVED },
        { HAUL_SERVER, 500, "InternalError", HAUL_RETRY_LATER, PACE_UNSERVED },
        { HAUL_SERVER, 200, "InternalError", HAUL_RETRY_LATER, PACE_UNSERVED },
        { HAUL_SERVER, 502, "", HAUL_RETRY_LATER, PACE_UNSERVED },
        { HAUL_SERVER, 408, "", HAUL_RETRY_LATER, PACE_UNSERVED },
        { HAUL_SERVER, 403, "", HAUL_RETRY_LATER, PACE_UNSERVED }, /* it was cut off */
        { HAUL_SERVER, 400, "BadDigest", HAUL_RETRY_LATER, PACE_NEUTRAL },
        { HAUL_SERVER, 409, "OperationAborted", HAUL_RETRY_LATER, PACE_NEUTRAL },
        { HAUL_SERVER, 400, "RequestTimeout", HAUL_RETRY_NOW, PACE_NEUTRAL },
        { HAUL_SERVER, 503, "SlowDown", HAUL_RETRY_SLOWER, PACE_SLOWED },
        { HAUL_SERVER, 403, "RequestTimeTooSkewed", HAUL_RETRY_RESIGN, PACE_NEUTRAL },
        { HAUL_NETWORK, 0, "", HAUL_RETRY_LATER, PACE_UNSERVED },
        { HAUL_NETWORK, 0, "", HAUL_RETRY_WHEN_FIXED, PACE_NEUTRAL }, /* a proxy's password */
        { HAUL_BAD_REPLY, 200, "", HAUL_RETRY_LATER, PACE_NEUTRAL },  /* a wrong checksum */
        { HAUL_LOCAL, 0, "", HAUL_RETRY_NEVER, PACE_NEUTRAL },
        { HAUL_CANCELLED, 0, "", HAUL_RETRY_NEVER, PACE_NEUTRAL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct haul_error e = {
            .code = rows[i].code, .retry = rows[i].retry, .http_status = rows[i].status
        };
        snprintf(e.aws_code, sizeof e.aws_code, "%s", rows[i].aws_code);
        assert_int_equal(pace_end_of(&e), rows[i].end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_waits_while_a_server_serves),
        cmocka_unit_test(single_failures_slow_nobody_down),
        cmocka_unit_test(a_refusal_now_and_then_slows_nobody_down),
        cmocka_unit_test(a_burst_of_refusals_halves_the_rate_once),
        cmocka_unit_test(the_rate_finds_what_a_server_takes_and_recovers),
        cmocka_unit_test(an_outage_is_no_storm_and_its_end_is_noticed_soon),
        cmocka_unit_test(who_has_no_patience_left_need_not_wait_in_a_silence),
        cmocka_unit_test(a_time_in_which_nobody_asks_is_no_silence),
        cmocka_unit_test(what_an_end_says_of_its_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
