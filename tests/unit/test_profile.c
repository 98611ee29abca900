/* profile.c: which sections of which file are a profile's, and what it gives keys by. */
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "home.h"
#include "profile.h"
#include "temp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct profiles *read_files(const char *file)
{
    struct haul_error err;
    struct profiles *p = profiles_read(file, &err);
    if (p == NULL)
        fail_msg("%s", err.text);
    return p;
}

/* expected NULL: not there. */
static void assert_setting(const struct profiles *p, const char *profile, const char *setting,
    const char *nested, const char *expected)
{
    const char *value = profile_nested(p, profile, setting, nested);
    if (expected == NULL)
        assert_null(value);
    else
        assert_string_equal(value == NULL ? "(none)" : value, expected);
}

static void assert_refused(const char *file, const char *expected)
{
    struct haul_error err;
    assert_null(profiles_read(file, &err));
    assert_int_equal(err.code, HAUL_BAD_CONFIG);
    if (strstr(err.text, expected) == NULL)
        fail_msg("\"%s\" does not name %s", err.text, expected);
    assert_null(strstr(err.text, "hush"));
}

static void the_credentials_file_goes_before_the_config_file_setting_by_setting(void **state)
{
    home_write(state, ".aws/config",
        "[profile x]\nregion = one\noutput = json\nca_bundle = a\n"
        "s3 =\n  k = config\n  j = config\n");
    home_write(state, ".aws/credentials",
        "[x]\nregion = two\ncolour = red\nca_bundle =\ns3 =\n  k = credentials\n");
    struct profiles *p = read_files(NULL);
    assert_setting(p, "x", "region", NULL, "two");
    assert_setting(p, "x", "output", NULL, "json");
    assert_setting(p, "x", "colour", NULL, "red");
    assert_setting(p, "x", "ca_bundle", NULL, "a");
    assert_setting(p, "x", "s3", "k", "credentials");
    assert_setting(p, "x", "s3", "j", "config");
    assert_setting(p, "y", "region", NULL, NULL);
    profiles_free(p);
}

/* Case 47. */
static void each_file_has_its_own_form_of_section(void **state)
{
    home_write(state, ".aws/config",
        "[default]\nk = default\n[bare]\nk = 1\n[ profile \t\"two words\" ]\nk = quoted\n"
        "[profilex]\nk = 1\n");
    home_write(state, ".aws/credentials", "[profile long]\nk = 1\n[short]\nk = short\n");
    struct profiles *p = read_files(NULL);
    assert_setting(p, "default", "k", NULL, "default");
    assert_setting(p, "two words", "k", NULL, "quoted");
    assert_setting(p, "short", "k", NULL, "short");
    assert_false(profile_exists(p, "bare"));
    assert_false(profile_exists(p, "long"));
    assert_false(profile_exists(p, "x"));
    assert_true(profile_exists(p, "short"));
    assert_true(profile_exists(p, "two words"));
    profiles_free(p);
}

static void a_default_profile_that_says_so_is_the_only_one(void **state)
{
    home_write(
        state, ".aws/config", "[profile default]\nk = long\n[default]\nk = short\nj = short\n");
    struct profiles *p = read_files(NULL);
    assert_setting(p, "default", "k", NULL, "long");
    assert_setting(p, "default", "j", NULL, NULL);
    profiles_free(p);
}

static void a_file_of_the_callers_is_the_only_one_and_takes_either_form(void **state)
{
    home_write(state, ".aws/credentials", "[x]\nk = wrong\n[z]\nk = wrong\n");
    home_write(state, "own",
        "[profile x]\nk = long\nj = long\n[y]\nk = short\n[x]\nk = short\n"
        "[services s]\nk = service\n");
    struct profiles *p = read_files("~/own");
    assert_setting(p, "x", "k", NULL, "short");
    assert_setting(p, "x", "j", NULL, "long");
    assert_setting(p, "y", "k", NULL, "short");
    assert_false(profile_exists(p, "z"));
    assert_string_equal(profiles_section_get(p, "services", "s", "k", NULL), "service");
    profiles_free(p);
}

static void sections_of_other_kinds_stand_in_the_config_file(void **state)
{
    home_write(state, ".aws/credentials", "[sso-session a]\nk = wrong\n[services b]\n");
    home_write(state, ".aws/config",
        "[sso-session a]\nk = right\nblank =\n"
        "[services \"my s3\"]\ns3 =\n  endpoint_url = http://x\n");
    struct profiles *p = read_files(NULL);
    assert_string_equal(profiles_section_get(p, "sso-session", "a", "k", NULL), "right");
    assert_string_equal(
        profiles_section_get(p, "services", "my s3", "s3", "endpoint_url"), "http://x");
    assert_null(profiles_section_get(p, "sso-session", "a", "blank", NULL));
    assert_null(profiles_section_get(p, "sso-session", "c", "k", NULL));
    assert_true(profiles_section_exists(p, "sso-session", "a"));
    assert_false(profiles_section_exists(p, "services", "b"));
    profiles_free(p);
}

/* Case 47. */
static void variables_name_the_profile_and_the_files(void **state)
{
    char path[4096];
    home_write(state, "one", "[x]\nk = one\n");
    home_write(state, "two", "[profile x]\nj = two\n");
    snprintf(path, sizeof path, "%s/one", (char *) *state);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    setenv("AWS_CONFIG_FILE", "~/two", 1);
    assert_string_equal(profile_name(NULL), "default");
    setenv("AWS_PROFILE", "x", 1);
    assert_string_equal(profile_name(NULL), "x");
    assert_string_equal(profile_name("y"), "y");
    struct profiles *p = read_files(NULL);
    assert_setting(p, "x", "k", NULL, "one");
    assert_setting(p, "x", "j", NULL, "two");
    profiles_free(p);
    setenv("AWS_PROFILE", "", 1);
    assert_string_equal(profile_name(NULL), "default");
}

static void without_a_variable_the_home_is_the_one_that_the_system_knows(void **state)
{
    char files[200];
    (void) state;
    const struct passwd *user = getpwuid(getuid());
    unsetenv("HOME");
    struct profiles *p = read_files(NULL);
    profiles_tell_files(p, files, sizeof files);
    if (user != NULL && *user->pw_dir != '\0')
        assert_memory_equal(files, user->pw_dir, strlen(user->pw_dir));
    profiles_free(p);
}

static void files_that_are_nowhere_are_empty(void **state)
{
    (void) state;
    setenv("AWS_CONFIG_FILE", "/nowhere/at/all", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "", 1);
    struct profiles *p = read_files(NULL);
    assert_false(profile_exists(p, "default"));
    profiles_free(p);
    setenv("HOME", "/nowhere", 1);
    unsetenv("AWS_CONFIG_FILE");
    p = read_files(NULL);
    assert_setting(p, "default", "k", NULL, NULL);
    profiles_free(p);
    profiles_free(NULL);
}

static void files_that_cannot_be_read_or_understood_are_named(void **state)
{
    char path[5000];
    home_write(state, ".aws/config", "[default]\nregion = x\nhush\n");
    assert_refused(NULL, ".aws/config:3: ");
    home_write(state, ".aws/config", "");
    snprintf(path, sizeof path, "%s/.aws/credentials", (char *) *state);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(NULL, ".aws/credentials can't be read");
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_refused(path, "xxx");
}

/* As somebody who is not the superuser. */
static void a_home_of_somebody_elses_is_empty_and_a_closed_file_is_not(void **state)
{
    char path[5000];
    struct haul_error err;
    const bool is_root = geteuid() == 0;
    snprintf(path, sizeof path, "%s/.aws/config", (char *) *state);
    home_write(state, ".aws/config", "[default]\nk = 1\n");
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(chmod(*state, 0711), 0);
    path[strlen(path) - strlen("/config")] = '\0';
    assert_int_equal(chmod(path, 0711), 0);
    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    struct profiles *closed = profiles_read(NULL, &err);
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    struct profiles *foreign = profiles_read(NULL, NULL);
    setenv("AWS_CONFIG_FILE", "~/.aws/config", 1);
    struct profiles *named = profiles_read(NULL, NULL);
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
    assert_int_equal(chmod(path, 0700), 0);
    assert_null(closed);
    assert_non_null(strstr(err.text, ".aws/config can't be read: Permission denied"));
    assert_null(named);
    assert_non_null(foreign);
    assert_false(profile_exists(foreign, "default"));
    profiles_free(foreign);
}

static void a_name_of_any_length_is_looked_for(void **state)
{
    char name[400], text[500];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    name[247] = '\0';
    snprintf(text, sizeof text, "[profile %s]\nk = 1\n", name);
    home_write(state, ".aws/config", text);
    struct profiles *p = read_files(NULL);
    assert_setting(p, name, "k", NULL, "1");
    name[247] = 'x';
    assert_setting(p, name, "k", NULL, NULL); /* not what it is when cut */
    assert_false(profile_exists(p, name));
    assert_null(profiles_section_get(p, "services", name, "k", NULL));
    profiles_free(p);
}

/* Case 46. */
static void keys_are_those_of_one_section(void **state)
{
    struct profile_spot spot;
    home_write(state, ".aws/credentials",
        "[x]\nregion = y\n[half]\naws_access_key_id = a\n[none]\naws_session_token =\n");
    home_write(state, ".aws/config",
        "[profile x]\naws_session_token = t\n"
        "[profile half]\naws_access_key_id = a\naws_secret_access_key = b\n");
    struct profiles *p = read_files(NULL);
    assert_true(profile_find_keys(p, "x", PROFILE_EITHER_FILE, &spot));
    assert_string_equal(spot.section, "profile x");
    assert_non_null(strstr(spot.path, "/.aws/config"));
    assert_true(profile_find_keys(p, "half", PROFILE_EITHER_FILE, &spot));
    assert_string_equal(spot.section, "half");
    assert_non_null(strstr(spot.path, "/.aws/credentials"));
    assert_true(strncmp(spot.where, "[half] in /", 11) == 0);
    assert_true(profile_find_keys(p, "half", PROFILE_CONFIG_FILE, &spot));
    assert_string_equal(spot.section, "profile half");
    assert_false(profile_find_keys(p, "x", PROFILE_CREDENTIALS_FILE, &spot));
    assert_false(profile_find_keys(p, "none", PROFILE_EITHER_FILE, &spot));
    profiles_free(p);
}

/* What the two sections hold; the second is the config file's. */
#define KEYS "aws_access_key_id = a\naws_secret_access_key = b\n"
#define ROLE "role_arn = r\nsource_profile = s\n"
#define WEB "web_identity_token_file = f\n"
#define SSO "sso_account_id = 1\n"
#define PROCESS "credential_process = p\n"
static const struct {
    const char *credentials, *config;
    enum profile_means means, as_source;
} gives[] = {
    { "", "", PROFILE_NOTHING, PROFILE_NOTHING },
    { "", "region = x\n", PROFILE_NOTHING, PROFILE_NOTHING },
    { "", "sso_session = x\n", PROFILE_NOTHING, PROFILE_NOTHING },
    { "", "role_arn =\n", PROFILE_NOTHING, PROFILE_NOTHING },
    { "", ROLE, PROFILE_ROLE, PROFILE_ROLE },
    { ROLE, "", PROFILE_ROLE, PROFILE_ROLE },
    { "", "role_arn = r\n", PROFILE_ROLE, PROFILE_ROLE },
    { KEYS, ROLE, PROFILE_ROLE, PROFILE_KEYS },
    { "", ROLE KEYS, PROFILE_ROLE, PROFILE_KEYS },
    { "", ROLE PROCESS, PROFILE_ROLE, PROFILE_ROLE },
    { "", ROLE SSO, PROFILE_ROLE, PROFILE_ROLE },
    { "", ROLE WEB, PROFILE_WEB_IDENTITY, PROFILE_WEB_IDENTITY },
    { WEB, ROLE, PROFILE_WEB_IDENTITY, PROFILE_WEB_IDENTITY },
    { KEYS, WEB SSO PROCESS, PROFILE_WEB_IDENTITY, PROFILE_WEB_IDENTITY },
    { KEYS, SSO PROCESS, PROFILE_SSO, PROFILE_SSO },
    { "", "sso_role_name = r\n" KEYS, PROFILE_SSO, PROFILE_SSO },
    { KEYS PROCESS, "", PROFILE_KEYS, PROFILE_KEYS },
    { KEYS, PROCESS, PROFILE_KEYS, PROFILE_KEYS },
    { PROCESS, KEYS, PROFILE_PROCESS, PROFILE_PROCESS },
    { "", PROCESS KEYS, PROFILE_PROCESS, PROFILE_PROCESS },
    { "", KEYS, PROFILE_KEYS, PROFILE_KEYS },
    { "aws_session_token = t\n", PROCESS, PROFILE_KEYS, PROFILE_KEYS },
};

static void a_profile_gives_keys_by_the_first_that_it_has(void **state)
{
    char text[300];
    for (size_t i = 0; i < COUNT(gives); i++) {
        snprintf(text, sizeof text, "[x]\n%s", gives[i].credentials);
        home_write(state, ".aws/credentials", text);
        snprintf(text, sizeof text, "[profile x]\n%s", gives[i].config);
        home_write(state, ".aws/config", text);
        struct profiles *p = read_files(NULL);
        if (profile_means(p, "x", false) != gives[i].means ||
            profile_means(p, "x", true) != gives[i].as_source)
            fail_msg("row %zu: %d, and %d as a source", i, profile_means(p, "x", false),
                profile_means(p, "x", true));
        profiles_free(p);
    }
}

static void messages_tell_names_and_places(void **state)
{
    char text[300], path[300], small[12];
    home_write(state, ".aws/credentials", "[one]\nk = 1\n[one]\n[default]\n[services s]\n");
    home_write(state, ".aws/config",
        "[profile two]\nj = 2\n[default]\n[sso-session x]\n[profile one]\n[bare]\n");
    struct profiles *p = read_files(NULL);
    profiles_tell_names(p, text, sizeof text);
    assert_string_equal(text, "\"one\", \"default\", \"two\"");
    profiles_tell_names(p, small, sizeof small);
    assert_string_equal(small, "\"one\", \"def");
    profiles_tell_files(p, text, sizeof text);
    snprintf(path, sizeof path, "%s/.aws/credentials and %s/.aws/config", (char *) *state,
        (char *) *state);
    assert_string_equal(text, path);
    profile_tell_place(p, "two", "j", NULL, text, sizeof text);
    snprintf(path, sizeof path, "[profile two] in %s/.aws/config", (char *) *state);
    assert_string_equal(text, path);
    profiles_free(p);

    home_write(state, "own", "[one]\n[profile two]\n[sso-session x]\n");
    p = read_files("~/own");
    profiles_tell_names(p, text, sizeof text);
    assert_string_equal(text, "\"one\", \"two\"");
    profiles_tell_files(p, text, sizeof text);
    snprintf(path, sizeof path, "%s/own", (char *) *state);
    assert_string_equal(text, path);
    profiles_free(p);
}

static void a_file_of_ten_megabytes_is_read(void **state)
{
    const size_t size = 10 * 1000 * 1000;
    char *text = malloc(size + 100), names[100];
    size_t len = 0;
    for (unsigned n = 0; len < size; n++)
        len += (size_t) sprintf(text + len, "[profile p%u]\nregion = r%u\n\n", n, n);
    sprintf(text + len, "[profile last]\nregion = here\n");
    home_write(state, ".aws/config", text);
    free(text);
    struct profiles *p = read_files(NULL);
    assert_setting(p, "p0", "region", NULL, "r0");
    assert_setting(p, "last", "region", NULL, "here");
    assert_false(profile_exists(p, "none"));
    profiles_tell_names(p, names, sizeof names);
    assert_true(strncmp(names, "\"p0\", \"p1\"", 10) == 0);
    profiles_free(p);
}

static void a_line_of_a_megabyte_is_read(void **state)
{
    const size_t len = 1000 * 1000;
    char *text = malloc(len + 100);
    strcpy(text, "[profile x]\nk = ");
    size_t start = strlen(text);
    memset(text + start, 'v', len);
    strcpy(text + start + len, "\nregion = here");
    home_write(state, ".aws/config", text);
    free(text);
    struct profiles *p = read_files(NULL);
    assert_int_equal(strlen(profile_get(p, "x", "k")), len);
    assert_setting(p, "x", "region", NULL, "here");
    profiles_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOME_TEST(the_credentials_file_goes_before_the_config_file_setting_by_setting),
        HOME_TEST(each_file_has_its_own_form_of_section),
        HOME_TEST(a_default_profile_that_says_so_is_the_only_one),
        HOME_TEST(a_file_of_the_callers_is_the_only_one_and_takes_either_form),
        HOME_TEST(sections_of_other_kinds_stand_in_the_config_file),
        HOME_TEST(variables_name_the_profile_and_the_files),
        HOME_TEST(without_a_variable_the_home_is_the_one_that_the_system_knows),
        HOME_TEST(files_that_are_nowhere_are_empty),
        HOME_TEST(files_that_cannot_be_read_or_understood_are_named),
        HOME_TEST(a_home_of_somebody_elses_is_empty_and_a_closed_file_is_not),
        HOME_TEST(a_name_of_any_length_is_looked_for),
        HOME_TEST(keys_are_those_of_one_section),
        HOME_TEST(a_profile_gives_keys_by_the_first_that_it_has),
        HOME_TEST(messages_tell_names_and_places),
        HOME_TEST(a_file_of_ten_megabytes_is_read),
        HOME_TEST(a_line_of_a_megabyte_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
