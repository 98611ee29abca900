/* The planner's thread: rows in batches to the journal, each batch with its position in the
 * same transaction, and never more than a few batches ahead of the disk. */
#include <stdlib.h>
#include <string.h>

#include "connect.h"
#include "log.h"
#include "motion.h"
#include "plan.h"
#include "step.h"

#define BATCH_ROWS 1000
#define BATCHES_MAX 4

struct batch {
    struct entry entry;
    struct planner *planner;
    struct planned rows[BATCH_ROWS]; /* their strings are owned */
    size_t count;
};

struct position {
    bool planned;
    char *after; /* owned; NULL: not begun */
};

struct planner {
    struct engine *engine;
    pthread_t thread;
    bool started;
    struct haul_client *client;
    struct position *positions; /* one a transfer */
    size_t count;
    unsigned transfer;     /* being planned, from 1 */
    struct batch *filling; /* owned; NULL: none */

    pthread_mutex_t lock;
    pthread_cond_t committed;
    struct {
        unsigned under_way; /* batches that the journal has */
        bool stopping, failed;
    } locked; /* while holding lock */
};

static void free_batch(struct batch *b)
{
    for (size_t i = 0; b != NULL && i < b->count; i++) {
        free(b->rows[i].name);
        free((char *) b->rows[i].etag);
        free((char *) b->rows[i].why);
    }
    free(b);
}

static void on_committed(struct entry *entry, bool failed)
{
    struct batch *b = entry->payload;
    struct planner *p = b->planner;
    uint64_t objects = 0, bytes = 0;
    for (size_t i = 0; i < b->count; i++)
        if (b->rows[i].state != OBJECT_SKIPPED) {
            objects++;
            bytes += b->rows[i].size;
        }
    step("plan.committed");
    if (!failed)
        engine_planned(p->engine, objects, bytes, false);
    free_batch(b);
    pthread_mutex_lock(&p->lock);
    p->locked.under_way--;
    p->locked.failed |= failed;
    pthread_cond_signal(&p->committed);
    pthread_mutex_unlock(&p->lock);
}

/* Waits until fewer than `limit` batches are under way. false: no use to go on. */
static bool await_batches(struct planner *p, unsigned limit)
{
    pthread_mutex_lock(&p->lock);
    while (p->locked.under_way >= limit)
        pthread_cond_wait(&p->committed, &p->lock);
    bool on = !p->locked.stopping && !p->locked.failed;
    pthread_mutex_unlock(&p->lock);
    return on;
}

static struct batch *filling(struct planner *p)
{
    if (p->filling == NULL && (p->filling = calloc(1, sizeof *p->filling)) != NULL)
        p->filling->planner = p;
    return p->filling;
}

/* Hands the batch over; `finished` ends the transfer. */
static bool flush(struct planner *p, bool finished)
{
    struct batch *b = filling(p);
    if (b == NULL)
        return false;
    p->filling = NULL;
    b->entry.kind = ENTRY_PLAN;
    b->entry.urgent = true;
    b->entry.plan.transfer = p->transfer;
    b->entry.plan.rows = b->rows;
    b->entry.plan.count = b->count;
    b->entry.plan.finished = finished;
    b->entry.committed = on_committed;
    b->entry.payload = b;
    pthread_mutex_lock(&p->lock);
    p->locked.under_way++;
    pthread_mutex_unlock(&p->lock);
    journal_post(p->engine->journal, &b->entry);
    return await_batches(p, BATCHES_MAX);
}

static bool on_row(void *payload, const struct planned *row)
{
    struct planner *p = payload;
    struct batch *b = filling(p);
    if (b == NULL)
        return false;
    struct planned *copy = &b->rows[b->count++];
    *copy = *row;
    copy->name = strdup(row->name);
    copy->etag = row->etag ? strdup(row->etag) : NULL;
    copy->why = row->why ? strdup(row->why) : NULL;
    if (!copy->name || (row->etag && !copy->etag) || (row->why && !copy->why))
        return false;
    if (row->state == OBJECT_FAILED)
        LOG(LOG_WARN, "object_failed", { "object", row->name }, { "why", row->why });
    return b->count < BATCH_ROWS || flush(p, false);
}

static void *run(void *payload)
{
    struct planner *p = payload;
    struct engine *e = p->engine;
    for (size_t i = 0; i < p->count; i++) {
        const struct transfer *t = e->options.manifest->transfers[i];
        struct error err;
        if (p->positions[i].planned)
            continue;
        p->transfer = (unsigned) i + 1;
        int rc = plan_transfer(t,
            e->options.endpoints[manifest_endpoint_index(e->options.manifest, t)], p->client,
            p->positions[i].after, on_row, p, &err);
        step("plan.listed");
        if (rc == 0 && flush(p, true))
            continue;
        if (rc < 0)
            engine_pause(e, &err);
        else /* unless we are stopping, which has its own reason already */
            engine_out_of_memory(e, &err);
        await_batches(p, 1);
        return NULL; /* what was not planned is planned by `haul resume` */
    }
    if (await_batches(p, 1))
        engine_planned(e, 0, 0, true);
    return NULL;
}

static int read_positions(struct planner *p, struct queue *q, struct error *err)
{
    p->count = p->engine->options.manifest->transfer_count;
    p->positions = calloc(p->count, sizeof *p->positions);
    if (p->positions == NULL)
        return error_no_memory(err);
    for (size_t i = 0; i < p->count; i++)
        if (queue_position(
                q, (unsigned) i + 1, &p->positions[i].planned, &p->positions[i].after, err) < 0)
            return -1;
    return 0;
}

struct planner *planner_new(struct engine *e, struct error *err)
{
    struct planner *p = calloc(1, sizeof *p);
    if (p == NULL) {
        error_no_memory(err);
        return NULL;
    }
    p->engine = e;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->committed, NULL);
    p->client = connect_client(e->options.manifest, 0, 0, err);
    if (p->client != NULL && read_positions(p, e->options.queue, err) == 0)
        return p;
    planner_stop(p);
    return NULL;
}

int planner_start(struct planner *p, struct error *err)
{
    p->started = pthread_create(&p->thread, NULL, run, p) == 0;
    return p->started ? 0 : error_exhausted(err, "no thread can be started for the planner");
}

void planner_stop(struct planner *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->locked.stopping = true;
    pthread_mutex_unlock(&p->lock);
    if (p->client != NULL)
        haul_client_stop(p->client); /* a listing may hang */
    if (p->started)
        pthread_join(p->thread, NULL);
    haul_client_free(p->client);
    free_batch(p->filling);
    for (size_t i = 0; p->positions && i < p->count; i++)
        free(p->positions[i].after);
    free(p->positions);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->committed);
    free(p);
}
