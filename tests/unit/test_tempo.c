/* tempo.c: which ranges are slow, and how many of them may be replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tempo.h"

#define MIB ((uint64_t) 1024 * 1024)

static void note(struct tempo *t, unsigned count, uint64_t bytes, int64_t elapsed_ms)
{
    while (count-- > 0)
        tempo_note(t, bytes, elapsed_ms);
}

static void a_range_is_slow_by_the_measure_of_others(void **state)
{
    /* clang-format off */
    static const struct {
        struct { unsigned count; uint64_t bytes; int64_t ms; } known[2];
        uint64_t bytes;
        int64_t ms;
        bool slow;
    } cases[] = {
        /* Too few others. */
        { { { 7, 8 * MIB, 100 } }, 8 * MIB, 1000000, false },
        { { { 8, 8 * MIB, 100 } }, 8 * MIB, 1000000, true },
        /* Three times the median, if that is more than half a second. */
        { { { 100, 8 * MIB, 1000 } }, 8 * MIB, 3000, false },
        { { { 100, 8 * MIB, 1000 } }, 8 * MIB, 3001, true },
        { { { 100, 8 * MIB, 10 } }, 8 * MIB, 500, false },
        { { { 100, 8 * MIB, 10 } }, 8 * MIB, 501, true },
        { { { 100, 8 * MIB, 0 } }, 8 * MIB, 501, true },
        /* By its size. */
        { { { 100, 8 * MIB, 1000 } }, 16 * MIB, 6000, false },
        { { { 100, 8 * MIB, 1000 } }, 16 * MIB, 6001, true },
        { { { 100, 8 * MIB, 1000 } }, 2 * MIB, 751, true },
        { { { 100, 16 * MIB, 2000 } }, 8 * MIB, 3000, false },
        { { { 16, 5000 * MIB, 1000000 } }, 5000 * MIB, 3000000, false },
        { { { 16, 5000 * MIB, 1000000 } }, 5000 * MIB, 3001000, true },
        /* One in a hundred took as long, or more. */
        { { { 126, 8 * MIB, 1000 }, { 2, 8 * MIB, 9000 } }, 8 * MIB, 9000, false },
        { { { 126, 8 * MIB, 1000 }, { 2, 8 * MIB, 9000 } }, 8 * MIB, 9001, true },
        { { { 127, 8 * MIB, 1000 }, { 1, 8 * MIB, 9000 } }, 8 * MIB, 3001, true },
        /* The latest count. */
        { { { 504, 8 * MIB, 1000 }, { 128, 8 * MIB, 9000 } }, 8 * MIB, 27000, false },
        { { { 504, 8 * MIB, 9000 }, { 128, 8 * MIB, 1000 } }, 8 * MIB, 3001, true },
        /* As slow as can be. */
        { { { 8, MIB, INT64_MAX } }, MIB, 24 * 3600 * 1000, true },
        { { { 8, MIB, INT64_MAX } }, 5000 * MIB, 24 * 3600 * 1000, false },
    };
    /* clang-format on */
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tempo t = tempo_make();
        print_message("%zu\n", i);
        for (size_t n = 0; n < 2; n++)
            note(&t, cases[i].known[n].count, cases[i].known[n].bytes, cases[i].known[n].ms);
        assert_int_equal(tempo_is_slow(&t, cases[i].bytes, cases[i].ms), cases[i].slow);
    }
}

static unsigned take_all(struct tempo *t, int64_t now_ms)
{
    unsigned count = 0;
    while (tempo_take(t, now_ms))
        count++;
    return count;
}

static void one_of_a_hundred_may_be_replaced(void **state)
{
    struct tempo t = tempo_make();
    (void) state;
    assert_int_equal(take_all(&t, 1000), 4);
    note(&t, 99, MIB, 10);
    assert_int_equal(take_all(&t, 1000), 0);
    note(&t, 1, MIB, 10);
    assert_int_equal(take_all(&t, 1000), 1);
    note(&t, 350, MIB, 10);
    assert_int_equal(take_all(&t, 1000), 3);
    note(&t, 50, MIB, 10);
    assert_int_equal(take_all(&t, 1000), 1);
}

static void time_gives_credit_too(void **state)
{
    struct tempo t = tempo_make();
    (void) state;
    assert_int_equal(take_all(&t, 1000), 4);
    assert_int_equal(take_all(&t, 30999), 0);
    assert_int_equal(take_all(&t, 31000), 1);
    for (int64_t at = 31000; at < 60999; at += 7) /* asked often, it gives no less */
        assert_int_equal(take_all(&t, at), 0);
    assert_int_equal(take_all(&t, 61000), 1);
}

static void credit_has_a_bound(void **state)
{
    struct tempo t = tempo_make();
    (void) state;
    note(&t, 100000, MIB, 10);
    assert_int_equal(take_all(&t, 1000), 8);
    assert_int_equal(take_all(&t, 1000 + (int64_t) 1000 * 24 * 3600 * 1000), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_slow_by_the_measure_of_others),
        cmocka_unit_test(one_of_a_hundred_may_be_replaced),
        cmocka_unit_test(time_gives_credit_too),
        cmocka_unit_test(credit_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
