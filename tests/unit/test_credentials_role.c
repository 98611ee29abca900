/* credentials_role.c and sts.c: what STS is asked, where, and what comes of its answers. */
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
#define ARN "arn:aws:iam::123456789012:role/"
#define USER_SECRET "wJalr+XUtnFEMI/K7MDENG"

static struct services *services;
static char log_text[65536];

/* STS where AWS_ENDPOINT_URL_STS says, and a user of its. */
static int setup(void **state)
{
    home_make(state);
    services = services_start();
    services_set(services, "key AKIDUSER " USER_SECRET "\n");
    return setenv("AWS_ENDPOINT_URL_STS", services_url(services), 1);
}

static int teardown(void **state)
{
    services_stop(services);
    return home_remove(state);
}

static struct haul_credentials *user(void)
{
    struct haul_error err;
    struct haul_credentials *c = haul_credentials_static("AKIDUSER", USER_SECRET, NULL, &err);
    assert_non_null(c);
    return c;
}

static struct haul_credentials *assume(const struct haul_role *role)
{
    struct haul_error err;
    struct haul_credentials *c = haul_credentials_from_role(user(), role, &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    return c;
}

static struct haul_identity describe(const struct haul_credentials *c)
{
    struct haul_identity id;
    haul_credentials_describe(c, &id);
    return id;
}

static void assert_told(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("%s: lacks %s", text, part);
}

/* Asking for this role fails, and what is said has that part and no secret. */
static struct haul_error assert_refused(
    const struct haul_role *role, enum haul_code code, const char *part)
{
    struct haul_error err;
    struct haul_credentials *c = haul_credentials_from_role(user(), role, &err);
    assert_null(c);
    assert_told(err.text, part);
    assert_null(strstr(err.text, USER_SECRET));
    assert_null(strchr(err.text, '\n'));
    if (err.code != code)
        fail_msg("%s: %s", err.text, haul_code_name(err.code));
    return err;
}

/* What STS was sent last, in its log. */
static const char *last_form(void)
{
    services_log(services, "AssumeRole", log_text, sizeof log_text);
    char *end = strrchr(log_text, '\n');
    assert_non_null(end);
    *end = '\0';
    char *line = strrchr(log_text, '\n');
    return line ? line + 1 : log_text;
}

/* ---- What is asked ---- */

static void keys_are_those_that_sts_gives_for_a_while(void **state)
{
    (void) state;
    struct haul_error err;
    const struct keys *k;
    struct haul_credentials *c = assume(&(struct haul_role){ .arn = ARN "nightly" });
    struct haul_identity id = describe(c);
    assert_string_equal(id.source, "role");
    assert_string_equal(id.detail, ARN "nightly");
    assert_true(id.expires_ms > 0);
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_string_equal(k->key_id, id.key_id);
    assert_string_equal(k->secret, "nightly/secret+1/ssssssssssssssssssss");
    assert_string_equal(
        k->token, "nightly/token+1//tttttttttttttttttttttttttttttttttttttttt==");
    keys_release(k);
    assert_told(last_form(), "application/x-www-form-urlencoded; charset=utf-8");
    assert_told(last_form(),
        "\"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fnightly&"
        "RoleSessionName=haul-");
    assert_null(strstr(last_form(), "DurationSeconds"));
    assert_null(strstr(last_form(), "ExternalId"));
    haul_credentials_free(c);
}

static void a_role_may_want_an_external_id_and_a_duration(void **state)
{
    (void) state;
    struct haul_role role = { .arn = ARN "partner", .duration_seconds = 1800 };
    services_set(services, "role " ARN "partner external-id=a/b:c@d\n");
    assert_refused(&role, HAUL_NO_CREDENTIALS, "AccessDenied");
    role.external_id = "a/b:c@d";
    haul_credentials_free(assume(&role));
    assert_told(last_form(), "&ExternalId=a%2Fb%3Ac%40d&");
    assert_told(last_form(), "&DurationSeconds=1800&");
}

static void a_session_has_a_name(void **state)
{
    (void) state;
    struct haul_role role = { .arn = ARN "nightly" };
    setenv("AWS_ROLE_SESSION_NAME", "from-environment", 1);
    haul_credentials_free(assume(&role));
    assert_told(last_form(), "RoleSessionName=from-environment&");
    role.session_name = "me@host,=+._";
    haul_credentials_free(assume(&role));
    assert_told(last_form(), "RoleSessionName=me%40host%2C%3D%2B._&");
}

static void a_session_s_name_that_sts_would_not_take_is_refused_early(void **state)
{
    (void) state;
    static const char *const names[] = { "a", "a b", "a/b", "ü1",
        "12345678901234567890123456789012345678901234567890123456789012345" };
    struct haul_role role = { .arn = ARN "nightly" };
    for (size_t i = 0; i < COUNT(names); i++) {
        role.session_name = names[i];
        assert_refused(&role, HAUL_BAD_CONFIG, "the role's session name");
    }
    role.session_name = NULL;
    setenv("AWS_ROLE_SESSION_NAME", "a b", 1);
    assert_refused(&role, HAUL_BAD_CONFIG, "AWS_ROLE_SESSION_NAME");
    assert_int_equal(services_count(services, ""), 0);
}

static void what_is_plainly_no_arn_is_refused_early(void **state)
{
    (void) state;
    static const char *const arns[] = { NULL, "", "nightly", "role/nightly", "arn: a",
        "arn:\n" };
    for (size_t i = 0; i < COUNT(arns); i++)
        assert_refused(&(struct haul_role){ .arn = arns[i] }, HAUL_BAD_CONFIG,
            "is no ARN: expected arn:aws:iam::ACCOUNT:role/NAME");
    assert_int_equal(services_count(services, ""), 0);
}

static void the_strings_of_a_role_are_copied(void **state)
{
    (void) state;
    struct haul_error err;
    char arn[] = ARN "nightly", name[] = "session";
    struct haul_credentials *c =
        assume(&(struct haul_role){ .arn = arn, .session_name = name });
    memset(arn, 'x', sizeof arn - 1);
    memset(name, 'x', sizeof name - 1);
    assert_int_equal(haul_credentials_refresh(c, &err), 0);
    assert_told(last_form(), "%2Fnightly&RoleSessionName=session&");
    haul_credentials_free(c);
}

/* ---- Where ---- */

/* Nothing gets to AWS: the proxy is not there. What is said names the host. */
static void without_an_url_sts_is_the_region_s_own(void **state)
{
    (void) state;
    static const struct {
        const char *region, *fips, *host;
    } cases[] = {
        { NULL, "false", "way to https://sts.us-east-1.amazonaws.com:" },
        { "eu-central-1", "false", "way to https://sts.eu-central-1.amazonaws.com:" },
        { "us-east-2", "true", "way to https://sts-fips.us-east-2.amazonaws.com:" },
        { "us-gov-west-1", "true", "way to https://sts.us-gov-west-1.amazonaws.com:" },
        { "cn-north-1", "false", "way to https://sts.cn-north-1.amazonaws.com.cn:" },
    };
    unsetenv("AWS_ENDPOINT_URL_STS");
    setenv("no_proxy", "", 1);
    setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        setenv("AWS_USE_FIPS_ENDPOINT", cases[i].fips, 1);
        assert_refused(&(struct haul_role){ .arn = ARN "nightly", .region = cases[i].region },
            HAUL_NETWORK, cases[i].host);
    }
    unsetenv("HTTPS_PROXY");
    setenv("no_proxy", "*", 1);
    assert_refused(&(struct haul_role){ .arn = ARN "nightly", .region = "evil.com/" },
        HAUL_BAD_CONFIG, "is not a region's name");
}

static void the_role_s_own_url_goes_first_and_an_empty_one_is_aws(void **state)
{
    (void) state;
    struct haul_role role = { .arn = ARN "nightly", .sts_url = services_url(services) };
    setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1", 1);
    haul_credentials_free(assume(&role));
    assert_int_equal(services_count(services, "AssumeRole"), 1);
    setenv("no_proxy", "", 1);
    setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
    role.sts_url = "";
    assert_refused(&role, HAUL_NETWORK, "way to https://sts.us-east-1.amazonaws.com:");
    unsetenv("HTTPS_PROXY");
    setenv("no_proxy", "*", 1);
}

static void region_of_role_and_profile_are_signed_for(void **state)
{
    struct haul_role role = { .arn = ARN "nightly" };
    services_set(services, "sts.region eu-west-3\n");
    home_write(state, ".aws/config", "[default]\nregion = eu-west-3\n");
    haul_credentials_free(assume(&role));
    role.region = "eu-west-2";
    assert_refused(&role, HAUL_NO_CREDENTIALS, "SignatureDoesNotMatch");
}

static void aws_s_limits_of_a_duration_hold_at_aws_alone(void **state)
{
    (void) state;
    static const unsigned wrong[] = { 1, 899, 43201 };
    struct haul_role role = { .arn = ARN "nightly" };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        role.duration_seconds = wrong[i];
        role.sts_url = "";
        assert_refused(&role, HAUL_BAD_CONFIG, "STS takes 900 to 43200");
        role.sts_url = NULL;
        assert_refused(&role, HAUL_SERVER, "answered 400 ValidationError: 1 validation error");
    }
    assert_int_equal(services_count(services, "AssumeRole"), COUNT(wrong));
}

/* ---- What comes of it ---- */

static void a_refusal_is_told_in_sts_s_own_words(void **state)
{
    (void) state;
    services_set(services, "role " ARN "other deny\n");
    struct haul_error err = assert_refused(&(struct haul_role){ .arn = ARN "other" },
        HAUL_NO_CREDENTIALS, "STS (role " ARN "other) at http://");
    assert_told(err.text, services_url(services));
    assert_told(err.text,
        "answered 403 AccessDenied: User: arn:aws:iam::123456789012:user/AKIDUSER is not "
        "authorized to perform: sts:AssumeRole on resource: " ARN "other");
    assert_int_equal(err.http_status, 403);
    assert_string_equal(err.aws_code, "AccessDenied");
    assert_int_equal(services_count(services, "AssumeRole"), 1);
}

/* A canonical request that it shows has the caller's session token. */
static void a_session_token_that_sts_quotes_is_not_repeated(void **state)
{
    struct haul_error err;
    (void) state;
    services_set(services, "key ASIAUSER " USER_SECRET " IQoJb3JpZ2luX2VjE\n");
    services_fault(services,
        "AssumeRole always status=400 text=%3CErrorResponse%3E%3CError%3E%3CCode%3EC%3C/Code%3E"
        "%3CMessage%3Ex-amz-security-token:IQoJb3JpZ2luX2VjE%3C/Message%3E%3C/Error%3E"
        "%3C/ErrorResponse%3E\n");
    struct haul_credentials *base =
        haul_credentials_static("ASIAUSER", USER_SECRET, "IQoJb3JpZ2luX2VjE", &err);
    assert_null(
        haul_credentials_from_role(base, &(struct haul_role){ .arn = ARN "nightly" }, &err));
    assert_told(err.text, "answered 400 C: x-amz-security-token:...");
    assert_null(strstr(err.text, "IQoJ"));
}

static void answers_that_make_no_sense_are_refused(void **state)
{
    (void) state;
    static const struct {
        const char *fault, *part;
        enum haul_code code;
    } cases[] = {
        { "malformed", "not well-formed XML", HAUL_BAD_REPLY },
        { "empty", "the reply's XML is missing", HAUL_BAD_REPLY },
        { "huge", "its answer is over 64 KiB", HAUL_TOO_LARGE },
        { "text=%3Chtml/%3E", "its answer has no AccessKeyId", HAUL_BAD_REPLY },
        { "text=%7B%7D", "not well-formed XML", HAUL_BAD_REPLY },
        { "without=AccessKeyId", "its answer has no AccessKeyId", HAUL_BAD_REPLY },
        { "without=SecretAccessKey", "its answer has no SecretAccessKey", HAUL_BAD_REPLY },
        { "without=Token", "its answer has no SessionToken", HAUL_BAD_REPLY },
        { "without=Expiration", "its answer has no Expiration", HAUL_BAD_REPLY },
        { "expires=soon", "its Expiration is no time", HAUL_BAD_REPLY },
        { "expires-s=-60", "have expired", HAUL_NO_CREDENTIALS },
        { "status=302 location=http://127.0.0.1:1/", "answered 302", HAUL_SERVER },
        { "status=400 code=RegionDisabledException", "RegionDisabledException", HAUL_SERVER },
        { "status=404 code=NoSuchEntity", "answered 404 NoSuchEntity", HAUL_NO_CREDENTIALS },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char fault[128];
        snprintf(fault, sizeof fault, "AssumeRole always %s\n", cases[i].fault);
        services_fault(services, fault);
        assert_refused(
            &(struct haul_role){ .arn = ARN "nightly" }, cases[i].code, cases[i].part);
        services_clear(services);
    }
}

static void what_passes_is_asked_again(void **state)
{
    (void) state;
    static const char *const faults[] = { "reset", "status=500", "status=503",
        "status=400 code=Throttling", "truncate=40" };
    for (size_t i = 0; i < COUNT(faults); i++) {
        char fault[128];
        snprintf(fault, sizeof fault, "AssumeRole nth=1 %s\n", faults[i]);
        services_fault(services, fault);
        haul_credentials_free(assume(&(struct haul_role){ .arn = ARN "nightly" }));
        services_clear(services);
    }
    assert_int_equal(services_count(services, "AssumeRole"), 2 * COUNT(faults));
}

static void keys_expire_by_sts_s_clock(void **state)
{
    (void) state;
    struct haul_error err;
    const struct keys *k;
    /* By ours they have expired as soon as they are there. */
    services_set(services, "clock.skew-s -600\nsts.lifetime-s 300\n");
    struct haul_credentials *c = assume(&(struct haul_role){ .arn = ARN "nightly" });
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_false(keys_have_expired(k, -1));
    keys_release(k);
    assert_int_equal(services_count(services, "AssumeRole"), 1);
    haul_credentials_free(c);
}

static void a_clock_that_is_off_by_hours_is_made_up_for(void **state)
{
    (void) state;
    services_set(services, "clock.skew-s 7200\n");
    haul_credentials_free(assume(&(struct haul_role){ .arn = ARN "nightly" }));
    assert_int_equal(services_count(services, "AssumeRole"), 2);
}

/* ---- The base ---- */

static void without_a_base_nothing_is_said(void **state)
{
    (void) state;
    struct haul_error err = { .code = HAUL_LOCAL };
    assert_null(haul_credentials_from_role(NULL, &(struct haul_role){ .arn = "x" }, &err));
    assert_int_equal(err.code, HAUL_LOCAL);
}

static void a_base_without_a_secret_or_a_name_is_refused(void **state)
{
    (void) state;
    struct haul_error err;
    const struct haul_role role = { .arn = ARN "nightly" };
    assert_null(haul_credentials_from_role(
        haul_credentials_static("AKIDUSER", NULL, NULL, &err), &role, &err));
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
    assert_null(haul_credentials_from_role(haul_credentials_anonymous(&err), &role, &err));
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
    assert_told(err.text, "anonymous");
    assert_int_equal(services_count(services, ""), 0);
}

static struct haul_credentials *chain(void)
{
    struct haul_error err;
    struct haul_credentials *c =
        haul_credentials_from_role(assume(&(struct haul_role){ .arn = ARN "first" }),
            &(struct haul_role){ .arn = ARN "second" }, &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    return c;
}

static void a_role_can_lead_to_another(void **state)
{
    (void) state;
    services_set(services, "role " ARN "second trust=:assumed-role/first/\n");
    assert_refused(
        &(struct haul_role){ .arn = ARN "second" }, HAUL_NO_CREDENTIALS, "AccessDenied");
    struct haul_credentials *c = chain();
    assert_string_equal(describe(c).detail, ARN "second");
    haul_credentials_free(c);
}

static void a_base_whose_keys_have_expired_is_asked_for_others_once(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_credentials *c = chain();
    services_expire(services, "ASIAFIRST00000000001");
    if (haul_credentials_refresh(c, &err) < 0)
        fail_msg("%s", err.text);
    /* first, second; second is refused, first, second */
    assert_int_equal(services_count(services, "AssumeRole"), 5);
    haul_credentials_free(c);
}

static void a_base_that_never_changes_is_not_asked_twice(void **state)
{
    (void) state;
    struct haul_error err;
    services_set(services, "key AKIDOLD oldsecret oldtoken 600\n");
    struct haul_credentials *c = haul_credentials_from_role(
        haul_credentials_static("AKIDOLD", "oldsecret", "oldtoken", &err),
        &(struct haul_role){ .arn = ARN "nightly" }, &err);
    assert_non_null(c);
    services_expire(services, "AKIDOLD");
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
    assert_told(err.text, "answered 403 ExpiredToken");
    assert_null(strstr(err.text, "oldsecret"));
    assert_null(strstr(err.text, "oldtoken"));
    assert_int_equal(services_count(services, "AssumeRole"), 2);
    haul_credentials_free(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_those_that_sts_gives_for_a_while),
        TEST(a_role_may_want_an_external_id_and_a_duration),
        TEST(a_session_has_a_name),
        TEST(a_session_s_name_that_sts_would_not_take_is_refused_early),
        TEST(what_is_plainly_no_arn_is_refused_early),
        TEST(the_strings_of_a_role_are_copied),
        TEST(without_an_url_sts_is_the_region_s_own),
        TEST(the_role_s_own_url_goes_first_and_an_empty_one_is_aws),
        TEST(region_of_role_and_profile_are_signed_for),
        TEST(aws_s_limits_of_a_duration_hold_at_aws_alone),
        TEST(a_refusal_is_told_in_sts_s_own_words),
        TEST(a_session_token_that_sts_quotes_is_not_repeated),
        TEST(answers_that_make_no_sense_are_refused),
        TEST(what_passes_is_asked_again),
        TEST(keys_expire_by_sts_s_clock),
        TEST(a_clock_that_is_off_by_hours_is_made_up_for),
        TEST(without_a_base_nothing_is_said),
        TEST(a_base_without_a_secret_or_a_name_is_refused),
        TEST(a_role_can_lead_to_another),
        TEST(a_base_whose_keys_have_expired_is_asked_for_others_once),
        TEST(a_base_that_never_changes_is_not_asked_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
