/* AWS's partitions: groups of regions that share a domain, and nothing else with each other.
 * Pure. */
#ifndef PARTITION_H
#define PARTITION_H

#include <stdbool.h>

struct partition {
    const char *name;   /* "aws-cn" */
    const char *prefix; /* what its regions' names begin with; "": any */
    const char *domain;
    bool has_fips, has_dualstack, has_accelerate; /* S3's hosts of that kind */
};

/* A region that is in no other is in "aws": new ones are named before we know of them. */
const struct partition *partition_of(const char *region);

/* Can it be a region's name, and so a part of a host's? */
bool partition_is_region(const char *text);

/* Is the host in AWS's own domains? */
bool partition_has_host(const char *host);

#endif
