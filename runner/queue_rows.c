/* What planning and carrying out write into the queue and read from it. One function is one
 * verb; SQL's columns and our structs meet here. */
#include <haul/request.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue_sql.h"

static const char *const part_states[] = {
    [PART_SENT] = "sent",
    [PART_WRITTEN] = "written",
    [PART_SYNCED] = "synced",
};

/* Text of ours that outlives the statement's run. NULL binds NULL. */
static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
    if (text != NULL)
        sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static void bind_known(sqlite3_stmt *s, int at, int64_t value)
{
    if (value >= 0)
        sqlite3_bind_int64(s, at, value);
}

/* An owned copy; NULL stays NULL, and *failed tells when memory ran out. */
static char *take_text(sqlite3_stmt *s, int column, bool *failed)
{
    bool is_null = sqlite3_column_type(s, column) == SQLITE_NULL;
    const char *text = (const char *) sqlite3_column_text(s, column);
    char *copy = text ? strdup(text) : NULL;
    *failed |= !copy && !is_null; /* SQLite may have run out, too */
    return copy;
}

static int64_t column_known(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, column);
}

int queue_run(struct queue *q, struct run *out, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_RUN);
    bool failed = false;
    *out = (struct run){ 0 };
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE)
        return queue_damaged(q, "it holds no run", err);
    if (rc != SQLITE_ROW)
        return queue_fail(q, err);
    char **fields[] = { &out->id, &out->name, &out->manifest, &out->manifest_file,
        &out->created_at, &out->finished_at, &out->paused };
    for (int i = 0; i < 7; i++)
        *fields[i] = take_text(s, i, &failed);
    sqlite3_reset(s);
    bool whole = out->id && out->name && out->manifest && out->manifest_file &&
                 out->created_at && !strchr(out->id, '/'); /* it is in names of files */
    if (whole && !failed)
        return 0;
    run_clear(out);
    return failed ? error_no_memory(err) : queue_damaged(q, "its run makes no sense", err);
}

void run_clear(struct run *r)
{
    char *fields[] = { r->id, r->name, r->manifest, r->manifest_file, r->created_at,
        r->finished_at, r->paused };
    for (int i = 0; i < 7; i++)
        free(fields[i]);
    *r = (struct run){ 0 };
}

/* ---- Planning ---- */

int queue_position(
    struct queue *q, unsigned transfer, bool *planned, char **position, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_POSITION);
    bool failed = false;
    sqlite3_bind_int(s, 1, (int) transfer);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE)
        return queue_damaged(q, "a transfer is not there", err);
    if (rc != SQLITE_ROW)
        return queue_fail(q, err);
    *planned = sqlite3_column_int(s, 0);
    *position = take_text(s, 1, &failed);
    sqlite3_reset(s);
    return failed ? error_no_memory(err) : 0;
}

static int add_object(
    struct queue *q, unsigned transfer, const struct planned *row, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_ADD_OBJECT);
    sqlite3_bind_int(s, 1, (int) transfer);
    bind_text(s, 2, row->name);
    sqlite3_bind_int64(s, 3, (int64_t) row->size);
    bind_known(s, 4, row->modified_ms);
    bind_text(s, 5, row->etag);
    bind_text(s, 6, object_state_name(row->state));
    bind_text(s, 7, row->why);
    if (queue_count(q, transfer, row->state, 1, row->size, err) < 0)
        return -1;
    return queue_do(q, s, err);
}

int queue_plan(struct queue *q, unsigned transfer, const struct planned *rows, size_t count,
    bool finished, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (add_object(q, transfer, &rows[i], err) < 0)
            return -1;
    sqlite3_stmt *s = queue_statement(q, SQL_SET_POSITION);
    sqlite3_bind_int(s, 1, (int) transfer);
    bind_text(s, 2, count > 0 ? rows[count - 1].name : NULL);
    sqlite3_bind_int(s, 3, finished);
    return queue_do(q, s, err);
}

/* ---- Carrying out ---- */

void part_records_free(struct part_record *records, unsigned count)
{
    for (unsigned i = 0; records != NULL && i < count; i++)
        free(records[i].etag);
    free(records);
}

void task_clear(struct task *t)
{
    char *fields[] = { t->name, t->etag, t->source, t->token, t->upload_id, t->temp };
    for (int i = 0; i < 6; i++)
        free(fields[i]);
    part_records_free(t->records, t->record_count);
    *t = (struct task){ 0 };
}

/* Could we have written this? Whoever carries it out rests on it. */
static bool is_sound(const struct task *t, int64_t generation, int64_t motion_generation)
{
    bool in_motion = t->state != OBJECT_PLANNED, download = t->temp != NULL;
    if (t->id < 1 || t->name == NULL || t->state == OBJECT_BAD || generation < 1 ||
        generation >= INT_MAX)
        return false;
    if (!in_motion)
        return motion_generation < 0; /* there is none */
    if (download ? t->state == OBJECT_CREATING || t->state == OBJECT_COMPLETING
                 : t->state == OBJECT_PUBLISHING ||
                       (t->state == OBJECT_CREATING && t->upload_id != NULL))
        return false;
    return motion_generation == generation && t->source != NULL && t->part_bytes > 0 &&
           t->size <= HAUL_OBJECT_BYTES_MAX && t->size > t->part_bytes &&
           (t->size - 1) / t->part_bytes < HAUL_PARTS_MAX;
}

static int read_task(struct queue *q, sqlite3_stmt *s, struct task *t, struct error *err)
{
    bool failed = false;
    char how[64];
    int64_t generation = sqlite3_column_int64(s, 7);
    *t = (struct task){
        .id = sqlite3_column_int64(s, 0),
        .transfer = (unsigned) sqlite3_column_int(s, 1),
        .name = take_text(s, 2, &failed),
        .size = (uint64_t) sqlite3_column_int64(s, 3),
        .modified_ms = column_known(s, 4),
        .etag = take_text(s, 5, &failed),
        .state = object_state_from((const char *) sqlite3_column_text(s, 6)),
        .generation = (unsigned) generation,
        .part_bytes = (uint64_t) sqlite3_column_int64(s, 8),
        .began_ms = column_known(s, 9),
        .source = take_text(s, 10, &failed),
        .token = take_text(s, 11, &failed),
        .upload_id = take_text(s, 12, &failed),
        .temp = take_text(s, 13, &failed),
    };
    if (failed)
        return error_no_memory(err);
    if (!is_sound(t, generation, column_known(s, 14))) {
        snprintf(how, sizeof how, "object %lld makes no sense", (long long) t->id);
        return queue_damaged(q, how, err);
    }
    return t->state == OBJECT_PLANNED
               ? 0
               : queue_parts(q, t->id, &t->records, &t->record_count, err);
}

int queue_take(struct queue *q, int64_t after, struct task *out, int max, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_TAKE);
    int count = 0, rc;
    sqlite3_bind_int64(s, 1, after);
    sqlite3_bind_int(s, 2, max);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (read_task(q, s, &out[count++], err) < 0)
            break;
        if (out[count - 1].id <= after) {
            queue_damaged(q, "its index gives objects twice or out of order", err);
            break;
        }
        after = out[count - 1].id;
    }
    if (rc != SQLITE_DONE) {
        if (rc != SQLITE_ROW)
            queue_fail(q, err);
        while (count > 0)
            task_clear(&out[--count]);
        count = -1;
    }
    sqlite3_reset(s);
    return count;
}

int queue_parts(struct queue *q, int64_t object, struct part_record **out, unsigned *count,
    struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_PARTS);
    struct part_record *records = NULL;
    unsigned n = 0, room = 0;
    bool failed = false;
    int rc;
    sqlite3_bind_int64(s, 1, object);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && !failed) {
        if (n == room) {
            unsigned more = room ? room * 2 : 64;
            struct part_record *grown = realloc(records, more * sizeof *grown);
            failed = grown == NULL;
            if (failed)
                break;
            records = grown;
            room = more;
        }
        const char *state = (const char *) sqlite3_column_text(s, 1);
        failed = state == NULL;
        if (failed)
            break;
        records[n++] = (struct part_record){
            .number = (unsigned) sqlite3_column_int(s, 0),
            .state = strcmp(state, "sent") == 0     ? PART_SENT
                     : strcmp(state, "synced") == 0 ? PART_SYNCED
                                                    : PART_WRITTEN,
            .crc32c = (uint32_t) sqlite3_column_int64(s, 2),
            .etag = take_text(s, 3, &failed),
        };
    }
    sqlite3_reset(s);
    if (!failed && rc == SQLITE_DONE) {
        *out = records;
        *count = n;
        return 0;
    }
    part_records_free(records, n);
    return failed ? error_no_memory(err) : queue_fail(q, err);
}

/* What an event does to the motion row and its parts. */
static int change_motion(struct queue *q, const struct change *c, struct error *err)
{
    sqlite3_stmt *s;
    switch (c->event) {
    case EVENT_BEGAN:
        s = queue_statement(q, SQL_ADD_MOTION);
        sqlite3_bind_int64(s, 1, c->object);
        sqlite3_bind_int(s, 2, (int) c->generation);
        sqlite3_bind_int64(s, 3, (int64_t) c->part_bytes);
        bind_text(s, 4, c->source);
        sqlite3_bind_int64(s, 5, c->began_ms);
        bind_text(s, 6, c->token);
        bind_text(s, 7, c->temp);
        return queue_do(q, s, err);
    case EVENT_CREATED:
        s = queue_statement(q, SQL_SET_UPLOAD_ID);
        sqlite3_bind_int64(s, 1, c->object);
        bind_text(s, 2, c->upload_id);
        return queue_do(q, s, err);
    case EVENT_FINISHED:
    case EVENT_RESTARTED:
    case EVENT_FAILED:
        s = queue_statement(q, SQL_DROP_MOTION);
        sqlite3_bind_int64(s, 1, c->object);
        return queue_do(q, s, err);
    case EVENT_ALL_MOVED:
    case EVENT_PARTS_LOST:
        break;
    }
    return 0;
}

int queue_change(struct queue *q, const struct change *c, bool *stale, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_STATE);
    sqlite3_bind_int64(s, 1, c->object);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE)
        return error_set(err, EXIT_QUEUE,
            "queue %s: there is no object %lld: please report"
            " this bug",
            q->path, (long long) c->object);
    if (rc != SQLITE_ROW)
        return queue_fail(q, err);
    const char *name = (const char *) sqlite3_column_text(s, 0);
    if (name == NULL) {
        sqlite3_reset(s);
        return error_no_memory(err);
    }
    enum object_state state = object_state_from(name);
    unsigned generation = (unsigned) sqlite3_column_int(s, 1);
    unsigned transfer = (unsigned) sqlite3_column_int(s, 2);
    uint64_t size = (uint64_t) sqlite3_column_int64(s, 3);
    sqlite3_reset(s);
    *stale = generation != c->generation;
    if (*stale)
        return 0;
    enum object_state next = object_next(c->kind, state, c->event);
    if (next == OBJECT_BAD)
        return error_set(err, EXIT_QUEUE,
            "queue %s: event %d does not fit object %lld, which is '%s': please report this "
            "bug",
            q->path, (int) c->event, (long long) c->object, object_state_name(state));

    bool found =
        c->event == EVENT_BEGAN || c->event == EVENT_FINISHED || c->event == EVENT_RESTARTED;
    s = queue_statement(q, SQL_SET_STATE);
    sqlite3_bind_int64(s, 1, c->object);
    bind_text(s, 2, object_state_name(next));
    sqlite3_bind_int(s, 3, (int) (generation + (c->event == EVENT_RESTARTED)));
    if (found) {
        sqlite3_bind_int64(s, 4, (int64_t) c->size);
        bind_known(s, 5, c->modified_ms);
    }
    bind_text(s, 6, c->etag);
    bind_text(s, 7, c->event == EVENT_FAILED ? c->why : NULL);
    if (queue_do(q, s, err) < 0 || queue_count(q, transfer, state, -1, size, err) < 0 ||
        queue_count(q, transfer, next, 1, found ? c->size : size, err) < 0)
        return -1;
    /* A single request never had a motion row. */
    bool had_motion = state != OBJECT_PLANNED || c->event == EVENT_BEGAN;
    if (had_motion && change_motion(q, c, err) < 0)
        return -1;
    if (c->event == EVENT_FAILED)
        return queue_event(q, "failed", c->object, c->why, err);
    if (c->event == EVENT_RESTARTED)
        return queue_event(q, "restarted", c->object, c->why, err);
    return 0;
}

int queue_part(struct queue *q, int64_t object, unsigned generation,
    const struct part_record *part, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_ADD_PART);
    sqlite3_bind_int64(s, 1, object);
    sqlite3_bind_int(s, 2, (int) generation);
    sqlite3_bind_int(s, 3, (int) part->number);
    bind_text(s, 4, part_states[part->state]);
    sqlite3_bind_int64(s, 5, part->crc32c);
    bind_text(s, 6, part->etag);
    return queue_do(q, s, err);
}

int queue_pause(struct queue *q, const char *why, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_PAUSE);
    bind_text(s, 1, why);
    return queue_do(q, s, err);
}

int queue_finish(struct queue *q, struct error *err)
{
    return queue_do(q, queue_statement(q, SQL_FINISH), err);
}

int queue_event(
    struct queue *q, const char *event, int64_t object, const char *detail, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_EVENT);
    bind_text(s, 1, event);
    if (object > 0)
        sqlite3_bind_int64(s, 2, object);
    bind_text(s, 3, detail);
    return queue_do(q, s, err);
}
