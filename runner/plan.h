/* Planning: what a transfer would move, row by row, in the order of the names. It only looks;
 * the planner puts the rows into the queue, and `haul plan` prints them. */
#ifndef PLAN_H
#define PLAN_H

#include <haul/client.h>

#include "queue.h"

/* Called for each row; its strings are gone afterwards. false: enough. */
typedef bool plan_row_fn(void *payload, const struct planned *row);

/* after: the last name that was planned already, or NULL. Returns 0 at the end, 1 when `row`
 * had enough, -1 with *err: the source or the endpoint refuses (EXIT_PAUSED), out of memory. */
int plan_transfer(const struct transfer *t, const struct haul_endpoint *endpoint,
    struct haul_client *client, const char *after, plan_row_fn *row, void *payload,
    struct error *err);

/* `when: changed`, both ways. Pure. Uploads: sizes differ, or the file is newer than the
 * object. Downloads: sizes differ, or the file has not the object's time, which haul gives it.
 */
struct facts {
    bool exists;
    uint64_t size;
    int64_t modified_ms; /* -1: not known */
};
bool plan_wants(enum transfer_kind kind, enum transfer_when when, const struct facts *source,
    const struct facts *destination);

#endif
