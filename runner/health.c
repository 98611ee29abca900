/* How the endpoints fare, for whoever reads the log: see health.h. */
#include "health.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"

#define SILENCE_LEAST_MS 3000 /* shorter ones are not worth a line */

struct health health_make(const struct manifest *m, const struct connections *c)
{
    return (struct health){ m, c, calloc(c->count + 1, sizeof(enum condition)) };
}

void health_clear(struct health *h)
{
    free(h->conditions);
    h->conditions = NULL;
}

/* The pace that an outage leaves behind is nobody's wish, so it is not called slow. */
static enum condition condition_of(const struct haul_health *h, enum condition before)
{
    if (h->silence_ms >= SILENCE_LEAST_MS)
        return CONDITION_SILENT;
    if (h->silence_ms > 0)
        return before; /* it may be nothing */
    return h->slowed ? CONDITION_SLOW : CONDITION_WELL;
}

static void say(
    const struct manifest *m, size_t index, enum condition now, const struct haul_health *h)
{
    char text[32];
    const char *name = m->endpoints[index]->name;
    switch (now) {
    case CONDITION_WELL:
        LOG(LOG_INFO, "endpoint_recovered", { "endpoint", name });
        return;
    case CONDITION_SLOW:
        snprintf(text, sizeof text, "%.0f", h->rate);
        LOG(LOG_WARN, "endpoint_slows_us", { "endpoint", name },
            { "requests_per_second", text });
        return;
    case CONDITION_SILENT:
        snprintf(text, sizeof text, "%us", m->patience_s);
        LOG(LOG_WARN, "endpoint_silent", { "endpoint", name }, { "patience", text },
            { "why", h->why });
        return;
    }
}

void health_look(struct health *h)
{
    for (size_t i = 0; h->conditions != NULL && i < h->endpoints->count; i++) {
        struct haul_health found;
        if (h->endpoints->endpoints[i] == NULL)
            continue;
        haul_endpoint_health(h->endpoints->endpoints[i], &found);
        enum condition now = condition_of(&found, h->conditions[i]);
        if (now != h->conditions[i])
            say(h->manifest, i, now, &found);
        h->conditions[i] = now;
    }
}

const char *health_silent(const struct health *h)
{
    for (size_t i = 0; h->conditions != NULL && i < h->endpoints->count; i++)
        if (h->conditions[i] == CONDITION_SILENT)
            return h->manifest->endpoints[i]->name;
    return NULL;
}
