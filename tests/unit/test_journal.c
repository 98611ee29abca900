/* The journal over a real queue: entries are committed in order, each is called back once, and
 * nothing is written after a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "journal.h"
#include "temp.h"

#define OBJECTS 1200 /* more than two offers */

/* What the journal has said; written on its thread. */
struct fixture {
    char *folder, *path; /* owned */
    struct queue *queue;
    struct journal *journal;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned order[4096], count; /* which entries ended, one after the other */
    unsigned bad;                /* how many of them failed */
    unsigned failures;           /* calls of `failed` */
    struct error why;
    unsigned offers, offered; /* calls of `offer`, and their tasks */
    int64_t last_id;
    int last_count;
};

struct note {
    struct entry entry;
    struct fixture *f;
    unsigned number;
};

static void on_committed(struct entry *e, bool failed)
{
    struct note *n = e->payload;
    struct fixture *f = n->f;
    pthread_mutex_lock(&f->lock);
    f->order[f->count++] = n->number;
    f->bad += failed;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void on_offer(void *payload, struct task *tasks, int count)
{
    struct fixture *f = payload;
    pthread_mutex_lock(&f->lock);
    for (int i = 0; i < count; i++) {
        if (tasks[i].id <= f->last_id)
            f->last_id = INT64_MAX; /* out of order: the test sees it */
        else
            f->last_id = tasks[i].id;
        task_clear(&tasks[i]);
    }
    f->offers++;
    f->offered += (unsigned) count;
    f->last_count = count;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void on_failed(void *payload, const struct error *err)
{
    struct fixture *f = payload;
    pthread_mutex_lock(&f->lock);
    f->failures++;
    f->why = *err;
    pthread_mutex_unlock(&f->lock);
}

static void ok(int rc, const struct error *err)
{
    if (rc < 0)
        fail_msg("%s", err->text);
}

static int make(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err;
    struct run run = { .id = (char *) "20260131T235959Z-1f2e",
        .name = (char *) "j",
        .manifest = (char *) "{}",
        .manifest_file = (char *) "j.yaml",
        .created_at = (char *) "2026-01-31T23:59:59Z" };
    f->folder = temp_make();
    assert_true(asprintf(&f->path, "%s/run.db", f->folder) > 0);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    ok(queue_create(&f->queue, f->path, &run, 1, &err), &err);
    f->journal = journal_start(
        &(struct journal_options){
            .queue = f->queue, .offer = on_offer, .failed = on_failed, .payload = f },
        &err);
    assert_non_null(f->journal);
    *state = f;
    return 0;
}

static void stop(struct fixture *f)
{
    journal_stop(f->journal);
    f->journal = NULL;
}

static int clear(void **state)
{
    struct fixture *f = *state;
    stop(f);
    queue_close(f->queue);
    temp_remove(f->folder);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
    free(f->path);
    free(f);
    return 0;
}

/* Until so many entries have ended, or so many offers came. */
static void wait_for(struct fixture *f, const unsigned *what, unsigned count)
{
    pthread_mutex_lock(&f->lock);
    while (*what < count)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static void post(struct fixture *f, struct note *n, unsigned number)
{
    n->f = f;
    n->number = number;
    n->entry.payload = n;
    n->entry.committed = on_committed;
    journal_post(f->journal, &n->entry);
}

static const struct planned one_row = {
    .name = (char *) "k", .size = 30, .modified_ms = 1, .state = OBJECT_PLANNED
};

static struct note plan_of(const struct planned *rows, size_t count)
{
    return (struct note){ .entry = { .kind = ENTRY_PLAN,
                              .plan = { .transfer = 1, .rows = rows, .count = count } } };
}

static struct note change_of(int64_t object, enum object_event event)
{
    return (struct note){ .entry = { .kind = ENTRY_CHANGE,
                              .urgent = true,
                              .change = { .object = object,
                                  .generation = 1,
                                  .kind = TRANSFER_UPLOAD,
                                  .event = event,
                                  .size = 30,
                                  .part_bytes = 10,
                                  .source = "s",
                                  .upload_id = "u",
                                  .why = "so" } } };
}

/* Plans the objects and waits for it. */
static void plan_many(struct fixture *f, unsigned count)
{
    struct planned *rows = calloc(count, sizeof *rows);
    for (unsigned i = 0; i < count; i++)
        rows[i] = one_row;
    struct note n = plan_of(rows, count);
    unsigned before = f->count;
    n.entry.urgent = true;
    post(f, &n, 0);
    wait_for(f, &f->count, before + 1);
    free(rows);
}

static struct tally tally(struct fixture *f)
{
    struct queue *reader;
    struct error err;
    struct tally t;
    ok(queue_open_reader(&reader, f->path, &err), &err);
    ok(queue_tally(reader, &t, &err), &err);
    queue_close(reader);
    return t;
}

static void entries_end_in_order_and_once_each(void **state)
{
    struct fixture *f = *state;
    static const enum object_event life[] = { EVENT_BEGAN, EVENT_CREATED, EVENT_ALL_MOVED,
        EVENT_FINISHED };
    struct note plan = plan_of(&one_row, 1), notes[4];
    post(f, &plan, 100);
    for (unsigned i = 0; i < 4; i++) {
        notes[i] = change_of(1, life[i]);
        notes[i].entry.urgent = i == 3;
        post(f, &notes[i], 101 + i);
    }
    wait_for(f, &f->count, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(f->order[i], 100 + i);
    assert_int_equal(f->bad, 0);
    assert_int_equal(tally(f).done, 1);
}

static void what_nobody_waits_for_is_committed_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct note n = plan_of(&one_row, 1);
    post(f, &n, 1);
    wait_for(f, &f->count, 1);
    assert_int_equal(tally(f).objects, 1);
}

static void stopping_commits_the_rest(void **state)
{
    struct fixture *f = *state;
    struct note *notes = calloc(3000, sizeof *notes);
    for (unsigned i = 0; i < 3000; i++) {
        notes[i] = plan_of(&one_row, 1);
        post(f, &notes[i], i);
    }
    stop(f);
    assert_int_equal(f->count, 3000);
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(f->order[i], i);
    assert_int_equal(tally(f).objects, 3000);
    free(notes);
    journal_stop(NULL);
}

static void parts_come_back_when_all_have_moved(void **state)
{
    struct fixture *f = *state;
    struct part_record records[] = { { 2, PART_SENT, 22, (char *) "\"e2\"" },
        { 1, PART_SENT, 11, (char *) "\"e1\"" } };
    struct note began = change_of(1, EVENT_BEGAN), created = change_of(1, EVENT_CREATED),
                moved = change_of(1, EVENT_ALL_MOVED), late;
    struct note parts = {
        .entry = { .kind = ENTRY_PARTS,
            .parts = { .object = 1, .generation = 1, .records = records, .count = 2 } }
    };
    late = parts;
    late.entry.parts.generation = 9;
    plan_many(f, 1);
    post(f, &began, 1);
    post(f, &created, 2);
    post(f, &parts, 3);
    post(f, &late, 4);
    post(f, &moved, 5);
    wait_for(f, &f->count, 6);
    assert_int_equal(f->bad, 0);
    assert_int_equal(moved.entry.record_count, 2);
    assert_int_equal(moved.entry.records[0].number, 1);
    assert_string_equal(moved.entry.records[0].etag, "\"e1\"");
    assert_int_equal(moved.entry.records[1].crc32c, 22);
    part_records_free(moved.entry.records, moved.entry.record_count);
    assert_null(began.entry.records);
}

static void offers_go_on_where_the_last_one_ended(void **state)
{
    struct fixture *f = *state;
    plan_many(f, OBJECTS);
    static const int expected[] = { JOURNAL_BATCH, JOURNAL_BATCH, OBJECTS - 2 * JOURNAL_BATCH,
        0 };
    for (unsigned i = 0; i < 4; i++) {
        journal_refill(f->journal);
        wait_for(f, &f->offers, i + 1);
        assert_int_equal(f->last_count, expected[i]);
    }
    assert_int_equal(f->offered, OBJECTS);
    assert_int_equal(f->last_id, OBJECTS);
    plan_many(f, 1);
    journal_refill(f->journal);
    wait_for(f, &f->offers, 5);
    assert_int_equal(f->last_count, 1);
    assert_int_equal(f->last_id, OBJECTS + 1);
}

static void an_offer_holds_what_was_posted_before_it(void **state)
{
    struct fixture *f = *state;
    struct note n = plan_of(&one_row, 1);
    post(f, &n, 1);
    journal_refill(f->journal);
    wait_for(f, &f->offers, 1);
    assert_int_equal(f->last_count, 1);
}

/* Case 67. */
static void after_a_failure_nothing_is_written_any_more(void **state)
{
    struct fixture *f = *state;
    struct note good = plan_of(&one_row, 1), bad = change_of(1, EVENT_CREATED),
                next = plan_of(&one_row, 1), last = change_of(1, EVENT_FINISHED);
    plan_many(f, 2);
    post(f, &good, 1); /* perhaps in one transaction with the next, perhaps before it */
    wait_for(f, &f->count, 2);
    post(f, &bad, 2);
    wait_for(f, &f->count, 3);
    assert_int_equal(f->bad, 1);
    post(f, &next, 3);
    post(f, &last, 4);
    wait_for(f, &f->count, 5);
    journal_refill(f->journal);
    wait_for(f, &f->offers, 1);
    stop(f);
    assert_int_equal(f->bad, 3);
    assert_int_equal(f->failures, 1);
    assert_non_null(strstr(f->why.text, "does not fit"));
    assert_int_equal(f->last_count, 0);
    struct tally t = tally(f);
    assert_int_equal(t.objects, 3);
    assert_int_equal(t.done, 0);
}

static void a_batch_is_written_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct note before = plan_of(&one_row, 1), bad = change_of(99, EVENT_FINISHED);
    pthread_mutex_lock(&f->lock); /* holds the journal in the callback of the first */
    struct note first = plan_of(&one_row, 1);
    first.entry.urgent = true;
    post(f, &first, 1);
    post(f, &before, 2);
    post(f, &bad, 3);
    pthread_mutex_unlock(&f->lock);
    wait_for(f, &f->count, 3);
    stop(f);
    assert_int_equal(f->failures, 1);
    assert_int_equal(tally(f).objects, 3 - f->bad); /* however they were batched */
}

static void a_queue_that_cannot_be_read_ends_the_offers(void **state)
{
    struct fixture *f = *state;
    struct note began = change_of(1, EVENT_BEGAN), drop = change_of(1, EVENT_CREATED);
    began.entry.change.kind = TRANSFER_DOWNLOAD;
    plan_many(f, 1);
    post(f, &began, 1);
    wait_for(f, &f->count, 2);
    stop(f);
    queue_close(f->queue);
    struct error err;
    ok(queue_open(&f->queue, f->path, &err), &err);
    assert_int_equal(truncate(f->path, 8192), 0);
    f->journal = journal_start(
        &(struct journal_options){
            .queue = f->queue, .offer = on_offer, .failed = on_failed, .payload = f },
        &err);
    journal_refill(f->journal);
    wait_for(f, &f->offers, 1);
    post(f, &drop, 2);
    wait_for(f, &f->count, 3);
    assert_int_equal(f->last_count, 0);
    assert_int_equal(f->failures, 1);
    assert_int_equal(f->bad, 1);
}

struct poster {
    struct fixture *f;
    struct note notes[500];
    unsigned first;
};

static void *post_all(void *payload)
{
    struct poster *p = payload;
    for (unsigned i = 0; i < 500; i++) {
        p->notes[i] = plan_of(&one_row, 1);
        p->notes[i].entry.urgent = i % 50 == 0;
        post(p->f, &p->notes[i], p->first + i);
        if (i % 100 == 0)
            journal_refill(p->f->journal);
    }
    return NULL;
}

static void many_threads_may_post(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    struct poster *posters = calloc(4, sizeof *posters);
    for (unsigned i = 0; i < 4; i++) {
        posters[i].f = f;
        posters[i].first = i * 500;
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    stop(f);
    assert_int_equal(f->count, 2000);
    assert_int_equal(f->bad, 0);
    unsigned next[4] = { 0, 500, 1000, 1500 };
    for (unsigned i = 0; i < 2000; i++) /* of each thread in its order */
        assert_int_equal(f->order[i], next[f->order[i] / 500]++);
    assert_int_equal(tally(f).objects, 2000);
    assert_true(f->last_id < INT64_MAX);
    free(posters);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_end_in_order_and_once_each),
        TEST(what_nobody_waits_for_is_committed_all_the_same),
        TEST(stopping_commits_the_rest),
        TEST(parts_come_back_when_all_have_moved),
        TEST(offers_go_on_where_the_last_one_ended),
        TEST(an_offer_holds_what_was_posted_before_it),
        TEST(after_a_failure_nothing_is_written_any_more),
        TEST(a_batch_is_written_whole_or_not_at_all),
        TEST(a_queue_that_cannot_be_read_ends_the_offers),
        TEST(many_threads_may_post),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
