/* Linked into haul-faults beside the whole program: a call of the system, of memory or of
 * SQLite that fails as the environment says.
 *
 *     HAUL_FAIL=pwrite:17:ENOSPC    the 17th pwrite() fails; 17-: all from the 17th on
 *     HAUL_FAIL_REPORT=PATH         told at exit: how many such calls there were, and how many
 *                                   of them failed
 *     HAUL_FAIL_AFTER=PATH          counts only the calls after this file was made
 *     HAUL_FAIL_STOPS=1             the process stops (SIGSTOP) as the first one fails
 *
 * `malloc` is every allocation of ours, `sqlite3_malloc` every one of SQLite's; `queue_...` are
 * SQLite's own calls, as the disk under the queue would fail them. SHORT: half of the bytes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wrapped.h"

#define SHORT (-1)

static const struct {
    const char *name;
    int value;
} words[] = {
#define WORD(name)                                                                             \
    {                                                                                          \
#name, name                                                                            \
    }
    WORD(EACCES),
    WORD(EAGAIN),
    WORD(EDQUOT),
    WORD(EINTR),
    WORD(EIO),
    WORD(EMFILE),
    WORD(ENFILE),
    WORD(ENOENT),
    WORD(ENOMEM),
    WORD(ENOSPC),
    WORD(EOPNOTSUPP),
    WORD(EPERM),
    WORD(EROFS),
    WORD(SHORT),
    WORD(SQLITE_BUSY),
    WORD(SQLITE_CANTOPEN),
    WORD(SQLITE_CORRUPT),
    WORD(SQLITE_FULL),
    WORD(SQLITE_IOERR),
    WORD(SQLITE_NOMEM),
    WORD(SQLITE_READONLY),
#undef WORD
};

static struct {
    char call[32];     /* empty: nothing fails */
    const char *after; /* NULL: at once */
    long first, last;
    int how;
    atomic_long seen, struck;
} fault;

static int value_of(const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].name, word) == 0)
            return words[i].value;
    fprintf(stderr, "HAUL_FAIL: what is %s?\n", word);
    abort();
}

/* Is it this call's turn? errno is set then. */
static bool fails(const char *call)
{
    if (strcmp(fault.call, call) != 0 ||
        (fault.after != NULL && __real_access(fault.after, F_OK) < 0))
        return false;
    long n = atomic_fetch_add(&fault.seen, 1) + 1;
    if (n < fault.first || n > fault.last)
        return false;
    if (atomic_fetch_add(&fault.struck, 1) == 0 && getenv("HAUL_FAIL_STOPS") != NULL)
        raise(SIGSTOP);
    errno = fault.how;
    return true;
}

/* Bytes that a read or a write may move: none when it fails, which is when this returns -1. */
static ssize_t share(const char *call, size_t len)
{
    if (!fails(call))
        return (ssize_t) len;
    return fault.how == SHORT ? (ssize_t) (len + 1) / 2 : -1;
}

/* ---- Memory ---- */

void *__wrap_malloc(size_t size)
{
    return fails("malloc") ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails("malloc") ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails("malloc") ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fails("malloc") ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails("malloc") ? NULL : __real_strndup(text, len);
}

int __wrap_vasprintf(char **out, const char *format, va_list values)
{
    if (!fails("malloc"))
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
    return fails("malloc") ? NULL : __real_open_memstream(out, len);
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
    return fails("open") ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list values;
    va_start(values, flags);
    mode_t mode = mode_of(flags, values);
    va_end(values);
    return fails("open") ? -1 : __real_openat(folder, path, flags, mode);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return fails("open") ? NULL : __real_fopen(path, mode);
}

/* Whatever it returns, the descriptor is gone. */
int __wrap_close(int fd)
{
    int rc = __real_close(fd);
    return fails("close") ? -1 : rc;
}

ssize_t __wrap_read(int fd, void *data, size_t len)
{
    ssize_t room = share("read", len);
    return room < 0 ? -1 : __real_read(fd, data, (size_t) room);
}

ssize_t __wrap_pread(int fd, void *data, size_t len, off_t at)
{
    ssize_t room = share("pread", len);
    return room < 0 ? -1 : __real_pread(fd, data, (size_t) room, at);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    ssize_t room = share("write", len);
    return room < 0 ? -1 : __real_write(fd, data, (size_t) room);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t room = share("pwrite", len);
    return room < 0 ? -1 : __real_pwrite(fd, data, (size_t) room, at);
}

int __wrap_fsync(int fd)
{
    return fails("fsync") ? -1 : __real_fsync(fd);
}

int __wrap_syncfs(int fd)
{
    return fails("syncfs") ? -1 : __real_syncfs(fd);
}

int __wrap_fallocate(int fd, int mode, off_t start, off_t len)
{
    return fails("fallocate") ? -1 : __real_fallocate(fd, mode, start, len);
}

int __wrap_ftruncate(int fd, off_t len)
{
    return fails("ftruncate") ? -1 : __real_ftruncate(fd, len);
}

int __wrap_futimens(int fd, const struct timespec times[2])
{
    return fails("futimens") ? -1 : __real_futimens(fd, times);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    return fails("fchmod") ? -1 : __real_fchmod(fd, mode);
}

int __wrap_rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : __real_rename(from, to);
}

int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return fails("rename") ? -1 : __real_renameat(from_folder, from, to_folder, to);
}

int __wrap_unlink(const char *path)
{
    return fails("unlink") ? -1 : __real_unlink(path);
}

int __wrap_unlinkat(int folder, const char *path, int flags)
{
    return fails("unlink") ? -1 : __real_unlinkat(folder, path, flags);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return fails("mkdir") ? -1 : __real_mkdir(path, mode);
}

int __wrap_mkdirat(int folder, const char *path, mode_t mode)
{
    return fails("mkdir") ? -1 : __real_mkdirat(folder, path, mode);
}

int __wrap_stat(const char *path, struct stat *st)
{
    return fails("stat") ? -1 : __real_stat(path, st);
}

int __wrap_lstat(const char *path, struct stat *st)
{
    return fails("stat") ? -1 : __real_lstat(path, st);
}

int __wrap_fstat(int fd, struct stat *st)
{
    return fails("stat") ? -1 : __real_fstat(fd, st);
}

int __wrap_fstatat(int folder, const char *path, struct stat *st, int flags)
{
    return fails("stat") ? -1 : __real_fstatat(folder, path, st, flags);
}

int __wrap_access(const char *path, int mode)
{
    return fails("access") ? -1 : __real_access(path, mode);
}

off_t __wrap_lseek(int fd, off_t at, int whence)
{
    return fails("lseek") ? -1 : __real_lseek(fd, at, whence);
}

ssize_t __wrap_getdents64(int fd, void *data, size_t room)
{
    return fails("getdents") ? -1 : __real_getdents64(fd, data, room);
}

DIR *__wrap_opendir(const char *path)
{
    return fails("opendir") ? NULL : __real_opendir(path);
}

char *__wrap_realpath(const char *path, char *out)
{
    return fails("realpath") ? NULL : __real_realpath(path, out);
}

/* ---- Threads and what they wait at ---- */

int __wrap_pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *payload)
{
    return fails("pthread_create") ? fault.how
                                   : __real_pthread_create(thread, attributes, run, payload);
}

int __wrap_eventfd(unsigned value, int flags)
{
    return fails("eventfd") ? -1 : __real_eventfd(value, flags);
}

int __wrap_signalfd(int fd, const sigset_t *set, int flags)
{
    return fails("signalfd") ? -1 : __real_signalfd(fd, set, flags);
}

int __wrap_epoll_create1(int flags)
{
    return fails("epoll_create1") ? -1 : __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int fd, int what, int other, struct epoll_event *event)
{
    return fails("epoll_ctl") ? -1 : __real_epoll_ctl(fd, what, other, event);
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int room, int timeout_ms)
{
    return fails("epoll_wait") ? -1 : __real_epoll_wait(fd, events, room, timeout_ms);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    return fails("poll") ? -1 : __real_poll(fds, count, timeout_ms);
}

int __wrap_socket(int family, int type, int protocol)
{
    return fails("socket") ? -1 : __real_socket(family, type, protocol);
}

ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags)
{
    ssize_t room = share("getrandom", len);
    return room < 0 ? -1 : __real_getrandom(data, (size_t) room, flags);
}

/* ---- SQLite ---- */

/* What this thread was told last instead of the truth; SQLITE_OK: nothing. */
static _Thread_local int told;

static bool lies(const char *call)
{
    told = fails(call) ? fault.how : SQLITE_OK;
    return told != SQLITE_OK;
}

int __wrap_sqlite3_step(sqlite3_stmt *s)
{
    return lies("sqlite3_step") ? told : __real_sqlite3_step(s);
}

int __wrap_sqlite3_exec(sqlite3 *db, const char *script,
    int (*row)(void *, int, char **, char **), void *payload, char **message)
{
    return lies("sqlite3_exec") ? told : __real_sqlite3_exec(db, script, row, payload, message);
}

int __wrap_sqlite3_prepare_v2(
    sqlite3 *db, const char *text, int len, sqlite3_stmt **out, const char **tail)
{
    return lies("sqlite3_prepare") ? told : __real_sqlite3_prepare_v2(db, text, len, out, tail);
}

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *text, int len, unsigned flags,
    sqlite3_stmt **out, const char **tail)
{
    return lies("sqlite3_prepare") ? told
                                   : __real_sqlite3_prepare_v3(db, text, len, flags, out, tail);
}

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **out, int flags, const char *vfs)
{
    if (!lies("sqlite3_open"))
        return __real_sqlite3_open_v2(path, out, flags, vfs);
    if (told == SQLITE_NOMEM)
        *out = NULL;
    else
        __real_sqlite3_open_v2(":memory:", out, SQLITE_OPEN_READWRITE, NULL);
    return told;
}

int __wrap_sqlite3_errcode(sqlite3 *db)
{
    return told ? told : __real_sqlite3_errcode(db);
}

const char *__wrap_sqlite3_errmsg(sqlite3 *db)
{
    return told ? sqlite3_errstr(told) : __real_sqlite3_errmsg(db);
}

static sqlite3_mem_methods memory;

static void *sqlite_malloc(int size)
{
    return fails("sqlite3_malloc") ? NULL : memory.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return fails("sqlite3_malloc") ? NULL : memory.xRealloc(old, size);
}

/* ---- The disk under the queue ---- */

static ssize_t queue_pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t room = share("queue_pwrite", len);
    return room < 0 ? -1 : __real_pwrite(fd, data, (size_t) room, at);
}

static ssize_t queue_pread(int fd, void *data, size_t len, off_t at)
{
    return fails("queue_pread") ? -1 : __real_pread(fd, data, len, at);
}

static int queue_ftruncate(int fd, off_t len)
{
    return fails("queue_ftruncate") ? -1 : __real_ftruncate(fd, len);
}

static int queue_open(const char *path, int flags, mode_t mode)
{
    return fails("queue_open") ? -1 : __real_open(path, flags, mode);
}

static int queue_unlink(const char *path)
{
    return fails("queue_unlink") ? -1 : __real_unlink(path);
}

/* SQLite's way to sync, which nobody else here takes: its library finds this one first. */
int fdatasync(int fd)
{
    return fails("queue_sync") ? -1 : (int) syscall(SYS_fdatasync, fd);
}

static const struct {
    const char *name;
    sqlite3_syscall_ptr call;
} queue_calls[] = {
    { "pwrite", (sqlite3_syscall_ptr) queue_pwrite },
    { "pwrite64", (sqlite3_syscall_ptr) queue_pwrite },
    { "pread", (sqlite3_syscall_ptr) queue_pread },
    { "pread64", (sqlite3_syscall_ptr) queue_pread },
    { "ftruncate", (sqlite3_syscall_ptr) queue_ftruncate },
    { "open", (sqlite3_syscall_ptr) queue_open },
    { "unlink", (sqlite3_syscall_ptr) queue_unlink },
};

/* ---- Beginning and end ---- */

static void catch_sqlite(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) != SQLITE_OK)
        abort();
    sqlite3_mem_methods ours = memory;
    ours.xMalloc = sqlite_malloc;
    ours.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) != SQLITE_OK)
        abort();
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    for (size_t i = 0; i < sizeof queue_calls / sizeof *queue_calls; i++)
        vfs->xSetSystemCall(vfs, queue_calls[i].name, queue_calls[i].call);
}

static void report(void)
{
    char text[64];
    const char *path = getenv("HAUL_FAIL_REPORT");
    int fd = path ? __real_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    int len = snprintf(
        text, sizeof text, "%ld %ld\n", atomic_load(&fault.seen), atomic_load(&fault.struck));
    if (fd >= 0 && __real_write(fd, text, (size_t) len) != len)
        abort();
    if (fd >= 0)
        __real_close(fd);
}

__attribute__((constructor)) static void begin(void)
{
    char how[32] = "", onwards = '\0';
    const char *text = getenv("HAUL_FAIL");
    catch_sqlite();
    atexit(report);
    if (text == NULL)
        return;
    char call[sizeof fault.call];
    if (sscanf(text, "%31[^:]:%ld:%31s", call, &fault.first, how) == 3)
        fault.last = fault.first;
    else if (sscanf(text, "%31[^:]:%ld%c:%31s", call, &fault.first, &onwards, how) == 4)
        fault.last = LONG_MAX;
    else
        abort();
    fault.how = value_of(how);
    fault.after = getenv("HAUL_FAIL_AFTER");
    strcpy(fault.call, call);
}
