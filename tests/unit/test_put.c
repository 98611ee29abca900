/* put.c: objects from files, descriptors and streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "put.h"
#include "store_fixture.h"
#include "temp.h"

#define PART ((uint64_t) 5 * MIB)
#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

/* ---- Files ---- */

static void a_file_is_put(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *path = temp_write_text(folder, "a", "some text");
    struct haul_request r = { .key = "a.html" };
    good(p, haul_put_file(p->store, &r, path, &p->err));
    assert_text(p, "a.html", "some text");
    const struct haul_result *found = good(p, haul_head(p->store, &r, &p->err));
    assert_string_equal(haul_result_header(found, "content-type"), "text/html");
    free(path);
    path = temp_write_text(folder, "empty", "");
    good(p, haul_put_file(p->store, &r, path, &p->err));
    assert_text(p, "a.html", "");
    free(path);
    temp_remove(folder);
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a" };
    char *folder = temp_make(), fifo[256], missing[256];
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    snprintf(missing, sizeof missing, "%s/missing", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_null(haul_put_file(p->store, &r, fifo, &p->err));
    assert_int_equal(p->err.code, HAUL_LOCAL);
    assert_non_null(strstr(p->err.text, "not a regular file"));
    assert_null(haul_put_file(p->store, &r, folder, &p->err));
    assert_int_equal(p->err.sys_errno, EISDIR);
    assert_null(haul_put_file(p->store, &r, missing, &p->err));
    assert_int_equal(p->err.sys_errno, ENOENT);
    assert_null(haul_put_fd(p->store, &r, -1, &p->err));
    assert_int_equal(p->err.sys_errno, EBADF);
    assert_int_equal(s3_count(p->s3, "PutObject"), 0);
    temp_remove(folder);
}

static void what_does_not_tell_its_size_is_a_stream(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a" };
    char *got;
    size_t len;
    assert_null(haul_put_file(p->store, &r, "/proc/self/status", &p->err));
    assert_int_equal(p->err.code, HAUL_LOCAL);
    int fd = open("/proc/self/status", O_RDONLY);
    good(p, haul_put_fd(p->store, &r, fd, &p->err));
    close(fd);
    good(p, haul_get_memory(p->store, &r, MIB, &got, &len, &p->err));
    assert_memory_equal(got, "Name:", 5);
    free(got);
}

static void a_file_over_5_gib_is_sent_elsewhere(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a" };
    char *folder = temp_make(), *path = temp_write_text(folder, "large", "");
    assert_int_equal(truncate(path, (off_t) HAUL_PART_BYTES_MAX + 1), 0);
    assert_null(haul_put_file(p->store, &r, path, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    assert_non_null(strstr(p->err.text, "haul_put_file_multipart()"));
    assert_int_equal(s3_count(p->s3, "PutObject"), 0);
    free(path);
    temp_remove(folder);
}

/* Case 15. */
static void a_file_that_changes_while_it_is_sent_fails(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a" };
    char *folder = temp_make();
    struct change c = { p, temp_write_text(folder, "a", "text") };
    s3_fault(p->s3, "PutObject nth=1 gate=g");
    pthread_t other = begin_thread(append_at_the_gate, &c);
    assert_null(haul_put_file(p->store, &r, c.path, &p->err));
    assert_int_equal(p->err.code, HAUL_LOCAL);
    assert_non_null(strstr(p->err.text, "changed"));
    pthread_join(other, NULL);
    good(p, haul_put_file(p->store, &r, c.path, &p->err));
    assert_text(p, "a", "textmore");
    free((char *) c.path);
    temp_remove(folder);
}

static void a_descriptor_of_a_file_is_sent_from_where_it_stands(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a" };
    char *folder = temp_make(), *path = temp_write_text(folder, "a", "0123456789");
    int fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
    good(p, haul_put_fd(p->store, &r, fd, &p->err));
    assert_text(p, "a", "456789");
    lseek(fd, 40, SEEK_SET);
    good(p, haul_put_fd(p->store, &r, fd, &p->err));
    assert_text(p, "a", "");
    close(fd);
    free(path);
    temp_remove(folder);
}

/* ---- Streams ---- */

struct spring {
    const char *data;
    uint64_t size, at, fails_at; /* 0: never */
    bool interrupted;            /* every second call */
    unsigned calls;
};

static ssize_t read_spring(void *payload, void *data, size_t len)
{
    struct spring *s = payload;
    uint64_t left = s->size - s->at;
    if (s->interrupted && ++s->calls % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (s->fails_at > 0 && s->at >= s->fails_at) {
        errno = EIO;
        return -1;
    }
    if (len > 700001)
        len = 700001;
    if (len > left)
        len = (size_t) left;
    memcpy(data, s->data + s->at, len);
    s->at += len;
    return (ssize_t) len;
}

static void a_stream_is_one_object_however_long(void **state)
{
    static const struct {
        uint64_t size;
        unsigned puts, parts;
    } cases[] = {
        { 0, 1, 0 },
        { 1, 1, 0 },
        { PART - 1, 1, 0 },
        { PART, 1, 0 },
        { PART + 1, 0, 2 },
        { 2 * PART, 0, 2 },
        { 3 * PART, 0, 3 },
    };
    struct shop *p = *state;
    struct haul_request r = { .key = "stream" };
    char *data = some_bytes(3 * PART);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct spring s = { .data = data, .size = cases[i].size, .interrupted = true };
        uint64_t puts = s3_count(p->s3, "PutObject"), parts = s3_count(p->s3, "UploadPart");
        good(p, haul_put_stream(p->store, &r, read_spring, &s, PART, &p->err));
        assert_int_equal(s3_count(p->s3, "PutObject") - puts, cases[i].puts);
        assert_int_equal(s3_count(p->s3, "UploadPart") - parts, cases[i].parts);
        assert_object(p, "stream", data, cases[i].size);
    }
    free(data);
}

static void a_stream_that_fails_leaves_no_upload(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "stream" };
    char *data = some_bytes(3 * PART);
    struct spring early = { .data = data, .size = 3 * PART, .fails_at = 1 };
    struct spring late = { .data = data, .size = 3 * PART, .fails_at = 2 * PART };
    assert_null(haul_put_stream(p->store, &r, read_spring, &early, PART, &p->err));
    assert_int_equal(p->err.sys_errno, EIO);
    assert_int_equal(s3_count(p->s3, "requests"), 1); /* the bucket's creation */
    assert_null(haul_put_stream(p->store, &r, read_spring, &late, PART, &p->err));
    assert_int_equal(p->err.code, HAUL_LOCAL);
    assert_int_equal(p->err.sys_errno, EIO);
    assert_int_equal(s3_count(p->s3, "UploadPart"), 1);
    assert_int_equal(count_uploads(p), 0);
    assert_missing(p, "stream");
    free(data);
}

static ssize_t boast(void *payload, void *data, size_t len)
{
    (void) payload;
    memset(data, 'x', len);
    return (ssize_t) len + 1;
}

static void a_stream_that_claims_more_than_was_asked_for_fails(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "stream" };
    assert_null(haul_put_stream(p->store, &r, boast, NULL, PART, &p->err));
    assert_int_equal(p->err.code, HAUL_LOCAL);
    assert_int_equal(p->err.sys_errno, EOVERFLOW);
    assert_missing(p, "stream");
}

static void a_stream_s_key_may_stand_in_the_last_result(void **state)
{
    struct shop *p = *state;
    struct haul_request all = { .operation = HAUL_LIST_OBJECTS }, r = { .key = NULL };
    char *data = some_bytes(2 * PART);
    struct spring s = { .data = data, .size = 2 * PART };
    put(p, "stream", "old");
    r.key = good(p, haul_perform(p->store, &all, &p->err))->listing.entries[0].key;
    good(p, haul_put_stream(p->store, &r, read_spring, &s, PART, &p->err));
    assert_object(p, "stream", data, 2 * PART);
    free(data);
}

static void a_refused_part_ends_the_stream_and_its_upload(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "stream" };
    char *data = some_bytes(3 * PART);
    struct spring s = { .data = data, .size = 3 * PART };
    s3_fault(p->s3, "UploadPart part=2 always status=403 code=AccessDenied");
    assert_null(haul_put_stream(p->store, &r, read_spring, &s, PART, &p->err));
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_int_equal(count_uploads(p), 0);
    free(data);
}

static void parts_of_a_size_that_s3_refuses_are_refused_at_once(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "stream" };
    const uint64_t sizes[] = { 1, HAUL_PART_BYTES_MIN - 1, HAUL_PART_BYTES_MAX + 1 };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct spring s = { .data = "x", .size = 1 };
        assert_null(haul_put_stream(p->store, &r, read_spring, &s, sizes[i], &p->err));
        assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
        assert_int_equal(s.at, 0);
    }
}

static void parts_of_a_stream_grow_to_five_gib(void **state)
{
    const uint64_t mib = MIB;
    uint64_t from_16 = 0, from_max = 0;
    (void) state;
    assert_int_equal(put_part_bytes(16 * mib, 1), 16 * mib);
    assert_int_equal(put_part_bytes(16 * mib, 1000), 16 * mib);
    assert_int_equal(put_part_bytes(16 * mib, 1001), 32 * mib);
    assert_int_equal(put_part_bytes(16 * mib, 9000), 4096 * mib);
    assert_int_equal(put_part_bytes(16 * mib, 9001), HAUL_PART_BYTES_MAX);
    assert_int_equal(put_part_bytes(HAUL_PART_BYTES_MAX, 10000), HAUL_PART_BYTES_MAX);
    for (unsigned n = 1; n <= HAUL_PARTS_MAX; n++) {
        from_16 += put_part_bytes(16 * mib, n);
        from_max += put_part_bytes(HAUL_PART_BYTES_MAX, n);
    }
    assert_int_equal(from_16, (uint64_t) 1000 * (16 * 511 + 5120) * mib); /* 12.7 TiB */
    assert_int_equal(from_max, HAUL_OBJECT_BYTES_MAX);
}

/* ---- Descriptors that are streams ---- */

struct writer {
    int fd;
    const char *data;
    size_t len;
};

static void *write_all(void *payload)
{
    struct writer *w = payload;
    for (size_t at = 0; at < w->len;) {
        ssize_t n = write(w->fd, w->data + at, w->len - at);
        assert_true(n > 0);
        at += (size_t) n;
    }
    close(w->fd);
    return NULL;
}

static void a_pipe_is_a_stream(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "piped" };
    const size_t len = 17 * MIB; /* more than one part of 16 MiB */
    char *data = some_bytes(len);
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(fcntl(ends[0], F_SETFL, flags), 0);
        struct writer w = { ends[1], data, len };
        pthread_t other = begin_thread(write_all, &w);
        good(p, haul_put_fd(p->store, &r, ends[0], &p->err));
        pthread_join(other, NULL);
        close(ends[0]);
        assert_object(p, "piped", data, len);
    }
    assert_int_equal(s3_count(p->s3, "UploadPart"), 4);
    free(data);
}

struct stopper {
    struct shop *shop;
    int pipe;
};

/* Once the other end has taken what is in the pipe, and wants more. */
static void *stop_when_drained(void *payload)
{
    struct stopper *s = payload;
    int left = 1;
    while (left > 0)
        assert_int_equal(ioctl(s->pipe, FIONREAD, &left), 0);
    haul_store_stop(s->shop->store);
    return NULL;
}

static void waiting_for_a_pipe_can_be_stopped(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "piped" };
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    struct stopper s = { p, ends[1] };
    pthread_t other = begin_thread(stop_when_drained, &s);
    assert_null(haul_put_fd(p->store, &r, ends[0], &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    pthread_join(other, NULL);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(s3_count(p->s3, "PutObject"), 0);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_file_is_put),
        ONE(what_is_no_file_is_refused_without_waiting),
        ONE(what_does_not_tell_its_size_is_a_stream),
        ONE(a_file_over_5_gib_is_sent_elsewhere),
        ONE(a_file_that_changes_while_it_is_sent_fails),
        ONE(a_descriptor_of_a_file_is_sent_from_where_it_stands),
        ONE(a_stream_is_one_object_however_long),
        ONE(a_stream_that_fails_leaves_no_upload),
        ONE(a_stream_that_claims_more_than_was_asked_for_fails),
        ONE(a_stream_s_key_may_stand_in_the_last_result),
        ONE(a_refused_part_ends_the_stream_and_its_upload),
        ONE(parts_of_a_size_that_s3_refuses_are_refused_at_once),
        cmocka_unit_test(parts_of_a_stream_grow_to_five_gib),
        ONE(a_pipe_is_a_stream),
        ONE(waiting_for_a_pipe_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
