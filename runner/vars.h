/* Variables in a manifest's texts:
 *
 *     ${name}          a declared variable, whose text may refer to others in turn
 *     ${env:NAME}      a variable of the environment; it must be there
 *     ${date:FORMAT}   the run's time in UTC, as strftime() writes it
 *     $${              a literal ${
 *
 * One thread. The environment is read when a text is expanded. */
#ifndef VARS_H
#define VARS_H

#include <stdbool.h>
#include <stdint.h>

#define VARS_NAME_MAX 64        /* [A-Za-z_][A-Za-z0-9_-]* */
#define VARS_COUNT_MAX 1000     /* declared ones */
#define VARS_TEXT_MAX 4096      /* bytes of an expanded text */
#define VARS_TOTAL_MAX 16777216 /* bytes that all references together may put in */
#define VARS_FAULT_SIZE 256

struct vars;

/* frozen: of a manifest from a queue, in which nothing is left to ask the environment for; a
 * queue from somebody else shall not get at it. NULL: out of memory. */
struct vars *vars_new(int64_t now_ms, bool frozen);
void vars_free(struct vars *v); /* NULL is fine */

/* Declares a variable; its text is expanded when it is first wanted. The caller sees to it that
 * no name comes twice. NULL: done. Else what is wrong with it. */
const char *vars_declare(struct vars *v, const char *name, const char *text);

/* Gives a declared variable another value, which is taken literally, before the first
 * expansion. Returns 0; -1: fault says why. */
int vars_set(
    struct vars *v, const char *name, const char *value, char fault[static VARS_FAULT_SIZE]);

/* Why the variable's own text can't be expanded; NULL: it can, or the fault lies with another
 * variable, which tells it when asked. */
const char *vars_fault(struct vars *v, const char *name);

/* The text with its references replaced; the caller frees it. NULL: fault says why, and is
 * empty when it lies with a declared variable. */
char *vars_expand(struct vars *v, const char *text, char fault[static VARS_FAULT_SIZE]);

/* The NAME of a text that is exactly one "${env:NAME}"; the caller frees it. NULL: it is not,
 * or out of memory (errno ENOMEM). */
char *vars_environment_name(const char *text);

#endif
