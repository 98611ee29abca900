/* The part of the manifest's grammar that is about endpoints. One thread. */
#ifndef MANIFEST_ENDPOINTS_H
#define MANIFEST_ENDPOINTS_H

#include "fields.h"

field_fn manifest_endpoints_read; /* into the loader's manifest; `into` is not used */

/* The endpoint of that name in the loader's manifest; for "s3" one is added when none is
 * declared. NULL: it was reported at the place of n. */
const struct manifest_endpoint *manifest_endpoints_get(
    struct loader *l, const char *name, const struct yamltree *n, const struct field *f);

void manifest_endpoints_free(struct manifest_endpoint *e);

#endif
