/* What an earlier attempt or an earlier process may have left on the server: uploads whose id
 * never reached us, and parts of the upload that we take up again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "motion.h"
#include "step.h"

#define BUFFER_BYTES (256 * 1024)
#define ORPHANS_MAX 16

static step_fn sweep_next;

/* ---- Orphans: uploads of ours whose id never reached us ----
 *
 * ListMultipartUploads does not show metadata, so our token can't be seen before completion.
 * What can: the key is ours, it was initiated after we asked for the first time and not after
 * the upload that we hold (if we do), and no part was ever sent to it, as we send none before
 * the id is committed. */

static bool is_ours(const struct object *o, const struct haul_entry *e)
{
    return o->task.upload_id && e->upload_id && strcmp(e->upload_id, o->task.upload_id) == 0;
}

static bool may_be_orphan(const struct object *o, const struct haul_entry *e, int64_t ours_ms)
{
    return strcmp(e->key, o->key) == 0 && e->upload_id && !is_ours(o, e) &&
           e->modified_ms >= 0 && e->modified_ms >= o->task.began_ms - 2000 &&
           e->modified_ms <= ours_ms;
}

/* true: go on, without what was asked for if `event` had to be logged. Else somebody has to
 * mend something first; as no part is recorded yet, `resume` sweeps again. */
static bool sweep_may_go_on(struct slot *s, const struct haul_result *result, const char *event)
{
    struct object *o = s->object;
    struct error why;
    enum verdict verdict = slot_judge(s, result, &why);
    if (verdict == VERDICT_DROP)
        object_release(o);
    else if (verdict != VERDICT_GOOD)
        LOG(LOG_WARN, event, { "object", o->key }, { "why", why.text });
    return verdict != VERDICT_DROP;
}

/* Room for the orphans of a listing, and their ids. */
static int keep_orphans(struct object *o, const struct haul_listing *listing)
{
    int64_t ours_ms = o->task.upload_id ? -1 : INT64_MAX;
    for (size_t i = 0; i < listing->count; i++)
        if (is_ours(o, &listing->entries[i]))
            ours_ms = listing->entries[i].modified_ms;
    o->orphans = calloc(ORPHANS_MAX, sizeof *o->orphans);
    if (o->orphans == NULL)
        return -1;
    for (size_t i = 0; i < listing->count && o->orphan_count < ORPHANS_MAX; i++) {
        const struct haul_entry *e = &listing->entries[i];
        if (!may_be_orphan(o, e, ours_ms))
            continue;
        if ((o->orphans[o->orphan_count] = strdup(e->upload_id)) == NULL)
            return -1;
        o->orphan_count++;
    }
    return 0;
}

static void on_uploads(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why;
    if (!sweep_may_go_on(s, result, "orphans_not_found"))
        return;
    o->aborts = 0;
    if (keep_orphans(o, &result->listing) == 0) {
        object_ready(o, sweep_next);
    } else {
        engine_out_of_memory(o->engine, &why);
        object_release(o);
    }
}

/* Sorted by key, the key itself comes before all that it is a prefix of: one page will do. */
void upload_sweep(struct worker *w, struct object *o)
{
    step("upload.sweeping");
    struct slot *s = slot_take(w, o);
    o->orphan_possible = false;
    s->request.prefix = o->key;
    slot_send(s, HAUL_LIST_UPLOADS, on_uploads);
}

static void pop_orphan(struct object *o)
{
    free(o->orphans[--o->orphan_count]);
    o->aborts = 0;
    object_ready(o, sweep_next);
}

/* The server's word for it is not enough: sweep_next() looks again. */
static void on_orphan_aborted(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    step("upload.orphan_aborted");
    if (result->error.code == HAUL_OK || result->error.http_status == 404)
        object_ready(o, sweep_next);
    else if (sweep_may_go_on(s, result, "orphan_not_aborted"))
        pop_orphan(o);
}

static void abort_orphan(struct worker *w, struct object *o)
{
    struct slot *s = slot_take(w, o);
    s->request.upload_id = o->orphans[o->orphan_count - 1];
    slot_send(s, HAUL_ABORT_UPLOAD, on_orphan_aborted);
}

static void on_orphan_listed(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    bool gone = result->error.http_status == 404 &&
                result->error.retry != HAUL_RETRY_WHEN_FIXED; /* not the whole bucket */
    if (gone && o->aborts > 0)
        LOG(LOG_INFO, "orphan_aborted", { "object", o->key },
            { "upload_id", o->orphans[o->orphan_count - 1] });
    if (!gone && !sweep_may_go_on(s, result, "orphan_not_aborted"))
        return;
    bool empty = result->error.code == HAUL_OK && result->listing.count == 0;
    if (empty && o->aborts++ < ABORTS_MAX)
        object_ready(o, abort_orphan);
    else
        pop_orphan(o);
}

static void sweep_next(struct worker *w, struct object *o)
{
    if (o->orphan_count == 0) {
        free(o->orphans);
        o->orphans = NULL;
        object_ready(o, o->verdict == VERDICT_GOOD ? upload_begin_parts : upload_end_badly);
        return;
    }
    struct slot *s = slot_take(w, o);
    s->request.upload_id = o->orphans[o->orphan_count - 1];
    s->request.max_entries = 1;
    slot_send(s, HAUL_LIST_PARTS, on_orphan_listed);
}

/* ---- Resuming: what does the server have? ---- */

static int by_number(const void *a, const void *b)
{
    unsigned left = ((const struct part_record *) a)->number;
    unsigned right = ((const struct part_record *) b)->number;
    return left < right ? -1 : left > right;
}

static const struct part_record *find_record(const struct object *o, unsigned number)
{
    const struct part_record wanted = { .number = number };
    if (o->task.record_count == 0)
        return NULL; /* which bsearch() may not be given */
    return bsearch(&wanted, o->task.records, o->task.record_count, sizeof wanted, by_number);
}

/* The part was sent but its record got lost: an ETag that is the MD5 of our bytes proves it. */
static bool etag_fits(
    const struct object *o, struct haul_range r, const char *etag, uint32_t *crc32c)
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    char wanted[2 * HAUL_CHECKSUM_BYTES_MAX + 3] = "\"", *buffer = malloc(BUFFER_BYTES);
    struct haul_sum *md5 = haul_sum_new(HAUL_MD5);
    bool whole = buffer && md5;
    *crc32c = 0;
    while (whole && r.len > 0) {
        size_t want = r.len < BUFFER_BYTES ? (size_t) r.len : BUFFER_BYTES;
        ssize_t got = pread(o->fd, buffer, want, (off_t) r.start);
        whole = got > 0;
        if (!whole)
            break;
        haul_sum_add(md5, buffer, (size_t) got);
        *crc32c = haul_crc32c(*crc32c, buffer, (size_t) got);
        r.start += (uint64_t) got;
        r.len -= (uint64_t) got;
    }
    size_t bytes = whole ? haul_sum_end(md5, value) : 0;
    for (size_t i = 0; i < bytes; i++)
        sprintf(wanted + 1 + 2 * i, "%02x\"", value[i]);
    free(buffer);
    haul_sum_free(md5);
    return bytes > 0 && strcmp(wanted, etag) == 0;
}

static void reconcile(struct object *o, const struct haul_entry *e)
{
    if (e->part_number < 1 || e->part_number > o->count || e->etag == NULL)
        return;
    struct haul_range r = part_range(o->task.size, o->task.part_bytes, e->part_number);
    const struct part_record *known = find_record(o, e->part_number);
    uint32_t crc32c;
    if (e->size != r.len)
        return;
    if (known ? strcmp(known->etag, e->etag) == 0
              : etag_fits(o, r, e->etag, &crc32c) &&
                    object_record(o, e->part_number, PART_SENT, e->etag, crc32c) == 0)
        o->marks[e->part_number - 1] = MARK_MOVED;
}

/* Whoever may not list has only what the queue recorded; completion names those very ETags, so
 * a wrong one is refused there. */
static void trust_records(struct object *o)
{
    for (unsigned i = 0; i < o->task.record_count; i++)
        if (o->task.records[i].number <= o->count)
            o->marks[o->task.records[i].number - 1] = MARK_MOVED;
}

static void on_listed(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    struct error why;
    if (result->error.code == HAUL_SERVER && result->error.retry == HAUL_RETRY_NEVER) {
        LOG(LOG_WARN, "parts_not_listed", { "object", o->key }, { "why", result->error.text });
        trust_records(o);
        object_ready(o, upload_begin_parts);
        return;
    }
    enum verdict verdict = slot_judge(s, result, &why);
    if (verdict != VERDICT_GOOD) {
        object_set_trouble(o, verdict, &why);
        object_ready(o, upload_end_badly);
        return;
    }
    for (size_t i = 0; i < result->listing.count; i++)
        reconcile(o, &result->listing.entries[i]);
    o->list_after = result->listing.next_part;
    object_ready(o, result->listing.truncated ? upload_list_parts : upload_begin_parts);
}

void upload_list_parts(struct worker *w, struct object *o)
{
    step("upload.resuming");
    struct slot *s = slot_take(w, o);
    s->request.upload_id = o->task.upload_id;
    s->request.part_number = o->list_after;
    slot_send(s, HAUL_LIST_PARTS, on_listed);
}
