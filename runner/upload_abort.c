/* An upload that ends badly, to begin again or for good: what we have open on the server goes
 * first, so that nobody pays for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "motion.h"
#include "step.h"

static step_fn abort_upload;

static void commit_end(struct object *o)
{
    struct change *c = object_change(o);
    c->why = object_why(o);
    bool again = o->verdict == VERDICT_RESTART;
    LOG(LOG_WARN, again ? "object_restarted" : "object_failed", { "object", o->key },
        { "why", object_why(o) });
    if (again) {
        o->verdict = VERDICT_GOOD;
        object_commit(o, EVENT_RESTARTED, upload_begin);
    } else {
        object_commit(o, EVENT_FAILED, NULL);
    }
}

static void forget_upload(struct object *o)
{
    free(o->task.upload_id);
    o->task.upload_id = NULL;
    commit_end(o);
}

/* It may be open still: because somebody has to mend something first, or for good. */
static void end_without_abort(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why = { .text = "it has parts whenever it is aborted" };
    if (slot_judge(s, result, &why) == VERDICT_DROP) {
        object_release(o); /* the queue still has the id, and resume tries again */
        return;
    }
    LOG(LOG_WARN, "upload_not_aborted", { "object", o->key },
        { "upload_id", o->task.upload_id }, { "why", why.text });
    char *both = NULL;
    if (asprintf(&both, "%s; upload %s is still open: %s", object_why(o), o->task.upload_id,
            why.text) >= 0) {
        free(o->trouble);
        o->trouble = both;
    }
    forget_upload(o);
}

/* A part that the server was still storing outlives the abort: until the upload is gone, or
 * nobody may tell. Which is not known while it is the bucket, or the keys, that are wrong. */
static void on_left(struct slot *s, const struct haul_result *result)
{
    const struct haul_error *error = &result->error;
    bool is_final = error->retry == HAUL_RETRY_NEVER || error->retry == HAUL_RETRY_FROM_START;
    if (is_final && (error->http_status == 404 || error->http_status == 403))
        forget_upload(s->object);
    else if (error->code == HAUL_OK && ++s->object->aborts < ABORTS_MAX)
        object_ready(s->object, abort_upload);
    else
        end_without_abort(s, result);
}

static void list_left(struct worker *w, struct object *o)
{
    struct slot *s = slot_take(w, o);
    s->request.upload_id = o->task.upload_id;
    s->request.max_entries = 1;
    slot_send(s, HAUL_LIST_PARTS, on_left);
}

static void on_aborted(struct slot *s, const struct haul_result *result)
{
    step("upload.aborted");
    if (result->error.code == HAUL_OK || result->error.http_status == 404)
        object_ready(s->object, list_left);
    else
        end_without_abort(s, result);
}

static void abort_upload(struct worker *w, struct object *o)
{
    struct slot *s = slot_take(w, o);
    s->request.upload_id = o->task.upload_id;
    slot_send(s, HAUL_ABORT_UPLOAD, on_aborted);
}

void upload_end_badly(struct worker *w, struct object *o)
{
    if (o->verdict == VERDICT_DROP) {
        object_release(o);
        return;
    }
    if (o->orphan_possible) {
        upload_sweep(w, o); /* and then here again */
        return;
    }
    if (o->verdict == VERDICT_RESTART && ++o->restarts > RESTARTS_MAX)
        o->verdict = VERDICT_FAIL;
    if (o->task.upload_id == NULL) {
        commit_end(o);
        return;
    }
    step("upload.aborting");
    o->aborts = 0;
    abort_upload(w, o);
}
