/* The download of one object, by the protocol: ranges of one pinned ETag go into a temporary
 * file beside the destination, and only what is complete and durable gets the final name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "motion.h"
#include "step.h"

/* So much may have to be read again after a crash. */
#define SYNC_EVERY_BYTES STEP_BYTES(256 * (uint64_t) 1024 * 1024)

static step_fn begin_anew, identify, publish, open_ranges;

/* ---- Ends ---- */

static void close_files(struct object *o)
{
    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
    place_close(&o->place);
}

static void post_job(struct object *o, enum disk_work work, void (*done)(struct disk_job *job))
{
    o->job = (struct disk_job){ .work = work, .object = o, .done = done };
    disk_post(o->engine->disk, &o->job);
}

static void on_discarded(struct disk_job *job)
{
    struct object *o = job->object;
    bool again = o->verdict == VERDICT_RESTART;
    if (job->error != 0)
        LOG(LOG_WARN, "temporary_file_not_removed", { "object", o->key },
            { "file", o->place.temp }, { "why", strerror(job->error) });
    close_files(o);
    step("download.discarded");
    LOG(LOG_WARN, again ? "object_restarted" : "object_failed", { "object", o->key },
        { "why", object_why(o) });
    if (again) {
        object_ready(o, identify);
    } else {
        object_change(o)->why = object_why(o);
        object_commit(o, EVENT_FAILED, NULL);
    }
}

/* Restart or failure: the temporary file goes first. */
void download_end_badly(struct worker *w, struct object *o)
{
    (void) w;
    if (o->verdict == VERDICT_DROP) {
        object_release(o);
        return;
    }
    if (o->verdict == VERDICT_RESTART && ++o->restarts > RESTARTS_MAX)
        o->verdict = VERDICT_FAIL;
    post_job(o, DISK_DISCARD, on_discarded);
}

void download_end_with_errno(struct object *o, int cause)
{
    struct error why;
    enum verdict verdict = local_verdict(o, cause, &why);
    object_set_trouble(o, verdict, &why);
    object_ready(o, download_end_badly);
}

/* A copy takes the place of the field's text. NULL stays NULL. */
static int set_text(char **field, const char *text)
{
    free(*field);
    *field = text ? strdup(text) : NULL;
    return text && !*field ? -1 : 0;
}

/* ---- A new generation: what stands there now? ---- */

static void on_identified(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why;
    enum verdict verdict = slot_judge(s, result, &why);
    step("download.identified");
    if (verdict != VERDICT_GOOD) {
        o->verdict = VERDICT_GOOD;
        object_set_trouble(o, verdict == VERDICT_RESTART ? VERDICT_FAIL : verdict, &why);
        object_ready(o, download_end_badly);
        return;
    }
    o->verdict = VERDICT_GOOD;
    if (set_text(&o->task.etag, result->etag) < 0) {
        download_end_with_errno(o, ENOMEM);
        return;
    }
    o->task.size = result->size;
    o->task.modified_ms = result->modified_ms;
    struct change *c = object_change(o);
    c->etag = o->task.etag;
    c->why = object_why(o);
    object_commit(o, EVENT_RESTARTED, begin_anew);
}

static void identify(struct worker *w, struct object *o)
{
    slot_send(slot_take(w, o), HAUL_HEAD_OBJECT, on_identified);
}

/* ---- The temporary file ---- */

/* Splits the path of a single file into its folder and its name. */
static int open_place(struct object *o, bool create)
{
    const struct transfer *t = o->transfer;
    char owner[64]; /* two objects of a run may want one name: each has a file of its own */
    snprintf(owner, sizeof owner, "%s-%lld", o->engine->options.run_id, (long long) o->task.id);
    if (t->many)
        return place_open(&o->place, t->local, o->task.name, owner, create);
    const char *slash = strrchr(t->local, '/');
    char *folder = strndup(t->local, (size_t) (slash - t->local) + 1);
    if (folder == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int rc = place_open(&o->place, folder, slash + 1, owner, create);
    int cause = errno;
    free(folder);
    errno = cause;
    return rc;
}

static int temp_identity(int fd, char out[static IDENTITY_MAX])
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -1;
    snprintf(out, IDENTITY_MAX, "%llx:%llu", (unsigned long long) st.st_dev,
        (unsigned long long) st.st_ino);
    return 0;
}

/* haul_write_fn: pwrite at the range's place, with its checksum on the way. */
static int write_range(void *payload, uint64_t offset, const void *data, size_t len)
{
    struct slot *s = payload;
    uint64_t room = s->range.len ? s->range.len : s->object->task.size;
    if (offset == 0) /* from its beginning, perhaps once more */
        s->crc32c = 0;
    if (offset > room || len > room - offset) { /* more than the listing said */
        errno = EFBIG;
        return -1;
    }
    s->crc32c = haul_crc32c(s->crc32c, data, len);
    gauge_received(s, len);
    const char *from = data;
    uint64_t at = s->range.start + offset;
    while (len > 0) {
        ssize_t put = pwrite(s->object->fd, from, len, (off_t) at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        from += put;
        at += (uint64_t) put;
        len -= (size_t) put;
    }
    return 0;
}

/* ---- One request ---- */

static void on_settled(struct disk_job *job)
{
    struct object *o = job->object;
    if (job->error != 0) {
        download_end_with_errno(o, job->error);
        return;
    }
    object_change(o);
    object_commit(o, EVENT_FINISHED, NULL);
}

/* The verdict on bytes of the object; its ETag has been compared already. */
static enum verdict judge_received(
    struct slot *s, const struct haul_result *result, struct error *why)
{
    enum verdict verdict = slot_judge(s, result, why);
    if (verdict != VERDICT_GOOD || result->size == s->object->task.size)
        return verdict;
    error_set(why, EXIT_SOME_FAILED, "the object's size has changed");
    return VERDICT_RESTART;
}

static void on_get(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why;
    enum verdict verdict = judge_received(s, result, &why);
    if (verdict != VERDICT_GOOD) {
        object_set_trouble(o, verdict, &why);
        object_ready(o, download_end_badly);
        return;
    }
    object_moved(o);
    step("download.got");
    post_job(o, DISK_FINISH, on_settled);
}

/* A weak ETag names no bytes, so it can't pin ranges. */
static bool has_strong_etag(const struct object *o)
{
    return o->task.etag && *o->task.etag && strncmp(o->task.etag, "W/", 2) != 0;
}

static void get(struct worker *w, struct object *o)
{
    struct slot *s = slot_take(w, o);
    s->request.if_match = has_strong_etag(o) ? o->task.etag : NULL;
    s->request.checksum = HAUL_CRC64NVME; /* of any kind: what comes is held against it */
    s->request.sink = (struct haul_sink){ write_range, s };
    slot_send(s, HAUL_GET_OBJECT, on_get);
}

/* ---- In ranges ---- */

static void on_begun(struct disk_job *job)
{
    struct object *o = job->object;
    if (job->error != 0) {
        download_end_with_errno(o, job->error);
        return;
    }
    struct change *c = object_change(o);
    c->part_bytes = o->task.part_bytes;
    c->began_ms = haul_endpoint_now_ms(o->endpoint);
    c->source = o->task.etag;
    c->temp = o->task.temp;
    object_commit(o, EVENT_BEGAN, open_ranges);
}

/* The queue is not told of a file, and of a folder that has to be there, before both outlive a
 * loss of power. */
static void begin_in_ranges(struct object *o)
{
    char temp[IDENTITY_MAX];
    if (temp_identity(o->fd, temp) < 0) {
        download_end_with_errno(o, errno);
        return;
    }
    if (set_text(&o->task.temp, temp) < 0 || object_cut(o) < 0) {
        download_end_with_errno(o, ENOMEM);
        return;
    }
    post_job(o, DISK_BEGIN, on_begun);
}

static void open_ranges(struct worker *w, struct object *o)
{
    (void) w;
    step("download.moving");
    object_open_parts(o);
}

static void begin_anew(struct worker *w, struct object *o)
{
    o->task.part_bytes = part_bytes_for(o->task.size, o->transfer->part_bytes);
    if (open_place(o, true) < 0 || (o->fd = place_create(&o->place, o->task.size)) < 0) {
        download_end_with_errno(o, errno);
        return;
    }
    step("download.temporary");
    bool small = o->task.part_bytes == 0 || o->task.size <= o->task.part_bytes;
    if (small || !has_strong_etag(o))
        get(w, o);
    else
        begin_in_ranges(o);
}

static void on_rechecked(struct disk_job *job)
{
    struct object *o = job->object;
    step("download.rechecked");
    if (job->error != 0)
        download_end_with_errno(o, job->error);
    else
        object_open_parts(o);
}

/* The file is taken up again only if it is the very one that the queue knows. Returns 0; 1: it
 * is not there any more; -1 with errno: nobody can tell. */
static int reopen(struct object *o)
{
    char temp[IDENTITY_MAX];
    if (open_place(o, false) < 0)
        return errno == ENOENT && access(o->transfer->local, F_OK) == 0 ? 1 : -1;
    o->fd = place_reopen(&o->place, o->task.size);
    if (o->fd < 0)
        return errno == ENOENT || errno == EBADMSG ? 1 : -1;
    if (temp_identity(o->fd, temp) < 0)
        return -1;
    return !o->task.temp || strcmp(temp, o->task.temp) != 0;
}

/* A disk that is not mounted must not cost what lies on it. */
static void pause_for_folder(struct object *o, int cause)
{
    struct error why;
    error_set(&why, EXIT_PAUSED, "%s: %s: bring it back", o->transfer->local, strerror(cause));
    engine_pause(o->engine, &why);
    object_set_trouble(o, VERDICT_DROP, &why);
    object_ready(o, download_end_badly);
}

static void resume_ranges(struct object *o)
{
    int rc = reopen(o);
    if (rc < 0) {
        pause_for_folder(o, errno);
        return;
    }
    if (rc > 0) {
        object_trouble(o, VERDICT_RESTART, "the temporary file is gone or another one");
        object_ready(o, download_end_badly);
        return;
    }
    /* Without its ETag, what is fetched would be of whatever object stands there now. */
    if (set_text(&o->task.etag, o->task.source) < 0 || object_cut(o) < 0) {
        download_end_with_errno(o, ENOMEM);
        return;
    }
    /* Ranges that this haul would not have cut are read again, synced or not. */
    bool trusted = o->task.part_bytes == part_bytes_for(o->task.size, o->transfer->part_bytes);
    for (unsigned i = 0; i < o->task.record_count; i++) {
        const struct part_record *r = &o->task.records[i];
        if (r->number > o->count)
            continue;
        o->crc32c[r->number - 1] = r->crc32c;
        o->marks[r->number - 1] = r->state == PART_SYNCED && trusted ? MARK_SYNCED : MARK_MOVED;
    }
    step("download.resuming");
    post_job(o, DISK_RECHECK, on_rechecked);
}

/* The rename was on its way: either the temporary file is still there, whole and durable, or
 * the final name already is that file. */
static void resume_publishing(struct worker *w, struct object *o)
{
    int rc = reopen(o);
    bool whole = o->task.record_count == part_count(o->task.size, o->task.part_bytes);
    if (rc < 0) {
        pause_for_folder(o, errno);
        return;
    }
    if (rc == 0 && whole) {
        publish(w, o);
        return;
    }
    struct stat st;
    char id[IDENTITY_MAX] = "";
    if (o->place.folder >= 0 &&
        fstatat(o->place.folder, o->place.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        snprintf(id, sizeof id, "%llx:%llu", (unsigned long long) st.st_dev,
            (unsigned long long) st.st_ino);
    if (o->task.temp && strcmp(id, o->task.temp) == 0) {
        if (fsync(o->place.folder) < 0) {
            download_end_with_errno(o, errno);
            return;
        }
        object_change(o);
        object_commit(o, EVENT_FINISHED, NULL);
        return;
    }
    object_trouble(o, VERDICT_RESTART,
        whole ? "the temporary file is gone" : "the queue lacks parts of this object");
    object_ready(o, download_end_badly);
}

void download_begin(struct worker *w, struct object *o)
{
    const char *fault = o->transfer->many ? destination_name_fault(o->task.name) : NULL;
    if (fault != NULL) {
        object_trouble(o, VERDICT_FAIL, fault);
        download_end_badly(w, o);
    } else if (o->task.state == OBJECT_MOVING) {
        resume_ranges(o);
    } else if (o->task.state == OBJECT_PUBLISHING) {
        resume_publishing(w, o);
    } else {
        begin_anew(w, o);
    }
}

/* ---- Ranges ---- */

static void on_synced(struct disk_job *job)
{
    struct object *o = job->object;
    struct engine *e = o->engine;
    step("download.synced");
    for (unsigned i = 0; i < o->count; i++) {
        pthread_mutex_lock(&e->lock);
        bool mine = o->marks[i] == MARK_SYNCING;
        if (mine)
            o->marks[i] = job->error ? MARK_MOVED : MARK_SYNCED;
        pthread_mutex_unlock(&e->lock);
        if (mine && job->error == 0)
            object_record(o, i + 1, PART_SYNCED, NULL, o->crc32c[i]);
    }
    struct error why;
    enum verdict verdict = job->error ? local_verdict(o, job->error, &why) : VERDICT_GOOD;
    pthread_mutex_lock(&e->lock);
    job->object = NULL;
    if (verdict != VERDICT_GOOD)
        object_set_trouble(o, verdict, &why);
    pthread_mutex_unlock(&e->lock);
    object_part_ended(o);
}

/* Counts as a part in motion, so that nothing else ends the object meanwhile. */
static void sync_sometimes(struct object *o, uint64_t bytes)
{
    struct engine *e = o->engine;
    bool post = false;
    pthread_mutex_lock(&e->lock);
    o->unsynced += bytes;
    if (o->unsynced >= SYNC_EVERY_BYTES && o->sync_job.object == NULL) {
        for (unsigned i = 0; i < o->count; i++)
            if (o->marks[i] == MARK_MOVED)
                o->marks[i] = MARK_SYNCING;
        o->unsynced = 0;
        o->moving++;
        o->sync_job = (struct disk_job){ .work = DISK_SYNC, .object = o, .done = on_synced };
        post = true;
    }
    pthread_mutex_unlock(&e->lock);
    if (post)
        disk_post(e->disk, &o->sync_job);
}

static void on_range(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why;
    enum verdict verdict = judge_received(s, result, &why);
    step("download.range");
    if (verdict == VERDICT_GOOD && object_record(o, s->part, PART_WRITTEN, NULL, s->crc32c) < 0)
        verdict = engine_out_of_memory(o->engine, &why);
    if (verdict != VERDICT_GOOD) {
        part_failed(s, verdict, &why);
        return;
    }
    sync_sometimes(o, s->range.len);
    part_moved(s);
}

void download_part(struct worker *w, struct object *o, unsigned number)
{
    struct slot *s = slot_take(w, o);
    s->part = number;
    s->range = part_range(o->task.size, o->task.part_bytes, number);
    s->request.range = s->range;
    s->request.if_match = o->task.etag;
    s->request.sink = (struct haul_sink){ write_range, s };
    slot_send(s, HAUL_GET_OBJECT, on_range);
}

/* ---- Publication ---- */

static void on_all_durable(struct disk_job *job)
{
    struct object *o = job->object;
    if (job->error != 0) {
        download_end_with_errno(o, job->error);
        return;
    }
    step("download.durable");
    object_change(o);
    object_commit(o, EVENT_ALL_MOVED, publish);
}

void download_settle(struct object *o)
{
    post_job(o, DISK_SETTLE, on_all_durable);
}

void download_parts_over(struct worker *w, struct object *o)
{
    if (o->verdict != VERDICT_GOOD)
        download_end_badly(w, o);
    else
        download_verify(w, o);
}

static void publish(struct worker *w, struct object *o)
{
    (void) w;
    step("download.publishing");
    post_job(o, DISK_PUBLISH, on_settled);
}
