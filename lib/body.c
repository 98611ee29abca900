/* Bodies from memory and from descriptors: see <haul/body.h>. */
#include "body.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_memory(void *payload, uint64_t offset, void *data, size_t len)
{
    memcpy(data, (const char *) payload + offset, len);
    return (ssize_t) len;
}

static ssize_t read_fd(void *payload, uint64_t offset, void *data, size_t len)
{
    ssize_t got;
    do
        got = pread((int) (intptr_t) payload, data, len, (off_t) offset);
    while (got < 0 && errno == EINTR);
    return got;
}

struct haul_body haul_body_memory(const void *data, size_t len)
{
    return (struct haul_body){ read_memory, (void *) data, len };
}

struct haul_body haul_body_string(const char *text)
{
    return haul_body_memory(text, strlen(text));
}

struct haul_body haul_body_fd(int fd, uint64_t size)
{
    return (struct haul_body){ read_fd, (void *) (intptr_t) fd, size };
}

ssize_t body_read(const struct haul_body *b, uint64_t offset, void *data, size_t len)
{
    ssize_t got = b->read(b->payload, offset, data, len);
    if (got <= 0 || (size_t) got <= len)
        return got;
    errno = EOVERFLOW;
    return -1;
}
