/* A new queue: its folders, its schema and its first rows, so that neither a crash nor a loss
 * of power leaves half of one. And an older one gets what has been added to the schema. */
#include <errno.h>
#include <fcntl.h>
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

int queue_make_folders(const char *path)
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

/* Nobody has it open: SQLite's locks on it would go with the descriptor. */
static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);
    int cause = errno;
    if (fd >= 0)
        close(fd);
    errno = cause;
    return rc;
}

/* Gives the draft its name. What the run is going to do elsewhere, only its queue knows: from
 * here on no loss of power takes that name away, nor that of a folder above it, which come
 * first: whoever finds the file needs not care for them. */
static int publish(const char *draft, const char *path)
{
    struct anchors none = { 0 };
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t) (slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int rc = fd >= 0 && sync_file(draft) == 0 && anchors_sync(&none, fd) == 0 &&
                     rename(draft, path) == 0
                 ? fsync(fd)
                 : -1;
    int cause = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    errno = cause;
    return rc;
}

static const char *const schema[QUEUE_SCHEMA_VERSION] = { schema_001_queue, schema_002_tally };

/* In the open transaction: what comes behind that version. */
static int add_schema(struct queue *q, int version, struct error *err)
{
    char pragma[48];
    for (int i = version; i < QUEUE_SCHEMA_VERSION; i++)
        if (queue_script(q, schema[i], err) < 0)
            return -1;
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", QUEUE_SCHEMA_VERSION);
    return queue_script(q, pragma, err);
}

int queue_upgrade(struct queue *q, struct error *err)
{
    if (q->version == QUEUE_SCHEMA_VERSION)
        return 0;
    if (queue_script(q, "DROP VIEW temp.tally; BEGIN IMMEDIATE", err) < 0)
        return -1;
    step("queue.upgrading");
    if (add_schema(q, q->version, err) < 0 || queue_script(q, "COMMIT", err) < 0)
        return -1; /* closing the queue undoes it */
    q->version = QUEUE_SCHEMA_VERSION;
    return 0;
}

/* One transaction: a crash leaves a run or nothing. */
static int write_schema(
    struct queue *q, const struct run *run, unsigned transfers, struct error *err)
{
    sqlite3_stmt *s = NULL;
    char begin[64];
    snprintf(begin, sizeof begin, "BEGIN EXCLUSIVE; PRAGMA application_id = %d",
        QUEUE_APPLICATION_ID);
    if (queue_script(q, begin, err) < 0 || add_schema(q, 0, err) < 0)
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
        rc = queue_script(q, row, err);
    }
    step("queue.drafting");
    return rc == 0 ? queue_script(q, "COMMIT", err) : -1;
}

int queue_make_file(
    struct queue *q, const struct run *run, unsigned transfers, struct error *err)
{
    q->version = QUEUE_SCHEMA_VERSION;
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
    /* A draft is synced as a whole, and what a crash leaves of it thrown away. */
    if (queue_connect(q, draft, SQLITE_OPEN_READWRITE, err) < 0 ||
        queue_script(q, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY", err) < 0 ||
        write_schema(q, run, transfers, err) < 0 ||
        queue_script(q, "PRAGMA journal_mode = WAL", err) < 0)
        goto out;
    sqlite3_close(q->db);
    q->db = NULL;
    step("queue.drafted");
    if (publish(draft, q->path) < 0)
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
