/* credentials_instance.c: the keys of an instance's role, the tokens of its metadata service,
 * and what stands in for both when they are not to be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "credentials.h"
#include "services.h"
#include "temp.h"

#define ENDPOINT "AWS_EC2_METADATA_SERVICE_ENDPOINT"
#define MODE "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
#define DISABLED "AWS_EC2_METADATA_DISABLED"
#define TIMEOUT "AWS_METADATA_SERVICE_TIMEOUT"
#define ATTEMPTS "AWS_METADATA_SERVICE_NUM_ATTEMPTS"

struct fixture {
    struct services *services;
    char *home;
};

static int make(void **state)
{
    static const char *const names[] = { ENDPOINT, MODE, DISABLED, TIMEOUT, ATTEMPTS,
        "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE" };
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    f->services = services_start();
    f->home = temp_make();
    setenv("HOME", f->home, 1);
    setenv(ENDPOINT, services_url(f->services), 1);
    setenv(TIMEOUT, "60", 1); /* for machines that are slow today */
    services_set(f->services, "imds.key ASIAINSTANCE s3cr3t t0k3n\n");
    *state = f;
    return 0;
}

static int clear(void **state)
{
    struct fixture *f = *state;
    services_clear(f->services);
    services_stop(f->services);
    temp_remove(f->home);
    free(f);
    return 0;
}

static struct haul_credentials *given(void)
{
    struct haul_error err;
    struct haul_credentials *c = haul_credentials_from_instance(NULL, &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    return c;
}

/* With the seconds that they live, by our clock. */
static int64_t assert_keys(const struct haul_credentials *c, const char *key_id)
{
    struct haul_error err;
    const struct keys *k;
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_string_equal(k->key_id, key_id);
    assert_string_equal(k->secret, "s3cr3t");
    assert_string_equal(k->token, "t0k3n");
    int64_t left_s = (k->expires_ms - k->issuer_offset_ms) / 1000 - time(NULL);
    keys_release(k);
    return left_s;
}

static void assert_given(void)
{
    struct haul_credentials *c = given();
    assert_keys(c, "ASIAINSTANCE");
    haul_credentials_free(c);
}

static void refresh(const struct haul_credentials *c)
{
    struct haul_error err;
    if (haul_credentials_refresh(c, &err) < 0)
        fail_msg("%s", err.text);
}

static struct haul_error refused(enum haul_code code, const char *named)
{
    struct haul_error err;
    if (haul_credentials_from_instance(NULL, &err) != NULL)
        fail_msg("no failure that names %s", named);
    if (err.code != code || strstr(err.text, named) == NULL)
        fail_msg("%s does not name %s: %s", haul_code_name(err.code), named, err.text);
    assert_null(strstr(err.text, "s3cr3t"));
    return err;
}

static void write_config(const struct fixture *f, const char *text)
{
    char *folder = temp_path(f->home, ".aws");
    mkdir(folder, 0700);
    free(temp_write_text(folder, "config", text));
    free(folder);
}

/* ---- Tokens ---- */

/* Case 48. */
static void keys_are_asked_for_with_a_token_of_six_hours(void **state)
{
    const struct fixture *f = *state;
    struct haul_identity who;
    char log[65536];
    services_set(f->services, "imds.lifetime-s 3600\n");
    struct haul_credentials *c = given();
    assert_in_range(assert_keys(c, "ASIAINSTANCE"), 3560, 3601);
    haul_credentials_describe(c, &who);
    assert_string_equal(who.source, "instance");
    assert_string_equal(who.detail, services_url(f->services));
    services_log(f->services, "GetMetadataToken", log, sizeof log);
    assert_non_null(strstr(log, "\"x-aws-ec2-metadata-token-ttl-seconds\": \"21600\""));
    services_log(f->services, "GetInstanceRole", log, sizeof log);
    assert_non_null(strstr(log, "iam/security-credentials/\""));
    services_log(f->services, "GetInstanceKeys", log, sizeof log);
    assert_non_null(strstr(log, "iam/security-credentials/job-role\""));
    assert_non_null(strstr(log, "\"x-aws-ec2-metadata-token\": "));
    assert_int_equal(services_count(f->services, ""), 3);
    haul_credentials_free(c);
}

static void a_token_is_used_until_it_is_stale_and_then_another_one(void **state)
{
    const struct fixture *f = *state;
    struct haul_credentials *c = given();
    refresh(c);
    refresh(c);
    assert_int_equal(services_count(f->services, "GetMetadataToken"), 1);
    services_expire(f->services, "metadata-tokens");
    services_set(f->services, "imds.key ASIANEXT s3cr3t t0k3n\n");
    refresh(c);
    assert_keys(c, "ASIANEXT");
    assert_int_equal(services_count(f->services, "GetMetadataToken"), 2);
    services_fault(f->services, "GetInstanceKeys nth=1 status=401\n"); /* between the two */
    refresh(c);
    assert_int_equal(services_count(f->services, "GetMetadataToken"), 3);
    haul_credentials_free(c);
}

static void a_service_that_takes_no_token_is_not_asked_for_ever(void **state)
{
    const struct fixture *f = *state;
    services_fault(f->services, "GetInstanceRole always status=401\n");
    struct haul_error err = refused(HAUL_SERVER, "answered 401");
    assert_int_equal(err.http_status, 401);
    assert_int_equal(services_count(f->services, "GetMetadataToken"), 2);
}

/* Case 48. */
static void without_a_token_there_is_no_version_1(void **state)
{
    static const struct {
        const char *fault;
        enum haul_code code;
        const char *named;
    } cases[] = {
        { "status=403", HAUL_NO_CREDENTIALS, "answered 403" },
        { "status=404", HAUL_NO_CREDENTIALS, "answered 404" },
        { "status=405", HAUL_NO_CREDENTIALS, "answered 405" },
        { "status=400", HAUL_SERVER, "answered 400" },
        { "status=500", HAUL_SERVER, "answered 500" },
        { "empty", HAUL_BAD_REPLY, "its token is empty" },
        { "text=s3cr3t%01", HAUL_BAD_REPLY, "its token has a control" },
        { "huge", HAUL_TOO_LARGE, "64 KiB" },
        { "reset", HAUL_NO_CREDENTIALS, "not on EC2" },
    };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[128];
        snprintf(line, sizeof line, "GetMetadataToken always %s\n", cases[i].fault);
        services_clear(f->services);
        services_fault(f->services, line);
        refused(cases[i].code, cases[i].named);
    }
    assert_int_equal(services_count(f->services, "GetInstanceRole"), 0);
    assert_int_equal(services_count(f->services, "GetInstanceKeys"), 0);
}

/* ---- Roles and keys ---- */

static void an_instance_without_a_role_has_no_keys(void **state)
{
    const struct fixture *f = *state;
    services_set(f->services, "imds.role -\n");
    refused(HAUL_NO_CREDENTIALS, "the instance has no role");
    services_fault(f->services, "GetInstanceRole always empty\n");
    services_set(f->services, "imds.role job-role\n");
    refused(HAUL_NO_CREDENTIALS, "the instance has no role");
}

static void of_several_roles_the_first_is_taken(void **state)
{
    const struct fixture *f = *state;
    services_fault(f->services, "GetInstanceRole always text=job-role%0D%0Aother%0A\n");
    assert_given();
    services_clear(f->services);
    services_set(f->services, "imds.role a+b=c,d.e@f_g-h\n"); /* all that IAM lets in */
    assert_given();
    services_fault(f->services, "GetInstanceRole always text=../../x\n");
    refused(HAUL_BAD_REPLY, "no role");
}

static void answers_that_make_no_sense_are_told(void **state)
{
    static const struct {
        const char *fault;
        enum haul_code code;
        const char *named;
    } cases[] = {
        { "malformed", HAUL_BAD_REPLY, "no JSON object" },
        { "empty", HAUL_BAD_REPLY, "no JSON object" },
        { "without=AccessKeyId", HAUL_BAD_REPLY, "AccessKeyId is missing" },
        { "without=SecretAccessKey", HAUL_BAD_REPLY, "SecretAccessKey is missing" },
        { "expires=soon", HAUL_BAD_REPLY, "Expiration is no time" },
        { "huge", HAUL_TOO_LARGE, "64 KiB" },
        { "status=404", HAUL_SERVER, "answered 404" },
        { "status=500", HAUL_SERVER, "answered 500" },
    };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[128];
        snprintf(line, sizeof line, "GetInstanceKeys always %s\n", cases[i].fault);
        services_clear(f->services);
        services_fault(f->services, line);
        refused(cases[i].code, cases[i].named);
    }
    services_clear(f->services);
    services_set(f->services, "imds.code AssumeRoleUnauthorizedAccess\n");
    refused(HAUL_SERVER, "AssumeRoleUnauthorizedAccess: EC2 cannot assume the role job-role");
}

static void keys_that_come_expired_are_used_for_ten_minutes(void **state)
{
    const struct fixture *f = *state;
    services_fault(f->services, "GetInstanceKeys always expires-s=-3600\n");
    struct haul_credentials *c = given();
    assert_in_range(assert_keys(c, "ASIAINSTANCE"), 560, 601);
    haul_credentials_free(c);
    services_clear(f->services);
    services_set(f->services, "clock.skew-s 7200\n"); /* expired by their clock alone */
    services_fault(f->services, "GetInstanceKeys always expires-s=-60\n");
    c = given();
    assert_in_range(assert_keys(c, "ASIAINSTANCE"), 560, 601);
    haul_credentials_free(c);
}

static void what_fails_later_leaves_the_keys_as_they_are(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    struct haul_credentials *c = given();
    services_fault(f->services, "imds always status=500\n");
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_int_equal(err.code, HAUL_SERVER);
    assert_keys(c, "ASIAINSTANCE");
    services_clear(f->services);
    refresh(c);
    haul_credentials_free(c);
}

/* ---- Settings ---- */

/* Case 48. */
static void disabled_means_that_nobody_is_asked(void **state)
{
    static const char *const yes[] = { "true", "TRUE", "True" };
    static const char *const no[] = { "false", "", "1", "yes" };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        setenv(DISABLED, yes[i], 1);
        refused(HAUL_NO_CREDENTIALS, DISABLED);
    }
    assert_int_equal(services_count(f->services, ""), 0);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        setenv(DISABLED, no[i], 1);
        assert_given();
    }
}

/* Case 48. */
static void a_slow_service_is_asked_as_often_and_as_long_as_is_said(void **state)
{
    static const struct {
        const char *attempts;
        unsigned asked;
    } cases[] = { { NULL, 1 }, { "", 1 }, { "3", 3 } };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        services_clear(f->services);
        services_control(f->services, "POST", "reset", "", NULL, 0);
        services_fault(f->services, "GetMetadataToken always status=503\n");
        if (cases[i].attempts != NULL)
            setenv(ATTEMPTS, cases[i].attempts, 1);
        refused(HAUL_SERVER, "answered 503");
        assert_int_equal(services_count(f->services, "GetMetadataToken"), cases[i].asked);
    }
    services_clear(f->services);
    services_fault(f->services, "GetMetadataToken nth=1 delay-ms=1500\n");
    unsetenv(ATTEMPTS);
    unsetenv(TIMEOUT);
    refused(HAUL_NO_CREDENTIALS, "hop limit"); /* a second, once */
    services_clear(f->services);
    services_fault(f->services, "GetMetadataToken nth=1 delay-ms=1500\n");
    setenv(TIMEOUT, "60", 1);
    assert_given();
}

static void the_url_is_the_callers_else_the_environments_else_the_profiles(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    const char *url = services_url(f->services);
    char config[256];
    struct haul_credentials *c;
    setenv(ENDPOINT, "http://127.0.0.1:1", 1);
    c = haul_credentials_from_instance(url, &err);
    assert_non_null(c);
    haul_credentials_free(c);
    refused(HAUL_NO_CREDENTIALS, "http://127.0.0.1:1");
    snprintf(config, sizeof config, "[profile x]\nec2_metadata_service_endpoint = %s/\n", url);
    write_config(f, config);
    setenv("AWS_PROFILE", "x", 1);
    refused(HAUL_NO_CREDENTIALS, "http://127.0.0.1:1");
    unsetenv(ENDPOINT);
    setenv(MODE, "IPv6", 1); /* says less than an endpoint */
    assert_given();
    write_config(f, "[profile x]\nmetadata_service_num_attempts = 2\n");
    setenv(ENDPOINT, url, 1);
    services_fault(f->services, "GetMetadataToken nth=1 status=500\n");
    assert_given();
}

static void settings_that_make_no_sense_are_named(void **state)
{
    static const struct {
        const char *name, *value, *named;
    } cases[] = {
        { MODE, "ipv5", "neither IPv4 nor IPv6" },
        { TIMEOUT, "0", "no number from 1 to 3600" },
        { TIMEOUT, "-1", "no number" },
        { TIMEOUT, "1s", "no number" },
        { TIMEOUT, "99999999999999999999", "no number" },
        { ATTEMPTS, "0", "no number from 1 to 100" },
        { ENDPOINT, "ftp://x", "the instance metadata service: " },
        { ENDPOINT, "http://u:s3cr3t@x", "the instance metadata service: " },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, MODE) == 0)
            unsetenv(ENDPOINT);
        setenv(cases[i].name, cases[i].value, 1);
        refused(HAUL_BAD_CONFIG, cases[i].named);
        unsetenv(cases[i].name);
        setenv(ENDPOINT, "http://127.0.0.1:1", 1);
    }
}

static void a_proxy_is_never_asked(void **state)
{
    (void) state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    assert_given();
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
    const struct CMUnitTest tests[] = {
        TEST(keys_are_asked_for_with_a_token_of_six_hours),
        TEST(a_token_is_used_until_it_is_stale_and_then_another_one),
        TEST(a_service_that_takes_no_token_is_not_asked_for_ever),
        TEST(without_a_token_there_is_no_version_1),
        TEST(an_instance_without_a_role_has_no_keys),
        TEST(of_several_roles_the_first_is_taken),
        TEST(answers_that_make_no_sense_are_told),
        TEST(keys_that_come_expired_are_used_for_ten_minutes),
        TEST(what_fails_later_leaves_the_keys_as_they_are),
        TEST(disabled_means_that_nobody_is_asked),
        TEST(a_slow_service_is_asked_as_often_and_as_long_as_is_said),
        TEST(the_url_is_the_callers_else_the_environments_else_the_profiles),
        TEST(settings_that_make_no_sense_are_named),
        TEST(a_proxy_is_never_asked),
    };
    return cmocka_run_group_tests_name("credentials_instance", tests, NULL, NULL);
}
