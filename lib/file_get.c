/* A large object, received in ranges: see <haul/file.h>. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haul/haul.h>

#include "client.h"
#include "descriptor.h"
#include "get.h"
#include "progress.h"
#include "store.h"
#include "temporary.h"

#define DEFAULT_WORKERS 8
#define BEGINNINGS_MAX 3 /* of objects that are replaced meanwhile, or arrive damaged */
#define COPY_BYTES (256 * 1024)

struct receiving;

/* A range under way, or with `separate` at its end until those before it are there, too. */
struct slot {
    struct receiving *job;
    struct haul_request request;
    enum { SLOT_IDLE, SLOT_MOVING, SLOT_FULL } state;
    uint64_t index; /* of the range */
    int spool;      /* owned: the range's bytes, if separate; -1: none yet */
};

struct receiving {
    struct haul_store *store;
    const char *path;
    struct haul_parallel_options options;
    struct haul_request get;    /* pinned to the ETag; its range is all that is wanted */
    uint64_t part_bytes, count; /* the ranges */
    struct temporary out;
    bool separate;
    struct slot *slots; /* owned */
    unsigned workers;
    uint64_t next;   /* range to be started */
    uint64_t joined; /* ranges whose bytes stand in `out`; in their order if separate */
    uint64_t done_bytes;
    unsigned moving;
    struct haul_error failure; /* of the first range that failed; HAUL_OK: none */
    struct progress progress;

    /* The server's checksum of the whole, in base64; HAUL_CHECKSUM_NONE: it told none. */
    enum haul_checksum kind;
    char expected[HAUL_CHECKSUM_TEXT_SIZE];
    uint64_t *crcs;       /* owned: of each range */
    struct haul_sum *sum; /* owned: for kinds that can't be combined, of all in order */
};

static uint64_t range_bytes(const struct receiving *j, uint64_t index)
{
    uint64_t left = j->get.range.len - index * j->part_bytes;
    return left < j->part_bytes ? left : j->part_bytes;
}

/* ---- Checksums ---- */

/* The best first. A composite one, "...-N", says nothing of the bytes in their order. */
static const struct {
    const char *header;
    enum haul_checksum kind;
} checksums[] = {
    { "x-amz-checksum-crc64nvme", HAUL_CRC64NVME },
    { "x-amz-checksum-crc32c", HAUL_CRC32C },
    { "x-amz-checksum-crc32", HAUL_CRC32 },
    { "x-amz-checksum-sha256", HAUL_SHA256 },
    { "x-amz-checksum-sha1", HAUL_SHA1 },
};

static void find_checksum(struct receiving *j, const struct haul_result *head)
{
    for (size_t i = 0; i < sizeof checksums / sizeof *checksums; i++) {
        const char *value = haul_result_header(head, checksums[i].header);
        const char *type = haul_result_header(head, "x-amz-checksum-type");
        if (type != NULL && strcmp(type, "COMPOSITE") == 0)
            return;
        if (value == NULL || strchr(value, '-') || strlen(value) >= sizeof j->expected)
            continue;
        j->kind = checksums[i].kind;
        strcpy(j->expected, value);
        return;
    }
}

static uint64_t add_crc(enum haul_checksum kind, uint64_t before, const void *data, size_t len)
{
    if (kind == HAUL_CRC32C)
        return haul_crc32c((uint32_t) before, data, len);
    if (kind == HAUL_CRC32)
        return haul_crc32((uint32_t) before, data, len);
    return kind == HAUL_CRC64NVME ? haul_crc64nvme(before, data, len) : 0;
}

/* Passes the first `len` bytes of a file on to `out` (-1: nowhere), and takes their sum. */
static int pass_on(struct receiving *j, int from, uint64_t len, int out)
{
    char *buffer = malloc(COPY_BYTES);
    uint64_t at = 0;
    while (buffer != NULL && at < len) {
        uint64_t left = len - at;
        if (atomic_load(&j->store->stopping)) {
            errno = ECANCELED;
            break;
        }
        ssize_t n = descriptor_read_at(
            from, at, buffer, left < COPY_BYTES ? (size_t) left : COPY_BYTES);
        if (n == 0)
            errno = EIO; /* somebody has cut it */
        if (n <= 0)
            break;
        if (j->sum != NULL)
            haul_sum_add(j->sum, buffer, (size_t) n);
        if (out >= 0 && descriptor_write(out, buffer, (size_t) n, &j->store->stopping) < 0)
            break;
        at += (uint64_t) n;
    }
    free(buffer);
    return buffer != NULL && at == len ? 0 : -1;
}

static int verify(struct receiving *j, struct haul_error *err)
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    char text[HAUL_CHECKSUM_TEXT_SIZE];
    size_t bytes = haul_checksum_bytes(j->kind);
    if (j->kind == HAUL_CHECKSUM_NONE)
        return 0;
    if (j->sum != NULL) {
        if (!j->separate && pass_on(j, j->out.fd, j->get.range.len, -1) < 0)
            return descriptor_error(err, j->path);
        if (haul_sum_end(j->sum, value) == 0)
            return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    } else {
        uint64_t crc = 0;
        for (uint64_t i = 0; i < j->count; i++)
            crc = haul_crc_combine(j->kind, crc, j->crcs[i], range_bytes(j, i));
        for (size_t i = bytes; i-- > 0; crc >>= 8)
            value[i] = (unsigned char) crc;
    }
    haul_checksum_text(value, bytes, text);
    if (strcmp(text, j->expected) == 0)
        return 0;
    haul_error_set(err, HAUL_BAD_REPLY, "%s: the server's %s is %s, that of what it sent %s",
        j->get.key, haul_checksum_name(j->kind), j->expected, text);
    err->retry = HAUL_RETRY_FROM_START;
    return -1;
}

/* ---- Ranges ---- */

static int write_range(void *payload, uint64_t offset, const void *data, size_t len)
{
    struct slot *s = payload;
    struct receiving *j = s->job;
    uint64_t *crc = &j->crcs[s->index];
    *crc = add_crc(j->kind, offset == 0 ? 0 : *crc, data, len);
    if (j->separate)
        return descriptor_write_at(s->spool, offset, data, len);
    return descriptor_write_at(j->out.fd, s->index * j->part_bytes + offset, data, len);
}

static void on_range(void *payload, const struct haul_result *result)
{
    struct slot *s = payload;
    struct receiving *j = s->job;
    j->moving--;
    s->state = SLOT_IDLE;
    if (result->error.code == HAUL_OK) {
        j->done_bytes += s->request.range.len;
        if (j->separate)
            s->state = SLOT_FULL;
        else
            j->joined++;
    } else if (j->failure.code == HAUL_OK) {
        j->failure = result->error;
    }
}

static int start_range(struct receiving *j, struct slot *s, struct haul_error *err)
{
    s->index = j->next;
    s->request = j->get;
    s->request.range.start += s->index * j->part_bytes;
    s->request.range.len = range_bytes(j, s->index);
    s->request.sink = (struct haul_sink){ write_range, s };
    s->request.begin = NULL;
    if (j->separate && s->spool < 0 && (s->spool = temporary_nameless()) < 0)
        return descriptor_error(err, "a temporary file");
    if (haul_client_submit(j->store->client, &s->request, on_range, s, err) < 0)
        return -1;
    s->state = SLOT_MOVING;
    j->moving++;
    j->next++;
    return 0;
}

/* Separate files: those whose turn it is, one behind the other. */
static int join_ranges(struct receiving *j, struct haul_error *err)
{
    for (unsigned i = 0; i < j->workers; i++) {
        struct slot *s = &j->slots[i];
        if (s->state != SLOT_FULL || s->index != j->joined)
            continue;
        if (pass_on(j, s->spool, s->request.range.len, j->out.fd) < 0)
            return descriptor_error(err, j->path);
        s->state = SLOT_IDLE;
        j->joined++;
        i = UINT_MAX; /* the next may be in an earlier slot: from the first again */
    }
    return 0;
}

/* The range that is next to be joined has a slot always, so the others never wait for ever. */
static int receive_ranges(struct receiving *j, struct haul_error *err)
{
    while (j->joined < j->count) {
        for (unsigned i = 0; i < j->workers && j->next < j->count; i++)
            if (j->slots[i].state == SLOT_IDLE && start_range(j, &j->slots[i], err) < 0)
                return -1;
        if (store_run(j->store, err) < 0)
            return -1;
        if (j->failure.code != HAUL_OK) {
            *err = j->failure;
            if (err->sys_errno == 0)
                return -1;
            errno = err->sys_errno;
            return descriptor_error(err, j->path);
        }
        if (join_ranges(j, err) < 0 || progress_tell(&j->progress, j->done_bytes, err) < 0)
            return -1;
    }
    return 0;
}

static void cancel_ranges(struct receiving *j)
{
    struct haul_error ignored;
    for (unsigned i = 0; j->slots != NULL && i < j->workers; i++)
        if (j->slots[i].state == SLOT_MOVING)
            haul_client_cancel(j->store->client, &j->slots[i].request);
    while (j->moving > 0)
        haul_client_run(j->store->client, 1000, &ignored);
}

/* ---- The whole ---- */

static int prepare(struct receiving *j, struct haul_error *err)
{
    bool can_combine = j->kind != HAUL_SHA1 && j->kind != HAUL_SHA256;
    j->workers = j->options.workers ? j->options.workers : DEFAULT_WORKERS;
    if (j->workers > j->count)
        j->workers = (unsigned) j->count;
    j->slots = calloc(j->workers, sizeof *j->slots);
    j->crcs = calloc(j->count, sizeof *j->crcs);
    j->sum = can_combine ? NULL : haul_sum_new(j->kind);
    if (j->slots == NULL || j->crcs == NULL || (!can_combine && j->sum == NULL))
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    for (unsigned i = 0; i < j->workers; i++)
        j->slots[i] = (struct slot){ .job = j, .spool = -1 };
    if (temporary_open(&j->out, j->path, j->options.replace, err) < 0)
        return -1;
    j->separate = j->options.separate_files || temporary_is_stream(&j->out);
    if (!j->separate && temporary_reserve(&j->out, j->get.range.len) < 0)
        return descriptor_error(err, j->path);
    return 0;
}

static void clean_up(struct receiving *j)
{
    cancel_ranges(j);
    temporary_discard(&j->out);
    for (unsigned i = 0; j->slots != NULL && i < j->workers; i++)
        descriptor_close(j->slots[i].spool);
    free(j->slots);
    free(j->crcs);
    haul_sum_free(j->sum);
}

/* What can't be pinned, or has no bytes to be cut into ranges. */
static const struct haul_result *receive_stream(
    struct receiving *j, uint64_t size, struct haul_error *err)
{
    if (j->get.range.len == size)
        j->get.range.len = 0; /* the whole, which the server's checksum is of */
    if (j->get.checksum == HAUL_CHECKSUM_NONE)
        j->get.checksum = HAUL_CRC64NVME;
    const struct haul_result *result =
        get_file(j->store, &j->get, j->path, j->options.replace, err);
    if (result == NULL || progress_tell(&j->progress, j->progress.total, err) < 0)
        return NULL;
    return result;
}

/* Which ranges of the object that HEAD has found. */
static int plan(struct receiving *j, const struct haul_result *head, struct haul_error *err)
{
    struct haul_range *range = &j->get.range;
    uint64_t behind = head->size > range->start ? head->size - range->start : 0;
    if (range->len > behind || (range->start > 0 && behind == 0))
        return haul_error_set(err, HAUL_BAD_ARGUMENT,
            "%s has %" PRIu64 " bytes: there are no %" PRIu64 " from byte %" PRIu64 " on",
            j->get.key, head->size, range->len, range->start);
    if (range->len == 0)
        range->len = behind;
    if (range->len == head->size)
        find_checksum(j, head);
    j->part_bytes = j->options.part_bytes ? j->options.part_bytes : haul_part_bytes(range->len);
    if (j->part_bytes == 0)
        j->part_bytes = HAUL_PART_BYTES_MAX; /* more than S3 stores; somebody does */
    j->count = range->len / j->part_bytes + (range->len % j->part_bytes != 0);
    j->progress = progress_begin(&j->options, range->len);
    return 0;
}

/* Once, from the HEAD on. */
static const struct haul_result *receive(struct receiving *j, struct haul_error *err)
{
    struct haul_request head = j->get;
    head.operation = HAUL_HEAD_OBJECT;
    head.range = (struct haul_range){ 0, 0 };
    head.checksum = HAUL_CRC64NVME; /* of any kind: the server is asked for its own */
    const struct haul_result *result = store_perform(j->store, &head, false, err);
    if (result == NULL || plan(j, result, err) < 0)
        return NULL;
    j->get.if_none_match = NULL;
    j->get.if_modified_since_ms = j->get.if_unmodified_since_ms = 0;
    if (j->count == 0 || result->etag == NULL || strncmp(result->etag, "W/", 2) == 0)
        return receive_stream(j, result->size, err);
    j->get.if_match = result->etag;
    j->get.checksum = HAUL_CHECKSUM_NONE;
    if (j->options.tries > 0)
        j->get.tries = j->options.tries;
    if (prepare(j, err) < 0 || receive_ranges(j, err) < 0 || verify(j, err) < 0 ||
        temporary_publish(&j->out, err) < 0)
        return NULL;
    return result;
}

const struct haul_result *haul_get_file_parallel(struct haul_store *store,
    const struct haul_request *r, const char *path, const struct haul_parallel_options *options,
    struct haul_error *err)
{
    const struct haul_result *before = store_take(store), *result = NULL;
    bool again = true;
    for (int i = 0; result == NULL && again && i < BEGINNINGS_MAX; i++) {
        struct receiving j = { .store = store, .path = path, .out = TEMPORARY_NONE };
        j.get = store_request(store, r, HAUL_GET_OBJECT);
        if (options != NULL)
            j.options = *options;
        result = receive(&j, err);
        /* The object was replaced, and no byte of it has left the temporary file. */
        again = result == NULL && j.next > 0 && err->retry == HAUL_RETRY_FROM_START &&
                !temporary_is_stream(&j.out);
        clean_up(&j);
    }
    client_release(before);
    return result;
}
