/* Presigned URLs: see <haul/presign.h>. What a request becomes is operation.h's matter, how it
 * is signed sigv4.h's. */
#include <haul/presign.h>

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "credentials.h"
#include "endpoint.h"
#include "operation.h"

#define QUERY_BYTES_MAX (16 * 1024)
#define URL_BYTES_MAX (24 * 1024)

static bool needs_document(enum haul_operation operation)
{
    return operation == HAUL_COMPLETE_UPLOAD || operation == HAUL_DELETE_OBJECTS ||
           operation == HAUL_PUT_TAGS;
}

/* Signs the call for `seconds` from now, and writes its URL. */
static int add_url(struct buf *url, const struct haul_request *r, const struct call *call,
    const struct keys *keys, unsigned seconds, struct haul_error *err)
{
    const struct haul_endpoint *e = r->endpoint;
    struct sigv4_header headers[CALL_HEADERS_MAX + 1];
    struct buf host = buf_make(512), query = buf_make_secret(QUERY_BYTES_MAX);
    char region[REGION_SIZE], time[SIGV4_TIME_SIZE], date[9];
    struct sigv4_key key;
    int rc = -1;

    endpoint_region(e, call->bucket, region);
    endpoint_add_host(&host, e, call->bucket, region, operation_can_accelerate(r));
    sigv4_time(endpoint_signing_ms(e), time);
    snprintf(date, sizeof date, "%.8s", time);
    for (size_t i = 0; i < call->header_count; i++)
        headers[i] = call->headers[i];
    headers[call->header_count] = (struct sigv4_header){ "host", buf_text(&host) };
    struct sigv4_request s = { .method = call->method,
        .path = buf_text(&call->path),
        .query = buf_text(&call->query),
        .headers = headers,
        .header_count = call->header_count + 1,
        .payload_hash = SIGV4_UNSIGNED_PAYLOAD,
        .region = region,
        .service = e->service,
        .time = time };
    sigv4_add_query(&query, &s, keys->key_id, keys->token, seconds);
    s.query = buf_text(&query);
    if (buf_failed(&host, "the host's name", err) || buf_failed(&query, "the query", err))
        goto out;
    if (endpoint_signing_key(e, keys, date, region, &key) < 0) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        goto out;
    }
    rc = sigv4_sign(&s, &key, err);
    wipe(&key, sizeof key);
    if (rc < 0)
        goto out;
    buf_add_all(url, (const char *[]){ e->scheme, "://", buf_text(&host), s.path, "?", s.query,
                         "&X-Amz-Signature=", s.signature, NULL });
    rc = buf_failed(url, "the URL", err) ? -1 : 0;
out:
    buf_free(&host);
    buf_free(&query);
    return rc;
}

char *haul_presign(const struct haul_request *r, unsigned seconds, struct haul_error *err)
{
    struct haul_request bare = *r;
    struct call call = { .method = NULL }; /* no type is guessed, no body summed */
    struct buf url = buf_make_secret(URL_BYTES_MAX);
    const struct keys *keys = NULL;
    char *presigned = NULL;

    bare.body = (struct haul_body){ .size = 0 };
    if (seconds < 1 || seconds > HAUL_PRESIGN_SECONDS_MAX) {
        haul_error_set(err, HAUL_BAD_ARGUMENT,
            "a presigned URL lasts from 1 second to 7 days (%d seconds)",
            HAUL_PRESIGN_SECONDS_MAX);
        goto out;
    }
    if (needs_document(r->operation)) {
        haul_error_set(err, HAUL_BAD_ARGUMENT, "%s can't be presigned: its body is a document",
            operation_name(r->operation));
        goto out;
    }
    if (call_build(&bare, &call, err) < 0)
        goto out;
    if (r->endpoint->credentials != NULL &&
        credentials_await(r->endpoint->credentials, NULL, &keys, err) < 0)
        goto out;
    if (keys == NULL) {
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "%s can't be presigned: the endpoint has no credentials",
            operation_name(r->operation));
        goto out;
    }
    if (add_url(&url, &bare, &call, keys, seconds, err) < 0)
        goto out;
    presigned = url.data; /* now the caller's */
    url = buf_make(0);
out:
    keys_release(keys);
    buf_free(&url);
    call_free(&call);
    return presigned;
}
