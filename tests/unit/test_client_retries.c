/* What is tried again, how often, and what is told when that does not help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "client_fixture.h"

/* Cases 3, 52 and 57. */
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
        { "PutObject nth=1 status=403 code=AccessDenied truncate=20", false },
        { "PutObject nth=1 status=403 code=AccessDenied header=Transfer-Encoding:chunked",
            false }, /* which breaks off at once: these are no chunks */
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

/* Case 52. */
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

/* Case 55. */
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

static void a_request_may_have_its_own_number_of_tries(void **state)
{
    struct fixture *f = *state;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    s3_fault(f->s3, "ListObjectsV2 always status=429 code=None");
    list.tries = 1;
    assert_int_equal(perform(f, &list).result.attempts, 1);
    list.tries = 2;
    assert_int_equal(perform(f, &list).result.attempts, 2);
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    assert_int_equal(perform(f, &list).result.attempts, 2);
    list.tries = 0;
    assert_int_equal(perform(f, &list).result.attempts, 1);
}

/* ---- Time ---- */

/* Case 56. */
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

/* Case 56. It can't go on where it stood. */
static void an_upload_that_stalls_is_sent_again_over_a_fresh_connection(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, MIB),
                        list = request(f, HAUL_LIST_OBJECTS, NULL);
    struct end slow = { .calls = 0 }, other = { .calls = 0 };
    retry_at_most(f, 1, 3000);
    s3_fault(f->s3, "PutObject nth=1 gate=g");
    uint64_t connections = s3_count(f->s3, "connections");
    submit(f, &put, &slow);
    submit(f, &list, &other); /* leaves an idle connection */
    run_all(f);
    assert_int_equal(slow.error.code, HAUL_OK);
    assert_int_equal(slow.result.attempts, 2);
    assert_int_equal(s3_count(f->s3, "connections"), connections + 3);
    assert_stored(f, "k", data, MIB);
    free(data);
}

/* Case 56. */
static void an_attempt_that_takes_too_long_is_made_again(void **state)
{
    struct fixture *f = *state;
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    renew_client(f, (struct haul_client_options){ .request_timeout_ms = 3000 });
    s3_fault(f->s3, "ListObjectsV2 nth=1 gate=g");
    struct end e = succeed(f, &list);
    assert_int_equal(e.result.attempts, 2);
    assert_true(e.result.maybe_repeated);
    s3_fault(f->s3, "ListObjectsV2 always gate=h");
    list.tries = 1;
    e = perform(f, &list);
    assert_int_equal(e.error.code, HAUL_NETWORK);
    assert_int_equal(e.error.retry, HAUL_RETRY_LATER);
    assert_true(e.result.outcome_unknown);
}

/* Case 11. */
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_attempt_is_sent_again_from_its_beginning),
        cmocka_unit_test_setup_teardown(
            a_dropped_first_connection_is_tried_again, make_unsigned, clear),
        TEST(the_last_failure_is_told_when_retries_run_out),
        TEST(without_retries_the_first_failure_is_the_end),
        TEST(nobody_at_the_port_is_a_network_failure_of_known_outcome),
        TEST(a_pooled_connection_that_died_costs_no_attempt),
        TEST(a_lost_upload_id_is_told_even_when_the_pool_hides_it),
        TEST(a_request_may_have_its_own_number_of_tries),
        TEST(a_stalled_request_is_given_up),
        TEST(an_upload_that_stalls_is_sent_again_over_a_fresh_connection),
        TEST(an_attempt_that_takes_too_long_is_made_again),
        TEST(a_completion_may_be_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
