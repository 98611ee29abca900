/* Objects from files, descriptors and streams: see <haul/object.h>. */
#include "put.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haul/haul.h>

#include "client.h"
#include "descriptor.h"
#include "source.h"
#include "store.h"

#define STREAM_PART_BYTES (16 * (uint64_t) 1024 * 1024)
#define PARTS_BEFORE_DOUBLING 1000

/* ---- Files ---- */

const struct haul_result *haul_put_file(struct haul_store *s, const struct haul_request *r,
    const char *path, struct haul_error *err)
{
    const struct haul_result *before = store_take(s), *result = NULL;
    struct haul_request put = *r;
    struct source f;
    if (source_open(&f, path, err) < 0)
        goto out;
    put.body = source_body(&f);
    if (put.body.size > HAUL_PART_BYTES_MAX)
        haul_error_set(err, HAUL_BAD_ARGUMENT,
            "%s has %" PRIu64
            " bytes, one PutObject takes 5 GiB: use haul_put_file_multipart()",
            path, put.body.size);
    else
        result = haul_put(s, &put, err);
    if (result != NULL && source_check(&f, path, err) < 0)
        result = NULL;
out:
    source_close(&f);
    client_release(before);
    return result;
}

static const struct haul_result *put_rest(struct haul_store *s, const struct haul_request *r,
    struct source *f, struct haul_error *err)
{
    struct haul_request put = *r;
    put.body = source_body(f);
    const struct haul_result *result = put.body.size > HAUL_PART_BYTES_MAX
                                           ? haul_put_file_multipart(s, &put, NULL, NULL, err)
                                           : haul_put(s, &put, err);
    return result && source_check(f, "the source", err) == 0 ? result : NULL;
}

/* ---- Streams ---- */

struct stream {
    struct haul_store *store;
    haul_stream_fn *read;
    void *payload;
    char *data; /* owned: one part */
    size_t len, room;
    bool ended;
    char next; /* unless it has ended: the first byte of the next part */
};

/* Up to `len` bytes, fewer only at the end. */
static ssize_t read_full(struct stream *in, char *data, size_t len)
{
    size_t got = 0;
    while (got < len) {
        if (atomic_load(&in->store->stopping)) {
            errno = ECANCELED;
            return -1;
        }
        ssize_t n = in->read(in->payload, data + got, len - got);
        if (n == 0)
            break;
        if (n > 0 && (size_t) n > len - got) {
            errno = EOVERFLOW;
            return -1;
        }
        if (n > 0)
            got += (size_t) n;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t) got;
}

/* The next part. One byte more is read, so that a part is known to be the last one, and the
 * last one is never empty. */
static int next_part(struct stream *in, uint64_t bytes, struct haul_error *err)
{
    const bool begun = in->data != NULL;
    if (in->room < bytes) {
        free(in->data);
        in->room = (size_t) bytes;
        in->data = malloc(in->room);
        if (in->data == NULL)
            return haul_error_set(
                err, HAUL_NO_MEMORY, "no memory for a part of %" PRIu64 " bytes", bytes);
    }
    if (begun)
        *in->data = in->next;
    ssize_t got = read_full(in, in->data + begun, in->room - begun), more = 0;
    if (got >= 0) {
        in->len = (size_t) got + begun;
        if (in->len == in->room)
            more = read_full(in, &in->next, 1);
        in->ended = more == 0;
    }
    if (got >= 0 && more >= 0)
        return 0;
    return descriptor_error(err, "the stream");
}

uint64_t put_part_bytes(uint64_t first, unsigned number)
{
    uint64_t bytes = first << (number - 1) / PARTS_BEFORE_DOUBLING;
    return bytes < HAUL_PART_BYTES_MAX ? bytes : HAUL_PART_BYTES_MAX;
}

/* The first part is read already. */
static int send_parts(
    struct haul_upload *u, struct stream *in, uint64_t first, struct haul_error *err)
{
    for (unsigned number = 1;; number++) {
        struct haul_body part = haul_body_memory(in->data, in->len);
        if (haul_upload_part(u, number, part, err) < 0)
            return -1;
        if (in->ended)
            return 0;
        if (number == HAUL_PARTS_MAX)
            return haul_error_set(err, HAUL_TOO_LARGE,
                "a stream whose first part has %" PRIu64 " bytes is too long for 10,000 parts",
                first);
        if (next_part(in, put_part_bytes(first, number + 1), err) < 0)
            return -1;
    }
}

const struct haul_result *haul_put_stream(struct haul_store *s, const struct haul_request *r,
    haul_stream_fn *read, void *payload, uint64_t part_bytes, struct haul_error *err)
{
    struct stream in = { .store = s, .read = read, .payload = payload };
    const uint64_t first = part_bytes ? part_bytes : STREAM_PART_BYTES;
    const struct haul_result *before = store_take(s), *result = NULL;
    struct haul_upload *u = NULL;
    if (first < HAUL_PART_BYTES_MIN || first > HAUL_PART_BYTES_MAX) {
        haul_error_set(err, HAUL_BAD_ARGUMENT,
            "parts of %" PRIu64 " bytes: S3 takes from 5 MiB to 5 GiB", first);
        goto out;
    }
    if (next_part(&in, first, err) < 0)
        goto out;
    if (in.ended) {
        result = haul_put_memory(s, r, in.data, in.len, err);
        goto out;
    }
    u = haul_upload_new(s, r, err);
    if (u == NULL)
        goto out;
    if (send_parts(u, &in, first, err) == 0)
        result = haul_upload_complete(u, err);
    if (result == NULL)
        haul_upload_abort(u, NULL);
out:
    haul_upload_free(u);
    free(in.data);
    client_release(before);
    return result;
}

/* ---- Descriptors ---- */

struct fd_stream {
    int fd;
    struct haul_store *store;
};

/* As read(2), but haul_store_stop() ends the wait for bytes. */
static ssize_t read_fd(void *payload, void *data, size_t len)
{
    struct fd_stream *f = payload;
    struct haul_client *c = f->store->client;
    struct pollfd ends[] = { { f->fd, POLLIN, 0 }, { haul_client_fd(c), POLLIN, 0 } };
    struct haul_error ignored;
    while (!atomic_load(&f->store->stopping)) {
        int ready = poll(ends, 2, haul_client_wait_ms(c));
        if (ready >= 0 && ends[0].revents != 0) {
            ssize_t n = read(f->fd, data, len);
            if (n >= 0 || (errno != EINTR && errno != EAGAIN))
                return n;
        } else if (ready >= 0) {
            haul_client_run(c, 0, &ignored); /* a wake-up, or somebody else's request */
        } else if (errno != EINTR) {
            return -1;
        }
    }
    errno = ECANCELED;
    return -1;
}

const struct haul_result *haul_put_fd(
    struct haul_store *s, const struct haul_request *r, int fd, struct haul_error *err)
{
    struct source file;
    int kind = source_borrow(&file, fd, err);
    if (kind < 0)
        return NULL;
    if (kind == 0)
        return put_rest(s, r, &file, err);
    return haul_put_stream(s, r, read_fd, &(struct fd_stream){ fd, s }, 0, err);
}
