/* Clock, region, keys, TLS: what a request must get right to be let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_fixture.h"
#include "temp.h"

/* Case 43. */
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

/* Case 43. */
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

/* Case 44. */
static void requests_for_a_wrong_region_are_signed_again(void **state)
{
    struct fixture *f = *state;
    struct end ends[8] = { { .calls = 0 } };
    struct haul_request create = request(f, HAUL_ANY, NULL),
                        list = request(f, HAUL_LIST_OBJECTS, NULL);
    create.method = "PUT";
    create.body = haul_body_string("<CreateBucketConfiguration><LocationConstraint>eu-central-1"
                                   "</LocationConstraint></CreateBucketConfiguration>");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_with_a_wrong_clock_are_signed_again),
        TEST(a_wrong_clock_is_corrected_when_the_reply_has_no_body),
        cmocka_unit_test_setup_teardown(
            requests_for_a_wrong_region_are_signed_again, make_elsewhere, clear),
        TEST(a_correction_that_does_not_help_ends_the_request),
        TEST(wrong_keys_are_for_somebody_to_mend),
        TEST(a_server_that_cannot_be_verified_gets_nothing),
        TEST(a_connection_lost_in_the_handshake_is_the_network_s_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
