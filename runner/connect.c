/* What must be right before a run is worth starting: keys, endpoints, buckets, folders. */
#include "connect.h"

#include <errno.h>
#include <haul/haul.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "refusal.h"

#define RETRIES 5 /* of one-shot commands, for which somebody waits: about three seconds */

/* Keys that the manifest names as variables of the environment. */
static struct haul_credentials *keys_from_variables(
    const struct manifest_endpoint *e, struct haul_error *err)
{
    const char *names[] = { e->key_id_variable, e->secret_variable, e->token_variable };
    const char *values[3] = { NULL };
    for (int i = 0; i < 3; i++) {
        if (names[i] == NULL)
            continue;
        values[i] = getenv(names[i]);
        if (values[i] == NULL || *values[i] == '\0') {
            haul_error_set(err, HAUL_NO_CREDENTIALS,
                "the environment variable %s, which the manifest names, is not set", names[i]);
            return NULL;
        }
    }
    return haul_credentials_static(values[0], values[1], values[2], err);
}

static struct haul_credentials *find_credentials(
    const struct manifest_endpoint *e, struct haul_error *err)
{
    switch (e->credentials) {
    case CREDENTIALS_AUTO:
        return haul_credentials_default(err);
    case CREDENTIALS_ENV:
        return haul_credentials_from_environment(err);
    case CREDENTIALS_CONTAINER:
        return haul_credentials_from_container(err);
    case CREDENTIALS_INSTANCE:
        return haul_credentials_from_instance(NULL, err);
    case CREDENTIALS_WEB_IDENTITY:
        return haul_credentials_from_web_identity(NULL, err);
    case CREDENTIALS_ANONYMOUS:
        return haul_credentials_anonymous(err);
    case CREDENTIALS_PROFILE:
        return haul_credentials_from_profile(e->profile, e->file, err);
    case CREDENTIALS_KEYS:
        return keys_from_variables(e, err);
    }
    return NULL;
}

static int unusable(
    const struct manifest_endpoint *e, const struct haul_error *why, struct error *err)
{
    return error_set(err, EXIT_PAUSED, "endpoint %s: %s", e->name, why->text);
}

struct haul_credentials *connect_credentials(
    const struct manifest_endpoint *e, struct error *err)
{
    struct haul_error error;
    struct haul_credentials *c = find_credentials(e, &error);
    if (c == NULL)
        unusable(e, &error, err);
    return c;
}

static struct haul_endpoint_options options_of(
    const struct manifest_endpoint *e, const struct haul_credentials *c)
{
    const char *password = e->key_password_variable;
    return (struct haul_endpoint_options){ .url = e->url,
        .region = e->region,
        .addressing = e->addressing,
        .payload = e->payload,
        .credentials = c,
        .ca_file = e->ca_file,
        .insecure = e->insecure,
        .client_cert = e->client_cert,
        .client_key = e->client_key,
        .client_key_password = password ? getenv(password) : NULL,
        .dualstack = e->dualstack,
        .fips = e->fips,
        .accelerate = e->accelerate };
}

/* What environment and profile say now, but for where it is: that was settled when the manifest
 * was read. */
static int find_settings(
    const struct manifest_endpoint *e, struct haul_settings *out, struct haul_error *err)
{
    if (haul_settings_find(e->profile, e->file, out, err) < 0)
        return -1;
    out->url[0] = '\0';
    out->dualstack = out->fips = out->accelerate = false;
    out->addressing = HAUL_ADDRESS_AUTO;
    return 0;
}

static struct haul_endpoint *connect_one(const struct manifest_endpoint *e,
    const struct haul_credentials *credentials, struct error *err)
{
    struct haul_error error;
    struct haul_settings found;
    struct haul_endpoint_options options = options_of(e, credentials);
    struct haul_endpoint *endpoint = NULL;
    if (find_settings(e, &found, &error) == 0) {
        if (options.region == NULL && found.region[0] != '\0')
            options.region = found.region;
        if (options.ca_file == NULL && found.ca_file[0] != '\0')
            options.ca_file = found.ca_file;
        endpoint = haul_endpoint_new(&options, &error);
    }
    if (endpoint == NULL)
        unusable(e, &error, err);
    return endpoint;
}

struct haul_store *connect_store(const struct manifest_endpoint *e,
    const struct haul_credentials *credentials, const char *bucket, struct error *err)
{
    struct haul_error error;
    struct haul_settings found;
    struct haul_store_options options = { .endpoint = options_of(e, credentials),
        .client = { .retries = RETRIES },
        .settings = &found };
    struct haul_store *store = NULL;
    char *url = NULL;
    /* With the bucket behind it, so that what else is in the path is the endpoint's base. */
    size_t len = e->url ? strlen(e->url) : 0;
    const char *slash = len > 0 && e->url[len - 1] != '/' ? "/" : "";
    if (asprintf(&url, "%s%s%s", e->url ? e->url : "s3://", slash, bucket ? bucket : "") < 0) {
        error_no_memory(err);
        return NULL;
    }
    if (find_settings(e, &found, &error) == 0)
        store = haul_store_new(url, &options, &error);
    free(url);
    if (store == NULL)
        unusable(e, &error, err);
    return store;
}

void connect_warn(const struct manifest_endpoint *e)
{
    if (e->insecure)
        LOG(LOG_WARN, "insecure_endpoint", { "endpoint", e->name },
            { "why", "insecure: true, so its certificate is not verified" });
}

int connect_all(const struct manifest *m, struct connections *out, struct error *err)
{
    struct connections c = { .count = m->endpoint_count };
    struct haul_error error;
    c.endpoints = calloc(c.count ? c.count : 1, sizeof *c.endpoints);
    c.credentials = calloc(c.count ? c.count : 1, sizeof *c.credentials);
    if (c.endpoints == NULL || c.credentials == NULL) {
        error_no_memory(err);
        goto failed;
    }
    for (size_t i = 0; i < c.count; i++) {
        const struct manifest_endpoint *e = m->endpoints[i];
        bool used = false;
        for (size_t k = 0; k < m->transfer_count; k++)
            used |= m->transfers[k]->endpoint == e;
        if (!used)
            continue;
        connect_warn(e);
        c.credentials[i] = connect_credentials(e, err);
        if (c.credentials[i] != NULL)
            c.endpoints[i] = connect_one(e, c.credentials[i], err);
        if (c.endpoints[i] == NULL)
            goto failed;
    }
    c.refresher = haul_refresher_start(c.credentials, c.count, &error);
    if (c.refresher == NULL) {
        error_exhausted(err, error.text);
        goto failed;
    }
    *out = c;
    return 0;
failed:
    connections_free(&c);
    return -1;
}

void connections_free(struct connections *c)
{
    haul_refresher_stop(c->refresher);
    for (size_t i = 0; i < c->count; i++) {
        if (c->endpoints)
            haul_endpoint_free(c->endpoints[i]);
        if (c->credentials)
            haul_credentials_free(c->credentials[i]);
    }
    free(c->endpoints);
    free(c->credentials);
    *c = (struct connections){ 0 };
}

struct haul_endpoint *connection_of(
    const struct connections *c, const struct manifest *m, const struct transfer *t)
{
    return c->endpoints[manifest_endpoint_index(m, t)];
}

struct haul_client *connect_client(
    const struct manifest *m, unsigned connections, size_t buffers_bytes, struct error *err)
{
    struct haul_error error;
    struct haul_client *c = haul_client_new(
        &(struct haul_client_options){ .retries = m->retries ? m->retries : HAUL_NO_RETRIES,
            .patience_ms = m->patience_s * 1000,
            .connections = connections,
            .buffers_bytes = buffers_bytes,
            .user_agent = "haul/" HAUL_VERSION },
        &error);
    if (c == NULL)
        error_exhausted(err, error.text);
    return c;
}

/* ---- Local sides ---- */

static const char *source_fault(const struct transfer *t)
{
    struct stat st;
    if (stat(t->local, &st) < 0)
        return strerror(errno);
    if (t->many && !S_ISDIR(st.st_mode))
        return "not a folder; without the final slash it means a file";
    if (!t->many && S_ISDIR(st.st_mode))
        return "a folder; write it with a final slash to upload all below it";
    if (!t->many && !S_ISREG(st.st_mode))
        return "neither a file nor a folder";
    return access(t->local, t->many ? R_OK | X_OK : R_OK) < 0 ? strerror(errno) : NULL;
}

/* The nearest folder that is there decides: below it, haul makes what is missing. */
static const char *destination_fault(const struct transfer *t)
{
    char path[4096];
    struct stat st;
    const char *fault = NULL;
    if ((size_t) snprintf(path, sizeof path, "%s", t->local) >= sizeof path)
        return strerror(ENAMETOOLONG);
    if (!t->many && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return "a folder; write it with a final slash to download into it";
    for (char *slash = strrchr(path, '/'); slash != NULL; slash = strrchr(path, '/')) {
        slash[slash == path] = '\0'; /* keep the root's own slash */
        if (stat(path, &st) == 0) {
            if (!S_ISDIR(st.st_mode))
                fault = "a file stands where a folder should be";
            else if (access(path, W_OK | X_OK) < 0)
                fault = strerror(errno);
            break;
        }
        if (errno != ENOENT || slash == path) {
            fault = strerror(errno);
            break;
        }
    }
    return fault;
}

int check_local_sides(const struct manifest *m, struct error *err)
{
    for (size_t i = 0; i < m->transfer_count; i++) {
        const struct transfer *t = m->transfers[i];
        bool upload = t->kind == TRANSFER_UPLOAD;
        const char *fault = upload ? source_fault(t) : destination_fault(t);
        if (fault != NULL)
            return error_set(err, EXIT_USAGE, "%s:%d:%d: cannot %s %s: %s",
                m->path ? m->path : m->name, t->line, t->column,
                upload ? "upload" : "download to", t->local, fault);
    }
    return 0;
}

/* ---- Remote sides ---- */

static bool was_asked(const struct manifest *m, size_t upto, const struct transfer *t)
{
    for (size_t i = 0; i < upto; i++)
        if (m->transfers[i]->endpoint == t->endpoint &&
            strcmp(m->transfers[i]->bucket, t->bucket) == 0)
            return true;
    return false;
}

/* A refusal that the run meets again, if it stays: with patience, or object by object. */
static bool is_for_later(const struct haul_error *refusal)
{
    return (refusal->code == HAUL_SERVER && refusal->retry == HAUL_RETRY_SLOWER) ||
           strcmp(refusal->aws_code, "AccessDenied") == 0;
}

int check_remote_sides(const struct manifest *m, const struct connections *c, struct error *err)
{
    struct haul_error error;
    int rc = 0;
    /* Nobody has seen this endpoint answer yet, so a wrong address should show at once. */
    struct haul_client *client =
        haul_client_new(&(struct haul_client_options){ .retries = 2 }, &error);
    if (client == NULL)
        return error_exhausted(err, error.text);
    for (size_t i = 0; rc == 0 && i < m->transfer_count; i++) {
        const struct transfer *t = m->transfers[i];
        struct haul_request r = { .operation = HAUL_LIST_OBJECTS,
            .endpoint = connection_of(c, m, t),
            .bucket = t->bucket,
            .prefix = *t->key ? t->key : NULL,
            .max_entries = 1 };
        if (was_asked(m, i, t) || haul_client_perform(client, &r, NULL, NULL, &error) == 0 ||
            is_for_later(&error))
            continue;
        refusal_explain(&error, t->endpoint, t->bucket, err);
        rc = -1;
    }
    haul_client_free(client);
    return rc;
}
