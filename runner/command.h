/* The commands, one function each, and what the command line gave them. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "manifest.h"

struct arguments {
    const char *operand;      /* FILE or JOB; NULL: none given */
    struct setting *settings; /* --set */
    size_t setting_count;
    const char *queue; /* --queue PATH; NULL: the state folder */
    bool fresh;        /* --new */
    bool json, watch, failed;
};

/* Each returns the process's exit code. One with *err filled has it printed by main(). */
typedef enum exit_code command_fn(const struct arguments *a, struct error *err);

command_fn command_run, command_plan, command_check, command_resume, command_jobs,
    command_status;

/* Loads a manifest and prints its faults as FILE:LINE:COLUMN: text. NULL: err. */
struct manifest *command_load(const struct arguments *a, struct error *err);

/* What to call a run's state: "finished", "running"... holder: the pid that has its queue, or
 * 0. */
struct run;
const char *command_state(const struct run *run, int holder);

#endif
