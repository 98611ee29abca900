/* The queue's file, opened and closed; its statements; its transactions. It is made by
 * queue_make.c, owned by queue_lock.c, and found to be sound by queue_check.c; what is read and
 * written in between is queue_rows.c's, and counted by queue_tally.c. */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue_sql.h"

#define BUSY_MS 5000
#define VALUE_BYTES_MAX 67108864 /* of a text, and of what a stranger's schema may compute */

/* The first words are those of the index, the last those of a queue of version 1. */
#define DUE                                                                                    \
    "state <> 'done' AND state <> 'failed' AND state <> 'skipped' AND state IN"                \
    " ('planned', 'creating', 'moving', 'completing', 'publishing')"
#define NOW "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"

static const char *const sql[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_RUN] =
        "SELECT id, name, manifest, manifest_file, created_at, finished_at, paused FROM run",
    [SQL_POSITION] = "SELECT planned, position FROM transfer WHERE id = ?1",
    [SQL_ADD_OBJECT] =
        "INSERT INTO object (transfer_id, name, size, modified_ms, etag, state, why)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_SET_POSITION] = "UPDATE transfer SET position = coalesce(?2, position), planned = ?3"
                         " WHERE id = ?1",
    [SQL_TAKE] =
        "SELECT o.id, o.transfer_id, o.name, o.size, o.modified_ms, o.etag, o.state,"
        " o.generation, m.part_bytes, m.began_ms, m.source, m.token, m.upload_id, m.temp,"
        " m.generation"
        " FROM object AS o INDEXED BY object_due LEFT JOIN motion AS m"
        " ON m.object_id = o.id WHERE o.id > ?1 AND " DUE " ORDER BY o.id LIMIT ?2",
    /* Somebody else's schema may have allowed rows that ours has not: they are no parts. */
    [SQL_PARTS] = "SELECT number, state, crc32c, etag FROM part JOIN motion USING (object_id)"
                  " WHERE object_id = ?1 AND number BETWEEN 1 AND 10000"
                  " AND (state = 'sent') = (temp IS NULL)"
                  " AND (state <> 'sent' OR etag IS NOT NULL) ORDER BY number",
    [SQL_STATE] = "SELECT state, generation, transfer_id, size FROM object WHERE id = ?1",
    [SQL_SET_STATE] =
        "UPDATE object SET state = ?2, generation = ?3, size = coalesce(?4, size),"
        " modified_ms = coalesce(?5, modified_ms), etag = coalesce(?6, etag),"
        " why = ?7 WHERE id = ?1",
    [SQL_ADD_MOTION] =
        "INSERT INTO motion (object_id, generation, part_bytes, source, began_ms,"
        " token, temp) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_SET_UPLOAD_ID] = "UPDATE motion SET upload_id = ?2 WHERE object_id = ?1",
    [SQL_DROP_MOTION] = "DELETE FROM motion WHERE object_id = ?1",
    [SQL_ADD_PART] = "INSERT OR REPLACE INTO part (object_id, number, state, crc32c, etag)"
                     " SELECT object_id, ?3, ?4, ?5, ?6 FROM motion"
                     " WHERE object_id = ?1 AND generation = ?2",
    [SQL_COUNT] = "INSERT INTO tally VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
                  " SET objects = objects + excluded.objects,"
                  " bytes = CAST(bytes + excluded.bytes AS INTEGER)",
    [SQL_PAUSE] = "UPDATE run SET paused = ?1",
    [SQL_FINISH] = "UPDATE run SET finished_at = " NOW ", paused = NULL",
    [SQL_EVENT] =
        "INSERT INTO event (at, event, object_id, detail) VALUES (" NOW ", ?1, ?2, ?3)",
    [SQL_TALLY_STATES] = "SELECT state, objects, bytes FROM tally WHERE objects <> 0",
    /* Parts are only counted; what the last one lacks, if it is there, is taken off. */
    [SQL_TALLY_PARTS] =
        "SELECT CAST(total((SELECT count(*) FROM part WHERE object_id = id) * part_bytes"
        " - EXISTS (SELECT 1 FROM part WHERE object_id = id"
        " AND number = (size - 1) / part_bytes + 1)"
        " * (part_bytes - 1 - (size - 1) % part_bytes)) AS INTEGER)"
        " FROM motion JOIN object ON id = object_id",
    [SQL_TALLY_DIFFERS] =
        "SELECT EXISTS (" QUEUE_COUNTED " EXCEPT SELECT * FROM tally) OR"
        " (SELECT total(objects) FROM tally) <> (SELECT count(*) FROM object)",
    [SQL_IS_DUE] = "SELECT EXISTS (SELECT 1 FROM object WHERE " DUE ")",
    [SQL_TALLY_PLANNED] = "SELECT coalesce(min(planned), 1) FROM transfer",
    [SQL_FAILED] =
        "SELECT transfer_id, name, why FROM object WHERE state = 'failed' ORDER BY id",
    [SQL_JSON] = "SELECT json_object('id', id, 'name', name, 'state', ?1, 'pid', ?2,"
                 " 'manifest_file', manifest_file, 'created_at', created_at,"
                 " 'finished_at', finished_at, 'paused', paused,"
                 " 'planned', json(iif(?3, 'true', 'false')),"
                 " 'objects', ?4, 'bytes', ?5, 'done', ?6, 'done_bytes', ?7, 'failed', ?8,"
                 " 'skipped', ?9, 'due', ?10, 'moved_bytes', ?11)"
                 " FROM run",
};

int queue_damaged(const struct queue *q, const char *how, struct error *err)
{
    return error_set(err, EXIT_QUEUE,
        "queue %s: the file is damaged (%s); restore it, or start again with `haul run --new`",
        q->path, how);
}

int queue_fail(struct queue *q, struct error *err)
{
    int code = q->db ? sqlite3_errcode(q->db) : SQLITE_NOMEM;
    const char *next = "";
    if (code == SQLITE_NOTADB)
        next = ": this is no haul queue; name the .db file of a run";
    else if (code == SQLITE_CORRUPT)
        next = ": the file is damaged; restore it, or start again with `haul run --new`";
    else if (code == SQLITE_FULL)
        next = ": make room on its disk, then `haul resume`";
    else if (code == SQLITE_IOERR)
        next = ": make room on its disk, or mend that, then `haul resume`";
    else if (code == SQLITE_NOMEM)
        next = ": free some memory, then `haul resume`";
    else if (code == SQLITE_BUSY)
        next = ": another program has it open; close that, then `haul resume`";
    else if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
        next = ": check that the file and its folder exist and can be written";
    return error_set(err, EXIT_QUEUE, "queue %s: %s%s", q->path,
        q->db ? sqlite3_errmsg(q->db) : "out of memory", next);
}

struct sqlite3_stmt *queue_statement(struct queue *q, enum sql which)
{
    sqlite3_stmt *s = q->stmt[which];
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return s;
}

int queue_do(struct queue *q, struct sqlite3_stmt *s, struct error *err)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : queue_fail(q, err);
}

int queue_number(struct queue *q, struct sqlite3_stmt *s, int64_t *out, struct error *err)
{
    if (sqlite3_step(s) != SQLITE_ROW)
        return queue_fail(q, err);
    *out = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return 0;
}

int queue_script(struct queue *q, const char *script, struct error *err)
{
    return sqlite3_exec(q->db, script, NULL, NULL, NULL) == SQLITE_OK ? 0 : queue_fail(q, err);
}

static int prepare_all(struct queue *q, struct error *err)
{
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        const char *tail = "";
        if (q->stmt[i] != NULL || (i == SQL_COUNT && q->version < QUEUE_SCHEMA_VERSION))
            continue; /* nobody counts before the upgrade */
        int rc = sqlite3_prepare_v3(
            q->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &q->stmt[i], &tail);
        if (rc != SQLITE_OK || *tail != '\0')
            return queue_fail(q, err);
    }
    return 0;
}

/* ---- Opening ---- */

static struct queue *new_queue(const char *path, struct error *err)
{
    struct queue *q = calloc(1, sizeof *q);
    if (q != NULL) {
        q->lock_fd = -1;
        q->durable = -1;
        q->path = strdup(path);
    }
    if (q == NULL || q->path == NULL) {
        free(q);
        error_no_memory(err);
        return NULL;
    }
    return q;
}

/* Nobody reads SQLite's own statistics of its memory, and for them each allocation takes a
 * mutex, a tenth of all its time here (sqlite.org/compile.html, SQLITE_DEFAULT_MEMSTATUS).
 * Where SQLite was set up before, by a test, it stays as it is. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int queue_connect(struct queue *q, const char *path, int flags, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure);
    if (sqlite3_open_v2(path, &q->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return queue_fail(q, err);
    sqlite3_extended_result_codes(q->db, 0);
    sqlite3_busy_timeout(q->db, BUSY_MS);
    /* A queue may come from a colleague: its schema is data, not to be trusted, and what it
     * would have done behind our back is not. */
    sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    /* Until it has shown to be ours: closing it would merge what its log holds. */
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return 0;
}

/* From here on it is written to. The log is folded into the file when it has 16 MiB, not 4: as
 * each time syncs both of them, a disk that takes 10 ms for that is kept busy a quarter as
 * much. Readers look through its index, 32 KiB for each 16 MiB (sqlite.org/wal.html, "Avoiding
 * Excessively Large WAL Files" and "Performance Considerations"). The cache counts in the run's
 * memory, and planning, taking and finishing all walk the rows in order: 2 MiB hold what they
 * come back to. */
static int make_ready(struct queue *q, struct error *err)
{
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return queue_script(q,
        "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -2048;"
        " PRAGMA wal_autocheckpoint = 4096",
        err);
}

/* Until it is upgraded, an older queue's rows are counted by whoever asks. (What is temporary
 * is ours, and not behind ENABLE_VIEW.) */
static int stand_in(struct queue *q, struct error *err)
{
    return q->version == QUEUE_SCHEMA_VERSION
               ? 0
               : queue_script(q, "CREATE TEMP VIEW tally AS " QUEUE_COUNTED, err);
}

int queue_create(struct queue **out, const char *path, const struct run *run,
    unsigned transfers, struct error *err)
{
    struct queue *q = new_queue(path, err);
    if (q == NULL)
        return -1;
    if (queue_make_folders(path) < 0) {
        error_set(err, EXIT_QUEUE, "queue %s: its folder can't be made: %s%s", path,
            strerror(errno), error_advice(errno));
        goto failed;
    }
    if (queue_lock(q, err) < 0)
        goto failed;
    if (access(path, F_OK) == 0) {
        error_set(err, EXIT_QUEUE, "queue %s: the file exists already", path);
        goto failed;
    }
    if (queue_make_file(q, run, transfers, err) < 0 ||
        queue_connect(q, path, SQLITE_OPEN_READWRITE, err) < 0 || prepare_all(q, err) < 0 ||
        make_ready(q, err) < 0)
        goto failed;
    *out = q;
    return 0;
failed:
    queue_close(q);
    return -1;
}

/* Whoever holds the lock is alone with them; its name goes last. */
void queue_clear_draft(const char *path)
{
    static const char *const ends[] = { QUEUE_DRAFT, ".lock" };
    struct error ignored;
    struct queue *q = new_queue(path, &ignored);
    if (q != NULL && queue_lock(q, &ignored) == 0 && access(path, F_OK) < 0)
        for (int i = 0; i < 2; i++) {
            char *name = NULL;
            if (asprintf(&name, "%s%s", path, ends[i]) >= 0)
                unlink(name);
            free(name);
        }
    queue_close(q);
}

int queue_open(struct queue **out, const char *path, struct error *err)
{
    struct queue *q = new_queue(path, err);
    if (q == NULL)
        return -1;
    if (access(path, F_OK) < 0) {
        error_set(
            err, EXIT_QUEUE, "queue %s: %s; `haul jobs` lists the runs", path, strerror(errno));
        goto failed;
    }
    if (queue_lock(q, err) < 0 || queue_connect(q, path, SQLITE_OPEN_READWRITE, err) < 0 ||
        queue_check_kind(q, err) < 0 || stand_in(q, err) < 0 || prepare_all(q, err) < 0)
        goto failed;
    int whole = queue_check_whole(q, err);
    if (whole < 0 || queue_upgrade(q, err) < 0 || make_ready(q, err) < 0 ||
        prepare_all(q, err) < 0 || (whole && queue_mend_tally(q, err) < 0))
        goto failed;
    *out = q;
    return 0;
failed:
    queue_close(q);
    return -1;
}

static int open_to_read(struct queue *q, const char *path, int flags, struct error *err)
{
    return queue_connect(q, path, flags, err) < 0 ? -1 : queue_check_kind(q, err);
}

/* When its owner died amidst a commit of the old kind (as the log is put on or off), half of it
 * stands in the file, and SQLite undoes that before anybody reads. */
int queue_open_reader(struct queue **out, const char *path, struct error *err)
{
    struct queue *q = new_queue(path, err);
    if (q == NULL)
        return -1;
    int rc = open_to_read(q, path, SQLITE_OPEN_READONLY, err);
    if (rc < 0 && q->db != NULL && sqlite3_errcode(q->db) == SQLITE_READONLY) {
        sqlite3_close(q->db);
        q->db = NULL;
        rc = open_to_read(q, path, SQLITE_OPEN_READWRITE, err);
    }
    if (rc < 0 || stand_in(q, err) < 0 || prepare_all(q, err) < 0) {
        queue_close(q);
        return -1;
    }
    *out = q;
    return 0;
}

void queue_close(struct queue *q)
{
    if (q == NULL)
        return;
    for (int i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(q->stmt[i]);
    sqlite3_close(q->db);
    if (q->lock_fd >= 0)
        close(q->lock_fd);
    free(q->path);
    free(q);
}

void queue_seal(struct queue *q)
{
    sqlite3_busy_timeout(q->db, 0);
    sqlite3_exec(q->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    sqlite3_busy_timeout(q->db, BUSY_MS);
}

/* ---- Transactions ---- */

int queue_begin(struct queue *q, bool durable, struct error *err)
{
    if (q->durable != durable) {
        if (queue_script(q,
                durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err) < 0)
            return -1;
        q->durable = durable;
    }
    return queue_do(q, queue_statement(q, SQL_BEGIN), err);
}

int queue_commit(struct queue *q, struct error *err)
{
    return queue_write_counts(q, err) < 0 ? -1
                                          : queue_do(q, queue_statement(q, SQL_COMMIT), err);
}

void queue_rollback(struct queue *q)
{
    struct error ignored;
    q->counted = (struct counted){ 0 };
    if (!sqlite3_get_autocommit(q->db))
        queue_do(q, queue_statement(q, SQL_ROLLBACK), &ignored);
}
