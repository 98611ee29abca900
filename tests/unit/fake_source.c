/* A source of keys that does as a test says: see fake_source.h. */
#include "fake_source.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "inquiry.h"
#include "s3.h"

/* Returns 0 once the gate is open, -1 when the inquirer was stopped. */
static int pass_gate(const struct fake_source *s, struct inquirer *i)
{
    struct pollfd fds[] = { { s->gate_fd, POLLIN, 0 }, { inquirer_stop_fd(i), POLLIN, 0 } };
    while (poll(fds, 2, -1) <= 0)
        continue;
    return fds[1].revents != 0 ? -1 : 0;
}

static struct keys *ask(void *state, struct inquirer *i, struct haul_error *err)
{
    struct fake_source *s = state;
    char token[16];
    pthread_mutex_lock(&s->lock);
    s->asks++;
    bool fails = s->failing > 0;
    s->failing -= fails;
    pthread_sigmask(SIG_BLOCK, NULL, &s->blocked);
    snprintf(token, sizeof token, "t%u", s->repeats ? 1 : s->asks);
    const char *secret = s->gives_half ? NULL : S3_SECRET_KEY;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (pass_gate(s, i) < 0) {
        haul_error_set(err, HAUL_CANCELLED, "cancelled");
        return NULL;
    }
    if (fails) {
        haul_error_set(err, HAUL_NETWORK, "nobody is at home");
        return NULL;
    }
    struct keys *k = keys_new("the test", S3_ACCESS_KEY, secret, token, err);
    if (k != NULL && s->life_ms > 0)
        k->expires_ms = clock_now_ms() + s->life_ms;
    return k;
}

static void keep(void *state)
{
    (void) state; /* the test's */
}

static const struct credentials_kind kind = { "fake", ask, keep };

struct fake_source *fake_source_new(int64_t life_ms)
{
    struct haul_error err;
    struct fake_source *s = calloc(1, sizeof *s);
    assert_non_null(s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->gate_fd = eventfd(1, EFD_CLOEXEC);
    s->life_ms = life_ms;
    s->keys = credentials_new(&kind, s, "prof", "a test", &err);
    if (s->keys == NULL)
        fail_msg("%s", err.text);
    return s;
}

void fake_source_free(struct fake_source *s)
{
    haul_credentials_free(s->keys);
    close(s->gate_fd);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void fake_source_fail(struct fake_source *s, unsigned times)
{
    pthread_mutex_lock(&s->lock);
    s->failing = times;
    pthread_mutex_unlock(&s->lock);
}

unsigned fake_source_asks(struct fake_source *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned asks = s->asks;
    pthread_mutex_unlock(&s->lock);
    return asks;
}

void fake_source_wait(struct fake_source *s, unsigned asks)
{
    pthread_mutex_lock(&s->lock);
    while (s->asks < asks)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void fake_source_close(struct fake_source *s)
{
    eventfd_t count;
    eventfd_read(s->gate_fd, &count);
}

void fake_source_open(struct fake_source *s)
{
    eventfd_write(s->gate_fd, 1);
}

const char *fake_source_token(struct fake_source *s)
{
    static _Thread_local char token[16];
    const struct keys *k;
    struct haul_error err;
    if (credentials_await(s->keys, NULL, &k, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(token, sizeof token, "%s", k->token);
    keys_release(k);
    return token;
}

void fake_source_expire(struct fake_source *s)
{
    const struct keys *k;
    struct haul_error err;
    if (credentials_await(s->keys, NULL, &k, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(credentials_refused(s->keys, k));
    keys_release(k);
}
