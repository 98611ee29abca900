/* Each operation against a server that behaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_fixture.h"

static void an_object_comes_back_as_it_was_put(void **state)
{
    struct fixture *f = *state;
    const size_t size = 3 * MIB + 17;
    char *data = some_bytes(size);
    struct source from = { .data = data };
    struct sink to = { .data = NULL };
    struct haul_request put = put_of(f, "a/b", &from, size), get = get_of(f, "a/b", &to),
                        head = request(f, HAUL_HEAD_OBJECT, "a/b");
    put.token = "who-wrote-it";
    put.content_type = "text/x";

    struct end e = succeed(f, &put);
    char etag[64];
    strcpy(etag, e.etag);
    assert_int_equal(etag[0], '"');
    assert_int_equal(e.result.attempts, 1);
    assert_int_equal(e.result.bytes_sent, size);
    assert_false(e.result.maybe_repeated);
    assert_int_equal(from.beginnings, 2); /* once for the hash */

    e = succeed(f, &head);
    assert_int_equal(e.result.size, size);
    assert_string_equal(e.etag, etag);
    assert_string_equal(e.token, "who-wrote-it");
    assert_true(e.result.modified_ms > 0);
    assert_true(e.result.server_ms >= e.result.modified_ms);

    e = succeed(f, &get);
    assert_int_equal(e.result.size, size);
    assert_int_equal(e.result.bytes_received, size);
    assert_string_equal(e.etag, etag);
    assert_string_equal(e.token, "who-wrote-it");
    assert_int_equal(to.len, size);
    assert_memory_equal(to.data, data, size);
    assert_int_equal(to.beginnings, 1);
    free(to.data);
    free(data);
}

static void an_unsigned_body_is_read_once(void **state)
{
    struct fixture *f = *state;
    char *data = some_bytes(MIB);
    struct source from = { .data = data };
    struct haul_request put = put_of(f, "k", &from, MIB);
    succeed(f, &put);
    assert_int_equal(from.beginnings, 1);
    assert_stored(f, "k", data, MIB);
    free(data);
}

static void an_empty_object_comes_back_empty(void **state)
{
    struct fixture *f = *state;
    struct haul_request put = request(f, HAUL_PUT_OBJECT, "empty");
    struct end e = succeed(f, &put);
    assert_string_equal(e.etag, "\"d41d8cd98f00b204e9800998ecf8427e\"");
    assert_stored(f, "empty", "", 0);
}

static void a_range_brings_its_bytes_and_the_whole_size(void **state)
{
    struct fixture *f = *state;
    char *data = stored(f, "k", MIB);
    static const struct haul_range ranges[] = { { 0, 1 }, { MIB - 1, 1 }, { 0, MIB },
        { 12345, 700000 } };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct sink to = { .data = NULL };
        struct haul_request get = get_of(f, "k", &to);
        get.range = ranges[i];
        struct end e = succeed(f, &get);
        assert_int_equal(e.result.size, MIB);
        assert_int_equal(to.len, ranges[i].len);
        assert_memory_equal(to.data, data + ranges[i].start, to.len);
        free(to.data);
    }
    free(data);
}

/* Case 41. */
static void keys_are_sent_exactly_as_they_are(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = { "a//b/../c", "..", ".", "/lead", "tail/", "a b+c%2Fd",
        "?x=1&y#z", "~*()'!\"<>;:@,$", "\303\274/\342\202\254/\360\237\230\200", "\001\t\n" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct source from = { .data = keys[i] };
        struct haul_request put = put_of(f, keys[i], &from, strlen(keys[i]));
        succeed(f, &put);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char row[128];
        struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
        list.prefix = keys[i];
        struct end e = succeed(f, &list);
        snprintf(row, sizeof row, "%s0:%zu\n", keys[i], strlen(keys[i]));
        if (strstr(e.rows, row) == NULL)
            fail_msg("%s is not in %s", keys[i], e.rows);
        assert_stored(f, keys[i], keys[i], strlen(keys[i]));
    }
}

static void a_listing_goes_on_page_by_page(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = { "a", "p/1", "p/2", "p/3", "p/4", "q" };
    char all[2048] = "", continuation[512] = "";
    unsigned pages = 0;
    for (size_t i = 0; i < 6; i++)
        free(stored(f, keys[i], i));
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    list.prefix = "p/";
    list.start_after = "p/1";
    list.max_entries = 2;
    do {
        struct end e = succeed(f, &list);
        strcat(all, e.rows);
        assert_int_equal(e.result.listing.truncated, *e.continuation != '\0');
        strcpy(continuation, e.continuation);
        list.continuation = continuation;
        list.start_after = NULL;
        pages++;
    } while (*continuation != '\0');
    assert_string_equal(all, "p/20:2\np/30:3\np/40:4\n");
    assert_int_equal(pages, 2);
}

static void a_deleted_object_is_gone(void **state)
{
    struct fixture *f = *state;
    free(stored(f, "k", 1));
    struct haul_request del = request(f, HAUL_DELETE_OBJECT, "k"),
                        head = request(f, HAUL_HEAD_OBJECT, "k"),
                        bucket = request(f, HAUL_HEAD_BUCKET, NULL);
    succeed(f, &del);
    succeed(f, &del);
    assert_int_equal(perform(f, &head).error.http_status, 404);
    succeed(f, &bucket);
}

static void an_upload_in_parts_becomes_one_object(void **state)
{
    struct fixture *f = *state;
    char id[64], etags[3][64];
    char *data = some_bytes(3 * MIB);
    struct haul_part parts[3];
    begin_upload(f, "big", id);
    for (unsigned n = 3; n > 0; n--) {
        struct source from = { .data = data + (n - 1) * MIB };
        struct haul_request part = put_of(f, "big", &from, MIB);
        part.operation = HAUL_UPLOAD_PART;
        part.upload_id = id;
        part.part_number = n;
        strcpy(etags[n - 1], succeed(f, &part).etag);
        parts[n - 1] = (struct haul_part){ .number = n, .etag = etags[n - 1] };
    }
    struct haul_request list = request(f, HAUL_LIST_PARTS, "big");
    list.upload_id = id;
    list.max_entries = 2;
    struct end e = succeed(f, &list);
    assert_string_equal(e.rows, "1:1048576\n2:1048576\n");
    assert_true(e.result.listing.truncated);
    list.part_number = e.result.listing.next_part;
    assert_string_equal(succeed(f, &list).rows, "3:1048576\n");

    struct haul_request uploads = request(f, HAUL_LIST_UPLOADS, NULL),
                        complete = request(f, HAUL_COMPLETE_UPLOAD, "big"),
                        head = request(f, HAUL_HEAD_OBJECT, "big");
    assert_string_equal(succeed(f, &uploads).rows, "big0:0\n");
    complete.upload_id = id;
    complete.parts = parts;
    complete.part_count = 3;
    char etag[64];
    strcpy(etag, succeed(f, &complete).etag);
    assert_non_null(strstr(etag, "-3\""));
    e = succeed(f, &head);
    assert_string_equal(e.etag, etag);
    assert_string_equal(e.token, "tok");
    assert_stored(f, "big", data, 3 * MIB);
    assert_string_equal(succeed(f, &uploads).rows, "");
    free(data);
}

static void an_aborted_upload_has_to_begin_again(void **state)
{
    struct fixture *f = *state;
    char id[64];
    begin_upload(f, "big", id);
    struct haul_request abort = request(f, HAUL_ABORT_UPLOAD, "big"),
                        uploads = request(f, HAUL_LIST_UPLOADS, NULL);
    abort.upload_id = id;
    succeed(f, &abort);
    assert_string_equal(succeed(f, &uploads).rows, "");
    struct source from = { .data = "x" };
    struct haul_request part = put_of(f, "big", &from, 1);
    part.operation = HAUL_UPLOAD_PART;
    part.upload_id = id;
    part.part_number = 1;
    struct end e = perform(f, &part);
    assert_string_equal(e.error.aws_code, "NoSuchUpload");
    assert_int_equal(e.error.retry, HAUL_RETRY_FROM_START);
    assert_int_equal(e.result.attempts, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_object_comes_back_as_it_was_put),
        cmocka_unit_test_setup_teardown(an_unsigned_body_is_read_once, make_unsigned, clear),
        TEST(an_empty_object_comes_back_empty),
        TEST(a_range_brings_its_bytes_and_the_whole_size),
        TEST(keys_are_sent_exactly_as_they_are),
        TEST(a_listing_goes_on_page_by_page),
        TEST(a_deleted_object_is_gone),
        TEST(an_upload_in_parts_becomes_one_object),
        TEST(an_aborted_upload_has_to_begin_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
