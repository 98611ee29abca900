/* chunked.c as a body: how long it is, that it may be read in any pieces, again and after a
 * failure. What stands in it, the cases of test_sigv4.c hold against Amazon's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chunked.h"

#define NEVER UINT64_MAX

/* A source that counts what is asked of it, and fails once. */
struct source {
    uint64_t seed;
    size_t step;      /* at most so many bytes a read; 0: all */
    uint64_t fail_at; /* the read that covers this byte fails, once */
    int cause;        /* its errno; 0: the source ends there */
    uint64_t given;   /* bytes */
};

static char byte_at(const struct source *s, uint64_t i)
{
    return (char) ((i + s->seed) * 2654435761U >> 13);
}

static ssize_t read_source(void *payload, uint64_t offset, void *data, size_t len)
{
    struct source *s = payload;
    if (s->step > 0 && len > s->step)
        len = s->step;
    if (s->fail_at >= offset && s->fail_at < offset + len) {
        s->fail_at = NEVER;
        errno = s->cause;
        return s->cause == 0 ? 0 : -1;
    }
    for (size_t i = 0; i < len; i++)
        ((char *) data)[i] = byte_at(s, offset + i);
    s->given += len;
    return (ssize_t) len;
}

static struct chunked *make(struct source *s, uint64_t size)
{
    struct sigv4_key key = { "a key of 32 bytes, all the same" };
    struct sigv4_request r = { .time = "20260131T235959Z",
        .region = "eu-central-1",
        .service = "s3",
        .signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9" };
    struct haul_body body = { size > 0 ? read_source : NULL, s, size };
    struct chunked *c = chunked_new(&body, &r, &key);
    assert_non_null(c);
    return c;
}

/* All of the stream from `start` on, in pieces of at most `piece` bytes. The caller frees it.
 */
static char *read_all(struct chunked *c, uint64_t start, size_t piece)
{
    struct haul_body stream = chunked_body(c);
    char *text = malloc(stream.size - start + 1);
    assert_non_null(text);
    for (uint64_t at = start; at < stream.size;) {
        size_t want = stream.size - at < piece ? (size_t) (stream.size - at) : piece;
        ssize_t got = stream.read(stream.payload, at, text + (at - start), want);
        assert_in_range(got, 1, want);
        at += (uint64_t) got;
    }
    text[stream.size - start] = '\0';
    return text;
}

static void the_length_is_known_before_anything_is_read(void **state)
{
    (void) state;
    const struct {
        uint64_t body, stream;
    } sizes[] = {
        { 0, 86 },
        { 1, 1 + 86 + 86 },
        { 65535, 65535 + 89 + 86 },
        { 65536, 65536 + 90 + 86 },
        { 65537, 65536 + 90 + 1 + 86 + 86 },
        { 66560, 66824 },
        { (uint64_t) 5 << 30, ((uint64_t) 5 << 30) + (81920 * (uint64_t) 90) + 86 },
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_int_equal(chunked_size(sizes[i].body), sizes[i].stream);
}

static void the_stream_is_as_long_as_was_said(void **state)
{
    (void) state;
    const uint64_t sizes[] = { 0, 1, 15, 16, 4095, 4096, 65535, 65536, 65537, 131072, 200000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct source s = { .fail_at = NEVER };
        struct chunked *c = make(&s, sizes[i]);
        char *text = read_all(c, 0, SIZE_MAX);
        const char *end = "0;chunk-signature=";
        size_t final = (size_t) chunked_size(0), len = (size_t) chunked_body(c).size;
        assert_memory_equal(text + len - final, end, strlen(end));
        assert_memory_equal(text + len - 4, "\r\n\r\n", 4);
        assert_int_equal(s.given, sizes[i]);
        free(text);
        chunked_free(c);
    }
}

static void any_pieces_give_the_same_stream(void **state)
{
    (void) state;
    const size_t pieces[] = { 1, 7, 88, 4096, 65536, 65626, 1000000 };
    struct source s = { .fail_at = NEVER };
    struct chunked *c = make(&s, 200000);
    char *whole = read_all(c, 0, SIZE_MAX);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        s = (struct source){ .fail_at = NEVER, .step = pieces[i] };
        struct chunked *again = make(&s, 200000);
        char *text = read_all(again, 0, pieces[i]);
        assert_memory_equal(text, whole, chunked_size(200000));
        assert_int_equal(s.given, 200000);
        free(text);
        chunked_free(again);
    }
    free(whole);
    chunked_free(c);
}

static void a_rewind_gives_the_same_stream(void **state)
{
    (void) state;
    const uint64_t starts[] = { 0, 1, 65625, 65626, 150000, 200000, 10, 0 };
    struct source s = { .fail_at = NEVER };
    struct chunked *c = make(&s, 200000);
    char *whole = read_all(c, 0, SIZE_MAX);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        char *text = read_all(c, starts[i], 4096);
        assert_memory_equal(text, whole + starts[i], chunked_size(200000) - starts[i]);
        free(text);
    }
    free(whole);
    chunked_free(c);
}

static void every_signature_covers_what_came_before(void **state)
{
    (void) state;
    struct source s = { .fail_at = NEVER }, other = { .fail_at = NEVER, .seed = 1 };
    struct chunked *c = make(&s, 65537), *d = make(&other, 65537);
    char *text = read_all(c, 0, SIZE_MAX), *otherwise = read_all(d, 0, SIZE_MAX);
    size_t len = (size_t) chunked_size(65537), final = (size_t) chunked_size(0);
    assert_memory_not_equal(text + len - final, otherwise + len - final, final);
    free(text);
    free(otherwise);
    chunked_free(c);
    chunked_free(d);
}

static void a_source_that_fails_is_reported_and_can_be_asked_again(void **state)
{
    (void) state;
    const uint64_t places[] = { 0, 65535, 65536, 100000, 199999 };
    const int causes[] = { 0, EIO };
    struct source s = { .fail_at = NEVER };
    struct chunked *c = make(&s, 200000);
    char *whole = read_all(c, 0, SIZE_MAX);
    for (size_t i = 0; i < 2 * sizeof places / sizeof *places; i++) {
        s = (struct source){ .fail_at = places[i / 2], .cause = causes[i % 2], .step = 5000 };
        struct chunked *failing = make(&s, 200000);
        struct haul_body stream = chunked_body(failing);
        char piece[1000];
        uint64_t at = 0;
        ssize_t got = 1;
        errno = 0;
        for (; got > 0; at += got > 0 ? (uint64_t) got : 0)
            got = stream.read(stream.payload, at, piece, sizeof piece);
        assert_int_equal(got, causes[i % 2] == 0 ? 0 : -1);
        assert_int_equal(errno, causes[i % 2]);
        uint64_t made = places[i / 2] / CHUNKED_DATA_BYTES * 65626;
        assert_int_equal(at, made - made % sizeof piece);
        uint64_t before = at > 0 ? at - 65000 : 0; /* in the chunk in hand */
        char *rest = read_all(failing, before, 3000);
        assert_memory_equal(rest, whole + before, chunked_size(200000) - before);
        free(rest);
        chunked_free(failing);
    }
    free(whole);
    chunked_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_length_is_known_before_anything_is_read),
        cmocka_unit_test(the_stream_is_as_long_as_was_said),
        cmocka_unit_test(any_pieces_give_the_same_stream),
        cmocka_unit_test(a_rewind_gives_the_same_stream),
        cmocka_unit_test(every_signature_covers_what_came_before),
        cmocka_unit_test(a_source_that_fails_is_reported_and_can_be_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
