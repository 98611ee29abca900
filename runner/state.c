/* The object's state machine, and the words for its states. */
#include "state.h"

#include <string.h>

static const char *const names[] = {
    [OBJECT_PLANNED] = "planned",
    [OBJECT_CREATING] = "creating",
    [OBJECT_MOVING] = "moving",
    [OBJECT_COMPLETING] = "completing",
    [OBJECT_PUBLISHING] = "publishing",
    [OBJECT_DONE] = "done",
    [OBJECT_FAILED] = "failed",
    [OBJECT_SKIPPED] = "skipped",
    [OBJECT_BAD] = "bad",
};

enum object_state object_next(
    enum transfer_kind kind, enum object_state state, enum object_event event)
{
    bool upload = kind == TRANSFER_UPLOAD;
    bool over = state == OBJECT_DONE || state == OBJECT_FAILED || state == OBJECT_SKIPPED ||
                state == OBJECT_BAD;
    if (over)
        return OBJECT_BAD;
    if (event == EVENT_RESTARTED)
        return OBJECT_PLANNED;
    if (event == EVENT_FAILED)
        return OBJECT_FAILED;
    switch (state) {
    case OBJECT_PLANNED:
        if (event == EVENT_BEGAN)
            return upload ? OBJECT_CREATING : OBJECT_MOVING;
        return event == EVENT_FINISHED ? OBJECT_DONE : OBJECT_BAD;
    case OBJECT_CREATING:
        return event == EVENT_CREATED ? OBJECT_MOVING : OBJECT_BAD;
    case OBJECT_MOVING:
        if (event == EVENT_ALL_MOVED)
            return upload ? OBJECT_COMPLETING : OBJECT_PUBLISHING;
        return OBJECT_BAD;
    case OBJECT_COMPLETING:
        if (upload && event == EVENT_PARTS_LOST)
            return OBJECT_MOVING;
        return event == EVENT_FINISHED ? OBJECT_DONE : OBJECT_BAD;
    case OBJECT_PUBLISHING:
        return event == EVENT_FINISHED ? OBJECT_DONE : OBJECT_BAD;
    case OBJECT_DONE:
    case OBJECT_FAILED:
    case OBJECT_SKIPPED:
    case OBJECT_BAD:
        break;
    }
    return OBJECT_BAD;
}

const char *object_state_name(enum object_state state)
{
    return names[state];
}

enum object_state object_state_from(const char *name)
{
    for (int i = 0; name != NULL && i < OBJECT_BAD; i++)
        if (strcmp(names[i], name) == 0)
            return (enum object_state) i;
    return OBJECT_BAD;
}
