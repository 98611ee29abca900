/* What all tests of the queue share: see queue_fixture.h. */
#include "queue_fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "temp.h"

const struct run a_run = { .id = (char *) RUN_ID,
    .name = (char *) "nightly",
    .manifest = (char *) "{\"version\":1}",
    .manifest_file = (char *) "/etc/haul/nightly.yaml",
    .created_at = (char *) "2026-01-31T23:59:59Z" };

void ok(struct fixture *f, int rc)
{
    if (rc < 0)
        fail_msg("%s", f->err.text);
}

void refused(struct fixture *f, int rc, const char *word)
{
    assert_int_equal(rc, -1);
    assert_int_equal(f->err.exit, EXIT_QUEUE);
    if (strstr(f->err.text, word) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", f->err.text, word);
}

int make_queue(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = temp_make();
    snprintf(f->path, sizeof f->path, "%s/deep/er/" RUN_ID ".db", f->folder);
    ok(f, queue_create(&f->queue, f->path, &a_run, 2, &f->err));
    *state = f;
    return 0;
}

int remove_queue(void **state)
{
    struct fixture *f = *state;
    assert_counted(f);
    queue_close(f->queue);
    temp_remove(f->folder);
    free(f);
    return 0;
}

void reopen(struct fixture *f)
{
    queue_close(f->queue);
    f->queue = NULL;
    ok(f, queue_open(&f->queue, f->path, &f->err));
}

const char *seen(struct fixture *f, const char *sql)
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

void tamper(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

void assert_counted(struct fixture *f)
{
    static const char rows[] =
        "SELECT transfer_id, state, count(*), CAST(total(size) AS INTEGER)"
        " FROM object GROUP BY 1, 2",
                      tally[] = "SELECT * FROM tally WHERE objects <> 0 OR bytes <> 0";
    char sql[512];
    const char *sides[] = { rows, tally, rows };
    for (int i = 0; i < 2; i++) {
        snprintf(sql, sizeof sql, "SELECT transfer_id || ' ' || state FROM (%s EXCEPT %s)",
            sides[i], sides[i + 1]);
        assert_string_equal(seen(f, sql), "no row");
    }
}

void plan(struct fixture *f, unsigned transfer, const struct planned *rows, size_t count)
{
    ok(f, queue_begin(f->queue, true, &f->err));
    ok(f, queue_plan(f->queue, transfer, rows, count, false, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
}

void plan_three(struct fixture *f)
{
    plan(f, 1,
        (struct planned[]){ PLANNED("a", 10), PLANNED("b", 25 * 1024 * 1024), PLANNED("c", 0) },
        3);
}

struct change began(int64_t object)
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

struct change event(int64_t object, enum object_event what)
{
    struct change c = began(object);
    c.event = what;
    return c;
}

bool apply(struct fixture *f, struct change c)
{
    bool stale = false;
    ok(f, queue_begin(f->queue, true, &f->err));
    ok(f, queue_change(f->queue, &c, &stale, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
    return !stale;
}

void record(
    struct fixture *f, int64_t object, unsigned generation, unsigned number, const char *etag)
{
    struct part_record part = { number, PART_SENT, 0xfedcba98u, (char *) etag };
    ok(f, queue_begin(f->queue, false, &f->err));
    ok(f, queue_part(f->queue, object, generation, &part, &f->err));
    ok(f, queue_commit(f->queue, &f->err));
}

void move_b(struct fixture *f)
{
    struct change created = event(2, EVENT_CREATED);
    created.upload_id = "up-1";
    plan_three(f);
    assert_true(apply(f, began(2)));
    assert_true(apply(f, created));
    record(f, 2, 1, 3, "\"e3\"");
    record(f, 2, 1, 1, "\"e1\"");
}
