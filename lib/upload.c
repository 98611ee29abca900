/* A multipart upload by hand: see <haul/upload.h>. Its parts are requests like any other on the
 * store's client; here is the account of them, by number. */
#include "upload.h"

#include <stdlib.h>
#include <string.h>

#include <haul/list.h>

#include "attempt.h"
#include "store.h"

/* A part under way. */
struct flight {
    struct flight *next;
    struct haul_upload *upload;
    struct haul_request request;
};

/* ---- The account ---- */

/* Where `number` stands in parts[], or belongs. */
static size_t position(const struct haul_upload *u, unsigned number)
{
    size_t low = 0, high = u->part_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (u->parts[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void forget_part(struct haul_upload *u, unsigned number, enum part_state state)
{
    size_t at = position(u, number);
    u->state[number] = (unsigned char) state;
    if (at == u->part_count || u->parts[at].number != number)
        return;
    struct haul_part *p = &u->parts[at];
    u->done_bytes -= p->size;
    free((char *) p->etag);
    free((char *) p->checksum);
    memmove(p, p + 1, (--u->part_count - at) * sizeof *p);
}

/* A part that is through; it replaces an earlier one of its number. */
static int keep_part(
    struct haul_upload *u, const struct haul_part *part, struct haul_error *err)
{
    char *etag = strdup(part->etag), *checksum = NULL;
    forget_part(u, part->number, PART_FAILED);
    if (part->checksum != NULL)
        checksum = strdup(part->checksum);
    if (u->part_count == u->part_room) {
        size_t room = u->part_room ? 2 * u->part_room : 16;
        struct haul_part *parts = realloc(u->parts, room * sizeof *parts);
        if (parts == NULL)
            goto no_memory;
        u->parts = parts;
        u->part_room = room;
    }
    if (etag == NULL || (part->checksum != NULL && checksum == NULL))
        goto no_memory;
    size_t at = position(u, part->number);
    memmove(u->parts + at + 1, u->parts + at, (u->part_count++ - at) * sizeof *u->parts);
    u->parts[at] = (struct haul_part){ part->number, etag, checksum, part->size };
    u->state[part->number] = PART_THROUGH;
    u->done_bytes += part->size;
    if (part->number > u->highest)
        u->highest = part->number;
    return 0;
no_memory:
    free(etag);
    free(checksum);
    return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
}

static int tell_failure(struct haul_upload *u, struct haul_error *err)
{
    if (u->failure.code == HAUL_OK)
        return 0;
    *err = u->failure;
    u->failure.code = HAUL_OK;
    return -1;
}

/* ---- Requests ---- */

struct haul_request upload_request(const struct haul_upload *u, enum haul_operation operation)
{
    struct haul_request r = store_request(u->store, &u->object, operation);
    r.upload_id = u->id;
    r.body = (struct haul_body){ .read = NULL };
    r.if_match = r.if_none_match = r.checksum_value = NULL;
    r.if_modified_since_ms = r.if_unmodified_since_ms = 0;
    return r;
}

/* "NoSuchKey" is what Ceph answers to ListParts. */
bool upload_is_gone(const struct haul_error *err)
{
    return strcmp(err->aws_code, "NoSuchUpload") == 0 ||
           strcmp(err->aws_code, "NoSuchKey") == 0;
}

/* Shows each part that the server has. */
typedef int visit_fn(
    struct haul_upload *u, const struct haul_part *listed, struct haul_error *err);

static int list_parts(struct haul_upload *u, visit_fn *visit, struct haul_error *err)
{
    struct haul_request r = upload_request(u, HAUL_LIST_PARTS);
    struct haul_list *l = haul_list_new(u->store, &r, err);
    const struct haul_entry *e;
    int more = l ? 1 : -1;
    while (more > 0 && (more = haul_list_next(l, &e, err)) > 0) {
        struct haul_part part = { e->part_number, e->etag, e->checksum, e->size };
        if (e->part_number > HAUL_PARTS_MAX || e->etag == NULL)
            more = haul_error_set(
                err, HAUL_BAD_REPLY, "ListParts of %s: a part without its ETag", r.key);
        else if (visit(u, &part, err) < 0)
            more = -1;
    }
    haul_list_free(l);
    if (more < 0 && upload_is_gone(err))
        err->retry = HAUL_RETRY_FROM_START;
    return more;
}

/* Marks ours that the server has as we know it. */
static int confirm_part(
    struct haul_upload *u, const struct haul_part *listed, struct haul_error *err)
{
    size_t at = position(u, listed->number);
    (void) err;
    if (at == u->part_count || u->parts[at].number != listed->number ||
        strcmp(u->parts[at].etag, listed->etag) != 0)
        return 0;
    u->state[listed->number] = PART_CONFIRMED;
    u->done_bytes += listed->size - u->parts[at].size;
    u->parts[at].size = listed->size; /* that of a copy may be news */
    return 0;
}

int upload_reconcile(struct haul_upload *u, struct haul_error *err)
{
    int rc = list_parts(u, confirm_part, err), lost = 0;
    for (size_t i = u->part_count; i-- > 0;) {
        unsigned number = u->parts[i].number;
        if (u->state[number] == PART_CONFIRMED) {
            u->state[number] = PART_THROUGH;
        } else if (rc == 0) {
            lost = (int) number;
            forget_part(u, number, PART_FAILED);
        }
    }
    return rc < 0 ? -1 : lost;
}

/* ---- Beginning ---- */

static struct haul_upload *make(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    struct haul_upload *u = calloc(1, sizeof *u);
    if (u == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    u->store = s;
    u->object = *r;
    haul_upload_limit(u, 0);
    return u;
}

static int take_id(struct haul_upload *u, const char *id, struct haul_error *err)
{
    u->id = strdup(id);
    return u->id ? 0 : haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
}

struct haul_upload *haul_upload_new(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    struct haul_upload *u = make(s, r, err);
    if (u == NULL)
        return NULL;
    struct haul_request create = upload_request(u, HAUL_CREATE_UPLOAD);
    const struct haul_result *result = store_perform(s, &create, false, err);
    if (result != NULL && take_id(u, result->upload_id, err) == 0)
        return u;
    haul_upload_free(u);
    return NULL;
}

struct haul_upload *haul_upload_resume(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    if (r->upload_id == NULL) {
        haul_error_set(err, HAUL_BAD_ARGUMENT, "an upload to resume needs its id");
        return NULL;
    }
    struct haul_upload *u = make(s, r, err);
    if (u != NULL && take_id(u, r->upload_id, err) == 0 && list_parts(u, keep_part, err) == 0)
        return u;
    haul_upload_free(u);
    return NULL;
}

const char *haul_upload_id(const struct haul_upload *u)
{
    return u->id;
}

void haul_upload_limit(struct haul_upload *u, unsigned workers)
{
    u->workers = workers ? workers : u->store->client->options.connections;
}

void upload_tries(struct haul_upload *u, unsigned tries)
{
    u->part_tries = tries;
}

const struct haul_part *haul_upload_parts(const struct haul_upload *u, size_t *count)
{
    *count = u->part_count;
    return u->parts;
}

bool upload_is_full(const struct haul_upload *u)
{
    return u->in_flight >= u->workers;
}

/* ---- Parts under way ---- */

static void remove_flight(struct flight *f)
{
    struct flight **link = &f->upload->flights;
    while (*link != f)
        link = &(*link)->next;
    *link = f->next;
    f->upload->in_flight--;
    free(f);
}

static void on_part(void *payload, const struct haul_result *result)
{
    struct flight *f = payload;
    struct haul_upload *u = f->upload;
    const struct haul_request *r = &f->request;
    struct haul_error err = result->error;
    bool copied = r->operation == HAUL_COPY_PART;
    struct haul_part part = { r->part_number, result->etag, result->checksum,
        copied ? r->source.range.len : r->body.size };
    if (err.code == HAUL_OK && keep_part(u, &part, &err) == 0) {
        u->size_unknown |= copied && part.size == 0;
    } else {
        u->state[part.number] = PART_FAILED;
        if (u->failure.code == HAUL_OK)
            u->failure = err;
    }
    remove_flight(f);
}

int upload_turn(struct haul_upload *u, struct haul_error *err)
{
    return store_run(u->store, err) < 0 ? -1 : tell_failure(u, err);
}

static int start(struct haul_upload *u, unsigned number, const struct haul_request *part,
    struct haul_error *err)
{
    if (number == 0)
        number = u->highest + 1;
    if (u->ended)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "this upload has ended");
    if (number > HAUL_PARTS_MAX)
        return haul_error_set(err, HAUL_BAD_ARGUMENT,
            "part %u of %s: an upload has at most 10,000", number, part->key);
    if (tell_failure(u, err) < 0)
        return -1;
    while (upload_is_full(u) || u->state[number] == PART_MOVING)
        if (upload_turn(u, err) < 0)
            return -1;
    struct flight *f = malloc(sizeof *f);
    if (f == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    *f = (struct flight){ u->flights, u, *part };
    f->request.part_number = number;
    if (u->part_tries > 0)
        f->request.tries = u->part_tries;
    if (haul_client_submit(u->store->client, &f->request, on_part, f, err) < 0) {
        free(f);
        return -1;
    }
    forget_part(u, number, PART_MOVING);
    u->flights = f;
    u->in_flight++;
    if (number > u->highest)
        u->highest = number;
    return (int) number;
}

int haul_upload_start(
    struct haul_upload *u, unsigned number, struct haul_body body, struct haul_error *err)
{
    struct haul_request r = upload_request(u, HAUL_UPLOAD_PART);
    r.body = body;
    return start(u, number, &r, err);
}

int haul_upload_start_copy(struct haul_upload *u, unsigned number,
    const struct haul_source *source, struct haul_error *err)
{
    struct haul_request r = upload_request(u, HAUL_COPY_PART);
    r.source = *source;
    return start(u, number, &r, err);
}

int haul_upload_wait(struct haul_upload *u, struct haul_error *err)
{
    while (u->in_flight > 0)
        if (store_run(u->store, err) < 0)
            return -1;
    return tell_failure(u, err);
}

int haul_upload_part(
    struct haul_upload *u, unsigned number, struct haul_body body, struct haul_error *err)
{
    int started = haul_upload_start(u, number, body, err);
    return started < 0 || haul_upload_wait(u, err) < 0 ? -1 : started;
}

/* ---- The end ---- */

void upload_cancel_parts(struct haul_upload *u)
{
    struct haul_error ignored;
    for (const struct flight *f = u->flights; f != NULL; f = f->next)
        haul_client_cancel(u->store->client, &f->request);
    while (u->in_flight > 0)
        haul_client_run(u->store->client, 1000, &ignored);
}

void haul_upload_free(struct haul_upload *u)
{
    if (u == NULL)
        return;
    upload_cancel_parts(u);
    for (size_t i = 0; i < u->part_count; i++) {
        free((char *) u->parts[i].etag);
        free((char *) u->parts[i].checksum);
    }
    free(u->parts);
    free(u->id);
    free(u);
}
