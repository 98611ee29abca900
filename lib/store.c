/* A store, and the blocking calls' way through its client: see <haul/store.h> and store.h. */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "location.h"
#include "loop.h"

#define TURN_MS 60000    /* nothing is looked at in between: a wake-up ends a turn, too */
#define CREATION_MS 2000 /* an upload that nobody knows the id of would stay open for ever */

static const char *first_given(const char *a, const char *b)
{
    return a != NULL && *a != '\0' ? a : b;
}

/* What the options, the URL and the environment say together, each where the one before is
 * silent. Which host an https:// URL means is the URL's matter alone. */
static int settle(struct haul_store *s, struct location *l, const struct haul_store_options *o,
    struct haul_error *err)
{
    const struct haul_settings *found = o->settings;
    struct haul_endpoint_options endpoint = o->endpoint;
    bool at_aws = l->is_default && l->url == NULL;
    endpoint.url = l->url;
    endpoint.region = first_given(o->endpoint.region, first_given(l->region, found->region));
    endpoint.ca_file = first_given(o->endpoint.ca_file, first_given(found->ca_file, NULL));
    endpoint.addressing = l->addressing;
    if (l->is_default && endpoint.addressing == HAUL_ADDRESS_AUTO)
        endpoint.addressing = found->addressing;
    endpoint.dualstack |= at_aws && found->dualstack;
    endpoint.fips |= at_aws && found->fips;
    endpoint.accelerate |= at_aws && found->accelerate;
    if (endpoint.credentials == NULL) {
        s->credentials = l->credentials;
        l->credentials = NULL;
        if (s->credentials == NULL)
            s->credentials = haul_credentials_default(err);
        if (s->credentials == NULL)
            return -1;
        endpoint.credentials = s->credentials;
    }
    s->bucket = l->bucket;
    l->bucket = NULL;
    s->endpoint = haul_endpoint_new(&endpoint, err);
    s->client = s->endpoint ? haul_client_new(&o->client, err) : NULL;
    return s->client ? 0 : -1;
}

struct haul_store *haul_store_new(
    const char *url, const struct haul_store_options *options, struct haul_error *err)
{
    struct haul_store_options o = { .bucket = NULL };
    struct haul_settings found;
    struct location l;
    if (options != NULL)
        o = *options;
    if (o.settings == NULL) {
        if (haul_settings_find(NULL, NULL, &found, err) < 0)
            return NULL;
        o.settings = &found;
    }
    if (location_find(url, o.settings->url, &o, &l, err) < 0)
        return NULL;
    struct haul_store *s = calloc(1, sizeof *s);
    int rc = -1;
    if (s == NULL)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    else
        rc = settle(s, &l, &o, err);
    location_free(&l);
    if (rc == 0)
        return s;
    haul_store_free(s);
    return NULL;
}

void haul_store_free(struct haul_store *s)
{
    if (s == NULL)
        return;
    haul_client_free(s->client);
    client_release(s->last);
    haul_endpoint_free(s->endpoint);
    haul_credentials_free(s->credentials);
    free(s->bucket);
    free(s);
}

const char *haul_store_bucket(const struct haul_store *s)
{
    return s->bucket;
}

const struct haul_endpoint *haul_store_endpoint(const struct haul_store *s)
{
    return s->endpoint;
}

struct haul_client *haul_store_client(struct haul_store *s)
{
    return s->client;
}

/* Not haul_client_stop(): what cleans up has to go out yet. */
void haul_store_stop(struct haul_store *s)
{
    int before = errno; /* of what a signal has interrupted */
    atomic_store(&s->stopping, true);
    haul_client_wake(s->client);
    errno = before;
}

struct haul_request store_request(
    const struct haul_store *s, const struct haul_request *r, enum haul_operation operation)
{
    struct haul_request full = { .operation = operation };
    if (r != NULL)
        full = *r;
    full.operation = operation;
    if (full.endpoint == NULL)
        full.endpoint = s->endpoint;
    if (full.bucket == NULL)
        full.bucket = s->bucket;
    return full;
}

int store_check(struct haul_store *s, struct haul_error *err)
{
    return atomic_load(&s->stopping) ? haul_error_set(err, HAUL_CANCELLED, "cancelled") : 0;
}

int store_run(struct haul_store *s, struct haul_error *err)
{
    if (store_check(s, err) < 0)
        return -1;
    return haul_client_run(s->client, TURN_MS, err) < 0 ? -1 : 0;
}

static void on_done(void *payload, const struct haul_result *result)
{
    const struct haul_result **kept = payload;
    *kept = client_keep(result);
}

const struct haul_result *store_perform(struct haul_store *s, const struct haul_request *r,
    bool even_stopped, struct haul_error *err)
{
    const struct haul_result *result = NULL;
    int64_t ends_ms = 0; /* its time, once the store is stopped */
    int turn_ms = TURN_MS;
    if ((!even_stopped && store_check(s, err) < 0) ||
        haul_client_submit(s->client, r, on_done, &result, err) < 0)
        return NULL;
    while (result == NULL) {
        if (!even_stopped && atomic_load(&s->stopping)) {
            int64_t now_ms = loop_now_ms();
            if (ends_ms == 0)
                ends_ms = now_ms + (r->operation == HAUL_CREATE_UPLOAD ? CREATION_MS : 0);
            turn_ms = (int) (ends_ms - now_ms);
            if (turn_ms <= 0)
                haul_client_cancel(s->client, r);
        }
        if (haul_client_run(s->client, turn_ms, err) < 0)
            haul_client_cancel(s->client, r); /* the next turn delivers it, if no more */
    }
    client_release(s->last); /* not before: *r may have pointed into it */
    s->last = result;
    if (result->error.code == HAUL_OK)
        return result;
    *err = result->error;
    return NULL;
}

const struct haul_result *store_write(
    struct haul_store *s, const struct haul_request *r, uint64_t size, struct haul_error *err)
{
    const struct haul_result *before = store_take(s), *result = store_perform(s, r, false, err);
    struct haul_request head = *r;
    struct haul_error why;
    bool is_conditional = r->if_match != NULL || r->if_none_match != NULL;
    if (result != NULL || err->http_status != 412 || !is_conditional || r->token == NULL ||
        !s->last->maybe_repeated)
        goto out;
    head.operation = HAUL_HEAD_OBJECT;
    head.if_match = head.if_none_match = head.version_id = NULL;
    head.if_modified_since_ms = head.if_unmodified_since_ms = 0;
    result = store_perform(s, &head, false, &why);
    bool ours = result != NULL && result->token != NULL &&
                strcmp(result->token, r->token) == 0 && result->size == size;
    if (!ours)
        result = NULL;
out:
    client_release(before);
    return result;
}

const struct haul_result *store_take(struct haul_store *s)
{
    const struct haul_result *last = s->last;
    s->last = NULL;
    return last;
}

const struct haul_result *haul_perform(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, r->operation, err);
}

const struct haul_result *store_call(struct haul_store *s, const struct haul_request *r,
    enum haul_operation operation, struct haul_error *err)
{
    struct haul_request full = store_request(s, r, operation);
    return store_perform(s, &full, false, err);
}
