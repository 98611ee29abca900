/* The named places where tests kill the program. Only a test build (HAUL_TEST_STEPS) has them:
 * there, HAUL_KILL_AT=NAME or NAME:N ends the process with SIGKILL at the (Nth) passing. */
#ifndef STEP_H
#define STEP_H

#ifdef HAUL_TEST_STEPS
void step(const char *name);
#else
static inline void step(const char *name)
{
    (void) name;
}
#endif

#endif
