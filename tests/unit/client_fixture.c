/* The scripted endpoint with a bucket, a client for it, and what their tests ask for again and
 * again. */
#include "client_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void on_end(void *payload, const struct haul_result *result)
{
    struct end *e = payload;
    e->calls++;
    e->error = result->error;
    e->result = *result;
    snprintf(e->etag, sizeof e->etag, "%s", result->etag ? result->etag : "");
    snprintf(e->token, sizeof e->token, "%s", result->token ? result->token : "");
    snprintf(
        e->upload_id, sizeof e->upload_id, "%s", result->upload_id ? result->upload_id : "");
    snprintf(e->continuation, sizeof e->continuation, "%s",
        result->listing.continuation ? result->listing.continuation : "");
    e->rows[0] = '\0';
    for (size_t i = 0; i < result->listing.count; i++) {
        const struct haul_entry *row = &result->listing.entries[i];
        size_t len = strlen(e->rows);
        snprintf(e->rows + len, sizeof e->rows - len, "%s%u:%llu\n", row->key ? row->key : "",
            row->part_number, (unsigned long long) row->size);
    }
}

/* ---- Bodies ---- */

ssize_t read_source(void *payload, uint64_t offset, void *data, size_t len)
{
    struct source *s = payload;
    s->beginnings += offset == 0;
    if (s->fails_at > 0 && offset >= s->fails_at) {
        errno = s->fails_with;
        return s->fails_with ? -1 : 0;
    }
    if (len > 100000)
        len = 100000; /* a short read is no end */
    if (s->fails_at > offset && len > s->fails_at - offset)
        len = (size_t) (s->fails_at - offset);
    memcpy(data, s->data + offset, len);
    return (ssize_t) len;
}

int write_sink(void *payload, uint64_t offset, const void *data, size_t len)
{
    struct sink *s = payload;
    if (s->fails_with) {
        errno = s->fails_with;
        return -1;
    }
    if (offset == 0) {
        s->beginnings++;
        s->len = 0;
    }
    assert_int_equal(offset, s->len);
    if (s->room < s->len + len) {
        s->room = 2 * (s->len + len);
        s->data = realloc(s->data, s->room);
        assert_non_null(s->data);
    }
    memcpy(s->data + offset, data, len);
    s->len += len;
    return 0;
}

char *some_bytes(size_t len)
{
    char *data = malloc(len);
    uint32_t x = 2463534242u;
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        data[i] = (char) x;
    }
    return data;
}

/* ---- Requests ---- */

struct haul_request request(
    const struct fixture *f, enum haul_operation operation, const char *key)
{
    return (struct haul_request){
        .operation = operation, .endpoint = f->endpoint, .bucket = BUCKET, .key = key
    };
}

struct haul_request put_of(
    const struct fixture *f, const char *key, struct source *s, uint64_t size)
{
    struct haul_request r = request(f, HAUL_PUT_OBJECT, key);
    r.body = (struct haul_body){ read_source, s, size };
    return r;
}

struct haul_request get_of(const struct fixture *f, const char *key, struct sink *s)
{
    struct haul_request r = request(f, HAUL_GET_OBJECT, key);
    r.sink = (struct haul_sink){ write_sink, s };
    return r;
}

struct end perform(const struct fixture *f, const struct haul_request *r)
{
    struct end e = { .calls = 0 };
    struct haul_error err = { .code = HAUL_OK };
    int rc = haul_client_perform(f->client, r, on_end, &e, &err);
    if (e.calls != 1)
        fail_msg("%u callbacks: %s", e.calls, err.text);
    assert_int_equal(rc, e.error.code == HAUL_OK ? 0 : -1);
    assert_int_equal(rc ? err.code : HAUL_OK, e.error.code);
    return e;
}

struct end succeed(const struct fixture *f, const struct haul_request *r)
{
    struct end e = perform(f, r);
    if (e.error.code != HAUL_OK)
        fail_msg("%s", e.error.text);
    return e;
}

void submit(const struct fixture *f, const struct haul_request *r, struct end *e)
{
    struct haul_error err;
    if (haul_client_submit(f->client, r, on_end, e, &err) < 0)
        fail_msg("%s", err.text);
}

void run_all(const struct fixture *f)
{
    struct haul_error err;
    int left;
    while ((left = haul_client_run(f->client, 1000, &err)) > 0)
        continue;
    assert_int_equal(left, 0);
}

void run_until_in_flight(const struct fixture *f, unsigned count)
{
    struct haul_error err;
    while (s3_count(f->s3, "in_flight") < count)
        assert_true(haul_client_run(f->client, 10, &err) >= 0);
}

char *stored(const struct fixture *f, const char *key, size_t size)
{
    char *data = some_bytes(size);
    struct source s = { .data = data };
    struct haul_request r = put_of(f, key, &s, size);
    succeed(f, &r);
    return data;
}

void assert_stored(const struct fixture *f, const char *key, const char *data, size_t len)
{
    struct sink s = { .data = NULL };
    struct haul_request r = get_of(f, key, &s);
    succeed(f, &r);
    assert_int_equal(s.len, len);
    assert_memory_equal(s.data ? s.data : "", data, len);
    free(s.data);
}

/* ---- Fixtures ---- */

void renew_client(struct fixture *f, struct haul_client_options options)
{
    struct haul_error err;
    haul_client_free(f->client);
    f->client = haul_client_new(&options, &err);
    if (f->client == NULL)
        fail_msg("%s", err.text);
}

void retry_at_most(struct fixture *f, unsigned retries, unsigned stall_ms)
{
    renew_client(
        f, (struct haul_client_options){ .retries = retries, .stall_timeout_ms = stall_ms });
}

struct haul_endpoint *new_endpoint(
    const struct fixture *f, struct haul_endpoint_options options)
{
    struct haul_error err;
    if (options.url == NULL)
        options.url = f->s3->url;
    if (options.credentials == NULL)
        options.credentials = f->keys;
    struct haul_endpoint *e = haul_endpoint_new(&options, &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    return e;
}

struct fixture *make_with(const char *const *options, enum haul_payload payload)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct haul_error err;
    f->s3 = s3_start(options);
    f->keys = haul_credentials_static(S3_ACCESS_KEY, S3_SECRET_KEY, NULL, &err);
    f->endpoint = new_endpoint(f, (struct haul_endpoint_options){ .payload = payload });
    retry_at_most(f, 3, 0);
    return f;
}

static int make_bucket(void **state, enum haul_payload payload)
{
    struct fixture *f = make_with(NULL, payload);
    struct haul_request r = request(f, HAUL_CREATE_BUCKET, NULL);
    succeed(f, &r);
    *state = f;
    return 0;
}

int make(void **state)
{
    return make_bucket(state, HAUL_PAYLOAD_AUTO);
}

int make_unsigned(void **state)
{
    return make_bucket(state, HAUL_PAYLOAD_UNSIGNED);
}

int clear(void **state)
{
    struct fixture *f = *state;
    haul_client_free(f->client);
    haul_endpoint_free(f->endpoint);
    haul_credentials_free(f->keys);
    s3_free(f->s3);
    free(f);
    return 0;
}

void begin_upload(struct fixture *f, const char *key, char id[static 64])
{
    struct haul_request create = request(f, HAUL_CREATE_UPLOAD, key);
    create.token = "tok";
    strcpy(id, succeed(f, &create).upload_id);
    assert_true(*id != '\0');
}

struct haul_endpoint *offline_endpoint(void)
{
    struct haul_error err;
    struct haul_endpoint *e = haul_endpoint_new(
        &(struct haul_endpoint_options){ .url = "https://store:7480/base", .region = "here" },
        &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    return e;
}

int make_endpoint(void **state)
{
    *state = offline_endpoint();
    return 0;
}

int free_endpoint(void **state)
{
    haul_endpoint_free(*state);
    return 0;
}
