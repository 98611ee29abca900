/* Which call fails, as the environment of haul-faults says.
 *
 *     HAUL_FAIL=pwrite:17:ENOSPC    the 17th pwrite() fails; 17-: all from the 17th on
 *     HAUL_FAIL_REPORT=PATH         told at exit: how many such calls there were, and how many
 *                                   of them failed
 *     HAUL_FAIL_AFTER=PATH          counts only the calls after this file was made
 *     HAUL_FAIL_STOPS=1             the process stops (SIGSTOP) as the first one fails
 *
 * `malloc` is every allocation of ours, `sqlite3_malloc` every one of SQLite's; `queue_...` are
 * SQLite's own calls, as the disk under the queue would fail them. SHORT: half of the bytes. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Is it this call's turn to fail? Then errno says how: also of SQLite's, and of threads. */
bool fault_strikes(const char *call);

/* How many bytes a read or a write may move; -1 with errno: it fails. */
ssize_t fault_share(const char *call, size_t len);

#endif
