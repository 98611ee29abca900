/* Questions to the services that give keys: see inquiry.h. Retries and signatures are the
 * client's matter, the judgement of refusals reply.c's. */
#include "inquiry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client.h"
#include "credentials.h"
#include "endpoint.h"
#include "hash.h"
#include "retry.h"

#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_TRIES 4
#define BUFFER_BYTES 16384

struct inquirer {
    struct haul_client *client; /* owned */
    int stop_fd;                /* owned: an eventfd */
};

struct inquirer *inquirer_new(struct haul_error *err)
{
    struct inquirer *i = calloc(1, sizeof *i);
    if (i == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    i->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (i->stop_fd < 0)
        haul_error_set(err, HAUL_NO_MEMORY, "an event descriptor: %s", strerror(errno));
    else
        i->client = haul_client_new(
            &(struct haul_client_options){ .connections = 1, .buffer_bytes = BUFFER_BYTES },
            err);
    if (i->client != NULL)
        return i;
    inquirer_free(i);
    return NULL;
}

void inquirer_free(struct inquirer *i)
{
    if (i == NULL)
        return;
    haul_client_free(i->client);
    if (i->stop_fd >= 0)
        close(i->stop_fd);
    free(i);
}

void inquirer_stop(struct inquirer *i)
{
    eventfd_write(i->stop_fd, 1);
    haul_client_stop(i->client);
}

int inquirer_stop_fd(const struct inquirer *i)
{
    return i ? i->stop_fd : -1;
}

/* ---- Answers ---- */

int answer_make(struct answer *a, struct haul_error *err)
{
    *a = (struct answer){ .text = calloc(1, INQUIRY_BYTES_MAX + 1), .server_ms = -1 };
    return a->text ? 0 : haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
}

/* -1: more than the maximum. */
static int add(struct answer *a, const void *data, size_t len)
{
    if (len > INQUIRY_BYTES_MAX - a->len)
        return -1;
    memcpy(a->text + a->len, data, len);
    a->len += len;
    a->text[a->len] = '\0';
    return 0;
}

void answer_free(struct answer *a)
{
    if (a->text != NULL)
        wipe(a->text, INQUIRY_BYTES_MAX + 1);
    free(a->text);
    a->text = NULL;
}

void inquiry_hide(const struct inquiry *q, char *text)
{
    for (size_t i = 0; i < sizeof q->secrets / sizeof *q->secrets; i++)
        keys_hide(text, q->secrets[i]);
}

int answer_refusal(const struct answer *a, const struct inquiry *q, enum haul_code code,
    struct haul_error *err)
{
    haul_error_set(err, code, "%s at %s %s", q->whom, q->url, a->reason);
    err->http_status = a->status;
    snprintf(err->aws_code, sizeof err->aws_code, "%s", a->code);
    err->retry = retry_class(a->status, a->code);
    if (err->retry == HAUL_RETRY_NEVER) /* they refuse us, not one of our requests */
        err->retry = HAUL_RETRY_WHEN_FIXED;
    return -1;
}

/* ---- One exchange ---- */

static int on_bytes(void *payload, uint64_t offset, const void *data, size_t len)
{
    struct answer *a = payload;
    a->len = (size_t) offset; /* 0 once more: an earlier attempt is void */
    if (add(a, data, len) == 0)
        return 0;
    errno = EFBIG;
    return -1;
}

static void on_done(void *payload, const struct haul_result *result)
{
    struct answer *a = payload;
    const struct haul_error *e = &result->error;
    a->status = result->http_status;
    a->server_ms = result->server_ms;
    a->len = e->code == HAUL_OK ? result->body_len : 0;
    a->text[a->len] = '\0';
    if (e->code != HAUL_SERVER)
        return;
    snprintf(a->code, sizeof a->code, "%s", e->aws_code);
    snprintf(a->reason, sizeof a->reason, "answered %d%s%s%s%s", e->http_status,
        *e->aws_code ? " " : "", e->aws_code, *e->message ? ": " : "", e->message);
}

/* What the client said, in the words of whoever asked. */
static int explain(
    const struct inquiry *q, const struct haul_error *why, struct haul_error *err)
{
    switch (why->code) {
    case HAUL_NO_MEMORY:
    case HAUL_CANCELLED:
        *err = *why;
        return -1;
    case HAUL_LOCAL:
        return haul_error_set(err, HAUL_TOO_LARGE, "%s at %s: its answer is over %d KiB",
            q->whom, q->url, INQUIRY_BYTES_MAX / 1024);
    case HAUL_NETWORK:
    case HAUL_TLS: /* the text begins with the URL, unless it is about a proxy */
        return haul_error_set(err, why->code, "%s%s%s", q->whom,
            strncmp(why->text, q->url, strlen(q->url)) == 0 ? " at " : ": ", why->text);
    default:
        return haul_error_set(err, why->code == HAUL_BAD_ARGUMENT ? HAUL_BAD_CONFIG : why->code,
            "%s: %s", q->whom, why->text);
    }
}

/* The client signs with what an endpoint's credentials have. */
static struct haul_credentials *lend(const struct inquiry *q, struct haul_error *err)
{
    const struct keys *k = q->keys;
    return credentials_fixed(
        "static", keys_new(q->whom, k->key_id, k->secret, k->token, err), NULL, NULL, err);
}

int inquire(
    struct inquirer *i, const struct inquiry *q, struct answer *out, struct haul_error *err)
{
    struct haul_credentials *credentials = NULL;
    struct haul_endpoint *endpoint = NULL;
    struct inquirer *own = NULL;
    struct haul_error why;
    struct answer a;
    int rc = -1;

    if (answer_make(&a, err) < 0)
        return -1;
    if (i == NULL && (i = own = inquirer_new(err)) == NULL)
        goto out;
    if (q->keys != NULL && (credentials = lend(q, err)) == NULL)
        goto out;
    endpoint = haul_endpoint_new(&(struct haul_endpoint_options){ .url = q->url,
                                     .region = q->region,
                                     .payload = HAUL_PAYLOAD_SIGNED,
                                     .credentials = credentials,
                                     .ca_file = q->ca_file,
                                     .proxy = q->direct ? "" : NULL },
        &why);
    if (endpoint == NULL) {
        explain(q, &why, err);
        goto out;
    }
    if (q->service != NULL)
        endpoint_set_service(endpoint, q->service);
    const struct haul_request r = { .operation = HAUL_ANY,
        .endpoint = endpoint,
        .key = q->path && *q->path ? q->path : NULL,
        .method = q->method ? q->method : "GET",
        .query = q->query,
        .headers = q->headers,
        .body = q->body ? haul_body_string(q->body) : (struct haul_body){ .size = 0 },
        .sink = { on_bytes, &a },
        .tries = q->tries ? q->tries : DEFAULT_TRIES };
    client_set_timeout(i->client, q->timeout_ms ? q->timeout_ms : DEFAULT_TIMEOUT_MS);
    if (haul_client_perform(i->client, &r, on_done, &a, &why) < 0 && why.code != HAUL_SERVER) {
        explain(q, &why, err);
        goto out;
    }
    inquiry_hide(q, a.reason);
    *out = a;
    a.text = NULL; /* the caller's */
    rc = 0;
out:
    haul_endpoint_free(endpoint);
    haul_credentials_free(credentials);
    inquirer_free(own);
    answer_free(&a);
    return rc;
}
