/* The URL forms of <haul/store.h>, taken apart. Pure: what the environment says is an argument.
 */
#ifndef LOCATION_H
#define LOCATION_H

#include <haul/store.h>

#include "endpoint.h"

struct location {
    char *url;    /* owned: "https://host[:port][/base]"; NULL: AWS, the region's own host */
    char *bucket; /* owned; NULL: none */
    char region[REGION_SIZE]; /* as the host names it; "": it does not */
    enum haul_addressing addressing;
    struct haul_credentials *credentials; /* owned: those in the URL; NULL: none there */
    bool is_default; /* s3://, where the environment has a say in which host that is */
};

/* aws_url is where s3:// goes; NULL: AWS. The host's name comes out in lower case. Whether what
 * remains in out->url is a proper URL, haul_endpoint_new() sees. Returns 0, or -1 with *err as
 * haul_store_new() and *out empty. */
int location_find(const char *url, const char *aws_url, const struct haul_store_options *o,
    struct location *out, struct haul_error *err);

void location_free(struct location *l); /* what it owns; and it is empty */

#endif
