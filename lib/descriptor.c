/* Reading from and writing to descriptors: see descriptor.h. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 200 /* how often a wait looks whether it is to end */

int descriptor_error(struct haul_error *err, const char *name)
{
    int cause = errno;
    if (cause == ECANCELED)
        return haul_error_set(err, HAUL_CANCELLED, "cancelled");
    haul_error_set(
        err, cause == ENOMEM ? HAUL_NO_MEMORY : HAUL_LOCAL, "%s: %s", name, strerror(cause));
    err->sys_errno = cause;
    return -1;
}

void descriptor_close(int fd)
{
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
}

/* Whatever may keep a writer waiting is asked first, and takes this much when it says that it
 * takes anything: nobody can call a write() back that waits for a reader. */
static ssize_t write_some(int fd, bool may_wait, const char *data, size_t len)
{
    struct pollfd end = { fd, POLLOUT, 0 };
    if (may_wait && poll(&end, 1, LOOK_MS) == 0)
        return 0;
    ssize_t n = write(fd, data, may_wait && len > PIPE_BUF ? PIPE_BUF : len);
    if (n < 0 && errno == EAGAIN)
        poll(&end, 1, LOOK_MS);
    return n < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : n;
}

static int write_all(int fd, const char *data, size_t len, const atomic_bool *stop)
{
    struct stat st;
    bool may_wait = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode);
    while (len > 0) {
        ssize_t n = write_some(fd, may_wait, data, len);
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t) n;
        if (len > 0 && atomic_load(stop)) {
            errno = ECANCELED;
            return -1;
        }
    }
    return 0;
}

/* MSG_NOSIGNAL is for sockets alone. A SIGPIPE that was there before stays. */
int descriptor_write(int fd, const void *data, size_t len, const atomic_bool *stop)
{
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    int rc = write_all(fd, data, len, stop), saved = errno;
    if (rc < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&broken, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return rc;
}

int descriptor_write_at(int fd, uint64_t offset, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t) offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        offset += (uint64_t) n;
        len -= (size_t) n;
    }
    return 0;
}

ssize_t descriptor_read_at(int fd, uint64_t offset, void *data, size_t len)
{
    ssize_t n;
    do
        n = pread(fd, data, len, (off_t) offset);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t descriptor_read_file(const char *path, void *data, size_t room)
{
    size_t len = 0;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (len < room && (n > 0 || (n < 0 && errno == EINTR))) {
        n = read(fd, (char *) data + len, room - len);
        len += n > 0 ? (size_t) n : 0;
    }
    descriptor_close(fd);
    return n < 0 ? -1 : (ssize_t) len;
}
