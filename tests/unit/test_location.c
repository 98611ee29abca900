/* location.c: what a store's URL says, and which URLs are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "credentials.h"
#include "location.h"

#define PATH HAUL_ADDRESS_PATH
#define VIRTUAL HAUL_ADDRESS_VIRTUAL

/* bucket, region: of the options. */
struct form {
    const char *url;
    enum haul_addressing given;
    const char *given_bucket, *given_region;
    const char *endpoint, *bucket, *region; /* expected */
    enum haul_addressing addressing;
};

static const char *show(const char *text)
{
    return text == NULL ? "(none)" : text;
}

static void check_form(const struct form *f, const char *aws_url)
{
    struct haul_error err;
    struct location l;
    struct haul_store_options o = { .bucket = f->given_bucket,
        .endpoint = { .addressing = f->given, .region = f->given_region } };
    if (location_find(f->url, aws_url, &o, &l, &err) < 0)
        fail_msg("%s: %s", f->url, err.text);
    print_message("%s\n", f->url);
    assert_string_equal(show(l.url), show(f->endpoint));
    assert_string_equal(show(l.bucket), show(f->bucket));
    assert_string_equal(l.region, f->region ? f->region : "");
    assert_int_equal(l.addressing, f->addressing);
    assert_int_equal(l.is_default, strncasecmp(f->url, "s3:", 3) == 0);
    assert_null(l.credentials);
    location_free(&l);
}

#define CHECK_FORMS(forms)                                                                     \
    for (size_t i_ = 0; i_ < sizeof(forms) / sizeof *(forms); i_++)                            \
    check_form(&(forms)[i_], NULL)

static void a_path_names_the_bucket_and_before_it_the_base(void **state)
{
    static const struct form forms[] = {
        { "https://s3.example.com", .endpoint = "https://s3.example.com" },
        { "https://s3.example.com/", .endpoint = "https://s3.example.com" },
        { "http://host:9000//", .endpoint = "http://host:9000" },
        { "http://host:9000/photos", .endpoint = "http://host:9000", .bucket = "photos" },
        { "http://host/photos///", .endpoint = "http://host", .bucket = "photos" },
        { "http://host//photos", .endpoint = "http://host", .bucket = "photos" },
        { "HTTP://Store.Example/Photos", .endpoint = "http://store.example",
            .bucket = "Photos" },
        { "https://host/a/b%20c/photos", .endpoint = "https://host/a/b%20c",
            .bucket = "photos" },
        { "https://host/tenant%3Aphotos", .endpoint = "https://host",
            .bucket = "tenant:photos" },
        { "http://[::1]:9000/photos", .endpoint = "http://[::1]:9000", .bucket = "photos" },
        { "http://[FE80::1]", .endpoint = "http://[fe80::1]" },
        { "http://127.0.0.1:7480/photos", .endpoint = "http://127.0.0.1:7480",
            .bucket = "photos" },
        { "https://host/photos", PATH, .endpoint = "https://host", .bucket = "photos",
            .addressing = PATH },
        { "https://host/photos", VIRTUAL, .endpoint = "https://host", .bucket = "photos",
            .addressing = VIRTUAL },
    };
    (void) state;
    CHECK_FORMS(forms);
}

static void the_options_name_the_bucket_where_the_url_has_none(void **state)
{
    static const struct form forms[] = {
        { "https://host", .given_bucket = "b", .endpoint = "https://host", .bucket = "b" },
        { "https://host", .given_bucket = "", .endpoint = "https://host" },
        { "https://host/b", .given_bucket = "b", .endpoint = "https://host", .bucket = "b" },
        { "https://host", VIRTUAL, .given_bucket = "b", .endpoint = "https://host",
            .bucket = "b", .addressing = VIRTUAL },
        { "s3://", .given_bucket = "b", .bucket = "b" },
    };
    (void) state;
    CHECK_FORMS(forms);
}

static void a_subdomain_is_the_bucket_when_options_say_so(void **state)
{
    static const struct form forms[] = {
        { "https://photos.host.example:9000", .given_bucket = "photos",
            .endpoint = "https://host.example:9000", .bucket = "photos",
            .addressing = VIRTUAL },
        { "https://my.photos.host.example/", .given_bucket = "my.photos",
            .endpoint = "https://host.example", .bucket = "my.photos", .addressing = VIRTUAL },
        { "https://PHOTOS.host.example", PATH, .given_bucket = "photos",
            .endpoint = "https://host.example", .bucket = "photos", .addressing = PATH },
        { "https://photos2.host.example", .given_bucket = "photos",
            .endpoint = "https://photos2.host.example", .bucket = "photos" },
        { "https://photos", .given_bucket = "photos", .endpoint = "https://photos",
            .bucket = "photos" },
        { "https://photos.", .given_bucket = "photos", .endpoint = "https://photos.",
            .bucket = "photos" },
        { "https://photos.host.example", .endpoint = "https://photos.host.example" },
        { "https://photos.host.example", VIRTUAL, .endpoint = "https://host.example",
            .bucket = "photos", .addressing = VIRTUAL },
        { "http://photos.localhost:9000/", VIRTUAL, .endpoint = "http://localhost:9000",
            .bucket = "photos", .addressing = VIRTUAL },
        { "http://localhost:9000", VIRTUAL, .endpoint = "http://localhost:9000",
            .addressing = VIRTUAL },
        { "http://127.0.0.1:9000", VIRTUAL, .endpoint = "http://127.0.0.1:9000",
            .addressing = VIRTUAL },
        { "http://[::ffff:127.0.0.1]", VIRTUAL, .endpoint = "http://[::ffff:127.0.0.1]",
            .addressing = VIRTUAL },
        { "http://127.0.0.1", .given_bucket = "127", .endpoint = "http://127.0.0.1",
            .bucket = "127" },
    };
    (void) state;
    CHECK_FORMS(forms);
}

static void hosts_of_aws_name_bucket_and_region(void **state)
{
    static const struct form forms[] = {
        { .url = "https://s3.amazonaws.com" },
        { "https://s3.eu-west-1.amazonaws.com", .region = "eu-west-1" },
        { "https://S3.EU-West-1.AmazonAWS.com/photos", .region = "eu-west-1",
            .bucket = "photos" },
        { "https://s3-us-gov-west-1.amazonaws.com", .region = "us-gov-west-1" },
        { "https://photos.s3.amazonaws.com", .bucket = "photos" },
        { "https://photos.s3.ap-southeast-4.amazonaws.com/", .bucket = "photos",
            .region = "ap-southeast-4" },
        { "https://photos.s3-eu-west-1.amazonaws.com", .bucket = "photos",
            .region = "eu-west-1" },
        { "https://my.dotted.photos.s3.eu-west-1.amazonaws.com", .bucket = "my.dotted.photos",
            .region = "eu-west-1" },
        { "https://s3.us-west-2.s3.amazonaws.com", .bucket = "s3.us-west-2" },
        { "https://photos.s3.cn-north-1.amazonaws.com.cn", .bucket = "photos",
            .region = "cn-north-1" },
        { "https://photos.s3.dualstack.eu-west-1.amazonaws.com",
            .endpoint = "https://s3.dualstack.eu-west-1.amazonaws.com", .bucket = "photos",
            .region = "eu-west-1" },
        { "https://photos.s3-fips.us-gov-east-1.amazonaws.com",
            .endpoint = "https://s3-fips.us-gov-east-1.amazonaws.com", .bucket = "photos",
            .region = "us-gov-east-1" },
        { "https://s3-fips.dualstack.us-east-2.amazonaws.com/photos",
            .endpoint = "https://s3-fips.dualstack.us-east-2.amazonaws.com", .bucket = "photos",
            .region = "us-east-2" },
        { "https://photos.s3-accelerate.amazonaws.com",
            .endpoint = "https://s3-accelerate.amazonaws.com", .bucket = "photos" },
        { "https://photos.s3-accelerate.dualstack.amazonaws.com",
            .endpoint = "https://s3-accelerate.dualstack.amazonaws.com", .bucket = "photos" },
        { "https://photos.s3-external-1.amazonaws.com",
            .endpoint = "https://s3-external-1.amazonaws.com", .bucket = "photos" },
        { "https://bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com/photos",
            .endpoint = "https://bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com",
            .bucket = "photos", .region = "us-east-1" },
        { "https://photos.bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com",
            .endpoint = "https://bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com",
            .bucket = "photos", .region = "us-east-1" },
        /* What isn't plain stays as it was given. */
        { "http://photos.s3.eu-west-1.amazonaws.com", .bucket = "photos",
            .endpoint = "http://s3.eu-west-1.amazonaws.com", .region = "eu-west-1" },
        { "https://s3.eu-west-1.amazonaws.com:8443/photos", .bucket = "photos",
            .endpoint = "https://s3.eu-west-1.amazonaws.com:8443", .region = "eu-west-1" },
        { "https://s3.eu-west-1.amazonaws.com", .given_region = "eu-west-1",
            .region = "eu-west-1" },
        { "https://s3.eu-west-1.amazonaws.com", .given_region = "us-east-1",
            .endpoint = "https://s3.eu-west-1.amazonaws.com", .region = "eu-west-1" },
        { "https://photos.s3.eu-west-1.amazonaws.com", PATH, .bucket = "photos",
            .region = "eu-west-1", .addressing = PATH },
        /* Not what they look like. */
        { "https://s3.eu-west-1.amazonaws.com.example",
            .endpoint = "https://s3.eu-west-1.amazonaws.com.example" },
        { "https://notamazonaws.com", .endpoint = "https://notamazonaws.com" },
        { "https://s3-eu-west-1xamazonaws.com",
            .endpoint = "https://s3-eu-west-1xamazonaws.com" },
        { "https://photos.s3-website-us-east-1.amazonaws.com",
            .endpoint = "https://photos.s3-website-us-east-1.amazonaws.com" },
        { "https://ap-1.s3-accesspoint.us-east-1.amazonaws.com",
            .endpoint = "https://ap-1.s3-accesspoint.us-east-1.amazonaws.com" },
    };
    (void) state;
    CHECK_FORMS(forms);
}

static void the_scheme_s3_goes_where_the_environment_says(void **state)
{
    static const struct form at_aws[] = {
        { .url = "s3://" },
        { "s3://photos", .bucket = "photos" },
        { "S3://my.photos/", .bucket = "my.photos" },
    };
    static const struct form elsewhere[] = {
        { "s3://", .endpoint = "http://127.0.0.1:9000/base" },
        { "s3://photos", PATH, .endpoint = "http://127.0.0.1:9000/base", .bucket = "photos",
            .addressing = PATH },
    };
    (void) state;
    CHECK_FORMS(at_aws);
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        check_form(&elsewhere[i], "http://127.0.0.1:9000/base");
    check_form(&at_aws[1], "");
}

static void keys_in_the_url_are_decoded(void **state)
{
    static const struct {
        const char *url, *key, *secret, *endpoint, *bucket;
    } cases[] = {
        { "https://AKID:secret@host/photos", "AKID", "secret", "https://host", "photos" },
        { "https://AK%49D:a%2Fb%2Bc+d%40e%3Af%25@host:9000", "AKID", "a/b+c+d@e:f%",
            "https://host:9000", NULL },
        { "http://AKID:a:b@[::1]:9000/photos", "AKID", "a:b", "http://[::1]:9000", "photos" },
        { "https://AKID:secret@photos.s3.eu-west-1.amazonaws.com", "AKID", "secret", NULL,
            "photos" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        struct location l;
        if (location_find(cases[i].url, NULL, &(struct haul_store_options){ .bucket = NULL },
                &l, &err) < 0)
            fail_msg("%s: %s", cases[i].url, err.text);
        assert_non_null(l.credentials);
        const struct keys *k;
        assert_int_equal(credentials_hold(l.credentials, &k, &err), 0);
        assert_string_equal(k->key_id, cases[i].key);
        assert_string_equal(k->secret, cases[i].secret);
        assert_null(k->token);
        keys_release(k);
        assert_string_equal(show(l.url), show(cases[i].endpoint));
        assert_string_equal(show(l.bucket), show(cases[i].bucket));
        location_free(&l);
    }
}

static void what_is_no_such_url_is_refused_without_repeating_it(void **state)
{
    static const struct {
        const char *url, *bucket;
        enum haul_code code;
        const char *why; /* a piece of the text */
    } cases[] = {
        { "HIDDEN", NULL, HAUL_BAD_CONFIG, "no scheme: expected https://HOST/BUCKET" },
        { "HIDDEN:9000/photos", NULL, HAUL_BAD_CONFIG, "no scheme" },
        { "", NULL, HAUL_BAD_CONFIG, "no scheme" },
        { NULL, NULL, HAUL_BAD_CONFIG, "no URL: expected https://HOST/BUCKET" },
        { "ftp://HIDDEN", NULL, HAUL_BAD_CONFIG, "another scheme: expected https://" },
        { "://HIDDEN", NULL, HAUL_BAD_CONFIG, "another scheme" },
        { "https://", NULL, HAUL_BAD_CONFIG, "no host" },
        { "https:///HIDDEN", NULL, HAUL_BAD_CONFIG, "no host" },
        { "https://:80/HIDDEN", NULL, HAUL_BAD_CONFIG, "no host" },
        { "https://HIDDEN/a b", NULL, HAUL_BAD_CONFIG, "a blank or a control character" },
        { "https://HIDDEN/a\n", NULL, HAUL_BAD_CONFIG, "a blank or a control character" },
        { "https://HIDDEN?prefix=x", NULL, HAUL_BAD_CONFIG, "where none belongs" },
        { "https://host/HIDDEN?prefix=x", NULL, HAUL_BAD_CONFIG, "where none belongs" },
        { "https://host/HIDDEN#x", NULL, HAUL_BAD_CONFIG, "where none belongs" },
        { "https://host/a?b/HIDDEN", NULL, HAUL_BAD_CONFIG, "where none belongs" },
        { "https://AKID:HID/DEN@host/photos", NULL, HAUL_BAD_CONFIG, "percent-encoded" },
        { "https://AKID:9/HIDDEN@host", NULL, HAUL_BAD_CONFIG, "percent-encoded" },
        { "https://AKID:HID?DEN@host", NULL, HAUL_BAD_CONFIG, "percent-encoded" },
        { "https://AKID:HIDDEN%@host", NULL, HAUL_BAD_CONFIG, "not percent-encoded" },
        { "https://AKID%ZZ:HIDDEN@host", NULL, HAUL_BAD_CONFIG, "not percent-encoded" },
        { "https://AKID:HIDDEN%0A@host", NULL, HAUL_BAD_CONFIG, "a control character" },
        { "https://HIDDEN@host", NULL, HAUL_NO_CREDENTIALS, "the secret is missing" },
        { "https://HIDDEN:@host", NULL, HAUL_NO_CREDENTIALS, "the secret is missing" },
        { "https://:HIDDEN@host", NULL, HAUL_NO_CREDENTIALS, "the key id is missing" },
        { "https://host/HIDDEN%2Fx", NULL, HAUL_BAD_CONFIG, "no bucket's name" },
        { "https://host/HIDDEN%", NULL, HAUL_BAD_CONFIG, "a broken percent escape" },
        { "https://host/HIDDEN/..", NULL, HAUL_BAD_CONFIG, "no bucket's name" },
        { "https://host/HIDDEN/%2e", NULL, HAUL_BAD_CONFIG, "no bucket's name" },
        { "https://host/HIDDEN", "other", HAUL_BAD_CONFIG, "names another bucket" },
        { "https://hidden.s3.amazonaws.com", "other", HAUL_BAD_CONFIG, "another bucket" },
        { "s3://HIDDEN", "other", HAUL_BAD_CONFIG, "another bucket" },
        { "https://hidden.s3.amazonaws.com/a", NULL, HAUL_BAD_CONFIG, "and has a path" },
        { "s3://photos/HIDDEN", NULL, HAUL_BAD_CONFIG, "more than s3://BUCKET" },
        { "s3://AKID:HIDDEN@photos", NULL, HAUL_BAD_CONFIG, "keys stand in the environment" },
        { "s3://HIDDEN?x", NULL, HAUL_BAD_CONFIG, "more than s3://BUCKET" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        struct location l;
        struct haul_store_options o = { .bucket = cases[i].bucket };
        print_message("%s\n", cases[i].url);
        assert_int_equal(location_find(cases[i].url, NULL, &o, &l, &err), -1);
        assert_int_equal(err.code, cases[i].code);
        if (strstr(err.text, cases[i].why) == NULL)
            fail_msg("%s", err.text);
        assert_null(strcasestr(err.text, "HIDDEN"));
        assert_null(l.url);
        assert_null(l.bucket);
        assert_null(l.credentials);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_names_the_bucket_and_before_it_the_base),
        cmocka_unit_test(the_options_name_the_bucket_where_the_url_has_none),
        cmocka_unit_test(a_subdomain_is_the_bucket_when_options_say_so),
        cmocka_unit_test(hosts_of_aws_name_bucket_and_region),
        cmocka_unit_test(the_scheme_s3_goes_where_the_environment_says),
        cmocka_unit_test(keys_in_the_url_are_decoded),
        cmocka_unit_test(what_is_no_such_url_is_refused_without_repeating_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
