/* The URL forms of a store: see location.h. No text made here repeats what the URL holds, which
 * may be a secret, or a piece of one that should have been percent-encoded. */
#include "location.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "credentials.h"
#include "hash.h"
#include "uri.h"

/* AWS's hosts. A website's, an access point's and what else there is are taken as any other.
 * https://docs.aws.amazon.com/general/latest/gr/s3.html */
#define AWS_REGION "([a-z]{2,4}(-[a-z]+)+-[0-9]{1,2})"
#define AWS_HOST(service) "^((.+)[.])?(" service ")[.]amazonaws[.]com"
enum group { WHOLE, BUCKET_DOT, BUCKET, SERVICE, VARIANT, REGION, GROUPS };

static const struct {
    const char *pattern;
    bool is_own; /* endpoint.c writes it itself, for whichever region the bucket turns out in */
} aws_hosts[] = {
    { AWS_HOST("s3([.-])" AWS_REGION) "([.]cn)?$", true },
    { AWS_HOST("s3") "$", true },
    { AWS_HOST("s3(-fips|[.]dualstack|-fips[.]dualstack)[.-]" AWS_REGION) "([.]cn)?$", false },
    { AWS_HOST("s3(-external-1|-accelerate|-accelerate[.]dualstack)") "$", false },
    { AWS_HOST("bucket[.](vpce-[a-z0-9-]+)[.]s3[.]" AWS_REGION "[.]vpce") "([.]cn)?$", false },
};

struct aws_host {
    size_t service; /* where what follows the bucket begins; 0: no bucket */
    char region[REGION_SIZE];
    bool found, is_own;
};

static int find_aws_host(const char *host, struct aws_host *out, struct haul_error *err)
{
    *out = (struct aws_host){ .found = false };
    for (size_t i = 0; i < sizeof aws_hosts / sizeof *aws_hosts && !out->found; i++) {
        regex_t pattern;
        regmatch_t at[GROUPS];
        if (regcomp(&pattern, aws_hosts[i].pattern, REG_EXTENDED) != 0)
            return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        if (regexec(&pattern, host, GROUPS, at, 0) == 0) {
            out->found = true;
            out->is_own = aws_hosts[i].is_own;
            out->service = (size_t) at[SERVICE].rm_so;
            if (at[REGION].rm_so >= 0)
                snprintf(out->region, sizeof out->region, "%.*s",
                    (int) (at[REGION].rm_eo - at[REGION].rm_so), host + at[REGION].rm_so);
        }
        regfree(&pattern);
    }
    return 0;
}

/* An address of numbers has no labels. */
static bool is_name(const char *host)
{
    return host[strspn(host, "0123456789.")] != '\0' && *host != '[';
}

/* Where the endpoint's name begins in a host of somebody else's; 0: it holds no bucket. */
static size_t find_subdomain(const char *host, const struct haul_store_options *o)
{
    size_t len = o->bucket ? strlen(o->bucket) : strcspn(host, ".");
    bool wanted = o->bucket ? strncmp(host, o->bucket, len) == 0
                            : o->endpoint.addressing == HAUL_ADDRESS_VIRTUAL;
    return wanted && len > 0 && is_name(host) && host[len] == '.' && host[len + 1] != '\0'
               ? len + 1
               : 0;
}

static int set_bucket(struct location *l, const char *bucket, struct haul_error *err)
{
    if (strchr(bucket, '/') || strcmp(bucket, ".") == 0 || strcmp(bucket, "..") == 0)
        return haul_error_set(err, HAUL_BAD_CONFIG, "the store's URL has no bucket's name");
    if (l->bucket != NULL && strcmp(l->bucket, bucket) != 0)
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "the store's URL names another bucket than its options do");
    if (l->bucket == NULL && (l->bucket = strdup(bucket)) == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    return 0;
}

/* Cuts the bucket off the path, which begins behind its first slash, and what it ends with. */
static char *cut_bucket(char *path)
{
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        path[--len] = '\0';
    char *slash = strrchr(path, '/'), *bucket = slash ? slash + 1 : path;
    if (slash != NULL)
        *slash = '\0';
    return bucket;
}

/* "[KEY:SECRET@]HOST[:PORT][/[BASE/]BUCKET]" */
static int find_at_host(struct location *l, const char *scheme, char *text,
    const struct haul_store_options *o, struct haul_error *err)
{
    char *path = text + strcspn(text, "/"), *host = text;
    if (*path == '/')
        *path++ = '\0';
    char *bucket = cut_bucket(path);
    const char *base = bucket == path ? "" : path;
    char *at = strrchr(text, '@');
    if (strchr(base, '@') || strchr(bucket, '@') || strpbrk(text, "?#") ||
        strpbrk(base, "?#") || strpbrk(bucket, "?#"))
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "the store's URL has \"@\", \"?\" or \"#\" where none belongs: expected "
            "https://[KEY:SECRET@]HOST[:PORT][/BUCKET], with keys percent-encoded");
    if (at != NULL) {
        *at = '\0';
        host = at + 1;
        if ((l->credentials = credentials_of_user(text, err)) == NULL)
            return -1;
    }
    for (char *c = host; *c != '\0'; c++)
        *c = (char) tolower((unsigned char) *c);

    char *port = strchr(*host == '[' ? host + strcspn(host, "]") : host, ':');
    if (port != NULL)
        *port++ = '\0';
    if (*host == '\0')
        return haul_error_set(err, HAUL_BAD_CONFIG, "the store's URL has no host");
    struct aws_host aws;
    if (find_aws_host(host, &aws, err) < 0)
        return -1;
    size_t service = aws.found ? aws.service : *bucket ? 0 : find_subdomain(host, o);
    if (service > 0 && *bucket != '\0')
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "the store's URL names a bucket in its host, and has a path");
    if (service > 0) {
        bucket = host;
        host += service;
        bucket[service - 1] = '\0';
        if (!aws.found && l->addressing == HAUL_ADDRESS_AUTO)
            l->addressing = HAUL_ADDRESS_VIRTUAL;
    } else if (uri_decode(bucket) < 0) {
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "the store's URL has a broken percent escape");
    }
    if (*bucket != '\0' && set_bucket(l, bucket, err) < 0)
        return -1;

    const char *region = o->endpoint.region;
    strcpy(l->region, aws.region);
    if (aws.is_own && port == NULL && *base == '\0' && strcmp(scheme, "https") == 0 &&
        (region == NULL || *region == '\0' || *l->region == '\0' ||
            strcmp(region, l->region) == 0))
        return 0;
    struct buf url = buf_make(4096);
    buf_addf(&url, "%s://%s%s%s%s%s", scheme, host, port ? ":" : "", port ? port : "",
        *base ? "/" : "", base);
    l->url = url.data; /* given away */
    return buf_failed(&url, "the store's URL", err) ? -1 : 0;
}

/* "[BUCKET]" */
static int find_at_aws(
    struct location *l, char *text, const char *aws_url, struct haul_error *err)
{
    const char *bucket = cut_bucket(text);
    l->is_default = true;
    if (bucket != text || strpbrk(bucket, "@:?#%"))
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "the store's URL is more than s3://BUCKET: objects are named by requests, and keys "
            "stand in the environment or in an https:// URL");
    if (*bucket != '\0' && set_bucket(l, bucket, err) < 0)
        return -1;
    if (aws_url != NULL && *aws_url != '\0' && (l->url = strdup(aws_url)) == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    return 0;
}

static bool has_blank(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char) *text <= ' ' || *text == 0x7F)
            return true;
    return false;
}

int location_find(const char *url, const char *aws_url, const struct haul_store_options *o,
    struct location *out, struct haul_error *err)
{
    static const char expected[] = "expected https://HOST/BUCKET, http://… or s3://BUCKET";
    int rc = -1;
    struct location l = { .addressing = o->endpoint.addressing };
    *out = (struct location){ .url = NULL };
    if (url == NULL) /* a variable that is not set */
        return haul_error_set(err, HAUL_BAD_CONFIG, "the store has no URL: %s", expected);
    size_t size = strlen(url) + 1;
    char *copy = malloc(size);
    if (copy == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    memcpy(copy, url, size);
    char *text = strstr(copy, "://");
    if (text == NULL || has_blank(copy)) {
        haul_error_set(err, HAUL_BAD_CONFIG, "the store's URL has %s: %s",
            text ? "a blank or a control character" : "no scheme", expected);
        goto out;
    }
    *text = '\0';
    text += 3;
    if (strcasecmp(copy, "s3") == 0)
        rc = find_at_aws(&l, text, aws_url, err);
    else if (strcasecmp(copy, "https") == 0)
        rc = find_at_host(&l, "https", text, o, err);
    else if (strcasecmp(copy, "http") == 0)
        rc = find_at_host(&l, "http", text, o, err);
    else
        haul_error_set(
            err, HAUL_BAD_CONFIG, "the store's URL has another scheme: %s", expected);
    if (rc == 0 && o->bucket != NULL && *o->bucket != '\0')
        rc = set_bucket(&l, o->bucket, err);
    if (rc == 0) {
        *out = l;
        l = (struct location){ .url = NULL };
    }
out:
    location_free(&l);
    wipe(copy, size);
    free(copy);
    return rc;
}

void location_free(struct location *l)
{
    free(l->url);
    free(l->bucket);
    haul_credentials_free(l->credentials);
    *l = (struct location){ .url = NULL };
}
