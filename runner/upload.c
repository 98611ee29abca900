/* The upload of one object, by the protocol: the upload id is committed before the first part
 * is sent, the parts before the completion, and what an earlier process left is proven or begun
 * again, never guessed (upload_resume.c). An object of one part is one PutObject. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "motion.h"
#include "step.h"

static step_fn create, complete, prove;

/* ---- The source ---- */

static int file_identity(int fd, char out[static IDENTITY_MAX])
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -1;
    snprintf(out, IDENTITY_MAX, "%llx:%llu:%lld:%lld.%09ld:%lld.%09ld",
        (unsigned long long) st.st_dev, (unsigned long long) st.st_ino, (long long) st.st_size,
        (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long) st.st_ctim.tv_sec,
        st.st_ctim.tv_nsec);
    return 0;
}

/* Such names no walk gives: the queue is a stranger's. */
static bool leads_out(const char *name)
{
    for (const char *at = name; (at = strstr(at, "..")) != NULL; at += 2)
        if ((at == name || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
            return true;
    return false;
}

/* As the identity has it that the queue keeps. */
static uint64_t source_size(const struct object *o)
{
    unsigned long long size = 0;
    return sscanf(o->task.source, "%*x:%*u:%llu:", &size) == 1 ? size : 0;
}

/* Returns 0, or -1 with errno; EBADMSG: it is no regular file. */
static int open_source(struct object *o, struct stat *st)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s", o->transfer->local, o->transfer->many ? o->task.name : "") <
        0) {
        errno = ENOMEM;
        return -1;
    }
    /* A file that the manifest names may be a link; one that the walk found was none. */
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (o->transfer->many ? O_NOFOLLOW : 0);
    if (o->fd >= 0)
        close(o->fd);
    o->fd = open(path, flags);
    int cause = errno;
    free(path);
    errno = cause;
    if (o->fd < 0 || fstat(o->fd, st) < 0 || file_identity(o->fd, o->identity) < 0)
        return -1;
    if (!S_ISREG(st->st_mode)) {
        errno = EBADMSG;
        return -1;
    }
    return 0;
}

/* haul_read_fn: pread of the part, with its checksum on the way. */
static ssize_t read_source(void *payload, uint64_t offset, void *data, size_t len)
{
    struct slot *s = payload;
    ssize_t got;
    do
        got = pread(s->object->fd, data, len, (off_t) (s->range.start + offset));
    while (got < 0 && errno == EINTR);
    if (got > 0)
        gauge_sent(s, (uint64_t) got);
    if (offset == 0) /* hashed, rewound or sent again: from the beginning */
        s->crc32c = 0, s->passed = 0;
    if (got > 0 && offset == s->passed) {
        s->crc32c = haul_crc32c(s->crc32c, data, (size_t) got);
        s->passed += (uint64_t) got;
    }
    return got;
}

/* ---- Ends ---- */

static void end_without_memory(struct object *o)
{
    struct error why;
    object_set_trouble(o, engine_out_of_memory(o->engine, &why), &why);
    object_ready(o, upload_end_badly);
}

static void finish(struct object *o, const char *etag)
{
    free(o->task.etag);
    o->task.etag = etag ? strdup(etag) : NULL;
    object_change(o)->etag = o->task.etag;
    object_commit(o, EVENT_FINISHED, NULL);
}

/* The verdict on a control request; true: go on. */
static bool is_good(struct slot *s, const struct haul_result *result)
{
    struct error why;
    enum verdict verdict = slot_judge(s, result, &why);
    if (verdict == VERDICT_GOOD)
        return true;
    object_set_trouble(s->object, verdict, &why);
    object_ready(s->object, upload_end_badly);
    return false;
}

/* The verdict on bytes of the source. That it changed comes first: the server may have refused
 * the bytes for just that. */
static enum verdict judge_sent(
    struct slot *s, const struct haul_result *result, struct error *why)
{
    char now[IDENTITY_MAX];
    if (result->error.code == HAUL_CANCELLED)
        return slot_judge(s, result, why);
    if (file_identity(s->object->fd, now) < 0)
        return local_verdict(s->object, errno, why);
    if (strcmp(now, s->object->identity) == 0)
        return slot_judge(s, result, why);
    error_set(why, EXIT_SOME_FAILED, "the file changed while it was read");
    return VERDICT_RESTART;
}

/* ---- One request ---- */

static void on_put(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why;
    enum verdict verdict = judge_sent(s, result, &why);
    if (verdict == VERDICT_GOOD) {
        object_moved(o);
        close(o->fd);
        o->fd = -1;
        step("upload.put");
        finish(o, result->etag);
        return;
    }
    object_set_trouble(o, verdict, &why);
    object_ready(o, upload_end_badly);
}

static void put(struct worker *w, struct object *o)
{
    struct slot *s = slot_take(w, o);
    s->range = (struct haul_range){ 0, o->task.size };
    s->request.body = (struct haul_body){ read_source, s, o->task.size };
    slot_send(s, HAUL_PUT_OBJECT, on_put);
}

/* ---- In parts: beginning ---- */

static int set_token(struct object *o)
{
    unsigned char random[16];
    char token[33];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return -1;
    for (unsigned i = 0; i < sizeof random; i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
    free(o->task.token);
    o->task.token = strdup(token);
    return o->task.token ? 0 : -1;
}

static void begin_in_parts(struct object *o)
{
    free(o->task.source);
    o->task.source = strdup(o->identity); /* read again when the server has lost parts */
    if (o->task.source == NULL || set_token(o) < 0 || object_cut(o) < 0) {
        end_without_memory(o);
        return;
    }
    o->task.began_ms = haul_endpoint_now_ms(o->endpoint);
    struct change *c = object_change(o);
    c->part_bytes = o->task.part_bytes;
    c->began_ms = o->task.began_ms;
    c->source = o->task.source;
    c->token = o->task.token;
    object_commit(o, EVENT_BEGAN, create);
}

static void begin_anew(struct worker *w, struct object *o, const struct stat *st)
{
    o->task.size = (uint64_t) st->st_size;
    o->task.modified_ms = (int64_t) st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
    o->task.part_bytes = part_bytes_for(o->task.size, o->transfer->part_bytes);
    if (o->task.part_bytes == 0) {
        object_trouble(o, VERDICT_FAIL,
            "larger than S3's 48.8 TiB (10,000 parts of 5 GiB): split the file");
        upload_end_badly(w, o);
    } else if (o->task.size <= o->task.part_bytes) {
        put(w, o);
    } else {
        begin_in_parts(o);
    }
}

/* Goes on from whatever state the queue has it in. */
void upload_begin(struct worker *w, struct object *o)
{
    struct stat st;
    if (o->transfer->many && leads_out(o->task.name)) {
        object_trouble(o, VERDICT_FAIL, "the name has `..` as a segment");
        upload_end_badly(w, o);
        return;
    }
    if (o->task.state == OBJECT_COMPLETING) {
        complete(w, o); /* every part is there: the source is not needed any more */
        return;
    }
    /* Parts are opened after the sweep, so while none is recorded, it may not have happened. */
    o->orphan_possible = o->task.state != OBJECT_PLANNED && o->task.record_count == 0;
    if (open_source(o, &st) < 0) {
        struct error why;
        int cause = errno;
        enum verdict verdict = local_verdict(o, cause, &why);
        if (cause == EBADMSG)
            error_set(&why, EXIT_SOME_FAILED, "no regular file");
        object_set_trouble(o, verdict, &why);
        upload_end_badly(w, o);
        return;
    }
    if (o->task.state == OBJECT_PLANNED) {
        begin_anew(w, o, &st);
        return;
    }
    if (strcmp(o->identity, o->task.source) != 0 || (uint64_t) st.st_size != o->task.size) {
        object_trouble(o, VERDICT_RESTART, "the file has changed since the upload began");
        upload_end_badly(w, o);
    } else if (object_cut(o) < 0) {
        end_without_memory(o);
    } else if (o->task.state == OBJECT_CREATING) {
        create(w, o);
    } else {
        upload_list_parts(w, o);
    }
}

static void on_created(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    o->orphan_possible |= result->maybe_repeated || result->outcome_unknown;
    step("upload.created");
    if (!is_good(s, result))
        return;
    o->task.upload_id = strdup(result->upload_id);
    if (o->task.upload_id == NULL) {
        end_without_memory(o);
        return;
    }
    object_change(o)->upload_id = o->task.upload_id;
    object_commit(o, EVENT_CREATED, upload_begin_parts);
}

static void create(struct worker *w, struct object *o)
{
    step("upload.creating");
    struct slot *s = slot_take(w, o);
    s->request.token = o->task.token;
    slot_send(s, HAUL_CREATE_UPLOAD, on_created);
}

void upload_begin_parts(struct worker *w, struct object *o)
{
    step("upload.moving");
    if (o->orphan_possible)
        upload_sweep(w, o);
    else
        object_open_parts(o);
}

/* ---- Parts ---- */

static void on_part(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why;
    enum verdict verdict = judge_sent(s, result, &why);
    step("upload.part");
    if (verdict == VERDICT_GOOD &&
        object_record(o, s->part, PART_SENT, result->etag, s->crc32c) < 0)
        verdict = engine_out_of_memory(o->engine, &why);
    if (verdict == VERDICT_GOOD)
        part_moved(s);
    else
        part_failed(s, verdict, &why);
}

void upload_part(struct worker *w, struct object *o, unsigned number)
{
    struct slot *s = slot_take(w, o);
    s->part = number;
    s->range = part_range(o->task.size, o->task.part_bytes, number);
    s->request.upload_id = o->task.upload_id;
    s->request.part_number = number;
    s->request.body = (struct haul_body){ read_source, s, s->range.len };
    slot_send(s, HAUL_UPLOAD_PART, on_part);
}

void upload_parts_over(struct worker *w, struct object *o)
{
    if (o->verdict != VERDICT_GOOD) {
        upload_end_badly(w, o);
        return;
    }
    object_change(o);
    object_commit(o, EVENT_ALL_MOVED, complete);
}

/* ---- Completion ---- */

static void on_complete(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why;
    free(o->completing);
    o->completing = NULL;
    step("upload.completed");
    enum verdict verdict = slot_judge(s, result, &why);
    if (verdict == VERDICT_GOOD) {
        finish(o, result->etag);
        return;
    }
    if (strcmp(result->error.aws_code, "InvalidPart") == 0 && ++o->restarts <= RESTARTS_MAX) {
        LOG(LOG_WARN, "parts_lost", { "object", o->key }, { "why", result->error.text });
        o->list_after = 0;
        step("upload.parts_lost");
        object_change(o);
        object_commit(o, EVENT_PARTS_LOST, upload_begin);
        return;
    }
    if (strcmp(result->error.aws_code, "EntityTooSmall") == 0)
        error_set(&why, EXIT_SOME_FAILED,
            "%s: haul has planned wrongly, parts of %" PRIu64 " bytes: set a larger part_size",
            result->error.text, o->task.part_bytes);
    object_set_trouble(o, verdict, &why);
    /* Whatever the refusal: an earlier attempt may have been carried out. */
    object_ready(o, verdict == VERDICT_DROP ? upload_end_badly : prove);
}

static void complete(struct worker *w, struct object *o)
{
    step("upload.completing");
    o->count = part_count(o->task.size, o->task.part_bytes);
    if (o->task.record_count != o->count || source_size(o) != o->task.size) {
        object_trouble(o, VERDICT_RESTART, "the queue lacks parts of this object");
        upload_end_badly(w, o);
        return;
    }
    o->completing = calloc(o->count, sizeof *o->completing);
    if (o->completing == NULL) {
        end_without_memory(o);
        return;
    }
    for (unsigned i = 0; i < o->count; i++)
        o->completing[i] = (struct haul_part){ .number = o->task.records[i].number,
            .etag = o->task.records[i].etag };
    struct slot *s = slot_take(w, o);
    s->request.upload_id = o->task.upload_id;
    s->request.parts = o->completing;
    s->request.part_count = o->count;
    slot_send(s, HAUL_COMPLETE_UPLOAD, on_complete);
}

/* Only our token with our size proves that the object there is ours. */
static void on_proof(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    const struct haul_error *error = &result->error;
    step("upload.proved");
    if (error->code == HAUL_OK && result->token && o->task.token &&
        strcmp(result->token, o->task.token) == 0 && result->size == o->task.size) {
        finish(o, result->etag);
        return;
    }
    /* Nobody knows as long as nobody answers; the queue still says 'completing'. Who may not
     * look has only what the completion said. */
    bool unknown =
        error->code != HAUL_OK && error->http_status != 404 && error->retry != HAUL_RETRY_NEVER;
    if (unknown) {
        o->verdict = VERDICT_GOOD;
        if (!is_good(s, result))
            return;
    }
    object_ready(o, upload_end_badly);
}

static void prove(struct worker *w, struct object *o)
{
    step("upload.proving");
    slot_send(slot_take(w, o), HAUL_HEAD_OBJECT, on_proof);
}
