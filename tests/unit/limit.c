/* The limits of the process: see limit.h. */
#include "limit.h"

#include <err.h>
#include <signal.h>

rlim_t limit_set(int resource, rlim_t soft)
{
    struct rlimit before, now;
    if (resource == RLIMIT_FSIZE)
        signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(resource, &before) < 0)
        err(1, "getrlimit");
    now = (struct rlimit){ soft, before.rlim_max };
    if (setrlimit(resource, &now) < 0)
        err(1, "setrlimit");
    return before.rlim_cur;
}
