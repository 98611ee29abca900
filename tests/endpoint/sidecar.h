/* The small files under ROOT/buckets/NAME: one for each version of an object, and .settings.
 * They are all that a restart knows of the bucket. */
#ifndef ENDPOINT_SIDECAR_H
#define ENDPOINT_SIDECAR_H

#include "store.h"

enum { SIDECAR_PATH_MAX = 256 };

/* The version of what has none. */
#define VERSION_NULL "null"

/* A file in the bucket's folder, or with "" the folder. */
const char *sidecar_folder(
    const struct text *bucket, const char *file, char out[static SIDECAR_PATH_MAX]);
const char *sidecar_path(const struct text *bucket, const struct text *key, const char *version,
    char out[static SIDECAR_PATH_MAX]);

/* The content of an object's file. read: -1, if it is none. */
void sidecar_write(struct text *out, const struct text *key, const struct object *o);
int sidecar_read(const struct text *in, struct text *key, struct object *o);
/* Puts it in its place. -1: failed. */
int sidecar_store(struct drafts *drafts, const struct text *bucket, const struct text *key,
    const struct object *o);

int sidecar_write_settings(
    struct drafts *drafts, const struct text *bucket, const struct settings *settings);
/* Those of a new bucket, when there are none. */
void sidecar_read_settings(
    struct drafts *drafts, const struct text *bucket, struct settings *out);

#endif
