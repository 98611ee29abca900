/* Addresses, taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "address.h"

static void an_address_has_an_endpoint_a_bucket_and_a_key(void **state)
{
    static const struct {
        const char *text, *endpoint, *bucket, *key;
        bool prefix;
    } cases[] = {
        { "s3://bucket/key", "s3", "bucket", "key", false },
        { "s3://bucket", "s3", "bucket", "", true },
        { "s3://bucket/", "s3", "bucket", "", true },
        { "s3://bucket/a/", "s3", "bucket", "a/", true },
        { "my-lab_2.x://My_Bucket.1/a", "my-lab_2.x", "My_Bucket.1", "a", false },
        { "0://abc/k", "0", "abc", "k", false },
        /* keys as they stand */
        { "s3://bucket//", "s3", "bucket", "/", true },
        { "s3://bucket//a/../b//c", "s3", "bucket", "/a/../b//c", false },
        { "s3://bucket/%2F+ ?#&=", "s3", "bucket", "%2F+ ?#&=", false },
        { "s3://bucket/s3://other/x", "s3", "bucket", "s3://other/x", false },
        { "s3://bucket/\xd0\xba/\xf0\x9f\xa6\x8a", "s3", "bucket", "\xd0\xba/\xf0\x9f\xa6\x8a",
            false },
        { "s3://bucket/\x01\x7f\n", "s3", "bucket", "\x01\x7f\n", false },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a;
        const char *why = address_parse(cases[i].text, &a);
        if (why != NULL)
            print_error("%s: %s\n", cases[i].text, why);
        assert_null(why);
        assert_string_equal(a.endpoint, cases[i].endpoint);
        assert_string_equal(a.bucket, cases[i].bucket);
        assert_string_equal(a.key, cases[i].key);
        assert_int_equal(address_is_prefix(&a), cases[i].prefix);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const cases[] = { "", "/data/a", "s3:/bucket/key", "s3:bucket",
        "://bucket/key", "-lab://bucket", "my lab://bucket", "a/b://bucket", "s3://",
        "s3:///key", "s3://ab", "s3://ab/key", "s3://-bucket", "s3://bucket-", "s3://.bucket",
        "s3://bucket.", "s3://buc..ket", "s3://buc ket", "s3://b\xc3\xbc-cket",
        "s3://192.168.0.1", "s3://user:pass@bucket/key", "s3://bucket/\xff",
        "s3://bucket/\xc0\xaf", "s3://bucket/\xed\xa0\x80", "s3://bucket/\xf4\x90\x80\x80",
        "s3://bucket/\xe2\x82" };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a = { .key = "untouched" };
        if (address_parse(cases[i], &a) == NULL)
            print_error("taken: %s\n", cases[i]);
        assert_non_null(address_parse(cases[i], &a));
        assert_string_equal(a.key, "untouched");
    }
}

/* endpoint, bucket and key of so many characters */
static const char *parse_lengths(int endpoint, int bucket, int key, struct address *a)
{
    char text[2048], letters[1100];
    memset(letters, 'x', sizeof letters);
    snprintf(text, sizeof text, "%.*s://%.*s/%.*s", endpoint, letters, bucket, letters, key,
        letters);
    return address_parse(text, a);
}

static void each_part_has_its_limit(void **state)
{
    struct address a;
    (void) state;
    assert_null(parse_lengths(64, 63, 1024, &a));
    assert_int_equal(strlen(a.endpoint), 64);
    assert_int_equal(strlen(a.bucket), 63);
    assert_int_equal(strlen(a.key), 1024);
    assert_non_null(parse_lengths(65, 63, 1024, &a));
    assert_non_null(parse_lengths(64, 64, 1024, &a));
    assert_non_null(parse_lengths(64, 63, 1025, &a));
    assert_non_null(parse_lengths(1, 2, 1, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_an_endpoint_a_bucket_and_a_key),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(each_part_has_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
