/* credentials.c and credentials_given.c: what objects are made of, what they tell, and how
 * several become one. Who asks sources again, and when, is test_refresher.c's matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/endpoint.h>

#include "credentials.h"

/* Nothing of AWS in the environment. */
static int clear_environment(void **state)
{
    (void) state;
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_SESSION_TOKEN");
    return 0;
}

static void assert_text(const char *text, const char *expected)
{
    if (expected == NULL)
        assert_null(text);
    else
        assert_string_equal(text ? text : "(none)", expected);
}

/* Frees them. */
static void assert_keys(
    struct haul_credentials *c, const char *key_id, const char *secret, const char *token)
{
    struct haul_error err;
    const struct keys *k;
    assert_non_null(c);
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_text(k->key_id, key_id);
    assert_text(k->secret, secret);
    assert_text(k->token, token);
    keys_release(k);
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

static void half_a_pair_is_refused_by_endpoints(void **state)
{
    (void) state;
    static const struct {
        const char *key_id, *secret, *missing;
    } halves[] = { { "id", NULL, "the secret" }, { "", "hush", "the key id" },
        { NULL, NULL, "the key id" } };
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        struct haul_error err;
        struct haul_credentials *c =
            haul_credentials_static(halves[i].key_id, halves[i].secret, "hush", &err);
        assert_non_null(c);
        assert_null(
            haul_endpoint_new(&(struct haul_endpoint_options){ .credentials = c }, &err));
        assert_none(NULL, &err, HAUL_NO_CREDENTIALS, halves[i].missing);
        haul_credentials_free(c);
    }
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
    struct haul_error err;
    struct haul_identity who;
    const struct keys *k;
    struct haul_credentials *c = haul_credentials_anonymous(NULL);
    assert_non_null(c);
    haul_credentials_describe(c, &who);
    assert_string_equal(who.source, "anonymous");
    assert_string_equal(who.key_id, "");
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_null(k);
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
    assert_keys(haul_credentials_from_environment(&err), "id", NULL, NULL);
    setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
    assert_keys(haul_credentials_from_environment(&err), "id", "hush", NULL);
    setenv("AWS_SESSION_TOKEN", "token", 1);
    assert_keys(haul_credentials_from_environment(&err), "id", "hush", "token");
}

#define TEST(name) cmocka_unit_test_setup(name, clear_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(given_keys_are_copied),
        TEST(half_a_pair_is_refused_by_endpoints),
        TEST(a_control_character_is_refused_without_telling),
        TEST(anonymous_has_no_keys),
        TEST(the_environment_gives_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
