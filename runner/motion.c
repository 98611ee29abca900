/* The objects' book-keeping: made, committed, cut into parts, released. Which object is next is
 * engine.c's to say; what happens to it, upload.c's and download.c's. */
#include "motion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_object(struct object *o)
{
    task_clear(&o->task);
    part_records_free(o->entry.records, o->entry.record_count);
    if (o->fd >= 0)
        close(o->fd);
    place_close(&o->place);
    while (o->orphan_count > 0)
        free(o->orphans[--o->orphan_count]);
    free(o->orphans);
    free(o->completing);
    free(o->trouble);
    free(o->key);
    free(o->marks);
    free(o->crc32c);
    haul_sum_free(o->sum);
    free(o);
}

void object_free_list(struct object *o)
{
    while (o != NULL) {
        struct object *next = o->next;
        free_object(o);
        o = next;
    }
}

struct object *object_new(struct engine *e, struct task *t)
{
    struct object *o = calloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->engine = e;
    o->fd = -1;
    o->place.folder = -1;
    o->transfer = e->options.manifest->transfers[t->transfer - 1];
    o->endpoint =
        e->options.endpoints[manifest_endpoint_index(e->options.manifest, o->transfer)];
    int len = asprintf(&o->key, "%s%s", o->transfer->key, o->transfer->many ? t->name : "");
    if (len < 0) {
        o->key = NULL;
        free_object(o);
        return NULL;
    }
    o->task = *t;
    *t = (struct task){ 0 };
    return o;
}

void object_ready(struct object *o, step_fn *step)
{
    struct engine *e = o->engine;
    pthread_mutex_lock(&e->lock);
    o->step = step;
    o->next = NULL;
    *e->locked.runnable_last = o;
    e->locked.runnable_last = &o->next;
    engine_wake_locked(e);
    pthread_mutex_unlock(&e->lock);
}

void object_release(struct object *o)
{
    struct engine *e = o->engine;
    pthread_mutex_lock(&e->lock);
    e->locked.in_motion--;
    e->locked.large -= o->large;
    engine_check_over_locked(e);
    engine_wake_locked(e);
    pthread_mutex_unlock(&e->lock);
    free_object(o);
}

void object_set_trouble(struct object *o, enum verdict verdict, const struct error *why)
{
    if (o->verdict == VERDICT_GOOD) {
        o->verdict = verdict;
        free(o->trouble);
        o->trouble = strdup(why->text);
    }
}

const char *object_why(const struct object *o)
{
    return o->trouble ? o->trouble : "out of memory";
}

void object_trouble(struct object *o, enum verdict verdict, const char *text)
{
    struct error why;
    error_set(&why, EXIT_SOME_FAILED, "%s", text);
    object_set_trouble(o, verdict, &why);
}

/* ---- Commits ---- */

struct change *object_change(struct object *o)
{
    o->entry.change = (struct change){
        .object = o->task.id,
        .generation = o->task.generation,
        .kind = o->transfer->kind,
        .size = o->task.size,
        .modified_ms = o->task.modified_ms,
    };
    return &o->entry.change;
}

static void count_end(struct object *o, enum object_event event)
{
    struct engine *e = o->engine;
    pthread_mutex_lock(&e->lock);
    e->locked.ending--;
    e->locked.progress.done += event == EVENT_FINISHED;
    e->locked.progress.failed += event == EVENT_FAILED;
    pthread_mutex_unlock(&e->lock);
}

/* The queue has it, so our copy follows. */
static void on_committed(struct entry *entry, bool failed)
{
    struct object *o = entry->payload;
    enum object_event event = entry->change.event;
    if (failed || o->step == NULL) {
        if (!failed)
            count_end(o, event);
        object_release(o);
        return;
    }
    o->task.state = object_next(o->transfer->kind, o->task.state, event);
    o->task.generation += event == EVENT_RESTARTED;
    if (entry->records != NULL) {
        part_records_free(o->task.records, o->task.record_count);
        o->task.records = entry->records;
        o->task.record_count = entry->record_count;
        entry->records = NULL;
    }
    object_ready(o, o->step);
}

/* The last word on an object may wait for company, while there is any to come. */
static bool end_is_urgent(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->locked.ending++;
    bool alone = e->locked.ending == e->locked.in_motion && e->locked.ready_count == 0;
    pthread_mutex_unlock(&e->lock);
    return alone;
}

void object_commit(struct object *o, enum object_event event, step_fn *step)
{
    o->entry.kind = ENTRY_CHANGE;
    o->entry.change.event = event;
    o->entry.urgent = step != NULL || end_is_urgent(o->engine);
    o->entry.committed = on_committed;
    o->entry.payload = o;
    o->step = step;
    journal_post(o->engine->journal, &o->entry);
}

struct part_entry {
    struct entry entry;
    struct part_record record;
};

static void on_recorded(struct entry *entry, bool failed)
{
    struct part_entry *p = entry->payload;
    (void) failed; /* the engine has been told */
    free(p->record.etag);
    free(p);
}

int object_record(
    struct object *o, unsigned number, enum part_state state, const char *etag, uint32_t crc32c)
{
    struct part_entry *p = calloc(1, sizeof *p);
    if (p == NULL)
        return -1;
    p->record = (struct part_record){ number, state, crc32c, etag ? strdup(etag) : NULL };
    if (etag && !p->record.etag) {
        free(p);
        return -1;
    }
    p->entry.kind = ENTRY_PARTS;
    p->entry.parts.object = o->task.id;
    p->entry.parts.generation = o->task.generation;
    p->entry.parts.records = &p->record;
    p->entry.parts.count = 1;
    p->entry.committed = on_recorded;
    p->entry.payload = p;
    journal_post(o->engine->journal, &p->entry);
    return 0;
}

/* ---- Parts ---- */

int object_cut(struct object *o)
{
    free(o->marks);
    free(o->crc32c);
    o->count = part_count(o->task.size, o->task.part_bytes);
    o->marks = calloc(o->count, sizeof *o->marks);
    o->crc32c = calloc(o->count, sizeof *o->crc32c);
    o->first_due = 0;
    o->moving = 0;
    return o->marks && o->crc32c ? 0 : -1;
}

static step_fn *parts_over(const struct object *o)
{
    return o->transfer->kind == TRANSFER_UPLOAD ? upload_parts_over : download_parts_over;
}

void object_open_parts(struct object *o)
{
    struct engine *e = o->engine;
    o->verdict = VERDICT_GOOD;
    o->due = 0;
    for (unsigned i = 0; i < o->count; i++)
        o->due += o->marks[i] == MARK_DUE;
    if (o->due == 0) {
        object_ready(o, parts_over(o));
        return;
    }
    pthread_mutex_lock(&e->lock);
    o->next = e->locked.active;
    e->locked.active = o;
    o->is_open = true;
    e->locked.due_parts += o->due;
    engine_wake_locked(e);
    pthread_mutex_unlock(&e->lock);
}

static void close_parts_locked(struct engine *e, struct object *o)
{
    struct object **link = &e->locked.active;
    if (!o->is_open)
        return;
    while (*link != o)
        link = &(*link)->next;
    *link = o->next;
    o->is_open = false;
    e->locked.due_parts -= o->due;
}

unsigned object_claim_part_locked(struct object *o)
{
    struct engine *e = o->engine;
    while (o->marks[o->first_due] != MARK_DUE)
        o->first_due++;
    o->marks[o->first_due] = MARK_MOVING;
    o->moving++;
    o->due--;
    e->locked.due_parts--;
    if (o->due == 0)
        close_parts_locked(e, o);
    return o->first_due + 1;
}

void object_part_ended(struct object *o)
{
    struct engine *e = o->engine;
    pthread_mutex_lock(&e->lock);
    o->moving--;
    if (o->verdict != VERDICT_GOOD)
        close_parts_locked(e, o);
    bool over = o->moving == 0 && !o->is_open;
    pthread_mutex_unlock(&e->lock);
    if (over)
        object_ready(o, parts_over(o));
}

void object_moved(struct object *o)
{
    pthread_mutex_lock(&o->engine->lock);
    o->engine->locked.progress.moved_bytes += o->task.size;
    pthread_mutex_unlock(&o->engine->lock);
}

void part_moved(struct slot *s)
{
    struct object *o = s->object;
    pthread_mutex_lock(&o->engine->lock);
    o->marks[s->part - 1] = MARK_MOVED;
    o->crc32c[s->part - 1] = s->crc32c;
    o->engine->locked.progress.moved_bytes += s->range.len;
    pthread_mutex_unlock(&o->engine->lock);
    object_part_ended(o);
}

void part_failed(struct slot *s, enum verdict verdict, const struct error *why)
{
    struct object *o = s->object;
    pthread_mutex_lock(&o->engine->lock);
    object_set_trouble(o, verdict, why);
    pthread_mutex_unlock(&o->engine->lock);
    object_part_ended(o);
}
