/* Preloaded into haul by test_outage.py: its monotonic clock runs
 * TIME_SCALE times as fast, and whatever waits by it waits as much shorter, so that minutes
 * pass in seconds. The clock on the wall, by which requests are signed, stays right. Each
 * connection that is begun adds a line to the file CONNECTS. It builds as a library of its own:
 * cc -shared -fPIC. */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define EPOCH_S 1000000000 /* what is later than that is no time since the machine began */

static int64_t scale = 1, began_ns;

static int64_t to_ns(const struct timespec *t)
{
    return t->tv_sec * SECOND + t->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
    return (struct timespec){ .tv_sec = ns / SECOND, .tv_nsec = ns % SECOND };
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("TIME_SCALE");
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    began_ns = to_ns(&now);
    scale = text != NULL ? atoi(text) : 1;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int) syscall(SYS_clock_gettime, clock, now);
    if (rc == 0 && clock == CLOCK_MONOTONIC)
        *now = from_ns(began_ns + (to_ns(now) - began_ns) * scale);
    return rc;
}

/* Rounded up, lest somebody who waits for a moment turns in circles before it. */
static int shorter(int timeout_ms)
{
    return timeout_ms > 0 ? (int) ((timeout_ms + scale - 1) / scale) : timeout_ms;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
    return (int) syscall(SYS_epoll_pwait, fd, events, max, shorter(timeout_ms), NULL, 8);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int ms = shorter(timeout_ms);
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    return (int) syscall(SYS_ppoll, fds, count, timeout_ms < 0 ? NULL : &t, NULL, 8);
}

int pthread_cond_timedwait(
    pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *until)
{
    int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    *(void **) &real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec t = *until;
    if (t.tv_sec < EPOCH_S)
        t = from_ns(began_ns + (to_ns(&t) - began_ns + scale - 1) / scale);
    return real(cond, lock, &t);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    const char *path = getenv("CONNECTS");
    int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file >= 0 && write(file, "\n", 1) < 0)
        abort();
    if (file >= 0)
        close(file);
    return (int) syscall(SYS_connect, fd, address, len);
}
