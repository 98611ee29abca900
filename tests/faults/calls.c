/* The system's calls and the allocations of the program and of the library, which fail as
 * fault.h says. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fault.h"
#include "wrapped.h"

/* ---- Memory ---- */

void *__wrap_malloc(size_t size)
{
    return fault_strikes("malloc") ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fault_strikes("malloc") ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fault_strikes("malloc") ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fault_strikes("malloc") ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fault_strikes("malloc") ? NULL : __real_strndup(text, len);
}

int __wrap_vasprintf(char **out, const char *format, va_list values)
{
    if (!fault_strikes("malloc"))
        return __real_vasprintf(out, format, values);
    *out = (char *) "undefined, then: neither to be read nor freed";
    return -1;
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int len = __wrap_vasprintf(out, format, values);
    va_end(values);
    return len;
}

FILE *__wrap_open_memstream(char **out, size_t *len)
{
    return fault_strikes("malloc") ? NULL : __real_open_memstream(out, len);
}

/* ---- Files ---- */

static mode_t mode_of(int flags, va_list values)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(values, mode_t) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list values;
    va_start(values, flags);
    mode_t mode = mode_of(flags, values);
    va_end(values);
    return fault_strikes("open") ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list values;
    va_start(values, flags);
    mode_t mode = mode_of(flags, values);
    va_end(values);
    return fault_strikes("open") ? -1 : __real_openat(folder, path, flags, mode);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return fault_strikes("open") ? NULL : __real_fopen(path, mode);
}

/* Whatever it returns, the descriptor is gone. */
int __wrap_close(int fd)
{
    int rc = __real_close(fd);
    return fault_strikes("close") ? -1 : rc;
}

ssize_t __wrap_read(int fd, void *data, size_t len)
{
    ssize_t room = fault_share("read", len);
    return room < 0 ? -1 : __real_read(fd, data, (size_t) room);
}

ssize_t __wrap_pread(int fd, void *data, size_t len, off_t at)
{
    ssize_t room = fault_share("pread", len);
    return room < 0 ? -1 : __real_pread(fd, data, (size_t) room, at);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    ssize_t room = fault_share("write", len);
    return room < 0 ? -1 : __real_write(fd, data, (size_t) room);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t room = fault_share("pwrite", len);
    return room < 0 ? -1 : __real_pwrite(fd, data, (size_t) room, at);
}

int __wrap_fsync(int fd)
{
    return fault_strikes("fsync") ? -1 : __real_fsync(fd);
}

int __wrap_syncfs(int fd)
{
    return fault_strikes("syncfs") ? -1 : __real_syncfs(fd);
}

int __wrap_fallocate(int fd, int mode, off_t start, off_t len)
{
    return fault_strikes("fallocate") ? -1 : __real_fallocate(fd, mode, start, len);
}

int __wrap_ftruncate(int fd, off_t len)
{
    return fault_strikes("ftruncate") ? -1 : __real_ftruncate(fd, len);
}

int __wrap_futimens(int fd, const struct timespec times[2])
{
    return fault_strikes("futimens") ? -1 : __real_futimens(fd, times);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    return fault_strikes("fchmod") ? -1 : __real_fchmod(fd, mode);
}

int __wrap_rename(const char *from, const char *to)
{
    return fault_strikes("rename") ? -1 : __real_rename(from, to);
}

int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return fault_strikes("rename") ? -1 : __real_renameat(from_folder, from, to_folder, to);
}

int __wrap_unlink(const char *path)
{
    return fault_strikes("unlink") ? -1 : __real_unlink(path);
}

int __wrap_unlinkat(int folder, const char *path, int flags)
{
    return fault_strikes("unlink") ? -1 : __real_unlinkat(folder, path, flags);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return fault_strikes("mkdir") ? -1 : __real_mkdir(path, mode);
}

int __wrap_mkdirat(int folder, const char *path, mode_t mode)
{
    return fault_strikes("mkdir") ? -1 : __real_mkdirat(folder, path, mode);
}

int __wrap_stat(const char *path, struct stat *st)
{
    return fault_strikes("stat") ? -1 : __real_stat(path, st);
}

int __wrap_lstat(const char *path, struct stat *st)
{
    return fault_strikes("stat") ? -1 : __real_lstat(path, st);
}

int __wrap_fstat(int fd, struct stat *st)
{
    return fault_strikes("stat") ? -1 : __real_fstat(fd, st);
}

int __wrap_fstatat(int folder, const char *path, struct stat *st, int flags)
{
    return fault_strikes("stat") ? -1 : __real_fstatat(folder, path, st, flags);
}

int __wrap_access(const char *path, int mode)
{
    return fault_strikes("access") ? -1 : __real_access(path, mode);
}

off_t __wrap_lseek(int fd, off_t at, int whence)
{
    return fault_strikes("lseek") ? -1 : __real_lseek(fd, at, whence);
}

ssize_t __wrap_getdents64(int fd, void *data, size_t room)
{
    return fault_strikes("getdents") ? -1 : __real_getdents64(fd, data, room);
}

DIR *__wrap_opendir(const char *path)
{
    return fault_strikes("opendir") ? NULL : __real_opendir(path);
}

char *__wrap_realpath(const char *path, char *out)
{
    return fault_strikes("realpath") ? NULL : __real_realpath(path, out);
}

/* ---- Threads and what they wait at ---- */

int __wrap_pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *payload)
{
    return fault_strikes("pthread_create")
               ? errno
               : __real_pthread_create(thread, attributes, run, payload);
}

int __wrap_eventfd(unsigned value, int flags)
{
    return fault_strikes("eventfd") ? -1 : __real_eventfd(value, flags);
}

int __wrap_signalfd(int fd, const sigset_t *set, int flags)
{
    return fault_strikes("signalfd") ? -1 : __real_signalfd(fd, set, flags);
}

int __wrap_epoll_create1(int flags)
{
    return fault_strikes("epoll_create1") ? -1 : __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int fd, int what, int other, struct epoll_event *event)
{
    return fault_strikes("epoll_ctl") ? -1 : __real_epoll_ctl(fd, what, other, event);
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int room, int timeout_ms)
{
    return fault_strikes("epoll_wait") ? -1 : __real_epoll_wait(fd, events, room, timeout_ms);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    return fault_strikes("poll") ? -1 : __real_poll(fds, count, timeout_ms);
}

int __wrap_socket(int family, int type, int protocol)
{
    return fault_strikes("socket") ? -1 : __real_socket(family, type, protocol);
}

ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags)
{
    ssize_t room = fault_share("getrandom", len);
    return room < 0 ? -1 : __real_getrandom(data, (size_t) room, flags);
}
