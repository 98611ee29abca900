/* ini.c: what is read from AWS's shared files, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ini.h"
#include "temp.h"

static int make_folder(void **state)
{
    *state = temp_make();
    return 0;
}

static int remove_folder(void **state)
{
    temp_remove(*state);
    return 0;
}

static struct ini *read_text(void **state, const char *text)
{
    struct haul_error err;
    char *path = temp_write_text(*state, "config", text);
    struct ini *i = ini_read(path, &err);
    free(path);
    if (i == NULL)
        fail_msg("%s", err.text);
    return i;
}

/* The error must end in `expected`, and never quote the file. */
static void assert_refused(void **state, const void *data, size_t len, const char *expected)
{
    struct haul_error err = { .code = HAUL_OK };
    char *path = temp_write(*state, "config", data, len);
    assert_null(ini_read(path, &err));
    assert_int_equal(err.code, HAUL_BAD_CONFIG);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, expected));
    assert_null(strstr(err.text, "SECRET"));
    free(path);
}

static void assert_line_refused(void **state, const char *text, const char *expected)
{
    print_message("%s\n", text);
    assert_refused(state, text, strlen(text), expected);
}

static void settings_are_found_by_section_and_key(void **state)
{
    struct ini *i = read_text(state, "[default]\nregion = eu-west-1\noutput=json\n"
                                     "[profile two]\nregion=us-east-1");
    assert_string_equal(ini_get(i, "default", "region"), "eu-west-1");
    assert_string_equal(ini_get(i, "default", "output"), "json");
    assert_string_equal(ini_get(i, "profile two", "region"), "us-east-1");
    assert_null(ini_get(i, "profile two", "output"));
    assert_null(ini_get(i, "two", "region"));
    assert_true(ini_has(i, "default"));
    assert_false(ini_has(i, "two"));
    ini_free(i);
}

static void blanks_comments_and_line_ends_do_not_matter(void **state)
{
    struct ini *i = read_text(state, "\xEF\xBB\xBF# one\r\n; two\r\n\r\n[ a ] # three\r\n"
                                     "  key =  x=y #z ; four\t \r\nother = p#q;r\r\n"
                                     "none =\r\n");
    assert_string_equal(ini_get(i, "a", "key"), "x=y");
    assert_string_equal(ini_get(i, "a", "other"), "p#q;r");
    assert_string_equal(ini_get(i, "a", "none"), "");
    ini_free(i);
}

static void keys_are_the_same_in_either_case_and_sections_are_not(void **state)
{
    struct ini *i = read_text(state, "[A]\nRegion = x\n");
    assert_string_equal(ini_get(i, "A", "region"), "x");
    assert_null(ini_get(i, "a", "region"));
    ini_free(i);
}

static void of_duplicates_the_last_wins(void **state)
{
    struct ini *i = read_text(state, "[a]\nk = 1\nk = 2\nj = 1\n[b]\nk = 9\n[a]\nk = 3\n");
    assert_string_equal(ini_get(i, "a", "k"), "3");
    assert_string_equal(ini_get(i, "a", "j"), "1");
    ini_free(i);
}

static void nested_settings_are_apart_from_others(void **state)
{
    struct ini *i = read_text(state, "[a]\nS3 =\n  Region = nested # yes\n\n  # no\n\tbad\n"
                                     "    style=path\n [b]\nregion = plain\n"
                                     "  more of = it\n[b]\nother =\n");
    assert_string_equal(ini_get(i, "a", "region"), "plain");
    assert_string_equal(ini_get_nested(i, "a", "region", NULL), "plain");
    assert_string_equal(ini_get_nested(i, "a", "s3", "region"), "nested");
    assert_string_equal(ini_get_nested(i, "a", "s3", "style"), "path");
    assert_null(ini_get_nested(i, "a", "s3", "other"));
    assert_null(ini_get_nested(i, "b", "s3", "region"));
    assert_null(ini_get_nested(i, "a", "region", "more of"));
    assert_null(ini_get(i, "a", "style"));
    assert_null(ini_get(i, "a", "more of"));
    assert_string_equal(ini_get(i, "b", "other"), "");
    ini_free(i);
}

static void of_duplicate_nested_settings_the_last_wins(void **state)
{
    struct ini *i =
        read_text(state, "[a]\ns3 =\n  k = 1\n  k = 2\n  j = 1\n[a]\ns3=\r\n\tk = 3");
    assert_string_equal(ini_get_nested(i, "a", "s3", "k"), "3");
    assert_string_equal(ini_get_nested(i, "a", "s3", "j"), "1");
    ini_free(i);
}

static void a_section_of_two_words_goes_without_quotes_and_blanks(void **state)
{
    static const char *const heads[] = { "[profile my name]", "[profile \"my name\"]",
        "[ profile \t 'my name'\t]", "[\tprofile  my name ]\r" };
    for (size_t n = 0; n < sizeof heads / sizeof *heads; n++) {
        char text[100];
        snprintf(text, sizeof text, "%s\nk = 1\n", heads[n]);
        struct ini *i = read_text(state, text);
        assert_string_equal(ini_get(i, "profile my name", "k"), "1");
        ini_free(i);
    }
}

static void quotes_that_do_not_match_belong_to_the_name(void **state)
{
    struct ini *i = read_text(state, "[profile \"x']\n[profile \"]\n[profile \"\"]\n[\"x\"]\n");
    assert_true(ini_has(i, "profile \"x'"));
    assert_true(ini_has(i, "profile \""));
    assert_true(ini_has(i, "profile "));
    assert_true(ini_has(i, "\"x\""));
    ini_free(i);
}

static void what_is_in_quotes_is_no_comment(void **state)
{
    struct ini *i = read_text(state, "[a]\ncommand = sh -c \"a ; b\" 'x # y' # no\n"
                                     "odd = it's # no\n");
    assert_string_equal(ini_get(i, "a", "command"), "sh -c \"a ; b\" 'x # y'");
    assert_string_equal(ini_get(i, "a", "odd"), "it's");
    ini_free(i);
}

static void sections_come_in_their_order(void **state)
{
    struct ini *i = read_text(state, "[b]\nk = 1\n[a]\n[b]\n");
    size_t at = 0;
    assert_string_equal(ini_next_section(i, &at), "b");
    assert_string_equal(ini_next_section(i, &at), "a");
    assert_string_equal(ini_next_section(i, &at), "b");
    assert_null(ini_next_section(i, &at));
    ini_free(i);
}

static void a_section_may_be_indented_as_a_whole(void **state)
{
    struct ini *i = read_text(state, "[a]\n  k = 1\n  j = 2\n");
    assert_string_equal(ini_get(i, "a", "k"), "1");
    assert_string_equal(ini_get(i, "a", "j"), "2");
    ini_free(i);
}

static void an_empty_section_is_there_all_the_same(void **state)
{
    struct ini *i = read_text(state, "[a]\n[b]\nk = 1\n");
    assert_true(ini_has(i, "a"));
    assert_null(ini_get(i, "a", "k"));
    ini_free(i);
}

static void a_missing_file_is_an_empty_one(void **state)
{
    char *path = temp_write_text(*state, "file", "");
    struct ini *i = ini_read(path, NULL);
    assert_non_null(i);
    assert_false(ini_has(i, "a"));
    ini_free(i);
    free(path);
    assert_non_null(i = ini_read("/nowhere/at/all", NULL));
    assert_null(ini_get(i, "a", "k"));
    ini_free(i);
    ini_free(NULL);
}

static void other_lines_are_refused_by_number(void **state)
{
    assert_line_refused(state, "[a]\nSECRET\n", ":2: ");
    assert_line_refused(state, "[a]\n\n= SECRET\n", ":3: ");
    assert_line_refused(state, "SECRET = x\n[a]\n", ":1: ");
    assert_line_refused(state, "[SECRET\n", ":1: ");
    assert_line_refused(state, "[]\nk = 1\n", ":1: ");
    assert_line_refused(state, "[a] SECRET\n", ":1: ");
}

static void what_is_no_text_or_no_file_is_refused(void **state)
{
    struct haul_error err;
    assert_refused(state, "[a]\nk = 1\0SECRET\n", 17, "not a text file");
    assert_null(ini_read(*state, &err));
    assert_int_equal(err.code, HAUL_BAD_CONFIG);
    assert_int_not_equal(err.sys_errno, 0);
    assert_non_null(strstr(err.text, "directory"));
}

static void a_file_may_have_sixteen_mebibytes_and_no_more(void **state)
{
    size_t len = 16 * 1024 * 1024;
    char *text = malloc(len + 1);
    memset(text, '#', len + 1);
    memcpy(text, "[a]\n", 4);
    char *path = temp_write(*state, "large", text, len);
    struct ini *i = ini_read(path, NULL);
    assert_non_null(i);
    assert_true(ini_has(i, "a"));
    ini_free(i);
    free(path);
    assert_refused(state, text, len + 1, "16777216");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(settings_are_found_by_section_and_key),
        TEST(blanks_comments_and_line_ends_do_not_matter),
        TEST(keys_are_the_same_in_either_case_and_sections_are_not),
        TEST(of_duplicates_the_last_wins),
        TEST(nested_settings_are_apart_from_others),
        TEST(of_duplicate_nested_settings_the_last_wins),
        TEST(a_section_of_two_words_goes_without_quotes_and_blanks),
        TEST(quotes_that_do_not_match_belong_to_the_name),
        TEST(what_is_in_quotes_is_no_comment),
        TEST(sections_come_in_their_order),
        TEST(a_section_may_be_indented_as_a_whole),
        TEST(an_empty_section_is_there_all_the_same),
        TEST(a_missing_file_is_an_empty_one),
        TEST(other_lines_are_refused_by_number),
        TEST(what_is_no_text_or_no_file_is_refused),
        TEST(a_file_may_have_sixteen_mebibytes_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
