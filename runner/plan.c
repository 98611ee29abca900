/* Four kinds of source (a file, a folder, an object, a prefix), one stream of rows. What a
 * destination already has is asked for only when the transfer's `when` needs to know. */
#include "plan.h"

#include <errno.h>
#include <haul/haul.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "destination.h"
#include "glob.h"
#include "listing.h"
#include "refusal.h"
#include "walk.h"

struct plan {
    const struct transfer *t;
    const struct haul_endpoint *endpoint;
    struct haul_client *client;
    plan_row_fn *row;
    void *payload;
    struct error *err;

    /* The destination of an upload, walked along with its source. */
    struct listing *there;
    struct listed ahead;
    bool there_ended;
};

bool plan_wants(enum transfer_kind kind, enum transfer_when when, const struct facts *source,
    const struct facts *destination)
{
    if (when == WHEN_ALWAYS || !destination->exists)
        return true;
    if (when == WHEN_MISSING)
        return false;
    if (source->size != destination->size)
        return true;
    int64_t from = source->modified_ms / 1000, to = destination->modified_ms / 1000;
    return kind == TRANSFER_UPLOAD ? from > to : from != to;
}

static bool emit(struct plan *p, const char *name, const struct facts *f, const char *etag,
    enum object_state state, const char *why)
{
    struct planned row = { .name = (char *) name,
        .size = f->size,
        .modified_ms = f->modified_ms,
        .etag = etag,
        .state = state,
        .why = why };
    return p->row(p->payload, &row);
}

/* Names that could not be carried over are rows too: nothing is left out in silence. */
static const char *name_fault(
    const struct plan *p, const char *name, const struct facts *source, bool *skip)
{
    *skip = false;
    if (p->t->kind == TRANSFER_UPLOAD)
        return strlen(p->t->key) + strlen(name) > HAUL_KEY_BYTES_MAX
                   ? "the key would be longer than S3's 1,024 bytes"
                   : NULL;
    size_t len = strlen(name);
    if ((len == 0 || name[len - 1] == '/') && source->size == 0) {
        *skip = true;
        return "a folder's marker, not an object";
    }
    return destination_name_fault(name);
}

static bool emit_source(struct plan *p, const char *name, const struct facts *source,
    const struct facts *destination, const char *etag)
{
    bool skip;
    if (source->size > HAUL_OBJECT_BYTES_MAX) {
        const struct facts none = { .modified_ms = source->modified_ms };
        return emit(p, name, &none, etag, OBJECT_FAILED,
            "larger than any object can be, 48.8 TiB (10,000 parts of 5 GiB)");
    }
    const char *fault = p->t->many ? name_fault(p, name, source, &skip) : NULL;
    if (fault != NULL)
        return emit(p, name, source, etag, skip ? OBJECT_SKIPPED : OBJECT_FAILED, fault);
    if (!plan_wants(p->t->kind, p->t->when, source, destination))
        return emit(p, name, source, etag, OBJECT_SKIPPED,
            p->t->when == WHEN_MISSING ? "exists already" : "has not changed");
    return emit(p, name, source, etag, OBJECT_PLANNED, NULL);
}

/* ---- Local facts ---- */

static void stat_facts(const struct stat *st, struct facts *f)
{
    *f = (struct facts){ true, (uint64_t) st->st_size,
        (int64_t) st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000 };
}

static int local_facts(struct plan *p, const char *name, struct facts *f)
{
    char *path = NULL;
    struct stat st;
    *f = (struct facts){ .modified_ms = -1 };
    if (p->t->when == WHEN_ALWAYS)
        return 0;
    if (asprintf(&path, "%s%s", p->t->local, p->t->many ? name : "") < 0)
        return error_no_memory(p->err);
    if (lstat(path, &st) == 0)
        stat_facts(&st, f);
    free(path);
    return 0;
}

/* ---- Remote facts ---- */

struct head {
    struct facts facts;
    char etag[256];
    char why[512]; /* it alone is refused */
};

static void on_head(void *payload, const struct haul_result *result)
{
    struct head *h = payload;
    h->facts = (struct facts){ true, result->size, result->modified_ms };
    snprintf(h->etag, sizeof h->etag, "%s", result->etag ? result->etag : "");
}

/* 0 with *h, also when there is none (exists: false), or it alone is refused (why); -1: the
 * endpoint or the keys have to be mended. */
static int head_object(struct plan *p, struct head *h)
{
    struct haul_error error;
    struct haul_request r = { .operation = HAUL_HEAD_OBJECT,
        .endpoint = p->endpoint,
        .bucket = p->t->bucket,
        .key = p->t->key };
    int rc = haul_client_perform(p->client, &r, on_head, h, &error);
    while (rc < 0 && refusal_asks_again(&r, &error))
        rc = haul_client_perform(p->client, &r, on_head, h, &error);
    if (rc == 0)
        return 0;
    *h = (struct head){ .facts = { .modified_ms = -1 } };
    if (error.code != HAUL_SERVER ||
        (error.retry != HAUL_RETRY_NEVER && error.retry != HAUL_RETRY_FROM_START)) {
        refusal_explain(&error, p->t->endpoint, p->t->bucket, p->err);
        return -1;
    }
    if (error.http_status != 404)
        snprintf(h->why, sizeof h->why, "%s", error.text);
    return 0;
}

/* Both sides come in the same order, so one listing answers for all names of a folder. */
static int facts_there(struct plan *p, const char *name, struct facts *f)
{
    *f = (struct facts){ .modified_ms = -1 };
    while (p->there && !p->there_ended) {
        int order = p->ahead.name ? strcmp(p->ahead.name, name) : -1;
        if (order == 0)
            *f = (struct facts){ true, p->ahead.size, p->ahead.modified_ms };
        if (order >= 0)
            return 0;
        int rc = listing_next(p->there, &p->ahead, p->err);
        if (rc < 0)
            return -1;
        p->there_ended = rc == 0;
    }
    return 0;
}

/* ---- The four sources ---- */

static int plan_folder(struct plan *p, const char *after)
{
    struct walk_entry e;
    int rc = 0;
    struct walk *w = walk_open(p->t->local, after, p->err);
    if (w == NULL) { /* it was there when the run began */
        struct error why = *p->err;
        return error_set(p->err, EXIT_PAUSED, "%s%s", why.text,
            access(p->t->local, F_OK) < 0 ? ": bring it back" : "");
    }
    if (p->t->when != WHEN_ALWAYS &&
        (p->there = listing_open(p->client, p->endpoint, p->t, after)) == NULL) {
        rc = error_no_memory(p->err);
        goto out;
    }
    while ((rc = walk_next(w, &e, p->err)) == 1) {
        struct facts source = { true, e.size, e.modified_ns / 1000000 }, there;
        bool more;
        if (!glob_selects(p->t->include, p->t->exclude, e.name))
            continue;
        if (e.kind != WALK_FILE) {
            source = (struct facts){ .modified_ms = -1 };
            more = emit(p, e.name, &source, NULL,
                e.kind == WALK_SKIPPED ? OBJECT_SKIPPED : OBJECT_FAILED, e.why);
        } else {
            rc = facts_there(p, e.name, &there);
            if (rc < 0)
                goto out;
            more = emit_source(p, e.name, &source, &there, NULL);
        }
        if (!more) {
            rc = 1;
            goto out;
        }
    }
    if (rc < 0) {
        struct error why = *p->err;
        error_set(p->err, why.exit, "%s: %s", p->t->local, why.text);
    }
out:
    listing_close(p->there);
    p->there = NULL;
    walk_close(w);
    return rc;
}

static int plan_prefix(struct plan *p, const char *after)
{
    struct listed e;
    int rc;
    struct listing *l = listing_open(p->client, p->endpoint, p->t, after);
    if (l == NULL)
        return error_no_memory(p->err);
    while ((rc = listing_next(l, &e, p->err)) == 1) {
        struct facts source = { true, e.size, e.modified_ms }, here;
        if (!glob_selects(p->t->include, p->t->exclude, e.name))
            continue;
        rc = local_facts(p, e.name, &here);
        if (rc < 0)
            break;
        if (!emit_source(p, e.name, &source, &here, e.etag)) {
            rc = 1;
            break;
        }
    }
    listing_close(l);
    return rc;
}

static const char *last_segment(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int plan_file(struct plan *p)
{
    struct stat st;
    struct facts source;
    struct head there = { .facts = { .modified_ms = -1 } };
    const char *name = last_segment(p->t->local);
    if (stat(p->t->local, &st) < 0) {
        source = (struct facts){ .modified_ms = -1 };
        return !emit(p, name, &source, NULL, OBJECT_FAILED, strerror(errno));
    }
    stat_facts(&st, &source);
    if (p->t->when != WHEN_ALWAYS && head_object(p, &there) < 0)
        return -1;
    if (there.why[0] != '\0')
        return !emit(p, name, &source, NULL, OBJECT_FAILED, there.why);
    return !emit_source(p, name, &source, &there.facts, NULL);
}

static int plan_object(struct plan *p)
{
    struct head there;
    struct facts here;
    const char *name = last_segment(p->t->local);
    if (head_object(p, &there) < 0 || local_facts(p, name, &here) < 0)
        return -1;
    if (!there.facts.exists) {
        char why[HAUL_KEY_BYTES_MAX + 32];
        snprintf(why, sizeof why, "there is no object %s", p->t->key);
        return !emit(
            p, name, &there.facts, NULL, OBJECT_FAILED, there.why[0] != '\0' ? there.why : why);
    }
    return !emit_source(p, name, &there.facts, &here, there.etag);
}

int plan_transfer(const struct transfer *t, const struct haul_endpoint *endpoint,
    struct haul_client *client, const char *after, plan_row_fn *row, void *payload,
    struct error *err)
{
    struct plan p = { .t = t,
        .endpoint = endpoint,
        .client = client,
        .row = row,
        .payload = payload,
        .err = err };
    bool upload = t->kind == TRANSFER_UPLOAD;
    if (t->many)
        return upload ? plan_folder(&p, after) : plan_prefix(&p, after);
    if (after != NULL)
        return 0; /* its only row is there */
    return upload ? plan_file(&p) : plan_object(&p);
}
