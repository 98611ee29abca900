/* Many small calls at once, for `-r`: a few threads, each with a store of its own, take work
 * from one source until it is empty. What fails is logged and counted; a refusal ends it all.
 */
#ifndef FANOUT_H
#define FANOUT_H

#include "oneshot.h"

/* One thing to move: names below the two sides' roots. */
struct fanout_item {
    char *name; /* owned by the fan-out from here on */
    uint64_t size;
};

struct fanout {
    const struct oneshot *o;
    /* The next item. 1; 0 at the end; -1 with *err; 2 with *err (EXIT_SOME_FAILED): one that
     * can't be moved. By one thread at a time. */
    int (*next)(struct fanout *f, struct fanout_item *item, struct error *err);
    /* Moves it. Returns 0, or -1 with *err; EXIT_SOME_FAILED goes on. From any thread. */
    int (*move)(const struct fanout *f, struct haul_store *s, const struct fanout_item *item,
        struct error *err);
    void *payload; /* of the two */
};

/* Returns the exit code, with *err for what ended it early, and prints a summary. */
enum exit_code fanout_run(struct fanout *f, struct error *err);

#endif
