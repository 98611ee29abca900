/* One request of an object: sent in a slot of a worker, and its end judged: is the object to go
 * on, to begin again, to fail, or is it the whole run that can't go on? */
#include <errno.h>
#include <string.h>

#include "motion.h"
#include "refusal.h"

struct slot *slot_take(struct worker *w, struct object *o)
{
    struct slot *s = w->free ? w->free : &w->slots[w->fresh++];
    w->free = s->next;
    *s = (struct slot){ .worker = w, .object = o };
    gauge_begin(s);
    w->in_flight++;
    return s;
}

static void on_done(void *payload, const struct haul_result *result)
{
    struct slot *s = payload;
    struct worker *w = s->worker;
    struct engine *e = w->engine;
    atomic_fetch_add(&e->sent, result->bytes_sent);
    atomic_fetch_add(&e->received, result->bytes_received);
    if (refusal_asks_again(&s->request, &result->error)) {
        slot_send(s, s->request.operation, s->done);
        return;
    }
    gauge_end(s);
    s->done(s, result);
    s->next = w->free;
    w->free = s;
    w->in_flight--;
}

void slot_send(struct slot *s, enum haul_operation operation,
    void (*done)(struct slot *s, const struct haul_result *result))
{
    struct haul_result result = { 0 };
    s->done = done;
    s->request.operation = operation;
    s->request.endpoint = s->object->endpoint;
    s->request.bucket = s->object->transfer->bucket;
    s->request.key = s->object->key;
    if (haul_client_submit(s->worker->client, &s->request, on_done, s, &result.error) < 0)
        on_done(s, &result);
}

static enum verdict judge_local(
    struct slot *s, const struct haul_error *error, struct error *why)
{
    struct object *o = s->object;
    if (error->sys_errno == 0) { /* the source ended before its size */
        error_set(why, EXIT_SOME_FAILED, "%s", error->text);
        return VERDICT_RESTART;
    }
    return local_verdict(o, error->sys_errno, why);
}

/* What somebody can mend pauses the run; what another file may be spared is begun again. */
enum verdict local_verdict(struct object *o, int cause, struct error *why)
{
    const char *next = error_advice(cause);
    if (*next != '\0') {
        error_set(why, EXIT_PAUSED, "%s: %s%s", o->transfer->local, strerror(cause), next);
        engine_pause(o->engine, why);
        return VERDICT_DROP;
    }
    error_set(why, EXIT_SOME_FAILED, "%s", strerror(cause));
    bool again = (cause == EIO || cause == EFBIG) && o->transfer->kind == TRANSFER_DOWNLOAD;
    return again ? VERDICT_RESTART : VERDICT_FAIL;
}

enum verdict slot_judge(struct slot *s, const struct haul_result *result, struct error *why)
{
    struct engine *e = s->object->engine;
    const struct haul_error *error = &result->error;
    if (error->code == HAUL_OK)
        return VERDICT_GOOD;
    if (error->code == HAUL_CANCELLED) {
        *why = engine_interrupted;
        return VERDICT_DROP;
    }
    if (error->code == HAUL_LOCAL)
        return judge_local(s, error, why);
    if (error->code == HAUL_NO_MEMORY)
        return engine_out_of_memory(e, why);
    bool refused = false;
    switch (error->retry) {
    case HAUL_RETRY_FROM_START:
        error_set(why, EXIT_SOME_FAILED, "%s", error->text);
        return VERDICT_RESTART;
    case HAUL_RETRY_WHEN_FIXED:
    case HAUL_RETRY_RESIGN:
        refused = true;
        break;
    case HAUL_RETRY_NOW:
    case HAUL_RETRY_LATER:
    case HAUL_RETRY_SLOWER:
        /* The tries or the patience are used up. If the bucket served others since they began
         * to fail, the fault is with this object; if not, with the endpoint. */
        refused = result->unserved;
        break;
    case HAUL_RETRY_NEVER:
        break;
    }
    if (!refused) {
        error_set(why, EXIT_SOME_FAILED, "%s", error->text);
        return VERDICT_FAIL;
    }
    refusal_explain(error, s->object->transfer->endpoint, s->object->transfer->bucket, why);
    engine_pause(e, why);
    return VERDICT_DROP;
}
