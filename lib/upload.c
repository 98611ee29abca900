/* A multipart upload by hand: see <haul/upload.h>. Its parts are requests like any other on the
 * store's client; here is the account of them, by number. */
#include "upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"
#include "hash.h"
#include "store.h"

#define MD5_BYTES 16
#define ETAG_SIZE 48 /* quotes, 32 digits, "-10000" and the NUL */

#define ABORT_ROUNDS 10
#define ABORT_WAIT_MS 50 /* before the second round; twice that before each one after it */
#define STOPPED_TRIES 3  /* of an abort, when somebody waits for the end */

/* A part under way. */
struct flight {
    struct flight *next;
    struct haul_upload *upload;
    struct haul_request request;
};

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

/* Conditions, and the value of the whole, are for the completion alone. */
static struct haul_request request(const struct haul_upload *u, enum haul_operation operation)
{
    struct haul_request r = store_request(u->store, &u->object, operation);
    r.upload_id = u->id;
    r.body = (struct haul_body){ .read = NULL };
    r.if_match = r.if_none_match = r.checksum_value = NULL;
    r.if_modified_since_ms = r.if_unmodified_since_ms = 0;
    return r;
}

/* Shows each part that the server has. */
typedef int visit_fn(
    struct haul_upload *u, const struct haul_part *listed, struct haul_error *err);

static int list_parts(struct haul_upload *u, visit_fn *visit, struct haul_error *err)
{
    struct haul_request r = request(u, HAUL_LIST_PARTS);
    for (bool more = true; more;) {
        const struct haul_result *result = store_perform(u->store, &r, false, err);
        if (result == NULL)
            return -1;
        const struct haul_listing *l = &result->listing;
        for (size_t i = 0; i < l->count; i++) {
            const struct haul_entry *e = &l->entries[i];
            struct haul_part part = { e->part_number, e->etag, e->checksum, e->size };
            if (e->part_number > HAUL_PARTS_MAX || e->etag == NULL)
                return haul_error_set(
                    err, HAUL_BAD_REPLY, "ListParts of %s: a part without its ETag", r.key);
            if (visit(u, &part, err) < 0)
                return -1;
        }
        more = l->truncated;
        if (more && l->next_part <= r.part_number)
            return haul_error_set(
                err, HAUL_BAD_REPLY, "ListParts of %s: its marker stands still", r.key);
        r.part_number = l->next_part;
    }
    return 0;
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

/* Parts that the server has not, or not any more, become failed ones. Returns the number of the
 * first of them; 0: it has them all; -1 with *err. */
static int reconcile(struct haul_upload *u, struct haul_error *err)
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

static struct haul_upload *upload_make(
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
    struct haul_upload *u = upload_make(s, r, err);
    if (u == NULL)
        return NULL;
    struct haul_request create = request(u, HAUL_CREATE_UPLOAD);
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
    struct haul_upload *u = upload_make(s, r, err);
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

unsigned upload_in_flight(const struct haul_upload *u)
{
    return u->in_flight;
}

uint64_t upload_done_bytes(const struct haul_upload *u)
{
    return u->done_bytes;
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
    struct haul_request r = request(u, HAUL_UPLOAD_PART);
    r.body = body;
    return start(u, number, &r, err);
}

int haul_upload_start_copy(struct haul_upload *u, unsigned number,
    const struct haul_source *source, struct haul_error *err)
{
    struct haul_request r = request(u, HAUL_COPY_PART);
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

/* ---- Completing ---- */

/* What S3 would refuse, and what the caller must have overlooked. */
static int check_parts(const struct haul_upload *u, struct haul_error *err)
{
    if (u->ended)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "this upload has ended");
    if (u->part_count == 0)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "an upload needs at least one part");
    for (unsigned n = 1; n <= u->highest; n++)
        if (u->state[n] == PART_FAILED)
            return haul_error_set(
                err, HAUL_BAD_ARGUMENT, "part %u failed and was not sent again", n);
    for (size_t i = 0; i + 1 < u->part_count; i++)
        if (u->parts[i].size < HAUL_PART_BYTES_MIN)
            return haul_error_set(err, HAUL_BAD_ARGUMENT,
                "part %u has %" PRIu64 " bytes: all but the last need at least 5 MiB",
                u->parts[i].number, u->parts[i].size);
    return 0;
}

static bool is_full_object(const struct haul_request *r)
{
    return r->checksum == HAUL_CRC64NVME ||
           ((r->checksum == HAUL_CRC32C || r->checksum == HAUL_CRC32) &&
               !r->checksum_composite);
}

static bool is_gone(const struct haul_error *err)
{
    return strcmp(err->aws_code, "NoSuchUpload") == 0;
}

/* The whole object's checksum from those of the parts; "" when not all of them have one. */
static int sum_parts(
    const struct haul_upload *u, char text[HAUL_CHECKSUM_TEXT_SIZE], struct haul_error *err)
{
    enum haul_checksum kind = u->object.checksum;
    *text = '\0';
    for (size_t i = 0; i < u->part_count; i++)
        if (kind == HAUL_CHECKSUM_NONE || u->parts[i].checksum == NULL)
            return 0;
    return haul_checksum_of_parts(
        kind, is_full_object(&u->object), u->parts, u->part_count, text, err);
}

/* "\"d41d8c…\"" → its 16 bytes. false: no MD5, as parts of KMS and SSE-C have none. */
static bool decode_md5(const char *etag, unsigned char md5[MD5_BYTES])
{
    int end = 0;
    if (strlen(etag) != 2 * MD5_BYTES + 2 || *etag++ != '"')
        return false;
    for (int i = 0; i < MD5_BYTES; i++, etag += 2)
        if (sscanf(etag, "%2hhx%n", &md5[i], &end) != 1 || end != 2)
            return false;
    return *etag == '"';
}

/* The ETag that S3 makes of those of the parts, when they are MD5s; else "". */
static void etag_of_parts(const struct haul_upload *u, char etag[ETAG_SIZE])
{
    unsigned char md5[HAUL_CHECKSUM_BYTES_MAX];
    char hex[2 * MD5_BYTES + 1];
    struct haul_sum *sum = haul_sum_new(HAUL_MD5);
    bool known = sum != NULL;
    for (size_t i = 0; known && i < u->part_count; i++) {
        known = decode_md5(u->parts[i].etag, md5);
        if (known)
            haul_sum_add(sum, md5, MD5_BYTES);
    }
    *etag = '\0';
    if (known && haul_sum_end(sum, md5) == MD5_BYTES) {
        hex_encode(md5, MD5_BYTES, hex);
        snprintf(etag, ETAG_SIZE, "\"%s-%zu\"", hex, u->part_count);
    }
    haul_sum_free(sum);
}

/* The upload is gone, or its condition fails after a reply was lost: did an earlier attempt
 * complete it? Only the object that stands there now can prove that. */
static const struct haul_result *find_completed(struct haul_upload *u, struct haul_error *err)
{
    struct haul_error why;
    char etag[ETAG_SIZE];
    struct haul_request head = request(u, HAUL_HEAD_OBJECT);
    const struct haul_result *found = store_perform(u->store, &head, false, &why);
    if (found == NULL) {
        if (why.http_status != 404)
            *err = why;
        return NULL;
    }
    etag_of_parts(u, etag);
    const char *token = u->object.token;
    bool ours = token ? found->token && strcmp(found->token, token) == 0
                      : found->etag && *etag && strcmp(found->etag, etag) == 0;
    return ours ? found : NULL;
}

/* Why the server does not take the list, as far as it is to be found out. */
static void explain_refusal(struct haul_upload *u, struct haul_error *err)
{
    struct haul_error why;
    int lost = reconcile(u, &why);
    if (lost > 0)
        snprintf(err->text, sizeof err->text, "part %d of %s is not at the server any more",
            lost, u->object.key);
}

static const struct haul_result *complete(
    struct haul_upload *u, const struct haul_request *r, struct haul_error *err)
{
    const struct haul_result *result = store_perform(u->store, r, false, err);
    if (result != NULL)
        return result;
    bool repeated = u->store->last != NULL && u->store->last->maybe_repeated;
    if (strcmp(err->aws_code, "InvalidPart") == 0)
        explain_refusal(u, err);
    else if (is_gone(err) || (err->http_status == 412 && repeated))
        result = find_completed(u, err);
    return result;
}

const struct haul_result *haul_upload_complete(struct haul_upload *u, struct haul_error *err)
{
    char sum[HAUL_CHECKSUM_TEXT_SIZE];
    if (haul_upload_wait(u, err) < 0 || (u->size_unknown && reconcile(u, err) < 0) ||
        check_parts(u, err) < 0 || sum_parts(u, sum, err) < 0)
        return NULL;
    struct haul_request r = store_request(u->store, &u->object, HAUL_COMPLETE_UPLOAD);
    r.upload_id = u->id;
    r.parts = u->parts;
    r.part_count = u->part_count;
    if (*sum && is_full_object(&r) && r.checksum_value == NULL)
        r.checksum_value = sum;
    const struct haul_result *result = complete(u, &r, err);
    if (result == NULL)
        return NULL;
    u->ended = true;
    if (*sum && result->checksum && strcmp(result->checksum, sum) != 0) {
        haul_error_set(err, HAUL_BAD_REPLY,
            "CompleteMultipartUpload of %s: the server's %s is "
            "%s, the parts make %s",
            r.key, haul_checksum_name(r.checksum), result->checksum, sum);
        err->retry = HAUL_RETRY_FROM_START;
        return NULL;
    }
    return result;
}

/* ---- Aborting ---- */

static void cancel_parts(struct haul_upload *u)
{
    struct haul_error ignored;
    for (const struct flight *f = u->flights; f != NULL; f = f->next)
        haul_client_cancel(u->store->client, &f->request);
    while (u->in_flight > 0)
        haul_client_run(u->store->client, 1000, &ignored);
}

int haul_upload_abort(struct haul_upload *u, struct haul_error *err)
{
    struct haul_error why = { .code = HAUL_OK };
    if (u == NULL)
        return 0;
    cancel_parts(u);
    u->ended = true;
    struct haul_request drop = request(u, HAUL_ABORT_UPLOAD);
    struct haul_request list = request(u, HAUL_LIST_PARTS);
    if (atomic_load(&u->store->stopping))
        drop.tries = list.tries = STOPPED_TRIES;
    list.max_entries = 1;
    for (int round = 0; round < ABORT_ROUNDS; round++) {
        if (round > 0)
            haul_client_run(u->store->client, ABORT_WAIT_MS << (round - 1), &why);
        if (store_perform(u->store, &drop, true, &why) == NULL && !is_gone(&why))
            goto failed;
        if (store_perform(u->store, &list, true, &why) != NULL)
            continue;
        if (is_gone(&why) || why.http_status == 403) /* not everybody may list */
            return 0;
        goto failed;
    }
    haul_error_set(&why, HAUL_SERVER, "the aborted upload of %s has parts still", list.key);
failed:
    if (err != NULL)
        *err = why;
    return -1;
}

void haul_upload_free(struct haul_upload *u)
{
    if (u == NULL)
        return;
    cancel_parts(u);
    for (size_t i = 0; i < u->part_count; i++) {
        free((char *) u->parts[i].etag);
        free((char *) u->parts[i].checksum);
    }
    free(u->parts);
    free(u->id);
    free(u);
}
