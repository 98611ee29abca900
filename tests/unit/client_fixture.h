/* The scripted endpoint with a bucket, a client for it, and what their tests ask for again and
 * again, by short names. Whatever goes wrong here fails the test. */
#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include <haul/haul.h>

#include "s3.h"

#define BUCKET "bkt"
#define MIB (1024 * 1024)

struct fixture {
    struct s3 *s3;
    struct haul_credentials *keys;
    struct haul_endpoint *endpoint;
    struct haul_client *client; /* 3 retries */
};

/* Setups and teardown. */
int make(void **state);
int make_unsigned(void **state);
int clear(void **state);

/* With further options of the endpoint's program, and no bucket. */
struct fixture *make_with(const char *const *options, enum haul_payload payload);

/* Another endpoint, for the caller to free; its URL and keys are the fixture's unless given. */
struct haul_endpoint *new_endpoint(
    const struct fixture *f, struct haul_endpoint_options options);

/* Another client instead of the fixture's. */
void renew_client(struct fixture *f, struct haul_client_options options);
void retry_at_most(struct fixture *f, unsigned retries, unsigned stall_ms);

/* ---- Bodies ---- */

struct source {
    const char *data;
    uint64_t fails_at; /* 0: never */
    int fails_with;    /* 0: the end */
    unsigned beginnings;
};
ssize_t read_source(void *payload, uint64_t offset, void *data, size_t len);

struct sink {
    char *data; /* owned */
    uint64_t len, room;
    unsigned beginnings;
    int fails_with; /* 0: takes all */
};
int write_sink(void *payload, uint64_t offset, const void *data, size_t len);

char *some_bytes(size_t len); /* the caller frees them */

/* ---- Requests ---- */

struct haul_request request(
    const struct fixture *f, enum haul_operation operation, const char *key);
struct haul_request put_of(
    const struct fixture *f, const char *key, struct source *s, uint64_t size);
struct haul_request get_of(const struct fixture *f, const char *key, struct sink *s);

/* What a request's end was, copied, and how often its callback came. */
struct end {
    struct haul_error error;
    char etag[64], token[64], upload_id[64], rows[2048], continuation[512];
    struct haul_result result; /* without its strings */
    unsigned calls;
};
void on_end(void *payload, const struct haul_result *result); /* payload: a struct end */

struct end perform(const struct fixture *f, const struct haul_request *r); /* whatever it was */
struct end succeed(const struct fixture *f, const struct haul_request *r);
void submit(const struct fixture *f, const struct haul_request *r, struct end *e);
void run_all(const struct fixture *f); /* until nothing is under way */
void run_until_in_flight(const struct fixture *f, unsigned count); /* as the server sees it */

/* Puts an object; a copy of its bytes for the caller to free. */
char *stored(const struct fixture *f, const char *key, size_t size);
void assert_stored(const struct fixture *f, const char *key, const char *data, size_t len);
void begin_upload(struct fixture *f, const char *key, char id[static 64]);

/* An endpoint that nobody listens at: https://store:7480/base, region "here". And as a test's
 * whole state, for its setup and teardown. */
struct haul_endpoint *offline_endpoint(void);
int make_endpoint(void **state);
int free_endpoint(void **state);

#endif
