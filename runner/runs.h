/* Where the runs' files are: $XDG_STATE_HOME/haul/NAME/RUN.db (default ~/.local/state/haul). */
#ifndef RUNS_H
#define RUNS_H

#include <stddef.h>

#include "error.h"

#define RUN_ID_SIZE 24 /* "20260131T235959Z-1f2e" */

struct run_file {
    char *path;    /* owned */
    char name[72]; /* the job's: its folder */
    char id[RUN_ID_SIZE];
};

/* A new id: the time, so that ids sort by it, as fine as 15 microseconds. */
void runs_new_id(char id[static RUN_ID_SIZE]);

/* Where that run's file belongs. The caller frees it; NULL with *err: no memory, or neither
 * XDG_STATE_HOME nor HOME is set (EXIT_QUEUE). */
char *runs_path(const char *name, const char *id, struct error *err);

/* Removes what processes that died before there was a run of that name left in its folder. */
void runs_clear_drafts(const char *name);

/* All runs, or all of one name (NULL: any), the latest first. Returns 0, or -1 with *err. */
int runs_list(const char *name, struct run_file **out, size_t *count, struct error *err);
void runs_free(struct run_file *runs, size_t count);

/* The file of a job: of a run's id, or of a name's latest run; NULL: of the latest run of all.
 * The caller frees it; NULL with *err (EXIT_USAGE): there is none. */
char *runs_find(const char *job, struct error *err);

#endif
