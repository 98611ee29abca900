/* Signature Version 4, stage by stage: see sigv4.h. Which headers are signed, and how a body is
 * hashed or cut into chunks, the caller decides. */
#include "sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "uri.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* A key of 1,024 bytes, a prefix or marker as long, all escaped, and a large session token. */
#define CANONICAL_BYTES_MAX (64 * 1024)
#define TO_SIGN_BYTES_MAX 512

void sigv4_time(int64_t ms, char time[static SIGV4_TIME_SIZE])
{
    struct tm utc;
    time_t seconds = (time_t) (ms / 1000);
    strftime(time, SIGV4_TIME_SIZE, "%Y%m%dT%H%M%SZ", gmtime_r(&seconds, &utc));
}

int sigv4_derive_key(const char *secret, const char *date, const char *region,
    const char *service, struct sigv4_key *key)
{
    size_t len = strlen("AWS4") + strlen(secret);
    char *start = malloc(len + 1);
    if (start == NULL)
        return -1;
    stpcpy(stpcpy(start, "AWS4"), secret);

    unsigned char *k = key->bytes;
    int rc = hmac_sha256(start, len, date, strlen(date), k);
    const char *rest[] = { region, service, "aws4_request" };
    for (size_t i = 0; rc == 0 && i < sizeof rest / sizeof rest[0]; i++)
        rc = hmac_sha256(k, SHA256_BYTES, rest[i], strlen(rest[i]), k);
    wipe(start, len);
    free(start);
    return rc;
}

static int compare_headers(const void *a, const void *b)
{
    const struct sigv4_header *h = a, *i = b;
    return strcmp(h->name, i->name);
}

/* No white space at the ends, one space where there was any within. */
static void add_trimmed(struct buf *b, const char *value)
{
    const char *blank = " \t";
    const char *between = "";
    for (value += strspn(value, blank); *value != '\0'; value += strspn(value, blank)) {
        size_t word = strcspn(value, blank);
        buf_adds(b, between);
        buf_add(b, value, word);
        value += word;
        between = " ";
    }
}

static void sort_headers(struct sigv4_request *r)
{
    if (r->header_count > 1)
        qsort(r->headers, r->header_count, sizeof r->headers[0], compare_headers);
}

/* "host;range;x-amz-date" */
static void add_names(struct buf *b, const struct sigv4_request *r)
{
    for (size_t i = 0; i < r->header_count; i++) {
        buf_adds(b, i == 0 ? "" : ";");
        buf_adds(b, r->headers[i].name);
    }
}

void sigv4_add_canonical_request(struct buf *b, struct sigv4_request *r)
{
    sort_headers(r);
    buf_add_all(b, (const char *[]){ r->method, "\n", r->path, "\n", r->query, "\n", NULL });
    for (size_t i = 0; i < r->header_count; i++) {
        buf_add_all(b, (const char *[]){ r->headers[i].name, ":", NULL });
        add_trimmed(b, r->headers[i].value);
        buf_adds(b, "\n");
    }
    buf_adds(b, "\n");
    add_names(b, r);
    buf_add_all(b, (const char *[]){ "\n", r->payload_hash, NULL });
}

/* "20130524/us-east-1/s3/aws4_request" */
static void add_scope(struct buf *b, const struct sigv4_request *r)
{
    buf_add(b, r->time, strnlen(r->time, 8));
    buf_add_all(b, (const char *[]){ "/", r->region, "/", r->service, "/aws4_request", NULL });
}

/* "AWS4-HMAC-SHA256", the time and the scope, a line each. */
static void add_algorithm(struct buf *b, const struct sigv4_request *r, const char *algorithm)
{
    buf_add_all(b, (const char *[]){ algorithm, "\n", r->time, "\n", NULL });
    add_scope(b, r);
    buf_adds(b, "\n");
}

static void add_hash(struct buf *b, const void *data, size_t len)
{
    char hex[SHA256_HEX_SIZE] = "";
    if (sha256_hex(data, len, hex) < 0)
        b->failed = HAUL_NO_MEMORY;
    buf_adds(b, hex);
}

void sigv4_add_string_to_sign(
    struct buf *b, const struct sigv4_request *r, const char *canonical_request)
{
    add_algorithm(b, r, ALGORITHM);
    add_hash(b, canonical_request, strlen(canonical_request));
}

void sigv4_add_chunk_string_to_sign(struct buf *b, const struct sigv4_request *r,
    const char *previous, const void *data, size_t len)
{
    add_algorithm(b, r, ALGORITHM "-PAYLOAD");
    buf_add_all(b, (const char *[]){ previous, "\n" EMPTY_HASH "\n", NULL });
    add_hash(b, data, len);
}

int sigv4_sign_text(const struct buf *to_sign, const struct sigv4_key *key,
    char signature[static SHA256_HEX_SIZE])
{
    unsigned char sum[SHA256_BYTES];
    if (to_sign->failed ||
        hmac_sha256(key->bytes, sizeof key->bytes, to_sign->data, to_sign->len, sum) < 0)
        return -1;
    hex_encode(sum, sizeof sum, signature);
    return 0;
}

int sigv4_sign(struct sigv4_request *r, const struct sigv4_key *key, struct haul_error *err)
{
    int rc = -1;
    struct buf canonical = buf_make_secret(CANONICAL_BYTES_MAX);
    struct buf to_sign = buf_make(TO_SIGN_BYTES_MAX);

    sigv4_add_canonical_request(&canonical, r);
    if (buf_failed(&canonical, "the request's head", err))
        goto out;
    sigv4_add_string_to_sign(&to_sign, r, buf_text(&canonical));
    if (buf_failed(&to_sign, "the string to sign", err))
        goto out;
    rc = sigv4_sign_text(&to_sign, key, r->signature);
    if (rc < 0)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for the signature");
out:
    buf_free(&to_sign);
    buf_free(&canonical);
    return rc;
}

int sigv4_authorization(struct buf *b, struct sigv4_request *r, const char *key_id,
    const struct sigv4_key *key, struct haul_error *err)
{
    if (sigv4_sign(r, key, err) < 0)
        return -1;
    buf_add_all(b, (const char *[]){ ALGORITHM " Credential=", key_id, "/", NULL });
    add_scope(b, r);
    buf_adds(b, ", SignedHeaders=");
    add_names(b, r);
    buf_add_all(b, (const char *[]){ ", Signature=", r->signature, NULL });
    return buf_failed(b, "the Authorization header", err) ? -1 : 0;
}

void sigv4_add_query(struct buf *b, struct sigv4_request *r, const char *key_id,
    const char *token, unsigned seconds)
{
    struct buf credential = buf_make(b->limit), names = buf_make(b->limit);
    struct buf own = buf_make_secret(b->limit);
    char expires[12];

    buf_add_all(&credential, (const char *[]){ key_id, "/", NULL });
    add_scope(&credential, r);
    sort_headers(r);
    add_names(&names, r);
    snprintf(expires, sizeof expires, "%u", seconds);
    struct uri_param params[] = {
        { "X-Amz-Algorithm", ALGORITHM },
        { "X-Amz-Credential", buf_text(&credential) },
        { "X-Amz-Date", r->time },
        { "X-Amz-Expires", expires },
        { "X-Amz-SignedHeaders", buf_text(&names) },
        { "X-Amz-Security-Token", token },
    };
    uri_add_query(&own, params, sizeof params / sizeof *params - (token == NULL));
    uri_merge_queries(b, r->query, buf_text(&own));
    struct buf *used[] = { &credential, &names, &own };
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
        if (used[i]->failed)
            b->failed = used[i]->failed;
        buf_free(used[i]);
    }
}
