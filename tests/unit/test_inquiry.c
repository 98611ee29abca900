/* inquiry.c: what is sent, which answers come back and as what, and that asking ends when it is
 * told to. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "credentials.h"
#include "inquiry.h"
#include "services.h"

#define PATH "v2/credentials/x" /* where the container's service answers anybody */

struct fixture {
    struct services *services;
    struct inquirer *inquirer;
};

static int make(void **state)
{
    struct haul_error err;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->services = services_start();
    f->inquirer = inquirer_new(&err);
    assert_non_null(f->inquirer);
    *state = f;
    return 0;
}

static int clear(void **state)
{
    struct fixture *f = *state;
    services_clear(f->services);
    inquirer_free(f->inquirer);
    services_stop(f->services);
    free(f);
    return 0;
}

static struct inquiry about(const struct fixture *f)
{
    return (struct inquiry){
        .whom = "the service", .url = services_url(f->services), .path = PATH, .direct = true
    };
}

static struct answer answered(const struct fixture *f, const struct inquiry *q)
{
    struct haul_error err;
    struct answer a;
    if (inquire(f->inquirer, q, &a, &err) < 0)
        fail_msg("%s", err.text);
    return a;
}

static struct haul_error failed(const struct fixture *f, const struct inquiry *q)
{
    struct haul_error err;
    struct answer a;
    if (inquire(f->inquirer, q, &a, &err) == 0)
        fail_msg("answered %d", a.status);
    return err;
}

static void assert_logged(const struct fixture *f, const char *operation, const char *expected)
{
    char log[65536];
    services_log(f->services, operation, log, sizeof log);
    if (strstr(log, expected) == NULL)
        fail_msg("%s is not in %s", expected, log);
}

/* ---- What is sent ---- */

static void method_path_query_headers_and_body_arrive(void **state)
{
    const struct fixture *f = *state;
    const struct haul_pair query[] = { { "role_name", "a b" }, { "account_id", "1&2" } };
    const struct haul_pair headers[] = { { "Content-Type", "application/json" },
        { "Authorization", "Bearer x" } };
    struct inquiry q = about(f);
    q.path = "v2/credentials/a b+c/";
    q.query = (struct haul_pairs){ query, 2 };
    q.headers = (struct haul_pairs){ headers, 2 };
    q.method = "POST";
    q.body = "{\"a\":1}";
    struct answer a = answered(f, &q);
    assert_int_equal(a.status, 405);
    assert_string_equal(a.reason, "answered 405 MethodNotAllowed: GET alone is allowed");
    assert_logged(f, "", "\"method\": \"POST\"");
    assert_logged(
        f, "", "\"target\": \"/v2/credentials/a%20b%2Bc/?account_id=1%262&role_name=a%20b\"");
    assert_logged(f, "", "\"content-type\": \"application/json\"");
    assert_logged(f, "", "\"authorization\": \"Bearer x\"");
    assert_logged(f, "", "\"body\": \"{\\\"a\\\":1}\"");
    answer_free(&a);
}

static void a_service_below_a_path_is_asked_there(void **state)
{
    const struct fixture *f = *state;
    char url[128];
    snprintf(url, sizeof url, "%s/v2/", services_url(f->services));
    struct inquiry q = about(f);
    q.url = url;
    q.path = "credentials/x";
    struct answer a = answered(f, &q);
    assert_int_equal(a.status, 200);
    assert_logged(f, "GetContainerKeys", "\"target\": \"/v2/credentials/x\"");
    answer_free(&a);
}

/* Asks STS who has the key AKIDEXAMPLE, which is known by the secret "s3cr3t". */
static struct answer ask_sts(const struct fixture *f, const char *secret)
{
    const struct haul_pair type = { "content-type",
        "application/x-www-form-urlencoded; charset=utf-8" };
    struct keys *k = keys_new("keys", "AKIDEXAMPLE", secret, "t0k3n", NULL);
    services_set(f->services, "key AKIDEXAMPLE s3cr3t t0k3n\nsts.region eu-west-1\n");
    struct inquiry q = about(f);
    q.path = NULL;
    q.method = "POST";
    q.headers = (struct haul_pairs){ &type, 1 };
    q.body = "Action=GetCallerIdentity&Version=2011-06-15";
    q.keys = k;
    q.service = "sts";
    q.region = "eu-west-1";
    struct answer a = answered(f, &q);
    keys_release(k);
    return a;
}

static void keys_sign_for_the_service_and_region(void **state)
{
    struct answer a = ask_sts(*state, "s3cr3t");
    assert_string_equal(a.reason, "");
    assert_non_null(strstr(a.text, "user/AKIDEXAMPLE"));
    answer_free(&a);
    a = ask_sts(*state, "other");
    assert_non_null(strstr(a.reason, "answered 403 SignatureDoesNotMatch: "));
    answer_free(&a);
}

static void a_clock_that_is_off_is_corrected_once(void **state)
{
    static const char *const skews[] = { "clock.skew-s 3600\n", "clock.skew-s -3600\n" };
    const struct fixture *f = *state;
    for (unsigned i = 0; i < 2; i++) {
        services_set(f->services, skews[i]);
        struct answer a = ask_sts(f, "s3cr3t");
        assert_string_equal(a.reason, "");
        assert_int_equal(services_count(f->services, "GetCallerIdentity"), 2 * (i + 1));
        answer_free(&a);
    }
    struct answer a = ask_sts(f, "other");
    assert_int_equal(a.status, 403);
    assert_int_equal(services_count(f->services, "GetCallerIdentity"), 6);
    answer_free(&a);
}

static void a_proxy_is_passed_by_when_asked_directly(void **state)
{
    const struct fixture *f = *state;
    struct inquiry q = about(f);
    q.tries = 1;
    setenv("no_proxy", "", 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    struct answer a = answered(f, &q);
    q.direct = false;
    struct haul_error err = failed(f, &q);
    unsetenv("http_proxy");
    setenv("no_proxy", "*", 1);
    assert_int_equal(a.status, 200);
    assert_int_equal(err.code, HAUL_NETWORK);
    answer_free(&a);
}

/* ---- Answers ---- */

static void an_answer_has_its_text_and_its_date(void **state)
{
    const struct fixture *f = *state;
    services_set(f->services, "clock.skew-s 7200\n");
    services_fault(f->services, "GetContainerKeys always text=some%20text\n");
    struct inquiry q = about(f);
    struct answer a = answered(f, &q);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.text, "some text");
    assert_int_equal(a.len, strlen("some text"));
    assert_string_equal(a.reason, "");
    assert_int_equal((a.server_ms / 1000 - time(NULL)) / 60, 120);
    answer_free(&a);
}

static void a_refusal_tells_code_and_message_and_nothing_else(void **state)
{
#define STS                                                                                    \
    "<ErrorResponse%20xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>"       \
    "Sender</Type><Code>AccessDenied</Code><Message>not%20you</Message></Error>"               \
    "<RequestId>1</RequestId></ErrorResponse>"
    static const struct {
        const char *fault, *reason;
    } cases[] = {
        { "status=403 text=" STS, "answered 403 AccessDenied: not you" },
        { "status=400 text=<Error><Code>X</Code></Error>", "answered 400 X" },
        { "status=400 text={\"code\":\"Bad\",\"message\":\"no%20id\"}",
            "answered 400 Bad: no id" },
        { "status=401 text={\"Message\":\"no\"}", "answered 401: no" },
        { "status=400 text={\"error\":\"invalid_grant\",\"error_description\":\"old\"}",
            "answered 400 invalid_grant: old" },
        { "status=404 text={\"__type\":\"com.amazonaws.x%23NotFound\",\"message\":\"m\"}",
            "answered 404 NotFound: m" },
        { "status=404 text={\"a\":", "answered 404" },
        { "status=404 text=<html>s3cr3t</html>", "answered 404" },
        { "status=404 text=s3cr3t", "answered 404" },
        { "status=404 empty", "answered 404" },
        { "status=302 location=http://127.0.0.1:1/ text=x", "answered 302" },
        { "status=400 huge", "answered 400" },
    };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512];
        snprintf(line, sizeof line, "GetContainerKeys always %s\n", cases[i].fault);
        services_clear(f->services);
        services_fault(f->services, line);
        struct inquiry q = about(f);
        struct answer a = answered(f, &q);
        if (strcmp(a.reason, cases[i].reason) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].fault, a.reason, cases[i].reason);
        assert_string_equal(a.text, "");
        assert_int_equal(a.len, 0);
        answer_free(&a);
    }
    assert_int_equal(services_count(f->services, "GetContainerKeys"),
        sizeof cases / sizeof *cases); /* none of them is tried again */
}

static void what_passes_is_tried_again_as_often_as_is_said(void **state)
{
    static const struct {
        const char *fault;
        unsigned tries, asked;
        int status; /* 0: none */
    } cases[] = {
        { "nth=1 status=500", 0, 2, 200 },
        { "nth=1 status=429", 0, 2, 200 },
        { "nth=1 reset", 0, 2, 200 },
        { "nth=1 truncate=5", 0, 2, 200 },
        { "nth=1 status=503", 1, 1, 503 },
        { "always status=500", 0, 4, 500 },
        { "always status=500", 3, 3, 500 },
        { "always reset", 2, 2, 0 },
        { "always status=400", 3, 1, 400 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[128];
        struct haul_error err = { .code = HAUL_OK };
        inquirer_free(f->inquirer); /* a pooled connection that breaks is nobody's try */
        f->inquirer = inquirer_new(&err);
        struct answer a = { .status = 0, .text = NULL };
        snprintf(line, sizeof line, "GetContainerKeys %s\n", cases[i].fault);
        services_clear(f->services);
        services_control(f->services, "POST", "reset", "", NULL, 0);
        services_fault(f->services, line);
        struct inquiry q = about(f);
        q.tries = cases[i].tries;
        int rc = inquire(f->inquirer, &q, &a, &err);
        unsigned asked = services_count(f->services, "GetContainerKeys");
        if (a.status != cases[i].status || asked != cases[i].asked ||
            (rc < 0) != (cases[i].status == 0))
            fail_msg("%s: %d after %u, %s", cases[i].fault, a.status, asked, err.text);
        if (rc < 0)
            assert_int_equal(err.code, HAUL_NETWORK);
        answer_free(&a);
    }
}

static void of_an_answer_that_broke_off_nothing_stays(void **state)
{
    const struct fixture *f = *state;
    services_fault(f->services,
        "GetContainerKeys nth=1 text=0123456789 truncate=8\nGetContainerKeys nth=2 empty\n");
    struct inquiry q = about(f);
    struct answer a = answered(f, &q);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.len, 0);
    assert_string_equal(a.text, "");
    answer_free(&a);
}

static void an_answer_is_taken_up_to_its_maximum(void **state)
{
    const struct fixture *f = *state;
    static char line[INQUIRY_BYTES_MAX + 128];
    for (int more = 0; more < 2; more++) {
        int len = snprintf(line, sizeof line, "GetContainerKeys always text=");
        memset(line + len, 'x', INQUIRY_BYTES_MAX + (size_t) more);
        strcpy(line + len + INQUIRY_BYTES_MAX + more, "\n");
        services_clear(f->services);
        services_fault(f->services, line);
        struct inquiry q = about(f);
        if (more == 0) {
            struct answer a = answered(f, &q);
            assert_int_equal(a.len, INQUIRY_BYTES_MAX);
            assert_int_equal(strlen(a.text), INQUIRY_BYTES_MAX);
            answer_free(&a);
        } else {
            struct haul_error err = failed(f, &q);
            assert_int_equal(err.code, HAUL_TOO_LARGE);
            assert_non_null(strstr(err.text, "the service at http://127.0.0.1:"));
        }
    }
    services_clear(f->services);
    services_fault(f->services, "GetContainerKeys always huge\n");
    struct inquiry q = about(f);
    assert_int_equal(failed(f, &q).code, HAUL_TOO_LARGE);
}

/* ---- Failures ---- */

static void a_slow_service_is_given_up(void **state)
{
    static const char *const faults[] = { "gate=slow", "trickle=20" };
    const struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        char line[128];
        snprintf(line, sizeof line, "GetContainerKeys always %s\n", faults[i]);
        services_clear(f->services);
        services_fault(f->services, line);
        struct inquiry q = about(f);
        q.timeout_ms = 200;
        q.tries = 2;
        struct haul_error err = failed(f, &q);
        assert_int_equal(err.code, HAUL_NETWORK);
        assert_non_null(strstr(err.text, "the service at http://127.0.0.1:"));
    }
}

static void what_can_not_be_asked_is_named(void **state)
{
    static const struct haul_pair split = { "x", "a\r\nb" };
    static const struct {
        struct inquiry inquiry;
        enum haul_code code;
        const char *text;
    } cases[] = {
        { { .url = "http://127.0.0.1:1" }, HAUL_NETWORK,
            "the service at http://127.0.0.1:1: " },
        { { .url = "nowhere" }, HAUL_BAD_CONFIG, "the service: " },
        { { .url = "ftp://x" }, HAUL_BAD_CONFIG, "the service: " },
        { { .url = "http://u:s3cr3t@x" }, HAUL_BAD_CONFIG, "the service: " },
        { { .url = "http://x y" }, HAUL_BAD_CONFIG, "the service: " },
        { { .url = "https://x", .ca_file = "/no/such" }, HAUL_BAD_CONFIG, "/no/such" },
        { { .url = "http://127.0.0.1:1", .headers = { &split, 1 } }, HAUL_BAD_CONFIG,
            "the service: " },
    };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inquiry q = cases[i].inquiry;
        q.whom = "the service";
        q.tries = 1;
        q.timeout_ms = 5000;
        q.direct = true;
        struct haul_error err = failed(f, &q);
        if (err.code != cases[i].code || strstr(err.text, cases[i].text) == NULL)
            fail_msg("%s: %s: %s", q.url, haul_code_name(err.code), err.text);
        assert_null(strstr(err.text, "s3cr3t"));
    }
}

/* ---- Stopping ---- */

static void *stop_at_gate(void *payload)
{
    const struct fixture *f = payload;
    services_wait_at(f->services, "stop", 1);
    inquirer_stop(f->inquirer);
    return NULL;
}

static void stopping_ends_what_is_asked_and_all_that_will_be(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    services_fault(f->services, "GetContainerKeys always gate=stop\n");
    struct inquiry q = about(f);
    q.timeout_ms = 3600 * 1000;
    assert_int_equal(pthread_create(&thread, NULL, stop_at_gate, f), 0);
    assert_int_equal(failed(f, &q).code, HAUL_CANCELLED);
    pthread_join(thread, NULL);
    assert_int_equal(failed(f, &q).code, HAUL_CANCELLED);
}

static bool is_connecting(unsigned port)
{
    char line[256], wanted[32];
    bool found = false;
    FILE *f = fopen("/proc/net/tcp", "r");
    snprintf(wanted, sizeof wanted, "0100007F:%04X 02 ", port); /* 02: SYN_SENT */
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
        found = strstr(line, wanted) != NULL;
    if (f != NULL)
        fclose(f);
    return found;
}

struct stopper {
    struct inquirer *inquirer;
    unsigned port;
};

static void *stop_connecting(void *payload)
{
    const struct stopper *s = payload;
    while (!is_connecting(s->port))
        sched_yield();
    inquirer_stop(s->inquirer);
    return NULL;
}

/* A listener whose queue is full: the system answers no further connection. */
static void stopping_ends_a_connection_that_hangs(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[8];
    char url[64];
    pthread_t thread;
    assert_int_equal(bind(listener, (struct sockaddr *) &at, size), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *) &at, &size), 0);
    const unsigned port = ntohs(at.sin_port);
    for (size_t i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *) &at, size);
        if (is_connecting(port))
            close(fillers[i]), fillers[i] = -1;
    }
    struct stopper s = { f->inquirer, port };
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    struct inquiry q = about(f);
    q.url = url;
    q.timeout_ms = 3600 * 1000;
    assert_int_equal(pthread_create(&thread, NULL, stop_connecting, &s), 0);
    assert_int_equal(failed(f, &q).code, HAUL_CANCELLED);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < 8; i++)
        if (fillers[i] >= 0)
            close(fillers[i]);
    close(listener);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
    const struct CMUnitTest tests[] = {
        TEST(method_path_query_headers_and_body_arrive),
        TEST(a_service_below_a_path_is_asked_there),
        TEST(keys_sign_for_the_service_and_region),
        TEST(a_clock_that_is_off_is_corrected_once),
        TEST(a_proxy_is_passed_by_when_asked_directly),
        TEST(an_answer_has_its_text_and_its_date),
        TEST(a_refusal_tells_code_and_message_and_nothing_else),
        TEST(what_passes_is_tried_again_as_often_as_is_said),
        TEST(of_an_answer_that_broke_off_nothing_stays),
        TEST(an_answer_is_taken_up_to_its_maximum),
        TEST(a_slow_service_is_given_up),
        TEST(what_can_not_be_asked_is_named),
        TEST(stopping_ends_what_is_asked_and_all_that_will_be),
        TEST(stopping_ends_a_connection_that_hangs),
    };
    return cmocka_run_group_tests_name("inquiry", tests, NULL, NULL);
}
