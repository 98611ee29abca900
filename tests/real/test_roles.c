/* Roles of a real STS, which gives keys for a second or two, and the server that takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/object.h>
#include <haul/refresher.h>
#include <haul/store.h>

#include "boto.h"

#define DURATION_S 2

struct fixture {
    char *bucket;
    struct haul_credentials *role;
    struct haul_store *store;
};

static struct haul_credentials *take_role(const char *variable, unsigned seconds)
{
    struct haul_error err;
    struct haul_credentials *c =
        haul_credentials_from_role(haul_credentials_from_environment(&err),
            &(struct haul_role){ .arn = getenv(variable), .duration_seconds = seconds }, &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    return c;
}

static struct haul_store *open_store(
    const char *url, const char *bucket, const struct haul_credentials *c)
{
    struct haul_error err;
    struct haul_store *s = haul_store_new(url,
        &(struct haul_store_options){ .bucket = bucket,
            .endpoint = { .credentials = c, .ca_file = getenv("TLS_CA_BUNDLE") } },
        &err);
    if (s == NULL)
        fail_msg("%s", err.text);
    return s;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->bucket = boto_bucket();
    f->role = take_role("STS_ROLE_ARN", DURATION_S);
    f->store = open_store("s3://", f->bucket, f->role);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    haul_store_free(f->store);
    haul_credentials_free(f->role);
    free(f->bucket);
    free(f);
    return 0;
}

static void put(struct haul_store *s, const char *key, const char *text)
{
    struct haul_error err;
    if (haul_put_string(s, &(struct haul_request){ .key = key }, text, &err) == NULL)
        fail_msg("%s", err.text);
}

static void assert_gets(struct haul_store *s, const char *key, const char *text)
{
    struct haul_error err;
    char *data;
    size_t len;
    if (haul_get_memory(s, &(struct haul_request){ .key = key }, 100, &data, &len, &err) ==
        NULL)
        fail_msg("%s", err.text);
    assert_string_equal(data, text);
    free(data);
}

static struct haul_identity describe(const struct haul_credentials *c)
{
    struct haul_identity id;
    haul_credentials_describe(c, &id);
    return id;
}

static int64_t server_ms(struct haul_store *s)
{
    return haul_endpoint_now_ms(haul_store_endpoint(s));
}

static void a_session_puts_and_gets(void **state)
{
    const struct fixture *f = *state;
    struct haul_identity id = describe(f->role);
    put(f->store, "a", "by a role");
    assert_string_equal(boto("read('%s', 'a')", f->bucket), "b'by a role'");
    boto("s3.put_object(Bucket='%s', Key='b', Body=b'by the user')", f->bucket);
    assert_gets(f->store, "b", "by the user");
    assert_string_equal(id.source, "role");
    assert_string_equal(id.detail, getenv("STS_ROLE_ARN"));
    assert_string_not_equal(id.key_id, getenv("AWS_ACCESS_KEY_ID"));
    int64_t left_ms = id.expires_ms - server_ms(f->store);
    assert_true(left_ms <= (DURATION_S + 1) * 1000);
}

/* Requests, without a break, until these keys have been replaced twice, each by some that
 * expire so much later. */
static void use_until_replaced_twice(const struct fixture *f, int64_t later_ms)
{
    for (int sets = 0; sets < 2; sets++) {
        const struct haul_identity first = describe(f->role);
        struct haul_identity now = first;
        while (strcmp(now.key_id, first.key_id) == 0) {
            put(f->store, "a", first.key_id);
            assert_gets(f->store, "a", first.key_id);
            now = describe(f->role);
        }
        assert_true(now.expires_ms >= first.expires_ms + later_ms);
    }
}

static void a_session_that_has_expired_is_followed_by_another(void **state)
{
    use_until_replaced_twice(*state, DURATION_S * 1000);
}

static void a_refresher_sees_to_others_in_time(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    struct haul_refresher *r =
        haul_refresher_start((struct haul_credentials *[]){ f->role }, 1, &err);
    assert_non_null(r);
    use_until_replaced_twice(f, 1);
    haul_refresher_stop(r);
}

static void a_role_takes_another_and_may_do_what_that_may(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    struct haul_credentials *reader =
        haul_credentials_from_role(take_role("STS_ROLE_ARN", DURATION_S),
            &(struct haul_role){
                .arn = getenv("STS_READER_ROLE_ARN"), .duration_seconds = DURATION_S },
            &err);
    if (reader == NULL)
        fail_msg("%s", err.text);
    struct haul_store *s = open_store("s3://", f->bucket, reader);
    const struct haul_identity first = describe(reader);
    put(f->store, "a", "text");
    while (strcmp(describe(reader).key_id, first.key_id) == 0)
        assert_gets(s, "a", "text");
    assert_null(haul_put_string(s, &(struct haul_request){ .key = "b" }, "text", &err));
    assert_string_equal(err.aws_code, "AccessDenied");
    assert_string_equal(boto("keys('%s')", f->bucket), "['a']");
    haul_store_free(s);
    haul_credentials_free(reader);
}

static void sts_and_store_are_reached_by_https_too(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    struct haul_credentials *c =
        haul_credentials_from_role(haul_credentials_from_environment(&err),
            &(struct haul_role){ .arn = getenv("STS_ROLE_ARN"),
                .sts_url = getenv("TLS_ENDPOINT_URL"),
                .ca_file = getenv("TLS_CA_BUNDLE") },
            &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    struct haul_store *s = open_store(getenv("TLS_ENDPOINT_URL"), f->bucket, c);
    put(s, "a", "text");
    assert_gets(s, "a", "text");
    assert_true(describe(c).expires_ms - server_ms(s) > 3590 * 1000);
    haul_store_free(s);
    haul_credentials_free(c);
}

static void what_the_server_refuses_is_told(void **state)
{
    (void) state;
    static const struct {
        const char *key_id, *arn;
        const char *part;
    } cases[] = {
        { "TESTKEY", "arn:aws:iam:::role/nobody", "answered 404 NoSuchEntity" },
        { "NOBODY", "arn:aws:iam:::role/session", "answered 403 InvalidAccessKeyId" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        assert_null(haul_credentials_from_role(
            haul_credentials_static(cases[i].key_id, "TESTSECRET", NULL, &err),
            &(struct haul_role){ .arn = cases[i].arn }, &err));
        assert_int_equal(err.code, HAUL_NO_CREDENTIALS);
        if (strstr(err.text, cases[i].part) == NULL || strstr(err.text, cases[i].arn) == NULL)
            fail_msg("%s", err.text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_puts_and_gets),
        TEST(a_session_that_has_expired_is_followed_by_another),
        TEST(a_refresher_sees_to_others_in_time),
        TEST(a_role_takes_another_and_may_do_what_that_may),
        TEST(sts_and_store_are_reached_by_https_too),
        TEST(what_the_server_refuses_is_told),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
