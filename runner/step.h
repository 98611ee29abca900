/* The named places where tests kill the program. Only a test build (HAUL_TEST_STEPS) has them:
 * there, HAUL_KILL_AT=NAME or NAME:N ends the process with SIGKILL at the (Nth) passing. */
#ifndef STEP_H
#define STEP_H

#ifdef HAUL_TEST_STEPS
#define STEP_BYTES(bytes) ((bytes) / 32) /* tests come there with little files */
void step(const char *name);
#else
#define STEP_BYTES(bytes) (bytes)
static inline void step(const char *name)
{
    (void) name;
}
#endif

#endif
