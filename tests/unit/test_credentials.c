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

#include "clock.h"
#include "fake_source.h"
#include "s3.h"

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

static void an_url_gives_its_keys_decoded(void **state)
{
    (void) state;
    static const struct {
        const char *url, *key_id, *secret;
    } cases[] = {
        { "https://id:hush@host", "id", "hush" },
        { "http://id:hush@[::1]:9000/base/bucket", "id", "hush" },
        { "s3://id:hush@bucket", "id", "hush" },
        { "https://i%3Ad:a%2Fb%2Bc+d%40e:f%25@host?x#y", "i:d", "a/b+c+d@e:f%" },
        { "https://id:hu@sh@host", "id", "hu@sh" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        struct haul_identity who;
        struct haul_credentials *c = haul_credentials_from_url(cases[i].url, &err);
        assert_non_null(c);
        haul_credentials_describe(c, &who);
        assert_string_equal(who.source, "url");
        assert_string_equal(who.key_id, cases[i].key_id);
        assert_keys(c, cases[i].key_id, cases[i].secret, NULL);
    }
}

static void an_url_without_usable_keys_is_refused_without_telling(void **state)
{
    (void) state;
    static const struct {
        const char *url;
        enum haul_code code;
        const char *named;
    } cases[] = {
        { "https://host/bucket", HAUL_NO_CREDENTIALS, "KEY:SECRET@" },
        { "", HAUL_NO_CREDENTIALS, "KEY:SECRET@" },
        { "https://hush@host", HAUL_NO_CREDENTIALS, "the secret is missing" },
        { "https://:hush@host", HAUL_NO_CREDENTIALS, "the key id is missing" },
        { "https://@host", HAUL_NO_CREDENTIALS, "the key id is missing" },
        { "https://id:hush%2@host", HAUL_BAD_CONFIG, "percent-encoded" },
        { "https://id:hush%00@host", HAUL_BAD_CONFIG, "percent-encoded" },
        { "https://id:hush%0A@host", HAUL_BAD_CONFIG, "a control character" },
        { "https://id:hu/sh@host", HAUL_BAD_CONFIG, "percent-encoded" },
        { "https://id:hu?sh@host", HAUL_BAD_CONFIG, "percent-encoded" },
        { "https://id:hush@host/a@b", HAUL_BAD_CONFIG, "percent-encoded" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        assert_none(
            haul_credentials_from_url(cases[i].url, &err), &err, cases[i].code, cases[i].named);
    }
}

/* ---- Several as one ---- */

/* Case 46. */
static void of_each_field_the_first_that_is_not_blank_wins(void **state)
{
    (void) state;
    static const struct {
        const char *sources[3][3], *merged[3];
    } cases[] = {
        { { { "a", "b", "c" }, { "d", "e", "f" } }, { "a", "b", "c" } },
        { { { "a" }, { "d", "e", "f" } }, { "a", "e", "f" } },
        { { { "", "b" }, { "d", "e" }, { "g", "h", "i" } }, { "d", "b", "i" } },
        { { { NULL }, { NULL, NULL, "f" }, { "g", "h" } }, { "g", "h", "f" } },
        { { { "a" }, { "d" }, { "g", NULL, "i" } }, { "a", NULL, "i" } },
        { { { NULL } }, { NULL } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        struct haul_credentials *sources[3];
        for (size_t n = 0; n < 3; n++)
            sources[n] = haul_credentials_static(
                cases[i].sources[n][0], cases[i].sources[n][1], cases[i].sources[n][2], &err);
        assert_keys(haul_credentials_merge(sources, 3, &err), cases[i].merged[0],
            cases[i].merged[1], cases[i].merged[2]);
    }
}

static void sources_that_failed_are_passed_over(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_identity who;
    struct haul_credentials *sources[] = { haul_credentials_from_environment(&err),
        haul_credentials_anonymous(&err), haul_credentials_static("id", "hush", NULL, &err),
        NULL };
    struct haul_credentials *c = haul_credentials_merge(sources, 4, &err);
    haul_credentials_describe(c, &who);
    assert_string_equal(who.source, "merged");
    assert_string_equal(who.detail, "anonymous, static");
    assert_int_equal(who.expires_ms, -1);
    assert_keys(c, "id", "hush", NULL);
    assert_none(
        haul_credentials_merge(&sources[3], 1, &err), &err, HAUL_NO_CREDENTIALS, "none");
    assert_none(haul_credentials_merge(NULL, 0, &err), &err, HAUL_NO_CREDENTIALS, "none");
}

static void what_is_incomplete_is_refused_by_endpoints_alone(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_credentials *only = haul_credentials_static("id", NULL, NULL, &err);
    struct haul_credentials *c = haul_credentials_merge(&only, 1, &err);
    assert_non_null(c);
    assert_null(haul_endpoint_new(&(struct haul_endpoint_options){ .credentials = c }, &err));
    assert_none(NULL, &err, HAUL_NO_CREDENTIALS, "the secret is missing");
    haul_credentials_free(c);
}

/* The token of a static source before everything of a fake one, and another fake one behind. */
static struct haul_credentials *merge_fakes(struct fake_source *first, struct fake_source *last)
{
    struct haul_error err;
    struct haul_credentials *sources[] = { haul_credentials_static(NULL, NULL, "own", &err),
        first->keys, last->keys };
    struct haul_credentials *c = haul_credentials_merge(sources, 3, &err);
    assert_non_null(c);
    first->keys = last->keys = NULL; /* now the merged one's */
    return c;
}

static void fresh_keys_are_asked_of_all_sources(void **state)
{
    (void) state;
    struct haul_error err;
    const struct keys *k;
    struct fake_source *first = fake_source_new(0), *last = fake_source_new(0);
    struct haul_credentials *c = merge_fakes(first, last);
    assert_int_equal(fake_source_asks(first), 1); /* what they had was good enough */
    assert_int_equal(haul_credentials_refresh(c, &err), 0);
    assert_int_equal(fake_source_asks(first), 2);
    assert_int_equal(fake_source_asks(last), 2);
    fake_source_fail(last, 1);
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_int_equal(err.code, HAUL_NETWORK);
    assert_int_equal(credentials_hold(c, &k, &err), 0); /* as they were */
    assert_string_equal(k->token, "own");
    keys_release(k);
    haul_credentials_free(c);
    fake_source_free(first);
    fake_source_free(last);
}

static void they_expire_with_the_first_of_those_that_gave_something(void **state)
{
    (void) state;
    static const struct {
        struct {
            const char *key_id, *secret;
            int64_t expires_ms, offset_ms; /* expires_ms 0: never */
        } sources[2];
        int64_t expires_ms;
    } cases[] = {
        { { { "a", "b", 0, 0 }, { "c", "d", 5, 0 } }, -1 },
        { { { "a", NULL, 0, 0 }, { "c", "d", 5, 0 } }, 5 },
        { { { "a", NULL, 9, 0 }, { "c", "d", 5, 0 } }, 5 },
        { { { "a", NULL, 5, 0 }, { "c", "d", 9, 0 } }, 5 },
        { { { "a", NULL, 5, 0 }, { "c", "d", 9, 7 } }, 9 }, /* that clock is ahead */
        { { { NULL, NULL, 5, 0 }, { "c", "d", 9, 0 } }, 9 },
    };
    const int64_t later_ms = clock_now_ms() + 3600000;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        struct haul_identity who;
        struct haul_credentials *sources[2];
        for (size_t n = 0; n < 2; n++) {
            struct keys *k = keys_new(
                "the test", cases[i].sources[n].key_id, cases[i].sources[n].secret, NULL, &err);
            assert_non_null(k);
            if (cases[i].sources[n].expires_ms > 0)
                k->expires_ms = later_ms + cases[i].sources[n].expires_ms;
            k->issuer_offset_ms = cases[i].sources[n].offset_ms;
            sources[n] = credentials_fixed("test", k, NULL, NULL, &err);
        }
        struct haul_credentials *c = haul_credentials_merge(sources, 2, &err);
        assert_non_null(c);
        haul_credentials_describe(c, &who);
        if (who.expires_ms != cases[i].expires_ms + (cases[i].expires_ms < 0 ? 0 : later_ms))
            fail_msg("%zu: %lld", i, (long long) (who.expires_ms - later_ms));
        haul_credentials_free(c);
    }
}

/* ---- What is told ---- */

static void who_they_are_is_told_without_secrets(void **state)
{
    (void) state;
    struct haul_identity who;
    struct fake_source *s = fake_source_new(3600000);
    haul_credentials_describe(s->keys, &who);
    assert_string_equal(who.source, "fake");
    assert_string_equal(who.profile, "prof");
    assert_string_equal(who.detail, "a test");
    assert_string_equal(who.key_id, S3_ACCESS_KEY);
    assert_true(who.expires_ms > clock_now_ms());
    assert_null(memmem(&who, sizeof who, S3_SECRET_KEY, strlen(S3_SECRET_KEY)));
    fake_source_free(s);
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
        TEST(an_url_gives_its_keys_decoded),
        TEST(an_url_without_usable_keys_is_refused_without_telling),
        TEST(of_each_field_the_first_that_is_not_blank_wins),
        TEST(sources_that_failed_are_passed_over),
        TEST(what_is_incomplete_is_refused_by_endpoints_alone),
        TEST(fresh_keys_are_asked_of_all_sources),
        TEST(they_expire_with_the_first_of_those_that_gave_something),
        TEST(who_they_are_is_told_without_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
