/* Preloaded into haul by conftest.py: system calls that fail as the environment says.
 * FAIL_FSYNC and FAIL_CLOSE (of temporary files, not of the queue), FAIL_FOLDER (fsync of
 * folders named "out"), FAIL_SYNCFS and FAIL_FUTIMENS are an errno, or an errno and how often
 * ("5:1"); CLOCK_OFF_S puts the machine's clock wrong; DIE_AT_UNLINK=N kills the process when
 * the Nth journal of SQLite's would be removed, which would have been the commit. It builds as
 * a library of its own: cc -shared -fPIC. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool ends_with(const char *text, const char *ending)
{
    size_t len = strlen(text), end_len = strlen(ending);
    return len >= end_len && strcmp(text + len - end_len, ending) == 0;
}

static bool ends_in(int fd, const char *ending)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    return ends_with(path, ending);
}

/* Sets errno and says yes, so often as the variable tells. */
static bool must_fail(const char *variable, atomic_int *failed)
{
    const char *text = getenv(variable), *count = text ? strchr(text, ':') : NULL;
    if (text == NULL || (count != NULL && atomic_fetch_add(failed, 1) >= atoi(count + 1)))
        return false;
    errno = atoi(text);
    return true;
}

int fsync(int fd)
{
    static atomic_int failed, folders;
    if ((ends_in(fd, ".haul-part") && must_fail("FAIL_FSYNC", &failed)) ||
        (ends_in(fd, "/out") && must_fail("FAIL_FOLDER", &folders)))
        return -1;
    return (int) syscall(SYS_fsync, fd);
}

int close(int fd)
{
    static atomic_int failed;
    bool fails = ends_in(fd, ".haul-part") && must_fail("FAIL_CLOSE", &failed);
    int cause = errno, rc = (int) syscall(SYS_close, fd);
    if (!fails)
        return rc;
    errno = cause;
    return -1;
}

int syncfs(int fd)
{
    static atomic_int failed;
    if (must_fail("FAIL_SYNCFS", &failed))
        return -1;
    return (int) syscall(SYS_syncfs, fd);
}

int futimens(int fd, const struct timespec times[2])
{
    static atomic_int failed;
    if (must_fail("FAIL_FUTIMENS", &failed))
        return -1;
    return (int) syscall(SYS_utimensat, fd, NULL, times, 0);
}

int unlink(const char *path)
{
    static atomic_int passed;
    const char *nth = getenv("DIE_AT_UNLINK");
    if (nth && ends_with(path, "-journal") && atomic_fetch_add(&passed, 1) + 1 == atoi(nth))
        raise(SIGKILL);
    return (int) syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    const char *off = getenv("CLOCK_OFF_S");
    int rc = (int) syscall(SYS_clock_gettime, clock, now);
    if (rc == 0 && clock == CLOCK_REALTIME && off != NULL)
        now->tv_sec += atoi(off);
    return rc;
}
