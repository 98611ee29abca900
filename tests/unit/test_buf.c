/* buf.c: growing, stopping at the limit, remembering failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"

static void an_empty_buffer_reads_as_an_empty_string(void **state)
{
    (void) state;
    struct buf b = buf_make(8);
    assert_string_equal(buf_text(&b), "");
    buf_adds(&b, "");
    buf_addf(&b, "%s", "");
    assert_null(b.data);
    assert_false(buf_failed(&b, "it", NULL));
    buf_free(&b);
}

static void pieces_are_joined_in_order(void **state)
{
    (void) state;
    struct buf b = buf_make(100);
    buf_add(&b, "abc", 2);
    buf_adds(&b, "-");
    buf_addf(&b, "%d%s", 12, "!");
    assert_string_equal(buf_text(&b), "ab-12!");
    assert_int_equal(b.len, 6);
    buf_free(&b);
}

static void it_grows_far_beyond_its_first_size(void **state)
{
    (void) state;
    struct buf b = buf_make(100000);
    for (int i = 0; i < 10000; i++)
        buf_adds(&b, "0123456789");
    assert_false(buf_failed(&b, "it", NULL));
    assert_int_equal(strlen(buf_text(&b)), 100000);
    buf_free(&b);
}

static void exactly_the_limit_fits_and_one_byte_more_does_not(void **state)
{
    (void) state;
    struct haul_error err;
    struct buf b = buf_make(4);
    buf_adds(&b, "abcd");
    assert_false(buf_failed(&b, "the word", &err));
    buf_adds(&b, "e");
    assert_true(buf_failed(&b, "the word", &err));
    assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
    assert_string_equal(err.text, "the word is longer than 4 bytes");
    buf_free(&b);
}

static void after_a_failure_nothing_is_added(void **state)
{
    (void) state;
    struct buf b = buf_make(4);
    buf_adds(&b, "ab");
    buf_addf(&b, "%d", 12345);
    buf_adds(&b, "c");
    assert_true(buf_failed(&b, "it", NULL));
    assert_string_equal(buf_text(&b), "ab");
    buf_free(&b);
}

static void clearing_forgets_the_failure_and_keeps_the_limit(void **state)
{
    (void) state;
    struct buf b = buf_make(4);
    buf_adds(&b, "abc");
    buf_adds(&b, "abc");
    buf_clear(&b);
    assert_false(buf_failed(&b, "it", NULL));
    assert_string_equal(buf_text(&b), "");
    buf_adds(&b, "wxyz");
    assert_string_equal(buf_text(&b), "wxyz");
    buf_adds(&b, "!");
    assert_true(buf_failed(&b, "it", NULL));
    buf_free(&b);
}

static void freeing_leaves_an_empty_buffer_that_can_be_used_again(void **state)
{
    (void) state;
    struct buf b = buf_make(4);
    buf_adds(&b, "abc");
    buf_free(&b);
    assert_string_equal(buf_text(&b), "");
    buf_adds(&b, "wxyz");
    assert_string_equal(buf_text(&b), "wxyz");
    buf_free(&b);
}

static void texts_are_added_up_to_the_last(void **state)
{
    (void) state;
    struct buf b = buf_make(100);
    buf_add_all(&b, (const char *[]){ "a", "", "bc", NULL });
    assert_string_equal(buf_text(&b), "abc");
    buf_add_all(&b, (const char *[]){ NULL });
    assert_string_equal(buf_text(&b), "abc");
    buf_free(&b);
}

/* That its memory is wiped is test_wiped.c's matter. */
static void a_secret_grows_and_is_cleared_as_any_other(void **state)
{
    (void) state;
    struct buf b = buf_make_secret(5000);
    for (int i = 0; i < 5000; i++)
        buf_adds(&b, i % 2 ? "a" : "b");
    assert_int_equal(b.len, 5000);
    assert_int_equal(strspn(buf_text(&b), "ab"), 5000);
    buf_clear(&b);
    assert_int_equal(b.data[4998], '\0'); /* not only its beginning */
    buf_adds(&b, "again");
    assert_string_equal(buf_text(&b), "again");
    buf_free(&b);
    assert_true(b.secret);
    assert_int_equal(b.limit, 5000);
}

static void an_absurd_length_fails_without_an_allocation(void **state)
{
    (void) state;
    struct buf b = buf_make(100);
    buf_adds(&b, "a");
    buf_add(&b, "b", SIZE_MAX);
    assert_true(buf_failed(&b, "it", NULL));
    assert_string_equal(buf_text(&b), "a");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_reads_as_an_empty_string),
        cmocka_unit_test(pieces_are_joined_in_order),
        cmocka_unit_test(it_grows_far_beyond_its_first_size),
        cmocka_unit_test(exactly_the_limit_fits_and_one_byte_more_does_not),
        cmocka_unit_test(after_a_failure_nothing_is_added),
        cmocka_unit_test(clearing_forgets_the_failure_and_keeps_the_limit),
        cmocka_unit_test(freeing_leaves_an_empty_buffer_that_can_be_used_again),
        cmocka_unit_test(texts_are_added_up_to_the_last),
        cmocka_unit_test(a_secret_grows_and_is_cleared_as_any_other),
        cmocka_unit_test(an_absurd_length_fails_without_an_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
