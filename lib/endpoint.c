/* Endpoints: an URL taken apart, the options checked, and the addressing of buckets. What is
 * learnt from replies is endpoint_learnt.c's. */
#include "endpoint.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credentials.h"
#include "partition.h"
#include "uri.h"

/* What haul never asks for in an URL: keys come as credentials, and a query would be signed.
 * The text does not repeat the URL, which may hold a password. */
static int refuse_extras(CURLU *u, struct haul_error *err)
{
    static const struct {
        CURLUPart part;
        const char *name;
    } extras[] = { { CURLUPART_USER, "a user" }, { CURLUPART_PASSWORD, "a password" },
        { CURLUPART_QUERY, "a query" }, { CURLUPART_FRAGMENT, "a fragment" } };
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        char *found = NULL;
        if (curl_url_get(u, extras[i].part, &found, 0) == CURLUE_OK) {
            curl_free(found);
            return haul_error_set(err, HAUL_BAD_CONFIG,
                "the endpoint's URL has %s: give only https://host[:port][/base]",
                extras[i].name);
        }
    }
    return 0;
}

/* *copy stays NULL when there is no such part. Returns 0, or -1: out of memory. */
static int take_part(CURLU *u, CURLUPart part, char **copy)
{
    char *found = NULL;
    CURLUcode code = curl_url_get(u, part, &found, CURLU_NO_DEFAULT_PORT);
    if (code == CURLUE_OK)
        *copy = strdup(found);
    curl_free(found);
    return code == CURLUE_OUT_OF_MEMORY || (code == CURLUE_OK && *copy == NULL) ? -1 : 0;
}

static int parse_url(struct haul_endpoint *e, const char *url, struct haul_error *err)
{
    int rc = -1;
    char *port = NULL, *name = NULL, *path = NULL;
    CURLU *u = curl_url();
    if (u == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
        haul_error_set(err, HAUL_BAD_CONFIG,
            "the endpoint's URL is not one: expected https://host[:port][/base]");
        goto out;
    }
    if (refuse_extras(u, err) < 0)
        goto out;
    if (take_part(u, CURLUPART_SCHEME, &e->scheme) < 0 ||
        take_part(u, CURLUPART_HOST, &name) < 0 || take_part(u, CURLUPART_PORT, &port) < 0 ||
        take_part(u, CURLUPART_PATH, &path) < 0) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        goto out;
    }
    if (strcmp(e->scheme, "https") != 0 && strcmp(e->scheme, "http") != 0) {
        haul_error_set(err, HAUL_BAD_CONFIG,
            "the endpoint's URL begins with %s://: expected https:// or http://", e->scheme);
        goto out;
    }
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        path[--len] = '\0';
    e->base = path;
    path = NULL;
    size_t size = strlen(name) + (port ? strlen(port) : 0) + 2;
    e->host = malloc(size);
    e->url = malloc(size + strlen(e->scheme) + 3);
    if (e->host == NULL || e->url == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        goto out;
    }
    snprintf(e->host, size, "%s%s%s", name, port ? ":" : "", port ? port : "");
    snprintf(e->url, size + strlen(e->scheme) + 3, "%s://%s", e->scheme, e->host);
    rc = 0;
out:
    free(port);
    free(name);
    free(path);
    curl_url_cleanup(u);
    return rc;
}

/* "s3-fips.dualstack.REGION.DOMAIN"; "s3-accelerate.DOMAIN", the one that knows no region. */
static void add_aws_host(
    struct buf *b, const struct haul_endpoint *e, const char *region, bool accelerate)
{
    buf_adds(b, accelerate ? "s3-accelerate." : e->fips ? "s3-fips." : "s3.");
    if (e->dualstack)
        buf_adds(b, "dualstack.");
    if (!accelerate)
        buf_addf(b, "%s.", region);
    buf_adds(b, partition_of(region)->domain);
}

/* Does AWS have such hosts there? */
static int check_aws(const struct haul_endpoint *e, struct haul_error *err)
{
    const struct partition *p = partition_of(e->region);
    const struct {
        bool wanted, there;
        const char *what, *option;
    } kinds[] = {
        { e->dualstack, p->has_dualstack, "dual-stack", "dualstack" },
        { e->fips, p->has_fips, "FIPS", "fips" },
        { e->accelerate, p->has_accelerate, "accelerated", "accelerate" },
    };
    if (!partition_is_region(e->region))
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "the region is none of AWS's: expected one like eu-central-1");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].wanted && !kinds[i].there)
            return haul_error_set(err, HAUL_BAD_CONFIG,
                "AWS has no %s hosts for the region %s: leave out %s", kinds[i].what, e->region,
                kinds[i].option);
    if (e->accelerate && e->fips)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "AWS has no accelerated hosts under FIPS: leave out fips or accelerate");
    if (e->accelerate && e->addressing == HAUL_ADDRESS_PATH)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "accelerated hosts have the bucket in their name: leave out accelerate or the "
            "addressing by path");
    return 0;
}

static int use_aws(struct haul_endpoint *e, struct haul_error *err)
{
    if (check_aws(e, err) < 0)
        return -1;
    struct buf url = buf_make(256);
    buf_adds(&url, "https://");
    add_aws_host(&url, e, e->region, e->accelerate);
    e->scheme = strdup("https");
    e->base = strdup("");
    e->url = strdup(buf_text(&url));
    bool failed = buf_failed(&url, "the region", err);
    buf_free(&url);
    if (!failed && (e->scheme == NULL || e->base == NULL || e->url == NULL)) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        failed = true;
    }
    return failed ? -1 : 0;
}

static int use_url(struct haul_endpoint *e, const char *url, struct haul_error *err)
{
    if (e->dualstack || e->fips || e->accelerate)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "dualstack, fips and accelerate choose among AWS's own hosts: leave them out, or "
            "the endpoint's URL");
    return parse_url(e, url, err);
}

/* libcurl would find out as late as with the first request, and take many things for a host. */
static int check_proxy(const char *proxy, struct haul_error *err)
{
    static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5",
        "socks5h" };
    CURLU *u = curl_url();
    if (u == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    char *scheme = NULL;
    int rc = 0;
    bool fits = false;
    if (curl_url_set(u, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) ==
        CURLUE_OK)
        rc = take_part(u, CURLUPART_SCHEME, &scheme);
    for (size_t i = 0; scheme != NULL && i < sizeof schemes / sizeof *schemes; i++)
        fits |= strcmp(scheme, schemes[i]) == 0;
    free(scheme);
    curl_url_cleanup(u);
    if (rc < 0)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    if (!fits)
        haul_error_set(err, HAUL_BAD_CONFIG,
            "the proxy is no URL: expected http://[user:password@]host:port");
    return fits ? 0 : -1;
}

static int copy_text(char **out, const char *text, struct haul_error *err)
{
    *out = text ? strdup(text) : NULL;
    return text != NULL && *out == NULL ? haul_error_set(err, HAUL_NO_MEMORY, "out of memory")
                                        : 0;
}

/* What TLS will read: found missing now, not with the first request. */
static int copy_path(char **out, const char *option, const char *path, struct haul_error *err)
{
    struct stat found;
    if (path != NULL && (access(path, R_OK) < 0 || stat(path, &found) < 0))
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "the %s %s can't be read: %s", option, path, strerror(errno));
    if (path != NULL && S_ISDIR(found.st_mode))
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "the %s %s is a folder: name a PEM file", option, path);
    return copy_text(out, path, err);
}

static int copy_files(
    struct haul_endpoint *e, const struct haul_endpoint_options *o, struct haul_error *err)
{
    if (o->client_key != NULL && o->client_cert == NULL)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "a client_key is no use without its certificate: give client_cert");
    return copy_path(&e->ca_file, "ca_file", o->ca_file, err) < 0 ||
                   copy_path(&e->client_cert, "client_cert", o->client_cert, err) < 0 ||
                   copy_path(&e->client_key, "client_key", o->client_key, err) < 0
               ? -1
               : copy_text(&e->client_key_password, o->client_key_password, err);
}

struct haul_endpoint *haul_endpoint_new(
    const struct haul_endpoint_options *o, struct haul_error *err)
{
    struct haul_endpoint *e = calloc(1, sizeof *e);
    if (e == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&e->lock, NULL);
    e->addressing = o->addressing;
    e->dualstack = o->dualstack;
    e->fips = o->fips;
    e->accelerate = o->accelerate;
    e->insecure = o->insecure;
    e->credentials = o->credentials;
    e->service = "s3";
    e->locked.tempo = tempo_make();
    const char *region = o->region && *o->region ? o->region : "us-east-1";
    if (strlen(region) >= sizeof e->region) {
        haul_error_set(err, HAUL_BAD_CONFIG, "the region's name is too long");
        goto failed;
    }
    strcpy(e->region, region);
    if (e->credentials != NULL && credentials_check(e->credentials, err) < 0)
        goto failed;
    if ((o->url ? use_url(e, o->url, err) : use_aws(e, err)) < 0 || copy_files(e, o, err) < 0)
        goto failed;
    if ((o->proxy != NULL && *o->proxy != '\0' && check_proxy(o->proxy, err) < 0) ||
        copy_text(&e->proxy, o->proxy, err) < 0)
        goto failed;
    e->payload = o->payload != HAUL_PAYLOAD_AUTO  ? o->payload
                 : strcmp(e->scheme, "http") == 0 ? HAUL_PAYLOAD_SIGNED
                                                  : HAUL_PAYLOAD_UNSIGNED;
    return e;
failed:
    haul_endpoint_free(e);
    return NULL;
}

void haul_endpoint_free(struct haul_endpoint *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < e->locked.bucket_count; i++)
        free(e->locked.buckets[i].bucket);
    free(e->locked.buckets);
    wipe(&e->locked.key, sizeof e->locked.key);
    pthread_mutex_destroy(&e->lock);
    free(e->url);
    free(e->scheme);
    free(e->host);
    free(e->base);
    free(e->ca_file);
    free(e->client_cert);
    free(e->client_key);
    wipe_text(e->client_key_password);
    wipe_text(e->proxy);
    free(e);
}

const char *haul_endpoint_url(const struct haul_endpoint *e)
{
    return e->url;
}

const char *haul_endpoint_region(const struct haul_endpoint *e)
{
    return e->region;
}

void endpoint_set_service(struct haul_endpoint *e, const char *service)
{
    e->service = service;
}

bool endpoint_is_private(const struct haul_endpoint *e)
{
    const char *host = e->host;
    if (strcmp(e->scheme, "https") == 0)
        return true;
    size_t name = strncasecmp(host, "localhost", 9) == 0 ? 9
                  : strncmp(host, "[::1]", 5) == 0       ? 5
                  : strncmp(host, "127.", 4) == 0        ? strspn(host, "0123456789.")
                                                         : 0;
    return name > 0 && (host[name] == '\0' || host[name] == ':');
}

/* A name that can stand before the host, under one wildcard certificate: no dots. */
static bool is_label(const char *bucket)
{
    size_t len = strlen(bucket);
    return len >= 3 && len <= 63 &&
           strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && bucket[0] != '-' &&
           bucket[len - 1] != '-';
}

bool haul_endpoint_is_aws(const struct haul_endpoint *e)
{
    return e->host == NULL || partition_has_host(e->host);
}

static bool is_virtual(const struct haul_endpoint *e, const char *bucket)
{
    if (bucket == NULL)
        return false;
    switch (e->addressing) {
    case HAUL_ADDRESS_PATH:
        return false;
    case HAUL_ADDRESS_VIRTUAL:
        return true;
    case HAUL_ADDRESS_AUTO:
        break;
    }
    return haul_endpoint_is_aws(e) && is_label(bucket);
}

bool endpoint_can_reach(const struct haul_endpoint *e, const char *bucket, bool accelerate)
{
    return !accelerate || !e->accelerate || bucket == NULL || is_label(bucket);
}

void endpoint_add_host(struct buf *b, const struct haul_endpoint *e, const char *bucket,
    const char *region, bool accelerate)
{
    if (is_virtual(e, bucket))
        buf_addf(b, "%s.", bucket);
    if (e->host != NULL)
        buf_adds(b, e->host);
    else
        add_aws_host(b, e, region, accelerate && e->accelerate && bucket != NULL);
}

void endpoint_add_path(
    struct buf *b, const struct haul_endpoint *e, const char *bucket, const char *key)
{
    buf_adds(b, e->base);
    buf_adds(b, "/");
    if (bucket != NULL && !is_virtual(e, bucket)) {
        uri_add_path(b, bucket);
        if (key != NULL)
            buf_adds(b, "/");
    }
    if (key != NULL)
        uri_add_path(b, key);
}
