/* Takes addresses apart and checks the names of their parts. Whether an endpoint of that name
 * exists is left to the manifest. */
#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM LETTERS CAPITALS "0123456789"

bool address_is_endpoint_name(const char *name)
{
    return strspn(name, ALNUM) > 0 && name[strspn(name, ALNUM "._-")] == '\0' &&
           strlen(name) <= ADDRESS_ENDPOINT_MAX;
}

/* Today's rules of S3, and the capitals and underscores that it and Ceph once allowed.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
static const char *bucket_fault(const char *bucket)
{
    struct in_addr ip;
    const size_t len = strlen(bucket);

    if (bucket[strspn(bucket, ALNUM "._-")] != '\0')
        return "a bucket's name has letters, digits, dots, hyphens and underscores only";
    if (len < 3)
        return "a bucket's name has at least 3 characters";
    if (strchr(".-", bucket[0]) != NULL || strchr(".-", bucket[len - 1]) != NULL)
        return "a bucket's name neither begins nor ends with a dot or hyphen";
    if (strstr(bucket, "..") != NULL)
        return "a bucket's name has no two dots in a row";
    if (inet_pton(AF_INET, bucket, &ip) == 1)
        return "a bucket's name is no IP address";
    return NULL;
}

static const char *key_fault(const char *key)
{
    if (strlen(key) > HAUL_KEY_BYTES_MAX)
        return "a key has at most 1024 bytes";
    return utf8_is_valid(key) ? NULL : "a key is UTF-8";
}

const char *address_parse(const char *text, struct address *out)
{
    const char *colon = strstr(text, "://");
    if (colon == NULL)
        return "an address is ENDPOINT://BUCKET/KEY";
    const char *bucket = colon + 3;
    const size_t bucket_len = strcspn(bucket, "/");
    const char *key = bucket + bucket_len + (bucket[bucket_len] == '/');

    if (colon - text > ADDRESS_ENDPOINT_MAX)
        return "an endpoint's name has at most 64 characters";
    if (bucket_len > ADDRESS_BUCKET_MAX)
        return "a bucket's name has at most 63 characters";
    const char *why = key_fault(key);
    if (why != NULL)
        return why;

    struct address a;
    snprintf(a.endpoint, sizeof a.endpoint, "%.*s", (int) (colon - text), text);
    snprintf(a.bucket, sizeof a.bucket, "%.*s", (int) bucket_len, bucket);
    snprintf(a.key, sizeof a.key, "%s", key);
    if (!address_is_endpoint_name(a.endpoint))
        return "an endpoint's name has letters, digits, dots, hyphens and underscores only";
    why = bucket_fault(a.bucket);
    if (why == NULL)
        *out = a;
    return why;
}

bool address_is_prefix(const struct address *a)
{
    const size_t len = strlen(a->key);
    return len == 0 || a->key[len - 1] == '/';
}
