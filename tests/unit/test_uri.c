/* uri.c: what is escaped, what stays, and how a query is sorted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "uri.h"

static void assert_path(const char *path, const char *expected)
{
    struct buf b = buf_make(4096);
    uri_add_path(&b, path);
    assert_string_equal(buf_text(&b), expected);
    buf_free(&b);
}

static void assert_decoded(const char *text, const char *expected)
{
    char copy[64];
    strcpy(copy, text);
    assert_int_equal(uri_decode(copy), 0);
    assert_string_equal(copy, expected);
}

static void assert_refused(const char *text)
{
    char copy[64];
    strcpy(copy, text);
    assert_int_equal(uri_decode(copy), -1);
}

/* Case 41. */
static void unreserved_characters_stay(void **state)
{
    (void) state;
    assert_path("/AZaz09-._~", "/AZaz09-._~");
}

/* Case 41. */
static void everything_else_is_escaped_in_upper_case(void **state)
{
    (void) state;
    assert_path("/a b+c%d?e#f*g", "/a%20b%2Bc%25d%3Fe%23f%2Ag");
    assert_path("/h\xc3\xa4gar\x01\x7f\xff", "/h%C3%A4gar%01%7F%FF");
}

/* Case 41. */
static void a_path_is_never_normalised(void **state)
{
    (void) state;
    assert_path("/b//./../a/", "/b//./../a/");
}

/* Case 41. */
static void an_escaped_path_is_escaped_again(void **state)
{
    (void) state;
    assert_path("/a%20b", "/a%2520b");
}

static void a_value_has_its_slashes_escaped(void **state)
{
    (void) state;
    struct buf b = buf_make(100);
    uri_add_value(&b, "a/b=c&d");
    assert_string_equal(buf_text(&b), "a%2Fb%3Dc%26d");
    buf_free(&b);
}

static void every_byte_survives_the_way_there_and_back(void **state)
{
    (void) state;
    char all[256];
    for (int i = 0; i < 255; i++)
        all[i] = (char) (i + 1);
    all[255] = '\0';
    struct buf b = buf_make(1000);
    uri_add_value(&b, all);
    assert_int_equal(uri_decode(b.data), 0);
    assert_string_equal(b.data, all);
    buf_free(&b);
}

static void decoding_takes_either_case_and_leaves_plus_alone(void **state)
{
    (void) state;
    assert_decoded("", "");
    assert_decoded("a+b%2bc%2B%25", "a+b+c+%");
    assert_decoded("%2520", "%20");
}

static void broken_escapes_and_nul_are_refused(void **state)
{
    (void) state;
    assert_refused("%");
    assert_refused("a%2");
    assert_refused("a%g0");
    assert_refused("a%0g");
    assert_refused("a% 1");
    assert_refused("a%00b");
}

static void assert_query(struct uri_param *params, size_t count, const char *expected)
{
    struct buf b = buf_make(1000);
    uri_add_query(&b, params, count);
    assert_string_equal(buf_text(&b), expected);
    buf_free(&b);
}

/* Case 42. */
static void a_query_is_sorted_and_every_name_has_its_equals_sign(void **state)
{
    (void) state;
    struct uri_param p[] = {
        { "uploads", NULL },
        { "prefix", "a/b c" },
        { "delimiter", "" },
        { "max-keys", "2" },
    };
    assert_query(p, 4, "delimiter=&max-keys=2&prefix=a%2Fb%20c&uploads=");
    assert_query(NULL, 0, "");
}

/* Case 42. */
static void a_query_is_sorted_by_encoded_name_and_then_by_value(void **state)
{
    (void) state;
    /* Raw, "-" (2D) is before "/" (2F) and "{" (7B) after "a"; encoded, "%" is before both. */
    struct uri_param p[] = {
        { "a", "2" },
        { "{", "" },
        { "-", "" },
        { "/", "" },
        { "a-b", "" },
        { "a", "1" },
        { "\xc3\xa4", "" },
        { "A", NULL },
    };
    assert_query(p, 8, "%2F=&%7B=&%C3%A4=&-=&A=&a=1&a=2&a-b=");
}

static void assert_merged(const char *a, const char *b, const char *expected)
{
    struct buf both = buf_make(1000);
    uri_merge_queries(&both, a, b);
    assert_string_equal(buf_text(&both), expected);
    buf_clear(&both);
    uri_merge_queries(&both, b, a);
    assert_string_equal(buf_text(&both), expected);
    buf_free(&both);
}

static void merged_queries_are_sorted_as_one(void **state)
{
    (void) state;
    assert_merged("", "", "");
    assert_merged("a=1", "", "a=1");
    assert_merged("a=1&c=", "b=2", "a=1&b=2&c=");
    assert_merged("a=1&a=3", "a=2&a=30", "a=1&a=2&a=3&a=30");
    assert_merged(
        "%2F=&-=&A=&a=&a-b=", "%7B=&%C3%A4=&a=1", "%2F=&%7B=&%C3%A4=&-=&A=&a=&a=1&a-b=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unreserved_characters_stay),
        cmocka_unit_test(everything_else_is_escaped_in_upper_case),
        cmocka_unit_test(a_path_is_never_normalised),
        cmocka_unit_test(an_escaped_path_is_escaped_again),
        cmocka_unit_test(a_value_has_its_slashes_escaped),
        cmocka_unit_test(every_byte_survives_the_way_there_and_back),
        cmocka_unit_test(decoding_takes_either_case_and_leaves_plus_alone),
        cmocka_unit_test(broken_escapes_and_nul_are_refused),
        cmocka_unit_test(a_query_is_sorted_and_every_name_has_its_equals_sign),
        cmocka_unit_test(a_query_is_sorted_by_encoded_name_and_then_by_value),
        cmocka_unit_test(merged_queries_are_sorted_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
