/* Says in the log when an endpoint slows us down or falls silent, and when it is well again. */
#ifndef HEALTH_H
#define HEALTH_H

#include "connect.h"

enum condition { CONDITION_WELL, CONDITION_SLOW, CONDITION_SILENT };

struct health {
    const struct manifest *manifest;     /* borrowed */
    const struct connections *endpoints; /* borrowed */
    enum condition *conditions;          /* owned; one an endpoint, as it was said last */
};

/* NULL conditions, when memory runs out, say nothing. */
struct health health_make(const struct manifest *m, const struct connections *c);
void health_clear(struct health *h);

/* Looks at all of them: every second or so. */
void health_look(struct health *h);

/* The name of an endpoint that is silent; NULL: none is. */
const char *health_silent(const struct health *h);

#endif
