/* The thread that keeps keys fresh: see <haul/refresher.h>. When a source is due, and what
 * comes of asking it, is the matter of credentials.c. */
#include <haul/refresher.h>

#include <signal.h>
#include <stdlib.h>

#include "credentials.h"
#include "inquiry.h"

struct haul_refresher {
    pthread_t thread;
    struct inquirer *inquirer; /* owned; the thread's, but for inquirer_stop() */
    struct alarm alarm;
    atomic_bool stopping;                         /* then the alarm is rung */
    size_t count;                                 /* how many are attached */
    const struct haul_credentials *credentials[]; /* borrowed */
};

/* Returns when the first of them is due again. */
static int64_t tend_all(struct haul_refresher *r)
{
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < r->count && !atomic_load(&r->stopping); i++) {
        int64_t due_ms = credentials_tend(r->credentials[i], r->inquirer);
        if (due_ms < first_ms)
            first_ms = due_ms;
    }
    return first_ms;
}

/* Until then, or until it is rung. By the clock that keys expire by, wherever that is set. */
static void wait_until(struct alarm *a, int64_t due_ms)
{
    struct timespec t = { .tv_sec = (time_t) (due_ms / 1000),
        .tv_nsec = (long) (due_ms % 1000) * 1000000 };
    int rc = 0;
    pthread_mutex_lock(&a->lock);
    while (!a->rung && rc == 0)
        rc = due_ms == INT64_MAX ? pthread_cond_wait(&a->cond, &a->lock)
                                 : pthread_cond_timedwait(&a->cond, &a->lock, &t);
    a->rung = false;
    pthread_mutex_unlock(&a->lock);
}

static void *refresher_main(void *payload)
{
    struct haul_refresher *r = payload;
    while (!atomic_load(&r->stopping))
        wait_until(&r->alarm, tend_all(r));
    return NULL;
}

static int start_thread(struct haul_refresher *r)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&r->thread, NULL, refresher_main, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void free_refresher(struct haul_refresher *r)
{
    for (size_t i = 0; i < r->count; i++)
        credentials_attach(r->credentials[i], NULL);
    inquirer_free(r->inquirer);
    pthread_cond_destroy(&r->alarm.cond);
    pthread_mutex_destroy(&r->alarm.lock);
    free(r);
}

struct haul_refresher *haul_refresher_start(
    struct haul_credentials *const credentials[], size_t count, struct haul_error *err)
{
    struct haul_refresher *r = calloc(1, sizeof *r + count * sizeof *credentials);
    if (r == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for the refresher of keys");
        return NULL;
    }
    pthread_mutex_init(&r->alarm.lock, NULL);
    pthread_cond_init(&r->alarm.cond, NULL);
    if ((r->inquirer = inquirer_new(err)) == NULL)
        goto failed;
    for (size_t i = 0; i < count; i++) {
        if (credentials[i] == NULL)
            continue;
        if (credentials_attach(credentials[i], &r->alarm) < 0) {
            haul_error_set(err, HAUL_BAD_ARGUMENT, "the credentials have a refresher already");
            goto failed;
        }
        r->credentials[r->count++] = credentials[i];
    }
    if (start_thread(r) == 0)
        return r;
    haul_error_set(err, HAUL_NO_MEMORY, "no thread for the refresher of keys");
failed:
    free_refresher(r);
    return NULL;
}

void haul_refresher_stop(struct haul_refresher *r)
{
    if (r == NULL)
        return;
    atomic_store(&r->stopping, true);
    inquirer_stop(r->inquirer);
    pthread_mutex_lock(&r->alarm.lock);
    r->alarm.rung = true;
    pthread_cond_signal(&r->alarm.cond);
    pthread_mutex_unlock(&r->alarm.lock);
    pthread_join(r->thread, NULL);
    free_refresher(r);
}
