/* SQLite's answers to us, its memory, and what it asks of the system itself, as the disk under
 * the queue would fail it: "queue_pwrite" and so on. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "wrapped.h"

/* ---- SQLite ---- */

/* What this thread was told last instead of the truth; SQLITE_OK: nothing. */
static _Thread_local int told;

static bool lies(const char *call)
{
    told = fault_strikes(call) ? errno : SQLITE_OK;
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
    return fault_strikes("sqlite3_malloc") ? NULL : memory.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return fault_strikes("sqlite3_malloc") ? NULL : memory.xRealloc(old, size);
}

/* ---- The disk under the queue ---- */

static ssize_t queue_pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t room = fault_share("queue_pwrite", len);
    return room < 0 ? -1 : __real_pwrite(fd, data, (size_t) room, at);
}

static ssize_t queue_pread(int fd, void *data, size_t len, off_t at)
{
    return fault_strikes("queue_pread") ? -1 : __real_pread(fd, data, len, at);
}

static int queue_ftruncate(int fd, off_t len)
{
    return fault_strikes("queue_ftruncate") ? -1 : __real_ftruncate(fd, len);
}

static int queue_open(const char *path, int flags, mode_t mode)
{
    return fault_strikes("queue_open") ? -1 : __real_open(path, flags, mode);
}

static int queue_unlink(const char *path)
{
    return fault_strikes("queue_unlink") ? -1 : __real_unlink(path);
}

/* SQLite's way to sync, which nobody else here takes: its library finds this one first. */
int fdatasync(int fd)
{
    return fault_strikes("queue_sync") ? -1 : (int) syscall(SYS_fdatasync, fd);
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

/* Before anything fails: SQLite is set up here. */
__attribute__((constructor(101))) static void catch_sqlite(void)
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
