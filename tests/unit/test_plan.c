/* plan_wants(): what `when` makes of two sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan.h"

#define U TRANSFER_UPLOAD
#define D TRANSFER_DOWNLOAD

static void when_decides_by_what_is_there(void **state)
{
    static const struct facts none = { .modified_ms = -1 };
    static const struct facts old = { true, 5, 1000 }, twin = { true, 5, 1999 },
                              next = { true, 5, 2000 }, larger = { true, 6, 1000 },
                              timeless = { true, 5, -1 };
    /* clang-format off */
    const struct {
        enum transfer_kind kind;
        enum transfer_when when;
        const struct facts *source, *destination;
        bool expected;
    } cases[] = {
        { U, WHEN_ALWAYS, &old, &none, true }, { D, WHEN_ALWAYS, &old, &none, true },
        { U, WHEN_ALWAYS, &old, &old, true }, { D, WHEN_ALWAYS, &old, &old, true },
        { U, WHEN_MISSING, &old, &none, true }, { D, WHEN_MISSING, &old, &none, true },
        { U, WHEN_MISSING, &next, &old, false }, { D, WHEN_MISSING, &larger, &old, false },
        { U, WHEN_CHANGED, &old, &none, true }, { D, WHEN_CHANGED, &old, &none, true },
        { U, WHEN_CHANGED, &old, &old, false }, { D, WHEN_CHANGED, &old, &old, false },
        { U, WHEN_CHANGED, &old, &larger, true }, { D, WHEN_CHANGED, &larger, &old, true },
        /* S3 tells whole seconds. */
        { U, WHEN_CHANGED, &twin, &old, false }, { D, WHEN_CHANGED, &old, &twin, false },
        { U, WHEN_CHANGED, &next, &twin, true }, { D, WHEN_CHANGED, &next, &twin, true },
        /* An object is newer than the file it came from; a file has its object's time. */
        { U, WHEN_CHANGED, &old, &next, false }, { D, WHEN_CHANGED, &old, &next, true },
        { U, WHEN_CHANGED, &old, &timeless, true }, { D, WHEN_CHANGED, &timeless, &old, true },
    };
    /* clang-format on */
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (plan_wants(cases[i].kind, cases[i].when, cases[i].source, cases[i].destination) !=
            cases[i].expected)
            fail_msg("case %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(when_decides_by_what_is_there) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
