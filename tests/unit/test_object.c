/* object.c: the calls that are one request, and deletion of many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

/* ---- One object ---- */

static void what_is_put_is_what_get_brings(void **state)
{
    struct shop *p = *state;
    static const char data[] = "one\0two";
    struct haul_request r = { .key = "a b/c+d.html" };
    good(p, haul_put_memory(p->store, &r, data, sizeof data, &p->err));
    struct sink sink = { .data = NULL };
    r.sink = (struct haul_sink){ write_sink, &sink };
    const struct haul_result *got = good(p, haul_get(p->store, &r, &p->err));
    assert_int_equal(got->size, sizeof data);
    assert_string_equal(haul_result_header(got, "content-type"), "text/html");
    assert_int_equal(sink.len, sizeof data);
    assert_memory_equal(sink.data, data, sizeof data);
    r.range = (struct haul_range){ 4, 3 };
    good(p, haul_get(p->store, &r, &p->err));
    assert_int_equal(sink.len, 3);
    assert_memory_equal(sink.data, "two", 3);
    free(sink.data);
}

static void a_body_of_ones_own_is_put(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a", .body = haul_body_string("mine") };
    good(p, haul_put(p->store, &r, &p->err));
    assert_text(p, "a", "mine");
    r.body = (struct haul_body){ .size = 0 };
    good(p, haul_put(p->store, &r, &p->err));
    assert_text(p, "a", "");
}

static void head_tells_what_stands_beside_the_bytes(void **state)
{
    struct shop *p = *state;
    struct haul_pair owner = { "Owner", "me" };
    struct haul_request r = { .key = "a",
        .content_type = "text/x",
        .metadata = { &owner, 1 },
        .cache_control = "private" };
    good(p, haul_put_string(p->store, &r, "text", &p->err));
    const struct haul_result *head = good(p, haul_head(p->store, &r, &p->err));
    assert_int_equal(head->size, 4);
    assert_string_equal(haul_result_header(head, "content-type"), "text/x");
    assert_string_equal(haul_result_header(head, "cache-control"), "private");
    assert_string_equal(haul_result_header(head, "x-amz-meta-owner"), "me");
}

static void a_condition_that_says_not_modified_is_an_error_of_304(void **state)
{
    struct shop *p = *state;
    put(p, "a", "text");
    struct haul_request r = { .key = "a" };
    r.if_none_match = good(p, haul_head(p->store, &r, &p->err))->etag;
    assert_null(haul_get(p->store, &r, &p->err));
    assert_int_equal(p->err.http_status, 304);
}

static void an_object_is_written_only_where_none_stands(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a", .if_none_match = "*" };
    good(p, haul_put_string(p->store, &r, "first", &p->err));
    assert_null(haul_put_string(p->store, &r, "second", &p->err));
    assert_int_equal(p->err.http_status, 412);
    assert_text(p, "a", "first");
}

/* Case 10. */
static void a_conflict_after_a_lost_reply_may_be_our_own_object(void **state)
{
    static const struct {
        const char *token, *there; /* an object's token, before; NULL: there is none */
        bool ours;
    } cases[] = { { "t-1", NULL, true }, { "t-1", "t-2", false }, { NULL, NULL, false } };
    struct shop *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_request r = { .key = "a", .if_none_match = "*", .token = cases[i].token };
        struct haul_request other = { .key = "a", .token = cases[i].there };
        good(p, haul_delete(p->store, &other, &p->err));
        if (cases[i].there != NULL)
            good(p, haul_put_string(p->store, &other, "text", &p->err));
        s3_fault(p->s3, "PutObject nth=1 drop-after");
        const struct haul_result *result = haul_put_string(p->store, &r, "text", &p->err);
        if (cases[i].ours)
            assert_string_equal(good(p, result)->token, cases[i].token);
        else
            assert_null(result);
        if (!cases[i].ours)
            assert_int_equal(p->err.http_status, 412);
    }
}

static void deleting_what_is_not_there_succeeds(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a" };
    put(p, "a", "text");
    good(p, haul_delete(p->store, &r, &p->err));
    assert_missing(p, "a");
    good(p, haul_delete(p->store, &r, &p->err));
}

static void tags_are_replaced_as_a_whole(void **state)
{
    struct shop *p = *state;
    static const struct haul_pair two[] = { { "a", "1 & <2>" }, { "b", "" } };
    struct haul_request r = { .key = "a", .tags = { two, 2 } };
    put(p, "a", "text");
    good(p, haul_put_tags(p->store, &r, &p->err));
    const struct haul_result *got = good(p, haul_get_tags(p->store, &r, &p->err));
    assert_int_equal(got->tags.count, 2);
    assert_string_equal(got->tags.pairs[0].name, "a");
    assert_string_equal(got->tags.pairs[0].value, "1 & <2>");
    assert_string_equal(got->tags.pairs[1].name, "b");
    assert_string_equal(got->tags.pairs[1].value, "");
    r.tags.count = 0;
    good(p, haul_put_tags(p->store, &r, &p->err));
    assert_int_equal(good(p, haul_get_tags(p->store, &r, &p->err))->tags.count, 0);
}

static void a_server_that_answers_with_nothing_knows_no_tags(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "a" };
    put(p, "a", "text");
    s3_fault(p->s3, "GetObjectTagging always empty-200\n");
    assert_int_equal(good(p, haul_get_tags(p->store, &r, &p->err))->tags.count, 0);
}

static void buckets_come_and_go(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .bucket = "another" };
    good(p, haul_head_bucket(p->store, NULL, &p->err));
    assert_null(haul_head_bucket(p->store, &r, &p->err));
    assert_int_equal(p->err.http_status, 404);
    good(p, haul_create_bucket(p->store, &r, &p->err));
    good(p, haul_head_bucket(p->store, &r, &p->err));
    good(p, haul_delete_bucket(p->store, &r, &p->err));
    assert_null(haul_head_bucket(p->store, &r, &p->err));
}

/* ---- Many ---- */

#define MANY 2500

struct many {
    char keys[MANY][16];
    struct haul_victim victims[MANY];
};

static struct many *make_many(void)
{
    struct many *m = calloc(1, sizeof *m);
    assert_non_null(m);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(m->keys[i], sizeof m->keys[i], "key-%04u", i);
        m->victims[i].key = m->keys[i];
    }
    return m;
}

struct failures {
    struct shop *shop;
    unsigned count;
    char last[64];
};

static void on_failed(void *payload, const struct haul_entry *e)
{
    struct failures *f = payload;
    struct haul_request r = { .key = e->key };
    assert_int_equal(e->kind, HAUL_DELETE_FAILED);
    f->count++;
    good(f->shop, haul_head(f->shop->store, &r, &f->shop->err)); /* it is there still */
    snprintf(f->last, sizeof f->last, "%s %s", e->key, e->aws_code);
}

static int64_t delete_many(struct shop *p, const struct many *m, struct failures *f)
{
    *f = (struct failures){ .shop = p };
    return haul_delete_many(p->store, NULL, m->victims, MANY, on_failed, f, &p->err);
}

static void many_keys_go_a_thousand_at_a_time(void **state)
{
    struct shop *p = *state;
    struct many *m = make_many();
    struct failures f;
    put(p, "key-0000", "x");
    put(p, "key-2499", "x");
    put(p, "other", "x");
    assert_int_equal(delete_many(p, m, &f), 0);
    assert_int_equal(s3_count(p->s3, "DeleteObjects"), 3);
    assert_missing(p, "key-0000");
    assert_missing(p, "key-2499");
    assert_text(p, "other", "x");
    free(m);
}

static void each_key_that_stays_is_told(void **state)
{
    struct shop *p = *state;
    struct many *m = make_many();
    struct failures f;
    put(p, "key-0999", "x");
    put(p, "key-1999", "x");
    s3_fault(p->s3, "DeleteObjects always deny-key=999\n");
    assert_int_equal(delete_many(p, m, &f), 2);
    assert_int_equal(f.count, 2);
    assert_string_equal(f.last, "key-1999 AccessDenied");
    assert_int_equal(
        haul_delete_many(p->store, NULL, m->victims, MANY, NULL, NULL, &p->err), 2);
    free(m);
}

static void a_batch_whose_reply_is_lost_is_sent_again(void **state)
{
    struct shop *p = *state;
    struct many *m = make_many();
    struct failures f;
    put(p, "key-0001", "x");
    s3_fault(p->s3, "DeleteObjects nth=1 drop-after\n");
    assert_int_equal(delete_many(p, m, &f), 0);
    assert_int_equal(s3_count(p->s3, "DeleteObjects"), 4);
    assert_missing(p, "key-0001");
    free(m);
}

static void a_batch_that_fails_as_a_whole_ends_it(void **state)
{
    struct shop *p = *state;
    struct many *m = make_many();
    struct failures f;
    put(p, "key-0001", "x");
    put(p, "key-1001", "x");
    s3_fault(p->s3, "DeleteObjects nth=2 status=403 code=AccessDenied\n");
    assert_int_equal(delete_many(p, m, &f), -1);
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_int_equal(s3_count(p->s3, "DeleteObjects"), 2);
    assert_missing(p, "key-0001");
    assert_text(p, "key-1001", "x");
    free(m);
}

static void no_keys_are_no_request(void **state)
{
    struct shop *p = *state;
    uint64_t before = s3_count(p->s3, "requests");
    assert_int_equal(haul_delete_many(p->store, NULL, NULL, 0, NULL, NULL, &p->err), 0);
    assert_int_equal(s3_count(p->s3, "requests"), before);
}

static void keys_may_stand_in_the_last_result(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS };
    struct haul_victim victims[1001];
    put(p, "a", "x");
    put(p, "b", "x");
    const struct haul_listing *page = &good(p, haul_perform(p->store, &r, &p->err))->listing;
    assert_int_equal(page->count, 2);
    for (size_t i = 0; i < 1001; i++) /* two batches */
        victims[i] = (struct haul_victim){ .key = page->entries[i % 2].key };
    assert_int_equal(haul_delete_many(p->store, NULL, victims, 1001, NULL, NULL, &p->err), 0);
    assert_missing(p, "a");
    assert_missing(p, "b");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_is_what_get_brings),
        TEST(a_body_of_ones_own_is_put),
        TEST(head_tells_what_stands_beside_the_bytes),
        TEST(a_condition_that_says_not_modified_is_an_error_of_304),
        TEST(an_object_is_written_only_where_none_stands),
        TEST(a_conflict_after_a_lost_reply_may_be_our_own_object),
        TEST(deleting_what_is_not_there_succeeds),
        TEST(tags_are_replaced_as_a_whole),
        TEST(a_server_that_answers_with_nothing_knows_no_tags),
        TEST(buckets_come_and_go),
        TEST(many_keys_go_a_thousand_at_a_time),
        TEST(each_key_that_stays_is_told),
        TEST(a_batch_whose_reply_is_lost_is_sent_again),
        TEST(a_batch_that_fails_as_a_whole_ends_it),
        TEST(no_keys_are_no_request),
        TEST(keys_may_stand_in_the_last_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
