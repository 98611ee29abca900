/* How many objects are in which state. The table `tally` says it without a look at the rows,
 * and can't disagree with them: what a transaction does to the rows is gathered here, and
 * written as the transaction's last. (A trigger does the same row by row, which takes a third
 * of the time that planning a row does, and a fifth of finishing one.) */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "queue_sql.h"

static void add(int64_t *sum, int64_t value)
{
    if (__builtin_add_overflow(*sum, value, sum))
        *sum = value < 0 ? INT64_MIN : INT64_MAX;
}

int queue_count(struct queue *q, unsigned transfer, enum object_state state, int objects,
    uint64_t size, struct error *err)
{
    struct counted *c = &q->counted;
    if (c->transfer != transfer && queue_write_counts(q, err) < 0)
        return -1;
    int64_t bytes = size > INT64_MAX ? INT64_MAX : (int64_t) size;
    c->transfer = transfer;
    c->objects[state] += objects;
    add(&c->bytes[state], bytes * objects);
    return 0;
}

int queue_write_counts(struct queue *q, struct error *err)
{
    struct counted c = q->counted;
    q->counted = (struct counted){ 0 };
    for (int i = 0; i < OBJECT_BAD; i++) {
        if (c.objects[i] == 0 && c.bytes[i] == 0)
            continue;
        sqlite3_stmt *s = queue_statement(q, SQL_COUNT);
        sqlite3_bind_int64(s, 1, c.transfer);
        sqlite3_bind_text(s, 2, object_state_name((enum object_state) i), -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, c.objects[i]);
        sqlite3_bind_int64(s, 4, c.bytes[i]);
        if (queue_do(q, s, err) < 0)
            return -1;
    }
    return 0;
}

static int recount(struct queue *q, struct error *err)
{
    if (queue_begin(q, true, err) < 0)
        return -1;
    if (queue_script(q, "DELETE FROM tally; INSERT INTO tally " QUEUE_COUNTED, err) == 0 &&
        queue_event(q, "recounted", 0, NULL, err) == 0 && queue_commit(q, err) == 0)
        return 0;
    queue_rollback(q);
    return -1;
}

int queue_mend_tally(struct queue *q, struct error *err)
{
    int64_t differs = 0;
    if (queue_number(q, queue_statement(q, SQL_TALLY_DIFFERS), &differs, err) < 0)
        return -1;
    return differs ? recount(q, err) : 0;
}

static void add_state(struct tally *t, enum object_state state, uint64_t count, uint64_t bytes)
{
    t->objects += count;
    if (state != OBJECT_SKIPPED)
        t->bytes += bytes;
    switch (state) {
    case OBJECT_DONE:
        t->done += count;
        t->done_bytes += bytes;
        break;
    case OBJECT_FAILED:
        t->failed += count;
        break;
    case OBJECT_SKIPPED:
        t->skipped += count;
        break;
    case OBJECT_PLANNED:
    case OBJECT_CREATING:
    case OBJECT_MOVING:
    case OBJECT_COMPLETING:
    case OBJECT_PUBLISHING:
    case OBJECT_BAD:
        t->due += count;
        break;
    }
}

static int read_states(struct queue *q, struct tally *out, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_TALLY_STATES);
    bool strange = false;
    int rc;
    *out = (struct tally){ 0 };
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *) sqlite3_column_text(s, 0);
        if (name == NULL)
            break; /* SQLite has no memory */
        enum object_state state = object_state_from(name);
        strange |= state == OBJECT_BAD;
        add_state(out, state, (uint64_t) sqlite3_column_int64(s, 1),
            (uint64_t) sqlite3_column_int64(s, 2));
    }
    sqlite3_reset(s);
    if (rc != SQLITE_DONE)
        return rc == SQLITE_ROW ? error_no_memory(err) : queue_fail(q, err);
    return strange ? queue_damaged(q, "an object is in no state that there is", err) : 0;
}

/* Whoever edits with triggers switched off leaves a tally that is wrong. Of a large file nobody
 * would find out; but no run may end too early, or never, for that. */
static int read_counts(struct queue *q, struct tally *out, struct error *err)
{
    int64_t is_due = 0;
    if (read_states(q, out, err) < 0 ||
        queue_number(q, queue_statement(q, SQL_IS_DUE), &is_due, err) < 0)
        return -1;
    if (q->lock_fd < 0 || is_due == (out->due > 0))
        return 0;
    return recount(q, err) < 0 ? -1 : read_states(q, out, err);
}

int queue_tally(struct queue *q, struct tally *out, struct error *err)
{
    int64_t planned = 0, part_bytes = 0;
    if (read_counts(q, out, err) < 0 ||
        queue_number(q, queue_statement(q, SQL_TALLY_PLANNED), &planned, err) < 0 ||
        queue_number(q, queue_statement(q, SQL_TALLY_PARTS), &part_bytes, err) < 0)
        return -1;
    out->planned = planned != 0;
    out->moved_bytes = out->done_bytes + (uint64_t) part_bytes;
    return 0;
}
