/* Local paths, made absolute by their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "localpath.h"

static void paths_become_absolute_and_lose_what_means_nothing(void **state)
{
    static const struct {
        const char *base, *text, *path;
    } cases[] = {
        { "/jobs", "a", "/jobs/a" },
        { "/jobs", "a/b/", "/jobs/a/b/" },
        { "/jobs", "./a", "/jobs/a" },
        { "/jobs", "./", "/jobs/" },
        { "/jobs/deep", "../a", "/jobs/a" },
        { "/jobs/deep", "../../../../a", "/a" },
        { "/jobs/deep", "./.././a/", "/jobs/a/" },
        { "/jobs", "../", "/" },
        { "/", "a", "/a" },
        { "/", "./", "/" },
        { "/", "../a/", "/a/" },
        { "/jobs", "/", "/" },
        { "/jobs", "//", "/" },
        { "/jobs", "/./", "/" },
        { "/jobs", "/a//b/./c", "/a/b/c" },
        { NULL, "/a/b//", "/a/b/" },
        { "/jobs", "..a/.b/c..", "/jobs/..a/.b/c.." },
        { "/jobs", "a~/~", "/jobs/a~/~" },
        { "/jobs", "~user", "/jobs/~user" },
        { "/jobs", "\xc3\xa9", "/jobs/\xc3\xa9" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[PATH_MAX];
        const char *why = localpath_resolve(cases[i].base, cases[i].text, path);
        if (why != NULL)
            print_error("%s: %s\n", cases[i].text, why);
        assert_null(why);
        assert_string_equal(path, cases[i].path);
    }
}

static void paths_that_may_mean_something_else_are_refused(void **state)
{
    static const struct {
        const char *base, *text;
    } cases[] = {
        { NULL, "a" },
        { "/jobs", "." },
        { "/jobs", ".." },
        { "/jobs", "a/." },
        { "/jobs", "a/.." },
        { "/jobs", "a/../b" },
        { "/jobs", "../a/../b" },
        { "/jobs", "/../a" },
        { "/jobs", "/a/.." },
        { "/jobs", "~" },
        { "/jobs", "~/a" },
        { "/jobs", "\xff" },
        { "/j\xffobs", "a" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[PATH_MAX];
        if (localpath_resolve(cases[i].base, cases[i].text, path) == NULL)
            print_error("taken: %s\n", cases[i].text);
        assert_non_null(localpath_resolve(cases[i].base, cases[i].text, path));
    }
}

static void a_path_fits_with_its_final_slash_or_is_refused(void **state)
{
    char *text = malloc(PATH_MAX + 10), path[PATH_MAX];
    (void) state;
    assert_non_null(text);
    for (size_t len = PATH_MAX - 4; len < PATH_MAX + 4; len++) {
        memset(text, 'x', len);
        text[0] = '/';
        strcpy(text + len - 1, "/");
        assert_int_equal(localpath_resolve(NULL, text, path) == NULL, len < PATH_MAX);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_become_absolute_and_lose_what_means_nothing),
        cmocka_unit_test(paths_that_may_mean_something_else_are_refused),
        cmocka_unit_test(a_path_fits_with_its_final_slash_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
