/* state.c: every event in every state, both ways: exactly the allowed ones lead on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state.h"

#define STATES (OBJECT_BAD + 1)
#define EVENTS (EVENT_FAILED + 1)

static enum transfer_kind both[] = { TRANSFER_UPLOAD, TRANSFER_DOWNLOAD };

/* All that is allowed, but for restarts and failures, which any unfinished state takes. */
static const struct {
    enum transfer_kind kind;
    enum object_state from;
    enum object_event event;
    enum object_state to;
} allowed[] = {
    { TRANSFER_UPLOAD, OBJECT_PLANNED, EVENT_BEGAN, OBJECT_CREATING },
    { TRANSFER_UPLOAD, OBJECT_PLANNED, EVENT_FINISHED, OBJECT_DONE },
    { TRANSFER_UPLOAD, OBJECT_CREATING, EVENT_CREATED, OBJECT_MOVING },
    { TRANSFER_UPLOAD, OBJECT_MOVING, EVENT_ALL_MOVED, OBJECT_COMPLETING },
    { TRANSFER_UPLOAD, OBJECT_COMPLETING, EVENT_FINISHED, OBJECT_DONE },
    { TRANSFER_UPLOAD, OBJECT_COMPLETING, EVENT_PARTS_LOST, OBJECT_MOVING },
    { TRANSFER_DOWNLOAD, OBJECT_PLANNED, EVENT_BEGAN, OBJECT_MOVING },
    { TRANSFER_DOWNLOAD, OBJECT_PLANNED, EVENT_FINISHED, OBJECT_DONE },
    { TRANSFER_DOWNLOAD, OBJECT_MOVING, EVENT_ALL_MOVED, OBJECT_PUBLISHING },
    { TRANSFER_DOWNLOAD, OBJECT_PUBLISHING, EVENT_FINISHED, OBJECT_DONE },
};

/* States that only the other kind is ever in: what they lead to is not looked at. */
static bool is_foreign(enum transfer_kind kind, enum object_state s)
{
    return kind == TRANSFER_UPLOAD ? s == OBJECT_PUBLISHING
                                   : s == OBJECT_CREATING || s == OBJECT_COMPLETING;
}

static bool is_final(enum object_state s)
{
    return s == OBJECT_DONE || s == OBJECT_FAILED || s == OBJECT_SKIPPED || s == OBJECT_BAD;
}

static enum object_state expected(
    enum transfer_kind kind, enum object_state state, enum object_event event)
{
    if (!is_final(state) && event == EVENT_RESTARTED)
        return OBJECT_PLANNED;
    if (!is_final(state) && event == EVENT_FAILED)
        return OBJECT_FAILED;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (allowed[i].kind == kind && allowed[i].from == state && allowed[i].event == event)
            return allowed[i].to;
    return OBJECT_BAD;
}

static void exactly_the_allowed_events_lead_on(void **state)
{
    (void) state;
    for (size_t k = 0; k < 2; k++)
        for (int s = 0; s < STATES; s++)
            for (int e = 0; e < EVENTS; e++) {
                enum object_state got =
                    object_next(both[k], (enum object_state) s, (enum object_event) e);
                if (!is_foreign(both[k], (enum object_state) s) &&
                    got != expected(both[k], (enum object_state) s, (enum object_event) e))
                    fail_msg("kind %zu, %s, event %d: %s", k,
                        object_state_name((enum object_state) s), e, object_state_name(got));
            }
}

static void final_states_are_final(void **state)
{
    (void) state;
    for (size_t k = 0; k < 2; k++)
        for (int s = 0; s < STATES; s++)
            for (int e = 0; e < EVENTS; e++)
                if (is_final((enum object_state) s))
                    assert_int_equal(
                        object_next(both[k], (enum object_state) s, (enum object_event) e),
                        OBJECT_BAD);
}

static void no_event_leads_into_a_foreign_state_or_to_skipped(void **state)
{
    (void) state;
    for (size_t k = 0; k < 2; k++)
        for (int s = 0; s < STATES; s++)
            for (int e = 0; e < EVENTS; e++) {
                enum object_state got =
                    object_next(both[k], (enum object_state) s, (enum object_event) e);
                assert_int_not_equal(got, OBJECT_SKIPPED);
                if (!is_foreign(both[k], (enum object_state) s))
                    assert_false(is_foreign(both[k], got));
            }
}

static void names_and_states_are_one_to_one(void **state)
{
    (void) state;
    for (int s = 0; s < OBJECT_BAD; s++)
        assert_int_equal(object_state_from(object_state_name((enum object_state) s)), s);
    assert_string_equal(object_state_name(OBJECT_PLANNED), "planned");
    assert_string_equal(object_state_name(OBJECT_SKIPPED), "skipped");
    assert_int_equal(object_state_from("bad"), OBJECT_BAD);
    assert_int_equal(object_state_from(""), OBJECT_BAD);
    assert_int_equal(object_state_from("Done"), OBJECT_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_allowed_events_lead_on),
        cmocka_unit_test(final_states_are_final),
        cmocka_unit_test(no_event_leads_into_a_foreign_state_or_to_skipped),
        cmocka_unit_test(names_and_states_are_one_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
