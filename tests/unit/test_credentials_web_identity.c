/* credentials_web_identity.c: a token in a file that somebody replaces, and a role for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "credentials.h"
#include "home.h"
#include "services.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ARN "arn:aws:iam::123456789012:role/nightly"
#define TOKEN "eyJhbGciOi.J9+ey/Jz.dWI=="
#define ACTION "AssumeRoleWithWebIdentity"

static struct services *services;
static char token_file[4096];

static void write_token(void **state, const char *text)
{
    home_write(state, "token", text);
    snprintf(token_file, sizeof token_file, "%s/token", (const char *) *state);
}

static int setup(void **state)
{
    home_make(state);
    services = services_start();
    services_set(services, "identity " TOKEN "\n");
    write_token(state, TOKEN "\n");
    setenv("AWS_ENDPOINT_URL_STS", services_url(services), 1);
    setenv("AWS_ROLE_ARN", ARN, 1);
    return setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token_file, 1);
}

static int teardown(void **state)
{
    services_stop(services);
    return home_remove(state);
}

static struct haul_credentials *from_environment(void)
{
    struct haul_error err;
    struct haul_credentials *c = haul_credentials_from_web_identity(NULL, &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    return c;
}

static void assert_told(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("%s: lacks %s", text, part);
}

static void assert_refused(const struct haul_role *role, enum haul_code code, const char *part)
{
    struct haul_error err;
    assert_null(haul_credentials_from_web_identity(role, &err));
    assert_told(err.text, part);
    assert_null(strstr(err.text, "eyJhbGciOi"));
    if (err.code != code)
        fail_msg("%s: %s", err.text, haul_code_name(err.code));
}

static void keys_are_given_for_the_token_and_nothing_else(void **state)
{
    (void) state;
    char log_text[8192];
    struct haul_identity id;
    struct haul_credentials *c = from_environment();
    haul_credentials_describe(c, &id);
    assert_string_equal(id.source, "web_identity");
    assert_string_equal(id.detail, ARN);
    assert_true(id.expires_ms > 0);
    services_log(services, ACTION, log_text, sizeof log_text);
    assert_told(log_text, "&WebIdentityToken=eyJhbGciOi.J9%2Bey%2FJz.dWI%3D%3D\"");
    assert_null(strstr(log_text, "authorization"));
    haul_credentials_free(c);
}

static void a_role_of_the_caller_s_needs_no_environment(void **state)
{
    (void) state;
    char log_text[8192];
    struct haul_error err;
    unsetenv("AWS_ROLE_ARN");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    struct haul_credentials *c =
        haul_credentials_from_web_identity(&(struct haul_role){ .arn = ARN,
                                               .token_file = token_file,
                                               .session_name = "pod",
                                               .external_id = "not with web identity",
                                               .duration_seconds = 900 },
            &err);
    assert_non_null(c);
    services_log(services, ACTION, log_text, sizeof log_text);
    assert_told(log_text, "&RoleSessionName=pod&");
    assert_told(log_text, "&DurationSeconds=900&");
    assert_null(strstr(log_text, "ExternalId"));
    haul_credentials_free(c);
}

/* Case 50. */
static void the_file_is_read_anew_each_time(void **state)
{
    struct haul_error err;
    struct haul_credentials *c = from_environment();
    services_set(services, "identity second-token\nidentity-expired " TOKEN "\n");
    write_token(state, "second-token");
    if (haul_credentials_refresh(c, &err) < 0)
        fail_msg("%s", err.text);
    haul_credentials_free(c);
}

static void a_token_that_has_expired_keeps_the_keys_and_says_so(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_identity before, after;
    struct haul_credentials *c = from_environment();
    haul_credentials_describe(c, &before);
    services_set(services, "identity-expired " TOKEN "\n");
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
    assert_told(err.text, token_file);
    assert_told(err.text, "/token has expired, and whoever writes that file has not yet");
    assert_told(err.text, "answered 400 ExpiredTokenException");
    assert_null(strstr(err.text, TOKEN));
    haul_credentials_describe(c, &after);
    assert_string_equal(before.key_id, after.key_id);
    haul_credentials_free(c);
}

static void a_token_that_sts_does_not_take_is_named_by_its_file(void **state)
{
    write_token(state, "another-token");
    assert_refused(
        NULL, HAUL_NO_CREDENTIALS, "/token is not, or no longer, one that STS takes");
    services_fault(services, ACTION " always status=403 code=IDPRejectedClaim\n");
    assert_refused(NULL, HAUL_NO_CREDENTIALS, "/token is refused by whoever issued it");
}

static void a_role_that_is_denied_is_told_in_sts_s_own_words(void **state)
{
    (void) state;
    services_set(services, "role " ARN " deny\n");
    assert_refused(NULL, HAUL_NO_CREDENTIALS,
        "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity");
}

static void an_issuer_that_sts_can_t_reach_is_asked_for_again(void **state)
{
    (void) state;
    services_fault(services, ACTION " nth=1 status=400 code=IDPCommunicationError\n");
    haul_credentials_free(from_environment());
    assert_int_equal(services_count(services, ACTION), 2);
}

static void a_token_that_sts_quotes_is_not_repeated(void **state)
{
    (void) state;
    services_fault(services,
        ACTION " always status=400 text=%3CErrorResponse%3E%3CError%3E%3CCode%3EValidationError"
               "%3C/Code%3E%3CMessage%3EValue%20'" TOKEN
               "'%20is%20wrong%3C/Message%3E%3C/Error%3E%3C/ErrorResponse%3E\n");
    assert_refused(NULL, HAUL_SERVER, "answered 400 ValidationError");
}

static void files_without_a_token_are_named(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "", "/token, of AWS_WEB_IDENTITY_TOKEN_FILE, is empty" },
        { " \r\n\n", "/token, of AWS_WEB_IDENTITY_TOKEN_FILE, is empty" },
        { "eyJhbGciOi\nsecond line", "has a control character inside" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_token(state, cases[i].text);
        assert_refused(NULL, HAUL_BAD_CONFIG, cases[i].part);
    }
    char *huge = calloc(1, 10 << 20);
    memset(huge, 'x', (10 << 20) - 1);
    write_token(state, huge);
    assert_refused(NULL, HAUL_BAD_CONFIG, "is too large for a token");
    free(huge);
    remove(token_file);
    assert_refused(NULL, HAUL_BAD_CONFIG, "can't be read: No such file or directory");
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", *state, 1);
    assert_refused(NULL, HAUL_BAD_CONFIG, "can't be read: Is a directory");
    assert_int_equal(services_count(services, ""), 0);
}

static void a_variable_without_the_other_is_named(void **state)
{
    (void) state;
    unsetenv("AWS_ROLE_ARN");
    assert_refused(NULL, HAUL_BAD_CONFIG,
        "the environment has AWS_WEB_IDENTITY_TOKEN_FILE without AWS_ROLE_ARN");
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "", 1);
    assert_refused(NULL, HAUL_NO_CREDENTIALS,
        "the environment has no AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE");
    setenv("AWS_ROLE_ARN", ARN, 1);
    assert_refused(NULL, HAUL_BAD_CONFIG,
        "the environment has AWS_ROLE_ARN without AWS_WEB_IDENTITY_TOKEN_FILE");
    assert_refused(&(struct haul_role){ .arn = ARN }, HAUL_BAD_CONFIG,
        "takes a file that holds its token");
    assert_refused(&(struct haul_role){ .arn = "nightly", .token_file = token_file },
        HAUL_BAD_CONFIG, "is no ARN");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_given_for_the_token_and_nothing_else),
        TEST(a_role_of_the_caller_s_needs_no_environment),
        TEST(the_file_is_read_anew_each_time),
        TEST(a_token_that_has_expired_keeps_the_keys_and_says_so),
        TEST(a_token_that_sts_does_not_take_is_named_by_its_file),
        TEST(a_role_that_is_denied_is_told_in_sts_s_own_words),
        TEST(an_issuer_that_sts_can_t_reach_is_asked_for_again),
        TEST(a_token_that_sts_quotes_is_not_repeated),
        TEST(files_without_a_token_are_named),
        TEST(a_variable_without_the_other_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
