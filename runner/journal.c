/* Group commit. While one transaction is on its way to the disk, the next entries gather; when
 * nobody waits, the thread lets a few more come before it begins. */
#include "journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "step.h"

#define GATHER_MS 25
#define GATHER_ENTRIES 2000

struct journal {
    struct journal_options options;
    pthread_t thread;
    int64_t last_id; /* the thread's: objects up to this one have been offered */
    bool broken;     /* the thread's: the queue has failed */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        struct entry *first, **last;
        unsigned count, urgent;
        bool refill, stopping;
    } locked; /* while holding lock */
};

static int apply(struct journal *j, struct entry *e, struct error *err)
{
    struct queue *q = j->options.queue;
    bool stale;
    switch (e->kind) {
    case ENTRY_CHANGE:
        if (queue_change(q, &e->change, &stale, err) < 0)
            return -1;
        if (e->change.event == EVENT_ALL_MOVED && e->change.kind == TRANSFER_UPLOAD)
            return queue_parts(q, e->change.object, &e->records, &e->record_count, err);
        return 0;
    case ENTRY_PARTS:
        for (unsigned i = 0; i < e->parts.count; i++)
            if (queue_part(q, e->parts.object, e->parts.generation, &e->parts.records[i], err) <
                0)
                return -1;
        return 0;
    case ENTRY_PLAN:
        return queue_plan(
            q, e->plan.transfer, e->plan.rows, e->plan.count, e->plan.finished, err);
    }
    return 0;
}

static int commit_batch(struct journal *j, struct entry *first, struct error *err)
{
    bool durable = false;
    for (struct entry *e = first; e != NULL; e = e->next)
        durable |= e->kind == ENTRY_CHANGE;
    if (queue_begin(j->options.queue, durable, err) < 0)
        return -1;
    for (struct entry *e = first; e != NULL; e = e->next)
        if (apply(j, e, err) < 0)
            return -1;
    step("journal.before_commit");
    if (queue_commit(j->options.queue, err) < 0)
        return -1;
    step("journal.after_commit");
    return 0;
}

static void fail(struct journal *j, const struct error *err)
{
    j->broken = true;
    queue_rollback(j->options.queue);
    j->options.failed(j->options.payload, err);
}

static void write_batch(struct journal *j, struct entry *first)
{
    struct error err;
    if (first != NULL && !j->broken && commit_batch(j, first, &err) < 0)
        fail(j, &err);
    while (first != NULL) {
        struct entry *e = first;
        first = e->next; /* the callback may free it */
        e->committed(e, j->broken);
    }
}

static void offer_tasks(struct journal *j)
{
    struct task tasks[JOURNAL_BATCH];
    struct error err;
    int count =
        j->broken ? 0 : queue_take(j->options.queue, j->last_id, tasks, JOURNAL_BATCH, &err);
    if (count < 0) {
        fail(j, &err);
        count = 0;
    }
    if (count > 0)
        j->last_id = tasks[count - 1].id;
    j->options.offer(j->options.payload, tasks, count);
}

/* Waits for something worth doing. Returns the entries, and whether an offer is wanted. */
static struct entry *gather(struct journal *j, bool *refill, bool *over)
{
    struct timespec deadline;
    bool timed = false;
    pthread_mutex_lock(&j->lock);
    for (;;) {
        bool worth = j->locked.urgent > 0 || j->locked.count >= GATHER_ENTRIES ||
                     j->locked.refill || j->locked.stopping;
        if (worth)
            break;
        if (j->locked.count == 0) {
            pthread_cond_wait(&j->changed, &j->lock);
            continue;
        }
        if (!timed) {
            clock_gettime(CLOCK_MONOTONIC, &deadline);
            deadline.tv_nsec += GATHER_MS * 1000000L;
            deadline.tv_sec += deadline.tv_nsec / 1000000000L;
            deadline.tv_nsec %= 1000000000L;
            timed = true;
        }
        if (pthread_cond_timedwait(&j->changed, &j->lock, &deadline) != 0)
            break;
    }
    struct entry *first = j->locked.first;
    *refill = j->locked.refill;
    *over = j->locked.stopping && first == NULL;
    j->locked.first = NULL;
    j->locked.last = &j->locked.first;
    j->locked.count = j->locked.urgent = 0;
    j->locked.refill = false;
    pthread_mutex_unlock(&j->lock);
    return first;
}

static void *run(void *payload)
{
    struct journal *j = payload;
    bool refill, over;
    do {
        struct entry *first = gather(j, &refill, &over);
        write_batch(j, first);
        if (refill && !over)
            offer_tasks(j);
    } while (!over);
    return NULL;
}

struct journal *journal_start(const struct journal_options *options, struct error *err)
{
    struct journal *j = calloc(1, sizeof *j);
    pthread_condattr_t monotonic;
    if (j == NULL) {
        error_no_memory(err);
        return NULL;
    }
    j->options = *options;
    j->locked.last = &j->locked.first;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&j->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&j->thread, NULL, run, j) != 0) {
        error_exhausted(err, "no thread can be started for the journal");
        free(j);
        return NULL;
    }
    return j;
}

void journal_post(struct journal *j, struct entry *e)
{
    pthread_mutex_lock(&j->lock);
    e->next = NULL;
    *j->locked.last = e;
    j->locked.last = &e->next;
    j->locked.count++;
    j->locked.urgent += e->urgent;
    if (e->urgent || j->locked.count == 1 || j->locked.count == GATHER_ENTRIES)
        pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

void journal_refill(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    j->locked.refill = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

void journal_stop(struct journal *j)
{
    if (j == NULL)
        return;
    pthread_mutex_lock(&j->lock);
    j->locked.stopping = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->changed);
    free(j);
}
