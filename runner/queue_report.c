/* What people and their scripts ask a queue: failures, JSON. Reads only. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "queue_sql.h"

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
