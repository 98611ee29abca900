/* Names of a folder, sorted with any number of them held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>

#include "limit.h"
#include "names.h"
#include "temp.h"

/* Adds them in that order, and asserts what comes. Both separated by blanks. */
static void assert_sorted(
    size_t held, const char *after, const char *added, const char *expected)
{
    struct names *n = names_new(held, after);
    const struct name *name;
    char copy[256], got[256] = "", *rest = copy;
    strcpy(copy, added);
    for (char *text; (text = strsep(&rest, " "));) {
        size_t len = strlen(text);
        unsigned char type = text[len - 1] == '/' ? DT_DIR : DT_REG;
        if (type == DT_DIR)
            text[len - 1] = '\0';
        assert_int_equal(names_add(n, text, type), 0);
    }
    assert_int_equal(names_sort(n), 0);
    while (names_next(n, &name) > 0) {
        assert_int_equal(name->type == DT_DIR, strchr(name->text, '/') != NULL);
        sprintf(got + strlen(got), "%s%s", *got ? " " : "", name->text);
    }
    assert_string_equal(got, expected);
    assert_int_equal(names_next(n, &name), 0);
    names_free(n);
}

static void names_come_sorted_however_many_are_held(void **state)
{
    (void) state;
    for (size_t held = 1; held < 12; held++) {
        assert_sorted(
            held, NULL, "b a/ a c a-b B a.c b0 \xc3\xa9 ~", "B a a-b a.c a/ b b0 c ~ \xc3\xa9");
        assert_sorted(held, NULL, "a", "a");
    }
}

static void names_up_to_the_last_one_are_left_out(void **state)
{
    (void) state;
    for (size_t held = 1; held < 9; held++) {
        assert_sorted(held, "b/", "c b0 b. b/ b a d e/", "b0 c d e/");
        assert_sorted(held, "z", "c b0 b. b/ b a d e/", "");
    }
}

static void a_name_that_is_told_twice_comes_once(void **state)
{
    (void) state;
    for (size_t held = 1; held < 12; held++)
        assert_sorted(held, NULL, "b a b b c a b c/ a c/", "a b c c/");
}

static void a_hundred_thousand_long_names_come_sorted(void **state)
{
    enum { COUNT = 100000 };
    struct names *n = names_new(1000, NULL);
    const struct name *name;
    char text[256];
    (void) state;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t shuffled = i * 7919 % COUNT;
        snprintf(text, sizeof text, "%06u%0*u", shuffled, 1 + (int) (shuffled % 240), 0);
        assert_int_equal(names_add(n, text, DT_REG), 0);
    }
    assert_int_equal(names_sort(n), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(names_next(n, &name), 1);
        snprintf(text, sizeof text, "%06u%0*u", i, 1 + (int) (i % 240), 0);
        assert_string_equal(name->text, text);
    }
    assert_int_equal(names_next(n, &name), 0);
    names_free(n);
}

static void the_file_has_no_name(void **state)
{
    char *folder = temp_make();
    const struct name *name;
    (void) state;
    setenv("TMPDIR", folder, 1);
    struct names *n = names_new(1, NULL);
    assert_int_equal(names_add(n, "b", DT_REG) | names_add(n, "a", DT_REG), 0);
    assert_int_equal(temp_count(folder), 0);
    assert_int_equal(names_sort(n), 0);
    assert_int_equal(names_next(n, &name), 1);
    assert_string_equal(name->text, "a");
    names_free(n); /* before its end */
    unsetenv("TMPDIR");
    temp_remove(folder);
}

static void without_a_place_for_the_file_it_fails(void **state)
{
    (void) state;
    setenv("TMPDIR", "/nonexistent", 1);
    assert_string_equal(names_folder(), "/nonexistent");
    assert_sorted(2, NULL, "b a", "a b"); /* all are held */
    struct names *n = names_new(1, NULL);
    assert_int_equal(names_add(n, "b", DT_REG), 0);
    assert_int_equal(names_add(n, "a", DT_REG), -1);
    assert_int_equal(errno, ENOENT);
    names_free(n);
    setenv("TMPDIR", "", 1);
    assert_string_equal(names_folder(), "/tmp");
    unsetenv("TMPDIR");
    names_free(NULL);
}

static void without_room_for_the_file_it_fails(void **state)
{
    (void) state;
    struct names *n = names_new(1, NULL);
    assert_int_equal(names_add(n, "b", DT_REG) | names_add(n, "a", DT_REG), 0);
    rlim_t before = limit_set(RLIMIT_FSIZE, 0);
    int rc = names_sort(n), cause = errno;
    limit_set(RLIMIT_FSIZE, before);
    assert_int_equal(rc, -1);
    assert_int_equal(cause, EFBIG);
    names_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_sorted_however_many_are_held),
        cmocka_unit_test(names_up_to_the_last_one_are_left_out),
        cmocka_unit_test(a_name_that_is_told_twice_comes_once),
        cmocka_unit_test(a_hundred_thousand_long_names_come_sorted),
        cmocka_unit_test(the_file_has_no_name),
        cmocka_unit_test(without_a_place_for_the_file_it_fails),
        cmocka_unit_test(without_room_for_the_file_it_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
