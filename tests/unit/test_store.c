/* store.c: where a store goes, what its blocking calls return, and how it is stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "endpoint.h"
#include "store.h"
#include "store_fixture.h"
#include "temp.h"

#define ENCODED_SECRET "scripted%2Fsecret%2Bkey" /* S3_SECRET_KEY */

/* ---- Where it goes ---- */

static const char *const variables[] = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    "http_proxy", "HOME" };

/* No environment, and a home without files. */
static int bare(void **state)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    return open_shop(state);
}

static struct haul_store *open_url(
    struct shop *p, const char *before_host, struct haul_store_options options)
{
    char url[256];
    snprintf(url, sizeof url, "http://%s127.0.0.1:%u/" BUCKET, before_host, p->s3->port);
    struct haul_store *s = haul_store_new(url, &options, &p->err);
    if (s == NULL)
        fail_msg("%s", p->err.text);
    return s;
}

/* It reaches the bucket at once, with the right keys and region. */
static void assert_reaches(struct shop *p, struct haul_store *s)
{
    uint64_t before = s3_count(p->s3, "requests");
    good(p, haul_head_bucket(s, NULL, &p->err));
    assert_int_equal(s3_count(p->s3, "requests"), before + 1);
    haul_store_free(s);
}

static void keys_in_the_url_sign(void **state)
{
    struct shop *p = *state;
    struct haul_store *s = open_url(
        p, S3_ACCESS_KEY ":" ENCODED_SECRET "@", (struct haul_store_options){ .bucket = NULL });
    assert_null(strchr(haul_endpoint_url(haul_store_endpoint(s)), '@'));
    assert_string_equal(haul_store_bucket(s), BUCKET);
    assert_reaches(p, s);
}

static void keys_given_as_option_go_before_those_in_the_url(void **state)
{
    struct shop *p = *state;
    assert_reaches(
        p, open_url(p, "AKIDOTHER:other@",
               (struct haul_store_options){ .endpoint.credentials = p->base->keys }));
}

static void without_options_all_comes_from_the_environment(void **state)
{
    static const char *const elsewhere[] = { "--region", "eu-west-1", NULL };
    struct shop *p = *state;
    s3_restart(p->s3, elsewhere);
    setenv("AWS_ACCESS_KEY_ID", S3_ACCESS_KEY, 1);
    setenv("AWS_SECRET_ACCESS_KEY", S3_SECRET_KEY, 1);
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
    setenv("AWS_ENDPOINT_URL_S3", p->s3->url, 1);
    struct haul_store *s = haul_store_new("s3://" BUCKET, NULL, &p->err);
    assert_non_null(s);
    assert_reaches(p, s);

    unsetenv("AWS_ENDPOINT_URL_S3");
    setenv("AWS_ENDPOINT_URL", p->s3->url, 1);
    s = haul_store_new("s3://", NULL, &p->err);
    assert_non_null(s);
    assert_null(haul_store_bucket(s));
    struct haul_request r = { .bucket = BUCKET };
    good(p, haul_head_bucket(s, &r, &p->err));
    haul_store_free(s);
}

/* The environment has a say in which host s3:// is, and in no other. */
static void a_store_without_a_host_is_where_the_environment_says(void **state)
{
    static const struct {
        const char *set[3]; /* NAME=VALUE */
        const char *profile, *url;
        struct haul_endpoint_options options;
        const char *expected; /* NULL: HAUL_BAD_CONFIG */
        enum haul_addressing addressing;
    } cases[] = {
        { { NULL }, "", "s3://bkt", .expected = "https://s3.us-east-1.amazonaws.com" },
        { { "AWS_USE_DUALSTACK_ENDPOINT=true", "AWS_REGION=eu-west-1" }, "", "s3://bkt",
            .expected = "https://s3.dualstack.eu-west-1.amazonaws.com" },
        { { "AWS_USE_FIPS_ENDPOINT=true" }, "", "s3://bkt",
            .expected = "https://s3-fips.us-east-1.amazonaws.com" },
        { { NULL }, "s3 =\n  use_accelerate_endpoint = true\n", "s3://bkt",
            .expected = "https://s3-accelerate.amazonaws.com" },
        { { NULL }, "s3 =\n  addressing_style = path\n", "s3://bkt",
            .expected = "https://s3.us-east-1.amazonaws.com", .addressing = HAUL_ADDRESS_PATH },
        { { NULL }, "s3 =\n  addressing_style = path\n", "s3://bkt",
            .options = { .addressing = HAUL_ADDRESS_VIRTUAL },
            .expected = "https://s3.us-east-1.amazonaws.com",
            .addressing = HAUL_ADDRESS_VIRTUAL },
        { { "AWS_ENDPOINT_URL=https://lab", "AWS_USE_DUALSTACK_ENDPOINT=true",
              "AWS_USE_FIPS_ENDPOINT=true" },
            "s3 =\n  use_accelerate_endpoint = true\n  addressing_style = virtual\n",
            "s3://bkt", .expected = "https://lab", .addressing = HAUL_ADDRESS_VIRTUAL },
        { { "AWS_ENDPOINT_URL=https://lab", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true" }, "",
            "s3://bkt", .expected = "https://s3.us-east-1.amazonaws.com" },
        { { NULL }, "endpoint_url = https://lab\n", "s3://bkt", .expected = "https://lab" },
        { { "AWS_ENDPOINT_URL=https://lab" }, "", "s3://bkt",
            .options = { .dualstack = true } },
        { { NULL }, "", "s3://bkt", .options = { .dualstack = true },
            .expected = "https://s3.dualstack.us-east-1.amazonaws.com" },
        { { "AWS_ENDPOINT_URL=https://lab", "AWS_USE_DUALSTACK_ENDPOINT=true",
              "AWS_USE_FIPS_ENDPOINT=true" },
            "s3 =\n  addressing_style = path\n", "https://bkt.s3.eu-west-1.amazonaws.com",
            .expected = "https://s3.eu-west-1.amazonaws.com" },
        { { "AWS_USE_FIPS_ENDPOINT=true" }, "", "https://host/bkt",
            .expected = "https://host" },
        { { "AWS_REGION=cn-north-1", "AWS_USE_FIPS_ENDPOINT=true" }, "", "s3://bkt",
            .expected = NULL },
        { { "AWS_USE_FIPS_ENDPOINT=perhaps" }, "", "https://host/bkt", .expected = NULL },
    };
    struct shop *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = temp_make(), text[256];
        snprintf(text, sizeof text, "[default]\n%s", cases[i].profile);
        char *config = temp_write_text(folder, "config", text);
        setenv("AWS_CONFIG_FILE", config, 1);
        for (size_t k = 0; k < 3 && cases[i].set[k] != NULL; k++)
            assert_int_equal(putenv((char *) cases[i].set[k]), 0);
        struct haul_store_options o = { .endpoint = cases[i].options };
        o.endpoint.credentials = p->base->keys;
        struct haul_store *s = haul_store_new(cases[i].url, &o, &p->err);
        for (size_t k = 0; k < sizeof variables / sizeof *variables; k++)
            unsetenv(variables[k]);
        print_message("%s: %s\n", cases[i].url,
            s ? haul_endpoint_url(haul_store_endpoint(s)) : p->err.text);
        assert_int_equal(s != NULL, cases[i].expected != NULL);
        if (s != NULL) {
            assert_string_equal(haul_endpoint_url(haul_store_endpoint(s)), cases[i].expected);
            assert_int_equal(haul_store_endpoint(s)->addressing, cases[i].addressing);
        } else {
            assert_int_equal(p->err.code, HAUL_BAD_CONFIG);
        }
        haul_store_free(s);
        free(config);
        temp_remove(folder);
    }
}

static void whom_to_trust_the_environment_says_to_every_store(void **state)
{
    static const char *const urls[] = { "s3://bkt", "https://host/bkt" };
    struct shop *p = *state;
    char *folder = temp_make(), *theirs = temp_write_text(folder, "theirs.pem", ""),
         *ours = temp_write_text(folder, "ours.pem", "");
    setenv("AWS_CA_BUNDLE", theirs, 1);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct haul_store_options o = { .endpoint.credentials = p->base->keys };
        struct haul_store *s = haul_store_new(urls[i], &o, &p->err);
        assert_non_null(s);
        assert_string_equal(haul_store_endpoint(s)->ca_file, theirs);
        haul_store_free(s);
        o.endpoint.ca_file = ours;
        s = haul_store_new(urls[i], &o, &p->err);
        assert_non_null(s);
        assert_string_equal(haul_store_endpoint(s)->ca_file, ours);
        haul_store_free(s);
    }
    remove(theirs);
    assert_null(haul_store_new("https://host/bkt",
        &(struct haul_store_options){ .endpoint.credentials = p->base->keys }, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_CONFIG);
    assert_non_null(strstr(p->err.text, theirs));
    free(theirs);
    free(ours);
    temp_remove(folder);
}

/* Case 44. */
static void a_wrong_region_is_put_right_and_remembered(void **state)
{
    static const char *const elsewhere[] = { "--region", "eu-west-1", NULL };
    struct shop *p = *state;
    s3_restart(p->s3, elsewhere);
    put(p, "a", "one");
    uint64_t before = s3_count(p->s3, "requests");
    put(p, "b", "two");
    assert_int_equal(s3_count(p->s3, "requests"), before + 1);
}

static void who_has_no_keys_is_told_so(void **state)
{
    struct shop *p = *state;
    char *home = temp_make();
    setenv("HOME", home, 1);
    assert_null(haul_store_new("https://store.example/" BUCKET, NULL, &p->err));
    assert_int_equal(p->err.code, HAUL_NO_CREDENTIALS);
    temp_remove(home);
}

static void a_bad_url_and_a_bad_option_are_refused(void **state)
{
    struct shop *p = *state;
    struct haul_store_options o = { .endpoint.credentials = p->base->keys };
    assert_null(haul_store_new("store.example", &o, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_CONFIG);
    assert_null(haul_store_new("https://store.example:port/" BUCKET, &o, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_CONFIG);
    o.endpoint.ca_file = "/nowhere/ca.pem";
    assert_null(haul_store_new("https://store.example", &o, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_CONFIG);
}

/* ---- Calls ---- */

static void a_result_stays_until_the_call_after_it_has_ended(void **state)
{
    struct shop *p = *state;
    put(p, "a", "text");
    struct haul_request r = { .key = "a" };
    const struct haul_result *head = good(p, haul_head(p->store, &r, &p->err));
    struct sink sink = { .data = NULL };
    /* Each points into the result that the call replaces. */
    struct haul_request get = get_of(p->base, "a", &sink);
    get.endpoint = NULL;
    get.bucket = NULL;
    get.if_match = head->etag;
    head = good(p, haul_get(p->store, &get, &p->err));
    assert_int_equal(head->size, 4);
    assert_memory_equal(sink.data, "text", 4);
    get.if_match = head->etag;
    good(p, haul_get(p->store, &get, &p->err));
    free(sink.data);
}

static void a_request_may_name_its_own_bucket_and_endpoint(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .bucket = "other-bucket", .endpoint = p->base->endpoint };
    good(p, haul_create_bucket(p->store, &r, &p->err));
    r.key = "a";
    good(p, haul_put_string(p->store, &r, "there", &p->err));
    assert_missing(p, "a");
    r.operation = HAUL_HEAD_OBJECT;
    assert_int_equal(good(p, haul_perform(p->store, &r, &p->err))->size, 5);
}

static void a_failed_call_says_why_and_the_store_goes_on(void **state)
{
    struct shop *p = *state;
    struct haul_request bad = { .operation = HAUL_PUT_OBJECT }; /* no key */
    assert_null(haul_perform(p->store, &bad, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    assert_missing(p, "a");
    assert_int_equal(p->err.code, HAUL_SERVER);
    put(p, "a", "text");
    assert_text(p, "a", "text");
}

static void other_requests_of_its_client_move_along(void **state)
{
    struct shop *p = *state;
    struct end end = { .calls = 0 };
    struct haul_request head = request(p->base, HAUL_HEAD_BUCKET, NULL);
    assert_int_equal(
        haul_client_submit(haul_store_client(p->store), &head, on_end, &end, &p->err), 0);
    put(p, "a", "text");
    while (end.calls == 0)
        assert_true(haul_client_run(haul_store_client(p->store), 1000, &p->err) >= 0);
    assert_int_equal(end.error.code, HAUL_OK);
}

/* ---- Stopping ---- */

static struct haul_store *to_stop;

static void on_signal(int number)
{
    (void) number;
    haul_store_stop(to_stop);
}

struct stopper {
    const struct s3 *s3;
    pthread_t caller;
    bool by_signal;
};

static void *stop_at_gate(void *payload)
{
    struct stopper *s = payload;
    s3_wait_at(s->s3, "held", 1);
    if (s->by_signal)
        pthread_kill(s->caller, SIGUSR1);
    else
        haul_store_stop(to_stop);
    return NULL;
}

static void stop_while_held(struct shop *p, bool by_signal)
{
    struct stopper s = { p->s3, pthread_self(), by_signal };
    struct haul_request r = { .key = "a" };
    to_stop = p->store;
    signal(SIGUSR1, on_signal);
    s3_fault(p->s3, "GetObject always gate=held\n");
    put(p, "a", "text");
    pthread_t thread = begin_thread(stop_at_gate, &s);
    assert_null(haul_get(p->store, &r, &p->err)); /* comes back at all */
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_DFL);

    uint64_t before = s3_count(p->s3, "requests");
    assert_null(haul_head(p->store, &r, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_int_equal(haul_delete_many(p->store, NULL, &(struct haul_victim){ .key = "a" }, 1,
                         NULL, NULL, &p->err),
        -1);
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_int_equal(s3_count(p->s3, "requests"), before);

    /* What cleans up still goes out. */
    struct haul_request clean = store_request(p->store, &r, HAUL_DELETE_OBJECT);
    good(p, store_perform(p->store, &clean, true, &p->err));
    assert_int_equal(s3_count(p->s3, "DeleteObject"), 1);
    assert_int_equal(store_run(p->store, &p->err), -1);
    assert_int_equal(p->err.code, HAUL_CANCELLED);
}

static void another_thread_stops_the_call_under_way_and_all_later_ones(void **state)
{
    stop_while_held(*state, false);
}

static void a_signal_handler_may_stop_it(void **state)
{
    stop_while_held(*state, true);
}

static void *stop_when_refused(void *payload)
{
    const struct s3 *s3 = payload;
    while (s3_count(s3, "HeadObject") == 0 || s3_count(s3, "in_flight") > 0)
        continue; /* each asks the server */
    haul_store_stop(to_stop);
    return NULL;
}

static void a_call_that_waits_for_its_retry_is_stopped(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a" };
    to_stop = p->store;
    s3_fault(p->s3, "HeadObject always status=503 retry-after=60\n");
    pthread_t thread = begin_thread(stop_when_refused, p->s3);
    assert_null(haul_head(p->store, &r, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    pthread_join(thread, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bare, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_in_the_url_sign),
        TEST(keys_given_as_option_go_before_those_in_the_url),
        TEST(without_options_all_comes_from_the_environment),
        TEST(a_store_without_a_host_is_where_the_environment_says),
        TEST(whom_to_trust_the_environment_says_to_every_store),
        TEST(a_wrong_region_is_put_right_and_remembered),
        TEST(who_has_no_keys_is_told_so),
        TEST(a_bad_url_and_a_bad_option_are_refused),
        TEST(a_result_stays_until_the_call_after_it_has_ended),
        TEST(a_request_may_name_its_own_bucket_and_endpoint),
        TEST(a_failed_call_says_why_and_the_store_goes_on),
        TEST(other_requests_of_its_client_move_along),
        TEST(another_thread_stops_the_call_under_way_and_all_later_ones),
        TEST(a_signal_handler_may_stop_it),
        TEST(a_call_that_waits_for_its_retry_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
