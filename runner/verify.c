/* A download in ranges, all of which are there: are its bytes the ones that the server's own
 * checksum of the whole is of? (What comes in one request is verified by the library on its
 * way.) A CRC32C is that of the ranges, put together. For any other kind the file is read
 * again, in turns, so that others get at the disk between them, and a stop need not wait for
 * the end.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "motion.h"

static step_fn read_on;

/* A composite one, "...-N", says nothing of the bytes in their order. */
static bool find_checksum(struct object *o, const struct haul_result *head)
{
    const char *type = haul_result_header(head, "x-amz-checksum-type");
    if (type != NULL && strcmp(type, "COMPOSITE") == 0)
        return false;
    for (int kind = HAUL_CRC32C; kind < HAUL_MD5; kind++) {
        char name[64];
        snprintf(name, sizeof name, "x-amz-checksum-%s", haul_checksum_name(kind));
        const char *value = haul_result_header(head, name);
        if (value == NULL || strchr(value, '-') || strlen(value) >= sizeof o->expected)
            continue;
        o->sum_kind = (enum haul_checksum) kind;
        strcpy(o->expected, value);
        return true;
    }
    return false;
}

static void compare(struct object *o, const unsigned char *value, size_t bytes)
{
    char text[HAUL_CHECKSUM_TEXT_SIZE];
    haul_checksum_text(value, bytes, text);
    if (strcmp(text, o->expected) == 0) {
        download_settle(o);
        return;
    }
    struct error why;
    error_set(&why, EXIT_SOME_FAILED, "bytes of another checksum: %s %s, not %s",
        haul_checksum_name(o->sum_kind), text, o->expected);
    object_set_trouble(o, VERDICT_RESTART, &why);
    object_ready(o, download_end_badly);
}

static void put_together(struct object *o)
{
    uint64_t crc = 0;
    for (unsigned i = 0; i < o->count; i++)
        crc = haul_crc_combine(HAUL_CRC32C, crc, o->crc32c[i],
            part_range(o->task.size, o->task.part_bytes, i + 1).len);
    uint32_t value = htobe32((uint32_t) crc);
    compare(o, (unsigned char *) &value, sizeof value);
}

static void end_sum(struct worker *w, struct object *o)
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    (void) w;
    compare(o, value, haul_sum_end(o->sum, value));
}

static void on_read(struct disk_job *job)
{
    struct object *o = job->object;
    if (job->error != 0)
        download_end_with_errno(o, job->error);
    else
        object_ready(o, o->summed < o->task.size ? read_on : end_sum);
}

static void read_on(struct worker *w, struct object *o)
{
    (void) w;
    o->job = (struct disk_job){ .work = DISK_VERIFY, .object = o, .done = on_read };
    disk_post(o->engine->disk, &o->job);
}

/* Who may not be asked, or has another object by now, tells nothing of this one. */
static void on_told(struct slot *s, const struct haul_result *result)
{
    struct object *o = s->object;
    const struct haul_error *error = &result->error;
    bool told = error->code == HAUL_OK;
    bool refused = error->code == HAUL_SERVER &&
                   (error->retry == HAUL_RETRY_NEVER || error->retry == HAUL_RETRY_FROM_START);
    struct error why;
    if (!told && !refused) {
        object_set_trouble(o, slot_judge(s, result, &why), &why);
        object_ready(o, download_end_badly);
        return;
    }
    /* To a HEAD that was refused, a GET of the first byte answers: its checksum may be that. */
    if (!told || s->request.operation != HAUL_HEAD_OBJECT || !find_checksum(o, result)) {
        download_settle(o);
        return;
    }
    if (o->sum_kind == HAUL_CRC32C) {
        put_together(o);
        return;
    }
    haul_sum_free(o->sum);
    o->sum = haul_sum_new(o->sum_kind);
    o->summed = 0;
    if (o->sum == NULL)
        download_end_with_errno(o, ENOMEM);
    else
        object_ready(o, read_on);
}

void download_verify(struct worker *w, struct object *o)
{
    struct slot *s = slot_take(w, o);
    s->request.if_match = o->task.etag;
    s->request.checksum = HAUL_CRC64NVME; /* of any kind: the server is asked for its own */
    slot_send(s, HAUL_HEAD_OBJECT, on_told);
}
