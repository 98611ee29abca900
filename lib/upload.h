/* An upload's inside: upload.c keeps account of its parts, upload_end.c ends it, and file_put.c
 * needs to know when parts are through. */
#ifndef UPLOAD_INTERNAL_H
#define UPLOAD_INTERNAL_H

#include <haul/upload.h>

enum part_state { PART_NONE, PART_MOVING, PART_FAILED, PART_THROUGH, PART_CONFIRMED };

struct haul_upload {
    struct haul_store *store;
    struct haul_request object; /* as given */
    char *id;                   /* owned */
    unsigned workers;
    unsigned part_tries; /* 0: as the object's */

    struct flight *flights; /* owned */
    unsigned in_flight;
    unsigned highest;          /* number that was ever started or listed */
    bool ended;                /* completed or aborted */
    struct haul_error failure; /* the first that was not told yet; HAUL_OK: none */

    struct haul_part *parts; /* owned, with their strings: those through, by number */
    size_t part_count, part_room;
    uint64_t done_bytes;
    bool size_unknown;                       /* of a part that was copied from a whole object */
    unsigned char state[HAUL_PARTS_MAX + 1]; /* enum part_state */
};

/* A request about the upload. Conditions, and the value of the whole, are left to completion.
 */
struct haul_request upload_request(const struct haul_upload *u, enum haul_operation operation);

/* Lists the parts: what the server has not, or not any more, becomes failed ones. Returns the
 * number of the first of them; 0: it has them all; -1 with *err. */
int upload_reconcile(struct haul_upload *u, struct haul_error *err);

/* Did a request fail because there is no such upload (any more)? */
bool upload_is_gone(const struct haul_error *err);

/* What is in flight ends. */
void upload_cancel_parts(struct haul_upload *u);

/* The tries of each part; 0: as the request has it. */
void upload_tries(struct haul_upload *u, unsigned tries);

/* haul_upload_start() would wait, or not. */
bool upload_is_full(const struct haul_upload *u);

/* One turn of the loop. 0, or -1 with *err: cancelled, or a part's failure, told once. */
int upload_turn(struct haul_upload *u, struct haul_error *err);

#endif
