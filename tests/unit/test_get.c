/* get.c and temporary.c: objects into memory, descriptors and files. */
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
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limit.h"
#include "store_fixture.h"
#include "temp.h"

#define SIZE ((size_t) 3 * MIB)

static const struct haul_request big = { .key = "big" };

/* ---- Files and pipes ---- */

struct reader {
    pthread_t thread;
    int fd;
    const char *path; /* NULL: fd is open */
    char *data;       /* owned */
    size_t len;
};

static void *read_all(void *payload)
{
    struct reader *r = payload;
    if (r->path != NULL)
        r->fd = open(r->path, O_RDONLY);
    r->data = malloc(2 * SIZE);
    for (ssize_t n; (n = read(r->fd, r->data + r->len, 2 * SIZE - r->len)) > 0;)
        r->len += (size_t) n;
    close(r->fd);
    return NULL;
}

static void begin_reading(struct reader *r)
{
    r->thread = begin_thread(read_all, r);
}

static void assert_read(struct reader *r, const char *data, size_t len)
{
    pthread_join(r->thread, NULL);
    assert_int_equal(r->len, len);
    assert_memory_equal(r->data, data, len);
    free(r->data);
}

/* ---- Memory ---- */

static void an_object_is_got_into_memory(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *got;
    size_t len;
    const struct haul_result *result =
        good(p, haul_get_memory(p->store, &big, SIZE, &got, &len, &p->err));
    assert_int_equal(result->size, SIZE);
    assert_int_equal(len, SIZE);
    assert_memory_equal(got, data, SIZE);
    assert_int_equal(got[len], '\0');
    free(got);
    struct haul_request r = { .key = "big", .range = { 5, 100 } };
    good(p, haul_get_memory(p->store, &r, SIZE_MAX, &got, &len, &p->err));
    assert_int_equal(len, 100);
    assert_memory_equal(got, data + 5, 100);
    free(got);
    r.range = (struct haul_range){ SIZE - 7, 0 }; /* to the end */
    good(p, haul_get_memory(p->store, &r, 7, &got, &len, &p->err));
    assert_int_equal(len, 7);
    assert_memory_equal(got, data + SIZE - 7, 7);
    free(got);
    put(p, "big", "");
    good(p, haul_get_memory(p->store, &big, 0, &got, &len, &p->err));
    assert_int_equal(len, 0);
    assert_string_equal(got, "");
    free(got);
    free(data);
}

static void a_range_that_ends_behind_the_object_is_asked_for_once(void **state)
{
    struct shop *p = *state;
    char *got = NULL;
    size_t len;
    put(p, "small", "0123456789");
    struct haul_request r = { .key = "small", .range = { 5, 100 } };
    assert_null(haul_get_memory(p->store, &r, 1000, &got, &len, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    assert_string_equal(p->err.text, "small has 10 bytes: there are no 100 from byte 5 on");
    assert_int_equal(s3_count(p->s3, "GetObject"), 1);
}

static void memory_has_a_cap(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *got = NULL;
    size_t len = 7;
    assert_null(haul_get_memory(p->store, &big, SIZE - 1, &got, &len, &p->err));
    assert_int_equal(p->err.code, HAUL_TOO_LARGE);
    assert_int_equal(s3_count(p->s3, "GetObject"), 1); /* trying again would not help */
    struct haul_request r = { .key = "big", .range = { 0, 101 } };
    assert_null(haul_get_memory(p->store, &r, 100, &got, &len, &p->err));
    assert_int_equal(p->err.code, HAUL_TOO_LARGE);
    assert_int_equal(s3_count(p->s3, "GetObject"), 1);
    assert_null(got);
    assert_int_equal(len, 7);
    free(data);
}

static void a_key_may_stand_in_the_last_result(void **state)
{
    struct shop *p = *state;
    struct haul_request all = { .operation = HAUL_LIST_OBJECTS }, r = { .key = NULL };
    char *got, *folder = temp_make();
    size_t len;
    put(p, "a-key", "some text");
    r.key = good(p, haul_perform(p->store, &all, &p->err))->listing.entries[0].key;
    assert_null(haul_get_memory(p->store, &r, 1, &got, &len, &p->err));
    assert_non_null(strstr(p->err.text, "a-key"));
    r.key = good(p, haul_perform(p->store, &all, &p->err))->listing.entries[0].key;
    int fd = open(folder, O_TMPFILE | O_RDWR, 0600);
    s3_fault(p->s3, "GetObject nth=1 truncate=4\nGetObject nth=2 etag=\"other\"");
    assert_null(haul_get_fd(p->store, &r, fd, &p->err));
    assert_non_null(strstr(p->err.text, "a-key"));
    close(fd);
    temp_remove(folder);
}

static void memory_holds_the_last_attempt_alone(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE);
    s3_fault(p->s3, "GetObject nth=1 truncate=2000000\nGetObject nth=2 reset-mid-body=100000");
    assert_object(p, "big", data, SIZE);
    assert_int_equal(s3_count(p->s3, "GetObject"), 3);
    free(data);
}

/* ---- Files ---- */

static void an_object_is_got_into_a_new_file(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "new");
    struct stat st;
    mode_t mask = umask(0027);
    s3_fault(p->s3, "GetObject nth=1 truncate=2000000");
    good(p, haul_get_file(p->store, &big, path, &p->err));
    umask(mask);
    assert_file(path, data, SIZE);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(temp_count(folder), 1);
    put(p, "big", "");
    good(p, haul_get_file(p->store, &big, path, &p->err));
    assert_file(path, "", 0);
    free(path);
    free(data);
    temp_remove(folder);
}

/* Case 28. */
static void an_older_file_stays_when_getting_fails(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *path = temp_write_text(folder, "old", "old text");
    struct haul_request none = { .key = "none" };
    assert_null(haul_get_file(p->store, &none, path, &p->err));
    assert_int_equal(p->err.http_status, 404);
    put(p, "big", "new text, cut each time");
    s3_fault(p->s3, "GetObject always truncate=5");
    assert_null(haul_get_file(p->store, &big, path, &p->err));
    assert_file(path, "old text", 8);
    assert_int_equal(temp_count(folder), 1);
    free(path);
    temp_remove(folder);
}

struct exchange {
    struct shop *shop;
    const char *text;
};

/* Puts another object while the second attempt hangs at the gate. */
static void *exchange_at_the_gate(void *payload)
{
    const struct exchange *x = payload;
    struct shop other = *x->shop;
    other.store = new_store(&other, (struct haul_client_options){ .retries = 3 });
    s3_wait_at(other.s3, "g", 1);
    put(&other, "big", x->text);
    s3_open(other.s3, "g");
    haul_store_free(other.store);
    return NULL;
}

static void an_object_that_is_replaced_between_attempts_leaves_no_old_bytes(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *path = temp_path(folder, "a"), *got;
    size_t len;
    for (int i = 0; i < 4; i++) {
        struct exchange x = { p, i < 3 ? "" : "a long text that begins as well" };
        put(p, "big", "a long text that is cut, at ten");
        s3_clear(p->s3);
        s3_fault(p->s3, "GetObject nth=1 truncate=10\nGetObject nth=2 gate=g");
        pthread_t other = begin_thread(exchange_at_the_gate, &x);
        if (i == 0) {
            good(p, haul_get_file(p->store, &big, path, &p->err));
            assert_file(path, "", 0);
        } else if (i == 1) {
            good(p, haul_get_memory(p->store, &big, 100, &got, &len, &p->err));
            assert_string_equal(got, "");
            free(got);
        } else { /* what is written can't be taken back */
            int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
            assert_null(haul_get_fd(p->store, &big, fd, &p->err));
            assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
            close(fd);
        }
        pthread_join(other, NULL);
    }
    free(path);
    temp_remove(folder);
}

static void a_link_is_followed_to_the_file_that_is_replaced(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *path = temp_write_text(folder, "file", "old");
    char *link = temp_path(folder, "link"), *far = temp_path(folder, "far");
    struct stat st;
    put(p, "big", "new");
    assert_int_equal(symlink("file", link), 0);
    assert_int_equal(symlink(link, far), 0);
    good(p, haul_get_file(p->store, &big, far, &p->err));
    assert_file(path, "new", 3);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(path), 0); /* a link that leads to nothing yet */
    good(p, haul_get_file(p->store, &big, link, &p->err));
    assert_file(path, "new", 3);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("link", path), 0); /* and one in a circle */
    assert_null(haul_get_file(p->store, &big, far, &p->err));
    assert_int_equal(p->err.sys_errno, ELOOP);
    free(far);
    free(link);
    free(path);
    temp_remove(folder);
}

static void a_destination_that_can_t_be_is_refused(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *path = temp_path(folder, "none/file"), name[400];
    put(p, "big", "text");
    assert_null(haul_get_file(p->store, &big, folder, &p->err));
    assert_int_equal(p->err.sys_errno, EISDIR);
    assert_null(haul_get_file(p->store, &big, path, &p->err));
    assert_int_equal(p->err.sys_errno, ENOENT);
    assert_null(haul_get_file(p->store, &big, "", &p->err));
    assert_int_equal(p->err.code, HAUL_LOCAL);
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_null(haul_get_file(p->store, &big, name, &p->err));
    assert_int_equal(p->err.sys_errno, ENAMETOOLONG);
    assert_int_equal(s3_count(p->s3, "GetObject"), 0);
    free(path);
    temp_remove(folder);
}

static void a_fifo_is_written_to_as_the_bytes_come(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    struct reader r = { .path = path };
    struct stat st;
    begin_reading(&r);
    s3_fault(p->s3, "GetObject nth=1 truncate=2000000");
    good(p, haul_get_file(p->store, &big, path, &p->err));
    assert_read(&r, data, SIZE);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(temp_count(folder), 1);
    free(path);
    free(data);
    temp_remove(folder);
}

static void a_name_of_a_descriptor_is_written_to_and_not_replaced(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *path = temp_write_text(folder, "a", ""), name[64];
    struct stat before, after;
    int fd = open(path, O_RDWR);
    put(p, "big", "text");
    assert_int_equal(fstat(fd, &before), 0);
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    good(p, haul_get_file(p->store, &big, name, &p->err));
    assert_file(path, "text", 4);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    close(fd);
    free(path);
    temp_remove(folder);
}

static void a_disk_without_room_is_found_before_the_bytes_come(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE), *folder = temp_make();
    char *path = temp_path(folder, "a");
    rlim_t before = limit_set(RLIMIT_FSIZE, SIZE - 1);
    assert_null(haul_get_file(p->store, &big, path, &p->err));
    limit_set(RLIMIT_FSIZE, before);
    assert_int_equal(p->err.code, HAUL_LOCAL);
    assert_int_equal(p->err.sys_errno, EFBIG);
    assert_non_null(strstr(p->err.text, path));
    assert_int_equal(temp_count(folder), 0);
    assert_int_equal(s3_count(p->s3, "GetObject"), 1);
    free(path);
    free(data);
    temp_remove(folder);
}

/* ---- Descriptors ---- */

static void each_byte_is_written_once_however_often_it_came(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "big", SIZE);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    struct reader r = { .fd = ends[0] };
    begin_reading(&r);
    s3_fault(p->s3, "GetObject nth=1 truncate=2000000\nGetObject nth=2 truncate=500000\n"
                    "GetObject nth=3 reset-mid-body=2500000");
    good(p, haul_get_fd(p->store, &big, ends[1], &p->err));
    close(ends[1]);
    assert_read(&r, data, SIZE);
    free(data);
}

/* With the bytes that are on their way to a pipe already: what is another object, by its ETag,
 * by its bytes alone, or by its length. */
static void a_retry_never_goes_on_with_another_object(void **state)
{
    static const char *const faults[] = {
        "GetObject nth=1 truncate=1000000\nGetObject nth=2 replace-object",
        ("GetObject always etag=\"x\"\n"
         "GetObject nth=1 truncate=1000000\nGetObject nth=2 replace-object"),
        "GetObject nth=1 truncate=1000000\nGetObject always no-etag",
    };
    struct shop *p = *state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char *data = stored(p->base, "big", SIZE);
        int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        s3_clear(p->s3);
        s3_fault(p->s3, faults[i]);
        assert_null(haul_get_fd(p->store, &big, fd, &p->err));
        assert_int_equal(p->err.code, HAUL_BAD_REPLY);
        assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
        assert_true(lseek(fd, 0, SEEK_CUR) > 0);
        close(fd);
        free(data);
    }
}

/* Found at the end of the first attempt, when the bytes are written already. */
static void what_was_damaged_on_its_way_is_not_passed_for_right(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "big", .checksum = HAUL_CRC32C };
    char *folder = temp_make(), *path = temp_path(folder, "a");
    good(p, haul_put_string(p->store, &r, "some text", &p->err));
    s3_fault(p->s3, "GetObject nth=1 flip-bit=3");
    good(p, haul_get_file(p->store, &r, path, &p->err));
    assert_file(path, "some text", 9);
    s3_fault(p->s3, "GetObject nth=1 flip-bit=3");
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    assert_null(haul_get_fd(p->store, &r, fd, &p->err));
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    close(fd);
    free(path);
    temp_remove(folder);
}

static void a_reader_that_is_gone_is_an_error_and_no_signal(void **state)
{
    struct shop *p = *state;
    int ends[2];
    put(p, "big", "text");
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    signal(SIGPIPE, SIG_DFL);
    assert_null(haul_get_fd(p->store, &big, ends[1], &p->err));
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(p->err.code, HAUL_LOCAL);
    assert_int_equal(p->err.sys_errno, EPIPE);
    close(ends[1]);
}

struct stopper {
    struct haul_store *store;
    int pipe;
};

/* Once nothing more fits into the pipe, which may be before it holds as many bytes as it has
 * room for: its pages need not be full. */
static void *stop_when_full(void *payload)
{
    struct stopper *s = payload;
    while (poll(&(struct pollfd){ s->pipe, POLLOUT, 0 }, 1, 0) != 0)
        continue;
    haul_store_stop(s->store);
    return NULL;
}

static void waiting_for_a_reader_can_be_stopped(void **state)
{
    static const int flags[] = { O_NONBLOCK, 0 };
    struct shop *p = *state;
    free(stored(p->base, "big", SIZE));
    for (size_t i = 0; i < 2; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(fcntl(ends[1], F_SETFL, flags[i]), 0);
        struct stopper s = { new_store(p, (struct haul_client_options){ 0 }), ends[1] };
        pthread_t other = begin_thread(stop_when_full, &s);
        assert_null(haul_get_fd(s.store, &big, ends[1], &p->err));
        assert_int_equal(p->err.code, HAUL_CANCELLED);
        pthread_join(other, NULL);
        haul_store_free(s.store);
        close(ends[0]);
        close(ends[1]);
    }
}

static void a_condition_that_fails_writes_nothing(void **state)
{
    struct shop *p = *state;
    char *folder = temp_make(), *path = temp_path(folder, "a"), etag[64];
    put(p, "big", "text");
    snprintf(etag, sizeof etag, "%s", good(p, haul_head(p->store, &big, &p->err))->etag);
    struct haul_request r = { .key = "big", .if_none_match = etag };
    assert_null(haul_get_file(p->store, &r, path, &p->err));
    assert_int_equal(p->err.http_status, 304);
    assert_int_equal(temp_count(folder), 0);
    free(path);
    temp_remove(folder);
}

/* A page that comes with status 200 is not the object. */
static void what_is_no_object_is_not_taken_for_one(void **state)
{
    static const char *const faults[] = { "* always empty-200", "* always error-200=SlowDown" };
    struct shop *p = *state;
    struct haul_request r = { .key = "k", .tries = 1 };
    char *data;
    size_t len;
    put(p, "k", "text");
    for (size_t i = 0; i < 2; i++) {
        s3_fault(p->s3, faults[i]);
        assert_null(haul_get_memory(p->store, &r, 1000, &data, &len, &p->err));
        assert_int_equal(p->err.code, HAUL_BAD_REPLY);
        assert_null(haul_head(p->store, &r, &p->err));
        assert_int_equal(p->err.code, HAUL_BAD_REPLY);
        s3_clear(p->s3);
    }
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(what_is_no_object_is_not_taken_for_one),
        ONE(an_object_is_got_into_memory),
        ONE(a_range_that_ends_behind_the_object_is_asked_for_once),
        ONE(memory_has_a_cap),
        ONE(a_key_may_stand_in_the_last_result),
        ONE(memory_holds_the_last_attempt_alone),
        ONE(an_object_is_got_into_a_new_file),
        ONE(an_older_file_stays_when_getting_fails),
        ONE(an_object_that_is_replaced_between_attempts_leaves_no_old_bytes),
        ONE(a_link_is_followed_to_the_file_that_is_replaced),
        ONE(a_destination_that_can_t_be_is_refused),
        ONE(a_fifo_is_written_to_as_the_bytes_come),
        ONE(a_name_of_a_descriptor_is_written_to_and_not_replaced),
        ONE(a_disk_without_room_is_found_before_the_bytes_come),
        ONE(each_byte_is_written_once_however_often_it_came),
        ONE(a_retry_never_goes_on_with_another_object),
        ONE(what_was_damaged_on_its_way_is_not_passed_for_right),
        ONE(a_reader_that_is_gone_is_an_error_and_no_signal),
        ONE(waiting_for_a_reader_can_be_stopped),
        ONE(a_condition_that_fails_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
