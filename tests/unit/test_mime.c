/* mime.c: which type a name's ending stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/request.h>

#include "mime.h"
#include "temp.h"

static void a_small_table_knows_the_common_endings(void **state)
{
    static const struct {
        const char *name, *type;
    } cases[] = {
        { "a/index.html", "text/html" },
        { "PHOTO.JPEG", "image/jpeg" },
        { "a.tar.gz", "application/gzip" },
        { "a.7z", "application/x-7z-compressed" },
        { "a.zst", "application/zstd" },
        { ".txt", "text/plain" },
        { "a.txt/b", "application/octet-stream" },
        { "a.txt/", "application/octet-stream" },
        { "txt", "application/octet-stream" },
        { "a.", "application/octet-stream" },
        { "a.never-heard-of", "application/octet-stream" },
        { "", "application/octet-stream" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%s\n", cases[i].name);
        assert_string_equal(mime_find(NULL, cases[i].name), cases[i].type);
    }
}

static struct mime_types *read(const char *text, size_t len)
{
    char *folder = temp_make(), *path = temp_write(folder, "mime.types", text, len);
    struct mime_types *m = mime_read(path);
    free(path);
    temp_remove(folder);
    return m;
}

static void a_file_goes_before_the_table_which_fills_its_gaps(void **state)
{
    static const char text[] = "# a comment\n"
                               "text/x-own\t\town Also html # and why\r\n"
                               "application/none\n"
                               "\n   \n"
                               "text/x-last last";
    (void) state;
    struct mime_types *m = read(text, strlen(text));
    assert_non_null(m);
    assert_string_equal(mime_find(m, "a.own"), "text/x-own");
    assert_string_equal(mime_find(m, "a.ALSO"), "text/x-own");
    assert_string_equal(mime_find(m, "a.html"), "text/x-own");
    assert_string_equal(mime_find(m, "a.last"), "text/x-last");
    assert_string_equal(mime_find(m, "a.why"), "application/octet-stream");
    assert_string_equal(mime_find(m, "a.png"), "image/png");
    mime_free(m);
    m = read("", 0);
    assert_string_equal(mime_find(m, "a.png"), "image/png");
    mime_free(m);
}

static void a_file_that_is_missing_or_too_large_is_none(void **state)
{
    const size_t size = 1024 * 1024 + 1;
    char *much = malloc(size);
    (void) state;
    assert_non_null(much);
    memset(much, '\n', size);
    assert_null(mime_read("/nowhere/at/all"));
    assert_null(mime_read("/"));
    assert_null(read(much, size));
    struct mime_types *m = read(much, size - 1);
    assert_non_null(m);
    mime_free(m);
    free(much);
}

static void a_files_type_is_guessed_by_whatever_the_system_has(void **state)
{
    (void) state;
    assert_string_equal(haul_content_type("a/index.html"), "text/html");
    assert_string_equal(haul_content_type("a.png"), "image/png");
    assert_string_equal(haul_content_type("a"), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_table_knows_the_common_endings),
        cmocka_unit_test(a_file_goes_before_the_table_which_fills_its_gaps),
        cmocka_unit_test(a_file_that_is_missing_or_too_large_is_none),
        cmocka_unit_test(a_files_type_is_guessed_by_whatever_the_system_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
