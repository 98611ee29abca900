/* Dying on request. Compiled to nothing in a build that ships. */
#include "step.h"

#ifdef HAUL_TEST_STEPS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void step(const char *name)
{
    static atomic_int passed;
    const char *at = getenv("HAUL_KILL_AT");
    size_t len = strlen(name);
    if (at == NULL || strncmp(at, name, len) != 0 || (at[len] != '\0' && at[len] != ':'))
        return;
    int nth = at[len] == ':' ? atoi(at + len + 1) : 1;
    if (atomic_fetch_add(&passed, 1) + 1 == nth)
        raise(SIGKILL);
}

#endif
