/* settings.c: what the environment and a profile say about where requests go, and who of them
 * goes before whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "home.h"
#include "settings.h"
#include "temp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A case: variables ("NAME=value"), and what [profile x] and the rest of the config file hold.
 */
struct given {
    const char *variables[4];
    const char *profile, *rest;
};

static void arrange(void **state, const struct given *g)
{
    char text[1000], name[100];
    snprintf(text, sizeof text, "%s\n[profile x]\n%s\n", g->rest ? g->rest : "",
        g->profile ? g->profile : "");
    home_write(state, ".aws/config", text);
    for (size_t i = 0; i < COUNT(g->variables) && g->variables[i] != NULL; i++) {
        const char *equals = strchr(g->variables[i], '=');
        snprintf(name, sizeof name, "%.*s", (int) (equals - g->variables[i]), g->variables[i]);
        setenv(name, equals + 1, 1);
    }
}

static void clear(void **state)
{
    home_remove(state);
    assert_int_equal(home_make(state), 0);
}

static struct haul_settings find(const char *profile, const char *file)
{
    struct haul_error err;
    struct haul_settings s;
    if (haul_settings_find(profile, file, &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static void where_nobody_says_anything_there_is_nothing(void **state)
{
    (void) state;
    struct haul_settings s = find(NULL, NULL);
    assert_string_equal(s.region, "");
    assert_string_equal(s.url, "");
    assert_string_equal(s.ca_file, "");
    assert_false(s.dualstack || s.fips || s.accelerate);
    assert_int_equal(s.addressing, HAUL_ADDRESS_AUTO);
    find("nowhere", NULL);
}

static const struct {
    struct given given;
    const char *region, *url, *sts_url;
} urls[] = {
    { { { NULL }, "region = eu-west-1", NULL }, "eu-west-1", "", "" },
    { { { "AWS_DEFAULT_REGION=one" }, "region = two", NULL }, "one", "", "" },
    { { { "AWS_DEFAULT_REGION=one", "AWS_REGION=zero" }, "region = two", NULL }, "zero", "",
        "" },
    { { { "AWS_DEFAULT_REGION=one", "AWS_REGION=" }, "region = two", NULL }, "one", "", "" },

    { { { NULL }, "endpoint_url = http://p", NULL }, "", "http://p", "http://p" },
    { { { NULL }, "endpoint_url = http://p\nservices = s",
          "[services s]\ns3 =\n  endpoint_url = http://s3" },
        "", "http://s3", "http://p" },
    { { { NULL }, "services = s",
          "[services s]\nsts =\n  endpoint_url = http://sts\nec2 =\n  endpoint_url = no" },
        "", "", "http://sts" },
    { { { NULL }, "services = s\nendpoint_url = http://p", "[services s]\ns3 =\n  region = x" },
        "", "http://p", "http://p" },
    { { { "AWS_ENDPOINT_URL=http://e" }, "services = s\nendpoint_url = http://p",
          "[services s]\ns3 =\n  endpoint_url = http://s3" },
        "", "http://e", "http://e" },
    { { { "AWS_ENDPOINT_URL=http://e", "AWS_ENDPOINT_URL_S3=http://es3" }, NULL, NULL }, "",
        "http://es3", "http://e" },
    { { { "AWS_ENDPOINT_URL_STS=http://ests" }, "endpoint_url = http://p", NULL }, "",
        "http://p", "http://ests" },
    { { { "AWS_ENDPOINT_URL_S3=" }, "endpoint_url = http://p", NULL }, "", "http://p",
        "http://p" },

    { { { "AWS_ENDPOINT_URL=http://e", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true" },
          "endpoint_url = http://p", NULL },
        "", "", "" },
    { { { "AWS_ENDPOINT_URL_S3=http://e" },
          "endpoint_url = http://p\nignore_configured_endpoint_urls = TRUE", NULL },
        "", "", "" },
    { { { "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=False" },
          "endpoint_url = http://p\nignore_configured_endpoint_urls = true", NULL },
        "", "http://p", "http://p" },
};

/* Case 47. */
static void regions_and_urls_have_an_order(void **state)
{
    struct haul_error err;
    char sts[SETTINGS_URL_SIZE];
    for (size_t i = 0; i < COUNT(urls); i++) {
        clear(state);
        arrange(state, &urls[i].given);
        struct haul_settings s = find("x", NULL);
        assert_int_equal(settings_service_url("x", NULL, "sts", sts, &err), 0);
        if (strcmp(s.region, urls[i].region) != 0 || strcmp(s.url, urls[i].url) != 0 ||
            strcmp(sts, urls[i].sts_url) != 0)
            fail_msg("row %zu: \"%s\", \"%s\", \"%s\"", i, s.region, s.url, sts);
    }
}

static void a_services_name_has_underscores_in_file_and_environment(void **state)
{
    struct haul_error err;
    char url[SETTINGS_URL_SIZE];
    arrange(state, &(struct given){ .profile = "services = s",
                       .rest = "[services s]\nsso_oidc =\n  endpoint_url = http://file" });
    assert_int_equal(settings_service_url("x", NULL, "sso_oidc", url, &err), 0);
    assert_string_equal(url, "http://file");
    setenv("AWS_ENDPOINT_URL_SSO_OIDC", "http://environment", 1);
    assert_int_equal(settings_service_url("x", NULL, "sso_oidc", url, &err), 0);
    assert_string_equal(url, "http://environment");
}

static const struct {
    struct given given;
    bool dualstack, fips, accelerate;
    enum haul_addressing addressing;
    const char *ca_file;
} options[] = {
    { { { NULL }, "use_dualstack_endpoint = true", NULL }, true, false, false, 0, "" },
    { { { NULL }, "s3 =\n  use_dualstack_endpoint = true", NULL }, true, false, false, 0, "" },
    { { { NULL }, "use_dualstack_endpoint = true\ns3 =\n  use_dualstack_endpoint = false",
          NULL },
        false, false, false, 0, "" },
    { { { "AWS_USE_DUALSTACK_ENDPOINT=False" }, "use_dualstack_endpoint = true", NULL }, false,
        false, false, 0, "" },
    { { { "AWS_USE_DUALSTACK_ENDPOINT=TRUE" }, NULL, NULL }, true, false, false, 0, "" },
    { { { NULL }, "use_fips_endpoint = True", NULL }, false, true, false, 0, "" },
    { { { "AWS_USE_FIPS_ENDPOINT=true" }, "use_fips_endpoint = false", NULL }, false, true,
        false, 0, "" },
    { { { NULL }, "s3 =\n  use_accelerate_endpoint = true", NULL }, false, false, true, 0, "" },
    { { { NULL }, "use_accelerate_endpoint = true", NULL }, false, false, false, 0, "" },
    { { { NULL }, "s3 =\n  addressing_style = path", NULL }, false, false, false,
        HAUL_ADDRESS_PATH, "" },
    { { { NULL }, "s3=\n\taddressing_style=Virtual ; yes", NULL }, false, false, false,
        HAUL_ADDRESS_VIRTUAL, "" },
    { { { NULL }, "s3 =\n  addressing_style = auto", NULL }, false, false, false,
        HAUL_ADDRESS_AUTO, "" },
    { { { NULL }, "addressing_style = path", NULL }, false, false, false, HAUL_ADDRESS_AUTO,
        "" },
    { { { NULL }, "ca_bundle = /a.pem", NULL }, false, false, false, 0, "/a.pem" },
    { { { "AWS_CA_BUNDLE=/b.pem" }, "ca_bundle = /a.pem", NULL }, false, false, false, 0,
        "/b.pem" },
};

static void the_other_settings_have_an_order(void **state)
{
    for (size_t i = 0; i < COUNT(options); i++) {
        clear(state);
        arrange(state, &options[i].given);
        struct haul_settings s = find("x", NULL);
        if (s.dualstack != options[i].dualstack || s.fips != options[i].fips ||
            s.accelerate != options[i].accelerate || s.addressing != options[i].addressing ||
            strcmp(s.ca_file, options[i].ca_file) != 0)
            fail_msg("row %zu: %d, %d, %d, %d, \"%s\"", i, s.dualstack, s.fips, s.accelerate,
                s.addressing, s.ca_file);
    }
}

static const struct {
    struct given given;
    const char *named;
} refused[] = {
    { { { NULL }, "region = eu/west", NULL }, "region of [profile x] in " },
    { { { "AWS_REGION=eu west" }, NULL, NULL }, "AWS_REGION" },
    { { { "AWS_DEFAULT_REGION="
          "a234567890123456789012345678901234567890123456789012345678901234" },
          NULL, NULL },
        "AWS_DEFAULT_REGION" },
    { { { NULL }, "use_fips_endpoint = yes", NULL }, "use_fips_endpoint of [profile x] in " },
    { { { "AWS_USE_DUALSTACK_ENDPOINT=1" }, NULL, NULL }, "AWS_USE_DUALSTACK_ENDPOINT" },
    { { { "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=maybe" }, NULL, NULL },
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" },
    { { { NULL }, "ignore_configured_endpoint_urls = 1", NULL },
        "ignore_configured_endpoint_urls of" },
    { { { NULL }, "s3 =\n  addressing_style = dns", NULL }, "addressing_style of [profile x]" },
    { { { NULL }, "s3 =\n  use_accelerate_endpoint = on", NULL },
        "use_accelerate_endpoint of [profile x]" },
    { { { NULL }, "services = s", "[services t]" }, "there is no [services s]" },
};

static void what_is_not_of_its_kind_is_refused_by_name(void **state)
{
    struct haul_error err;
    struct haul_settings s;
    for (size_t i = 0; i < COUNT(refused); i++) {
        clear(state);
        arrange(state, &refused[i].given);
        print_message("%s\n", refused[i].named);
        assert_int_equal(haul_settings_find("x", NULL, &s, &err), -1);
        assert_int_equal(err.code, HAUL_BAD_CONFIG);
        if (strstr(err.text, refused[i].named) == NULL)
            fail_msg("%s", err.text);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    struct haul_error err;
    struct haul_settings s;
    char url[1100];
    memset(url, 'x', sizeof url - 1);
    url[1023] = '\0';
    setenv("AWS_ENDPOINT_URL", url, 1);
    s = find(NULL, NULL);
    assert_string_equal(s.url, url);
    url[1023] = 'x';
    url[1024] = '\0';
    setenv("AWS_ENDPOINT_URL", url, 1);
    assert_int_equal(haul_settings_find(NULL, NULL, &s, &err), -1);
    assert_non_null(strstr(err.text, "AWS_ENDPOINT_URL is over 1023 bytes"));
    unsetenv("AWS_ENDPOINT_URL");
    setenv("AWS_CA_BUNDLE", url, 1);
    assert_int_equal(haul_settings_find(NULL, NULL, &s, &err), -1);
    home_write(state, ".aws/config", "[default]\nnothing\n");
    assert_int_equal(haul_settings_find(NULL, NULL, &s, &err), -1);
    assert_non_null(strstr(err.text, ".aws/config:2: "));
}

static void the_profile_and_its_file_are_the_callers_or_the_environments(void **state)
{
    home_write(state, ".aws/config",
        "[default]\nregion = one\n[profile x]\nregion = two\n"
        "[profile y]\nregion = three\n");
    home_write(state, "own", "[x]\nregion = own\n");
    assert_string_equal(find(NULL, NULL).region, "one");
    assert_string_equal(find("x", NULL).region, "two");
    setenv("AWS_PROFILE", "y", 1);
    assert_string_equal(find(NULL, NULL).region, "three");
    assert_string_equal(find("x", NULL).region, "two");
    assert_string_equal(find("x", "~/own").region, "own");
    assert_string_equal(find("z", NULL).region, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOME_TEST(where_nobody_says_anything_there_is_nothing),
        HOME_TEST(regions_and_urls_have_an_order),
        HOME_TEST(a_services_name_has_underscores_in_file_and_environment),
        HOME_TEST(the_other_settings_have_an_order),
        HOME_TEST(what_is_not_of_its_kind_is_refused_by_name),
        HOME_TEST(what_does_not_fit_is_refused),
        HOME_TEST(the_profile_and_its_file_are_the_callers_or_the_environments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
