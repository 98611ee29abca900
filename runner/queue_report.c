/* What people and their scripts ask a queue: totals, failures, JSON. Reads only. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "queue_sql.h"

static void add_state(struct tally *t, enum object_state state, uint64_t count, uint64_t bytes)
{
    t->objects += count;
    if (state != OBJECT_SKIPPED)
        t->bytes += bytes;
    switch (state) {
    case OBJECT_DONE:
        t->done = count;
        t->done_bytes = bytes;
        break;
    case OBJECT_FAILED:
        t->failed = count;
        break;
    case OBJECT_SKIPPED:
        t->skipped = count;
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

static int ask_number(struct queue *q, enum sql which, uint64_t *out, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, which);
    if (sqlite3_step(s) != SQLITE_ROW)
        return queue_fail(q, err);
    *out = (uint64_t) sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return 0;
}

int queue_tally(struct queue *q, struct tally *out, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_TALLY_STATES);
    uint64_t planned = 0, part_bytes = 0;
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
    if (strange)
        return queue_damaged(q, "an object is in no state that there is", err);
    if (ask_number(q, SQL_TALLY_PLANNED, &planned, err) < 0 ||
        ask_number(q, SQL_TALLY_PARTS, &part_bytes, err) < 0)
        return -1;
    out->planned = planned != 0;
    out->moved_bytes = out->done_bytes + part_bytes;
    return 0;
}

int queue_failed(struct queue *q, failed_fn *row, void *payload, struct error *err)
{
    sqlite3_stmt *s = queue_statement(q, SQL_FAILED);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *) sqlite3_column_text(s, 1);
        const char *why = (const char *) sqlite3_column_text(s, 2);
        if (name == NULL || why == NULL)
            break; /* somebody else's schema, or no memory */
        row(payload, (unsigned) sqlite3_column_int(s, 0), name, why);
    }
    if (rc == SQLITE_ROW)
        queue_damaged(q, "a failed object lacks its name or the reason", err);
    else if (rc != SQLITE_DONE)
        queue_fail(q, err);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? 0 : -1;
}

int queue_json(struct queue *q, const char *state, int pid, char **out, struct error *err)
{
    struct tally t;
    if (queue_tally(q, &t, err) < 0)
        return -1;
    sqlite3_stmt *s = queue_statement(q, SQL_JSON);
    sqlite3_bind_text(s, 1, state, -1, SQLITE_STATIC);
    if (pid > 0)
        sqlite3_bind_int(s, 2, pid);
    uint64_t numbers[] = { t.planned, t.objects, t.bytes, t.done, t.done_bytes, t.failed,
        t.skipped, t.due, t.moved_bytes };
    for (int i = 0; i < 9; i++)
        sqlite3_bind_int64(s, 3 + i, (int64_t) numbers[i]);
    if (sqlite3_step(s) != SQLITE_ROW)
        return queue_fail(q, err);
    const char *text = (const char *) sqlite3_column_text(s, 0);
    *out = text ? strdup(text) : NULL;
    sqlite3_reset(s);
    return *out ? 0 : error_no_memory(err);
}
