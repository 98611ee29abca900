/* Who drives the loop, and what ends its wait: other threads, signals, somebody else's epoll.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "client_fixture.h"

/* ---- Wake-ups ---- */

struct waker {
    struct fixture *f;
    atomic_bool woken;
};

static void *wake(void *payload)
{
    struct waker *w = payload;
    s3_wait_at(w->f->s3, "g", 1);
    atomic_store(&w->woken, true);
    haul_client_wake(w->f->client);
    return NULL;
}

static void another_thread_can_wake_the_loop(void **state)
{
    struct fixture *f = *state;
    struct waker w = { .f = f };
    struct end e = { .calls = 0 };
    struct haul_error err;
    pthread_t thread;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    s3_fault(f->s3, "ListObjectsV2 always gate=g");
    submit(f, &list, &e);
    assert_int_equal(pthread_create(&thread, NULL, wake, &w), 0);
    while (!atomic_load(&w.woken)) /* a lost wake-up would hang here until the test's limit */
        assert_int_equal(haul_client_run(f->client, 1000000, &err), 1);
    pthread_join(thread, NULL);
    assert_int_equal(e.calls, 0);
    s3_open(f->s3, "g");
    run_all(f);
    assert_int_equal(e.error.code, HAUL_OK);
}

static bool is_readable(const struct fixture *f)
{
    struct pollfd p = { .fd = haul_client_fd(f->client), .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}

static void many_wakes_are_seen_by_one_turn(void **state)
{
    struct fixture *f = *state;
    struct haul_error err;
    run_all(f);
    assert_false(is_readable(f));
    for (int i = 0; i < 1000; i++)
        haul_client_wake(f->client);
    assert_true(is_readable(f));
    assert_int_equal(haul_client_run(f->client, 1000000, &err), 0);
    assert_false(is_readable(f));
}

static struct haul_client *interrupted;
static void on_signal(int number)
{
    (void) number;
    haul_client_stop(interrupted);
}

static void a_signal_handler_can_stop_the_client(void **state)
{
    struct fixture *f = *state;
    struct end e = { .calls = 0 };
    struct haul_error err;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    struct sigaction action = { .sa_handler = on_signal }, before;
    interrupted = f->client;
    sigaction(SIGALRM, &action, &before);
    s3_fault(f->s3, "ListObjectsV2 always gate=g");
    submit(f, &list, &e);
    run_until_in_flight(f, 1);
    setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = 50000 }, NULL);
    while (e.calls == 0) /* a lost stop would hang here until the test's limit */
        assert_true(haul_client_run(f->client, 1000000, &err) >= 0);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(e.error.code, HAUL_CANCELLED);
    assert_true(e.result.outcome_unknown);
    assert_int_equal(haul_client_run(f->client, 0, &err), 0);
}

static void other_programs_inherit_no_connection(void **state)
{
    struct fixture *f = *state;
    unsigned connections = 0;
    run_all(f); /* the fixture's connection is kept */
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in at;
        socklen_t len = sizeof at;
        if (getpeername(fd, (struct sockaddr *) &at, &len) < 0 || at.sin_family != AF_INET)
            continue;
        connections++;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    assert_int_equal(connections, 1);
    assert_true(fcntl(haul_client_fd(f->client), F_GETFD) & FD_CLOEXEC);
}

/* ---- Somebody else's loop ---- */

/* Drives the clients until none has anything under way, or for so long. Returns its turns. */
static unsigned drive(struct haul_client *const clients[], size_t count, int64_t most_ms)
{
    int loop = epoll_create1(EPOLL_CLOEXEC);
    unsigned turns = 0;
    int left = 0;
    assert_true(loop >= 0);
    for (size_t i = 0; i < count; i++) {
        struct epoll_event e = { .events = EPOLLIN };
        assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, haul_client_fd(clients[i]), &e), 0);
    }
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        struct epoll_event events[8];
        struct haul_error err;
        int wait_ms = most_ms < 1000000 ? (int) most_ms : 1000000;
        for (size_t i = 0; i < count; i++) {
            int own_ms = haul_client_wait_ms(clients[i]);
            assert_true(own_ms >= -1);
            if (own_ms >= 0 && own_ms < wait_ms)
                wait_ms = own_ms;
        }
        epoll_wait(loop, events, 8, wait_ms);
        left = 0;
        for (size_t i = 0; i < count; i++) {
            int own = haul_client_run(clients[i], 0, &err);
            assert_true(own >= 0);
            left += own;
        }
        turns++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (
        left > 0 &&
        (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < most_ms);
    close(loop);
    return turns;
}

static void an_outer_loop_finishes_what_was_submitted(void **state)
{
    enum { COUNT = 6 };
    struct fixture *f = *state;
    struct end ends[COUNT] = { { .calls = 0 } };
    struct haul_request puts[COUNT];
    struct source from[COUNT];
    char keys[COUNT][8], *data = some_bytes(2 * MIB);
    s3_fault(f->s3, "PutObject key=k1 nth=1 status=500\n"
                    "PutObject key=k2 nth=1 status=503 retry-after=1\n"
                    "PutObject key=k3 nth=1 status=400 code=RequestTimeout\n"
                    "PutObject key=k4 nth=1 drop-after");
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        from[i] = (struct source){ .data = data };
        puts[i] = put_of(f, keys[i], &from[i], 2 * MIB);
        submit(f, &puts[i], &ends[i]);
        assert_int_equal(haul_client_wait_ms(f->client), 0);
    }
    drive(&f->client, 1, INT32_MAX); /* a lost event would hang here until the test's limit */
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(ends[i].calls, 1);
        if (ends[i].error.code != HAUL_OK)
            fail_msg("%s: %s", keys[i], ends[i].error.text);
        if (i >= 1 && i <= 3)
            assert_int_equal(ends[i].result.attempts, 2);
        assert_stored(f, keys[i], data, 2 * MIB);
    }
    assert_int_equal(haul_client_wait_ms(f->client), -1);
    free(data);
}

static void an_outer_loop_does_not_spin_while_a_request_hangs(void **state)
{
    struct fixture *f = *state;
    struct end ends[2] = { { .calls = 0 } };
    char *data = some_bytes(MIB);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, MIB),
                        list = request(f, HAUL_LIST_OBJECTS, NULL);
    s3_fault(f->s3, "* always gate=g");
    submit(f, &put, &ends[0]);
    submit(f, &list, &ends[1]);
    run_until_in_flight(f, 2);
    drive(&f->client, 1, 100); /* the body goes out */
    haul_client_wake(f->client);
    assert_in_range(drive(&f->client, 1, 1500), 1, 20);
    s3_open(f->s3, "g");
    drive(&f->client, 1, INT32_MAX);
    assert_int_equal(ends[0].error.code, HAUL_OK);
    assert_int_equal(ends[1].error.code, HAUL_OK);
    free(data);
}

static void an_idle_client_asks_for_nothing(void **state)
{
    struct fixture *f = *state;
    run_all(f);
    assert_int_equal(haul_client_wait_ms(f->client), -1);
    s3_stop(f->s3); /* closes the connection that is kept */
    assert_false(is_readable(f));
    assert_int_equal(haul_client_wait_ms(f->client), -1);
}

static void an_outer_loop_sees_a_retry_s_time(void **state)
{
    struct fixture *f = *state;
    struct end e = { .calls = 0 };
    struct haul_error err;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    s3_fault(f->s3, "ListObjectsV2 always status=503 retry-after=50");
    submit(f, &list, &e);
    while (s3_count(f->s3, "ListObjectsV2") < 1 || haul_client_wait_ms(f->client) < 40000)
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    assert_in_range(haul_client_wait_ms(f->client), 40000, 50000);
    assert_false(is_readable(f));
    assert_int_equal(haul_client_cancel(f->client, &list), 0);
    assert_int_equal(haul_client_wait_ms(f->client), 0);
    assert_int_equal(haul_client_run(f->client, 0, &err), 0);
    assert_int_equal(e.error.code, HAUL_CANCELLED);
    assert_int_equal(haul_client_wait_ms(f->client), -1);
}

static void two_clients_share_one_outer_loop(void **state)
{
    enum { COUNT = 20 };
    struct fixture *f = *state, second = *f;
    struct end ends[2 * COUNT] = { { .calls = 0 } };
    struct source from = { .data = "some bytes" };
    struct haul_request puts[COUNT];
    char keys[COUNT][8];
    second.client = NULL;
    renew_client(&second, (struct haul_client_options){ .connections = 3 });
    s3_fault(f->s3, "PutObject every=7 status=500");
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        puts[i] = put_of(f, keys[i], &from, 10);
        submit(f, &puts[i], &ends[i]);
        submit(&second, &puts[i], &ends[COUNT + i]);
    }
    drive((struct haul_client *[]){ f->client, second.client }, 2, INT32_MAX);
    for (size_t i = 0; i < 2 * COUNT; i++) {
        assert_int_equal(ends[i].calls, 1);
        assert_int_equal(ends[i].error.code, HAUL_OK);
    }
    haul_client_free(second.client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_thread_can_wake_the_loop),
        TEST(many_wakes_are_seen_by_one_turn),
        TEST(a_signal_handler_can_stop_the_client),
        TEST(other_programs_inherit_no_connection),
        TEST(an_outer_loop_finishes_what_was_submitted),
        TEST(an_outer_loop_does_not_spin_while_a_request_hangs),
        TEST(an_idle_client_asks_for_nothing),
        TEST(an_outer_loop_sees_a_retry_s_time),
        TEST(two_clients_share_one_outer_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
