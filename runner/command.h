/* The commands, one function each, and what the command line gave them. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "manifest.h"

struct arguments {
    const char *operand; /* the first of operands; NULL: none given */
    char *const *operands;
    size_t operand_count;
    struct setting *settings; /* --set */
    size_t setting_count;
    const char *queue; /* --queue PATH; NULL: the state folder */
    bool fresh;        /* --new */
    bool json, watch, failed;

    /* One-shot commands. */
    bool recursive, abort;
    const char *method, *expires;                         /* presign */
    const char *manifest;                                 /* whose endpoints may be named */
    const char *endpoint, *region, *profile, *addressing; /* without one, as what follows */
    const char *ca_file, *client_cert, *client_key;
    bool insecure, dualstack, fips, accelerate;
};

/* Each returns the process's exit code. One with *err filled has it printed by main(). */
typedef enum exit_code command_fn(const struct arguments *a, struct error *err);

command_fn command_run, command_plan, command_check, command_resume, command_jobs,
    command_status;

/* One-shot commands: thin faces of libhaul's calls. */
command_fn command_ls, command_cat, command_get, command_put, command_stat, command_rm,
    command_cp, command_mv, command_presign, command_mb, command_rb, command_uploads,
    command_whoami;

/* Loads a manifest and prints its faults as FILE:LINE:COLUMN: text. NULL: err. */
struct manifest *command_load(const char *path, const struct arguments *a, struct error *err);

/* What to call a run's state: "finished", "running"... holder: the pid that has its queue, or
 * 0. */
struct run;
const char *command_state(const struct run *run, int holder);

#endif
