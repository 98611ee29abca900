/* The engine carries out a run: worker threads that each own a client of libhaul and a number
 * of slots, the journal that owns the queue, a thread for what blocks on a disk, and the
 * planner. This is its face for the commands; its inside is motion.h. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdint.h>

#include <haul/endpoint.h>

#include "manifest.h"
#include "queue.h"

struct engine;

struct engine_options {
    const struct manifest *manifest;        /* borrowed: outlives the engine */
    struct haul_endpoint *const *endpoints; /* one a manifest's endpoint, same order */
    const char *run_id;
    struct queue *queue;     /* the engine's until engine_join() */
    const struct tally *had; /* of that queue; borrowed for engine_start() alone */
};

/* NULL with *err: no memory or no threads. */
struct engine *engine_start(const struct engine_options *options, struct error *err);

/* Becomes readable when nothing is left to do: then join. */
int engine_over_fd(const struct engine *e);

/* Claims nothing more; what is in flight may finish, for 8 seconds. Any thread. */
void engine_stop(struct engine *e);

/* What this process has done so far. Any thread. */
struct progress {
    uint64_t objects, bytes; /* planned in all, by this process or an earlier one */
    uint64_t done, failed;   /* objects, likewise */
    uint64_t moved_bytes;    /* durable or on its way there, likewise */
    uint64_t sent, received; /* body bytes over the network, by this process */
    bool planned;            /* objects and bytes are final */
};
void engine_progress(const struct engine *e, struct progress *out);

/* Joins all threads and commits what is left. EXIT_DONE: nothing is due any more (failed
 * objects included); EXIT_INTERRUPTED, EXIT_PAUSED, EXIT_QUEUE: err says why. The engine is
 * gone. */
enum exit_code engine_join(struct engine *e, struct error *err);

#endif
