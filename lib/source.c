/* The file that is sent: see source.h. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "descriptor.h"

/* Has bytes, and a size that tells how many: those of /proc have none. */
static bool is_plain(int fd, const struct stat *found)
{
    char byte;
    return S_ISREG(found->st_mode) &&
           (found->st_size > 0 || descriptor_read_at(fd, 0, &byte, 1) <= 0);
}

int source_open(struct source *f, const char *path, struct haul_error *err)
{
    *f = (struct source){ .fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) };
    if (f->fd < 0 || fstat(f->fd, &f->found) < 0)
        goto failed;
    if (is_plain(f->fd, &f->found))
        return 0;
    errno = S_ISDIR(f->found.st_mode) ? EISDIR : EINVAL;
failed:
    if (f->fd >= 0 && errno == EINVAL)
        haul_error_set(err, HAUL_LOCAL, "%s: not a regular file", path);
    else
        descriptor_error(err, path);
    source_close(f);
    return -1;
}

void source_close(struct source *f)
{
    descriptor_close(f->fd);
    f->fd = -1;
}

int source_borrow(struct source *f, int fd, struct haul_error *err)
{
    *f = (struct source){ .fd = fd };
    if (fstat(fd, &f->found) < 0)
        return descriptor_error(err, "the source");
    if (!is_plain(fd, &f->found))
        return 1;
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at < 0)
        return descriptor_error(err, "the source");
    f->start = at < f->found.st_size ? (uint64_t) at : (uint64_t) f->found.st_size;
    return 0;
}

static ssize_t read_source(void *payload, uint64_t offset, void *data, size_t len)
{
    const struct source *f = payload;
    return descriptor_read_at(f->fd, f->start + offset, data, len);
}

struct haul_body source_body(struct source *f)
{
    return (struct haul_body){ read_source, f, (uint64_t) f->found.st_size - f->start };
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int source_check(const struct source *f, const char *name, struct haul_error *err)
{
    struct stat now;
    if (fstat(f->fd, &now) < 0)
        return descriptor_error(err, name);
    if (now.st_size == f->found.st_size && is_same_time(now.st_mtim, f->found.st_mtim) &&
        is_same_time(now.st_ctim, f->found.st_ctim))
        return 0;
    return haul_error_set(err, HAUL_LOCAL, "%s changed while it was read", name);
}

static ssize_t read_slice(void *payload, uint64_t offset, void *data, size_t len)
{
    const struct slice *s = payload;
    return s->whole.read(s->whole.payload, s->start + offset, data, len);
}

struct haul_body slice_body(struct slice *s, uint64_t len)
{
    return (struct haul_body){ read_slice, s, len };
}
