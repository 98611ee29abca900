/* libhaul from outside: its public calls alone, against the scripted endpoint, which goes wrong
 * as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <haul/haul.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "s3.h"
#include "temp.h"

#define BUCKET "bkt"
#define MIB (1024 * 1024)

struct fixture {
    struct s3 *s3;
    struct haul_credentials *keys;
    struct haul_endpoint *endpoint;
    struct haul_client *client;
};

/* What a request's end was, copied, and how often its callback came. */
struct end {
    struct haul_error error;
    char etag[64], token[64], upload_id[64], rows[2048], continuation[512];
    struct haul_result result; /* without its strings */
    unsigned calls;
};

static void on_end(void *payload, const struct haul_result *result)
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

struct source {
    const char *data;
    uint64_t fails_at; /* 0: never */
    int fails_with;    /* 0: the end */
    unsigned beginnings;
};

static ssize_t read_source(void *payload, uint64_t offset, void *data, size_t len)
{
    struct source *s = payload;
    s->beginnings += offset == 0;
    if (s->fails_at > 0 && offset >= s->fails_at) {
        errno = s->fails_with;
        return s->fails_with ? -1 : 0;
    }
    if (len > 100000)
        len = 100000; /* a short read is no end */
    memcpy(data, s->data + offset, len);
    return (ssize_t) len;
}

struct sink {
    char *data; /* owned */
    uint64_t len;
    unsigned beginnings;
    int fails_with; /* 0: takes all */
};

static int write_sink(void *payload, uint64_t offset, const void *data, size_t len)
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
    s->data = realloc(s->data, s->len + len);
    assert_non_null(s->data);
    memcpy(s->data + offset, data, len);
    s->len += len;
    return 0;
}

static char *some_bytes(size_t len)
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

static struct haul_request request(
    const struct fixture *f, enum haul_operation operation, const char *key)
{
    return (struct haul_request){
        .operation = operation, .endpoint = f->endpoint, .bucket = BUCKET, .key = key
    };
}

static struct haul_request put_of(
    const struct fixture *f, const char *key, struct source *s, uint64_t size)
{
    struct haul_request r = request(f, HAUL_PUT_OBJECT, key);
    r.body = (struct haul_body){ read_source, s, size };
    return r;
}

static struct haul_request get_of(const struct fixture *f, const char *key, struct sink *s)
{
    struct haul_request r = request(f, HAUL_GET_OBJECT, key);
    r.sink = (struct haul_sink){ write_sink, s };
    return r;
}

/* Its end, whatever it was. */
static struct end perform(const struct fixture *f, const struct haul_request *r)
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

static struct end succeed(const struct fixture *f, const struct haul_request *r)
{
    struct end e = perform(f, r);
    if (e.error.code != HAUL_OK)
        fail_msg("%s", e.error.text);
    return e;
}

static void submit(const struct fixture *f, const struct haul_request *r, struct end *e)
{
    struct haul_error err;
    if (haul_client_submit(f->client, r, on_end, e, &err) < 0)
        fail_msg("%s", err.text);
}

/* Until nothing is under way. */
static void run_all(const struct fixture *f)
{
    struct haul_error err;
    int left;
    while ((left = haul_client_run(f->client, 1000, &err)) > 0)
        continue;
    assert_int_equal(left, 0);
}

/* The object exists afterwards; a copy of its bytes for the caller to free. */
static char *stored(const struct fixture *f, const char *key, size_t size)
{
    char *data = some_bytes(size);
    struct source s = { .data = data };
    struct haul_request r = put_of(f, key, &s, size);
    succeed(f, &r);
    return data;
}

static void assert_stored(
    const struct fixture *f, const char *key, const char *data, size_t len)
{
    struct sink s = { .data = NULL };
    struct haul_request r = get_of(f, key, &s);
    succeed(f, &r);
    assert_int_equal(s.len, len);
    assert_memory_equal(s.data ? s.data : "", data, len);
    free(s.data);
}

/* ---- Fixtures ---- */

static struct haul_client *new_client(unsigned retries, unsigned stall_ms)
{
    struct haul_error err;
    struct haul_client *c = haul_client_new(
        &(struct haul_client_options){ .retries = retries, .stall_timeout_ms = stall_ms },
        &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    return c;
}

static struct haul_endpoint *new_endpoint(
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

static struct fixture *make_with(const char *const *options, enum haul_payload payload)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct haul_error err;
    f->s3 = s3_start(options);
    f->keys = haul_credentials_static(S3_ACCESS_KEY, S3_SECRET_KEY, NULL, &err);
    f->endpoint = new_endpoint(f, (struct haul_endpoint_options){ .payload = payload });
    f->client = new_client(3, 0);
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

static int make(void **state)
{
    return make_bucket(state, HAUL_PAYLOAD_AUTO);
}

static int make_unsigned(void **state)
{
    return make_bucket(state, HAUL_PAYLOAD_UNSIGNED);
}

static int clear(void **state)
{
    struct fixture *f = *state;
    haul_client_free(f->client);
    haul_endpoint_free(f->endpoint);
    haul_credentials_free(f->keys);
    s3_free(f->s3);
    free(f);
    return 0;
}

static void retry_at_most(struct fixture *f, unsigned retries, unsigned stall_ms)
{
    haul_client_free(f->client);
    f->client = new_client(retries, stall_ms);
}

/* ---- Operations ---- */

static void an_object_comes_back_as_it_was_put(void **state)
{
    struct fixture *f = *state;
    const size_t size = 3 * MIB + 17;
    char *data = some_bytes(size);
    struct source from = { .data = data };
    struct sink to = { .data = NULL };
    struct haul_request put = put_of(f, "a/b", &from, size), get = get_of(f, "a/b", &to),
                        head = request(f, HAUL_HEAD_OBJECT, "a/b");
    put.token = "who-wrote-it";
    put.content_type = "text/x";

    struct end e = succeed(f, &put);
    char etag[64];
    strcpy(etag, e.etag);
    assert_int_equal(etag[0], '"');
    assert_int_equal(e.result.attempts, 1);
    assert_int_equal(e.result.bytes_sent, size);
    assert_false(e.result.maybe_repeated);
    assert_int_equal(from.beginnings, 2); /* once for the hash */

    e = succeed(f, &head);
    assert_int_equal(e.result.size, size);
    assert_string_equal(e.etag, etag);
    assert_string_equal(e.token, "who-wrote-it");
    assert_true(e.result.modified_ms > 0);
    assert_true(e.result.server_ms >= e.result.modified_ms);

    e = succeed(f, &get);
    assert_int_equal(e.result.size, size);
    assert_int_equal(e.result.bytes_received, size);
    assert_string_equal(e.etag, etag);
    assert_string_equal(e.token, "who-wrote-it");
    assert_int_equal(to.len, size);
    assert_memory_equal(to.data, data, size);
    assert_int_equal(to.beginnings, 1);
    free(to.data);
    free(data);
}

static void an_unsigned_body_is_read_once(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, MIB);
    succeed(f, &put);
    assert_int_equal(from.beginnings, 1);
    assert_stored(f, "k", data, MIB);
    free(data);
}

static void an_empty_object_comes_back_empty(void **state)
{
    struct fixture *f = *state;
    struct haul_request put = request(f, HAUL_PUT_OBJECT, "empty");
    struct end e = succeed(f, &put);
    assert_string_equal(e.etag, "\"d41d8cd98f00b204e9800998ecf8427e\"");
    assert_stored(f, "empty", "", 0);
}

static void a_range_brings_its_bytes_and_the_whole_size(void **state)
{
    struct fixture *f = *state;
    char *data = stored(f, "k", MIB);
    static const struct haul_range ranges[] = { { 0, 1 }, { MIB - 1, 1 }, { 0, MIB },
        { 12345, 700000 } };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct sink to = { .data = NULL };
        struct haul_request get = get_of(f, "k", &to);
        get.range = ranges[i];
        struct end e = succeed(f, &get);
        assert_int_equal(e.result.size, MIB);
        assert_int_equal(to.len, ranges[i].len);
        assert_memory_equal(to.data, data + ranges[i].start, to.len);
        free(to.data);
    }
    free(data);
}

static void keys_are_sent_exactly_as_they_are(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = { "a//b/../c", "..", ".", "/lead", "tail/", "a b+c%2Fd",
        "?x=1&y#z", "~*()'!\"<>;:@,$", "\303\274/\342\202\254/\360\237\230\200", "\001\t\n" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct source from = { .data = keys[i] };
        struct haul_request put = put_of(f, keys[i], &from, strlen(keys[i]));
        succeed(f, &put);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char row[128];
        struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
        list.prefix = keys[i];
        struct end e = succeed(f, &list);
        snprintf(row, sizeof row, "%s0:%zu\n", keys[i], strlen(keys[i]));
        if (strstr(e.rows, row) == NULL)
            fail_msg("%s is not in %s", keys[i], e.rows);
        assert_stored(f, keys[i], keys[i], strlen(keys[i]));
    }
}

static void a_listing_goes_on_page_by_page(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = { "a", "p/1", "p/2", "p/3", "p/4", "q" };
    char all[2048] = "", continuation[512] = "";
    unsigned pages = 0;
    for (size_t i = 0; i < 6; i++)
        free(stored(f, keys[i], i));
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    list.prefix = "p/";
    list.start_after = "p/1";
    list.max_entries = 2;
    do {
        struct end e = succeed(f, &list);
        strcat(all, e.rows);
        assert_int_equal(e.result.listing.truncated, *e.continuation != '\0');
        strcpy(continuation, e.continuation);
        list.continuation = continuation;
        list.start_after = NULL;
        pages++;
    } while (*continuation != '\0');
    assert_string_equal(all, "p/20:2\np/30:3\np/40:4\n");
    assert_int_equal(pages, 2);
}

static void a_deleted_object_is_gone(void **state)
{
    struct fixture *f = *state;
    free(stored(f, "k", 1));
    struct haul_request del = request(f, HAUL_DELETE_OBJECT, "k"),
                        head = request(f, HAUL_HEAD_OBJECT, "k"),
                        bucket = request(f, HAUL_HEAD_BUCKET, NULL);
    succeed(f, &del);
    succeed(f, &del);
    assert_int_equal(perform(f, &head).error.http_status, 404);
    succeed(f, &bucket);
}

static void begin_upload(struct fixture *f, const char *key, char id[static 64])
{
    struct haul_request create = request(f, HAUL_CREATE_UPLOAD, key);
    create.token = "tok";
    strcpy(id, succeed(f, &create).upload_id);
    assert_true(*id != '\0');
}

static void an_upload_in_parts_becomes_one_object(void **state)
{
    struct fixture *f = *state;
    char id[64], etags[3][64];
    char *data = some_bytes(3 * MIB);
    struct haul_part parts[3];
    begin_upload(f, "big", id);
    for (unsigned n = 3; n > 0; n--) {
        struct source from = { .data = data + (n - 1) * MIB };
        struct haul_request part = put_of(f, "big", &from, MIB);
        part.operation = HAUL_UPLOAD_PART;
        part.upload_id = id;
        part.part_number = n;
        strcpy(etags[n - 1], succeed(f, &part).etag);
        parts[n - 1] = (struct haul_part){ .number = n, .etag = etags[n - 1] };
    }
    struct haul_request list = request(f, HAUL_LIST_PARTS, "big");
    list.upload_id = id;
    list.max_entries = 2;
    struct end e = succeed(f, &list);
    assert_string_equal(e.rows, "1:1048576\n2:1048576\n");
    assert_true(e.result.listing.truncated);
    list.part_number = e.result.listing.next_part;
    assert_string_equal(succeed(f, &list).rows, "3:1048576\n");

    struct haul_request uploads = request(f, HAUL_LIST_UPLOADS, NULL),
                        complete = request(f, HAUL_COMPLETE_UPLOAD, "big"),
                        head = request(f, HAUL_HEAD_OBJECT, "big");
    assert_string_equal(succeed(f, &uploads).rows, "big0:0\n");
    complete.upload_id = id;
    complete.parts = parts;
    complete.part_count = 3;
    char etag[64];
    strcpy(etag, succeed(f, &complete).etag);
    assert_non_null(strstr(etag, "-3\""));
    e = succeed(f, &head);
    assert_string_equal(e.etag, etag);
    assert_string_equal(e.token, "tok");
    assert_stored(f, "big", data, 3 * MIB);
    assert_string_equal(succeed(f, &uploads).rows, "");
    free(data);
}

static void an_aborted_upload_has_to_begin_again(void **state)
{
    struct fixture *f = *state;
    char id[64];
    begin_upload(f, "big", id);
    struct haul_request abort = request(f, HAUL_ABORT_UPLOAD, "big"),
                        uploads = request(f, HAUL_LIST_UPLOADS, NULL);
    abort.upload_id = id;
    succeed(f, &abort);
    assert_string_equal(succeed(f, &uploads).rows, "");
    struct source from = { .data = "x" };
    struct haul_request part = put_of(f, "big", &from, 1);
    part.operation = HAUL_UPLOAD_PART;
    part.upload_id = id;
    part.part_number = 1;
    struct end e = perform(f, &part);
    assert_string_equal(e.error.aws_code, "NoSuchUpload");
    assert_int_equal(e.error.retry, HAUL_RETRY_FROM_START);
    assert_int_equal(e.result.attempts, 1);
}

/* ---- Retries ---- */

static void a_failed_attempt_is_sent_again_from_its_beginning(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *fault;
        bool in_doubt;
    } cases[] = {
        { "PutObject nth=1 status=500", true },
        { "PutObject nth=1 status=500 early", true },
        { "PutObject nth=1 status-after=500", true },
        { "PutObject nth=1 status=502 html", true },
        { "PutObject nth=1 status=400 code=RequestTimeout", false },
        { "PutObject nth=1 status=408 code=None", false },
        { "PutObject nth=1 status=429 code=None retry-after=0", false },
        { "PutObject nth=1 no-etag", true },
        { "PutObject nth=1 status=503 retry-after=1", true },
    };
    char *data = some_bytes(2 * MIB);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source from = { .data = data };
        struct haul_request put = put_of(f, "k", &from, 2 * MIB);
        print_message("%s\n", cases[i].fault);
        s3_fault(f->s3, cases[i].fault);
        struct end e = succeed(f, &put);
        assert_int_equal(e.result.attempts, 2);
        assert_int_equal(e.result.maybe_repeated, cases[i].in_doubt);
        assert_true(e.result.bytes_sent >= 2 * MIB);
        assert_stored(f, "k", data, 2 * MIB);
        s3_clear(f->s3);
    }
    free(data);
}

static void a_dropped_first_connection_is_tried_again(void **state)
{
    struct fixture *f = *state;
    static const char *const faults[] = { "PutObject nth=1 drop-before",
        "PutObject nth=1 drop-after", "PutObject nth=1 reset-mid-body=300000" };
    for (size_t i = 0; i < 3; i++) {
        char *data = some_bytes(MIB);
        struct source from = { .data = data };
        struct haul_request put = put_of(f, "k", &from, MIB);
        retry_at_most(f, 1, 0); /* without a pooled connection, which libcurl would blame */
        s3_fault(f->s3, faults[i]);
        struct end e = succeed(f, &put);
        assert_int_equal(e.result.attempts, 2);
        assert_true(e.result.maybe_repeated);
        assert_in_range(e.result.bytes_sent, MIB + 300000, 2 * MIB);
        assert_stored(f, "k", data, MIB);
        free(data);
    }
}

static void the_last_failure_is_told_when_retries_run_out(void **state)
{
    struct fixture *f = *state;
    struct haul_request head = request(f, HAUL_LIST_OBJECTS, NULL);
    retry_at_most(f, 1, 0);
    s3_fault(f->s3, "ListObjectsV2 nth=1 status=500\n"
                    "ListObjectsV2 nth=2 status=503 code=SlowDown");
    struct end e = perform(f, &head);
    assert_int_equal(e.error.code, HAUL_SERVER);
    assert_int_equal(e.error.http_status, 503);
    assert_string_equal(e.error.aws_code, "SlowDown");
    assert_int_equal(strlen(e.error.request_id), 16);
    assert_int_equal(e.error.retry, HAUL_RETRY_SLOWER);
    assert_int_equal(e.result.attempts, 2);
    assert_true(e.result.outcome_unknown);
    assert_true(e.result.maybe_repeated);
}

static void without_retries_the_first_failure_is_the_end(void **state)
{
    struct fixture *f = *state;
    /* clang-format off */
    static const struct {
        const char *fault;
        enum haul_operation operation;
        enum haul_code code;
        int status;
        const char *aws_code;
        enum haul_retry retry;
        bool unknown;
    } cases[] = {
        { "PutObject always status=503", HAUL_PUT_OBJECT,
            HAUL_SERVER, 503, "SlowDown", HAUL_RETRY_SLOWER, true },
        { "PutObject always status=403 code=AccessDenied", HAUL_PUT_OBJECT,
            HAUL_SERVER, 403, "AccessDenied", HAUL_RETRY_NEVER, false },
        { "PutObject always status=403 code=InvalidAccessKeyId", HAUL_PUT_OBJECT,
            HAUL_SERVER, 403, "InvalidAccessKeyId", HAUL_RETRY_WHEN_FIXED, false },
        { "PutObject always status=404 code=NoSuchBucket", HAUL_PUT_OBJECT,
            HAUL_SERVER, 404, "NoSuchBucket", HAUL_RETRY_WHEN_FIXED, false },
        { "PutObject always status=504 html", HAUL_PUT_OBJECT,
            HAUL_SERVER, 504, "", HAUL_RETRY_LATER, true },
        { "PutObject always no-etag", HAUL_PUT_OBJECT,
            HAUL_BAD_REPLY, 200, "", HAUL_RETRY_LATER, true },
        { "PutObject always drop-after", HAUL_PUT_OBJECT,
            HAUL_NETWORK, 0, "", HAUL_RETRY_LATER, true },
        { "GetObject always status=404 code=NoSuchKey", HAUL_GET_OBJECT,
            HAUL_SERVER, 404, "NoSuchKey", HAUL_RETRY_NEVER, false },
        { "GetObject always status=412", HAUL_GET_OBJECT,
            HAUL_SERVER, 412, "PreconditionFailed", HAUL_RETRY_FROM_START, false },
        { "CreateMultipartUpload always no-upload-id", HAUL_CREATE_UPLOAD,
            HAUL_BAD_REPLY, 200, "", HAUL_RETRY_LATER, true },
        { "CreateMultipartUpload always empty-200-after", HAUL_CREATE_UPLOAD,
            HAUL_BAD_REPLY, 200, "", HAUL_RETRY_LATER, true },
        { "CompleteMultipartUpload always error-200=InternalError", HAUL_COMPLETE_UPLOAD,
            HAUL_SERVER, 200, "InternalError", HAUL_RETRY_LATER, true },
        { "CompleteMultipartUpload always empty-200", HAUL_COMPLETE_UPLOAD,
            HAUL_BAD_REPLY, 200, "", HAUL_RETRY_LATER, true },
        { "CompleteMultipartUpload always truncate=40", HAUL_COMPLETE_UPLOAD,
            HAUL_NETWORK, 0, "", HAUL_RETRY_LATER, true },
        { "ListObjectsV2 always empty-200", HAUL_LIST_OBJECTS,
            HAUL_BAD_REPLY, 200, "", HAUL_RETRY_LATER, true },
        { "HeadBucket always status=404", HAUL_HEAD_BUCKET,
            HAUL_SERVER, 404, "", HAUL_RETRY_NEVER, false },
    };
    /* clang-format on */
    free(stored(f, "k", 1000));
    char id[64], etag[64];
    begin_upload(f, "big", id);
    struct source from = { .data = "abc" };
    struct haul_request part = put_of(f, "big", &from, 3);
    part.operation = HAUL_UPLOAD_PART;
    part.upload_id = id;
    part.part_number = 1;
    strcpy(etag, succeed(f, &part).etag);
    struct haul_part whole = { .number = 1, .etag = etag };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_request r = request(f, cases[i].operation, "k");
        if (r.operation == HAUL_COMPLETE_UPLOAD) {
            r.key = "big";
            r.upload_id = id;
            r.parts = &whole;
            r.part_count = 1;
        }
        print_message("%s\n", cases[i].fault);
        retry_at_most(f, HAUL_NO_RETRIES, 0);
        s3_fault(f->s3, cases[i].fault);
        struct end e = perform(f, &r);
        print_message("    %s\n", e.error.text);
        assert_int_equal(e.error.code, cases[i].code);
        assert_int_equal(e.error.http_status, cases[i].status);
        assert_string_equal(e.error.aws_code, cases[i].aws_code);
        assert_int_equal(e.error.retry, cases[i].retry);
        assert_int_equal(e.result.outcome_unknown, cases[i].unknown);
        assert_int_equal(e.result.attempts, 1);
        assert_false(e.result.maybe_repeated);
        s3_clear(f->s3);
    }
}

static void nobody_at_the_port_is_a_network_failure_of_known_outcome(void **state)
{
    struct fixture *f = *state;
    struct haul_request head = request(f, HAUL_HEAD_BUCKET, NULL);
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    s3_stop(f->s3);
    struct end e = perform(f, &head);
    assert_int_equal(e.error.code, HAUL_NETWORK);
    assert_int_equal(e.error.retry, HAUL_RETRY_LATER);
    assert_false(e.result.outcome_unknown);
    assert_non_null(strstr(e.error.text, f->s3->url));
}

static void a_pooled_connection_that_died_costs_no_attempt(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    static const char *const faults[] = { NULL, "PutObject nth=1 drop-before",
        "PutObject nth=1 drop-after", "PutObject nth=1 reset-mid-body=300000" };
    for (size_t i = 0; i < 4; i++) {
        struct source from = { .data = data };
        struct haul_request put = put_of(f, "k", &from, MIB);
        retry_at_most(f, HAUL_NO_RETRIES, 0);
        free(stored(f, "first", 1));
        if (faults[i] != NULL)
            s3_fault(f->s3, faults[i]);
        else
            s3_restart(f->s3, NULL);
        struct end e = succeed(f, &put);
        assert_int_equal(e.result.attempts, 1);
        assert_int_equal(e.result.maybe_repeated, i > 0);
        assert_stored(f, "k", data, MIB);
    }
    free(data);
}

static void a_lost_upload_id_is_told_even_when_the_pool_hides_it(void **state)
{
    struct fixture *f = *state;
    struct haul_request create = request(f, HAUL_CREATE_UPLOAD, "big"),
                        uploads = request(f, HAUL_LIST_UPLOADS, NULL);
    s3_fault(f->s3, "CreateMultipartUpload nth=1 drop-after");
    assert_true(succeed(f, &create).result.maybe_repeated);
    assert_int_equal(succeed(f, &uploads).result.listing.count, 2);
}

/* ---- Replies to ranges ---- */

static void a_reply_to_another_range_is_refused_before_a_byte_is_written(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *fault;
        enum haul_retry retry;
        int status;
    } cases[] = {
        { "GetObject always content-range=bytes 0-99/1000", HAUL_RETRY_LATER, 0 },
        { "GetObject always content-range=bytes 100-198/1000", HAUL_RETRY_LATER, 0 },
        { "GetObject always content-range=bytes 100-199/150", HAUL_RETRY_LATER, 0 },
        { "GetObject always content-range=nonsense", HAUL_RETRY_LATER, 0 },
        { "GetObject always ignore-range", HAUL_RETRY_LATER, 0 },
        { "GetObject always extra-bytes", HAUL_RETRY_LATER, 0 },
        { "GetObject always etag=\"other\"", HAUL_RETRY_FROM_START, 0 },
        { "GetObject always replace-object", HAUL_RETRY_FROM_START, 412 },
    };
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char etag[64];
        struct sink to = { .data = NULL };
        struct haul_request head = request(f, HAUL_HEAD_OBJECT, "k"), get = get_of(f, "k", &to);
        print_message("%s\n", cases[i].fault);
        free(stored(f, "k", 1000));
        strcpy(etag, succeed(f, &head).etag);
        get.range = (struct haul_range){ 100, 100 };
        get.if_match = etag;
        s3_fault(f->s3, cases[i].fault);
        struct end e = perform(f, &get);
        print_message("    %s\n", e.error.text);
        assert_int_equal(e.error.code, cases[i].status ? HAUL_SERVER : HAUL_BAD_REPLY);
        assert_int_equal(e.error.http_status, cases[i].status);
        assert_int_equal(e.error.retry, cases[i].retry);
        assert_int_equal(to.beginnings, 0);
        s3_clear(f->s3);
    }
}

static void a_body_that_breaks_off_is_asked_for_again_from_its_beginning(void **state)
{
    struct fixture *f = *state;
    char *data = stored(f, "k", 2 * MIB);
    static const char *const faults[] = { "GetObject nth=1 truncate=1000000",
        "GetObject nth=1 reset-mid-body=1000000", "GetObject nth=1 content-range=bytes 0-4/9" };
    for (size_t i = 0; i < 3; i++) {
        struct sink to = { .data = NULL };
        struct haul_request get = get_of(f, "k", &to);
        get.range = (struct haul_range){ 5, 2 * MIB - 5 };
        s3_fault(f->s3, faults[i]);
        struct end e = succeed(f, &get);
        assert_int_equal(e.result.attempts, 2);
        assert_int_equal(to.beginnings, i < 2 ? 2 : 1);
        assert_int_equal(to.len, 2 * MIB - 5);
        assert_memory_equal(to.data, data + 5, to.len);
        free(to.data);
    }
    free(data);
}

/* ---- Failures of our own side ---- */

static void a_source_that_fails_is_told_by_its_errno(void **state)
{
    struct fixture *f = *state;
    static const int causes[] = { EIO, 0 };
    for (size_t i = 0; i < 2; i++) {
        char *data = some_bytes(MIB);
        struct source from = { .data = data, .fails_at = 400000, .fails_with = causes[i] };
        struct haul_request put = put_of(f, "k", &from, MIB);
        struct end e = perform(f, &put);
        assert_int_equal(e.error.code, HAUL_LOCAL);
        assert_int_equal(e.error.sys_errno, causes[i]);
        assert_int_equal(e.error.retry, HAUL_RETRY_NEVER);
        assert_int_equal(e.result.attempts, 1);
        assert_string_equal(
            e.error.text, causes[i] ? strerror(EIO) : "the source ended before its size");
        free(data);
    }
    struct haul_request head = request(f, HAUL_HEAD_OBJECT, "k");
    assert_int_equal(perform(f, &head).error.http_status, 404);
}

static void a_sink_that_fails_is_told_by_its_errno(void **state)
{
    struct fixture *f = *state;
    free(stored(f, "k", 1000));
    struct sink to = { .fails_with = ENOSPC };
    struct haul_request get = get_of(f, "k", &to);
    struct end e = perform(f, &get);
    assert_int_equal(e.error.code, HAUL_LOCAL);
    assert_int_equal(e.error.sys_errno, ENOSPC);
    assert_int_equal(e.result.attempts, 1);
}

static void a_request_that_breaks_the_manual_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct end e = { .calls = 0 };
    struct haul_error err;
    struct haul_request r = request(f, HAUL_PUT_OBJECT, NULL);
    assert_int_equal(haul_client_submit(f->client, &r, on_end, &e, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
    assert_int_equal(haul_client_perform(f->client, &r, on_end, &e, &err), -1);
    assert_int_equal(haul_client_run(f->client, 0, &err), 0);
    assert_int_equal(e.calls, 0);
}

/* ---- Clock, region, keys, TLS ---- */

static void requests_with_a_wrong_clock_are_signed_again(void **state)
{
    struct fixture *f = *state;
    struct end ends[8] = { { .calls = 0 } };
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    s3_fault(f->s3, "* always skew-s=7200\nListObjectsV2 always gate=g");
    for (size_t i = 0; i < 8; i++)
        submit(f, &list, &ends[i]);
    struct haul_error err;
    while (s3_count(f->s3, "in_flight") < 8)
        assert_true(haul_client_run(f->client, 10, &err) == 8);
    s3_open(f->s3, "g"); /* all were signed before any was answered */
    run_all(f);
    for (size_t i = 0; i < 8; i++) {
        if (ends[i].error.code != HAUL_OK)
            fail_msg("request %zu: %s", i, ends[i].error.text);
        assert_int_equal(ends[i].result.attempts, 2);
    }
    assert_int_equal(succeed(f, &list).result.attempts, 1);
}

static void a_wrong_clock_is_corrected_when_the_reply_has_no_body(void **state)
{
    struct fixture *f = *state;
    struct haul_request head = request(f, HAUL_HEAD_BUCKET, NULL);
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    s3_fault(f->s3, "* always skew-s=-7200");
    assert_int_equal(succeed(f, &head).result.attempts, 2);
    assert_int_equal(succeed(f, &head).result.attempts, 1);
}

static int make_elsewhere(void **state)
{
    *state =
        make_with((const char *const[]){ "--region", "eu-central-1", NULL }, HAUL_PAYLOAD_AUTO);
    return 0;
}

static void requests_for_a_wrong_region_are_signed_again(void **state)
{
    struct fixture *f = *state;
    struct end ends[8] = { { .calls = 0 } };
    struct haul_request create = request(f, HAUL_CREATE_BUCKET, NULL),
                        list = request(f, HAUL_LIST_OBJECTS, NULL);
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    struct end e = succeed(f, &create);
    assert_int_equal(e.result.attempts, 2);
    haul_endpoint_free(f->endpoint);
    f->endpoint = new_endpoint(f, (struct haul_endpoint_options){ .region = "us-west-2" });
    list.endpoint = f->endpoint;
    s3_fault(f->s3, "ListObjectsV2 always gate=g");
    for (size_t i = 0; i < 8; i++)
        submit(f, &list, &ends[i]);
    struct haul_error err;
    while (s3_count(f->s3, "in_flight") < 8)
        assert_true(haul_client_run(f->client, 10, &err) == 8);
    s3_open(f->s3, "g");
    run_all(f);
    for (size_t i = 0; i < 8; i++) {
        if (ends[i].error.code != HAUL_OK)
            fail_msg("request %zu: %s", i, ends[i].error.text);
        assert_int_equal(ends[i].result.attempts, 2);
    }
}

static void a_correction_that_does_not_help_ends_the_request(void **state)
{
    struct fixture *f = *state;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    s3_fault(f->s3, "* always status=400 code=AuthorizationHeaderMalformed"
                    " header=x-amz-bucket-region:eu-west-3");
    struct end e = perform(f, &list);
    assert_string_equal(e.error.aws_code, "AuthorizationHeaderMalformed");
    assert_int_equal(e.error.retry, HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(e.result.attempts, 3);
}

static void wrong_keys_are_for_somebody_to_mend(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[][3] = {
        { "AKIDOTHER", S3_SECRET_KEY, "InvalidAccessKeyId" },
        { S3_ACCESS_KEY, "wrong", "SignatureDoesNotMatch" },
    };
    for (size_t i = 0; i < 2; i++) {
        struct haul_error err;
        struct haul_credentials *keys =
            haul_credentials_static(pairs[i][0], pairs[i][1], NULL, &err);
        struct haul_endpoint *other =
            new_endpoint(f, (struct haul_endpoint_options){ .credentials = keys });
        struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
        list.endpoint = other;
        struct end e = perform(f, &list);
        assert_string_equal(e.error.aws_code, pairs[i][2]);
        assert_int_equal(e.error.retry, HAUL_RETRY_WHEN_FIXED);
        assert_null(strstr(e.error.text, pairs[i][1]));
        haul_endpoint_free(other);
        haul_credentials_free(keys);
    }
}

static void a_server_that_cannot_be_verified_gets_nothing(void **state)
{
    char *folder = temp_make(), cert[256], key[256], url[64], command[1200];
    struct fixture *f = *state;
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(command, sizeof command,
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
        " -addext subjectAltName=IP:127.0.0.1 -out '%s' -keyout '%s' 2>/dev/null",
        cert, key);
    assert_int_equal(system(command), 0);
    s3_restart(f->s3, (const char *const[]){ "--tls", cert, key, NULL });
    snprintf(url, sizeof url, "https://127.0.0.1:%u", f->s3->port);
    struct haul_endpoint *strict =
                             new_endpoint(f, (struct haul_endpoint_options){ .url = url }),
                         *trusting = new_endpoint(
                             f, (struct haul_endpoint_options){ .url = url, .ca_file = cert }),
                         *careless = new_endpoint(
                             f, (struct haul_endpoint_options){ .url = url, .insecure = true });
    struct haul_request head = request(f, HAUL_HEAD_BUCKET, NULL);

    head.endpoint = strict;
    struct end e = perform(f, &head);
    assert_int_equal(e.error.code, HAUL_TLS);
    assert_int_equal(e.error.retry, HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(e.result.attempts, 1);
    assert_false(e.result.outcome_unknown);
    head.endpoint = trusting;
    succeed(f, &head);
    head.endpoint = careless;
    succeed(f, &head);

    haul_endpoint_free(strict);
    haul_endpoint_free(trusting);
    haul_endpoint_free(careless);
    temp_remove(folder);
}

static void *hang_up(void *payload)
{
    char data[64];
    int fd = accept(*(int *) payload, NULL, NULL);
    assert_true(fd >= 0 && read(fd, data, sizeof data) > 0);
    close(fd);
    return NULL;
}

static void a_connection_lost_in_the_handshake_is_the_network_s_fault(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    pthread_t thread;
    char url[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &len), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", ntohs(at.sin_port));
    struct haul_endpoint *e = new_endpoint(f, (struct haul_endpoint_options){ .url = url });
    struct haul_request head = request(f, HAUL_HEAD_BUCKET, NULL);
    head.endpoint = e;
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    assert_int_equal(pthread_create(&thread, NULL, hang_up, &fd), 0);
    struct end end = perform(f, &head);
    pthread_join(thread, NULL);
    close(fd);
    assert_int_equal(end.error.code, HAUL_NETWORK);
    assert_int_equal(end.error.retry, HAUL_RETRY_LATER);
    assert_false(end.result.outcome_unknown);
    haul_endpoint_free(e);
}

/* ---- Time and the ends of things ---- */

static void a_stalled_request_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    retry_at_most(f, HAUL_NO_RETRIES, 1000);
    s3_fault(f->s3, "ListObjectsV2 always gate=g");
    struct end e = perform(f, &list);
    assert_int_equal(e.error.code, HAUL_NETWORK);
    assert_int_equal(e.error.retry, HAUL_RETRY_LATER);
    assert_true(e.result.outcome_unknown);
}

static void a_completion_may_be_slow(void **state)
{
    struct fixture *f = *state;
    char id[64];
    struct haul_request complete = request(f, HAUL_COMPLETE_UPLOAD, "big"),
                        list = request(f, HAUL_LIST_OBJECTS, NULL);
    struct end slow = { .calls = 0 }, stalled = { .calls = 0 };
    begin_upload(f, "big", id);
    retry_at_most(f, HAUL_NO_RETRIES, 1000);
    complete.upload_id = id;
    complete.parts = &(struct haul_part){ .number = 1, .etag = "\"e\"" };
    complete.part_count = 1;
    s3_fault(f->s3, "* always gate=g");
    submit(f, &complete, &slow);
    submit(f, &list, &stalled);
    struct haul_error err;
    while (stalled.calls == 0)
        assert_true(haul_client_run(f->client, 1000, &err) > 0);
    assert_int_equal(stalled.error.code, HAUL_NETWORK);
    assert_int_equal(slow.calls, 0);
    s3_open(f->s3, "g");
    run_all(f);
    assert_string_equal(slow.error.aws_code, "InvalidPart");
}

/* Submits requests of which the first two hang at the gate and one waits for its retry. */
static void submit_stuck(struct fixture *f, const struct haul_request *list, struct end *ends)
{
    struct haul_error err;
    s3_fault(f->s3, "ListObjectsV2 nth=1 status=503 retry-after=50\n"
                    "ListObjectsV2 always gate=g");
    s3_open(f->s3, "g");
    submit(f, list, &ends[0]);
    while (s3_count(f->s3, "ListObjectsV2") < 1 || s3_count(f->s3, "in_flight") > 0)
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    for (int i = 0; i < 5; i++) /* the reply is there: let it be taken */
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    s3_fault(f->s3, "ListObjectsV2 always gate=g"); /* closes it again */
    submit(f, list, &ends[1]);
    submit(f, list, &ends[2]);
    while (s3_count(f->s3, "in_flight") < 2)
        assert_int_equal(haul_client_run(f->client, 10, &err), 3);
}

static void assert_cancelled(const struct end *ends)
{
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ends[i].calls, 1);
        assert_int_equal(ends[i].error.code, HAUL_CANCELLED);
        assert_int_equal(ends[i].result.attempts, 1);
        assert_int_equal(ends[i].result.outcome_unknown, i > 0);
        assert_int_equal(ends[i].result.maybe_repeated, i == 0);
    }
}

static void a_stopped_client_ends_all_that_it_had_and_gets(void **state)
{
    struct fixture *f = *state;
    struct end ends[3] = { { .calls = 0 } };
    struct haul_error err;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    submit_stuck(f, &list, ends);
    haul_client_stop(f->client);
    assert_int_equal(haul_client_run(f->client, 60000, &err), 0);
    assert_cancelled(ends);
    uint64_t before = s3_count(f->s3, "requests");
    struct end e = perform(f, &list);
    assert_int_equal(e.error.code, HAUL_CANCELLED);
    assert_int_equal(e.result.attempts, 0);
    assert_false(e.result.outcome_unknown);
    assert_int_equal(s3_count(f->s3, "requests"), before);
}

static void a_client_may_be_freed_with_requests_in_flight(void **state)
{
    struct fixture *f = *state;
    struct end ends[3] = { { .calls = 0 } };
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    submit_stuck(f, &list, ends);
    haul_client_free(f->client);
    f->client = NULL;
    assert_cancelled(ends);
    haul_client_free(NULL);
}

static void bytes_of_a_cancelled_attempt_are_counted_once(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    struct source from = { .data = data };
    struct end e = { .calls = 0 };
    struct haul_error err;
    struct haul_request put = put_of(f, "k", &from, MIB);
    s3_fault(f->s3, "PutObject always status=503 retry-after=50");
    submit(f, &put, &e);
    while (s3_count(f->s3, "PutObject") < 1 || s3_count(f->s3, "in_flight") > 0)
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(haul_client_run(f->client, 10, &err), 1);
    haul_client_stop(f->client);
    assert_int_equal(haul_client_run(f->client, 0, &err), 0);
    assert_int_equal(e.result.bytes_sent, MIB);
    free(data);
}

struct waker {
    struct fixture *f;
    atomic_bool woken;
};

static void *wake(void *payload)
{
    struct waker *w = payload;
    s3_wait_at(w->f->s3, "g", 1);
    atomic_store(&w->woken, true);
    haul_client_wake(w->f->client);
    return NULL;
}

static void another_thread_can_wake_the_loop(void **state)
{
    struct fixture *f = *state;
    struct waker w = { .f = f };
    struct end e = { .calls = 0 };
    struct haul_error err;
    pthread_t thread;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    s3_fault(f->s3, "ListObjectsV2 always gate=g");
    submit(f, &list, &e);
    assert_int_equal(pthread_create(&thread, NULL, wake, &w), 0);
    while (!atomic_load(&w.woken)) /* a lost wake-up would hang here until the test's limit */
        assert_int_equal(haul_client_run(f->client, 1000000, &err), 1);
    pthread_join(thread, NULL);
    assert_int_equal(e.calls, 0);
    s3_open(f->s3, "g");
    run_all(f);
    assert_int_equal(e.error.code, HAUL_OK);
}

static void many_requests_end_exactly_once_each(void **state)
{
    enum { COUNT = 200 };
    struct fixture *f = *state;
    struct end *ends = calloc(COUNT, sizeof *ends);
    struct source from = { .data = "some bytes" };
    struct haul_request puts[COUNT];
    char keys[COUNT][8];
    s3_fault(f->s3, "PutObject every=7 status=500\nPutObject every=11 drop-after\n"
                    "PutObject every=13 status=403 code=AccessDenied");
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        puts[i] = put_of(f, keys[i], &from, 10);
        submit(f, &puts[i], &ends[i]);
    }
    run_all(f);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(ends[i].calls, 1);
        failed += ends[i].error.code != HAUL_OK;
    }
    assert_in_range(failed, 1, 30);
    assert_int_equal(s3_count(f->s3, "in_flight"), 0);
    free(ends);
}

/* Each end submits the next request, until none is left. */
struct chain {
    struct fixture *f;
    struct haul_request *request;
    unsigned left, done;
};

static void on_link(void *payload, const struct haul_result *result)
{
    struct chain *c = payload;
    struct haul_error err;
    c->done += result->error.code == HAUL_OK || result->error.code == HAUL_LOCAL;
    if (c->left-- > 0)
        assert_int_equal(haul_client_submit(c->f->client, c->request, on_link, c, &err), 0);
}

static void a_callback_may_submit_the_next_request(void **state)
{
    struct fixture *f = *state;
    struct haul_error err;
    struct source broken = { .data = "", .fails_at = 1, .fails_with = EIO },
                  whole = { .data = "some bytes" };
    struct haul_request put = put_of(f, "k", &whole, 10), fails = put_of(f, "k", &broken, 10);
    struct chain good = { f, &put, 20, 0 }, bad = { f, &fails, 20, 0 };
    broken.data = whole.data;
    broken.fails_at = UINT64_MAX;
    assert_int_equal(haul_client_submit(f->client, &put, on_link, &good, &err), 0);
    assert_int_equal(haul_client_submit(f->client, &fails, on_link, &bad, &err), 0);
    run_all(f);
    assert_int_equal(good.done, 21);
    assert_int_equal(bad.done, 21);
}

static ssize_t read_nothing(void *payload, uint64_t offset, void *data, size_t len)
{
    (void) payload, (void) offset, (void) data, (void) len;
    errno = EIO;
    return -1;
}

/* Fails before it is sent, and its successor is due at once: nobody waits in between. */
static void the_successor_of_an_unsendable_request_is_not_kept_waiting(void **state)
{
    struct fixture *f = *state;
    struct haul_error err;
    struct haul_request put = request(f, HAUL_PUT_OBJECT, "k");
    struct chain c = { f, &put, 20, 0 };
    put.body = (struct haul_body){ read_nothing, NULL, 10 };
    assert_int_equal(haul_client_submit(f->client, &put, on_link, &c, &err), 0);
    while (haul_client_run(f->client, 1000000, &err) > 0)
        continue; /* a wait would last until the test's limit */
    assert_int_equal(c.done, 21);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_object_comes_back_as_it_was_put),
        cmocka_unit_test_setup_teardown(an_unsigned_body_is_read_once, make_unsigned, clear),
        TEST(an_empty_object_comes_back_empty),
        TEST(a_range_brings_its_bytes_and_the_whole_size),
        TEST(keys_are_sent_exactly_as_they_are),
        TEST(a_listing_goes_on_page_by_page),
        TEST(a_deleted_object_is_gone),
        TEST(an_upload_in_parts_becomes_one_object),
        TEST(an_aborted_upload_has_to_begin_again),
        TEST(a_failed_attempt_is_sent_again_from_its_beginning),
        cmocka_unit_test_setup_teardown(
            a_dropped_first_connection_is_tried_again, make_unsigned, clear),
        TEST(the_last_failure_is_told_when_retries_run_out),
        TEST(without_retries_the_first_failure_is_the_end),
        TEST(nobody_at_the_port_is_a_network_failure_of_known_outcome),
        TEST(a_pooled_connection_that_died_costs_no_attempt),
        TEST(a_lost_upload_id_is_told_even_when_the_pool_hides_it),
        TEST(a_reply_to_another_range_is_refused_before_a_byte_is_written),
        TEST(a_body_that_breaks_off_is_asked_for_again_from_its_beginning),
        TEST(a_source_that_fails_is_told_by_its_errno),
        cmocka_unit_test_setup_teardown(
            a_source_that_fails_is_told_by_its_errno, make_unsigned, clear),
        TEST(a_sink_that_fails_is_told_by_its_errno),
        TEST(a_request_that_breaks_the_manual_is_refused_at_once),
        TEST(requests_with_a_wrong_clock_are_signed_again),
        TEST(a_wrong_clock_is_corrected_when_the_reply_has_no_body),
        cmocka_unit_test_setup_teardown(
            requests_for_a_wrong_region_are_signed_again, make_elsewhere, clear),
        TEST(a_correction_that_does_not_help_ends_the_request),
        TEST(wrong_keys_are_for_somebody_to_mend),
        TEST(a_server_that_cannot_be_verified_gets_nothing),
        TEST(a_connection_lost_in_the_handshake_is_the_network_s_fault),
        TEST(a_stalled_request_is_given_up),
        TEST(a_completion_may_be_slow),
        TEST(a_stopped_client_ends_all_that_it_had_and_gets),
        TEST(a_client_may_be_freed_with_requests_in_flight),
        TEST(bytes_of_a_cancelled_attempt_are_counted_once),
        TEST(another_thread_can_wake_the_loop),
        TEST(many_requests_end_exactly_once_each),
        TEST(a_callback_may_submit_the_next_request),
        TEST(the_successor_of_an_unsendable_request_is_not_kept_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
