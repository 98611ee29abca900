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
    struct oneshot_meter meter; /* set before the threads start */
    pthread_mutex_t lock;
    struct {
        bool over; /* nothing more is taken */
        struct error why;
        uint64_t done, failed, bytes;
    } locked; /* while holding lock */
};

/* What ends the work for all. */
static void end_locked(struct crowd *c, const struct error *why)
{
    if (c->locked.why.text[0] == '\0')
        c->locked.why = *why;
    c->locked.over = true;
}

static bool take(struct crowd *c, struct fanout_item *item)
{
    struct error err;
    pthread_mutex_lock(&c->lock);
    int more = c->locked.over ? 0 : c->work->next(c->work, item, &err);
    if (more < 0)
        end_locked(c, &err);
    c->locked.over |= more == 0;
    pthread_mutex_unlock(&c->lock);
    return more > 0;
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
    if (c->meter.drawn) {
        snprintf(line, sizeof line, "%llu objects, %s", (unsigned long long) c->locked.done,
            sizes_format(c->locked.bytes, bytes));
        log_progress(line);
    }
    pthread_mutex_unlock(&c->lock);
}

static void *work(void *payload)
{
    struct crowd *c = payload;
    struct fanout_item item;
    struct error err = { 0 };
    struct haul_store *s = oneshot_store(c->work->o, &err);
    if (s == NULL) {
        pthread_mutex_lock(&c->lock);
        end_locked(c, &err);
        pthread_mutex_unlock(&c->lock);
    }
    while (s != NULL && take(c, &item)) {
        settle(c, &item, c->work->move(c->work, s, &item, &err), &err);
        free(item.name);
    }
    oneshot_store_free(s);
    return NULL;
}

enum exit_code fanout_run(struct fanout *f, struct error *err)
{
    struct crowd c = { .work = f, .meter = oneshot_meter(), .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[ONESHOT_THREADS];
    size_t count = 0;
    char bytes[SIZES_TEXT_SIZE];
    while (count < ONESHOT_THREADS && pthread_create(&threads[count], NULL, work, &c) == 0)
        count++;
    if (count == 0)
        work(&c);
    while (count > 0)
        pthread_join(threads[--count], NULL);
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
