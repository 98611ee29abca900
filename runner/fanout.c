/* Threads that take from one source under one lock. */
#include "fanout.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "sizes.h"

struct crowd {
    struct fanout *work;
    pthread_mutex_t lock;
    struct {
        struct oneshot_meter meter;
        bool over; /* nothing more is taken */
        struct error why;
        uint64_t done, failed, bytes;
    } locked; /* while holding lock */
};

struct worker {
    pthread_t thread;
    struct crowd *crowd;      /* borrowed */
    struct haul_store *store; /* owned by the main thread */
};

/* What ends the work for all. */
static void end_locked(struct crowd *c, const struct error *why)
{
    if (c->locked.why.text[0] == '\0')
        c->locked.why = *why;
    c->locked.over = true;
}

/* As next(), but what it failed with has ended the work. */
static int take(struct crowd *c, struct fanout_item *item, struct error *err)
{
    pthread_mutex_lock(&c->lock);
    int more = c->locked.over ? 0 : c->work->next(c->work, item, err);
    if (more < 0)
        end_locked(c, err);
    c->locked.over |= more == 0;
    pthread_mutex_unlock(&c->lock);
    return more;
}

static void settle(
    struct crowd *c, const struct fanout_item *item, int rc, const struct error *err)
{
    char line[80], bytes[SIZES_TEXT_SIZE];
    pthread_mutex_lock(&c->lock);
    if (rc == 0) {
        c->locked.done++;
        c->locked.bytes += item->size;
    } else if (err->exit == EXIT_SOME_FAILED) {
        c->locked.failed++;
        LOG(LOG_WARN, "object_failed", { "object", item->name }, { "why", err->text });
    } else {
        end_locked(c, err);
    }
    if (oneshot_meter_due(&c->locked.meter)) {
        snprintf(line, sizeof line, "%llu objects, %s", (unsigned long long) c->locked.done,
            sizes_format(c->locked.bytes, bytes));
        log_progress(line);
    }
    pthread_mutex_unlock(&c->lock);
}

static void *work(void *payload)
{
    struct worker *w = payload;
    struct crowd *c = w->crowd;
    struct fanout_item item;
    struct error err = { 0 };
    int more;
    while ((more = take(c, &item, &err)) > 0) {
        int rc = more == 1 ? c->work->move(c->work, w->store, &item, &err) : -1;
        settle(c, &item, rc, &err);
        free(item.name);
    }
    return NULL;
}

/* Signals come to this thread alone, which therefore makes and frees all stores. */
static void run(struct crowd *c)
{
    struct worker workers[ONESHOT_THREADS];
    size_t count = 0;
    oneshot_hold_signals(true);
    for (; count < ONESHOT_THREADS; count++) {
        struct worker *w = &workers[count];
        struct error err;
        w->crowd = c;
        w->store = oneshot_store(c->work->o, &err);
        if (w->store != NULL && pthread_create(&w->thread, NULL, work, w) == 0)
            continue;
        oneshot_store_free(w->store);
        break;
    }
    oneshot_hold_signals(false);
    if (count == 0)
        work(&(struct worker){ .crowd = c, .store = c->work->o->store });
    for (size_t i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < count; i++)
        oneshot_store_free(workers[i].store);
}

enum exit_code fanout_run(struct fanout *f, struct error *err)
{
    struct crowd c = {
        .work = f, .lock = PTHREAD_MUTEX_INITIALIZER, .locked.meter = oneshot_meter()
    };
    char bytes[SIZES_TEXT_SIZE];
    run(&c);
    log_progress(NULL);
    pthread_mutex_destroy(&c.lock);

    fprintf(stderr, "haul: %llu objects done (%s)", (unsigned long long) c.locked.done,
        sizes_format(c.locked.bytes, bytes));
    fprintf(stderr, c.locked.failed ? ", %llu failed\n" : "\n",
        (unsigned long long) c.locked.failed);
    if (c.locked.why.text[0] != '\0') {
        *err = c.locked.why;
        return err->exit;
    }
    return c.locked.failed ? EXIT_SOME_FAILED : EXIT_DONE;
}
