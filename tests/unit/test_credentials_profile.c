/* credentials_profile.c: what a profile leads to, by which other profiles, and what is refused.
 * The services behind it are those of services.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "credentials.h"
#include "home.h"
#include "services.h"
#include "temp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ARN "arn:aws:iam::123456789012:role/"
#define BASE "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = hush-base\n"

static struct services *services;

static int start(void **state)
{
    (void) state;
    services = services_start();
    services_set(services, "key AKIDBASE hush-base\nidentity hush-identity\n");
    return 0;
}

static int stop(void **state)
{
    (void) state;
    services_stop(services);
    return 0;
}

static int make_home(void **state)
{
    int rc = home_make(state);
    setenv("AWS_ENDPOINT_URL_STS", services_url(services), 1);
    setenv("AWS_ENDPOINT_URL_SSO", services_url(services), 1);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", services_url(services), 1);
    services_control(services, "POST", "reset", "", NULL, 0);
    return rc;
}

static struct haul_credentials *make(const char *profile, const char *file)
{
    struct haul_error err;
    struct haul_credentials *c = haul_credentials_from_profile(profile, file, &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    return c;
}

static void assert_keys(
    const struct haul_credentials *c, const char *key_id, const char *secret, const char *token)
{
    struct haul_error err;
    const struct keys *k;
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_string_equal(k->key_id, key_id);
    assert_string_equal(k->secret, secret);
    assert_string_equal(k->token ? k->token : "(none)", token ? token : "(none)");
    keys_release(k);
}

/* Frees them. */
static void assert_source(struct haul_credentials *c, const char *source, const char *profile)
{
    struct haul_identity who;
    haul_credentials_describe(c, &who);
    assert_string_equal(who.source, source);
    assert_string_equal(who.profile, profile);
    haul_credentials_free(c);
}

static void assert_refused(
    const char *profile, const char *file, enum haul_code code, const char *says)
{
    struct haul_error err;
    assert_null(haul_credentials_from_profile(profile, file, &err));
    if (err.code != code || strstr(err.text, says) == NULL || strstr(err.text, "hush") != NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", haul_code_name(err.code), err.text, says);
}

/* ---- Keys in a file ---- */

static void keys_in_a_file_are_told_by_their_place(void **state)
{
    char detail[300];
    struct haul_identity who;
    home_write(state, ".aws/credentials",
        "\xEF\xBB\xBF# all of it\r\n\r\n[ x ] ; mine\r\n  AWS_Access_Key_Id\t=  AKIDX # id\r\n"
        "  aws_secret_access_key=hush=/+\r\n  aws_session_token = wrong\r\n[y]\r\n"
        "region = z\r\n[x]\r\naws_session_token = hush-token");
    struct haul_credentials *c = make("x", NULL);
    assert_keys(c, "AKIDX", "hush=/+", "hush-token");
    haul_credentials_describe(c, &who);
    snprintf(detail, sizeof detail, "[x] in %s/.aws/credentials", (char *) *state);
    assert_string_equal(who.detail, detail);
    assert_string_equal(who.key_id, "AKIDX");
    assert_int_equal(who.expires_ms, -1);
    assert_source(c, "profile", "x");
}

static void the_profile_and_the_file_are_those_of_the_environment_or_the_callers(void **state)
{
    home_write(state, ".aws/config", BASE);
    home_write(state, "own", "[base]\naws_access_key_id = OWN\naws_secret_access_key = hush\n");
    setenv("AWS_PROFILE", "base", 1);
    struct haul_credentials *c = make(NULL, NULL);
    assert_keys(c, "AKIDBASE", "hush-base", NULL);
    assert_source(c, "profile", "base");
    c = make(NULL, "~/own");
    assert_keys(c, "OWN", "hush", NULL);
    haul_credentials_free(c);
    setenv("AWS_CONFIG_FILE", "~/own", 1);
    assert_refused("base", NULL, HAUL_NO_CREDENTIALS, "there is no profile \"base\", nor");
}

/* Case 46. */
static void keys_of_two_sections_are_never_mixed(void **state)
{
    home_write(state, ".aws/credentials",
        "[x]\naws_access_key_id = id\n[y]\naws_session_token = hush\n");
    home_write(state, ".aws/config",
        "[profile x]\naws_access_key_id = id\naws_secret_access_key = hush\n"
        "[profile y]\naws_access_key_id = id\naws_secret_access_key = hush\n");
    assert_refused("x", NULL, HAUL_NO_CREDENTIALS, "[x] in ");
    assert_refused("x", NULL, HAUL_NO_CREDENTIALS, "aws_secret_access_key is missing");
    assert_refused("y", NULL, HAUL_NO_CREDENTIALS, "aws_access_key_id is missing");
}

static void a_file_that_is_replaced_gives_its_new_keys_when_asked(void **state)
{
    struct haul_error err;
    char *path = temp_path(*state, ".aws/credentials"), *next = temp_path(*state, "next");
    home_write(state, ".aws/credentials",
        "[x]\naws_access_key_id = one\naws_secret_access_key = hush1\n");
    struct haul_credentials *c = make("x", NULL);
    home_write(state, "next",
        "[y]\n[x]\naws_access_key_id = two\naws_secret_access_key = hush2\n"
        "aws_session_token = hush3\n");
    assert_int_equal(rename(next, path), 0);
    assert_keys(c, "one", "hush1", NULL);
    assert_int_equal(haul_credentials_refresh(c, &err), 0);
    assert_keys(c, "two", "hush2", "hush3");

    home_write(state, ".aws/credentials", "[x]\naws_access_key_id = three\n");
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
    assert_non_null(strstr(err.text, "aws_secret_access_key is missing"));
    home_write(state, ".aws/credentials", "[x]\naws_access_key_id = three\nhush\n");
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_CONFIG);
    assert_int_equal(remove(path), 0);
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_keys(c, "two", "hush2", "hush3");
    haul_credentials_free(c);
    free(path);
    free(next);
}

static void a_profile_that_has_no_keys_says_where_it_looked(void **state)
{
    char files[300];
    snprintf(files, sizeof files, "%s/.aws/credentials and %s/.aws/config", (char *) *state,
        (char *) *state);
    assert_refused("prod", NULL, HAUL_NO_CREDENTIALS, "there is no profile \"prod\", nor any");
    assert_refused("prod", NULL, HAUL_NO_CREDENTIALS, files);
    home_write(state, ".aws/config", "[profile production]\nregion = x\n[default]\n");
    assert_refused("prod", NULL, HAUL_NO_CREDENTIALS, "there are \"production\", \"default\"");
    assert_refused("prod", NULL, HAUL_NO_CREDENTIALS, files);
    assert_refused("production", NULL, HAUL_NO_CREDENTIALS, "aws configure --profile");
    assert_refused(NULL, NULL, HAUL_NO_CREDENTIALS, "profile \"default\" of ");
    assert_refused("x", "~/none", HAUL_NO_CREDENTIALS, "/none");
    assert_refused("x", *state, HAUL_BAD_CONFIG, "can't be read");
}

/* ---- Roles ---- */

static void a_role_is_taken_with_the_keys_of_its_source_profile(void **state)
{
    char log[10000];
    struct haul_identity who;
    home_write(state, ".aws/config",
        BASE "[profile x]\nrole_arn = " ARN "job\nsource_profile = base\n"
             "role_session_name = me\nexternal_id = outer\nduration_seconds = 900\n");
    struct haul_credentials *c = make("x", NULL);
    haul_credentials_describe(c, &who);
    assert_true(strncmp(who.key_id, "ASIA", 4) == 0);
    assert_non_null(strstr(who.detail, ARN "job"));
    assert_true(who.expires_ms > 0);
    assert_source(c, "role", "x");
    services_log(services, "AssumeRole", log, sizeof log);
    assert_non_null(strstr(log, "AKIDBASE"));
    assert_non_null(strstr(log, "RoleSessionName=me"));
    assert_non_null(strstr(log, "ExternalId=outer"));
    assert_non_null(strstr(log, "DurationSeconds=900"));
}

static void roles_are_taken_one_with_the_keys_of_the_next(void **state)
{
    char log[10000];
    home_write(state, ".aws/config",
        BASE "[profile a]\nrole_arn = " ARN "first\nsource_profile = b\n"
             "[profile b]\nrole_arn = " ARN "second\nsource_profile = base\n");
    services_set(services, "role " ARN "first trust=assumed-role/second\n");
    assert_source(make("a", NULL), "role", "a");
    assert_int_equal(services_count(services, "AssumeRole"), 2);
    services_log(services, "AssumeRole", log, sizeof log);
    assert_non_null(strstr(log, "second"));
}

static void keys_of_a_source_profile_go_before_its_role(void **state)
{
    home_write(state, ".aws/config",
        "[profile a]\nrole_arn = " ARN "job\nsource_profile = b\n"
        "[profile b]\nrole_arn = " ARN "never\nsource_profile = a\n");
    home_write(state, ".aws/credentials",
        "[b]\naws_access_key_id = AKIDBASE\naws_secret_access_key = hush-base\n");
    assert_source(make("a", NULL), "role", "a");
    assert_int_equal(services_count(services, "AssumeRole"), 1);
}

static void a_profile_with_keys_may_name_itself(void **state)
{
    home_write(
        state, ".aws/config", "[profile a]\nrole_arn = " ARN "job\nsource_profile = a\n");
    home_write(state, ".aws/credentials",
        "[a]\naws_access_key_id = AKIDBASE\naws_secret_access_key = hush-base\n");
    assert_source(make("a", NULL), "role", "a");
    assert_int_equal(services_count(services, "AssumeRole"), 1);
}

/* Case 50. */
static void profiles_that_lead_back_are_told_by_their_path(void **state)
{
    static const struct {
        const char *sources; /* of a, b, c and d */
        const char *path;
    } cycles[] = {
        { "a", ": a -> a" },
        { "ba", ": a -> b -> a" },
        { "bb", ": a -> b -> b" },
        { "bca", ": a -> b -> c -> a" },
        { "bcdb", ": a -> b -> c -> d -> b" },
    };
    for (size_t i = 0; i < COUNT(cycles); i++) {
        char text[1000] = "";
        for (size_t n = 0; n < strlen(cycles[i].sources); n++)
            snprintf(text + strlen(text), sizeof text - strlen(text),
                "[profile %c]\nrole_arn = " ARN "job\nsource_profile = %c\n", (int) ('a' + n),
                cycles[i].sources[n]);
        home_write(state, ".aws/config", text);
        assert_refused("a", NULL, HAUL_BAD_CONFIG, cycles[i].path);
    }
    assert_int_equal(services_count(services, ""), 0);
}

/* Case 50. */
static void a_chain_has_an_end(void **state)
{
    char text[5000] = "";
    for (int n = 1; n <= 17; n++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
            "[profile p%d]\nrole_arn = " ARN "job\nsource_profile = p%d\n", n, n + 1);
    snprintf(text + strlen(text), sizeof text - strlen(text),
        "[profile p18]\naws_access_key_id = AKIDBASE\naws_secret_access_key = hush-base\n");
    home_write(state, ".aws/config", text);
    assert_refused("p1", NULL, HAUL_BAD_CONFIG, "over 16 profiles in a row");
    assert_int_equal(services_count(services, ""), 0);
    assert_source(make("p4", NULL), "role", "p4");
    assert_int_equal(services_count(services, "AssumeRole"), 14);
}

static void a_role_is_taken_with_the_keys_of_a_service_or_the_environment(void **state)
{
    static const char *const sources[] = { "Environment", "Ec2InstanceMetadata",
        "EcsContainer" };
    char text[200], log[10000];
    setenv("AWS_ACCESS_KEY_ID", "AKIDBASE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "hush-base", 1);
    snprintf(text, sizeof text, "%s/v1/credentials", services_url(services));
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", text, 1);
    for (size_t i = 0; i < COUNT(sources); i++) {
        snprintf(text, sizeof text,
            "[profile x]\nrole_arn = " ARN "job\ncredential_source = %s\n", sources[i]);
        home_write(state, ".aws/config", text);
        services_control(services, "POST", "reset", "", NULL, 0);
        assert_source(make("x", NULL), "role", "x");
        assert_int_equal(services_count(services, "AssumeRole"), 1);
        services_log(services, "AssumeRole", log, sizeof log);
        assert_true((strstr(log, "AKIDBASE") != NULL) == (i == 0));
        assert_int_equal(services_count(services, "GetInstanceKeys"), i == 1);
        assert_int_equal(services_count(services, "GetContainerKeys"), i == 2);
    }
}

static void a_source_without_keys_is_the_end_of_it(void **state)
{
    home_write(
        state, ".aws/config", "[profile x]\nrole_arn = r\ncredential_source = Environment\n");
    assert_refused("x", NULL, HAUL_NO_CREDENTIALS, "the environment has no AWS_ACCESS_KEY_ID");
    setenv("AWS_ACCESS_KEY_ID", "AKIDBASE", 1);
    assert_refused("x", NULL, HAUL_NO_CREDENTIALS, "the secret is missing");
}

/* STS is where the profile that was asked for says, for the whole chain. */
static void the_profile_that_is_asked_for_says_where_sts_is(void **state)
{
    char text[1000], log[10000];
    unsetenv("AWS_ENDPOINT_URL_STS");
    snprintf(text, sizeof text,
        "[default]\nendpoint_url = http://127.0.0.1:1\nregion = nowhere\n"
        "[profile a]\nrole_arn = " ARN "first\nsource_profile = b\nservices = mine\n"
        "region = eu-north-1\n"
        "[profile b]\nrole_arn = " ARN "second\nsource_profile = base\n"
        "endpoint_url = http://127.0.0.1:1\nregion = nowhere\n"
        "[services mine]\nsts =\n  endpoint_url = %s\n" BASE,
        services_url(services));
    home_write(state, ".aws/config", text);
    services_set(services, "role " ARN "first\n");
    assert_source(make("a", NULL), "role", "a");
    assert_int_equal(services_count(services, "AssumeRole"), 2);
    services_log(services, "AssumeRole", log, sizeof log);
    assert_non_null(strstr(log, "/eu-north-1/sts/"));
    assert_null(strstr(log, "nowhere"));
}

static void a_role_goes_by_the_file_of_the_callers(void **state)
{
    home_write(state, "own",
        "[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = hush-base\n"
        "[profile x]\nrole_arn = " ARN "job\nsource_profile = base\n");
    assert_source(make("x", "~/own"), "role", "x");
}

/* ---- The others ---- */

static void a_profile_may_lead_to_web_identity(void **state)
{
    char text[1000], log[10000];
    home_write(state, "token", "hush-identity\n");
    snprintf(text, sizeof text,
        "[profile x]\nrole_arn = " ARN "job\nweb_identity_token_file = %s/token\n"
        "role_session_name = me\nexternal_id = never\nsource_profile = never\n",
        (char *) *state);
    home_write(state, ".aws/config", text);
    assert_source(make("x", NULL), "web_identity", "x");
    services_log(services, "AssumeRoleWithWebIdentity", log, sizeof log);
    assert_non_null(strstr(log, "RoleSessionName=me"));
    assert_null(strstr(log, "never"));
}

static void a_profile_may_lead_to_a_process(void **state)
{
    home_write(state, ".aws/config",
        "[profile y]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"AKIDP\", "
        "\"SecretAccessKey\": \"hush-#;\"}' # not mine\n");
    struct haul_credentials *c = make("y", NULL);
    assert_keys(c, "AKIDP", "hush-#;", NULL);
    assert_source(c, "process", "y");
}

static void write_login(void **state, const char *sha1)
{
    char name[100];
    char *path = temp_path(*state, ".aws/sso");
    mkdir(path, 0700);
    free(path);
    path = temp_path(*state, ".aws/sso/cache");
    mkdir(path, 0700);
    free(path);
    snprintf(name, sizeof name, ".aws/sso/cache/%s.json", sha1);
    home_write(state, name,
        "{\"startUrl\": \"https://corp.awsapps.com/start\", \"region\": \"eu-central-1\","
        " \"accessToken\": \"sso-access-token\", \"expiresAt\": \"2099-01-01T00:00:00Z\"}");
}

#define LOGIN "sso_start_url = https://corp.awsapps.com/start\nsso_region = eu-central-1\n"
#define ACCOUNT "sso_account_id = 123456789012\nsso_role_name = job\n"

static void a_profile_may_lead_to_sso_by_a_session_or_without(void **state)
{
    home_write(state, ".aws/config",
        "[profile old]\n" LOGIN ACCOUNT "[profile new]\nsso_session = corp\n" ACCOUNT
        "[profile both]\nsso_session = corp\n" LOGIN ACCOUNT "[sso-session corp]\n" LOGIN);
    write_login(state, "a51746d4aa793ae07b25e90c3a5db96fc7832bd7"); /* its start URL's */
    assert_source(make("old", NULL), "sso", "old");
    write_login(state, "ee0bfd2552fbd840c02cc48b6e823320543c450f"); /* "corp" */
    assert_source(make("new", NULL), "sso", "new");
    assert_source(make("both", NULL), "sso", "both");
}

/* Nothing in the environment says where they are. */
static void where_services_are_the_profile_of_a_file_of_the_callers_says(void **state)
{
    char text[2000];
    const char *url = services_url(services);
    unsetenv("AWS_ENDPOINT_URL_STS");
    unsetenv("AWS_ENDPOINT_URL_SSO");
    unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    write_login(state, "a51746d4aa793ae07b25e90c3a5db96fc7832bd7");
    snprintf(text, sizeof text,
        "[old]\n" LOGIN ACCOUNT "services = s\n"
        "[x]\nrole_arn = " ARN "job\ncredential_source = Ec2InstanceMetadata\n"
        "ec2_metadata_service_endpoint = %s\nservices = s\n"
        "[services s]\nsts =\n  endpoint_url = %s\nsso =\n  endpoint_url = %s\n",
        url, url, url);
    char *path = temp_write_text(*state, "mine", text);
    assert_source(make("x", path), "role", "x");
    assert_source(make("old", path), "sso", "old");
    free(path);
}

static const struct {
    const char *text;
    enum haul_code code;
    const char *says;
} refused[] = {
    { "role_arn = r\nsource_profile = base\ncredential_source = Environment\n", HAUL_BAD_CONFIG,
        "both source_profile and credential_source" },
    { "role_arn = r\n", HAUL_BAD_CONFIG, "neither source_profile nor credential_source" },
    { "role_arn = r\ncredential_source = Elsewhere\n", HAUL_BAD_CONFIG,
        "expected Environment, Ec2InstanceMetadata or EcsContainer" },
    { "role_arn = r\nsource_profile = none\n", HAUL_BAD_CONFIG,
        "source_profile: there is no profile \"none\"" },
    { "role_arn = r\nsource_profile = empty\n", HAUL_NO_CREDENTIALS, "profile \"empty\" of" },
    { "role_arn = r\nsource_profile = base\nduration_seconds = 1h\n", HAUL_BAD_CONFIG,
        "duration_seconds" },
    { "role_arn = r\nsource_profile = base\nduration_seconds = 99999999999\n", HAUL_BAD_CONFIG,
        "duration_seconds" },
    { "role_arn = r\nsource_profile = base\nmfa_serial = m\n", HAUL_NO_CREDENTIALS,
        "aws configure export-credentials --profile x" },
    { "web_identity_token_file = t\n", HAUL_BAD_CONFIG, "no role_arn" },
    { ACCOUNT, HAUL_BAD_CONFIG, "sso_start_url is missing" },
    { ACCOUNT "sso_start_url = u\n", HAUL_BAD_CONFIG, "sso_region is missing" },
    { LOGIN "sso_role_name = r\n", HAUL_BAD_CONFIG, "sso_account_id is missing" },
    { LOGIN "sso_account_id = r\n", HAUL_BAD_CONFIG, "sso_role_name is missing" },
    { "sso_session = none\n" ACCOUNT, HAUL_BAD_CONFIG, "there is no [sso-session none]" },
    { "sso_session = s\n" LOGIN ACCOUNT, HAUL_BAD_CONFIG,
        "sso_region says otherwise than [sso-session s]" },
    { "region = e/u\nrole_arn = r\nsource_profile = base\n", HAUL_BAD_CONFIG, "region of " },
};

static void a_profile_that_contradicts_itself_is_refused(void **state)
{
    char text[1000];
    for (size_t i = 0; i < COUNT(refused); i++) {
        snprintf(text, sizeof text,
            "[profile x]\n%s" BASE "[profile empty]\n[sso-session s]\nsso_region = other\n",
            refused[i].text);
        home_write(state, ".aws/config", text);
        assert_refused("x", NULL, refused[i].code, refused[i].says);
    }
    assert_int_equal(services_count(services, ""), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_home, home_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_in_a_file_are_told_by_their_place),
        TEST(the_profile_and_the_file_are_those_of_the_environment_or_the_callers),
        TEST(keys_of_two_sections_are_never_mixed),
        TEST(a_file_that_is_replaced_gives_its_new_keys_when_asked),
        TEST(a_profile_that_has_no_keys_says_where_it_looked),
        TEST(a_role_is_taken_with_the_keys_of_its_source_profile),
        TEST(roles_are_taken_one_with_the_keys_of_the_next),
        TEST(keys_of_a_source_profile_go_before_its_role),
        TEST(a_profile_with_keys_may_name_itself),
        TEST(profiles_that_lead_back_are_told_by_their_path),
        TEST(a_chain_has_an_end),
        TEST(a_role_is_taken_with_the_keys_of_a_service_or_the_environment),
        TEST(a_source_without_keys_is_the_end_of_it),
        TEST(the_profile_that_is_asked_for_says_where_sts_is),
        TEST(a_role_goes_by_the_file_of_the_callers),
        TEST(a_profile_may_lead_to_web_identity),
        TEST(a_profile_may_lead_to_a_process),
        TEST(a_profile_may_lead_to_sso_by_a_session_or_without),
        TEST(where_services_are_the_profile_of_a_file_of_the_callers_says),
        TEST(a_profile_that_contradicts_itself_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
