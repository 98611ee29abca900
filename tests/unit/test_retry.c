/* retry.c: the class of a failure, and how long to wait. And error.c: how failures are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "retry.h"

/* Case 52. */
static void the_code_decides_before_the_status(void **state)
{
    (void) state;
    assert_int_equal(retry_class(400, "RequestTimeout"), HAUL_RETRY_NOW);
    assert_int_equal(retry_class(500, "InternalError"), HAUL_RETRY_LATER);
    assert_int_equal(retry_class(503, "SlowDown"), HAUL_RETRY_SLOWER);
    assert_int_equal(retry_class(403, "RequestTimeTooSkewed"), HAUL_RETRY_RESIGN);
    assert_int_equal(retry_class(400, "AuthorizationHeaderMalformed"), HAUL_RETRY_RESIGN);
    assert_int_equal(retry_class(404, "NoSuchUpload"), HAUL_RETRY_FROM_START);
    assert_int_equal(retry_class(400, "InvalidPart"), HAUL_RETRY_FROM_START);
    assert_int_equal(retry_class(409, "ConditionalRequestConflict"), HAUL_RETRY_FROM_START);
    assert_int_equal(retry_class(403, "InvalidAccessKeyId"), HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(retry_class(403, "SignatureDoesNotMatch"), HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(retry_class(400, "ExpiredToken"), HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(retry_class(404, "NoSuchBucket"), HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(retry_class(403, "AccessDenied"), HAUL_RETRY_NEVER);
    assert_int_equal(retry_class(501, "NotImplemented"), HAUL_RETRY_NEVER);
}

static void an_error_under_status_200_counts_by_its_code(void **state)
{
    (void) state;
    assert_int_equal(retry_class(200, "InternalError"), HAUL_RETRY_LATER);
    assert_int_equal(retry_class(200, "EntityTooSmall"), HAUL_RETRY_NEVER);
    assert_int_equal(retry_class(200, "NeverHeardOf"), HAUL_RETRY_LATER);
}

/* Case 52. */
static void without_a_known_code_the_status_decides(void **state)
{
    (void) state;
    static const struct {
        int status;
        enum haul_retry class;
    } cases[] = {
        { 0, HAUL_RETRY_LATER },
        { 301, HAUL_RETRY_RESIGN },
        { 302, HAUL_RETRY_NEVER },
        { 307, HAUL_RETRY_RESIGN },
        { 400, HAUL_RETRY_NEVER },
        { 401, HAUL_RETRY_WHEN_FIXED },
        { 403, HAUL_RETRY_NEVER },
        { 404, HAUL_RETRY_NEVER },
        { 405, HAUL_RETRY_NEVER },
        { 407, HAUL_RETRY_WHEN_FIXED },
        { 408, HAUL_RETRY_LATER },
        { 409, HAUL_RETRY_NEVER },
        { 411, HAUL_RETRY_NEVER },
        { 412, HAUL_RETRY_FROM_START },
        { 413, HAUL_RETRY_NEVER },
        { 416, HAUL_RETRY_FROM_START },
        { 417, HAUL_RETRY_NEVER },
        { 429, HAUL_RETRY_SLOWER },
        { 430, HAUL_RETRY_NEVER },
        { 499, HAUL_RETRY_NEVER },
        { 500, HAUL_RETRY_LATER },
        { 501, HAUL_RETRY_NEVER },
        { 502, HAUL_RETRY_LATER },
        { 503, HAUL_RETRY_SLOWER },
        { 504, HAUL_RETRY_LATER },
        { 505, HAUL_RETRY_NEVER },
        { 529, HAUL_RETRY_LATER },
        { 999, HAUL_RETRY_NEVER },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("status %d\n", cases[i].status);
        assert_int_equal(retry_class(cases[i].status, ""), cases[i].class);
        assert_int_equal(retry_class(cases[i].status, "NeverHeardOf"), cases[i].class);
    }
}

static int64_t longest_ms(enum haul_retry class, unsigned attempt)
{
    return retry_delay_ms(class, attempt, UINT32_MAX, 0);
}

/* Case 53. */
static void the_delay_doubles_up_to_twenty_seconds(void **state)
{
    (void) state;
    assert_int_equal(longest_ms(HAUL_RETRY_LATER, 0), 100);
    assert_int_equal(longest_ms(HAUL_RETRY_LATER, 1), 200);
    assert_int_equal(longest_ms(HAUL_RETRY_LATER, 7), 12800);
    assert_int_equal(longest_ms(HAUL_RETRY_LATER, 8), 20000);
    assert_int_equal(longest_ms(HAUL_RETRY_LATER, UINT32_MAX), 20000);
}

static void slower_starts_from_half_a_second(void **state)
{
    (void) state;
    assert_int_equal(longest_ms(HAUL_RETRY_SLOWER, 0), 500);
    assert_int_equal(longest_ms(HAUL_RETRY_SLOWER, 1), 1000);
    assert_int_equal(longest_ms(HAUL_RETRY_SLOWER, 6), 20000);
}

/* Case 53. */
static void jitter_takes_the_whole_range(void **state)
{
    (void) state;
    assert_int_equal(retry_delay_ms(HAUL_RETRY_LATER, 3, 0, 0), 0);
    assert_int_equal(retry_delay_ms(HAUL_RETRY_LATER, 3, UINT32_MAX / 2, 0), 400);
    assert_int_equal(retry_delay_ms(HAUL_RETRY_LATER, 3, UINT32_MAX, 0), 800);
}

static void now_and_resign_do_not_wait(void **state)
{
    (void) state;
    assert_int_equal(longest_ms(HAUL_RETRY_NOW, 9), 0);
    assert_int_equal(longest_ms(HAUL_RETRY_RESIGN, 9), 0);
}

/* Case 53. */
static void the_server_may_ask_for_more_but_not_for_less(void **state)
{
    (void) state;
    assert_int_equal(retry_delay_ms(HAUL_RETRY_SLOWER, 0, 0, 30000), 30000);
    assert_int_equal(retry_delay_ms(HAUL_RETRY_SLOWER, 3, UINT32_MAX, 1000), 4000);
    assert_int_equal(retry_delay_ms(HAUL_RETRY_SLOWER, 3, 0, -1), 0);
    assert_int_equal(retry_delay_ms(HAUL_RETRY_SLOWER, 3, 0, INT64_MAX), 60000);
}

static void an_error_starts_afresh_and_knows_what_its_code_suggests(void **state)
{
    (void) state;
    struct haul_error err = { .http_status = 503, .aws_code = "SlowDown", .sys_errno = 5 };
    assert_int_equal(haul_error_set(&err, HAUL_NETWORK, "%s: %d", "port", 7480), -1);
    assert_int_equal(err.code, HAUL_NETWORK);
    assert_int_equal(err.retry, HAUL_RETRY_LATER);
    assert_int_equal(err.http_status, 0);
    assert_int_equal(err.sys_errno, 0);
    assert_string_equal(err.aws_code, "");
    assert_string_equal(err.text, "port: 7480");
    assert_int_equal(haul_error_set(NULL, HAUL_NETWORK, "nobody listens"), -1);
    assert_int_equal(haul_error_set(&err, (enum haul_code) 99, "of no known code"), -1);
    assert_int_equal(err.retry, HAUL_RETRY_NEVER);
}

static void keys_have_expired_by_code_or_by_time(void **state)
{
    (void) state;
    static const struct {
        int status;
        const char *code;
        bool in_time, past; /* what it means to keys that are */
    } cases[] = {
        { 400, "ExpiredToken", true, true },
        { 403, "ExpiredTokenException", true, true },
        { 400, "TokenRefreshRequired", true, true },
        { 200, "ExpiredToken", true, true }, /* at the end of a long Complete */
        { 400, "InvalidToken", false, true },
        { 403, "AccessDenied", false, true },
        { 403, "InvalidAccessKeyId", false, true },
        { 400, "", false, true },
        { 401, "", false, true },
        { 403, "", false, true },
        { 404, "NoSuchKey", false, false },
        { 412, "PreconditionFailed", false, false },
        { 500, "InternalError", false, false },
        { 503, "SlowDown", false, false },
        { 200, "InternalError", false, false },
        { 0, "", false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (retry_is_expiry(cases[i].status, cases[i].code, false) != cases[i].in_time ||
            retry_is_expiry(cases[i].status, cases[i].code, true) != cases[i].past)
            fail_msg("%d %s", cases[i].status, cases[i].code);
}

static void an_error_may_quote_its_own_text(void **state)
{
    (void) state;
    struct haul_error err;
    haul_error_set(&err, HAUL_LOCAL, "inner");
    haul_error_set(&err, HAUL_LOCAL, "outer: %s", err.text);
    assert_string_equal(err.text, "outer: inner");
}

static void an_error_is_one_line_whatever_a_server_says(void **state)
{
    (void) state;
    struct haul_error err;
    haul_error_set(&err, HAUL_SERVER, "%s", "a\r\nb\x1b[31mc\x7f");
    assert_string_equal(err.text, "a  b [31mc ");
    haul_error_set(&err, HAUL_SERVER, "answered 403: %s", "It does not exist in our records.");
    assert_string_equal(err.text, "answered 403: It does not exist in our records");
    haul_error_set(&err, HAUL_LOCAL, "%s", "there is no AWS_CONTAINER_...");
    assert_string_equal(err.text, "there is no AWS_CONTAINER_...");
    haul_error_set(&err, HAUL_SERVER, "%s", ".");
    assert_string_equal(err.text, "");
}

static void an_error_that_is_too_long_is_cut_between_characters(void **state)
{
    (void) state;
    struct haul_error err;
    char text[600];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "\xc3\xa4"[i % 2];
    haul_error_set(&err, HAUL_SERVER, "%.600s", text);
    assert_int_equal(strlen(err.text), 510);
    haul_error_set(&err, HAUL_SERVER, "x%.599s", text);
    assert_int_equal(strlen(err.text) % 2, 1);
    assert_true(strlen(err.text) >= 507);
}

static void every_code_has_a_name(void **state)
{
    (void) state;
    assert_string_equal(haul_code_name(HAUL_OK), "ok");
    for (enum haul_code c = HAUL_OK; c <= HAUL_CANCELLED; c++)
        assert_string_not_equal(haul_code_name(c), "unknown");
    assert_string_equal(haul_code_name((enum haul_code) 99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_code_decides_before_the_status),
        cmocka_unit_test(an_error_under_status_200_counts_by_its_code),
        cmocka_unit_test(without_a_known_code_the_status_decides),
        cmocka_unit_test(the_delay_doubles_up_to_twenty_seconds),
        cmocka_unit_test(slower_starts_from_half_a_second),
        cmocka_unit_test(jitter_takes_the_whole_range),
        cmocka_unit_test(keys_have_expired_by_code_or_by_time),
        cmocka_unit_test(now_and_resign_do_not_wait),
        cmocka_unit_test(the_server_may_ask_for_more_but_not_for_less),
        cmocka_unit_test(an_error_starts_afresh_and_knows_what_its_code_suggests),
        cmocka_unit_test(an_error_may_quote_its_own_text),
        cmocka_unit_test(an_error_is_one_line_whatever_a_server_says),
        cmocka_unit_test(an_error_that_is_too_long_is_cut_between_characters),
        cmocka_unit_test(every_code_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
