/* One thread that fetches fresh keys for all before they expire, so that no request has to wait
 * for them. Nobody has to start one: see credentials.h for what happens without.
 *
 *     struct haul_refresher *r = haul_refresher_start(&keys, 1, &err);
 *     ... transfers, on any number of threads ...
 *     haul_refresher_stop(r);
 *
 * It asks within the last quarter of the keys' life and at most ten minutes before its end,
 * spread at random, so that a fleet does not ask at once; after a failure again and again, with
 * growing delays of up to a minute; and at once when a server says that the keys have expired.
 */
#ifndef HAUL_REFRESHER_H
#define HAUL_REFRESHER_H

#include <haul/credentials.h>

HAUL_BEGIN

struct haul_refresher;

/* Credentials belong to one refresher at a time, and must outlive it; NULLs among them, and
 * those that never change, are passed over. Signals are blocked on its thread. NULL with *err:
 * HAUL_NO_MEMORY, also when the system refuses a thread; HAUL_BAD_ARGUMENT: one of them has a
 * refresher already. */
struct haul_refresher *haul_refresher_start(
    struct haul_credentials *const credentials[], size_t count, struct haul_error *err);

/* Ends what it is asking just now, and the thread. The credentials stay usable. NULL is fine.
 */
void haul_refresher_stop(struct haul_refresher *r);

HAUL_END
#endif
