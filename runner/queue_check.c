/* Is this file a queue of ours, and is it whole? Nothing is written before that is known. */
#include <sqlite3.h>
#include <string.h>

#include "queue_sql.h"

#define CHECKED_PAGES_MAX 4096 /* a check of 16 MiB takes a moment; of 64 GiB, hours */
#define CHECKED_TASKS 64

static int ask_number(struct queue *q, const char *question, int64_t *out, struct error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(q->db, question, -1, &s, NULL) == SQLITE_OK
                 ? queue_number(q, s, out, err)
                 : queue_fail(q, err);
    sqlite3_finalize(s);
    return rc;
}

int queue_check_kind(struct queue *q, struct error *err)
{
    int64_t application, version;
    if (ask_number(q, "PRAGMA application_id", &application, err) < 0 ||
        ask_number(q, "PRAGMA user_version", &version, err) < 0)
        return -1;
    if (application != QUEUE_APPLICATION_ID)
        return error_set(err, EXIT_QUEUE,
            "queue %s: this is no haul queue; name the .db file of a run", q->path);
    if (version > QUEUE_SCHEMA_VERSION)
        return error_set(err, EXIT_QUEUE,
            "queue %s: written by a newer haul (schema %d, this one knows %d); use that "
            "version",
            q->path, (int) version, QUEUE_SCHEMA_VERSION);
    q->version = version > 1 ? (int) version : 1;
    return 0;
}

/* What the pragma says first, if that is not `good` (NULL: nothing), is the damage. */
static int check_pragma(
    struct queue *q, const char *pragma, const char *good, struct error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(q->db, pragma, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    const char *says = rc == SQLITE_ROW ? (const char *) sqlite3_column_text(s, 0) : NULL;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        rc = queue_fail(q, err);
    else if (rc == SQLITE_ROW && (says == NULL || good == NULL))
        rc = queue_damaged(q, "rows belong to others that are not there", err);
    else if (rc == SQLITE_ROW && strcmp(says, good) != 0)
        rc = queue_damaged(q, says, err);
    else
        rc = 0;
    sqlite3_finalize(s);
    return rc;
}

int queue_check_whole(struct queue *q, struct error *err)
{
    struct task tasks[CHECKED_TASKS];
    struct run run;
    int64_t pages, strange, after = INT64_MIN;
    int count;
    if (ask_number(q, "PRAGMA page_count", &pages, err) < 0)
        return -1;
    if (pages > CHECKED_PAGES_MAX)
        return 0;
    if (check_pragma(q, "PRAGMA integrity_check(1)", "ok", err) < 0 ||
        check_pragma(q, "PRAGMA foreign_key_check", NULL, err) < 0 ||
        queue_run(q, &run, err) < 0)
        return -1;
    run_clear(&run);
    if (ask_number(q,
            "SELECT count(*) FROM object WHERE state NOT IN ('planned', 'creating', 'moving',"
            " 'completing', 'publishing', 'done', 'failed', 'skipped')",
            &strange, err) < 0)
        return -1;
    if (strange > 0)
        return queue_damaged(q, "an object is in no state that there is", err);
    while ((count = queue_take(q, after, tasks, CHECKED_TASKS, err)) > 0) {
        after = tasks[count - 1].id;
        while (count > 0)
            task_clear(&tasks[--count]);
    }
    return count < 0 ? -1 : 1;
}
