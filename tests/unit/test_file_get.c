/* file_get.c: a large object into a file, in parallel ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limit.h"
#include "store_fixture.h"
#include "temp.h"

#define RANGE ((uint64_t) 64 * 1024)
#define SIZE (16 * RANGE + 7) /* seventeen ranges */
#define PART ((uint64_t) 5 * MIB)
#define LARGE (2 * PART + 12345) /* put in three parts */

static const struct haul_request big = { .key = "big" };
static const struct haul_parallel_options by_part = { .part_bytes = PART };
static const struct haul_parallel_options by_range = { .part_bytes = RANGE, .workers = 3 };

static void a_large_object_comes_in_ranges(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_write_text(folder, "a", "old");
    struct told told = { 0 };
    struct haul_parallel_options o = by_range;
    o.progress = note_progress;
    o.payload = &told;
    s3_fault(p->s3, "GetObject nth=3 truncate=1000\nGetObject nth=5 ignore-range\n"
                    "GetObject nth=8 reset-mid-body=5000");
    assert_int_equal(
        good(p, haul_get_file_parallel(p->store, &big, path, &o, &p->err))->size, SIZE);
    assert_file(path, data, SIZE);
    assert_int_equal(s3_count(p->s3, "HeadObject"), 1);
    assert_int_equal(s3_count(p->s3, "GetObject"), 20);
    assert_true(s3_count(p->s3, "in_flight_max") <= 3);
    assert_int_equal(told.done, SIZE);
    assert_int_equal(told.total, SIZE);
    assert_int_equal(temp_count(folder), 1);
    free(path);
    free(data);
    temp_remove(folder);
}

static void a_range_of_an_object_comes_in_ranges_too(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    struct haul_request r = { .key = "big", .range = { 1000, 2 * RANGE + 1 } };
    good(p, haul_get_file_parallel(p->store, &r, path, &by_range, &p->err));
    assert_file(path, data + 1000, 2 * RANGE + 1);
    assert_int_equal(s3_count(p->s3, "GetObject"), 3);
    r.range = (struct haul_range){ RANGE - 1, 0 }; /* to the end */
    good(p, haul_get_file_parallel(p->store, &r, path, &by_range, &p->err));
    assert_file(path, data + RANGE - 1, SIZE - RANGE + 1);
    r.range = (struct haul_range){ SIZE, 0 };
    assert_null(haul_get_file_parallel(p->store, &r, path, &by_range, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    r.range = (struct haul_range){ 1000, SIZE };
    assert_null(haul_get_file_parallel(p->store, &r, path, &by_range, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    good(p, haul_get_file_parallel(p->store, &big, path, NULL, &p->err));
    assert_file(path, data, SIZE);
    free(path);
    free(data);
    temp_remove(folder);
}

static int begin_never(void *payload, const char *etag, int64_t bytes)
{
    (void) payload, (void) etag, (void) bytes;
    errno = EINVAL;
    return -1;
}

static void a_begin_function_of_the_request_s_own_is_not_called(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    struct haul_request r = { .key = "big", .begin = begin_never };
    good(p, haul_get_file_parallel(p->store, &r, path, &by_range, &p->err));
    assert_file(path, data, SIZE);
    free(path);
    free(data);
    temp_remove(folder);
}

/* Case 24. */
static void an_empty_object_is_an_empty_file(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *path = temp_write_text(folder, "a", "old");
    struct told told = { 0 };
    struct haul_parallel_options o = { .progress = note_progress, .payload = &told };
    put(p, "big", "");
    good(p, haul_get_file_parallel(p->store, &big, path, &o, &p->err));
    assert_file(path, "", 0);
    assert_int_equal(told.calls, 1);
    free(path);
    temp_remove(folder);
}

/* Case 25. */
static void an_object_without_an_etag_comes_in_one_stream(void **state)
{
    static const char *const faults[] = { "HeadObject always no-etag",
        "HeadObject always etag=W/\"x\"" };
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    for (size_t i = 0; i < 2; i++) {
        s3_clear(p->s3);
        s3_fault(p->s3, faults[i]);
        good(p, haul_get_file_parallel(p->store, &big, path, &by_range, &p->err));
        assert_file(path, data, SIZE);
        assert_int_equal(s3_count(p->s3, "GetObject"), i + 1);
    }
    free(path);
    free(data);
    temp_remove(folder);
}

/* Case 21. */
static void an_object_that_is_replaced_midway_is_begun_again(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a"), *now;
    size_t len;
    s3_fault(p->s3, "GetObject nth=7 replace-object");
    good(p, haul_get_file_parallel(p->store, &big, path, &by_range, &p->err));
    assert_int_equal(s3_count(p->s3, "HeadObject"), 2);
    good(p, haul_get_memory(p->store, &big, SIZE, &now, &len, &p->err));
    assert_memory_not_equal(now, data, SIZE);
    assert_file(path, now, SIZE);
    free(now);

    s3_fault(p->s3, "GetObject always replace-object"); /* there is no end to it */
    assert_null(haul_get_file_parallel(p->store, &big, path, &by_range, &p->err));
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    assert_int_equal(s3_count(p->s3, "HeadObject"), 5);
    assert_int_equal(temp_count(folder), 1);
    free(path);
    free(data);
    temp_remove(folder);
}

/* Case 28. */
static void a_failed_range_leaves_the_folder_as_it_was(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_write_text(folder, "a", "old");
    struct haul_parallel_options o = { .part_bytes = RANGE, .workers = 1, .tries = 2 };
    s3_fault(p->s3, "GetObject always truncate=3");
    assert_null(haul_get_file_parallel(p->store, &big, path, &o, &p->err));
    assert_int_equal(s3_count(p->s3, "GetObject"), 2);
    assert_file(path, "old", 3);
    assert_int_equal(temp_count(folder), 1);
    s3_clear(p->s3);
    s3_fault(p->s3, "GetObject nth=5 status=404 code=NoSuchKey");
    assert_null(haul_get_file_parallel(p->store, &big, path, &o, &p->err));
    assert_string_equal(p->err.aws_code, "NoSuchKey");
    assert_file(path, "old", 3);
    assert_null(haul_get_file_parallel(
        p->store, &(struct haul_request){ .key = "none" }, path, &o, &p->err));
    assert_int_equal(p->err.http_status, 404);
    assert_int_equal(temp_count(folder), 1);
    free(path);
    free(data);
    temp_remove(folder);
}

static void a_disk_without_room_is_found_before_any_range_comes(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    rlim_t before = limit_set(RLIMIT_FSIZE, SIZE - 1);
    assert_null(haul_get_file_parallel(p->store, &big, path, &by_range, &p->err));
    limit_set(RLIMIT_FSIZE, before);
    assert_int_equal(p->err.code, HAUL_LOCAL);
    assert_int_equal(p->err.sys_errno, EFBIG);
    assert_non_null(strstr(p->err.text, path));
    assert_int_equal(s3_count(p->s3, "GetObject"), 0);
    assert_int_equal(temp_count(folder), 0);
    free(path);
    free(data);
    temp_remove(folder);
}

static void receiving_is_cancelled_by_the_progress_function(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    struct told told = { .cancel_at = 1 };
    struct haul_parallel_options o = by_range;
    o.progress = note_progress;
    o.payload = &told;
    assert_null(haul_get_file_parallel(p->store, &big, path, &o, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_int_equal(told.calls, 1);
    assert_int_equal(temp_count(folder), 0);
    free(path);
    free(data);
    temp_remove(folder);
}

static void receiving_is_stopped_by_another_thread(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    s3_fault(p->s3, "GetObject nth=4 gate=g");
    pthread_t other = begin_thread(stop_at_the_gate, p);
    assert_null(haul_get_file_parallel(p->store, &big, path, &by_range, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    pthread_join(other, NULL);
    assert_int_equal(temp_count(folder), 0);
    free(path);
    free(data);
    temp_remove(folder);
}

/* Both ways: ranges, and the one stream of an empty object. */
static void a_link_or_a_fifo_is_replaced_and_neither_followed_nor_written_to(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *elsewhere = temp_write_text(folder, "elsewhere", "old");
    char *link = temp_path(folder, "link"), *fifo = temp_path(folder, "fifo");
    struct haul_parallel_options o = by_range;
    o.replace = true;
    for (size_t size = 0; size <= SIZE; size += SIZE) {
        char *data = stored(p->base, "big", size);
        assert_int_equal(symlink("elsewhere", link), 0);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        good(p, haul_get_file_parallel(p->store, &big, link, &o, &p->err));
        good(p, haul_get_file_parallel(p->store, &big, fifo, &o, &p->err));
        assert_file(link, data, size);
        assert_file(fifo, data, size);
        assert_file(elsewhere, "old", 3);
        assert_int_equal(unlink(link), 0);
        assert_int_equal(unlink(fifo), 0);
        free(data);
    }
    free(fifo);
    free(link);
    free(elsewhere);
    temp_remove(folder);
}

/* ---- Checksums of the whole ---- */

/* Has HEAD tell the checksum of `len` bytes. */
static void tell_checksum(struct shop *p, enum haul_checksum kind, const char *data, size_t len)
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    char text[HAUL_CHECKSUM_TEXT_SIZE], fault[256];
    struct haul_sum *sum = haul_sum_new(kind);
    assert_non_null(sum);
    haul_sum_add(sum, data, len);
    haul_checksum_text(value, haul_sum_end(sum, value), text);
    haul_sum_free(sum);
    snprintf(fault, sizeof fault, "HeadObject always header=x-amz-checksum-%s:%s",
        haul_checksum_name(kind), text);
    s3_clear(p->s3);
    s3_fault(p->s3, fault);
}

static void the_whole_is_verified_by_what_the_server_tells(void **state)
{
    static const enum haul_checksum kinds[] = { HAUL_CRC64NVME, HAUL_CRC32C, HAUL_CRC32,
        HAUL_SHA256, HAUL_SHA1 };
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int separate = 0; separate < 2; separate++) {
            struct haul_parallel_options o = { .part_bytes = 5 * RANGE };
            o.separate_files = separate;
            tell_checksum(p, kinds[i], data, SIZE);
            s3_fault(p->s3, "GetObject nth=2 truncate=300000");
            uint64_t heads = s3_count(p->s3, "HeadObject");
            good(p, haul_get_file_parallel(p->store, &big, path, &o, &p->err));
            assert_int_equal(s3_count(p->s3, "HeadObject"), ++heads);
            assert_file(path, data, SIZE);
            assert_int_equal(unlink(path), 0);
            tell_checksum(p, kinds[i], data, SIZE - 1);
            assert_null(haul_get_file_parallel(p->store, &big, path, &o, &p->err));
            assert_int_equal(p->err.code, HAUL_BAD_REPLY);
            assert_non_null(strstr(p->err.text, haul_checksum_name(kinds[i])));
            assert_int_equal(s3_count(p->s3, "HeadObject") - heads, 3); /* it begins again */
            assert_int_equal(temp_count(folder), 0);
        }
    free(path);
    free(data);
    temp_remove(folder);
}

static int stop_at_the_end(void *payload, uint64_t done, uint64_t total)
{
    struct shop *p = payload;
    if (done == total)
        haul_store_stop(p->store);
    return 0;
}

static void verifying_can_be_stopped(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    struct haul_parallel_options o = by_range;
    o.progress = stop_at_the_end;
    o.payload = p;
    tell_checksum(p, HAUL_SHA256, data, SIZE);
    assert_null(haul_get_file_parallel(p->store, &big, path, &o, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_int_equal(temp_count(folder), 0);
    free(path);
    free(data);
    temp_remove(folder);
}

/* Case 27. */
static void a_range_that_was_damaged_on_its_way_comes_again(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(LARGE), *folder = temp_make(), *path = temp_path(folder, "a");
    struct haul_request r = {
        .key = "big", .checksum = HAUL_CRC64NVME, .body = haul_body_memory(data, LARGE)
    };
    good(p, haul_put_file_multipart(p->store, &r, NULL, &by_part, &p->err));
    s3_fault(p->s3, "GetObject nth=2 flip-bit=9");
    good(p, haul_get_file_parallel(p->store, &big, path, &by_part, &p->err));
    assert_int_equal(s3_count(p->s3, "HeadObject"), 2);
    assert_file(path, data, LARGE);
    free(path);
    free(data);
    temp_remove(folder);
}

/* Case 17. */
static void a_composite_checksum_says_nothing_of_ranges(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(LARGE), *folder = temp_make(), *path = temp_path(folder, "a");
    struct haul_request r = {
        .key = "big", .checksum = HAUL_SHA256, .body = haul_body_memory(data, LARGE)
    };
    good(p, haul_put_file_multipart(p->store, &r, NULL, &by_part, &p->err));
    good(p, haul_get_file_parallel(p->store, &big, path, &by_part, &p->err));
    assert_file(path, data, LARGE);
    /* Its type says so, too, where the value's own end does not. */
    s3_fault(p->s3, "HeadObject always header=x-amz-checksum-crc32c:AAAAAA==");
    good(p, haul_get_file_parallel(p->store, &big, path, &by_part, &p->err));
    assert_file(path, data, LARGE);
    free(path);
    free(data);
    temp_remove(folder);
}

/* ---- Separate files ---- */

/* One of the first ranges hangs until the others have come as far as they may: to the third, or
 * by as many more as stand before the one that hangs. Returns how far. */
static void *open_when_others_wait(void *payload)
{
    struct shop *p = payload;
    s3_wait_at(p->s3, "g", 1);
    while (s3_count(p->s3, "in_flight") > 1 || s3_count(p->s3, "GetObject") < 3)
        continue;
    uint64_t asked = s3_count(p->s3, "GetObject");
    s3_open(p->s3, "g");
    return (void *) (uintptr_t) asked;
}

static void separate_files_are_joined_in_order_and_few_at_a_time(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    struct haul_parallel_options o = by_range;
    o.separate_files = true;
    s3_fault(p->s3, "GetObject range=0 nth=1 gate=g\nGetObject nth=9 truncate=1000");
    void *asked;
    pthread_t other = begin_thread(open_when_others_wait, p);
    good(p, haul_get_file_parallel(p->store, &big, path, &o, &p->err));
    pthread_join(other, &asked);
    assert_in_range((uintptr_t) asked, 3, 5);
    assert_file(path, data, SIZE);
    assert_int_equal(temp_count(folder), 1);
    free(path);
    free(data);
    temp_remove(folder);
}

struct reader {
    const char *path;
    char *data;
    size_t len;
};

static void *read_all(void *payload)
{
    struct reader *r = payload;
    FILE *f = fopen(r->path, "r");
    assert_non_null(f);
    r->len = fread(r->data, 1, SIZE + 1, f);
    fclose(f);
    return NULL;
}

static void a_fifo_gets_its_bytes_in_order(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    struct reader r = { .path = temp_path(folder, "fifo"), .data = malloc(SIZE + 1) };
    assert_int_equal(mkfifo(r.path, 0600), 0);
    pthread_t other = begin_thread(read_all, &r);
    good(p, haul_get_file_parallel(p->store, &big, r.path, &by_range, &p->err));
    pthread_join(other, NULL);
    assert_int_equal(r.len, SIZE);
    assert_memory_equal(r.data, data, SIZE);

    s3_fault(p->s3, "GetObject nth=9 replace-object"); /* bytes are out: no second beginning */
    other = begin_thread(read_all, &r);
    assert_null(haul_get_file_parallel(p->store, &big, r.path, &by_range, &p->err));
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    pthread_join(other, NULL);
    assert_int_equal(s3_count(p->s3, "HeadObject"), 2);
    assert_int_equal(temp_count(folder), 1);
    free((char *) r.path);
    free(r.data);
    free(data);
    temp_remove(folder);
}

static void *open_and_close(void *payload)
{
    FILE *f = fopen(payload, "r");
    assert_non_null(f);
    fclose(f);
    return NULL;
}

static void a_reader_that_goes_ends_the_transfer(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    pthread_t other = begin_thread(open_and_close, path);
    assert_null(haul_get_file_parallel(p->store, &big, path, &by_range, &p->err));
    assert_int_equal(p->err.sys_errno, EPIPE);
    pthread_join(other, NULL);
    free(path);
    free(data);
    temp_remove(folder);
}

static void a_folder_for_separate_files_that_is_missing_is_told(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a"), *none = temp_path(folder, "none");
    struct haul_parallel_options o = by_range;
    o.separate_files = true;
    setenv("TMPDIR", none, 1);
    assert_null(haul_get_file_parallel(p->store, &big, path, &o, &p->err));
    unsetenv("TMPDIR");
    assert_int_equal(p->err.sys_errno, ENOENT);
    assert_int_equal(temp_count(folder), 0);
    free(none);
    free(path);
    free(data);
    temp_remove(folder);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_large_object_comes_in_ranges),
        ONE(a_range_of_an_object_comes_in_ranges_too),
        ONE(a_begin_function_of_the_request_s_own_is_not_called),
        ONE(an_empty_object_is_an_empty_file),
        ONE(an_object_without_an_etag_comes_in_one_stream),
        ONE(an_object_that_is_replaced_midway_is_begun_again),
        ONE(a_failed_range_leaves_the_folder_as_it_was),
        ONE(a_disk_without_room_is_found_before_any_range_comes),
        ONE(receiving_is_cancelled_by_the_progress_function),
        ONE(receiving_is_stopped_by_another_thread),
        ONE(a_link_or_a_fifo_is_replaced_and_neither_followed_nor_written_to),
        ONE(the_whole_is_verified_by_what_the_server_tells),
        ONE(verifying_can_be_stopped),
        ONE(a_range_that_was_damaged_on_its_way_comes_again),
        ONE(a_composite_checksum_says_nothing_of_ranges),
        ONE(separate_files_are_joined_in_order_and_few_at_a_time),
        ONE(a_fifo_gets_its_bytes_in_order),
        ONE(a_reader_that_goes_ends_the_transfer),
        ONE(a_folder_for_separate_files_that_is_missing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
