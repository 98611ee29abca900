/* Carrying out a run in the foreground: from an open queue to an exit code. What `haul run` and
 * `haul resume` have in common. */
#ifndef CARRY_H
#define CARRY_H

#include "manifest.h"
#include "queue.h"

/* SIGINT and SIGTERM are blocked from here on, in all threads; carry_out() takes them. Early in
 * main(), before any thread. */
void carry_block_signals(void);

/* Takes the queue and closes it. Prints the summary. path: where --queue said that it is; NULL:
 * in the state folder. A failure fills *err, which the caller
 * prints; EXIT_SOME_FAILED has none. */
enum exit_code carry_out(
    struct queue *q, const char *path, const struct manifest *m, struct error *err);

#endif
