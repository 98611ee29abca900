/* list.c: listings of several pages, with servers that err. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store_fixture.h"

#define LIST_ALL                                                                               \
    {                                                                                          \
        .operation = HAUL_LIST_OBJECTS, .max_entries = 2                                       \
    }

static struct haul_list *list(
    struct shop *p, struct haul_store *s, const struct haul_request *r)
{
    struct haul_list *l = haul_list_new(s, r, &p->err);
    if (l == NULL)
        fail_msg("%s", p->err.text);
    return l;
}

/* The next entry's key, "." at the end, "!" for a failure, which is in p->err. */
static const char *next(struct shop *p, struct haul_list *l)
{
    const struct haul_entry *e;
    int more = haul_list_next(l, &e, &p->err);
    return more < 0 ? "!" : more == 0 ? "." : e->key;
}

/* All that follows, each behind a blank. */
static const char *rest(struct shop *p, struct haul_list *l)
{
    static char text[4096];
    const char *key;
    *text = '\0';
    do {
        key = next(p, l);
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, " %s", key);
    } while (*key != '.' && *key != '!');
    return text;
}

static void put_all(struct shop *p, const char *letters)
{
    for (; *letters != '\0'; letters++)
        put(p, (char[]){ *letters, '\0' }, "x");
}

/* ---- What is there ---- */

static void every_page_is_read_in_order(void **state)
{
    struct shop *p = *state;
    struct haul_request r = LIST_ALL;
    put_all(p, "abcdefg");
    struct haul_list *l = list(p, p->store, &r);
    assert_string_equal(rest(p, l), " a b c d e f g .");
    assert_string_equal(next(p, l), ".");
    assert_int_equal(s3_count(p->s3, "ListObjectsV2"), 4);
    haul_list_free(l);
}

static void an_empty_bucket_has_no_entries(void **state)
{
    struct shop *p = *state;
    struct haul_request r = LIST_ALL;
    struct haul_list *l = list(p, p->store, &r);
    assert_null(haul_list_continuation(l));
    assert_string_equal(next(p, l), ".");
    assert_null(haul_list_continuation(l));
    haul_list_free(l);
}

static void a_page_is_asked_for_while_the_one_before_is_read(void **state)
{
    struct shop *p = *state;
    struct haul_request r = LIST_ALL;
    put_all(p, "abcde");
    struct haul_list *l = list(p, p->store, &r);
    assert_int_equal(s3_count(p->s3, "ListObjectsV2"), 0);
    assert_string_equal(next(p, l), "a");
    while (s3_count(p->s3, "ListObjectsV2") < 2)
        continue; /* it arrives without any call of ours */
    assert_string_equal(next(p, l), "b");
    assert_int_equal(s3_count(p->s3, "ListObjectsV2"), 2);
    haul_list_free(l);
}

static void the_store_may_be_used_between_entries(void **state)
{
    struct shop *p = *state;
    struct haul_request r = LIST_ALL;
    const struct haul_entry *e;
    int count = 0;
    put_all(p, "abcdefg");
    struct haul_list *l = list(p, p->store, &r);
    while (haul_list_next(l, &e, &p->err) > 0) {
        struct haul_request gone = { .key = e->key };
        good(p, haul_delete(p->store, &gone, &p->err));
        assert_string_equal(e->key, ((char[]){ (char) ('a' + count++), '\0' }));
    }
    haul_list_free(l);
    assert_int_equal(count, 7);
    l = list(p, p->store, &r);
    assert_string_equal(next(p, l), ".");
    haul_list_free(l);
}

static void a_saved_continuation_goes_on_in_another_store(void **state)
{
    struct shop *p = *state;
    struct haul_request r = LIST_ALL;
    put_all(p, "abcde");
    struct haul_list *l = list(p, p->store, &r);
    assert_null(haul_list_continuation(l));
    assert_string_equal(next(p, l), "a");
    char *token = strdup(haul_list_continuation(l));
    haul_list_free(l);

    struct haul_store *other = new_store(p, (struct haul_client_options){ .retries = 3 });
    r.continuation = token;
    l = list(p, other, &r);
    assert_string_equal(rest(p, l), " c d e .");
    assert_null(haul_list_continuation(l));
    haul_list_free(l);
    haul_store_free(other);
    free(token);
}

static void uploads_and_parts_are_listed_page_by_page(void **state)
{
    struct shop *p = *state;
    struct haul_request create = { .operation = HAUL_CREATE_UPLOAD };
    char id[128];
    for (const char *key = "aabbb"; *key != '\0'; key++) {
        create.key = (char[]){ *key, '\0' };
        snprintf(
            id, sizeof id, "%s", good(p, haul_perform(p->store, &create, &p->err))->upload_id);
    }
    struct haul_request r = { .operation = HAUL_LIST_UPLOADS, .max_entries = 2 };
    struct haul_list *l = list(p, p->store, &r);
    assert_string_equal(rest(p, l), " a a b b b .");
    haul_list_free(l);

    struct haul_request part = { .operation = HAUL_UPLOAD_PART,
        .key = "b",
        .upload_id = id,
        .body = haul_body_string("part") };
    for (part.part_number = 3; part.part_number < 12; part.part_number += 2)
        good(p, haul_perform(p->store, &part, &p->err));
    r = (struct haul_request){
        .operation = HAUL_LIST_PARTS, .key = "b", .upload_id = id, .max_entries = 2
    };
    const struct haul_entry *e;
    l = list(p, p->store, &r);
    for (unsigned number = 3; number < 12; number += 2) {
        assert_int_equal(haul_list_next(l, &e, &p->err), 1);
        assert_int_equal(e->part_number, number);
        assert_int_equal(e->size, 4);
    }
    assert_int_equal(haul_list_next(l, &e, &p->err), 0);
    haul_list_free(l);
}

static void only_listings_are_taken(void **state)
{
    struct shop *p = *state;
    for (enum haul_operation o = HAUL_HEAD_BUCKET; o <= HAUL_ANY; o++) {
        struct haul_request r = { .operation = o };
        struct haul_list *l = haul_list_new(p->store, &r, &p->err);
        bool lists = o == HAUL_LIST_BUCKETS || o == HAUL_LIST_OBJECTS ||
                     o == HAUL_LIST_VERSIONS || o == HAUL_LIST_PARTS || o == HAUL_LIST_UPLOADS;
        assert_int_equal(l != NULL, lists);
        if (l == NULL)
            assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
        haul_list_free(l);
    }
}

/* ---- Failures, and ends ahead of time ---- */

static void a_page_that_failed_can_be_tried_again(void **state)
{
    struct shop *p = *state;
    struct haul_request r = LIST_ALL;
    put_all(p, "abcde");
    s3_fault(p->s3, "ListObjectsV2 nth=1 status=403 code=AccessDenied\n"
                    "ListObjectsV2 nth=3 status=403 code=AccessDenied\n");
    struct haul_list *l = list(p, p->store, &r);
    assert_string_equal(next(p, l), "!");
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_string_equal(rest(p, l), " a b !");
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_string_equal(rest(p, l), " c d e .");
    haul_list_free(l);
}

static void a_request_that_is_wrong_fails_each_time(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .operation = HAUL_LIST_PARTS, .key = "a" };
    struct haul_list *l = list(p, p->store, &r);
    assert_string_equal(next(p, l), "!");
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    assert_string_equal(next(p, l), "!");
    haul_list_free(l);
}

static void a_list_is_freed_while_a_page_is_on_its_way(void **state)
{
    struct shop *p = *state;
    struct haul_request r = LIST_ALL;
    put_all(p, "abc");
    s3_fault(p->s3, "ListObjectsV2 nth=2 gate=held\n");
    struct haul_list *l = list(p, p->store, &r);
    assert_string_equal(next(p, l), "a");
    s3_wait_at(p->s3, "held", 1);
    haul_list_free(l); /* comes back at all */
    put(p, "d", "x");
    haul_list_free(NULL);
}

static void a_stopped_store_ends_a_list(void **state)
{
    struct shop *p = *state;
    struct haul_request r = LIST_ALL;
    put_all(p, "abc");
    s3_fault(p->s3, "ListObjectsV2 nth=2 gate=held\n");
    struct haul_list *l = list(p, p->store, &r);
    assert_string_equal(next(p, l), "a");
    s3_wait_at(p->s3, "held", 1);
    haul_store_stop(p->store);
    assert_string_equal(next(p, l), "!");
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_string_equal(next(p, l), "!");
    haul_list_free(l);
}

/* ---- Servers that lead astray ---- */

/* Answers one request after the other, on one connection, with pages[] from the beginning on;
 * when there are no more, with the last two in turn. */
struct liar {
    int fd;
    unsigned port;
    pthread_t thread;
    const char *const *pages;
    size_t count;
    struct haul_store *store;
};

static void answer(int peer, const char *page)
{
    char reply[4096];
    snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(page), page);
    (void) !write(peer, reply, strlen(reply));
}

static void *lie(void *payload)
{
    struct liar *x = payload;
    char heard[8192] = "";
    int peer = accept(x->fd, NULL, NULL);
    size_t len = 0, at = 0;
    ssize_t got;
    while ((got = read(peer, heard + len, sizeof heard - 1 - len)) > 0) {
        len += (size_t) got;
        heard[len] = '\0';
        if (strstr(heard, "\r\n\r\n") == NULL)
            continue;
        answer(peer, x->pages[at]);
        at += at + 1 < x->count ? 1 : x->count > 1 ? (size_t) -1 : 0;
        len = 0;
    }
    close(peer);
    return NULL;
}

static void start_liar(struct shop *p, struct liar *x)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    char url[64];
    x->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(x->fd, (struct sockaddr *) &at, sizeof at), 0);
    assert_int_equal(listen(x->fd, 1), 0);
    assert_int_equal(getsockname(x->fd, (struct sockaddr *) &at, &size), 0);
    x->thread = begin_thread(lie, x);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/" BUCKET, ntohs(at.sin_port));
    x->store = haul_store_new(url,
        &(struct haul_store_options){
            .endpoint.credentials = p->base->keys, .client.retries = HAUL_NO_RETRIES },
        &p->err);
    assert_non_null(x->store);
}

static void end_liar(struct liar *x)
{
    haul_store_free(x->store); /* and its connection */
    pthread_join(x->thread, NULL);
    close(x->fd);
}

#define PAGE(key, next)                                                                        \
    "<ListBucketResult><IsTruncated>true</IsTruncated>" next key "</ListBucketResult>"
#define KEY(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"
#define NEXT(token) "<NextContinuationToken>" token "</NextContinuationToken>"
#define LAST_PAGE(key)                                                                         \
    "<ListBucketResult><IsTruncated>false</IsTruncated>" key "</ListBucketResult>"

/* What a list over these pages yields; an error is in p->err. */
static const char *read_pages(struct shop *p, const char *const *pages, size_t count)
{
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS };
    struct liar x = { .pages = pages, .count = count };
    start_liar(p, &x);
    struct haul_list *l = list(p, x.store, &r);
    const char *all = rest(p, l);
    haul_list_free(l);
    end_liar(&x);
    return all;
}

/* Case 36. */
static void an_empty_page_is_no_end(void **state)
{
    static const char *const pages[] = { PAGE("", NEXT("1")), PAGE(KEY("a"), NEXT("2")),
        PAGE("", NEXT("3")), PAGE("", NEXT("4")), LAST_PAGE(KEY("b")) };
    assert_string_equal(read_pages(*state, pages, 5), " a b .");
}

/* Case 36. */
static void a_marker_that_comes_back_at_once_is_an_error(void **state)
{
    static const char *const pages[] = { PAGE(KEY("a"), NEXT("1")), PAGE(KEY("b"), NEXT("2")),
        PAGE(KEY("c"), NEXT("3")), PAGE(KEY("d"), NEXT("4")), PAGE(KEY("e"), NEXT("5")),
        PAGE(KEY("f"), NEXT("6")), PAGE(KEY("g"), NEXT("6")), LAST_PAGE("") };
    struct shop *p = *state;
    assert_string_equal(read_pages(p, pages, 8), " a b c d e f !");
    assert_int_equal(p->err.code, HAUL_BAD_REPLY);
    assert_non_null(strstr(p->err.text, "comes back"));
}

/* Case 36. */
static void a_circle_of_markers_ends(void **state)
{
    static const char *const pages[] = { PAGE(KEY("a"), NEXT("1")), PAGE(KEY("b"), NEXT("2")),
        PAGE(KEY("c"), NEXT("3")), PAGE(KEY("x"), NEXT("4")), PAGE(KEY("y"), NEXT("3")) };
    struct shop *p = *state;
    assert_non_null(strchr(read_pages(p, pages, 5), '!'));
    assert_int_equal(p->err.code, HAUL_BAD_REPLY);
    assert_non_null(strstr(p->err.text, "comes back"));
}

/* Case 36. */
static void a_missing_marker_is_an_error(void **state)
{
    static const char *const pages[] = { PAGE(KEY("a"), NEXT("1")), PAGE(KEY("b"), NEXT("")) };
    static const char *const missing[] = { PAGE(KEY("a"), "") };
    struct shop *p = *state;
    assert_string_equal(read_pages(p, pages, 2), " a !");
    assert_int_equal(p->err.code, HAUL_BAD_REPLY);
    assert_string_equal(read_pages(p, missing, 1), " !");
    assert_int_equal(p->err.code, HAUL_BAD_REPLY);
}

static void buckets_are_listed_at_no_bucket_s_host(void **state)
{
    struct shop *p = *state;
    char url[64];
    snprintf(url, sizeof url, "http://" BUCKET ".localhost:%u", p->s3->port);
    struct haul_store_options o = { .endpoint = { .credentials = p->base->keys, .proxy = "" },
        .bucket = BUCKET };
    struct haul_request r = { .operation = HAUL_LIST_BUCKETS };
    struct haul_store *s = haul_store_new(url, &o, &p->err);
    assert_non_null(s);
    good(p, haul_head_bucket(s, NULL, &p->err)); /* this one at its own */
    const struct haul_result *result = good(p, haul_perform(s, &r, &p->err));
    assert_int_equal(result->listing.count, 1);
    assert_string_equal(result->listing.entries[0].key, BUCKET);
    haul_store_free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_page_is_read_in_order),
        TEST(an_empty_bucket_has_no_entries),
        TEST(a_page_is_asked_for_while_the_one_before_is_read),
        TEST(the_store_may_be_used_between_entries),
        TEST(a_saved_continuation_goes_on_in_another_store),
        TEST(uploads_and_parts_are_listed_page_by_page),
        TEST(only_listings_are_taken),
        TEST(a_page_that_failed_can_be_tried_again),
        TEST(a_request_that_is_wrong_fails_each_time),
        TEST(a_list_is_freed_while_a_page_is_on_its_way),
        TEST(a_stopped_store_ends_a_list),
        TEST(an_empty_page_is_no_end),
        TEST(a_marker_that_comes_back_at_once_is_an_error),
        TEST(a_circle_of_markers_ends),
        TEST(a_missing_marker_is_an_error),
        TEST(buckets_are_listed_at_no_bucket_s_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
