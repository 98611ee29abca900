/* A large file, sent in parts: see <haul/file.h>. */
#include <inttypes.h>
#include <stdlib.h>

#include <haul/haul.h>

#include "client.h"
#include "progress.h"
#include "source.h"
#include "store.h"
#include "upload.h"

#define DEFAULT_WORKERS 8

struct sending {
    struct haul_store *store;
    struct haul_request request; /* with the body */
    struct source file;          /* fd -1: the body is the caller's */
    const char *path;
    struct haul_parallel_options options; /* part_bytes filled in */
    struct progress progress;
};

static uint64_t count_parts(uint64_t size, uint64_t part_bytes)
{
    return size / part_bytes + (size % part_bytes != 0);
}

static int check_plan(uint64_t size, uint64_t part_bytes, struct haul_error *err)
{
    if (size > HAUL_OBJECT_BYTES_MAX)
        return haul_error_set(
            err, HAUL_BAD_ARGUMENT, "%" PRIu64 " bytes: S3 stores at most 48.8 TiB", size);
    if (part_bytes > HAUL_PART_BYTES_MAX ||
        (part_bytes < HAUL_PART_BYTES_MIN && part_bytes < size))
        return haul_error_set(err, HAUL_BAD_ARGUMENT,
            "parts of %" PRIu64 " bytes: S3 takes from 5 MiB to 5 GiB", part_bytes);
    if (count_parts(size, part_bytes) > HAUL_PARTS_MAX)
        return haul_error_set(err, HAUL_BAD_ARGUMENT,
            "%" PRIu64 " bytes in parts of %" PRIu64 ": S3 takes 10,000 parts, which %" PRIu64
            " bytes a part would do",
            size, part_bytes, haul_part_bytes(size));
    return 0;
}

static int check_source(const struct sending *s, struct haul_error *err)
{
    return s->file.fd < 0 ? 0 : source_check(&s->file, s->path, err);
}

static const struct haul_result *send_whole(struct sending *s, struct haul_error *err)
{
    if (s->options.tries > 0)
        s->request.tries = s->options.tries;
    const struct haul_result *result = haul_put(s->store, &s->request, err);
    if (result == NULL || check_source(s, err) < 0 ||
        progress_tell(&s->progress, s->request.body.size, err) < 0)
        return NULL;
    return result;
}

/* All parts, through and the source still the same. slices: one for each. */
static int send_slices(
    struct sending *s, struct haul_upload *u, struct slice *slices, struct haul_error *err)
{
    const struct haul_body whole = s->request.body;
    const uint64_t part_bytes = s->options.part_bytes;
    const unsigned count = (unsigned) count_parts(whole.size, part_bytes);
    for (unsigned n = 0; n < count || u->in_flight > 0;) {
        for (; n < count && !upload_is_full(u); n++) {
            uint64_t start = n * part_bytes, left = whole.size - start;
            slices[n] = (struct slice){ whole, start };
            struct haul_body part =
                slice_body(&slices[n], left < part_bytes ? left : part_bytes);
            if (check_source(s, err) < 0 || haul_upload_start(u, n + 1, part, err) < 0)
                return -1;
        }
        if (upload_turn(u, err) < 0 || progress_tell(&s->progress, u->done_bytes, err) < 0)
            return -1;
    }
    return check_source(s, err);
}

static const struct haul_result *send_parts(struct sending *s, struct haul_error *err)
{
    const struct haul_result *result = NULL;
    struct haul_upload *u = haul_upload_new(s->store, &s->request, err);
    struct slice *slices =
        calloc(count_parts(s->request.body.size, s->options.part_bytes), sizeof *slices);
    if (u == NULL)
        goto out;
    haul_upload_limit(u, s->options.workers ? s->options.workers : DEFAULT_WORKERS);
    upload_tries(u, s->options.tries);
    if (slices == NULL)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    else if (send_slices(s, u, slices, err) == 0)
        result = haul_upload_complete(u, err);
    if (result == NULL)
        haul_upload_abort(u, NULL);
out:
    haul_upload_free(u);
    free(slices);
    return result;
}

const struct haul_result *haul_put_file_multipart(struct haul_store *store,
    const struct haul_request *r, const char *path, const struct haul_parallel_options *options,
    struct haul_error *err)
{
    struct sending s = { .store = store, .request = *r, .file.fd = -1, .path = path };
    const struct haul_result *before = store_take(store), *result = NULL;
    if (options != NULL)
        s.options = *options;
    if (path != NULL) {
        if (source_open(&s.file, path, err) < 0)
            goto out;
        s.request.body = source_body(&s.file);
    }
    const uint64_t size = s.request.body.size;
    if (size > 0 && s.request.body.read == NULL) {
        haul_error_set(err, HAUL_BAD_ARGUMENT, "a body needs a function that reads it");
        goto out;
    }
    if (s.options.part_bytes == 0)
        s.options.part_bytes = haul_part_bytes(size);
    if (check_plan(size, s.options.part_bytes, err) < 0)
        goto out;
    s.progress = progress_begin(&s.options, size);
    result = size <= s.options.part_bytes ? send_whole(&s, err) : send_parts(&s, err);
out:
    source_close(&s.file);
    client_release(before);
    return result;
}
