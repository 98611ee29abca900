/* The part of the manifest's grammar that is about endpoints. One thread. */
#ifndef MANIFEST_ENDPOINTS_H
#define MANIFEST_ENDPOINTS_H

#include <haul/settings.h>

#include "fields.h"

field_fn manifest_endpoints_read; /* into the loader's manifest; `into` is not used */

/* The endpoint of that name in the loader's manifest; for "s3" one is added when none is
 * declared. NULL: it was reported at the place of n. */
const struct manifest_endpoint *manifest_endpoints_get(
    struct loader *l, const char *name, const struct yamltree *n, const struct field *f);

/* Where an endpoint without url is, as far as `s` says so and the endpoint does not: its url,
 * else AWS's region and kind of host. Its strings are then those of s. Pure. */
void manifest_endpoints_settle(struct manifest_endpoint *e, const struct haul_settings *s);

/* The next thing that contradicts itself in an endpoint that is settled; field NULL: no more.
 * *at begins as 0. Pure. */
struct contradiction {
    const char *field, *why;
};
struct contradiction manifest_endpoints_contradiction(
    const struct manifest_endpoint *e, size_t *at);

/* Why it is no URL of an endpoint; NULL: it is. The text never quotes it, for it may hold a
 * secret. Pure. */
const char *manifest_endpoints_url_fault(const char *url);

void manifest_endpoints_free(struct manifest_endpoint *e);

#endif
