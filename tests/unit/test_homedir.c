/* homedir.c: whose ~ it is where HOME says so, where only the system does, and where nobody. */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homedir.h"

static char system_home[5000]; /* as the system says; "": it knows no such user */

int __wrap_getpwuid_r(
    uid_t user, struct passwd *entry, char *texts, size_t size, struct passwd **found);
int __wrap_getpwuid_r(
    uid_t user, struct passwd *entry, char *texts, size_t size, struct passwd **found)
{
    (void) user;
    *found = NULL;
    if (strlen(system_home) >= size)
        return ERANGE;
    strcpy(texts, system_home);
    *entry = (struct passwd){ .pw_dir = texts };
    *found = *texts == '\0' ? NULL : entry;
    return 0;
}

static void assert_home(const char *variable, const char *expected)
{
    char path[PATH_MAX];
    if (variable == NULL)
        unsetenv("HOME");
    else
        setenv("HOME", variable, 1);
    assert_int_equal(homedir_find(path), *expected == '\0' ? -1 : 0);
    assert_string_equal(path, expected);
}

static void the_variable_goes_before_the_system(void **state)
{
    (void) state;
    strcpy(system_home, "/var/lib/jobs");
    assert_home("/home/ann", "/home/ann");
    assert_home(NULL, "/var/lib/jobs");
    assert_home("", "/var/lib/jobs");
}

static void there_may_be_none(void **state)
{
    (void) state;
    *system_home = '\0';
    assert_home(NULL, "");
    assert_home("", "");
}

static void one_that_is_too_long_is_none(void **state)
{
    char path[5000];
    (void) state;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_home(path, "");
    strcpy(system_home, path);
    assert_home(NULL, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_variable_goes_before_the_system),
        cmocka_unit_test(there_may_be_none),
        cmocka_unit_test(one_that_is_too_long_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
