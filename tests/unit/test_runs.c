/* runs.c: ids, the state folder, and which of its files are runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "runs.h"
#include "temp.h"

#define FIRST "20260131T235959Z-1f2e"
#define SECOND "20260201T000000Z-0000"
#define THIRD "20260201T000001Z-ffff"

static int make(void **state)
{
    *state = temp_make();
    setenv("XDG_STATE_HOME", *state, 1);
    setenv("HOME", "/nowhere", 1);
    return 0;
}

static int clear(void **state)
{
    temp_remove(*state);
    return 0;
}

/* $XDG_STATE_HOME/haul/NAME/FILE, with its folders. */
static void add(const char *root, const char *name, const char *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s/haul", root);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/haul/%s", root, name);
    mkdir(path, 0700);
    free(temp_write_text(path, file, ""));
}

static void three_runs_of_two_names(const char *root)
{
    add(root, "nightly", SECOND ".db");
    add(root, "weekly", THIRD ".db");
    add(root, "nightly", FIRST ".db");
}

static char *found(const char *job)
{
    static char text[512];
    struct error err;
    char *path = runs_find(job, &err);
    if (path == NULL) {
        assert_int_equal(err.exit, EXIT_USAGE);
        assert_non_null(strstr(err.text, "haul jobs"));
    }
    snprintf(text, sizeof text, "%s", path ? strstr(path, "/haul/") + 6 : "none");
    free(path);
    return text;
}

static void a_later_id_sorts_later(void **state)
{
    char one[RUN_ID_SIZE], two[RUN_ID_SIZE];
    (void) state;
    runs_new_id(one);
    runs_new_id(two);
    assert_int_equal(strlen(one), strlen(FIRST));
    assert_true(strcmp(one, two) <= 0);
    assert_true(strcmp(one, FIRST) > 0);
    assert_true(strcmp(FIRST, SECOND) < 0 && strcmp(SECOND, THIRD) < 0);
}

static void a_new_run_is_found_by_its_id(void **state)
{
    char id[RUN_ID_SIZE], file[64], expected[128];
    runs_new_id(id);
    snprintf(file, sizeof file, "%s.db", id);
    add(*state, "nightly", file);
    snprintf(expected, sizeof expected, "nightly/%s", file);
    assert_string_equal(found(id), expected);
}

static void a_run_s_path_is_below_the_state_folder(void **state)
{
    struct error err;
    char expected[512], *path = runs_path("nightly", FIRST, &err);
    snprintf(expected, sizeof expected, "%s/haul/nightly/" FIRST ".db", (char *) *state);
    assert_string_equal(path, expected);
    free(path);
    static const char *const not_absolute[] = { "", "relative" };
    for (int i = 0; i < 3; i++) {
        if (i < 2)
            setenv("XDG_STATE_HOME", not_absolute[i], 1);
        else
            unsetenv("XDG_STATE_HOME");
        path = runs_path("nightly", FIRST, &err);
        assert_string_equal(path, "/nowhere/.local/state/haul/nightly/" FIRST ".db");
        free(path);
    }
}

static void with_neither_variable_there_is_no_place(void **state)
{
    struct error err;
    struct run_file *runs;
    size_t count;
    (void) state;
    unsetenv("XDG_STATE_HOME");
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            unsetenv("HOME");
        else
            setenv("HOME", "not/absolute", 1);
        assert_null(runs_path("nightly", FIRST, &err));
        assert_int_equal(err.exit, EXIT_QUEUE);
        assert_non_null(strstr(err.text, "XDG_STATE_HOME"));
        assert_int_equal(runs_list(NULL, &runs, &count, &err), -1);
        assert_int_equal(runs_list("nightly", &runs, &count, &err), -1);
        assert_null(runs_find(FIRST, &err));
        assert_int_equal(err.exit, EXIT_QUEUE);
    }
}

static void runs_are_listed_latest_first(void **state)
{
    static const struct {
        const char *name, *expected;
    } cases[] = {
        { NULL, "weekly/" THIRD " nightly/" SECOND " nightly/" FIRST " " },
        { "nightly", "nightly/" SECOND " nightly/" FIRST " " },
        { "weekly", "weekly/" THIRD " " },
        { "never", "" },
    };
    three_runs_of_two_names(*state);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run_file *runs = NULL;
        struct error err;
        size_t count = 99;
        char text[512] = "";
        assert_int_equal(runs_list(cases[i].name, &runs, &count, &err), 0);
        for (size_t n = 0; n < count; n++) {
            struct stat st;
            sprintf(text + strlen(text), "%s/%s ", runs[n].name, runs[n].id);
            assert_int_equal(stat(runs[n].path, &st), 0);
        }
        assert_string_equal(text, cases[i].expected);
        runs_free(runs, count);
    }
}

static void without_a_state_folder_there_are_no_runs(void **state)
{
    struct run_file *runs = NULL;
    struct error err;
    size_t count = 99;
    (void) state;
    assert_int_equal(runs_list(NULL, &runs, &count, &err), 0);
    assert_int_equal(count, 0);
    runs_free(runs, count);
    assert_string_equal(found(NULL), "none");
}

static void a_job_is_an_id_or_a_name_or_the_latest_of_all(void **state)
{
    three_runs_of_two_names(*state);
    assert_string_equal(found(FIRST), "nightly/" FIRST ".db");
    assert_string_equal(found("nightly"), "nightly/" SECOND ".db");
    assert_string_equal(found("weekly"), "weekly/" THIRD ".db");
    assert_string_equal(found(NULL), "weekly/" THIRD ".db");
    assert_string_equal(found("never"), "none");
    assert_string_equal(found(""), "none");
    assert_string_equal(found("night"), "none");
}

static void other_files_in_the_folder_are_no_runs(void **state)
{
    static const char *const files[] = { SECOND ".db-wal", SECOND ".db.lock", SECOND ".db-shm",
        SECOND, "notes.txt", "letters-to-my-dear.db", "20260201T000000Z-000G.db",
        "20260201T00000aZ-0000.db", "20260201 000000Z-0000.db", ".db" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        add(*state, "nightly", files[i]);
    add(*state, ".hidden", FIRST ".db");
    add(*state, "", FIRST ".db"); /* directly in haul/ */
    assert_string_equal(found(NULL), "none");
    add(*state, "nightly", FIRST ".db");
    assert_string_equal(found(NULL), "nightly/" FIRST ".db");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_later_id_sorts_later),
        TEST(a_new_run_is_found_by_its_id),
        TEST(a_run_s_path_is_below_the_state_folder),
        TEST(with_neither_variable_there_is_no_place),
        TEST(runs_are_listed_latest_first),
        TEST(without_a_state_folder_there_are_no_runs),
        TEST(a_job_is_an_id_or_a_name_or_the_latest_of_all),
        TEST(other_files_in_the_folder_are_no_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
