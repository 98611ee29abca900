/* Sizes, read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sizes.h"

static void sizes_are_whole_numbers_with_a_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        { "0", 0 },
        { "1", 1 },
        { "8388608", 8388608 },
        { "16MiB", 16777216 },
        { "16 MiB", 16777216 },
        { "1KiB", 1024 },
        { "3GiB", UINT64_C(3221225472) },
        { "2TiB", UINT64_C(2199023255552) },
        { "1KB", 1000 },
        { "7MB", 7000000 },
        { "5GB", UINT64_C(5000000000) },
        { "9TB", UINT64_C(9000000000000) },
        { "18446744073709551615", UINT64_MAX },
        { "16777215TiB", UINT64_MAX - (UINT64_C(1) << 40) + 1 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes = 42;
        const char *why = sizes_parse(cases[i].text, &bytes);
        if (why != NULL || bytes != cases[i].bytes)
            print_error("%s: %s\n", cases[i].text, why != NULL ? why : "another number");
        assert_null(why);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void what_is_no_size_is_refused_and_leaves_the_number_alone(void **state)
{
    static const char *const cases[] = { "", "MiB", "16M", "16mib", "16mb", "16B", "16 ", " 16",
        "16  MiB", "16MiB ", "010", "00", "-1", "+1", "1.5GiB", "1e3", "0x10", "16PiB",
        "18446744073709551616", "99999999999999999999999999999", "16777216TiB",
        "18446744073709551615KB", "１６MiB" };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes = 42;
        if (sizes_parse(cases[i], &bytes) == NULL)
            print_error("taken: %s\n", cases[i]);
        assert_non_null(sizes_parse(cases[i], &bytes));
        assert_int_equal(bytes, 42);
    }
}

static void sizes_are_written_for_people(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        { 0, "0 B" },
        { 1, "1 B" },
        { 1023, "1023 B" },
        { 1024, "1 KiB" },
        { 1536, "1.5 KiB" },
        { 16777216, "16 MiB" },
        { 16777217, "16 MiB" },
        { UINT64_C(1610612736), "1.5 GiB" },
        { 1048575, "1 MiB" }, /* not 1024 KiB */
        { 1048524, "1023.9 KiB" },
        { UINT64_C(52428800000000), "47.7 TiB" },
        { UINT64_C(1) << 50, "1 PiB" },
        { UINT64_C(1) << 60, "1 EiB" },
        { UINT64_MAX, "16 EiB" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[SIZES_TEXT_SIZE];
        assert_string_equal(sizes_format(cases[i].bytes, text), cases[i].text);
    }
}

static void a_written_whole_size_can_be_read_again(void **state)
{
    char text[SIZES_TEXT_SIZE];
    (void) state;
    for (uint64_t bytes = 1024; bytes <= UINT64_C(1) << 40; bytes <<= 1) {
        uint64_t again = 0;
        assert_null(sizes_parse(sizes_format(bytes, text), &again));
        assert_int_equal(again, bytes);
    }
}

static void a_duration_is_a_number_and_a_unit(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        unsigned seconds;
    } good[] = { { "0", 0 }, { "90", 90 }, { "90s", 90 }, { "5m", 300 }, { "12h", 43200 },
        { "7d", 604800 }, { "999999", 999999 } };
    static const char *const bad[] = { "", "s", "5 m", "-1", "1.5h", "5min", "1000000",
        "999999d" };
    unsigned seconds;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(sizes_duration(good[i].text, &seconds));
        assert_int_equal(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sizes_duration(bad[i], &seconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_whole_numbers_with_a_unit),
        cmocka_unit_test(what_is_no_size_is_refused_and_leaves_the_number_alone),
        cmocka_unit_test(sizes_are_written_for_people),
        cmocka_unit_test(a_written_whole_size_can_be_read_again),
        cmocka_unit_test(a_duration_is_a_number_and_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
