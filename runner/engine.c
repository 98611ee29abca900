/* Scheduling: which worker does what next, and how a run starts, stops and ends. The objects'
 * book-keeping is motion.c's, requests are slot.c's, the protocol upload.c's and download.c's.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "connect.h"
#include "log.h"
#include "motion.h"

#define WORKERS_MAX 8
#define AUTO_LEAST 8                    /* requests in flight, a worker */
#define AUTO_MOST 512                   /* and of all workers */
#define BUFFERS_BYTES (8 * 1024 * 1024) /* of all that is in flight */
#define READY_LOW 512                   /* ask for more below that */
#define IN_MOTION_MAX 4096 /* objects; also bounded by the descriptors we may open */
#define RESERVED_FDS 64
#define DRAIN_MS                                                                               \
    8000 /* what is in flight may take so long when we stop; the promise is 10 s               \
          */

/* ---- Waking ---- */

void engine_wake_locked(struct engine *e)
{
    for (unsigned i = 0; i < e->worker_count; i++)
        if (e->workers[i].hungry) {
            e->workers[i].hungry = false;
            haul_client_wake(e->workers[i].client);
        }
}

static void wake_all_locked(struct engine *e)
{
    for (unsigned i = 0; i < e->worker_count; i++)
        haul_client_wake(e->workers[i].client);
}

/* Nothing is due, nothing moves, nothing will be planned: that is the end. */
void engine_check_over_locked(struct engine *e)
{
    if (e->locked.planned && e->locked.dry && e->locked.ready_count == 0 &&
        e->locked.in_motion == 0 && !e->locked.over) {
        e->locked.over = true;
        wake_all_locked(e);
    }
}

/* The first reason counts. When the queue fails, nothing more may take effect remotely. */
void engine_pause(struct engine *e, const struct error *why)
{
    pthread_mutex_lock(&e->lock);
    if (e->locked.exit == EXIT_DONE) {
        e->locked.exit = why->exit;
        e->locked.trouble = *why;
    }
    if (!e->locked.stopping)
        e->locked.drain_until_ms = now_ms() + DRAIN_MS;
    if (why->exit == EXIT_QUEUE)
        e->locked.drain_until_ms = 0;
    e->locked.stopping = true;
    wake_all_locked(e);
    pthread_mutex_unlock(&e->lock);
}

bool engine_is_stopping(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool stopping = e->locked.stopping;
    pthread_mutex_unlock(&e->lock);
    return stopping;
}

const struct error engine_interrupted = { EXIT_INTERRUPTED,
    "interrupted: `haul resume` goes on" };

enum verdict engine_out_of_memory(struct engine *e, struct error *why)
{
    error_set(why, EXIT_INTERRUPTED, "out of memory: `haul resume` goes on");
    engine_pause(e, why);
    return VERDICT_DROP;
}

void engine_stop(struct engine *e)
{
    engine_pause(e, &engine_interrupted);
}

/* ---- Workers ---- */

struct claim {
    struct object *object; /* NULL: nothing to do */
    unsigned part;         /* 0: its step */
};

static bool is_large(const struct object *o)
{
    return o->task.size > part_bytes_for(o->task.size, o->transfer->part_bytes);
}

/* Large objects are begun one after the other, just early enough that parts never run out;
 * small ones fill what is left. So one huge object, many small ones, and both at once use all
 * slots. */
static bool may_begin_locked(const struct engine *e)
{
    unsigned slots = e->locked.width.now;
    const struct object *o = e->locked.ready;
    if (o == NULL || e->locked.in_motion >= e->in_motion_max)
        return false;
    return !is_large(o) || (e->locked.due_parts < 2 * slots && e->locked.large < slots);
}

static struct object *begin_locked(struct engine *e)
{
    struct object *o = e->locked.ready;
    e->locked.ready = o->next;
    if (o->next == NULL)
        e->locked.ready_last = &e->locked.ready;
    e->locked.ready_count--;
    e->locked.in_motion++;
    o->large = is_large(o);
    e->locked.large += o->large;
    o->step = o->transfer->kind == TRANSFER_UPLOAD ? upload_begin : download_begin;
    return o;
}

static bool wants_refill_locked(struct engine *e)
{
    bool wants = e->locked.ready_count < READY_LOW && !e->locked.refilling && !e->locked.dry;
    e->locked.refilling |= wants;
    return wants;
}

static struct claim claim(struct worker *w)
{
    struct engine *e = w->engine;
    struct claim c = { 0 };
    bool refill = false;
    pthread_mutex_lock(&e->lock);
    if (!e->locked.stopping && !e->locked.over) {
        bool may_begin = may_begin_locked(e);
        if (e->locked.runnable != NULL) {
            c.object = e->locked.runnable;
            e->locked.runnable = c.object->next;
            if (c.object->next == NULL)
                e->locked.runnable_last = &e->locked.runnable;
        } else if (e->locked.active != NULL && (e->locked.parts_next || !may_begin)) {
            c.object = e->locked.active;
            c.part = object_claim_part_locked(c.object);
            e->locked.parts_next = false;
        } else if (may_begin) {
            c.object = begin_locked(e);
            e->locked.parts_next = true;
        }
        refill = wants_refill_locked(e);
        w->hungry = c.object == NULL;
    }
    gauge_note_locked(w, w->in_flight + (c.object != NULL));
    pthread_mutex_unlock(&e->lock);
    if (refill)
        journal_refill(e->journal);
    return c;
}

static void carry_out(struct worker *w, const struct claim *c)
{
    if (c->part == 0)
        c->object->step(w, c->object);
    else if (c->object->transfer->kind == TRANSFER_UPLOAD)
        upload_part(w, c->object, c->part);
    else
        download_part(w, c->object, c->part);
}

/* Is there a reason to leave the loop, or to drop what waits, and later what is in flight? */
static bool should_leave(struct worker *w)
{
    struct engine *e = w->engine;
    pthread_mutex_lock(&e->lock);
    gauge_turn_locked(w);
    bool cancel =
        e->locked.stopping && now_ms() >= e->locked.drain_until_ms && w->in_flight > 0;
    bool drain = e->locked.stopping, leave = e->locked.over || drain;
    pthread_mutex_unlock(&e->lock);
    if (cancel)
        haul_client_stop(w->client);
    else if (drain)
        haul_client_drain(w->client);
    return leave && w->in_flight == 0;
}

static void *work(void *payload)
{
    struct worker *w = payload;
    struct engine *e = w->engine;
    while (!should_leave(w)) {
        struct haul_error err;
        struct claim c = { 0 };
        while (w->in_flight < w->allowed && (c = claim(w)).object != NULL)
            carry_out(w, &c);
        if (haul_client_run(w->client, w->wait_ms, &err) < 0) {
            struct error why;
            error_exhausted(&why, err.text);
            engine_pause(e, &why);
        }
    }
    pthread_mutex_lock(&e->lock);
    bool last = --e->locked.running == 0;
    pthread_mutex_unlock(&e->lock);
    if (last && eventfd_write(e->over_fd, 1) < 0)
        LOG(LOG_ERROR, "eventfd_failed", { "why", strerror(errno) });
    return NULL;
}

/* ---- What the journal and the planner bring ---- */

/* Does it belong to a transfer, and is it on that one's way? */
static bool is_known(const struct manifest *m, const struct task *t)
{
    if (t->transfer - 1 >= m->transfer_count)
        return false;
    bool upload = m->transfers[t->transfer - 1]->kind == TRANSFER_UPLOAD;
    return t->state == OBJECT_PLANNED || upload == (t->temp == NULL);
}

static void on_offer(void *payload, struct task *tasks, int count)
{
    struct engine *e = payload;
    struct object *first = NULL, **last = &first;
    unsigned added = 0;
    for (int i = 0; i < count; i++) {
        struct error why;
        bool known = is_known(e->options.manifest, &tasks[i]);
        struct object *o = known ? object_new(e, &tasks[i]) : NULL;
        if (o == NULL) { /* it stays due in the queue */
            task_clear(&tasks[i]);
            if (known) {
                engine_out_of_memory(e, &why);
            } else {
                queue_damaged(e->options.queue, "an object is of no transfer", &why);
                engine_pause(e, &why);
            }
            continue;
        }
        *last = o;
        last = &o->next;
        added++;
    }
    pthread_mutex_lock(&e->lock);
    if (first != NULL) {
        *e->locked.ready_last = first;
        e->locked.ready_last = last;
    }
    e->locked.ready_count += added;
    e->locked.refilling = false;
    e->locked.dry = count == 0 && !e->locked.more_planned;
    e->locked.more_planned = false;
    engine_check_over_locked(e);
    engine_wake_locked(e);
    pthread_mutex_unlock(&e->lock);
}

static void on_queue_failed(void *payload, const struct error *err)
{
    struct engine *e = payload;
    engine_pause(e, err);
}

void engine_planned(struct engine *e, uint64_t objects, uint64_t bytes, bool finished)
{
    pthread_mutex_lock(&e->lock);
    e->locked.progress.objects += objects;
    e->locked.progress.bytes += bytes;
    e->locked.planned |= finished;
    /* An offer that is being made right now may have missed these rows. */
    e->locked.more_planned = e->locked.refilling;
    e->locked.dry = false;
    bool refill = wants_refill_locked(e);
    engine_wake_locked(e);
    pthread_mutex_unlock(&e->lock);
    if (refill)
        journal_refill(e->journal);
}

/* ---- Start and end ---- */

static int start_worker(struct engine *e, struct worker *w, struct error *err)
{
    w->client = connect_client(
        e->options.manifest, e->slots_most, BUFFERS_BYTES / e->worker_count, err);
    if (w->client == NULL)
        return -1;
    w->slots = calloc(e->slots_most, sizeof *w->slots);
    return w->slots ? 0 : error_no_memory(err);
}

/* Open files that are allowed; main() has asked for all that may be. */
static rlim_t allowed_files(rlim_t useful)
{
    struct rlimit r;
    return getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur > useful ? useful : r.rlim_cur;
}

/* As many objects as we may hold descriptors for: a download has two, a slot a connection, and
 * an idle one perhaps. What is found out by trying leaves half of them to the objects. */
static int choose_width(struct engine *e, struct error *err)
{
    unsigned wanted = e->options.manifest->concurrency;
    unsigned least = wanted ? wanted : AUTO_LEAST * e->worker_count;
    unsigned most = wanted ? wanted : AUTO_MOST;
    rlim_t files = allowed_files(RESERVED_FDS + 2 * (rlim_t) most + 2 * IN_MOTION_MAX);
    rlim_t needed = RESERVED_FDS + 2 * (rlim_t) least + 2;
    if (files < needed)
        return error_set(err, EXIT_USAGE,
            "%llu open files are allowed, %llu are needed: raise the limit (ulimit -n) or lower"
            " the manifest's concurrency",
            (unsigned long long) files, (unsigned long long) needed);
    if (!wanted && (files - RESERVED_FDS) / 4 < most)
        most = (unsigned) ((files - RESERVED_FDS) / 4);
    if (most < least)
        most = least;
    e->in_motion_max = (unsigned) ((files - RESERVED_FDS) / 2) - most;
    if (e->in_motion_max > IN_MOTION_MAX)
        e->in_motion_max = IN_MOTION_MAX;
    e->locked.width = width_make(least, most);
    e->slots_most = (most + e->worker_count - 1) / e->worker_count;
    return 0;
}

static void choose_workers(struct engine *e)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned wanted = e->options.manifest->concurrency;
    e->worker_count = cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : (unsigned) cores;
    if (wanted != 0 && wanted < e->worker_count)
        e->worker_count = wanted;
}

static void free_engine(struct engine *e)
{
    for (unsigned i = 0; e->workers != NULL && i < e->worker_count; i++) {
        haul_client_free(e->workers[i].client);
        free(e->workers[i].slots);
    }
    free(e->workers);
    object_free_list(e->locked.runnable);
    object_free_list(e->locked.active);
    object_free_list(e->locked.ready);
    if (e->over_fd >= 0)
        close(e->over_fd);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

struct engine *engine_start(const struct engine_options *options, struct error *err)
{
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL) {
        error_no_memory(err);
        return NULL;
    }
    e->options = *options;
    const struct tally *had = options->had;
    e->locked.progress = (struct progress){ .objects = had->objects - had->skipped,
        .bytes = had->bytes,
        .done = had->done,
        .failed = had->failed,
        .moved_bytes = had->moved_bytes };
    pthread_mutex_init(&e->lock, NULL);
    e->locked.runnable_last = &e->locked.runnable;
    e->locked.ready_last = &e->locked.ready;
    e->over_fd = eventfd(0, EFD_CLOEXEC);
    e->workers = calloc(WORKERS_MAX, sizeof *e->workers);
    if (e->over_fd < 0 || e->workers == NULL) {
        error_exhausted(err, strerror(errno));
        goto failed;
    }
    choose_workers(e);
    if (choose_width(e, err) < 0)
        goto failed;
    for (unsigned i = 0; i < e->worker_count; i++) {
        e->workers[i].engine = e;
        if (start_worker(e, &e->workers[i], err) < 0)
            goto failed;
    }
    /* The planner reads its positions before the journal gets the queue. */
    if ((e->planner = planner_new(e, err)) == NULL)
        goto failed;
    e->disk = disk_start(err);
    if (e->disk == NULL)
        goto failed;
    e->journal = journal_start(&(struct journal_options){ .queue = options->queue,
                                   .offer = on_offer,
                                   .failed = on_queue_failed,
                                   .payload = e },
        err);
    if (e->journal == NULL || planner_start(e->planner, err) < 0)
        goto failed;
    for (unsigned i = 0; i < e->worker_count; i++) {
        struct worker *w = &e->workers[i];
        pthread_mutex_lock(&e->lock);
        e->locked.running++;
        pthread_mutex_unlock(&e->lock);
        if (pthread_create(&w->thread, NULL, work, w) != 0) {
            pthread_mutex_lock(&e->lock);
            e->locked.running--;
            pthread_mutex_unlock(&e->lock);
            error_exhausted(err, "no thread can be started for a worker");
            engine_stop(e);
            while (i > 0)
                pthread_join(e->workers[--i].thread, NULL);
            goto failed;
        }
    }
    return e;
failed:
    planner_stop(e->planner);
    disk_stop(e->disk);
    journal_stop(e->journal);
    free_engine(e);
    return NULL;
}

int engine_over_fd(const struct engine *e)
{
    return e->over_fd;
}

void engine_progress(const struct engine *const_engine, struct progress *out)
{
    struct engine *e = (struct engine *) const_engine;
    pthread_mutex_lock(&e->lock);
    *out = e->locked.progress;
    out->planned = e->locked.planned;
    pthread_mutex_unlock(&e->lock);
    out->sent = atomic_load(&e->sent);
    out->received = atomic_load(&e->received);
}

enum exit_code engine_join(struct engine *e, struct error *err)
{
    for (unsigned i = 0; i < e->worker_count; i++)
        pthread_join(e->workers[i].thread, NULL);
    planner_stop(e->planner);
    disk_stop(e->disk);
    journal_stop(e->journal);
    enum exit_code exit = e->locked.exit;
    if (exit != EXIT_DONE)
        *err = e->locked.trouble;
    free_engine(e);
    return exit;
}
