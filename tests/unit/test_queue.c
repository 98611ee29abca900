/* The queue's file: who may hold it, what is refused, and what it says of the run as a whole.
 */
#include "queue_fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "temp.h"
#include "yamltree.h"

/* ---- Making, opening, holding ---- */

static void a_created_run_tells_what_it_was_given(void **state)
{
    struct fixture *f = *state;
    struct run run;
    struct stat st;
    ok(f, queue_run(f->queue, &run, &f->err));
    assert_string_equal(run.id, RUN_ID);
    assert_string_equal(run.name, "nightly");
    assert_string_equal(run.manifest, "{\"version\":1}");
    assert_string_equal(run.manifest_file, "/etc/haul/nightly.yaml");
    assert_string_equal(run.created_at, "2026-01-31T23:59:59Z");
    assert_null(run.finished_at);
    assert_null(run.paused);
    run_clear(&run);
    run_clear(&run);
    assert_string_equal(seen(f, "PRAGMA application_id"), "1751217516");
    assert_string_equal(seen(f, "PRAGMA user_version"), "2");
    assert_string_equal(seen(f, "SELECT count(*) FROM transfer WHERE NOT planned"), "2");
    char *folder = strdup(f->path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    free(folder);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void an_existing_file_is_not_created_again(void **state)
{
    struct fixture *f = *state;
    struct queue *second = NULL;
    reopen(f);
    queue_close(f->queue);
    f->queue = NULL;
    refused(f, queue_create(&second, f->path, &a_run, 2, &f->err), "exists already");
    assert_null(second);
    ok(f, queue_open(&f->queue, f->path, &f->err));
}

/* Case 66. */
static void a_second_owner_is_told_who_holds_the_queue(void **state)
{
    struct fixture *f = *state;
    char word[64];
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct queue *second;
        struct error err = { 0 };
        snprintf(word, sizeof word, "held by process %d:", (int) getppid());
        _exit(queue_open(&second, f->path, &err) == -1 && err.exit == EXIT_QUEUE &&
                      strstr(err.text, word) && queue_holder(f->path) == (int) getppid()
                  ? 0
                  : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    struct queue *second = NULL;
    snprintf(word, sizeof word, "held by process %d:", (int) getpid());
    refused(f, queue_open(&second, f->path, &f->err), word);
    refused(f, queue_create(&second, f->path, &a_run, 1, &f->err), word);
}

static void the_holder_is_known_only_while_it_holds(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(queue_holder(f->path), getpid());
    queue_close(f->queue);
    f->queue = NULL;
    assert_int_equal(queue_holder(f->path), 0);
    assert_int_equal(queue_holder("/nowhere/at/all.db"), 0);
    ok(f, queue_open(&f->queue, f->path, &f->err));
    assert_int_equal(queue_holder(f->path), getpid());
}

static void a_reader_looks_on_beside_the_owner_and_never_writes(void **state)
{
    struct fixture *f = *state;
    struct queue *reader;
    struct tally t;
    ok(f, queue_open_reader(&reader, f->path, &f->err));
    plan_three(f);
    ok(f, queue_tally(reader, &t, &f->err));
    assert_int_equal(t.objects, 3);
    refused(f, queue_pause(reader, "why", &f->err), "readonly");
    queue_close(reader);
    plan(f, 2, (struct planned[]){ PLANNED("z", 1) }, 1);
    assert_int_equal(queue_holder(f->path), getpid());
}

static void a_reader_needs_no_owner(void **state)
{
    struct fixture *f = *state;
    struct run run;
    queue_close(f->queue);
    f->queue = NULL;
    ok(f, queue_open_reader(&f->queue, f->path, &f->err));
    ok(f, queue_run(f->queue, &run, &f->err));
    run_clear(&run);
    assert_int_equal(queue_holder(f->path), 0);
}

/* ---- Refusals ---- */

struct image {
    char *data;
    size_t len;
};

static struct image read_file(const char *path)
{
    struct image i = { NULL, 0 };
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    fseek(in, 0, SEEK_END);
    i.len = (size_t) ftell(in);
    rewind(in);
    i.data = malloc(i.len + 1);
    assert_int_equal(fread(i.data, 1, i.len, in), i.len);
    fclose(in);
    return i;
}

/* Refused by owner and reader alike (a NULL word: the reader may find no fault), and as it was.
 */
static void assert_untouched(
    struct fixture *f, const char *path, const char *word, const char *reader_word)
{
    struct image before = read_file(path), after;
    struct queue *q = NULL;
    refused(f, queue_open(&q, path, &f->err), word);
    assert_null(q);
    if (reader_word != NULL)
        refused(f, queue_open_reader(&q, path, &f->err), reader_word);
    after = read_file(path);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(after.data, before.data, before.len);
    assert_int_equal(queue_holder(path), 0);
    free(before.data);
    free(after.data);
}

static void a_file_that_is_not_there_is_no_queue(void **state)
{
    struct fixture *f = *state;
    struct queue *q;
    char path[300];
    snprintf(path, sizeof path, "%s/none.db", f->folder);
    refused(f, queue_open(&q, path, &f->err), "haul jobs");
    refused(f, queue_open_reader(&q, path, &f->err), "unable to open");
    assert_int_not_equal(access(path, F_OK), 0);
}

/* Case 68. */
static void a_foreign_file_is_refused_and_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    char text[2000];
    memset(text, 'x', sizeof text);
    char *path = temp_write(f->folder, "letter.db", text, sizeof text);
    assert_untouched(f, path, "no haul queue", "no haul queue");
    free(path);
    path = temp_write(f->folder, "empty.db", "", 0);
    assert_untouched(f, path, "no haul queue", "no haul queue");
    free(path);
    path = temp_write(f->folder, "other.db", "", 0);
    tamper(path, "CREATE TABLE run (id); INSERT INTO run VALUES (1)");
    assert_untouched(f, path, "no haul queue", "no haul queue");
    free(path);
}

/* Case 68. */
static void a_newer_queue_is_refused_and_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    queue_close(f->queue);
    f->queue = NULL;
    tamper(f->path, "PRAGMA user_version = 99");
    assert_untouched(f, f->path, "newer haul (schema 99, this one knows 2)", "newer haul");
}

/* As a crash leaves it: what was committed last stands in the -wal file, which closing merges.
 */
static void a_newer_queue_with_an_unmerged_log_is_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = NULL;
    char copy[300], command[1400];
    queue_close(f->queue);
    f->queue = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    snprintf(copy, sizeof copy, "%s/copy.db", f->folder);
    snprintf(command, sizeof command, "cp '%s' '%s' && cp '%s-wal' '%s-wal'", f->path, copy,
        f->path, copy);
    assert_int_equal(system(command), 0);
    sqlite3_close(db);
    assert_untouched(f, copy, "newer haul", "newer haul");
}

/* Case 68. */
static void a_damaged_queue_is_refused_and_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++)
        plan_three(f);
    queue_close(f->queue);
    f->queue = NULL;
    struct image i = read_file(f->path);
    char *half = temp_write(f->folder, "half.db", i.data, i.len / 2);
    assert_untouched(f, half, "damaged", NULL);
    memset(i.data + 4096, 0xee, i.len - 4096);
    char *scribbled = temp_write(f->folder, "scribbled.db", i.data, i.len);
    assert_untouched(f, scribbled, "damaged", NULL);
    free(i.data);
    free(half);
    free(scribbled);
}

/* Case 68. Whoever resumes rests on these. */
static void rows_that_no_haul_has_written_are_damage_and_stay_as_they_are(void **state)
{
    static const char *const statements[] = {
        "DELETE FROM motion",
        "UPDATE motion SET generation = 2",
        "UPDATE object SET generation = 2147483647; UPDATE motion SET generation = 2147483647",
        "UPDATE motion SET part_bytes = 1",
        "UPDATE motion SET part_bytes = 25 * 1024 * 1024",
        "UPDATE object SET size = 9223372036854775807 WHERE id = 2",
        "UPDATE object SET size = 8 * 1024 * 1024 WHERE id = 2",
        "UPDATE object SET state = 'planned' WHERE id = 2",
        "UPDATE object SET state = 'publishing' WHERE id = 2",
        "UPDATE object SET id = -1 WHERE id = 1",
        "UPDATE object SET transfer_id = 3 WHERE id = 1",
        "DELETE FROM transfer",
        "DELETE FROM run",
        "DROP TABLE part",
    };
    struct fixture *f = *state;
    move_b(f);
    queue_close(f->queue);
    f->queue = NULL;
    tamper(f->path, "PRAGMA journal_mode = DELETE"); /* as queue_seal() leaves it */
    struct image i = read_file(f->path);
    for (size_t n = 0; n < sizeof statements / sizeof *statements; n++) {
        char *copy = temp_write(f->folder, "copy.db", i.data, i.len);
        tamper(copy, statements[n]);
        assert_untouched(
            f, copy, strstr(statements[n], "DROP") ? "no such table" : "damaged", NULL);
        free(copy);
    }
    free(i.data);
}

/* A stranger's queue is read; it does nothing of its own. */
static void a_trigger_in_a_queue_is_not_pulled(void **state)
{
    struct fixture *f = *state;
    plan_three(f);
    queue_close(f->queue);
    f->queue = NULL;
    tamper(f->path, "CREATE TRIGGER trap AFTER UPDATE ON run BEGIN DELETE FROM object; END");
    ok(f, queue_open(&f->queue, f->path, &f->err));
    ok(f, queue_pause(f->queue, "why", &f->err));
    assert_string_equal(seen(f, "SELECT paused FROM run"), "why");
    assert_string_equal(seen(f, "SELECT count(*) FROM object"), "3");
}

/* ---- The run as a whole ---- */

static void a_pause_stands_until_it_is_lifted_or_the_run_finishes(void **state)
{
    struct fixture *f = *state;
    struct run run;
    for (int i = 0; i < 2; i++) {
        ok(f, queue_pause(f->queue, "no keys", &f->err));
        ok(f, queue_run(f->queue, &run, &f->err));
        assert_string_equal(run.paused, "no keys");
        assert_null(run.finished_at);
        run_clear(&run);
        ok(f, i == 0 ? queue_pause(f->queue, NULL, &f->err) : queue_finish(f->queue, &f->err));
        ok(f, queue_run(f->queue, &run, &f->err));
        assert_null(run.paused);
        assert_int_equal(run.finished_at != NULL, i);
        run_clear(&run);
    }
}

static void an_event_of_no_object_is_one_of_the_run(void **state)
{
    struct fixture *f = *state;
    ok(f, queue_event(f->queue, "started", 0, NULL, &f->err));
    assert_string_equal(
        seen(f, "SELECT event || (object_id IS NULL) || (detail IS NULL) FROM event"),
        "started11");
    assert_string_equal(
        seen(f, "SELECT at GLOB '20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*Z' FROM event"), "1");
}

static void add_failure(void *payload, unsigned transfer, const char *name, const char *why)
{
    char *text = payload;
    sprintf(text + strlen(text), "%u %s: %s\n", transfer, name, why);
}

static void failures_are_listed_in_order(void **state)
{
    struct fixture *f = *state;
    char text[200] = "";
    struct change failed = event(3, EVENT_FAILED);
    failed.why = "gone";
    plan_three(f);
    assert_true(apply(f, failed));
    failed.object = 1;
    assert_true(apply(f, failed));
    ok(f, queue_failed(f->queue, add_failure, text, &f->err));
    assert_string_equal(text, "1 a: gone\n1 c: gone\n");
}

static const char *field(const struct yamltree *tree, const char *key)
{
    const struct yamltree *value = yamltree_get(tree, key);
    if (value == NULL)
        fail_msg("no field %s", key);
    return value->text;
}

static void the_json_is_one_line_that_parses(void **state)
{
    struct fixture *f = *state;
    struct yamltree_fault fault;
    char *text;
    plan_three(f);
    ok(f, queue_pause(f->queue, "a \"quoted\" \\ why\nof two lines", &f->err));
    ok(f, queue_json(f->queue, "running", 42, &text, &f->err));
    assert_null(strchr(text, '\n'));
    struct yamltree *tree = yamltree_parse(text, strlen(text), &fault);
    if (tree == NULL)
        fail_msg("%d: %s in %s", fault.column, fault.text, text);
    assert_string_equal(field(tree, "id"), RUN_ID);
    assert_string_equal(field(tree, "state"), "running");
    assert_string_equal(field(tree, "pid"), "42");
    assert_string_equal(field(tree, "objects"), "3");
    assert_string_equal(field(tree, "bytes"), "26214410");
    assert_string_equal(field(tree, "due"), "3");
    assert_string_equal(field(tree, "planned"), "false");
    assert_string_equal(field(tree, "paused"), "a \"quoted\" \\ why\nof two lines");
    assert_true(yamltree_is_null(yamltree_get(tree, "finished_at")));
    yamltree_free(tree);
    free(text);

    ok(f, queue_finish(f->queue, &f->err));
    ok(f, queue_json(f->queue, "finished", 0, &text, &f->err));
    tree = yamltree_parse(text, strlen(text), &fault);
    assert_non_null(tree);
    assert_true(yamltree_is_null(yamltree_get(tree, "paused")));
    assert_true(yamltree_is_null(yamltree_get(tree, "pid")));
    assert_int_equal(strlen(field(tree, "finished_at")), strlen("2026-01-31T23:59:59Z"));
    yamltree_free(tree);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_created_run_tells_what_it_was_given),
        TEST(an_existing_file_is_not_created_again),
        TEST(a_second_owner_is_told_who_holds_the_queue),
        TEST(the_holder_is_known_only_while_it_holds),
        TEST(a_reader_looks_on_beside_the_owner_and_never_writes),
        TEST(a_reader_needs_no_owner),
        TEST(a_file_that_is_not_there_is_no_queue),
        TEST(a_foreign_file_is_refused_and_left_as_it_is),
        TEST(a_newer_queue_is_refused_and_left_as_it_is),
        TEST(a_newer_queue_with_an_unmerged_log_is_left_as_it_is),
        TEST(a_damaged_queue_is_refused_and_left_as_it_is),
        TEST(rows_that_no_haul_has_written_are_damage_and_stay_as_they_are),
        TEST(a_trigger_in_a_queue_is_not_pulled),
        TEST(a_pause_stands_until_it_is_lifted_or_the_run_finishes),
        TEST(an_event_of_no_object_is_one_of_the_run),
        TEST(failures_are_listed_in_order),
        TEST(the_json_is_one_line_that_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
