/* What the queue's three files share: queue.c opens and owns, queue_rows.c carries out, and
 * queue_report.c looks on. Nobody else includes this. */
#ifndef QUEUE_SQL_H
#define QUEUE_SQL_H

#include "queue.h"

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

#endif
