/* The queue's file: who may hold it, what is refused, and that every verb leaves the rows that
 * it promises. Where no verb tells, the rows are read as anybody can read them: with SQLite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue.h"
#include "temp.h"
#include "yamltree.h"

#define RUN_ID "20260131T235959Z-1f2e"

/* A folder with one run of two transfers, held open. */
struct fixture {
    char *folder;
    char path[256];
    struct queue *queue;
    struct error err;
};

static const struct run a_run = { .id = (char *) RUN_ID,
    .name = (char *) "nightly",
    .manifest = (char *) "{\"version\":1}",
    .manifest_file = (char *) "/etc/haul/nightly.yaml",
    .created_at = (char *) "2026-01-31T23:59:59Z" };

static void ok(struct fixture *f, int rc)
{
    if (rc < 0)
        fail_msg("%s", f->err.text);
}

static void refused(struct fixture *f, int rc, const char *word)
{
    assert_int_equal(rc, -1);
    assert_int_equal(f->err.exit, EXIT_QUEUE);
    if (strstr(f->err.text, word) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", f->err.text, word);
}

static int make_queue(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = temp_make();
    snprintf(f->path, sizeof f->path, "%s/deep/er/" RUN_ID ".db", f->folder);
    ok(f, queue_create(&f->queue, f->path, &a_run, 2, &f->err));
    *state = f;
    return 0;
}

static int remove_queue(void **state)
{
    struct fixture *f = *state;
    queue_close(f->queue);
    temp_remove(f->folder);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    queue_close(f->queue);
    f->queue = NULL;
    ok(f, queue_open(&f->queue, f->path, &f->err));
}

/* The first column of the first row, as text: what somebody with sqlite3 would see. */
static const char *seen(struct fixture *f, const char *sql)
{
    static char text[512];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    const char *value =
        sqlite3_step(s) == SQLITE_ROW ? (const char *) sqlite3_column_text(s, 0) : "no row";
    snprintf(text, sizeof text, "%s", value ? value : "NULL");
    sqlite3_finalize(s);
    sqlite3_close(db);
    return text;
}

static void tamper(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

#define PLANNED(name_, size_)                                                                  \
    {                                                                                          \
        .name = (char *) name_, .size = size_, .modified_ms = 5, .state = OBJECT_PLANNED       \
    }

static void plan(struct fixture *f, unsigned transfer, const struct planned *rows, size_t count)
{
    ok(f, queue_begin(f->queue, true, &f->err));
    ok(f, queue_plan(f->queue, transfer, rows, count, false, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
}

/* Objects 1, 2 and 3: a of 10 bytes, b of 25 MiB, c of nothing. */
static void plan_three(struct fixture *f)
{
    plan(f, 1,
        (struct planned[]){ PLANNED("a", 10), PLANNED("b", 25 * 1024 * 1024), PLANNED("c", 0) },
        3);
}

/* An object that began to be uploaded in parts of 8 MiB. */
static struct change began(int64_t object)
{
    return (struct change){ .object = object,
        .generation = 1,
        .kind = TRANSFER_UPLOAD,
        .event = EVENT_BEGAN,
        .size = 25 * 1024 * 1024,
        .modified_ms = 77,
        .part_bytes = 8 * 1024 * 1024,
        .began_ms = 1234,
        .source = "1:2:3",
        .token = "tok" };
}

static struct change event(int64_t object, enum object_event what)
{
    struct change c = began(object);
    c.event = what;
    return c;
}

static bool apply(struct fixture *f, struct change c)
{
    bool stale = false;
    ok(f, queue_begin(f->queue, true, &f->err));
    ok(f, queue_change(f->queue, &c, &stale, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
    return !stale;
}

static void record(
    struct fixture *f, int64_t object, unsigned generation, unsigned number, const char *etag)
{
    struct part_record part = { number, PART_SENT, 0xfedcba98u, (char *) etag };
    ok(f, queue_begin(f->queue, false, &f->err));
    ok(f, queue_part(f->queue, object, generation, &part, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
}

/* b is moving, and parts 1 and 3 are recorded. */
static void move_b(struct fixture *f)
{
    struct change created = event(2, EVENT_CREATED);
    created.upload_id = "up-1";
    plan_three(f);
    assert_true(apply(f, began(2)));
    assert_true(apply(f, created));
    record(f, 2, 1, 3, "\"e3\"");
    record(f, 2, 1, 1, "\"e1\"");
}

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
    assert_string_equal(seen(f, "PRAGMA user_version"), "1");
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
    assert_untouched(f, f->path, "newer haul (schema 99, this one knows 1)", "newer haul");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_queue, remove_queue)

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
        TEST(a_pause_stands_until_it_is_lifted_or_the_run_finishes),
        TEST(an_event_of_no_object_is_one_of_the_run),
        TEST(the_tally_is_what_the_rows_say),
        TEST(sums_beyond_the_largest_number_are_no_error),
        TEST(failures_are_listed_in_order),
        TEST(the_json_is_one_line_that_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
