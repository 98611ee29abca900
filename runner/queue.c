/* The queue's file: made, opened, owned and closed; its statements; its transactions. What is
 * read and written in between is queue_rows.c's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anchors.h"
#include "queue_sql.h"
#include "schema_sql.h"
#include "step.h"

#define APPLICATION_ID 0x6861756c /* "haul" */
#define SCHEMA_VERSION 1
#define BUSY_MS 5000
#define CHECKED_PAGES_MAX 16384 /* a check of 64 MiB takes a moment; of 64 GiB, hours */
#define CHECKED_TASKS 64
#define VALUE_BYTES_MAX 67108864 /* of a text, and of what a stranger's schema may compute */

#define DUE "('planned', 'creating', 'moving', 'completing', 'publishing')"
#define NOW "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"

static const char *const sql[SQL_COUNT] = {
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
        " ON m.object_id = o.id WHERE o.id > ?1 AND o.state IN " DUE " ORDER BY o.id LIMIT ?2",
    /* Somebody else's schema may have allowed rows that ours has not: they are no parts. */
    [SQL_PARTS] = "SELECT number, state, crc32c, etag FROM part JOIN motion USING (object_id)"
                  " WHERE object_id = ?1 AND number BETWEEN 1 AND 10000"
                  " AND (state = 'sent') = (temp IS NULL)"
                  " AND (state <> 'sent' OR etag IS NOT NULL) ORDER BY number",
    [SQL_STATE] = "SELECT state, generation FROM object WHERE id = ?1",
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
    [SQL_PAUSE] = "UPDATE run SET paused = ?1",
    [SQL_FINISH] = "UPDATE run SET finished_at = " NOW ", paused = NULL",
    [SQL_EVENT] =
        "INSERT INTO event (at, event, object_id, detail) VALUES (" NOW ", ?1, ?2, ?3)",
    [SQL_TALLY_STATES] =
        "SELECT state, count(*), CAST(total(size) AS INTEGER) FROM object GROUP BY state",
    [SQL_TALLY_PARTS] = "SELECT CAST(total(min(m.part_bytes, o.size - (p.number - 1) *"
                        " m.part_bytes)) AS INTEGER) FROM part AS p JOIN motion AS m"
                        " ON m.object_id = p.object_id JOIN object AS o ON o.id = p.object_id",
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

/* For what is not prepared: pragmas and the schema. */
static int run_script(struct queue *q, const char *script, struct error *err)
{
    return sqlite3_exec(q->db, script, NULL, NULL, NULL) == SQLITE_OK ? 0 : queue_fail(q, err);
}

static int pragma_number(struct queue *q, const char *pragma, int64_t *out, struct error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = -1;
    if (sqlite3_prepare_v2(q->db, pragma, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        *out = sqlite3_column_int64(s, 0);
        rc = 0;
    } else {
        queue_fail(q, err);
    }
    sqlite3_finalize(s);
    return rc;
}

static int prepare_all(struct queue *q, struct error *err)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        const char *tail = "";
        int rc = sqlite3_prepare_v3(
            q->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &q->stmt[i], &tail);
        if (rc != SQLITE_OK || *tail != '\0')
            return queue_fail(q, err);
    }
    return 0;
}

/* ---- Ownership ---- */

static char *lock_path(const char *path)
{
    char *name = NULL;
    return asprintf(&name, "%s.lock", path) < 0 ? NULL : name;
}

/* Who has just taken the lock has not written its id yet: there is none, or a dead one's. */
static int read_pid(int fd)
{
    char text[16] = "";
    int pid = pread(fd, text, sizeof text - 1, 0) > 0 ? atoi(text) : 0;
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM) ? pid : -1;
}

static void name_holder(struct queue *q, struct error *err)
{
    int pid = read_pid(q->lock_fd);
    if (pid > 0)
        error_set(err, EXIT_QUEUE,
            "queue %s is held by process %d: wait for it, or stop it with `kill %d`", q->path,
            pid, pid);
    else
        error_set(err, EXIT_QUEUE, "queue %s is held by another process: wait for it", q->path);
}

static int write_pid(int fd)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d\n", (int) getpid()), at = 0;
    if (ftruncate(fd, 0) < 0)
        return -1;
    while (at < len) {
        ssize_t put = pwrite(fd, text + at, (size_t) (len - at), at);
        if (put < 0 && errno != EINTR)
            return -1;
        at += put > 0 ? (int) put : 0;
    }
    return 0;
}

/* A companion file, never the queue itself: closing a descriptor of that would drop the locks
 * that SQLite holds on it. The lock belongs to the open file description, so the kernel frees
 * it however the process ends; and, unlike flock(2), others can ask for it without taking it.
 */
static int take_lock(struct queue *q, struct error *err)
{
    struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *name = lock_path(q->path);
    int rc = -1;
    if (name == NULL)
        return error_no_memory(err);
    q->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (q->lock_fd < 0) {
        error_set(err, EXIT_QUEUE, "queue %s: the lock file %s can't be opened: %s%s", q->path,
            name, strerror(errno), error_advice(errno));
    } else if (fcntl(q->lock_fd, F_OFD_SETLK, &whole_file) < 0) {
        name_holder(q, err);
    } else {
        if (write_pid(q->lock_fd) < 0)
            error_set(err, EXIT_QUEUE, "queue %s: the lock file can't be written: %s%s",
                q->path, strerror(errno), error_advice(errno));
        else
            rc = 0;
    }
    free(name);
    return rc;
}

int queue_holder(const char *path)
{
    struct flock found = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *name = lock_path(path);
    int pid = 0, fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    free(name);
    if (fd < 0)
        return 0;
    if (fcntl(fd, F_OFD_GETLK, &found) == 0 && found.l_type != F_UNLCK)
        pid = read_pid(fd);
    close(fd);
    return pid;
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

static int open_database(struct queue *q, const char *path, int flags, struct error *err)
{
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

/* Nothing is written before the file has shown to be ours, of our time, and whole. */
static int check_kind(struct queue *q, struct error *err)
{
    int64_t application, version;
    if (pragma_number(q, "PRAGMA application_id", &application, err) < 0 ||
        pragma_number(q, "PRAGMA user_version", &version, err) < 0)
        return -1;
    if (application != APPLICATION_ID)
        return error_set(err, EXIT_QUEUE,
            "queue %s: this is no haul queue; name the .db file of a run", q->path);
    if (version > SCHEMA_VERSION)
        return error_set(err, EXIT_QUEUE,
            "queue %s: written by a newer haul (schema %d, this one knows %d); use that "
            "version",
            q->path, (int) version, SCHEMA_VERSION);
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

/* Is all there, and makes sense? Reads only. What a larger file has to hide is found by those
 * who come upon it. */
static int check_whole(struct queue *q, struct error *err)
{
    struct task tasks[CHECKED_TASKS];
    struct tally ignored;
    struct run run;
    int64_t pages, after = INT64_MIN;
    int count;
    if (pragma_number(q, "PRAGMA page_count", &pages, err) < 0)
        return -1;
    if (pages > CHECKED_PAGES_MAX)
        return 0;
    if (check_pragma(q, "PRAGMA integrity_check(1)", "ok", err) < 0 ||
        check_pragma(q, "PRAGMA foreign_key_check", NULL, err) < 0 ||
        queue_run(q, &run, err) < 0)
        return -1;
    run_clear(&run);
    if (queue_tally(q, &ignored, err) < 0)
        return -1;
    while ((count = queue_take(q, after, tasks, CHECKED_TASKS, err)) > 0) {
        after = tasks[count - 1].id;
        while (count > 0)
            task_clear(&tasks[--count]);
    }
    return count;
}

static int make_folders(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return -1;
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST) {
            free(copy);
            return -1;
        }
        *slash = '/';
    }
    free(copy);
    return 0;
}

/* What the run is going to do elsewhere, only its queue knows: from here on no loss of power
 * takes the file's name away, nor that of a folder above it. */
static int sync_folders(const char *path)
{
    struct anchors none = { 0 };
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t) (slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int rc = fd >= 0 && fsync(fd) == 0 ? anchors_sync(&none, fd) : -1;
    int cause = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    errno = cause;
    return rc;
}

/* One transaction: a crash leaves a run or nothing. */
static int write_schema(
    struct queue *q, const struct run *run, unsigned transfers, struct error *err)
{
    sqlite3_stmt *s = NULL;
    char pragmas[96];
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
        APPLICATION_ID, SCHEMA_VERSION);
    if (run_script(q, "BEGIN EXCLUSIVE", err) < 0 || run_script(q, pragmas, err) < 0 ||
        run_script(q, schema_001_queue, err) < 0)
        return -1;
    if (sqlite3_prepare_v2(q->db,
            "INSERT INTO run (id, name, manifest, manifest_file, created_at)"
            " VALUES (?1, ?2, ?3, ?4, ?5)",
            -1, &s, NULL) != SQLITE_OK)
        return queue_fail(q, err);
    const char *values[] = { run->id, run->name, run->manifest, run->manifest_file,
        run->created_at };
    for (int i = 0; i < 5; i++)
        sqlite3_bind_text(s, i + 1, values[i], -1, SQLITE_STATIC);
    int rc = queue_do(q, s, err);
    sqlite3_finalize(s);
    for (unsigned i = 1; rc == 0 && i <= transfers; i++) {
        char row[64];
        snprintf(row, sizeof row, "INSERT INTO transfer (id) VALUES (%u)", i);
        rc = run_script(q, row, err);
    }
    step("queue.drafting");
    return rc == 0 ? run_script(q, "COMMIT", err) : -1;
}

/* The last one to be called: it writes. */
static int make_ready(struct queue *q, struct error *err)
{
    sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return run_script(q,
        "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -4096", err);
}

/* Under another name until it is a queue, so that no crash leaves half of one. */
static int make_file(
    struct queue *q, const struct run *run, unsigned transfers, struct error *err)
{
    char *draft = NULL;
    int rc = -1, fd;
    if (asprintf(&draft, "%s" QUEUE_DRAFT, q->path) < 0)
        return error_no_memory(err);
    unlink(draft);
    /* Ours alone to read; SQLite gives the log beside it the same mode. */
    fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set(
            err, EXIT_QUEUE, "queue %s: %s%s", q->path, strerror(errno), error_advice(errno));
        goto out;
    }
    close(fd); /* before SQLite holds a lock on it */
    if (open_database(q, draft, SQLITE_OPEN_READWRITE, err) < 0 ||
        write_schema(q, run, transfers, err) < 0)
        goto out;
    sqlite3_close(q->db);
    q->db = NULL;
    step("queue.drafted");
    /* Its folders before its name: whoever finds it needs not care for them. */
    if (sync_folders(q->path) < 0 || rename(draft, q->path) < 0 || sync_folders(q->path) < 0)
        error_set(
            err, EXIT_QUEUE, "queue %s: %s%s", q->path, strerror(errno), error_advice(errno));
    else
        rc = 0;
    step("queue.made");
out:
    if (rc < 0)
        unlink(draft); /* it is our own, and no run */
    free(draft);
    return rc;
}

int queue_create(struct queue **out, const char *path, const struct run *run,
    unsigned transfers, struct error *err)
{
    struct queue *q = new_queue(path, err);
    if (q == NULL)
        return -1;
    if (make_folders(path) < 0) {
        error_set(err, EXIT_QUEUE, "queue %s: its folder can't be made: %s%s", path,
            strerror(errno), error_advice(errno));
        goto failed;
    }
    if (take_lock(q, err) < 0)
        goto failed;
    if (access(path, F_OK) == 0) {
        error_set(err, EXIT_QUEUE, "queue %s: the file exists already", path);
        goto failed;
    }
    if (make_file(q, run, transfers, err) < 0 ||
        open_database(q, path, SQLITE_OPEN_READWRITE, err) < 0 || prepare_all(q, err) < 0 ||
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
    static const char *const ends[] = { QUEUE_DRAFT "-journal", QUEUE_DRAFT, ".lock" };
    struct error ignored;
    struct queue *q = new_queue(path, &ignored);
    if (q != NULL && take_lock(q, &ignored) == 0 && access(path, F_OK) < 0)
        for (int i = 0; i < 3; i++) {
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
    if (take_lock(q, err) < 0 || open_database(q, path, SQLITE_OPEN_READWRITE, err) < 0 ||
        check_kind(q, err) < 0 || prepare_all(q, err) < 0 || check_whole(q, err) < 0 ||
        make_ready(q, err) < 0)
        goto failed;
    *out = q;
    return 0;
failed:
    queue_close(q);
    return -1;
}

static int open_to_read(struct queue *q, const char *path, int flags, struct error *err)
{
    return open_database(q, path, flags, err) < 0 ? -1 : check_kind(q, err);
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
    if (rc < 0 || prepare_all(q, err) < 0) {
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
    for (int i = 0; i < SQL_COUNT; i++)
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
        if (run_script(q, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                err) < 0)
            return -1;
        q->durable = durable;
    }
    return queue_do(q, queue_statement(q, SQL_BEGIN), err);
}

int queue_commit(struct queue *q, struct error *err)
{
    return queue_do(q, queue_statement(q, SQL_COMMIT), err);
}

void queue_rollback(struct queue *q)
{
    struct error ignored;
    if (!sqlite3_get_autocommit(q->db))
        queue_do(q, queue_statement(q, SQL_ROLLBACK), &ignored);
}
