/* Bodies from memory and from descriptors: see <haul/body.h>. */
#include <haul/body.h>

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
