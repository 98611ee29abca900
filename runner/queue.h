/* The queue: one SQLite file a run, and the only place that speaks SQL about it. A queue
 * belongs to one thread at a time (the journal's); readers open it on their own, beside its
 * owner. Functions return 0 or -1 with *err (EXIT_QUEUE unless said otherwise). */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "state.h"

struct queue;

/* What is behind a queue's path while it is being made. */
#define QUEUE_DRAFT ".new"

/* What a run is, as the queue tells it; queue_run() and free with run_clear(). */
struct run {
    char *id, *name, *manifest, *manifest_file, *created_at; /* owned */
    char *finished_at, *paused;                              /* owned; NULL: not so */
};
void run_clear(struct run *r);

/* Creates the file and its folder, with `transfers` rows to be planned, and takes ownership of
 * the queue as queue_open() does. An existing file is an error. */
int queue_create(struct queue **out, const char *path, const struct run *run,
    unsigned transfers, struct error *err);

/* Removes what a process that died in queue_create() left of the queue PATH. Nothing happens
 * when the queue is there, or its maker alive. */
void queue_clear_draft(const char *path);

/* Takes the queue: only one process can hold it, by a lock on PATH.lock; the error names who
 * does. Damaged, foreign and newer files are refused and left as they are. */
int queue_open(struct queue **out, const char *path, struct error *err);

/* Looks on, beside an owner or without one. Writes nothing, but undoes a commit that was cut
 * short. */
int queue_open_reader(struct queue **out, const char *path, struct error *err);

void queue_close(struct queue *q);

/* Folds the write-ahead log into the file, so that it can be copied alone. When somebody reads
 * it just now, the log stays. Outside a transaction. */
void queue_seal(struct queue *q);

/* The pid of the process that holds the queue's lock; 0: nobody does; -1: who has not said yet.
 */
int queue_holder(const char *path);

int queue_run(struct queue *q, struct run *out, struct error *err);

/* *err says that the file is damaged, and how. Any thread. Returns -1. */
int queue_damaged(const struct queue *q, const char *how, struct error *err);

/* ---- Planning ---- */

struct planned {
    char *name; /* borrowed */
    uint64_t size;
    int64_t modified_ms;     /* -1: not known */
    const char *etag;        /* NULL: none */
    enum object_state state; /* OBJECT_PLANNED, _SKIPPED or _FAILED */
    const char *why;         /* of the last two */
};

/* How far a transfer is planned. *position: owned by the caller, NULL: not begun. */
int queue_position(
    struct queue *q, unsigned transfer, bool *planned, char **position, struct error *err);

/* Adds the rows and moves the position to the last one's name, in the open transaction. */
int queue_plan(struct queue *q, unsigned transfer, const struct planned *rows, size_t count,
    bool finished, struct error *err);

/* ---- Carrying out ---- */

/* A part that the queue has recorded. */
enum part_state { PART_SENT, PART_WRITTEN, PART_SYNCED };
struct part_record {
    unsigned number;
    enum part_state state;
    uint32_t crc32c;
    char *etag; /* owned; NULL for downloads */
};
void part_records_free(struct part_record *records, unsigned count);

/* An object that is due. task_clear() frees what it holds. */
struct task {
    int64_t id;
    unsigned transfer; /* from 1 */
    char *name;
    uint64_t size;
    int64_t modified_ms; /* -1: not known */
    char *etag;          /* NULL: none */
    enum object_state state;
    unsigned generation;
    /* Beyond OBJECT_PLANNED: */
    uint64_t part_bytes;
    int64_t began_ms;
    char *source, *token, *upload_id, *temp;
    struct part_record *records;
    unsigned record_count;
};
void task_clear(struct task *t);

/* Hands out up to `max` objects that are due and have an id over `after`, in order; each could
 * have been written by queue_change(). Returns how many, or -1. */
int queue_take(struct queue *q, int64_t after, struct task *out, int max, struct error *err);

/* The recorded parts of an object, by number. */
int queue_parts(struct queue *q, int64_t object, struct part_record **out, unsigned *count,
    struct error *err);

/* Everything from here on happens inside a transaction. durable: it survives a loss of power
 * once committed (synchronous=FULL); else it survives the death of the process. */
int queue_begin(struct queue *q, bool durable, struct error *err);
int queue_commit(struct queue *q, struct error *err);
void queue_rollback(struct queue *q);

/* A change of an object's state. A result of an older generation changes nothing. */
struct change {
    int64_t object;
    unsigned generation;
    enum transfer_kind kind;
    enum object_event event;
    uint64_t size;       /* BEGAN, FINISHED, RESTARTED: the source as it was found */
    int64_t modified_ms; /* the same */
    const char *etag;    /* FINISHED: NULL keeps it. RESTARTED of a download: the new one */
    uint64_t part_bytes; /* BEGAN */
    int64_t began_ms;    /* BEGAN */
    const char *source, *token, *temp; /* BEGAN */
    const char *upload_id;             /* CREATED */
    const char *why;                   /* FAILED, RESTARTED */
};

/* *stale: the generation was an older one. An event that does not fit the state is an error. */
int queue_change(struct queue *q, const struct change *c, bool *stale, struct error *err);

/* Records a part (again). Stale ones are dropped. */
int queue_part(struct queue *q, int64_t object, unsigned generation,
    const struct part_record *part, struct error *err);

/* PAUSED (NULL: no more), FINISHED; and an event for people. */
int queue_pause(struct queue *q, const char *why, struct error *err);
int queue_finish(struct queue *q, struct error *err);
int queue_event(
    struct queue *q, const char *event, int64_t object, const char *detail, struct error *err);

/* ---- Looking ---- */

/* Derived from the rows. moved_bytes counts done objects and recorded parts. */
struct tally {
    bool planned; /* every transfer is */
    uint64_t objects, bytes;
    uint64_t done, done_bytes, failed, skipped, due;
    uint64_t moved_bytes;
};
int queue_tally(struct queue *q, struct tally *out, struct error *err);

/* Calls `row` for each failed object, in order. */
typedef void failed_fn(void *payload, unsigned transfer, const char *name, const char *why);
int queue_failed(struct queue *q, failed_fn *row, void *payload, struct error *err);

/* The run as one line of JSON (the caller frees it). `state` and pid as the lock tells them. */
int queue_json(struct queue *q, const char *state, int pid, char **out, struct error *err);

#endif
