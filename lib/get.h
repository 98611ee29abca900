/* What haul_get_file_parallel() takes from the single stream's way. */
#ifndef GET_H
#define GET_H

#include <stdbool.h>

#include <haul/store.h>

/* haul_get_file(); replace: as haul_parallel_options has it. */
const struct haul_result *get_file(struct haul_store *s, const struct haul_request *r,
    const char *path, bool replace, struct haul_error *err);

#endif
