/* Text that grows: see buf.h. What is written and how long it may get, its users know. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

struct buf buf_make(size_t limit)
{
    return (struct buf){ .limit = limit };
}

struct buf buf_make_secret(size_t limit)
{
    return (struct buf){ .limit = limit, .secret = true };
}

static void forget(struct buf *b)
{
    if (b->secret && b->data != NULL)
        wipe(b->data, b->len);
}

void buf_free(struct buf *b)
{
    forget(b);
    free(b->data);
    *b = (struct buf){ .limit = b->limit, .secret = b->secret };
}

void buf_clear(struct buf *b)
{
    forget(b);
    b->len = 0;
    b->failed = HAUL_OK;
    if (b->data != NULL)
        b->data[0] = '\0';
}

/* realloc() would leave a copy behind. */
static char *resize(struct buf *b, size_t size)
{
    if (!b->secret)
        return realloc(b->data, size);
    char *data = malloc(size);
    if (data != NULL && b->data != NULL) {
        memcpy(data, b->data, b->len);
        forget(b);
        free(b->data);
    }
    return data;
}

/* Room for `more` bytes and the NUL. Doubling keeps many small additions cheap. */
static bool reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > b->limit - b->len) {
        b->failed = HAUL_BAD_ARGUMENT;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->size)
        return true;
    size_t size = b->size == 0 ? 256 : 2 * b->size;
    if (size > b->limit)
        size = b->limit + 1;
    if (size < need)
        size = need;
    char *data = resize(b, size);
    if (data == NULL) {
        b->failed = HAUL_NO_MEMORY;
        return false;
    }
    b->data = data;
    b->size = size;
    return true;
}

void buf_hold(struct buf *b)
{
    if (reserve(b, b->limit - b->len))
        b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (len == 0 || !reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_all(struct buf *b, const char *const texts[])
{
    for (; *texts != NULL; texts++)
        buf_adds(b, *texts);
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = b->failed ? 0 : b->size - b->len; /* mostly enough: printed once */
    int len = vsnprintf(room == 0 ? NULL : b->data + b->len, room, format, args);
    if (len < 0) /* longer than INT_MAX */
        b->failed = HAUL_BAD_ARGUMENT;
    else if (len > 0 && (size_t) len >= room && reserve(b, (size_t) len))
        vsnprintf(b->data + b->len, (size_t) len + 1, format, again);
    if (!b->failed)
        b->len += (size_t) len;
    else if (room > 0)
        b->data[b->len] = '\0';
    va_end(again);
    va_end(args);
}

const char *buf_text(const struct buf *b)
{
    return b->data == NULL ? "" : b->data;
}

bool buf_failed(const struct buf *b, const char *what, struct haul_error *err)
{
    if (b->failed == HAUL_NO_MEMORY)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for %s", what);
    else if (b->failed)
        haul_error_set(err, b->failed, "%s is longer than %zu bytes", what, b->limit);
    return b->failed;
}
