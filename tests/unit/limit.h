/* The limits of the process, for a test. */
#ifndef LIMIT_H
#define LIMIT_H

#include <sys/resource.h>

/* Sets the soft one, and returns what it was. To write beyond RLIMIT_FSIZE is EFBIG then, and
 * no signal. Whatever goes wrong ends the test program. */
rlim_t limit_set(int resource, rlim_t soft);

#endif
