/* The queue's numbers: whatever happens to the rows, the tally says the same. */
#include "queue_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void the_tally_is_what_the_rows_say(void **state)
{
    struct fixture *f = *state;
    struct tally t;
    ok(f, queue_tally(f->queue, &t, &f->err));
    assert_int_equal(t.objects + t.bytes + t.due + t.moved_bytes, 0);
    assert_false(t.planned);

    move_b(f);
    record(f, 2, 1, 4, "\"short\""); /* the last part: 1 MiB */
    struct change done = event(1, EVENT_FINISHED);
    done.size = 10;
    assert_true(apply(f, done));
    plan(f, 2,
        (struct planned[]){
            { .name = (char *) "s", .size = 100, .state = OBJECT_SKIPPED, .why = "same" },
            { .name = (char *) "f", .size = 7, .state = OBJECT_FAILED, .why = "odd" } },
        2);
    ok(f, queue_tally(f->queue, &t, &f->err));
    assert_false(t.planned);
    assert_int_equal(t.objects, 5);
    assert_int_equal(t.bytes, 10 + 25 * 1024 * 1024 + 7);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.done_bytes, 10);
    assert_int_equal(t.failed, 1);
    assert_int_equal(t.skipped, 1);
    assert_int_equal(t.due, 2);
    assert_int_equal(t.moved_bytes, 10 + 17 * 1024 * 1024);

    for (unsigned i = 1; i <= 2; i++)
        ok(f, queue_plan(f->queue, i, NULL, 0, true, &f->err));
    ok(f, queue_tally(f->queue, &t, &f->err));
    assert_true(t.planned);
}

static void sums_beyond_the_largest_number_are_no_error(void **state)
{
    struct fixture *f = *state;
    struct tally t;
    plan(f, 1, (struct planned[]){ PLANNED("a", INT64_MAX), PLANNED("b", INT64_MAX) }, 2);
    ok(f, queue_tally(f->queue, &t, &f->err));
    assert_true(t.bytes >= INT64_MAX);
}

/* More than goes into one statement, of two transfers in one transaction. */
static void every_row_of_a_large_batch_is_there_and_counted(void **state)
{
    struct fixture *f = *state;
    struct planned rows[107];
    char names[107][8];
    for (int i = 0; i < 107; i++) {
        snprintf(names[i], sizeof names[i], "n%03d", i);
        rows[i] = (struct planned) PLANNED(names[i], (uint64_t) i);
    }
    ok(f, queue_begin(f->queue, false, &f->err));
    for (unsigned t = 1; t <= 2; t++)
        ok(f, queue_plan(f->queue, t, rows, 107, true, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
    assert_string_equal(seen(f, "SELECT count(*) || ' ' || sum(size) || ' ' || sum(id = 107 *"
                                " (transfer_id - 1) + 1 + substr(name, 2)) FROM object"),
        "214 11342 214");
    assert_string_equal(seen(f, "SELECT group_concat(objects || ' ' || bytes) FROM tally"),
        "107 5671,107 5671");
}

static void what_is_rolled_back_or_stale_is_not_counted(void **state)
{
    struct fixture *f = *state;
    struct change finished = event(1, EVENT_FINISHED), late = event(2, EVENT_FINISHED);
    bool stale;
    plan_three(f);
    ok(f, queue_begin(f->queue, true, &f->err));
    ok(f, queue_change(f->queue, &finished, &stale, &f->err));
    ok(f, queue_plan(f->queue, 2, &(struct planned) PLANNED("z", 1), 1, false, &f->err));
    queue_rollback(f->queue);
    late.generation = 2;
    assert_false(apply(f, late));
    assert_string_equal(
        seen(f, "SELECT group_concat(state || objects || ' ' || bytes) FROM tally"),
        "planned3 26214410");
}

static void edits_with_sqlite3_are_counted(void **state)
{
    struct fixture *f = *state;
    struct tally t;
    plan_three(f);
    tamper(f->path,
        "UPDATE object SET state = 'failed', why = 'odd' WHERE name <> 'c';"
        "UPDATE object SET size = 7 WHERE name = 'a';"
        "INSERT INTO object (transfer_id, name, size, state) VALUES (2, 'z', 3, 'planned');"
        "UPDATE object SET transfer_id = 2 WHERE name = 'b';"
        "DELETE FROM object WHERE name = 'c'");
    assert_counted(f);
    ok(f, queue_tally(f->queue, &t, &f->err));
    assert_int_equal(t.failed, 2);
    assert_int_equal(t.due, 1);
    assert_int_equal(t.bytes, 7 + 25 * 1024 * 1024 + 3);
}

static void a_tally_that_is_wrong_is_counted_anew(void **state)
{
    struct fixture *f = *state;
    plan_three(f);
    tamper(f->path, "UPDATE tally SET objects = 2");
    reopen(f);
    assert_counted(f);
    assert_string_equal(seen(f, "SELECT event FROM event"), "recounted");
    reopen(f);
    assert_string_equal(seen(f, "SELECT count(*) FROM event"), "1");
}

/* Also where nobody compares it with all the rows. */
static void no_tally_says_that_all_is_done_when_something_is_due_or_the_other_way_round(
    void **state)
{
    struct fixture *f = *state;
    struct tally t;
    plan_three(f);
    tamper(f->path, "DELETE FROM tally");
    ok(f, queue_tally(f->queue, &t, &f->err));
    assert_int_equal(t.due, 3);
    for (int64_t id = 1; id <= 3; id++)
        assert_true(apply(f, event(id, EVENT_FINISHED)));
    tamper(f->path, "UPDATE tally SET objects = objects + 1 WHERE state = 'planned'");
    ok(f, queue_tally(f->queue, &t, &f->err));
    assert_int_equal(t.due, 0);
    assert_int_equal(t.done, 3);
}

static void a_queue_without_a_tally_is_read_as_it_is_and_gets_one_from_its_owner(void **state)
{
    struct fixture *f = *state;
    struct queue *reader = NULL;
    struct tally t;
    move_b(f);
    queue_close(f->queue);
    f->queue = NULL;
    tamper(f->path, "DROP TABLE tally; DROP TRIGGER object_added; DROP TRIGGER object_removed;"
                    "DROP TRIGGER object_changed; PRAGMA user_version = 1");
    ok(f, queue_open_reader(&reader, f->path, &f->err));
    ok(f, queue_tally(reader, &t, &f->err));
    assert_int_equal(t.due, 3);
    assert_int_equal(t.moved_bytes, 16 * 1024 * 1024);
    queue_close(reader);
    assert_string_equal(seen(f, "PRAGMA user_version"), "1");
    reopen(f);
    assert_string_equal(seen(f, "PRAGMA user_version"), "2");
    assert_string_equal(seen(f, "SELECT count(*) FROM event"), "0");
    assert_true(apply(f, event(1, EVENT_FINISHED)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_tally_is_what_the_rows_say),
        TEST(sums_beyond_the_largest_number_are_no_error),
        TEST(every_row_of_a_large_batch_is_there_and_counted),
        TEST(what_is_rolled_back_or_stale_is_not_counted),
        TEST(edits_with_sqlite3_are_counted),
        TEST(a_tally_that_is_wrong_is_counted_anew),
        TEST(no_tally_says_that_all_is_done_when_something_is_due_or_the_other_way_round),
        TEST(a_queue_without_a_tally_is_read_as_it_is_and_gets_one_from_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
