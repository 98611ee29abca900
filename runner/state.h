/* The life of an object: one enum and one pure function. queue.c alone calls it, so the state
 * in the queue is the state. */
#ifndef STATE_H
#define STATE_H

#include "manifest.h"

enum object_state {
    OBJECT_PLANNED,    /* nothing done, or one request under way that may be repeated */
    OBJECT_CREATING,   /* upload: CreateMultipartUpload may have been sent */
    OBJECT_MOVING,     /* parts or ranges */
    OBJECT_COMPLETING, /* upload: CompleteMultipartUpload may have been sent */
    OBJECT_PUBLISHING, /* download: all bytes are durable, the rename may have happened */
    OBJECT_DONE,
    OBJECT_FAILED,
    OBJECT_SKIPPED, /* found so by the planner */
    OBJECT_BAD,     /* no state: the event does not fit, which is a bug and is reported */
};

enum object_event {
    EVENT_BEGAN,      /* it will move in parts */
    EVENT_CREATED,    /* upload: there is an upload id */
    EVENT_ALL_MOVED,  /* every part is recorded */
    EVENT_PARTS_LOST, /* upload: the server does not have what the queue recorded */
    EVENT_FINISHED,
    EVENT_RESTARTED, /* from nothing, under a new generation */
    EVENT_FAILED,
};

enum object_state object_next(
    enum transfer_kind kind, enum object_state state, enum object_event event);

/* As the queue spells it: "planned"... */
const char *object_state_name(enum object_state state);

/* OBJECT_BAD: not a state's name, or NULL. */
enum object_state object_state_from(const char *name);

#endif
