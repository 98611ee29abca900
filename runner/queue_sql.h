/* What the queue's files share: queue.c opens, queue_make.c makes, queue_lock.c owns,
 * queue_check.c doubts, queue_rows.c carries out, queue_report.c looks on. Nobody else includes
 * this. */
#ifndef QUEUE_SQL_H
#define QUEUE_SQL_H

#include "queue.h"

#define QUEUE_APPLICATION_ID 0x6861756c /* "haul" */
#define QUEUE_SCHEMA_VERSION 1

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
    SQL_PAUSE,
    SQL_FINISH,
    SQL_EVENT,
    SQL_TALLY_STATES,
    SQL_TALLY_PARTS,
    SQL_TALLY_PLANNED,
    SQL_FAILED,
    SQL_JSON,
    SQL_COUNT,
};

struct queue {
    char *path; /* owned */
    struct sqlite3 *db;
    struct sqlite3_stmt *stmt[SQL_COUNT];
    int lock_fd; /* of PATH.lock, holding the flock; -1: a reader */
    int durable; /* what PRAGMA synchronous is set to; -1: not yet */
};

/* *err says what SQLite says, and that the queue is to blame. Returns -1. */
int queue_fail(struct queue *q, struct error *err);

/* A statement, reset and unbound. */
struct sqlite3_stmt *queue_statement(struct queue *q, enum sql which);

/* Runs it to its end; rows are not expected. */
int queue_do(struct queue *q, struct sqlite3_stmt *s, struct error *err);

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
 * who come upon it. */
int queue_check_whole(struct queue *q, struct error *err);

/* ---- queue_make.c ---- */

/* Those above the queue. -1 with errno. */
int queue_make_folders(const char *path);

/* Under another name until it is a queue; q is not connected to it. */
int queue_make_file(
    struct queue *q, const struct run *run, unsigned transfers, struct error *err);

#endif
