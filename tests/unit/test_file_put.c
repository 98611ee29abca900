/* file_put.c: a large file, or another body, in parallel parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "store_fixture.h"
#include "temp.h"

#define PART ((uint64_t) 5 * MIB)
#define LARGE (2 * PART + 12345) /* three parts */

static const struct haul_request big = { .key = "big" };
static const struct haul_parallel_options by_part = { .part_bytes = PART };

/* A folder, and a file of LARGE bytes in it. */
struct place {
    char *folder, *path, *data; /* owned */
};

static struct place make_place(void)
{
    struct place l = { .folder = temp_make(), .data = some_bytes(LARGE) };
    l.path = temp_write(l.folder, "large", l.data, LARGE);
    return l;
}

static void remove_place(struct place *l)
{
    temp_remove(l->folder);
    free(l->path);
    free(l->data);
}

static void a_large_file_goes_in_parts(void **state)
{
    struct shop *p = *state;
    struct place l = make_place();
    struct told told = { 0 };
    struct haul_parallel_options o = {
        .part_bytes = PART, .workers = 2, .progress = note_progress, .payload = &told
    };
    s3_fault(p->s3, "UploadPart part=2 nth=1 drop-after");
    good(p, haul_put_file_multipart(p->store, &big, l.path, &o, &p->err));
    assert_int_equal(s3_count(p->s3, "UploadPart"), 4);
    assert_true(s3_count(p->s3, "in_flight_max") <= 2);
    assert_object(p, "big", l.data, LARGE);
    assert_true(told.calls >= 1 && told.calls <= 3);
    assert_int_equal(told.done, LARGE);
    assert_int_equal(told.total, LARGE);
    remove_place(&l);
}

static void a_body_goes_like_a_file(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(LARGE);
    struct haul_request r = { .key = "big", .body = haul_body_memory(data, LARGE) };
    good(p, haul_put_file_multipart(p->store, &r, NULL, &by_part, &p->err));
    assert_int_equal(s3_count(p->s3, "UploadPart"), 3);
    assert_object(p, "big", data, LARGE);
    free(data);
}

static void a_body_that_nothing_reads_is_refused(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "big", .body.size = LARGE };
    assert_null(haul_put_file_multipart(p->store, &r, NULL, &by_part, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    assert_null(haul_put_file_multipart(p->store, &r, NULL, NULL, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    assert_int_equal(s3_count(p->s3, "CreateMultipartUpload"), 0);
}

static void what_fits_a_part_is_one_put_object(void **state)
{
    struct shop *p = *state;
    struct place l = make_place();
    const off_t sizes[] = { PART, 1, 0 };
    for (size_t i = 0; i < 3; i++) {
        struct told told = { 0 };
        struct haul_parallel_options o = {
            .part_bytes = PART, .progress = note_progress, .payload = &told
        };
        assert_int_equal(truncate(l.path, sizes[i]), 0);
        good(p, haul_put_file_multipart(p->store, &big, l.path, &o, &p->err));
        assert_object(p, "big", l.data, (size_t) sizes[i]);
        assert_int_equal(s3_count(p->s3, "PutObject"), i + 1);
        assert_int_equal(told.calls, 1);
        assert_int_equal(told.done, sizes[i]);
    }
    assert_int_equal(s3_count(p->s3, "CreateMultipartUpload"), 0);
    good(p, haul_put_file_multipart(p->store, &big, l.path, NULL, &p->err));
    remove_place(&l);
}

static ssize_t read_nothing(void *payload, uint64_t offset, void *data, size_t len)
{
    (void) payload, (void) offset, (void) data, (void) len;
    fail_msg("read");
    return -1;
}

/* Case 13. */
static void plans_that_s3_refuses_are_refused_with_the_numbers(void **state)
{
    static const struct {
        uint64_t size, part_bytes;
        const char *word;
    } cases[] = {
        { HAUL_OBJECT_BYTES_MAX + 1, 0, "48.8 TiB" },
        { HAUL_OBJECT_BYTES_MAX + 1, HAUL_PART_BYTES_MAX, "48.8 TiB" },
        { 100 * PART, PART - 1, "from 5 MiB to 5 GiB" },
        { 100 * PART, HAUL_PART_BYTES_MAX + 1, "from 5 MiB to 5 GiB" },
        { 10000 * PART + 1, PART, "8388608 bytes a part" },
    };
    struct shop *p = *state;
    uint64_t before = s3_count(p->s3, "requests");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_request r = { .key = "big",
            .body = { .read = read_nothing, .size = cases[i].size } };
        struct haul_parallel_options o = { .part_bytes = cases[i].part_bytes };
        assert_null(haul_put_file_multipart(p->store, &r, NULL, &o, &p->err));
        assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
        if (strstr(p->err.text, cases[i].word) == NULL)
            fail_msg("%s", p->err.text);
    }
    assert_int_equal(s3_count(p->s3, "requests"), before);
}

/* Case 19. */
static void a_part_that_keeps_failing_aborts_the_upload(void **state)
{
    struct shop *p = *state;
    struct place l = make_place();
    struct haul_parallel_options o = { .part_bytes = PART, .tries = 2 };
    s3_fault(p->s3, "UploadPart part=2 always status=500");
    assert_null(haul_put_file_multipart(p->store, &big, l.path, &o, &p->err));
    assert_int_equal(p->err.http_status, 500);
    assert_int_equal(s3_count(p->s3, "UploadPart"), 4); /* two others, two tries */
    assert_int_equal(count_uploads(p), 0);
    assert_missing(p, "big");
    assert_null(haul_put_file_multipart(p->store, &big, "/none", &o, &p->err));
    assert_int_equal(p->err.sys_errno, ENOENT);
    remove_place(&l);
}

/* Case 15. */
static void a_source_that_changes_midway_fails_and_leaves_no_upload(void **state)
{
    struct shop *p = *state;
    struct place l = make_place();
    struct change c = { p, l.path };
    s3_fault(p->s3, "UploadPart part=2 nth=1 gate=g");
    pthread_t other = begin_thread(append_at_the_gate, &c);
    assert_null(haul_put_file_multipart(p->store, &big, l.path, &by_part, &p->err));
    assert_int_equal(p->err.code, HAUL_LOCAL);
    assert_non_null(strstr(p->err.text, "changed"));
    pthread_join(other, NULL);
    assert_int_equal(s3_count(p->s3, "CompleteMultipartUpload"), 0);
    assert_int_equal(count_uploads(p), 0);
    remove_place(&l);
}

/* Case 19. */
static void sending_is_cancelled_by_the_progress_function(void **state)
{
    struct shop *p = *state;
    struct place l = make_place();
    struct told told = { .cancel_at = 1 };
    struct haul_parallel_options o = {
        .part_bytes = PART, .progress = note_progress, .payload = &told
    };
    assert_null(haul_put_file_multipart(p->store, &big, l.path, &o, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_int_equal(told.calls, 1);
    assert_int_equal(count_uploads(p), 0);
    assert_missing(p, "big");
    remove_place(&l);
}

static void sending_is_stopped_by_another_thread(void **state)
{
    struct shop *p = *state;
    struct place l = make_place();
    s3_fault(p->s3, "UploadPart part=2 always gate=g");
    pthread_t other = begin_thread(stop_at_the_gate, p);
    assert_null(haul_put_file_multipart(p->store, &big, l.path, &by_part, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    pthread_join(other, NULL);
    reopen(p);
    assert_int_equal(count_uploads(p), 0);
    assert_missing(p, "big");
    remove_place(&l);
}

static void *stop_and_open_the_gate(void *payload)
{
    struct shop *p = payload;
    stop_at_the_gate(p);
    s3_open(p->s3, "g");
    return NULL;
}

static void an_upload_that_is_being_created_is_aborted_too(void **state)
{
    struct shop *p = *state;
    struct place l = make_place();
    s3_fault(p->s3, "CreateMultipartUpload nth=1 gate-after=g");
    pthread_t other = begin_thread(stop_and_open_the_gate, p);
    assert_null(haul_put_file_multipart(p->store, &big, l.path, &by_part, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    pthread_join(other, NULL);
    assert_int_equal(s3_count(p->s3, "AbortMultipartUpload"), 1);
    reopen(p);
    assert_int_equal(count_uploads(p), 0);

    /* If the server ever answers. */
    s3_fault(p->s3, "CreateMultipartUpload nth=1 gate=g");
    other = begin_thread(stop_at_the_gate, p);
    assert_null(haul_put_file_multipart(p->store, &big, l.path, &by_part, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    pthread_join(other, NULL);
    reopen(p);
    remove_place(&l);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_large_file_goes_in_parts),
        ONE(a_body_goes_like_a_file),
        ONE(a_body_that_nothing_reads_is_refused),
        ONE(what_fits_a_part_is_one_put_object),
        ONE(plans_that_s3_refuses_are_refused_with_the_numbers),
        ONE(a_part_that_keeps_failing_aborts_the_upload),
        ONE(a_source_that_changes_midway_fails_and_leaves_no_upload),
        ONE(sending_is_cancelled_by_the_progress_function),
        ONE(sending_is_stopped_by_another_thread),
        ONE(an_upload_that_is_being_created_is_aborted_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
