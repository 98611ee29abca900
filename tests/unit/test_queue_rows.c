/* The queue's rows: every verb of planning and carrying out leaves those that it promises.
 * Where no verb tells, the rows are read as anybody can read them: with SQLite. */
#include "queue_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Planning ---- */

/* Case 39. */
static void a_batch_and_its_position_are_committed_together(void **state)
{
    struct fixture *f = *state;
    bool planned;
    char *position;
    ok(f, queue_position(f->queue, 1, &planned, &position, &f->err));
    assert_false(planned);
    assert_null(position);

    ok(f, queue_begin(f->queue, true, &f->err));
    ok(f, queue_plan(f->queue, 1, &(struct planned) PLANNED("lost", 1), 1, false, &f->err));
    queue_rollback(f->queue);
    ok(f, queue_position(f->queue, 1, &planned, &position, &f->err));
    assert_null(position);
    assert_string_equal(seen(f, "SELECT count(*) FROM object"), "0");

    plan_three(f);
    ok(f, queue_position(f->queue, 1, &planned, &position, &f->err));
    assert_false(planned);
    assert_string_equal(position, "c");
    free(position);
    ok(f, queue_position(f->queue, 2, &planned, &position, &f->err));
    assert_null(position);
    assert_int_equal(queue_position(f->queue, 3, &planned, &position, &f->err), -1);
}

static void a_finished_listing_keeps_its_position(void **state)
{
    struct fixture *f = *state;
    bool planned;
    char *position;
    plan_three(f);
    ok(f, queue_begin(f->queue, true, &f->err));
    ok(f, queue_plan(f->queue, 1, NULL, 0, true, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
    reopen(f);
    ok(f, queue_position(f->queue, 1, &planned, &position, &f->err));
    assert_true(planned);
    assert_string_equal(position, "c");
    free(position);
}

static void what_the_schema_forbids_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct planned bad[] = {
        { .name = (char *) "x", .state = OBJECT_SKIPPED }, /* without a why */
        { .name = (char *) "x", .state = OBJECT_BAD },     /* no such state */
        { .name = (char *) "x", .size = UINT64_MAX, .state = OBJECT_PLANNED },
        { .name = NULL, .state = OBJECT_PLANNED },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(f, queue_begin(f->queue, true, &f->err));
        refused(f, queue_plan(f->queue, 1, &bad[i], 1, false, &f->err), "constraint");
        queue_rollback(f->queue);
    }
    plan_three(f);
    assert_string_equal(seen(f, "SELECT count(*) FROM object"), "3");
}

/* ---- Carrying out ---- */

static void tasks_come_in_order_and_only_what_is_due(void **state)
{
    struct fixture *f = *state;
    struct task t[8];
    plan(f, 2,
        (struct planned[]){ PLANNED("one", 1),
            { .name = (char *) "two",
                .state = OBJECT_SKIPPED,
                .why = "same",
                .modified_ms = -1 },
            { .name = (char *) "three",
                .state = OBJECT_FAILED,
                .why = "odd",
                .modified_ms = -1 },
            { .name = (char *) "four", .etag = "\"e\"", .size = 4, .modified_ms = -1 },
            PLANNED("five", 5) },
        5);
    assert_int_equal(queue_take(f->queue, 0, t, 2, &f->err), 2);
    assert_string_equal(t[0].name, "one");
    assert_int_equal(t[0].id, 1);
    assert_int_equal(t[0].transfer, 2);
    assert_int_equal(t[0].size, 1);
    assert_int_equal(t[0].modified_ms, 5);
    assert_int_equal(t[0].generation, 1);
    assert_int_equal(t[0].state, OBJECT_PLANNED);
    assert_null(t[0].etag);
    assert_null(t[0].source);
    assert_string_equal(t[1].name, "four");
    assert_string_equal(t[1].etag, "\"e\"");
    assert_int_equal(t[1].modified_ms, -1);
    int64_t last = t[1].id;
    task_clear(&t[0]);
    task_clear(&t[1]);
    assert_int_equal(queue_take(f->queue, last, t, 8, &f->err), 1);
    assert_string_equal(t[0].name, "five");
    last = t[0].id;
    task_clear(&t[0]);
    task_clear(&t[0]);
    assert_int_equal(queue_take(f->queue, last, t, 8, &f->err), 0);
}

static void a_task_taken_before_a_crash_is_due_again(void **state)
{
    struct fixture *f = *state;
    struct task t;
    plan_three(f);
    assert_int_equal(queue_take(f->queue, 0, &t, 1, &f->err), 1);
    task_clear(&t);
    reopen(f);
    assert_int_equal(queue_take(f->queue, 0, &t, 1, &f->err), 1);
    assert_string_equal(t.name, "a");
    task_clear(&t);
}

static void an_object_in_motion_comes_back_with_all_that_resuming_needs(void **state)
{
    struct fixture *f = *state;
    struct task t[3];
    move_b(f);
    reopen(f);
    assert_int_equal(queue_take(f->queue, 1, t, 1, &f->err), 1);
    assert_int_equal(t[0].id, 2);
    assert_int_equal(t[0].state, OBJECT_MOVING);
    assert_int_equal(t[0].part_bytes, 8 * 1024 * 1024);
    assert_int_equal(t[0].began_ms, 1234);
    assert_int_equal(t[0].modified_ms, 77);
    assert_string_equal(t[0].source, "1:2:3");
    assert_string_equal(t[0].token, "tok");
    assert_string_equal(t[0].upload_id, "up-1");
    assert_null(t[0].temp);
    assert_int_equal(t[0].record_count, 2);
    assert_int_equal(t[0].records[0].number, 1);
    assert_int_equal(t[0].records[0].state, PART_SENT);
    assert_int_equal(t[0].records[0].crc32c, 0xfedcba98u);
    assert_string_equal(t[0].records[0].etag, "\"e1\"");
    assert_int_equal(t[0].records[1].number, 3);
    task_clear(&t[0]);
}

static void a_download_s_parts_have_no_etag_and_become_synced(void **state)
{
    struct fixture *f = *state;
    struct part_record *records, part = { 1, PART_WRITTEN, 7, NULL };
    unsigned count;
    struct change c = began(1);
    c.kind = TRANSFER_DOWNLOAD;
    c.token = NULL;
    c.temp = "8:9";
    plan_three(f);
    assert_true(apply(f, c));
    ok(f, queue_begin(f->queue, false, &f->err));
    ok(f, queue_part(f->queue, 1, 1, &part, &f->err));
    part.state = PART_SYNCED;
    ok(f, queue_part(f->queue, 1, 1, &part, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
    ok(f, queue_parts(f->queue, 1, &records, &count, &f->err));
    assert_int_equal(count, 1);
    assert_int_equal(records[0].state, PART_SYNCED);
    assert_null(records[0].etag);
    part_records_free(records, count);

    part = (struct part_record){ 1, PART_SENT, 7, NULL };
    ok(f, queue_begin(f->queue, false, &f->err));
    refused(f, queue_part(f->queue, 1, 1, &part, &f->err), "constraint");
    queue_rollback(f->queue);
}

static void a_part_is_overwritten_by_its_later_result(void **state)
{
    struct fixture *f = *state;
    struct part_record *records;
    unsigned count;
    move_b(f);
    record(f, 2, 1, 3, "\"new\"");
    ok(f, queue_parts(f->queue, 2, &records, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(records[1].etag, "\"new\"");
    part_records_free(records, count);
    part_records_free(NULL, 0);
}

static void ten_thousand_parts_come_back_by_number(void **state)
{
    struct fixture *f = *state;
    struct part_record *records;
    unsigned count;
    plan_three(f);
    assert_true(apply(f, began(2)));
    ok(f, queue_begin(f->queue, false, &f->err));
    for (unsigned n = 10000; n > 0; n--)
        ok(f, queue_part(f->queue, 2, 1,
                  &(struct part_record){ n, PART_SENT, n, (char *) "\"e\"" }, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
    ok(f, queue_parts(f->queue, 2, &records, &count, &f->err));
    assert_int_equal(count, 10000);
    for (unsigned i = 0; i < count; i++)
        if (records[i].number != i + 1 || records[i].crc32c != i + 1)
            fail_msg("record %u is part %u", i, records[i].number);
    part_records_free(records, count);
}

static void stale_generations_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct change restarted = event(2, EVENT_RESTARTED), late = event(2, EVENT_ALL_MOVED);
    restarted.why = "the source changed";
    restarted.size = 9;
    move_b(f);
    assert_true(apply(f, restarted));
    assert_false(apply(f, late));
    assert_string_equal(
        seen(f, "SELECT state || generation FROM object WHERE id = 2"), "planned2");
    assert_string_equal(seen(f, "SELECT size FROM object WHERE id = 2"), "9");
    assert_string_equal(seen(f, "SELECT count(*) FROM motion"), "0");
    assert_string_equal(seen(f, "SELECT count(*) FROM part"), "0");
    assert_string_equal(seen(f, "SELECT event || ':' || object_id || ':' || detail FROM event"),
        "restarted:2:the source changed");

    struct change again = began(2);
    again.generation = 2;
    assert_true(apply(f, again));
    record(f, 2, 1, 5, "\"late\"");
    assert_string_equal(seen(f, "SELECT count(*) FROM part"), "0");
    record(f, 2, 2, 5, "\"now\"");
    assert_string_equal(seen(f, "SELECT etag FROM part"), "\"now\"");
}

static void a_finished_object_keeps_its_facts_and_loses_its_motion(void **state)
{
    struct fixture *f = *state;
    struct change finished = event(2, EVENT_FINISHED);
    struct task t[3];
    finished.etag = "\"whole-4\"";
    move_b(f);
    assert_true(apply(f, event(2, EVENT_ALL_MOVED)));
    assert_string_equal(seen(f, "SELECT state FROM object WHERE id = 2"), "completing");
    assert_true(apply(f, finished));
    assert_string_equal(
        seen(f, "SELECT state || etag || size || ':' || modified_ms FROM object WHERE id = 2"),
        "done\"whole-4\"26214400:77");
    assert_string_equal(seen(f, "SELECT count(*) FROM motion"), "0");
    assert_string_equal(seen(f, "SELECT count(*) FROM part"), "0");
    assert_int_equal(queue_take(f->queue, 0, t, 3, &f->err), 2);
    assert_string_equal(t[1].name, "c");
    task_clear(&t[0]);
    task_clear(&t[1]);
}

static void a_completion_that_lacks_parts_moves_again(void **state)
{
    struct fixture *f = *state;
    struct task t;
    move_b(f);
    assert_true(apply(f, event(2, EVENT_ALL_MOVED)));
    assert_true(apply(f, event(2, EVENT_PARTS_LOST)));
    assert_int_equal(queue_take(f->queue, 1, &t, 1, &f->err), 1);
    assert_int_equal(t.state, OBJECT_MOVING);
    assert_int_equal(t.generation, 1);
    assert_string_equal(t.upload_id, "up-1");
    assert_int_equal(t.record_count, 2);
    task_clear(&t);
}

static void a_failed_object_says_why_and_is_not_due(void **state)
{
    struct fixture *f = *state;
    struct change failed = event(1, EVENT_FAILED);
    struct task t[3];
    failed.why = "AccessDenied";
    plan_three(f);
    assert_true(apply(f, failed));
    assert_string_equal(
        seen(f, "SELECT state || ':' || why FROM object WHERE id = 1"), "failed:AccessDenied");
    assert_string_equal(
        seen(f, "SELECT event || ':' || detail FROM event"), "failed:AccessDenied");
    assert_int_equal(queue_take(f->queue, 0, t, 3, &f->err), 2);
    assert_int_equal(t[0].id, 2);
    task_clear(&t[0]);
    task_clear(&t[1]);
}

static void an_event_that_does_not_fit_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct change misfit = event(1, EVENT_ALL_MOVED), nobody = event(99, EVENT_FINISHED);
    bool stale;
    plan_three(f);
    ok(f, queue_begin(f->queue, true, &f->err));
    refused(f, queue_change(f->queue, &misfit, &stale, &f->err), "does not fit");
    queue_rollback(f->queue);
    ok(f, queue_begin(f->queue, true, &f->err));
    refused(f, queue_change(f->queue, &nobody, &stale, &f->err), "no object 99");
    queue_rollback(f->queue);
    assert_string_equal(
        seen(f, "SELECT group_concat(state) FROM object"), "planned,planned,planned");
    struct change done = event(1, EVENT_FINISHED);
    assert_true(apply(f, done));
    ok(f, queue_begin(f->queue, true, &f->err));
    refused(f, queue_change(f->queue, &done, &stale, &f->err), "which is 'done'");
    queue_rollback(f->queue);
}

static void a_rollback_without_a_transaction_is_harmless(void **state)
{
    struct fixture *f = *state;
    queue_rollback(f->queue);
    plan_three(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_and_its_position_are_committed_together),
        TEST(a_finished_listing_keeps_its_position),
        TEST(what_the_schema_forbids_is_an_error),
        TEST(tasks_come_in_order_and_only_what_is_due),
        TEST(a_task_taken_before_a_crash_is_due_again),
        TEST(an_object_in_motion_comes_back_with_all_that_resuming_needs),
        TEST(a_download_s_parts_have_no_etag_and_become_synced),
        TEST(a_part_is_overwritten_by_its_later_result),
        TEST(ten_thousand_parts_come_back_by_number),
        TEST(stale_generations_change_nothing),
        TEST(a_finished_object_keeps_its_facts_and_loses_its_motion),
        TEST(a_completion_that_lacks_parts_moves_again),
        TEST(a_failed_object_says_why_and_is_not_due),
        TEST(an_event_that_does_not_fit_is_an_error),
        TEST(a_rollback_without_a_transaction_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
