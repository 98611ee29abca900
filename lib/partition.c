/* AWS's partitions: see partition.h.
 * https://docs.aws.amazon.com/general/latest/gr/s3.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration.html */
#include "partition.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The first whose prefix fits. */
static const struct partition partitions[] = {
    { "aws-cn", "cn-", "amazonaws.com.cn", .has_dualstack = true },
    { "aws-us-gov", "us-gov-", "amazonaws.com", .has_fips = true, .has_dualstack = true },
    { "aws-iso", "us-iso-", "c2s.ic.gov", .has_fips = true },
    { "aws-iso-b", "us-isob-", "sc2s.sgov.gov", .has_fips = true },
    { "aws", "", "amazonaws.com", .has_fips = true, .has_dualstack = true,
        .has_accelerate = true },
};

const struct partition *partition_of(const char *region)
{
    const struct partition *p = partitions;
    while (strncmp(region, p->prefix, strlen(p->prefix)) != 0)
        p++;
    return p;
}

bool partition_is_region(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
           text[0] != '-' && text[len - 1] != '-';
}

bool partition_has_host(const char *host)
{
    size_t len = strlen(host);
    for (size_t i = 0; i < sizeof partitions / sizeof *partitions; i++) {
        size_t domain_len = strlen(partitions[i].domain);
        if (len > domain_len && host[len - domain_len - 1] == '.' &&
            strcasecmp(host + len - domain_len, partitions[i].domain) == 0)
            return true;
    }
    return false;
}
