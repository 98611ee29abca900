/* What the queue's files share: queue.c opens, queue_make.c makes, queue_lock.c owns,
 * queue_check.c doubts, queue_rows.c carries out, queue_tally.c counts, queue_report.c looks
 * on. Nobody else includes this. */
#ifndef QUEUE_SQL_H
#define QUEUE_SQL_H

#include "queue.h"

#define QUEUE_APPLICATION_ID 0x6861756c /* "haul" */
#define QUEUE_SCHEMA_VERSION 2

/* What `tally` says, of the rows themselves. */
#define QUEUE_COUNTED                                                                          \
    "SELECT transfer_id, state, count(*) AS objects, CAST(total(size) AS INTEGER) AS bytes"    \
    " FROM object GROUP BY transfer_id, state"

struct sqlite3;
struct sqlite3_stmt;

/* Every statement that the queue ever runs while it works, prepared once. */
enum sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_RUN,
    SQL_POSITION,
    SQL_ADD_OBJECT,
    SQL_SET_POSITION,
    SQL_TAKE,
    SQL_PARTS,
    SQL_STATE,
    SQL_SET_STATE,
    SQL_ADD_MOTION,
    SQL_SET_UPLOAD_ID,
    SQL_DROP_MOTION,
    SQL_ADD_PART,
    SQL_COUNT,
    SQL_PAUSE,
    SQL_FINISH,
    SQL_EVENT,
    SQL_TALLY_STATES,
    SQL_TALLY_PARTS,
    SQL_TALLY_PLANNED,
    SQL_TALLY_DIFFERS,
    SQL_IS_DUE,
    SQL_FAILED,
    SQL_JSON,
    SQL_STATEMENTS,
};

/* What the open transaction does to a transfer's tally. */
struct counted {
    unsigned transfer;
    int64_t objects[OBJECT_BAD + 1], bytes[OBJECT_BAD + 1]; /* by state */
};

struct queue {
    char *path; /* owned */
    struct sqlite3 *db;
    struct sqlite3_stmt *stmt[SQL_STATEMENTS];
    int lock_fd; /* of PATH.lock, holding the flock; -1: a reader */
    int durable; /* what PRAGMA synchronous is set to; -1: not yet */
    int version; /* of its schema */
    struct counted counted;
};

/* *err says what SQLite says, and that the queue is to blame. Returns -1. */
int queue_fail(struct queue *q, struct error *err);

/* A statement, reset and unbound. */
struct sqlite3_stmt *queue_statement(struct queue *q, enum sql which);

/* Runs it to its end; rows are not expected. */
int queue_do(struct queue *q, struct sqlite3_stmt *s, struct error *err);

/* The number that is its one row. */
int queue_number(struct queue *q, struct sqlite3_stmt *s, int64_t *out, struct error *err);

/* For what is not prepared: pragmas and the schema. */
int queue_script(struct queue *q, const char *script, struct error *err);

/* Opens that file, which nobody need trust. */
int queue_connect(struct queue *q, const char *path, int flags, struct error *err);

/* ---- queue_lock.c ---- */

/* Until queue_close(). The error names who has it. */
int queue_lock(struct queue *q, struct error *err);

/* ---- queue_check.c: these read only ---- */

/* Is it a queue, and of our time? */
int queue_check_kind(struct queue *q, struct error *err);

/* Is all there, and makes sense? What a file too large for that has to hide is found by those
 * who come upon it. Returns 1 when all was looked at, 0, or -1. */
int queue_check_whole(struct queue *q, struct error *err);

/* ---- queue_tally.c ---- */

/* So many objects more are in that state, each of that size; or fewer. */
int queue_count(struct queue *q, unsigned transfer, enum object_state state, int objects,
    uint64_t size, struct error *err);

/* The last thing in a transaction. */
int queue_write_counts(struct queue *q, struct error *err);

/* Counts anew if tally and rows disagree. Looks at every row. */
int queue_mend_tally(struct queue *q, struct error *err);

/* ---- queue_make.c ---- */

/* Brings an older schema up to ours, in one transaction; before foreign keys are checked. */
int queue_upgrade(struct queue *q, struct error *err);

/* Those above the queue. -1 with errno. */
int queue_make_folders(const char *path);

/* Under another name until it is a queue; q is not connected to it. */
int queue_make_file(
    struct queue *q, const struct run *run, unsigned transfers, struct error *err);

#endif
