/* body.c: what the library's own bodies read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <haul/body.h>

#include "temp.h"

static void assert_reads(const struct haul_body *b, uint64_t offset, const char *text)
{
    char data[16];
    size_t len = strlen(text);
    assert_int_equal(b->read(b->payload, offset, data, len), len);
    assert_memory_equal(data, text, len);
}

static void memory_is_read_at_any_offset_and_again(void **state)
{
    struct haul_body b = haul_body_memory("abc\0def", 7);
    (void) state;
    assert_int_equal(b.size, 7);
    assert_reads(&b, 4, "def");
    assert_reads(&b, 0, "abc");
    assert_reads(&b, 4, "def");
}

static void a_string_is_read_without_its_end(void **state)
{
    struct haul_body b = haul_body_string("hi");
    (void) state;
    assert_int_equal(b.size, 2);
    assert_reads(&b, 0, "hi");
    assert_int_equal(haul_body_string("").size, 0);
}

static void a_descriptor_is_read_from_the_files_beginning(void **state)
{
    char *folder = temp_make(), *path = temp_write_text(folder, "f", "0123456789"), data[16];
    int fd = open(path, O_RDONLY);
    (void) state;
    assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
    struct haul_body b = haul_body_fd(fd, 10);
    assert_int_equal(b.size, 10);
    assert_reads(&b, 3, "345");
    assert_reads(&b, 0, "01");
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
    assert_int_equal(b.read(b.payload, 10, data, 1), 0);
    close(fd);
    assert_int_equal(b.read(b.payload, 0, data, 1), -1);
    assert_int_equal(errno, EBADF);
    free(path);
    temp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_read_at_any_offset_and_again),
        cmocka_unit_test(a_string_is_read_without_its_end),
        cmocka_unit_test(a_descriptor_is_read_from_the_files_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
