/* The journal: the one thread that owns the queue while a run is carried out. Results come in
 * as entries, in order, and many of them become one transaction (group commit); the objects
 * that are due go out in batches. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "queue.h"

struct journal;

enum entry_kind { ENTRY_CHANGE, ENTRY_PARTS, ENTRY_PLAN };

/* Something to write down. The poster owns it and all that it points to, and leaves both alone
 * until `committed` was called. */
struct entry {
    struct entry *next; /* the journal's */
    enum entry_kind kind;
    /* Somebody waits for the commit. Else it may wait a few dozen ms for company. */
    bool urgent;
    union {
        struct change change; /* its kind of transition makes the commit durable */
        struct {
            int64_t object;
            unsigned generation;
            const struct part_record *records;
            unsigned count;
        } parts; /* not durable: the server, or a checksum, can tell again */
        struct {
            unsigned transfer;
            const struct planned *rows;
            size_t count;
            bool finished;
        } plan; /* not durable: what is lost, position and rows, is planned again */
    };
    /* ENTRY_CHANGE with EVENT_ALL_MOVED of an upload: all the parts that the queue has
     * recorded, for the receiver to free. */
    struct part_record *records;
    unsigned record_count;

    /* Called exactly once, on the journal's thread. failed: nothing was written, and nothing
     * will be any more; journal_options.failed has been called. */
    void (*committed)(struct entry *e, bool failed);
    void *payload;
};

struct journal_options {
    struct queue *queue; /* the journal's until journal_stop() returns */
    /* Objects that are due, in order, to keep (and task_clear()); count 0: none at present. */
    void (*offer)(void *payload, struct task *tasks, int count);
    /* The queue has failed: no further remote effects. Once. */
    void (*failed)(void *payload, const struct error *err);
    void *payload;
};

#define JOURNAL_BATCH 512 /* tasks an offer */

struct journal *journal_start(const struct journal_options *options, struct error *err);
void journal_post(struct journal *j, struct entry *e); /* any thread */
void journal_refill(struct journal *j);                /* any thread: one offer, please */
void journal_stop(struct journal *j); /* after the last post: commits the rest and joins */

#endif
