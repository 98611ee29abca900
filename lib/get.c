/* Objects into memory, files and descriptors: see <haul/object.h>. */
#include "get.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haul/object.h>

#include "client.h"
#include "descriptor.h"
#include "store.h"
#include "temporary.h"

/* What the last attempt has brought, an empty body included, for which no function is called.
 */
static uint64_t body_bytes(const struct haul_request *r, const struct haul_result *result)
{
    return r->range.len > 0 ? r->range.len : result->size - r->range.start;
}

/* ---- Memory ---- */

struct memory {
    char *data; /* owned */
    size_t room, cap;
    bool too_large;
};

/* For so many bytes and a NUL. */
static int make_room(struct memory *m, uint64_t len)
{
    if (len > m->cap) {
        m->too_large = true;
        errno = EFBIG;
        return -1;
    }
    if (len < m->room)
        return 0;
    size_t room = (size_t) len + 1;
    if (room < 2 * m->room)
        room = m->cap / 2 < m->room ? m->cap + 1 : 2 * m->room;
    char *data = realloc(m->data, room);
    if (data == NULL)
        return -1;
    m->data = data;
    m->room = room;
    return 0;
}

static int begin_memory(void *payload, const char *etag, int64_t bytes)
{
    (void) etag;
    return bytes < 0 ? 0 : make_room(payload, (uint64_t) bytes);
}

static int write_memory(void *payload, uint64_t offset, const void *data, size_t len)
{
    struct memory *m = payload;
    if (make_room(m, offset + len) < 0)
        return -1;
    memcpy(m->data + offset, data, len);
    return 0;
}

const struct haul_result *haul_get_memory(struct haul_store *s, const struct haul_request *r,
    size_t cap, char **data, size_t *len, struct haul_error *err)
{
    struct memory m = { .cap = cap < SIZE_MAX ? cap : SIZE_MAX - 1 };
    struct haul_request get = *r;
    const struct haul_result *before = store_take(s), *result = NULL;
    get.sink = (struct haul_sink){ write_memory, &m };
    get.begin = begin_memory;
    m.too_large = get.range.len > m.cap;
    if (!m.too_large)
        result = haul_get(s, &get, err);
    if (m.too_large)
        haul_error_set(err, HAUL_TOO_LARGE, "%s: more than %zu bytes", r->key, cap);
    if (result != NULL && make_room(&m, body_bytes(r, result)) < 0) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        result = NULL;
    }
    client_release(before);
    if (result == NULL) {
        free(m.data);
        return NULL;
    }
    *len = (size_t) body_bytes(r, result);
    *data = m.data;
    m.data[*len] = '\0';
    return result;
}

/* ---- In order, to a descriptor ---- */

struct flow {
    int fd;
    const atomic_bool *stop;
    uint64_t written;
    bool is_void; /* what is written: it should begin anew */
};

/* What is written can't be taken back. */
static int write_flow(void *payload, uint64_t offset, const void *data, size_t len)
{
    struct flow *f = payload;
    if (offset != f->written) {
        f->is_void = true;
        errno = ESTALE;
        return -1;
    }
    if (descriptor_write(f->fd, data, len, f->stop) < 0)
        return -1;
    f->written += len;
    return 0;
}

static const struct haul_result *get_flow(struct haul_store *s, const struct haul_request *r,
    int fd, const char *name, struct haul_error *err)
{
    struct flow f = { .fd = fd, .stop = &s->stopping };
    struct haul_request get = *r;
    get.sink = (struct haul_sink){ write_flow, &f };
    get.begin = NULL;
    const struct haul_result *result = haul_get(s, &get, err);
    f.is_void |= result != NULL && body_bytes(r, result) != f.written;
    if (f.is_void) {
        haul_error_set(err, HAUL_BAD_REPLY,
            "%s can't go on behind the %" PRIu64
            " bytes that were written: it is another object "
            "now, or its server begins anew",
            r->key, f.written);
        err->retry = HAUL_RETRY_FROM_START;
    } else if (result == NULL && err->sys_errno != 0) {
        errno = err->sys_errno;
        descriptor_error(err, name);
    }
    return f.is_void ? NULL : result;
}

const struct haul_result *haul_get_fd(
    struct haul_store *s, const struct haul_request *r, int fd, struct haul_error *err)
{
    const struct haul_result *before = store_take(s);
    const struct haul_result *result = get_flow(s, r, fd, "the destination", err);
    client_release(before);
    return result;
}

/* ---- Files ---- */

static int begin_file(void *payload, const char *etag, int64_t bytes)
{
    (void) etag;
    return temporary_reserve(payload, bytes > 0 ? (uint64_t) bytes : 0);
}

static int write_file(void *payload, uint64_t offset, const void *data, size_t len)
{
    const struct temporary *t = payload;
    return descriptor_write_at(t->fd, offset, data, len);
}

static const struct haul_result *get_temporary(struct haul_store *s,
    const struct haul_request *r, struct temporary *t, const char *path, struct haul_error *err)
{
    struct haul_request get = *r;
    get.sink = (struct haul_sink){ write_file, t };
    get.begin = begin_file;
    const struct haul_result *result = haul_get(s, &get, err);
    if (result != NULL && ftruncate(t->fd, (off_t) body_bytes(r, result)) == 0)
        return result;
    if (result == NULL && err->sys_errno == 0)
        return NULL;
    if (result == NULL)
        errno = err->sys_errno;
    descriptor_error(err, path);
    return NULL;
}

const struct haul_result *get_file(struct haul_store *s, const struct haul_request *r,
    const char *path, bool replace, struct haul_error *err)
{
    const struct haul_result *before = store_take(s), *result = NULL;
    struct temporary t = TEMPORARY_NONE;
    if (temporary_open(&t, path, replace, err) < 0)
        goto out;
    result = temporary_is_stream(&t) ? get_flow(s, r, t.fd, path, err)
                                     : get_temporary(s, r, &t, path, err);
    if (result != NULL && temporary_publish(&t, err) < 0)
        result = NULL;
    temporary_discard(&t);
out:
    client_release(before);
    return result;
}

const struct haul_result *haul_get_file(struct haul_store *s, const struct haul_request *r,
    const char *path, struct haul_error *err)
{
    return get_file(s, r, path, false, err);
}
