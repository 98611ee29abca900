/* Endpoints: an URL taken apart, the addressing of buckets, and the little that is learnt from
 * replies. The caller's object is const to clients; what is learnt stands behind a lock. */
#include "endpoint.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "credentials.h"
#include "uri.h"

/* Whoever answers could have us sign for any day: beyond that, a person has to set the clock.
 */
#define CLOCK_OFF_MAX_MS (24 * 3600 * (int64_t) 1000)

static const char *domain_of(const char *region)
{
    return strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
}

/* What haul never asks for in an URL: keys come as credentials, and a query would be signed. */
static int refuse_extras(CURLU *u, const char *url, struct haul_error *err)
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
            (void) url; /* it may hold the password: not repeated */
            return haul_error_set(err, HAUL_BAD_CONFIG,
                "the endpoint's URL has %s: give only https://host[:port][/base]",
                extras[i].name);
        }
    }
    return 0;
}

static char *take_part(CURLU *u, CURLUPart part, unsigned flags)
{
    char *found = NULL, *copy = NULL;
    if (curl_url_get(u, part, &found, flags) == CURLUE_OK)
        copy = strdup(found);
    curl_free(found);
    return copy;
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
    if (refuse_extras(u, url, err) < 0)
        goto out;
    e->scheme = take_part(u, CURLUPART_SCHEME, 0);
    if (e->scheme && strcmp(e->scheme, "https") != 0 && strcmp(e->scheme, "http") != 0) {
        haul_error_set(err, HAUL_BAD_CONFIG,
            "the endpoint's URL begins with %s://: expected https:// or http://", e->scheme);
        goto out;
    }
    name = take_part(u, CURLUPART_HOST, 0);
    port = take_part(u, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
    path = take_part(u, CURLUPART_PATH, 0);
    if (e->scheme == NULL || name == NULL || path == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
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

static int use_aws(struct haul_endpoint *e, struct haul_error *err)
{
    struct buf url = buf_make(256);
    buf_addf(&url, "https://s3.%s.%s", e->region, domain_of(e->region));
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

/* libcurl would find out as late as with the first request, and take many things for a host. */
static int check_proxy(const char *proxy, struct haul_error *err)
{
    static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5",
        "socks5h" };
    CURLU *u = curl_url();
    if (u == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    bool fits = false;
    if (curl_url_set(u, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) ==
        CURLUE_OK) {
        char *scheme = take_part(u, CURLUPART_SCHEME, 0);
        for (size_t i = 0; scheme != NULL && i < sizeof schemes / sizeof *schemes; i++)
            fits |= strcmp(scheme, schemes[i]) == 0;
        free(scheme);
    }
    curl_url_cleanup(u);
    if (!fits)
        haul_error_set(err, HAUL_BAD_CONFIG,
            "the proxy is no URL: expected http://[user:password@]host:port");
    return fits ? 0 : -1;
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
    e->insecure = o->insecure;
    e->credentials = o->credentials;
    e->service = "s3";
    const char *region = o->region && *o->region ? o->region : "us-east-1";
    if (strlen(region) >= sizeof e->region) {
        haul_error_set(err, HAUL_BAD_CONFIG, "the region's name is too long");
        goto failed;
    }
    strcpy(e->region, region);
    if (e->credentials != NULL && credentials_check(e->credentials, err) < 0)
        goto failed;
    if ((o->url ? parse_url(e, o->url, err) : use_aws(e, err)) < 0)
        goto failed;
    if (o->ca_file != NULL) {
        if (access(o->ca_file, R_OK) < 0) {
            haul_error_set(err, HAUL_BAD_CONFIG, "the ca_file %s can't be read", o->ca_file);
            goto failed;
        }
        e->ca_file = strdup(o->ca_file);
        if (e->ca_file == NULL) {
            haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
            goto failed;
        }
    }
    if (o->proxy != NULL) {
        if (*o->proxy != '\0' && check_proxy(o->proxy, err) < 0)
            goto failed;
        e->proxy = strdup(o->proxy);
        if (e->proxy == NULL) {
            haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
            goto failed;
        }
    }
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
    if (e->proxy != NULL)
        wipe(e->proxy, strlen(e->proxy));
    free(e->proxy);
    free(e);
}

const char *haul_endpoint_url(const struct haul_endpoint *e)
{
    return e->url;
}

/* What is learnt is a cache, so a const endpoint may still learn. */
static struct haul_endpoint *learner(const struct haul_endpoint *e)
{
    return (struct haul_endpoint *) e;
}

static struct bucket_region *find_bucket_locked(struct haul_endpoint *e, const char *bucket)
{
    for (size_t i = 0; i < e->locked.bucket_count; i++)
        if (strcmp(e->locked.buckets[i].bucket, bucket) == 0)
            return &e->locked.buckets[i];
    return NULL;
}

void endpoint_region(
    const struct haul_endpoint *e, const char *bucket, char region[static REGION_SIZE])
{
    struct haul_endpoint *l = learner(e);
    pthread_mutex_lock(&l->lock);
    const struct bucket_region *known = bucket ? find_bucket_locked(l, bucket) : NULL;
    strcpy(region, known ? known->region : e->region);
    pthread_mutex_unlock(&l->lock);
}

bool endpoint_learn_region(
    const struct haul_endpoint *e, const char *bucket, const char *region)
{
    struct haul_endpoint *l = learner(e);
    bool news = false;
    if (bucket == NULL || *region == '\0' || strlen(region) >= REGION_SIZE ||
        region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
        return false; /* it becomes part of a host name: nothing but a region will do */
    pthread_mutex_lock(&l->lock);
    struct bucket_region *known = find_bucket_locked(l, bucket);
    if (known != NULL) {
        news = strcmp(known->region, region) != 0;
    } else if (strcmp(e->region, region) != 0) {
        struct bucket_region *more =
            realloc(l->locked.buckets, (l->locked.bucket_count + 1) * sizeof *more);
        if (more != NULL) {
            l->locked.buckets = more;
            known = &more[l->locked.bucket_count];
            known->bucket = strdup(bucket);
            news = known->bucket != NULL;
            l->locked.bucket_count += news;
        }
    }
    if (news)
        strcpy(known->region, region);
    pthread_mutex_unlock(&l->lock);
    return news;
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t haul_endpoint_now_ms(const struct haul_endpoint *e)
{
    return clock_ms() + atomic_load(&learner(e)->date_offset_ms);
}

int64_t endpoint_signing_ms(const struct haul_endpoint *e)
{
    return clock_ms() + atomic_load(&learner(e)->signing_offset_ms);
}

void endpoint_note_date(const struct haul_endpoint *e, int64_t server_ms)
{
    int64_t offset_ms = server_ms - clock_ms();
    atomic_store(&learner(e)->date_offset_ms, offset_ms);
}

bool endpoint_learn_clock(const struct haul_endpoint *e, int64_t server_ms)
{
    int64_t offset_ms = server_ms - clock_ms();
    if (llabs(server_ms - endpoint_signing_ms(e)) < 60000 ||
        llabs(offset_ms) > CLOCK_OFF_MAX_MS)
        return false;
    atomic_store(&learner(e)->signing_offset_ms, offset_ms);
    return true;
}

int endpoint_signing_key(const struct haul_endpoint *e, const struct keys *keys,
    const char *date, const char *region, struct sigv4_key *key)
{
    struct haul_endpoint *l = learner(e);
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    if (l->locked.keys_number != keys->number || strcmp(l->locked.date, date) != 0 ||
        strcmp(l->locked.region, region) != 0) {
        rc = sigv4_derive_key(keys->secret, date, region, e->service, &l->locked.key);
        l->locked.keys_number = keys->number;
        snprintf(l->locked.date, sizeof l->locked.date, "%s", rc == 0 ? date : "");
        snprintf(l->locked.region, sizeof l->locked.region, "%s", region);
    }
    *key = l->locked.key;
    pthread_mutex_unlock(&l->lock);
    return rc;
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

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcasecmp(text + len - end_len, end) == 0;
}

bool endpoint_is_aws(const struct haul_endpoint *e)
{
    return e->host == NULL || ends_with(e->host, ".amazonaws.com") ||
           ends_with(e->host, ".amazonaws.com.cn");
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
    return endpoint_is_aws(e) && is_label(bucket);
}

void endpoint_add_host(
    struct buf *b, const struct haul_endpoint *e, const char *bucket, const char *region)
{
    if (is_virtual(e, bucket))
        buf_addf(b, "%s.", bucket);
    if (e->host != NULL)
        buf_adds(b, e->host);
    else
        buf_addf(b, "s3.%s.%s", region, domain_of(region));
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
