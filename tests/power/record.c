/* Preloaded into haul by test_power.py: writes down, in one order, what haul and SQLite do to
 * the files below one folder, so that power.py can tell what a loss of power would leave.
 *
 *   RECORD_DISK   the folder
 *   RECORD_HELD   where files go that are unlinked or replaced: their inodes live on, so that
 *                 a loss of power can bring them back
 *   RECORD_LOG    for each operation a line `NAME INODE NUMBER PATH_BYTES DATA_BYTES`, the path
 *                 relative to the folder, and the data
 *   RECORD_KILL   the process dies instead of carrying out the operation of this number
 *   RECORD_LIE    syncs do not get into the log, as if the disk said yes and did nothing
 *
 * Nothing is synced in truth: the power stays on. What SQLite maps, its -shm file, is made anew
 * after a loss of power and not recorded. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *disk, *held; /* set at the start, then only read */
static bool lies;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one operation at a time */
static int log_fd = -1;
static long left; /* operations until death; 0: no such */

__attribute__((constructor)) static void start(void)
{
    const char *log = getenv("RECORD_LOG"), *at = getenv("RECORD_KILL");
    disk = getenv("RECORD_DISK");
    held = getenv("RECORD_HELD");
    lies = getenv("RECORD_LIE") != NULL;
    left = at ? atol(at) : 0;
    log_fd = (int) syscall(
        SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (!disk || !held || log_fd < 0)
        abort();
}

/* ---- Where is it? ---- */

/* Below the folder: the rest of the path. Else, and for what is not recorded, NULL. */
static const char *below(const char *path)
{
    size_t len = strlen(disk), all = strlen(path);
    bool mapped = all > 4 && strcmp(path + all - 4, "-shm") == 0;
    if (strncmp(path, disk, len) != 0 || mapped)
        return NULL;
    return path[len] == '/' ? path + len + 1 : path[len] == '\0' ? path + len : NULL;
}

static const char *path_of(int fd, char out[static PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, out, PATH_MAX - 1);
    out[len > 0 ? len : 0] = '\0';
    return below(out);
}

static const char *path_at(int folder, const char *name, char out[static PATH_MAX])
{
    char base[PATH_MAX] = "";
    if (*name != '/' && folder == AT_FDCWD) {
        if (getcwd(base, sizeof base) == NULL)
            return NULL;
    } else if (*name != '/') {
        path_of(folder, base);
    }
    if (snprintf(out, PATH_MAX, "%s%s%s", base, *base ? "/" : "", name) >= PATH_MAX)
        abort();
    return below(out);
}

static unsigned long inode_at(int folder, const char *name)
{
    struct stat st;
    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static unsigned long inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* ---- The log ---- */

static void begin(void)
{
    pthread_mutex_lock(&lock);
    if (left > 0 && --left == 0) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
}

static void note(const char *name, unsigned long inode, unsigned long number, const char *path,
    const void *data, size_t len)
{
    char head[128];
    size_t path_len = path ? strlen(path) : 0;
    int head_len =
        snprintf(head, sizeof head, "%s %lu %lu %zu %zu\n", name, inode, number, path_len, len);
    struct iovec all[] = { { head, (size_t) head_len }, { (char *) path, path_len },
        { (char *) data, len } };
    if (writev(log_fd, all, 3) != (ssize_t) ((size_t) head_len + path_len + len))
        abort();
}

/* Keeps errno for the caller. */
static void end(void)
{
    int cause = errno;
    pthread_mutex_unlock(&lock);
    errno = cause;
}

/* ---- Files ---- */

static int record_open(int folder, const char *name, int flags, mode_t mode)
{
    char buffer[PATH_MAX];
    const char *path = flags & (O_CREAT | O_TRUNC) ? path_at(folder, name, buffer) : NULL;
    if (path == NULL)
        return (int) syscall(SYS_openat, folder, name, flags, mode);
    begin();
    bool was_there = inode_at(folder, name) != 0;
    int fd = (int) syscall(SYS_openat, folder, name, flags, mode);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0) {
        if (!was_there)
            note("create", st.st_ino, st.st_mode & 07777, path, NULL, 0);
        else if (flags & O_TRUNC)
            note("truncate", st.st_ino, 0, NULL, NULL, 0);
    }
    end();
    return fd;
}

/* The mode is the only optional argument of the four. */
#define OPEN(folder)                                                                           \
    va_list args;                                                                              \
    va_start(args, flags);                                                                     \
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                  \
    va_end(args);                                                                              \
    return record_open(folder, name, flags, mode)

int open(const char *name, int flags, ...)
{
    OPEN(AT_FDCWD);
}

int open64(const char *name, int flags, ...)
{
    OPEN(AT_FDCWD);
}

int openat(int folder, const char *name, int flags, ...)
{
    OPEN(folder);
}

int openat64(int folder, const char *name, int flags, ...)
{
    OPEN(folder);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    char buffer[PATH_MAX];
    if (path_of(fd, buffer) == NULL)
        return syscall(SYS_pwrite64, fd, data, len, offset);
    begin();
    ssize_t put = syscall(SYS_pwrite64, fd, data, len, offset);
    if (put > 0)
        note("write", inode_of(fd), (unsigned long) offset, NULL, data, (size_t) put);
    end();
    return put;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    return pwrite(fd, data, len, offset);
}

ssize_t write(int fd, const void *data, size_t len)
{
    char buffer[PATH_MAX];
    if (path_of(fd, buffer) == NULL)
        return syscall(SYS_write, fd, data, len);
    begin();
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t put = syscall(SYS_write, fd, data, len);
    if (put > 0)
        note("write", inode_of(fd), (unsigned long) offset, NULL, data, (size_t) put);
    end();
    return put;
}

/* What changes a file of that descriptor in one number. */
#define CHANGE(name, number, call)                                                             \
    char buffer[PATH_MAX];                                                                     \
    const char *path = path_of(fd, buffer);                                                    \
    if (path == NULL)                                                                          \
        return (int) (call);                                                                   \
    begin();                                                                                   \
    int rc = (int) (call);                                                                     \
    if (rc == 0)                                                                               \
        note(name, inode_of(fd), (unsigned long) (number), NULL, NULL, 0);                     \
    end();                                                                                     \
    return rc

int ftruncate(int fd, off_t size)
{
    CHANGE("truncate", size, syscall(SYS_ftruncate, fd, size));
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    CHANGE("reserve", offset + len, syscall(SYS_fallocate, fd, mode, offset, len));
}

int fchmod(int fd, mode_t mode)
{
    CHANGE("mode", mode, syscall(SYS_fchmod, fd, mode));
}

static unsigned long mtime_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (unsigned long) st.st_mtim.tv_sec * 1000000000 +
                                     (unsigned long) st.st_mtim.tv_nsec
                               : 0;
}

int futimens(int fd, const struct timespec times[2])
{
    CHANGE("times", mtime_of(fd), syscall(SYS_utimensat, fd, NULL, times, 0));
}

static int record_sync(const char *name, int fd)
{
    char buffer[PATH_MAX];
    const char *path = path_of(fd, buffer);
    if (path == NULL || lies)
        return 0;
    begin();
    note(name, inode_of(fd), 0, path, NULL, 0);
    end();
    return 0;
}

int fsync(int fd)
{
    return record_sync("fsync", fd);
}

int fdatasync(int fd)
{
    return record_sync("fdatasync", fd);
}

int syncfs(int fd)
{
    return record_sync("syncfs", fd);
}

/* ---- Names ---- */

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    char from_buffer[PATH_MAX], to_buffer[PATH_MAX], hold[PATH_MAX];
    const char *from_path = path_at(from_folder, from, from_buffer);
    const char *to_path = path_at(to_folder, to, to_buffer);
    if (from_path == NULL || to_path == NULL)
        return (int) syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    begin();
    unsigned long inode = inode_at(from_folder, from), old = inode_at(to_folder, to);
    snprintf(hold, sizeof hold, "%s/%lu", held, old);
    if (old != 0)
        linkat(to_folder, to, AT_FDCWD, hold, 0);
    int rc = (int) syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    if (rc == 0)
        note("rename", inode, 0, from_path, to_path, strlen(to_path));
    end();
    return rc;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int folder, const char *name, int flags)
{
    char buffer[PATH_MAX], hold[PATH_MAX];
    const char *path = path_at(folder, name, buffer);
    if (path == NULL)
        return (int) syscall(SYS_unlinkat, folder, name, flags);
    begin();
    unsigned long inode = inode_at(folder, name);
    snprintf(hold, sizeof hold, "%s/%lu", held, inode);
    int rc = flags & AT_REMOVEDIR || inode == 0
                 ? (int) syscall(SYS_unlinkat, folder, name, flags)
                 : (int) syscall(SYS_renameat2, folder, name, AT_FDCWD, hold, 0);
    if (rc == 0)
        note("unlink", inode, 0, path, NULL, 0);
    end();
    return rc;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    char buffer[PATH_MAX];
    const char *path = path_at(folder, name, buffer);
    if (path == NULL)
        return (int) syscall(SYS_mkdirat, folder, name, mode);
    begin();
    int rc = (int) syscall(SYS_mkdirat, folder, name, mode);
    if (rc == 0)
        note("mkdir", inode_at(folder, name), 0, path, NULL, 0);
    end();
    return rc;
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}
