/* credentials.c: where keys and regions are looked for, in which order, and that they are never
 * mixed nor told. */
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
#include "temp.h"

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
};

/* A home of its own, and nothing of AWS in the environment. */
static int make_home(void **state)
{
    char path[4096];
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    *state = temp_make();
    setenv("HOME", *state, 1);
    snprintf(path, sizeof path, "%s/.aws", (char *) *state);
    return mkdir(path, 0700);
}

static int remove_home(void **state)
{
    temp_remove(*state);
    return 0;
}

static void write_file(void **state, const char *name, const char *text)
{
    free(temp_write_text(*state, name, text));
}

static void assert_keys(
    struct haul_credentials *c, const char *key_id, const char *secret, const char *token)
{
    assert_non_null(c);
    assert_string_equal(haul_credentials_key_id(c), key_id);
    assert_string_equal(c->secret, secret);
    if (token == NULL)
        assert_null(c->token);
    else
        assert_string_equal(c->token, token);
    haul_credentials_free(c);
}

/* NULL, with that code; the text names `named` and tells no value. */
static void assert_none(struct haul_credentials *c, const struct haul_error *err,
    enum haul_code code, const char *named)
{
    assert_null(c);
    assert_int_equal(err->code, code);
    if (strstr(err->text, named) == NULL)
        fail_msg("\"%s\" does not name %s", err->text, named);
    assert_null(strstr(err->text, "hush"));
}

static void given_keys_are_copied(void **state)
{
    (void) state;
    char id[] = "id", secret[] = "hush", token[] = "token";
    struct haul_credentials *c = haul_credentials_static(id, secret, token, NULL);
    id[0] = secret[0] = token[0] = 'x';
    assert_keys(c, "id", "hush", "token");
    assert_keys(haul_credentials_static("id", "hush", "", NULL), "id", "hush", NULL);
}

static void half_a_pair_is_refused(void **state)
{
    (void) state;
    struct haul_error err;
    assert_none(haul_credentials_static("id", NULL, NULL, &err), &err, HAUL_NO_CREDENTIALS,
        "the secret");
    assert_none(haul_credentials_static("", "hush", NULL, &err), &err, HAUL_NO_CREDENTIALS,
        "the key id");
}

static void a_control_character_is_refused_without_telling(void **state)
{
    (void) state;
    struct haul_error err;
    assert_none(haul_credentials_static("id", "hush", "hush\r\nx: y", &err), &err,
        HAUL_BAD_CONFIG, "the token");
    assert_none(haul_credentials_static("id", "hush\n", NULL, &err), &err, HAUL_BAD_CONFIG,
        "the secret");
}

static void anonymous_has_no_keys(void **state)
{
    (void) state;
    struct haul_credentials *c = haul_credentials_anonymous(NULL);
    assert_non_null(c);
    assert_null(c->key_id);
    assert_string_equal(haul_credentials_key_id(c), "");
    haul_credentials_free(c);
    haul_credentials_free(NULL);
}

static void the_environment_gives_keys(void **state)
{
    (void) state;
    struct haul_error err;
    assert_none(haul_credentials_from_environment(&err), &err, HAUL_NO_CREDENTIALS,
        "AWS_ACCESS_KEY_ID");
    setenv("AWS_ACCESS_KEY_ID", "id", 1);
    assert_none(haul_credentials_from_environment(&err), &err, HAUL_NO_CREDENTIALS,
        "AWS_SECRET_ACCESS_KEY");
    setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
    assert_keys(haul_credentials_from_environment(&err), "id", "hush", NULL);
    setenv("AWS_SESSION_TOKEN", "token", 1);
    assert_keys(haul_credentials_from_environment(&err), "id", "hush", "token");
}

static void the_credentials_file_comes_before_the_config_file(void **state)
{
    write_file(state, ".aws/config",
        "[default]\naws_access_key_id = config\n"
        "aws_secret_access_key = hush\n"
        "[profile x]\naws_access_key_id = xconfig\n"
        "aws_secret_access_key = hush\n");
    assert_keys(haul_credentials_from_profile(NULL, NULL, NULL), "config", "hush", NULL);
    write_file(state, ".aws/credentials",
        "[default]\naws_access_key_id = cred\n"
        "aws_secret_access_key = hush2\n"
        "aws_session_token = token\n");
    assert_keys(haul_credentials_from_profile(NULL, NULL, NULL), "cred", "hush2", "token");
    assert_keys(haul_credentials_from_profile("x", NULL, NULL), "xconfig", "hush", NULL);
}

static void the_config_file_has_no_bare_sections_but_the_default(void **state)
{
    struct haul_error err;
    write_file(
        state, ".aws/config", "[x]\naws_access_key_id = id\naws_secret_access_key = hush\n");
    assert_none(haul_credentials_from_profile("x", NULL, &err), &err, HAUL_NO_CREDENTIALS,
        "profile \"x\"");
}

static void fields_of_two_sections_are_never_mixed(void **state)
{
    struct haul_error err;
    write_file(state, ".aws/credentials", "[x]\naws_access_key_id = id\n");
    write_file(state, ".aws/config",
        "[profile x]\naws_access_key_id = id\n"
        "aws_secret_access_key = hush\n");
    assert_none(haul_credentials_from_profile("x", NULL, &err), &err, HAUL_NO_CREDENTIALS,
        "aws_secret_access_key");
    assert_non_null(strstr(err.text, ".aws/credentials"));
}

static void a_section_without_any_key_is_passed_over(void **state)
{
    write_file(state, ".aws/credentials", "[x]\nregion = eu-west-1\n");
    write_file(state, ".aws/config",
        "[profile x]\naws_access_key_id = id\n"
        "aws_secret_access_key = hush\n");
    assert_keys(haul_credentials_from_profile("x", NULL, NULL), "id", "hush", NULL);
}

static void variables_name_the_profile_and_the_files(void **state)
{
    char path[4096];
    write_file(
        state, "elsewhere", "[x]\naws_access_key_id = id\naws_secret_access_key = hush\n");
    snprintf(path, sizeof path, "%s/elsewhere", (char *) *state);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    setenv("AWS_PROFILE", "x", 1);
    assert_keys(haul_credentials_from_profile(NULL, NULL, NULL), "id", "hush", NULL);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "~/elsewhere", 1);
    assert_keys(haul_credentials_from_profile(NULL, NULL, NULL), "id", "hush", NULL);
    setenv("AWS_PROFILE", "", 1);
    assert_null(haul_credentials_from_profile(NULL, NULL, NULL));
}

static void a_given_file_is_the_only_one(void **state)
{
    struct haul_error err;
    write_file(state, ".aws/credentials",
        "[x]\naws_access_key_id = wrong\naws_secret_access_key = hush\n");
    write_file(state, "own",
        "[profile x]\naws_access_key_id = id\n"
        "aws_secret_access_key = hush\n"
        "[y]\naws_access_key_id = idy\naws_secret_access_key = hush\n");
    assert_keys(haul_credentials_from_profile("x", "~/own", NULL), "id", "hush", NULL);
    assert_keys(haul_credentials_from_profile("y", "~/own", NULL), "idy", "hush", NULL);
    assert_none(haul_credentials_from_profile("x", "~/none", &err), &err, HAUL_NO_CREDENTIALS,
        "~/none");
    assert_none(haul_credentials_from_profile("x", "", &err), &err, HAUL_NO_CREDENTIALS,
        "profile \"x\"");
}

static void a_broken_file_is_named(void **state)
{
    struct haul_error err;
    write_file(state, ".aws/credentials", "[default]\nhush\n");
    assert_none(haul_credentials_from_profile(NULL, NULL, &err), &err, HAUL_BAD_CONFIG,
        ".aws/credentials:2:");
}

static void without_a_home_there_are_no_files(void **state)
{
    (void) state;
    struct haul_error err;
    unsetenv("HOME");
    assert_none(haul_credentials_from_profile(NULL, NULL, &err), &err, HAUL_NO_CREDENTIALS,
        "profile \"default\"");
}

static void names_that_are_too_long_are_refused(void **state)
{
    (void) state;
    struct haul_error err;
    char name[5000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_none(haul_credentials_from_profile(name, NULL, &err), &err, HAUL_BAD_CONFIG, "xxx");
    assert_none(haul_credentials_from_profile("x", name, &err), &err, HAUL_BAD_CONFIG, "xxx");
}

static void by_default_the_environment_comes_before_the_profile(void **state)
{
    struct haul_error err;
    write_file(state, ".aws/credentials",
        "[default]\naws_access_key_id = file\naws_secret_access_key = hush\n");
    setenv("AWS_SECRET_ACCESS_KEY", "", 1);
    assert_keys(haul_credentials_default(NULL), "file", "hush", NULL);
    setenv("AWS_ACCESS_KEY_ID", "environment", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
    assert_keys(haul_credentials_default(NULL), "environment", "hush", NULL);
    unsetenv("AWS_SECRET_ACCESS_KEY");
    assert_none(
        haul_credentials_default(&err), &err, HAUL_NO_CREDENTIALS, "AWS_SECRET_ACCESS_KEY");
}

static void assert_region(const char *profile, const char *file, const char *expected)
{
    char region[64];
    assert_int_equal(haul_default_region(profile, file, region, NULL), 0);
    assert_string_equal(region, expected);
}

static void the_region_comes_from_the_environment_and_then_the_profile(void **state)
{
    assert_region(NULL, NULL, "");
    write_file(state, ".aws/config",
        "[default]\nregion = eu-west-1\n"
        "[profile x]\nregion = eu-north-1\n");
    assert_region(NULL, NULL, "eu-west-1");
    assert_region("x", NULL, "eu-north-1");
    assert_region("y", NULL, "");
    assert_region("x", "~/.aws/config", "eu-north-1");
    setenv("AWS_DEFAULT_REGION", "us-west-2", 1);
    assert_region("x", NULL, "us-west-2");
    setenv("AWS_REGION", "us-west-1", 1);
    assert_region("x", NULL, "us-west-1");
}

static void what_cannot_be_a_region_is_refused(void **state)
{
    struct haul_error err;
    char region[64];
    write_file(state, ".aws/config", "[default]\nregion = eu/west\n");
    assert_int_equal(haul_default_region(NULL, NULL, region, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_CONFIG);
    setenv("AWS_REGION", "a234567890123456789012345678901234567890123456789012345678901234", 1);
    assert_int_equal(haul_default_region(NULL, NULL, region, &err), -1);
    assert_non_null(strstr(err.text, "AWS_REGION"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_home, remove_home)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(given_keys_are_copied),
        TEST(half_a_pair_is_refused),
        TEST(a_control_character_is_refused_without_telling),
        TEST(anonymous_has_no_keys),
        TEST(the_environment_gives_keys),
        TEST(the_credentials_file_comes_before_the_config_file),
        TEST(the_config_file_has_no_bare_sections_but_the_default),
        TEST(fields_of_two_sections_are_never_mixed),
        TEST(a_section_without_any_key_is_passed_over),
        TEST(variables_name_the_profile_and_the_files),
        TEST(a_given_file_is_the_only_one),
        TEST(a_broken_file_is_named),
        TEST(without_a_home_there_are_no_files),
        TEST(names_that_are_too_long_are_refused),
        TEST(by_default_the_environment_comes_before_the_profile),
        TEST(the_region_comes_from_the_environment_and_then_the_profile),
        TEST(what_cannot_be_a_region_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
