/* Variables in texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vars.h"

#define NOON (INT64_C(1769860800) * 1000) /* 2026-01-31 12:00:00 UTC, a Saturday */

static int make(void **state)
{
    *state = vars_new(NOON + 999, false);
    setenv("HAUL_TEST_PLACE", "/srv", 1);
    setenv("HAUL_TEST_EMPTY", "", 1);
    setenv("HAUL_TEST_REFERENCE", "${a}", 1);
    setenv("HAUL_TEST_BYTES", "\xff", 1);
    unsetenv("HAUL_TEST_MISSING");
    setenv("TZ", "Asia/Tokyo", 1);
    return *state == NULL ? -1 : 0;
}

static int drop(void **state)
{
    vars_free(*state);
    return 0;
}

static void expect(struct vars *v, const char *text, const char *expected)
{
    char fault[VARS_FAULT_SIZE] = "";
    char *got = vars_expand(v, text, fault);
    if (got == NULL)
        print_error("%s: %s\n", text, fault);
    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}

static void expect_fault(struct vars *v, const char *text, const char *expected)
{
    char fault[VARS_FAULT_SIZE] = "untouched";
    assert_null(vars_expand(v, text, fault));
    assert_string_equal(fault, expected);
}

static void text_without_references_stays(void **state)
{
    static const char *const cases[] = { "", "text", "$", "$$", "{}", "$a", "a$", "$ {a}", "}",
        "\xf0\x9f\xa6\x8a", "$$$$" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(*state, cases[i], cases[i]);
}

static void two_dollars_and_a_brace_are_a_literal_one(void **state)
{
    assert_null(vars_declare(*state, "a", "A"));
    expect(*state, "$${a}", "${a}");
    expect(*state, "$$${a}", "$${a}");
    expect(*state, "$$$${a}", "$$${a}");
    expect(*state, "$${${a}}", "${A}");
    expect(*state, "x$${", "x${");
}

static void variables_may_be_made_of_earlier_and_later_ones(void **state)
{
    assert_null(vars_declare(*state, "first", "1${second}"));
    assert_null(vars_declare(*state, "second", "2${third-3}2"));
    assert_null(vars_declare(*state, "third-3", "3"));
    assert_null(vars_declare(*state, "empty", ""));
    expect(*state, "<${first}|${third-3}|${empty}|${second}>", "<1232|3||232>");
    assert_null(vars_fault(*state, "first"));
}

static void the_environment_is_looked_up_and_taken_literally(void **state)
{
    expect(*state, "${env:HAUL_TEST_PLACE}/x", "/srv/x");
    expect(*state, "${env:HAUL_TEST_EMPTY}", "");
    expect(*state, "${env:HAUL_TEST_REFERENCE}", "${a}");
    expect_fault(*state, "${env:HAUL_TEST_MISSING}",
        "the environment has no variable \"HAUL_TEST_MISSING\"");
    expect_fault(*state, "${env:}", "the environment has no variable \"\"");
    expect_fault(
        *state, "${env:HAUL_TEST_BYTES}", "the environment's \"HAUL_TEST_BYTES\" is not UTF-8");
}

static void dates_are_of_the_given_time_in_utc(void **state)
{
    expect(*state, "${date:%Y-%m-%d}", "2026-01-31");
    expect(*state, "${date:%Y/%m/%d/%H%M%S}", "2026/01/31/120000");
    expect(*state, "${date:%FT%TZ %j %G-W%V-%u 100%%}",
        "2026-01-31T12:00:00Z 031 2026-W05-6 100%");
    expect_fault(
        *state, "${date:}", "a date is ${date:FORMAT} with a short FORMAT: ${date:%Y-%m-%d}");
    assert_null(vars_expand(*state, "${date:%Q}", (char[VARS_FAULT_SIZE]){ 0 }));
    assert_null(vars_expand(*state, "${date:%}", (char[VARS_FAULT_SIZE]){ 0 }));
    assert_null(vars_expand(*state, "${date:%s}", (char[VARS_FAULT_SIZE]){ 0 }));
    assert_null(vars_expand(*state, "${date:%Ey}", (char[VARS_FAULT_SIZE]){ 0 }));
}

static void broken_references_are_told(void **state)
{
    assert_null(vars_declare(*state, "month", "x"));
    expect_fault(
        *state, "${day", "\"${\" without its \"}\" (a literal one is written \"$${\")");
    expect_fault(*state, "${moth}",
        "no variable \"moth\" is declared under vars; did you mean \"month\"?");
    expect_fault(*state, "${}", "no variable \"\" is declared under vars");
    expect_fault(
        *state, "${file:x}", "\"file:x\" is none of ${NAME}, ${env:NAME} and ${date:FORMAT}");
}

static void a_cycle_is_told_once_at_the_variable_that_closes_it(void **state)
{
    assert_null(vars_declare(*state, "a", "${b}"));
    assert_null(vars_declare(*state, "b", "${c}"));
    assert_null(vars_declare(*state, "c", "${a}"));
    expect_fault(*state, "${a}", "");
    assert_null(vars_fault(*state, "a"));
    assert_null(vars_fault(*state, "b"));
    assert_string_equal(vars_fault(*state, "c"), "${a} is made of itself");
}

static void a_setting_replaces_a_declared_text_and_is_taken_literally(void **state)
{
    char fault[VARS_FAULT_SIZE];
    assert_null(vars_declare(*state, "a", "${env:HAUL_TEST_MISSING}"));
    assert_null(vars_declare(*state, "b", "<${a}>"));
    assert_int_equal(vars_set(*state, "a", "first", fault), 0);
    assert_int_equal(vars_set(*state, "a", "${b}", fault), 0);
    assert_null(vars_fault(*state, "a"));
    expect(*state, "${b}", "<${b}>");
    assert_int_equal(vars_set(*state, "other", "x", fault), -1);
    assert_string_equal(fault, "no variable \"other\" is declared under vars");
    assert_int_equal(vars_set(*state, "a", "\xff", fault), -1);
}

static void names_of_variables_are_simple(void **state)
{
    static const char *const bad[] = { "", "1a", "-a", "a b", "a.b", "a:b", "\xc3\xa9",
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg" };
    assert_null(vars_declare(*state, "_a-1", ""));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(vars_declare(*state, bad[i], ""));
}

static void growth_depth_and_number_are_bounded(void **state)
{
    char name[32], text[1024] = "", fault[VARS_FAULT_SIZE];

    assert_null(vars_declare(*state, "v0", "0123456789abcdef"));
    for (int i = 1; i < VARS_COUNT_MAX; i++) {
        snprintf(name, sizeof name, "v%d", i);
        snprintf(text, sizeof text, "${v%d}", i - 1);
        assert_null(vars_declare(*state, name, text));
    }
    assert_non_null(vars_declare(*state, "one_more", ""));
    assert_null(vars_expand(*state, "${v999}", fault)); /* 1000 deep */
    text[0] = '\0';
    for (int i = 0; i < 200; i++)
        strcat(text, "${v0}");
    char *got = vars_expand(*state, text, fault);
    assert_non_null(got);
    assert_int_equal(strlen(got), 3200);
    free(got);
}

static void all_references_together_are_bounded(void **state)
{
    char text[VARS_TEXT_MAX + 1], fault[VARS_FAULT_SIZE];
    memset(text, 'x', sizeof text);
    text[VARS_TEXT_MAX] = '\0';
    assert_null(vars_declare(*state, "a", text));
    for (int i = 0; i < VARS_TOTAL_MAX / VARS_TEXT_MAX; i++)
        free(vars_expand(*state, "${a}", fault));
    expect_fault(*state, "${a}", "the variables of this file grow to more than 16 MiB of text");
    expect_fault(*state, "x${a}", "longer than 4096 bytes");
}

static void a_secrets_reference_is_exactly_one_variable_of_the_environment(void **state)
{
    static const char *const bad[] = { "", "text", "${env:}", "${env:A", "${env:A}x",
        "x${env:A}", "${env:A}${env:B}", "$${env:A}", "${A}", "${env:1A}", "${env:A B}",
        "${ENV:A}" };
    char *name = vars_environment_name("${env:MY_KEY_2}");
    (void) state;
    assert_string_equal(name, "MY_KEY_2");
    free(name);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(vars_environment_name(bad[i]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_without_references_stays),
        TEST(two_dollars_and_a_brace_are_a_literal_one),
        TEST(variables_may_be_made_of_earlier_and_later_ones),
        TEST(the_environment_is_looked_up_and_taken_literally),
        TEST(dates_are_of_the_given_time_in_utc),
        TEST(broken_references_are_told),
        TEST(a_cycle_is_told_once_at_the_variable_that_closes_it),
        TEST(a_setting_replaces_a_declared_text_and_is_taken_literally),
        TEST(names_of_variables_are_simple),
        TEST(growth_depth_and_number_are_bounded),
        TEST(all_references_together_are_bounded),
        TEST(a_secrets_reference_is_exactly_one_variable_of_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
