/* Keys of the service beside a container (ECS, EKS Pod Identity, and what imitates them), found
 * by variables of the environment. Whom they may name is decided by the URL alone, no name is
 * looked up for that. See haul_credentials_from_container(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "credentials.h"
#include "endpoint.h"
#include "inquiry.h"
#include "keysjson.h"
#include "tokenfile.h"
#include "uri.h"

#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"

#define ECS "http://169.254.170.2"
#define PAIRS_MAX 16
#define TIMEOUT_MS 2000

struct container {
    char *uri;        /* owned: the other three point into it */
    const char *url;  /* "http://host:port" */
    const char *path; /* unescaped, without its first slash */
    struct haul_pair pairs[PAIRS_MAX];
    size_t pair_count;
    char *token_file; /* owned; NULL: none */
    char *token;      /* owned, a secret; NULL: none */
};

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static void free_container(void *state)
{
    struct container *c = state;
    free(c->uri);
    free(c->token_file);
    tokenfile_free(c->token);
    free(c);
}

/* ---- Where it is ---- */

/* Https, this machine, or an address that only containers' services have. */
static bool is_allowed(const struct haul_endpoint *e)
{
    static const char *const hosts[] = { "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]" };
    bool found = endpoint_is_private(e);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t len = strlen(hosts[i]);
        found |= strncasecmp(e->host, hosts[i], len) == 0 &&
                 (e->host[len] == '\0' || e->host[len] == ':');
    }
    return found;
}

static int check_host(const char *url, struct haul_error *err)
{
    struct haul_error why;
    struct haul_endpoint *e =
        haul_endpoint_new(&(struct haul_endpoint_options){ .url = url }, &why);
    if (e == NULL)
        return haul_error_set(err, why.code, "%s: %s", FULL, why.text);
    int rc = is_allowed(e) ? 0
                           : haul_error_set(err, HAUL_BAD_CONFIG,
                                 "%s leads to %s: keys are taken by https, from this machine, "
                                 "169.254.170.2, 169.254.170.23 and [fd00:ec2::23] alone",
                                 FULL, url);
    haul_endpoint_free(e);
    return rc;
}

/* As forms have it: "+" is a space. */
static int decode_value(char *text)
{
    for (char *c = text; (c = strchr(c, '+')) != NULL;)
        *c = ' ';
    return uri_decode(text);
}

static int split_query(struct container *c, char *query)
{
    char *name;
    while ((name = strsep(&query, "&")) != NULL) {
        char *value = strchr(name, '=');
        if (*name == '\0')
            continue;
        if (value != NULL)
            *value++ = '\0';
        if (c->pair_count == PAIRS_MAX || decode_value(name) < 0 ||
            (value != NULL && decode_value(value) < 0))
            return -1;
        c->pairs[c->pair_count++] = (struct haul_pair){ name, value };
    }
    return 0;
}

/* Cuts c->uri into its pieces: the path's first slash ends the host. */
static int split(struct container *c, const char *whose, struct haul_error *err)
{
    char *host = strstr(c->uri, "://");
    if (host == NULL)
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "%s is no URL: expected http://host[:port]/path", whose);
    char *path = host + 3 + strcspn(host + 3, "/?#");
    path[strcspn(path, "#")] = '\0';
    char *query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';
    if (*path == '/')
        *path++ = '\0';
    c->url = c->uri;
    c->path = path;
    if (uri_decode(path) == 0 && split_query(c, query) == 0)
        return 0;
    return haul_error_set(err, HAUL_BAD_CONFIG,
        "%s has a broken escape, or more than %d parameters", whose, PAIRS_MAX);
}

static int find_uri(struct container *c, struct haul_error *err)
{
    const char *relative = variable(RELATIVE), *full = variable(FULL);
    const char *uri = relative ? relative : full;
    if (uri == NULL)
        return haul_error_set(
            err, HAUL_NO_CREDENTIALS, "the environment has no %s or %s", RELATIVE, FULL);
    if (relative != NULL && *relative != '/')
        return haul_error_set(err, HAUL_BAD_CONFIG, "%s does not begin with a slash", RELATIVE);
    if (asprintf(&c->uri, "%s%s", relative ? ECS : "", uri) < 0) {
        c->uri = NULL;
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    }
    if (split(c, relative ? RELATIVE : FULL, err) < 0)
        return -1;
    return relative ? 0 : check_host(c->url, err);
}

/* ---- Asking ---- */

/* The file's name, or the token itself. */
static int find_token(struct container *c, struct haul_error *err)
{
    const char *file = variable(TOKEN_FILE), *token = file ? NULL : variable(TOKEN);
    const char *fault = token ? tokenfile_fault(token) : NULL;
    if (fault != NULL)
        return haul_error_set(err, HAUL_BAD_CONFIG, "%s %s", TOKEN, fault);
    c->token_file = file ? strdup(file) : NULL;
    c->token = token ? strdup(token) : NULL;
    return (file && c->token_file == NULL) || (token && c->token == NULL)
               ? haul_error_set(err, HAUL_NO_MEMORY, "out of memory")
               : 0;
}

static struct keys *ask(void *state, struct inquirer *i, struct haul_error *err)
{
    const struct container *c = state;
    char *read = c->token_file ? tokenfile_read(c->token_file, TOKEN_FILE, err) : NULL;
    const char *token = read ? read : c->token;
    if (c->token_file != NULL && read == NULL)
        return NULL;
    const struct haul_pair headers[] = { { "accept", "application/json" },
        { "authorization", token } };
    struct keys *k = keysjson_ask(i,
        &(struct inquiry){ .whom = "the container's credential service",
            .url = c->url,
            .path = c->path,
            .query = { c->pairs, c->pair_count },
            .headers = { headers, token ? 2 : 1 },
            .secrets = { token },
            .direct = true,
            .timeout_ms = TIMEOUT_MS },
        &keysjson_container, err);
    tokenfile_free(read);
    return k;
}

static const struct credentials_kind kind = { "container", ask, free_container };

struct haul_credentials *haul_credentials_from_container(struct haul_error *err)
{
    struct container *c = calloc(1, sizeof *c);
    if (c == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    if (find_uri(c, err) < 0 || find_token(c, err) < 0) {
        free_container(c);
        return NULL;
    }
    return credentials_new(&kind, c, NULL, c->url, err);
}
