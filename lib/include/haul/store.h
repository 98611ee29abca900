/* A store: an endpoint with its keys, a bucket and a client, opened from an URL. The blocking
 * calls of object.h, list.h, upload.h and file.h work on it. A store belongs to one thread at a
 * time; only haul_store_stop() may be called from another. For more threads open more stores.
 *
 *     struct haul_error err;
 *     struct haul_store *s = haul_store_new("https://s3.example.com/photos", NULL, &err);
 *     if (s == NULL ||
 *         haul_put_string(s, &(struct haul_request){ .key = "a" }, "hi", &err) == NULL)
 *         fprintf(stderr, "%s\n", err.text);
 *     haul_store_free(s);
 */
#ifndef HAUL_STORE_H
#define HAUL_STORE_H

#include <haul/client.h>
#include <haul/endpoint.h>
#include <haul/settings.h>

HAUL_BEGIN

/* Nothing is kept of it but the credentials, which must outlive the store and which any number
 * of stores may share. */
struct haul_store_options {
    struct haul_endpoint_options endpoint; /* its url is not looked at */
    struct haul_client_options client;
    const char *bucket; /* NULL: as the URL has it, else given with each request */
    const struct haul_settings *settings; /* where the options and the URL are silent; NULL: as
                                           * haul_settings_find() has them for NULL, NULL */
};

struct haul_store;

/* The URL is one of
 *
 *     https://HOST[:PORT][/BUCKET]
 *     https://BUCKET.HOST[:PORT]
 *     https://KEY:SECRET@HOST...
 *     s3://[BUCKET]
 *
 * In the first the bucket is in the path. In the second it is a subdomain: on AWS's hosts; when
 * the host begins with options->bucket and a dot; or, with VIRTUAL addressing and no
 * options->bucket, the host's first label. In the third keys, percent-encoded, stand before
 * either kind of host. The fourth is where the settings' url says, else AWS, by the kind of
 * host that they say. http:// goes likewise. A path of more segments is the endpoint's base,
 * its last segment the bucket. options->bucket must not contradict the URL's. Objects are named
 * by requests, never by the URL.
 *
 * Region: options->endpoint.region, else the one that AWS's host names, else that of the
 * environment (haul_settings_find()), else "us-east-1"; a wrong one is put right by the
 * server's x-amz-bucket-region and remembered. Credentials: options->endpoint.credentials, else
 * those in the URL, else haul_credentials_default(). Give haul_credentials_anonymous() for
 * public data.
 *
 * NULL with *err: HAUL_BAD_CONFIG (the text never repeats the URL), HAUL_NO_CREDENTIALS,
 * HAUL_NO_MEMORY; and what haul_credentials_default() fails with, when that is asked. The store
 * itself is sent nothing. */
struct haul_store *haul_store_new(
    const char *url, const struct haul_store_options *options, struct haul_error *err);

/* NULL is fine. */
void haul_store_free(struct haul_store *s);

const char *haul_store_bucket(const struct haul_store *s); /* NULL: none */
const struct haul_endpoint *haul_store_endpoint(const struct haul_store *s);

/* For requests of the event-driven kind beside the blocking ones: a blocking call moves them
 * along, and may call their callbacks. The store's; haul_store_stop() does not end them. */
struct haul_client *haul_store_client(struct haul_store *s);

/* Ends the call under way and every later one as HAUL_CANCELLED: the store is then good for
 * haul_upload_abort() and the free functions only. The call aborts the upload it had begun and
 * removes its temporary file, which takes a few requests. Any thread, and signal handlers. */
void haul_store_stop(struct haul_store *s);

/* Any single request, blocking; endpoint and bucket may be NULL in it. Returns the result,
 * which the store owns until its next call, or NULL with *err (HAUL_CANCELLED after
 * haul_store_stop). Strings of the last result may be in r. */
const struct haul_result *haul_perform(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

HAUL_END
#endif
