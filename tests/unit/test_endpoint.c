/* endpoint.c: which URLs are taken, where a bucket's key lives, and what is learnt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include <haul/presign.h>

#include "credentials.h"
#include "endpoint.h"
#include "temp.h"

static struct haul_endpoint *open_endpoint(struct haul_endpoint_options options)
{
    struct haul_error err;
    struct haul_endpoint *e = haul_endpoint_new(&options, &err);
    if (e == NULL)
        fail_msg("%s: %s", options.url ? options.url : "AWS", err.text);
    return e;
}

/* "scheme://host/path" of a bucket's key. */
static const char *place(const struct haul_endpoint *e, const char *bucket, const char *key)
{
    static char text[1024];
    char region[REGION_SIZE];
    struct buf host = buf_make(256), path = buf_make(512);
    endpoint_region(e, bucket, region);
    endpoint_add_host(&host, e, bucket, region, true);
    endpoint_add_path(&path, e, bucket, key);
    snprintf(text, sizeof text, "%s://%s%s", e->scheme, buf_text(&host), buf_text(&path));
    buf_free(&host);
    buf_free(&path);
    return text;
}

static void assert_no_endpoint(
    struct haul_endpoint_options options, enum haul_code code, const char *why)
{
    struct haul_error err = { .code = HAUL_OK };
    struct haul_endpoint *e = haul_endpoint_new(&options, &err);
    if (e != NULL)
        fail_msg("%s was taken", haul_endpoint_url(e));
    assert_int_equal(err.code, code);
    assert_int_equal(err.retry, HAUL_RETRY_WHEN_FIXED);
    if (strstr(err.text, why) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.text, why);
    assert_null(strstr(err.text, "hunter2"));
}

static void an_url_is_taken_apart(void **state)
{
    static const struct {
        const char *url, *shown, *bucket, *object;
    } cases[] = {
        { "http://127.0.0.1:7480", "http://127.0.0.1:7480", "http://127.0.0.1:7480/bkt",
            "http://127.0.0.1:7480/bkt/a%20b" },
        { "https://store.example", "https://store.example", "https://store.example/bkt",
            "https://store.example/bkt/a%20b" },
        { "https://store.example:443/", "https://store.example", "https://store.example/bkt",
            "https://store.example/bkt/a%20b" },
        { "http://store.example:80", "http://store.example", "http://store.example/bkt",
            "http://store.example/bkt/a%20b" },
        { "https://store.example:80//", "https://store.example:80",
            "https://store.example:80/bkt", "https://store.example:80/bkt/a%20b" },
        { "http://[::1]:9000", "http://[::1]:9000", "http://[::1]:9000/bkt",
            "http://[::1]:9000/bkt/a%20b" },
        { "HTTP://Store/base/of%20it/", "http://Store", "http://Store/base/of%20it/bkt",
            "http://Store/base/of%20it/bkt/a%20b" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_endpoint *e =
            open_endpoint((struct haul_endpoint_options){ .url = cases[i].url });
        assert_string_equal(haul_endpoint_url(e), cases[i].shown);
        assert_string_equal(place(e, "bkt", NULL), cases[i].bucket);
        assert_string_equal(place(e, "bkt", "a b"), cases[i].object);
        haul_endpoint_free(e);
    }
    haul_endpoint_free(NULL);
}

static void what_is_no_endpoint_is_refused_and_not_repeated(void **state)
{
    static const struct {
        const char *url, *word;
    } cases[] = {
        { "https://me:hunter2@store.example", "has a user" },
        { "https://:hunter2@store.example", "has a" },
        { "https://me@store.example", "has a user" },
        { "https://store.example/?key=hunter2", "has a query" },
        { "https://store.example/#hunter2", "has a fragment" },
        { "ftp://store.example", "ftp://" },
        { "file:///etc/passwd", "expected https://" },
        { "store.example:9000", "" },
        { "https://", "" },
        { "https://store example", "" },
        { "https://store.example:hunter2", "" },
        { "https://store.example:99999", "" },
        { "https://store.example/\r\nhunter2: 1", "" },
        { "", "" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_no_endpoint((struct haul_endpoint_options){ .url = cases[i].url },
            HAUL_BAD_CONFIG, cases[i].word);
}

static void the_bucket_s_name_stands_where_addressing_says(void **state)
{
    static const struct {
        const char *url, *region;
        enum haul_addressing addressing;
        const char *bucket, *expected;
    } cases[] = {
        { NULL, NULL, HAUL_ADDRESS_AUTO, "bkt", "https://bkt.s3.us-east-1.amazonaws.com/k" },
        { NULL, "eu-west-1", HAUL_ADDRESS_AUTO, "bkt",
            "https://bkt.s3.eu-west-1.amazonaws.com/k" },
        { NULL, "cn-north-1", HAUL_ADDRESS_AUTO, "bkt",
            "https://bkt.s3.cn-north-1.amazonaws.com.cn/k" },
        { NULL, NULL, HAUL_ADDRESS_PATH, "bkt", "https://s3.us-east-1.amazonaws.com/bkt/k" },
        { NULL, NULL, HAUL_ADDRESS_AUTO, "my.bkt",
            "https://s3.us-east-1.amazonaws.com/my.bkt/k" },
        { NULL, NULL, HAUL_ADDRESS_AUTO, "My_Bkt",
            "https://s3.us-east-1.amazonaws.com/My_Bkt/k" },
        { NULL, NULL, HAUL_ADDRESS_AUTO, "bkt-", "https://s3.us-east-1.amazonaws.com/bkt-/k" },
        { NULL, NULL, HAUL_ADDRESS_VIRTUAL, "my.bkt",
            "https://my.bkt.s3.us-east-1.amazonaws.com/k" },
        { "https://s3.eu-west-1.amazonaws.com", NULL, HAUL_ADDRESS_AUTO, "bkt",
            "https://bkt.s3.eu-west-1.amazonaws.com/k" },
        { "https://amazonaws.com.example", NULL, HAUL_ADDRESS_AUTO, "bkt",
            "https://amazonaws.com.example/bkt/k" },
        { "http://lab:7480/base", NULL, HAUL_ADDRESS_AUTO, "bkt",
            "http://lab:7480/base/bkt/k" },
        { "http://lab:7480/base", NULL, HAUL_ADDRESS_VIRTUAL, "bkt",
            "http://bkt.lab:7480/base/k" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_endpoint *e =
            open_endpoint((struct haul_endpoint_options){ .url = cases[i].url,
                .region = cases[i].region,
                .addressing = cases[i].addressing });
        assert_string_equal(place(e, cases[i].bucket, "k"), cases[i].expected);
        haul_endpoint_free(e);
    }
}

static void aws_s_other_hosts_are_chosen_by_option(void **state)
{
    static const struct {
        const char *region;
        bool dualstack, fips, accelerate;
        const char *url, *service, *object; /* "https://" left out */
    } cases[] = {
        { "eu-west-1", 1, 0, 0, "s3.dualstack.eu-west-1.amazonaws.com",
            "s3.dualstack.eu-west-1.amazonaws.com",
            "bkt.s3.dualstack.eu-west-1.amazonaws.com" },
        { "us-gov-west-1", 0, 1, 0, "s3-fips.us-gov-west-1.amazonaws.com",
            "s3-fips.us-gov-west-1.amazonaws.com", "bkt.s3-fips.us-gov-west-1.amazonaws.com" },
        { "us-east-2", 1, 1, 0, "s3-fips.dualstack.us-east-2.amazonaws.com",
            "s3-fips.dualstack.us-east-2.amazonaws.com",
            "bkt.s3-fips.dualstack.us-east-2.amazonaws.com" },
        { "eu-west-1", 0, 0, 1, "s3-accelerate.amazonaws.com", "s3.eu-west-1.amazonaws.com",
            "bkt.s3-accelerate.amazonaws.com" },
        { "eu-west-1", 1, 0, 1, "s3-accelerate.dualstack.amazonaws.com",
            "s3.dualstack.eu-west-1.amazonaws.com",
            "bkt.s3-accelerate.dualstack.amazonaws.com" },
        { "cn-north-1", 1, 0, 0, "s3.dualstack.cn-north-1.amazonaws.com.cn",
            "s3.dualstack.cn-north-1.amazonaws.com.cn",
            "bkt.s3.dualstack.cn-north-1.amazonaws.com.cn" },
        { "us-iso-east-1", 0, 0, 0, "s3.us-iso-east-1.c2s.ic.gov",
            "s3.us-iso-east-1.c2s.ic.gov", "bkt.s3.us-iso-east-1.c2s.ic.gov" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256];
        struct haul_endpoint *e =
            open_endpoint((struct haul_endpoint_options){ .region = cases[i].region,
                .dualstack = cases[i].dualstack,
                .fips = cases[i].fips,
                .accelerate = cases[i].accelerate });
        assert_true(haul_endpoint_is_aws(e));
        snprintf(expected, sizeof expected, "https://%s", cases[i].url);
        assert_string_equal(haul_endpoint_url(e), expected);
        assert_string_equal(haul_endpoint_region(e), cases[i].region);
        snprintf(expected, sizeof expected, "https://%s/", cases[i].service);
        assert_string_equal(place(e, NULL, NULL), expected);
        snprintf(expected, sizeof expected, "https://%s/k", cases[i].object);
        assert_string_equal(place(e, "bkt", "k"), expected);
        haul_endpoint_free(e);
    }
}

static void hosts_that_aws_does_not_have_are_refused(void **state)
{
    static const struct {
        struct haul_endpoint_options options;
        const char *why;
    } cases[] = {
        { { .region = "cn-north-1", .fips = true }, "no FIPS hosts for the region cn-north-1" },
        { { .region = "cn-north-1", .accelerate = true }, "no accelerated hosts for" },
        { { .region = "us-gov-west-1", .accelerate = true }, "no accelerated hosts for" },
        { { .region = "us-isob-east-1", .dualstack = true }, "no dual-stack hosts for" },
        { { .fips = true, .accelerate = true }, "leave out fips or accelerate" },
        { { .accelerate = true, .addressing = HAUL_ADDRESS_PATH }, "the addressing by path" },
        { { .url = "https://lab", .dualstack = true }, "AWS's own hosts" },
        { { .url = "https://s3.eu-west-1.amazonaws.com", .fips = true }, "AWS's own hosts" },
        { { .url = "https://lab", .accelerate = true }, "AWS's own hosts" },
        { { .region = "evil.example/" }, "none of AWS's" },
        { { .region = "EU-WEST-1" }, "none of AWS's" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_no_endpoint(cases[i].options, HAUL_BAD_CONFIG, cases[i].why);
    /* Elsewhere it is but a part of the signature. */
    haul_endpoint_free(open_endpoint(
        (struct haul_endpoint_options){ .url = "https://lab", .region = "Zone_A" }));
}

/* Buckets are made, removed and listed in their region, whatever their names. */
static void only_labels_are_accelerated_and_only_what_is_about_objects(void **state)
{
    static const struct {
        struct haul_request request;
        const char *expected; /* NULL: refused */
    } cases[] = {
        { { HAUL_GET_OBJECT, .bucket = "bkt", .key = "k" },
            "bkt.s3-accelerate.amazonaws.com/k" },
        { { HAUL_LIST_OBJECTS, .bucket = "bkt" }, "bkt.s3-accelerate.amazonaws.com/?" },
        { { HAUL_HEAD_BUCKET, .bucket = "bkt" }, "bkt.s3-accelerate.amazonaws.com/?" },
        { { HAUL_ANY, .method = "GET", .bucket = "bkt", .key = "k" },
            "bkt.s3-accelerate.amazonaws.com/k" },
        { { HAUL_ANY, .method = "PUT", .bucket = "bkt" }, "bkt.s3.us-east-1.amazonaws.com/?" },
        { { HAUL_CREATE_BUCKET, .bucket = "bkt" }, "bkt.s3.us-east-1.amazonaws.com/?" },
        { { HAUL_DELETE_BUCKET, .bucket = "my.bkt" }, "s3.us-east-1.amazonaws.com/my.bkt?" },
        { { HAUL_LIST_BUCKETS, .bucket = "my.bkt" }, "s3.us-east-1.amazonaws.com/?" },
        { { HAUL_GET_OBJECT, .bucket = "my.bkt", .key = "k" }, NULL },
        { { HAUL_HEAD_BUCKET, .bucket = "My_Bkt" }, NULL },
    };
    (void) state;
    struct haul_error err;
    struct haul_credentials *keys = haul_credentials_static("id", "secret", NULL, &err);
    struct haul_endpoint *e = open_endpoint(
        (struct haul_endpoint_options){ .accelerate = true, .credentials = keys });
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_request r = cases[i].request;
        r.endpoint = e;
        char *url = haul_presign(&r, 60, &err);
        print_message("%s\n", url ? url : err.text);
        assert_int_equal(url != NULL, cases[i].expected != NULL);
        if (url == NULL)
            assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
        else
            assert_memory_equal(url + 8, cases[i].expected, strlen(cases[i].expected));
        free(url);
    }
    haul_endpoint_free(e);
    haul_credentials_free(keys);
}

static void a_bucket_that_is_no_label_has_its_name_in_the_path_under_fips_too(void **state)
{
    (void) state;
    struct haul_endpoint *e = open_endpoint((struct haul_endpoint_options){ .fips = true });
    assert_string_equal(
        place(e, "my.bkt", "k"), "https://s3-fips.us-east-1.amazonaws.com/my.bkt/k");
    haul_endpoint_free(e);
}

static void amazon_s_domains_are_known(void **state)
{
    static const struct {
        const char *url;
        bool is_aws;
    } cases[] = {
        { "https://s3.eu-west-1.amazonaws.com", true },
        { "https://S3.EU-WEST-1.AmazonAWS.com", true },
        { "https://s3.cn-north-1.amazonaws.com.cn", true },
        { "https://s3.us-iso-east-1.c2s.ic.gov", true },
        { "https://amazonaws.com", false },
        { "https://evilamazonaws.com", false },
        { "https://s3.amazonaws.com.example", false },
        { "https://lab", false },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_endpoint *e =
            open_endpoint((struct haul_endpoint_options){ .url = cases[i].url });
        if (haul_endpoint_is_aws(e) != cases[i].is_aws)
            fail_msg("%s", cases[i].url);
        haul_endpoint_free(e);
    }
}

static void a_virtual_bucket_itself_is_the_root(void **state)
{
    (void) state;
    struct haul_endpoint *e = open_endpoint((struct haul_endpoint_options){ .region = "r" });
    assert_string_equal(haul_endpoint_url(e), "https://s3.r.amazonaws.com");
    assert_string_equal(place(e, "bkt", NULL), "https://bkt.s3.r.amazonaws.com/");
    haul_endpoint_free(e);
}

static void bodies_are_signed_where_nothing_else_guards_them(void **state)
{
    static const struct {
        const char *url;
        enum haul_payload payload;
        bool expected;
    } cases[] = {
        { "http://lab", HAUL_PAYLOAD_AUTO, true },
        { "https://lab", HAUL_PAYLOAD_AUTO, false },
        { NULL, HAUL_PAYLOAD_AUTO, false },
        { "https://lab", HAUL_PAYLOAD_SIGNED, true },
        { "http://lab", HAUL_PAYLOAD_UNSIGNED, false },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_endpoint *e = open_endpoint(
            (struct haul_endpoint_options){ .url = cases[i].url, .payload = cases[i].payload });
        assert_int_equal(e->payload == HAUL_PAYLOAD_SIGNED, cases[i].expected);
        haul_endpoint_free(e);
    }
}

static void files_for_tls_have_to_be_readable(void **state)
{
    (void) state;
    char *folder = temp_make(), *path = temp_write_text(folder, "a.pem", "x");
    struct haul_endpoint *e =
        open_endpoint((struct haul_endpoint_options){ .url = "https://lab",
            .ca_file = path,
            .client_cert = path,
            .client_key = path,
            .client_key_password = "sesame" });
    assert_string_equal(e->ca_file, path);
    assert_string_equal(e->client_cert, path);
    assert_string_equal(e->client_key, path);
    assert_string_equal(e->client_key_password, "sesame");
    haul_endpoint_free(e);
    const char *const bad[] = { "/nowhere/a.pem", folder };
    for (size_t i = 0; i < 2; i++) {
        struct haul_endpoint_options options = { .url = "https://lab", .ca_file = bad[i] };
        char why[300];
        snprintf(why, sizeof why, "ca_file %s", bad[i]);
        assert_no_endpoint(options, HAUL_BAD_CONFIG, why);
        options.ca_file = NULL;
        options.client_cert = bad[i];
        snprintf(why, sizeof why, "client_cert %s", bad[i]);
        assert_no_endpoint(options, HAUL_BAD_CONFIG, why);
        options.client_cert = path;
        options.client_key = bad[i];
        snprintf(why, sizeof why, "client_key %s", bad[i]);
        assert_no_endpoint(options, HAUL_BAD_CONFIG, why);
    }
    assert_no_endpoint(
        (struct haul_endpoint_options){ .url = "https://lab", .client_key = path },
        HAUL_BAD_CONFIG, "give client_cert");
    free(path);
    temp_remove(folder);
}

static void half_a_pair_of_keys_is_refused(void **state)
{
    static const char *const halves[][2] = { { "AKID", NULL }, { NULL, "hunter2" },
        { NULL, NULL }, { "AKID", "" } };
    (void) state;
    struct haul_error err;
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        struct haul_credentials *c =
            haul_credentials_static(halves[i][0], halves[i][1], "token", &err);
        assert_non_null(c);
        assert_no_endpoint(
            (struct haul_endpoint_options){ .credentials = c }, HAUL_NO_CREDENTIALS, "missing");
        haul_credentials_free(c);
    }
}

static void a_region_s_name_has_a_limit(void **state)
{
    (void) state;
    char region[REGION_SIZE + 1];
    memset(region, 'r', sizeof region);
    region[REGION_SIZE] = '\0';
    assert_no_endpoint(
        (struct haul_endpoint_options){ .region = region }, HAUL_BAD_CONFIG, "too long");
    haul_endpoint_free(open_endpoint((struct haul_endpoint_options){ .region = region + 1 }));
}

static void a_bucket_s_region_is_learnt_for_it_alone(void **state)
{
    (void) state;
    char region[REGION_SIZE];
    struct haul_endpoint *e = open_endpoint((struct haul_endpoint_options){ .region = "home" });
    assert_true(endpoint_learn_region(e, "one", "eu-west-1"));
    assert_false(endpoint_learn_region(e, "one", "eu-west-1"));
    assert_false(endpoint_learn_region(e, "two", "home"));
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "more-%d", i);
        assert_true(endpoint_learn_region(e, name, "ap-south-1"));
    }
    endpoint_region(e, "one", region);
    assert_string_equal(region, "eu-west-1");
    endpoint_region(e, "two", region);
    assert_string_equal(region, "home");
    assert_string_equal(place(e, "one", "k"), "https://one.s3.eu-west-1.amazonaws.com/k");
    assert_true(endpoint_learn_region(e, "one", "home"));
    endpoint_region(e, "one", region);
    assert_string_equal(region, "home");
    haul_endpoint_free(e);
}

static void what_is_no_region_is_not_learnt(void **state)
{
    static const char *const names[] = { "", "evil.example", "a/b", "EU", "a b", "a\r\n", "-a",
        "a-", "0123456789012345678901234567890123456789012345678901234567890123" };
    (void) state;
    char region[REGION_SIZE];
    struct haul_endpoint *e = open_endpoint((struct haul_endpoint_options){ .region = "home" });
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_false(endpoint_learn_region(e, "bkt", names[i]));
    endpoint_region(e, "bkt", region);
    assert_string_equal(region, "home");
    haul_endpoint_free(e);
}

static void a_region_is_followed_in_the_same_kind_of_host_and_partition(void **state)
{
    static const struct {
        struct haul_endpoint_options options;
        const char *told, *expected; /* NULL: not followed */
    } cases[] = {
        { { .dualstack = true }, "eu-west-1", "bkt.s3.dualstack.eu-west-1.amazonaws.com" },
        { { .fips = true }, "us-west-2", "bkt.s3-fips.us-west-2.amazonaws.com" },
        { { .dualstack = true, .fips = true }, "us-west-2",
            "bkt.s3-fips.dualstack.us-west-2.amazonaws.com" },
        { { .accelerate = true }, "eu-west-1", "bkt.s3-accelerate.amazonaws.com" },
        { { .region = "cn-north-1" }, "cn-northwest-1",
            "bkt.s3.cn-northwest-1.amazonaws.com.cn" },
        { { .url = "https://lab" }, "cn-north-1", "lab" }, /* it is only signed for */
        { { .region = "us-east-1" }, "cn-north-1", NULL },
        { { .region = "us-east-1" }, "us-gov-west-1", NULL },
        { { .region = "us-gov-west-1" }, "us-east-1", NULL },
        { { .region = "cn-north-1" }, "us-east-1", NULL },
        { { .region = "us-east-1" }, "us-iso-east-1", NULL },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char region[REGION_SIZE];
        struct haul_endpoint *e = open_endpoint(cases[i].options);
        bool follows = cases[i].expected != NULL;
        assert_int_equal(endpoint_learn_region(e, "bkt", cases[i].told), follows);
        endpoint_region(e, "bkt", region);
        assert_string_equal(region, follows ? cases[i].told : cases[i].options.region);
        if (follows)
            assert_non_null(strstr(place(e, "bkt", "k"), cases[i].expected));
        haul_endpoint_free(e);
    }
}

static bool is_near(int64_t got_ms, int64_t expected_ms)
{
    return llabs(got_ms - expected_ms) < 20000;
}

static void a_refused_signature_sets_the_clock_that_signs(void **state)
{
    (void) state;
    struct haul_endpoint *e =
        open_endpoint((struct haul_endpoint_options){ .url = "http://lab" });
    int64_t now = endpoint_signing_ms(e), day = 24 * 3600000;
    assert_false(endpoint_learn_clock(e, now + 30000));
    assert_true(is_near(endpoint_signing_ms(e), now));
    assert_true(endpoint_learn_clock(e, now - 7200000));
    assert_true(is_near(endpoint_signing_ms(e), now - 7200000));
    assert_false(endpoint_learn_clock(e, now - 7200000));
    assert_false(endpoint_learn_clock(e, now - day - 60000)); /* not any day that is told */
    assert_false(endpoint_learn_clock(e, 0));
    assert_true(is_near(endpoint_signing_ms(e), now - 7200000));
    assert_true(endpoint_learn_clock(e, now));
    haul_endpoint_free(e);
}

static void a_reply_s_date_sets_the_clock_that_is_told(void **state)
{
    (void) state;
    struct haul_endpoint *e =
        open_endpoint((struct haul_endpoint_options){ .url = "http://lab" });
    int64_t now = haul_endpoint_now_ms(e);
    endpoint_note_date(e, 0);
    assert_true(is_near(haul_endpoint_now_ms(e), 0));
    assert_true(is_near(endpoint_signing_ms(e), now));
    haul_endpoint_free(e);
}

static void the_signing_key_follows_keys_date_and_region(void **state)
{
    static const struct {
        const char *secret, *date, *region;
        unsigned number;
    } order[] = { { "one", "20260131", "a", 1 }, { "one", "20260131", "a", 1 },
        { "one", "20260131", "b", 1 }, { "one", "20260201", "b", 1 },
        { "two", "20260201", "b", 2 }, { "one", "20260131", "a", 3 } };
    (void) state;
    struct haul_endpoint *e =
        open_endpoint((struct haul_endpoint_options){ .url = "http://lab" });
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct keys keys = { .secret = (char *) order[i].secret, .number = order[i].number };
        struct sigv4_key key, expected;
        assert_int_equal(
            endpoint_signing_key(e, &keys, order[i].date, order[i].region, &key), 0);
        assert_int_equal(
            sigv4_derive_key(order[i].secret, order[i].date, order[i].region, "s3", &expected),
            0);
        assert_memory_equal(key.bytes, expected.bytes, sizeof key.bytes);
    }
    haul_endpoint_free(e);
}

static void *learn(void *payload)
{
    struct haul_endpoint *e = payload;
    const struct keys keys = { .secret = (char *) "secret", .number = 1 };
    for (int i = 0; i < 1000; i++) {
        char region[REGION_SIZE], bucket[16];
        struct sigv4_key key;
        snprintf(bucket, sizeof bucket, "b%d", i % 50);
        endpoint_learn_region(e, bucket, i % 2 ? "eu-west-1" : "us-east-2");
        endpoint_region(e, bucket, region);
        endpoint_learn_clock(e, endpoint_signing_ms(e) + (i % 3 - 1) * 1000000);
        endpoint_signing_key(e, &keys, "20260131", region, &key);
    }
    return NULL;
}

static void threads_may_share_an_endpoint(void **state)
{
    (void) state;
    pthread_t threads[4];
    struct haul_endpoint *e =
        open_endpoint((struct haul_endpoint_options){ .url = "http://lab" });
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, learn, e), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(e->locked.bucket_count, 50);
    haul_endpoint_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_url_is_taken_apart),
        cmocka_unit_test(what_is_no_endpoint_is_refused_and_not_repeated),
        cmocka_unit_test(the_bucket_s_name_stands_where_addressing_says),
        cmocka_unit_test(aws_s_other_hosts_are_chosen_by_option),
        cmocka_unit_test(hosts_that_aws_does_not_have_are_refused),
        cmocka_unit_test(only_labels_are_accelerated_and_only_what_is_about_objects),
        cmocka_unit_test(a_bucket_that_is_no_label_has_its_name_in_the_path_under_fips_too),
        cmocka_unit_test(amazon_s_domains_are_known),
        cmocka_unit_test(a_virtual_bucket_itself_is_the_root),
        cmocka_unit_test(bodies_are_signed_where_nothing_else_guards_them),
        cmocka_unit_test(files_for_tls_have_to_be_readable),
        cmocka_unit_test(half_a_pair_of_keys_is_refused),
        cmocka_unit_test(a_region_s_name_has_a_limit),
        cmocka_unit_test(a_bucket_s_region_is_learnt_for_it_alone),
        cmocka_unit_test(what_is_no_region_is_not_learnt),
        cmocka_unit_test(a_region_is_followed_in_the_same_kind_of_host_and_partition),
        cmocka_unit_test(a_refused_signature_sets_the_clock_that_signs),
        cmocka_unit_test(a_reply_s_date_sets_the_clock_that_is_told),
        cmocka_unit_test(the_signing_key_follows_keys_date_and_region),
        cmocka_unit_test(threads_may_share_an_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
