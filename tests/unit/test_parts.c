/* parts.c: the arithmetic at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parts.h"

#define MIB (1024 * (uint64_t) 1024)
#define GIB (1024 * MIB)

/* Case 13. */
static void a_part_is_as_large_as_wanted_unless_the_object_needs_more(void **state)
{
    /* clang-format off */
    static const struct {
        uint64_t size, wanted, expected;
    } cases[] = {
        { 0, 0, 8 * MIB },
        { 1, 0, 8 * MIB },
        { 8 * MIB * HAUL_PARTS_MAX, 0, 8 * MIB },     /* exactly 10,000 parts */
        { 8 * MIB * HAUL_PARTS_MAX + 1, 0, 9 * MIB }, /* the next whole MiB */
        { 9 * MIB * HAUL_PARTS_MAX, 0, 9 * MIB },
        { 1, HAUL_PART_BYTES_MIN, HAUL_PART_BYTES_MIN },
        { GIB, 16 * MIB, 16 * MIB },
        { GIB, HAUL_PART_BYTES_MAX, HAUL_PART_BYTES_MAX },
        { 5 * MIB * HAUL_PARTS_MAX + 1, HAUL_PART_BYTES_MIN, 6 * MIB },
        { 7000001 * (uint64_t) HAUL_PARTS_MAX, 7000001, 7000001 }, /* no whole MiB, but it fits */
        { 7000001 * (uint64_t) HAUL_PARTS_MAX + 1, 7000001, 7 * MIB },
        { HAUL_OBJECT_BYTES_MAX, 0, HAUL_PART_BYTES_MAX },
        { HAUL_OBJECT_BYTES_MAX, HAUL_PART_BYTES_MIN, HAUL_PART_BYTES_MAX },
        { HAUL_OBJECT_BYTES_MAX + 1, 0, 0 },
        { HAUL_OBJECT_BYTES_MAX + 1, HAUL_PART_BYTES_MAX, 0 },
        { UINT64_MAX, 0, 0 },
    };
    /* clang-format on */
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (part_bytes_for(cases[i].size, cases[i].wanted) != cases[i].expected)
            fail_msg("%zu: %llu", i,
                (unsigned long long) part_bytes_for(cases[i].size, cases[i].wanted));
    assert_true(HAUL_OBJECT_BYTES_MAX == 53687091200000);
}

/* Case 14. */
static void one_byte_over_a_part_makes_two(void **state)
{
    (void) state;
    assert_int_equal(part_count(1, 8 * MIB), 1);
    assert_int_equal(part_count(8 * MIB - 1, 8 * MIB), 1);
    assert_int_equal(part_count(8 * MIB, 8 * MIB), 1);
    assert_int_equal(part_count(8 * MIB + 1, 8 * MIB), 2);
    assert_int_equal(part_count(8 * MIB * HAUL_PARTS_MAX, 8 * MIB), HAUL_PARTS_MAX);
    assert_int_equal(part_count(HAUL_OBJECT_BYTES_MAX, HAUL_PART_BYTES_MAX), HAUL_PARTS_MAX);
}

static void ranges_follow_each_other_and_cover_the_object(void **state)
{
    static const uint64_t sizes[] = { 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB,
        GIB + 12345, 8 * MIB * HAUL_PARTS_MAX - 1, 8 * MIB * HAUL_PARTS_MAX,
        8 * MIB * HAUL_PARTS_MAX + 1, HAUL_OBJECT_BYTES_MAX - 1, HAUL_OBJECT_BYTES_MAX };
    (void) state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t bytes = part_bytes_for(sizes[i], 0), at = 0;
        unsigned count = part_count(sizes[i], bytes);
        assert_in_range(count, 1, HAUL_PARTS_MAX);
        for (unsigned n = 1; n <= count; n++) {
            struct haul_range r = part_range(sizes[i], bytes, n);
            assert_true(r.start == at);
            assert_true(r.len > 0 && (n == count ? r.len <= bytes : r.len == bytes));
            at += r.len;
        }
        assert_true(at == sizes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_as_large_as_wanted_unless_the_object_needs_more),
        cmocka_unit_test(one_byte_over_a_part_makes_two),
        cmocka_unit_test(ranges_follow_each_other_and_cover_the_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
