/* temporary.c: what happens to a download's file when the system refuses, one call at a time.
 * The linker puts the __wrap_ functions in the calls' place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"
#include "temp.h"
#include "temporary.h"

/* ---- Faults ---- */

static struct {
    const char *call; /* NULL: any */
    int left;         /* calls until it strikes; 0: never */
    int with;
    const char *struck; /* which call it was */
} fault;

static bool strikes(const char *call)
{
    if (fault.left == 0 || (fault.call && strcmp(call, fault.call) != 0) || --fault.left > 0)
        return false;
    fault.struck = call;
    errno = fault.with;
    return true;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return strikes("fsync") ? -1 : __real_fsync(fd);
}

int __real_fallocate(int fd, int mode, off_t start, off_t len);
int __wrap_fallocate(int fd, int mode, off_t start, off_t len);
int __wrap_fallocate(int fd, int mode, off_t start, off_t len)
{
    return strikes("fallocate") ? -1 : __real_fallocate(fd, mode, start, len);
}

int __real_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len)
{
    return strikes("ftruncate") ? -1 : __real_ftruncate(fd, len);
}

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
    return strikes("pwrite") ? -1 : __real_pwrite(fd, data, len > 2 ? 2 : len, at);
}

int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return strikes("renameat") ? -1 : __real_renameat(from_folder, from, to_folder, to);
}

int __real_openat(int folder, const char *name, int flags, ...);
int __wrap_openat(int folder, const char *name, int flags, mode_t mode);
int __wrap_openat(int folder, const char *name, int flags, mode_t mode)
{
    return strikes("openat") ? -1 : __real_openat(folder, name, flags, mode);
}

int __real_open(const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, mode_t mode);
int __wrap_open(const char *name, int flags, mode_t mode)
{
    return strikes("open") ? -1 : __real_open(name, flags, mode);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    int error = strikes("close") ? errno : 0;
    int rc = __real_close(fd);
    errno = error ? error : errno;
    return error ? -1 : rc;
}

/* ---- Tests ---- */

/* As downloads do it. */
static int save(const char *path, struct haul_error *err)
{
    struct temporary t = TEMPORARY_NONE;
    int rc = -1;
    if (temporary_open(&t, path, false, err) < 0)
        return -1;
    if (temporary_reserve(&t, 3) < 0 || descriptor_write_at(t.fd, 0, "new", 3) < 0)
        descriptor_error(err, path);
    else
        rc = temporary_publish(&t, err);
    temporary_discard(&t);
    return rc;
}

static void read_text(const char *path, char text[static 16])
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, 15, f)] = '\0';
    fclose(f);
}

/* Cases 62 and 63. */
static void any_call_may_fail_and_an_older_file_stays(void **state)
{
    char *folder = temp_make(), *path = NULL, text[16];
    unsigned failures = 0, published = 0;
    struct haul_error err;
    (void) state;
    for (int nth = 1;; nth++) {
        free(path);
        path = temp_write_text(folder, "a", "old");
        fault.call = fault.struck = NULL;
        fault.left = nth;
        fault.with = EIO;
        int rc = save(path, &err);
        fault.left = 0;
        read_text(path, text);
        assert_int_equal(temp_count(folder), 1);
        if (fault.struck == NULL) {
            assert_int_equal(rc, 0);
            break;
        }
        failures += rc < 0;
        if (rc < 0)
            assert_int_equal(err.sys_errno, EIO);
        if (rc < 0 && strcmp(text, "new") == 0)
            published++; /* and the folder's own sync failed */
        else if (rc < 0)
            assert_string_equal(text, "old");
    }
    assert_string_equal(text, "new");
    assert_int_equal(published, 1);
    assert_int_equal(failures, 11); /* all but closing what was only looked at */
    free(path);
    temp_remove(folder);
}

static void calls_that_are_interrupted_go_on(void **state)
{
    static const char *const calls[] = { "fallocate", "pwrite", "close" };
    char *folder = temp_make(), *path = temp_path(folder, "a"), text[16];
    struct haul_error err;
    (void) state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        fault.call = calls[i];
        fault.left = 1;
        fault.with = EINTR;
        assert_int_equal(save(path, &err), 0);
        assert_int_equal(fault.left, 0);
        read_text(path, text);
        assert_string_equal(text, "new");
    }
    free(path);
    temp_remove(folder);
}

static void what_a_file_system_can_t_do_is_done_without(void **state)
{
    static const struct {
        const char *call;
        int nth, with;
    } cases[] = { { "fallocate", 1, EOPNOTSUPP }, { "fsync", 2, EINVAL },
        { "openat", 1, EEXIST } };
    char *folder = temp_make(), *path = temp_path(folder, "a"), text[16];
    struct haul_error err;
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fault.call = cases[i].call;
        fault.left = cases[i].nth;
        fault.with = cases[i].with;
        assert_int_equal(save(path, &err), 0);
        assert_int_equal(fault.left, 0);
        read_text(path, text);
        assert_string_equal(text, "new");
    }
    free(path);
    temp_remove(folder);
}

static void a_nameless_file_leaves_no_name(void **state)
{
    char *folder = temp_make(), data[3];
    struct stat st;
    (void) state;
    setenv("TMPDIR", folder, 1);
    for (int without = 0; without < 2; without++) {
        fault.call = "open";
        fault.left = without;
        fault.with = EOPNOTSUPP; /* O_TMPFILE */
        int fd = temporary_nameless();
        assert_true(fd >= 0);
        assert_int_equal(fault.left, 0);
        assert_int_equal(temp_count(folder), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(descriptor_write_at(fd, 5, "abc", 3), 0);
        assert_int_equal(descriptor_read_at(fd, 5, data, 3), 3);
        assert_memory_equal(data, "abc", 3);
        close(fd);
    }
    fault.left = 1;
    fault.with = EACCES;
    assert_int_equal(temporary_nameless(), -1);
    assert_int_equal(errno, EACCES);
    unsetenv("TMPDIR");
    temp_remove(folder);
}

static void no_file_is_as_large_as_that(void **state)
{
    char *folder = temp_make(), *path = temp_path(folder, "a");
    struct temporary t;
    struct haul_error err;
    (void) state;
    assert_int_equal(temporary_open(&t, path, false, &err), 0);
    assert_int_equal(temporary_reserve(&t, UINT64_MAX), -1);
    assert_int_equal(errno, EFBIG);
    temporary_discard(&t);
    temporary_discard(&t);
    assert_int_equal(temp_count(folder), 0);
    free(path);
    temp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_may_fail_and_an_older_file_stays),
        cmocka_unit_test(calls_that_are_interrupted_go_on),
        cmocka_unit_test(what_a_file_system_can_t_do_is_done_without),
        cmocka_unit_test(a_nameless_file_leaves_no_name),
        cmocka_unit_test(no_file_is_as_large_as_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
