/* Which call fails: see fault.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "wrapped.h"

#define SHORT (-1)

#define WORD(name) #name, name
static const struct {
    const char *name;
    int value;
} words[] = { { WORD(EACCES) }, { WORD(EAGAIN) }, { WORD(EDQUOT) }, { WORD(EINTR) },
    { WORD(EIO) }, { WORD(EMFILE) }, { WORD(ENFILE) }, { WORD(ENOENT) }, { WORD(ENOMEM) },
    { WORD(ENOSPC) }, { WORD(EOPNOTSUPP) }, { WORD(EPERM) }, { WORD(EROFS) }, { WORD(SHORT) },
    { WORD(SQLITE_BUSY) }, { WORD(SQLITE_CANTOPEN) }, { WORD(SQLITE_CORRUPT) },
    { WORD(SQLITE_FULL) }, { WORD(SQLITE_IOERR) }, { WORD(SQLITE_NOMEM) },
    { WORD(SQLITE_READONLY) } };

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

bool fault_strikes(const char *call)
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

ssize_t fault_share(const char *call, size_t len)
{
    if (!fault_strikes(call))
        return (ssize_t) len;
    return fault.how == SHORT ? (ssize_t) (len + 1) / 2 : -1;
}

/* ---- Beginning and end ---- */

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

/* After catch_sqlite(). */
__attribute__((constructor(102))) static void begin(void)
{
    char how[32] = "", onwards = '\0';
    const char *text = getenv("HAUL_FAIL");
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
