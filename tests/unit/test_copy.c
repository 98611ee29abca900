/* copy.c: what a copy keeps, what it is pinned to, and what goes wrong on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "store_fixture.h"

#define BIG (12 * MIB)

/* From here on in parts of 5 MiB, two at a time. */
static const struct haul_copy_options in_parts = {
    .multipart_from_bytes = 1, .part_bytes = HAUL_PART_BYTES_MIN, .workers = 2
};

static const struct haul_pair metadata[] = { { "owner", "me" }, { "colour", "blue" } };
static const struct haul_pair tags[] = { { "kind", "a+b &c" } };

/* What a source has beside its bytes. */
static struct haul_request described(const char *key)
{
    return (struct haul_request){ .key = key,
        .content_type = "text/x",
        .cache_control = "max-age=3",
        .content_disposition = "attachment",
        .content_encoding = "x-own",
        .content_language = "de",
        .expires = "Sun, 06 Nov 1994 08:49:37 GMT",
        .metadata = { metadata, 2 },
        .tags = { tags, 1 } };
}

static void assert_header(const struct haul_result *r, const char *name, const char *value)
{
    const char *got = haul_result_header(r, name);
    assert_string_equal(got ? got : "(none)", value);
}

static void assert_described(struct shop *p, const char *key)
{
    struct haul_request r = { .key = key };
    const struct haul_result *head = good(p, haul_head(p->store, &r, &p->err));
    assert_header(head, "content-type", "text/x");
    assert_header(head, "cache-control", "max-age=3");
    assert_header(head, "content-disposition", "attachment");
    assert_header(head, "content-encoding", "x-own");
    assert_header(head, "content-language", "de");
    assert_header(head, "expires", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_header(head, "x-amz-meta-owner", "me");
    assert_header(head, "x-amz-meta-colour", "blue");
}

static void assert_tag(struct shop *p, const char *key, const char *name, const char *value)
{
    struct haul_request r = { .key = key };
    const struct haul_pairs *got = &good(p, haul_get_tags(p->store, &r, &p->err))->tags;
    assert_int_equal(got->count, 1);
    assert_string_equal(got->pairs[0].name, name);
    assert_string_equal(got->pairs[0].value, value);
}

/* A described object of BIG bytes, which the caller frees. */
static char *put_big(struct shop *p, const char *key)
{
    char *data = some_bytes(BIG);
    struct haul_request r = described(key);
    good(p, haul_put_memory(p->store, &r, data, BIG, &p->err));
    return data;
}

static void assert_no_upload_is_open(struct shop *p)
{
    struct haul_store *s = new_store(p, (struct haul_client_options){ .retries = 3 });
    struct haul_request r = { .operation = HAUL_LIST_UPLOADS };
    assert_int_equal(good(p, haul_perform(s, &r, &p->err))->listing.count, 0);
    haul_store_free(s);
}

static struct haul_request copy_of(const char *source, const char *key)
{
    return (struct haul_request){ .key = key, .source.key = source };
}

static void copy(struct shop *p, const char *source, const char *key)
{
    struct haul_request r = copy_of(source, key);
    good(p, haul_copy(p->store, &r, NULL, &p->err));
}

/* ---- What it keeps ---- */

/* Case 32. */
static void a_copy_keeps_all_that_the_source_has(void **state)
{
    struct shop *p = *state;
    struct haul_request r = described("a");
    good(p, haul_put_string(p->store, &r, "text", &p->err));
    copy(p, "a", "b");
    assert_text(p, "b", "text");
    assert_described(p, "b");
    assert_tag(p, "b", "kind", "a+b &c");
    assert_int_equal(s3_count(p->s3, "CopyObject"), 1);
}

/* Case 32. */
static void a_copy_in_parts_keeps_it_too(void **state)
{
    struct shop *p = *state;
    char *data = put_big(p, "a");
    struct haul_request r = copy_of("a", "b.html");
    const struct haul_result *got = good(p, haul_copy(p->store, &r, &in_parts, &p->err));
    assert_non_null(got->etag);
    assert_int_equal(s3_count(p->s3, "UploadPartCopy"), 3);
    assert_int_equal(s3_count(p->s3, "CopyObject"), 0);
    assert_stored(p->base, "b.html", data, BIG);
    assert_described(p, "b.html");
    assert_tag(p, "b.html", "kind", "a+b &c");
    free(data);
}

static void a_source_without_a_token_gets_one_beside_what_it_has(void **state)
{
    struct shop *p = *state;
    static const struct haul_copy_options *const ways[] = { NULL, &in_parts };
    struct haul_request r = described("a");
    r.token = "old";
    good(p, haul_put_string(p->store, &r, "text", &p->err));
    for (size_t i = 0; i < 2; i++) {
        r = copy_of("a", "b");
        r.token = "tok";
        good(p, haul_copy(p->store, &r, ways[i], &p->err));
        assert_described(p, "b");
        assert_string_equal(good(p, haul_head(p->store, &r, &p->err))->token, "tok");
        r.token = NULL;
        good(p, haul_copy(p->store, &r, ways[i], &p->err));
        assert_described(p, "b");
        assert_string_equal(good(p, haul_head(p->store, &r, &p->err))->token, "old");
    }
}

static void what_is_given_replaces_all_of_its_kind(void **state)
{
    struct shop *p = *state;
    static const struct haul_copy_options *const ways[] = { NULL, &in_parts };
    static const struct haul_pair other[] = { { "owner", "you" } };
    struct haul_request r = described("a");
    good(p, haul_put_string(p->store, &r, "text", &p->err));
    for (size_t i = 0; i < 2; i++) {
        r = copy_of("a", "b");
        r.metadata = (struct haul_pairs){ other, 1 };
        r.content_type = "text/y";
        good(p, haul_copy(p->store, &r, ways[i], &p->err));
        const struct haul_result *head = good(p, haul_head(p->store, &r, &p->err));
        assert_header(head, "content-type", "text/y");
        assert_header(head, "x-amz-meta-owner", "you");
        assert_header(head, "x-amz-meta-colour", "(none)");
        assert_header(head, "cache-control", "(none)");
        assert_tag(p, "b", "kind", "a+b &c"); /* of another kind */

        r = copy_of("a", "b");
        r.tags = (struct haul_pairs){ other, 1 };
        good(p, haul_copy(p->store, &r, ways[i], &p->err));
        assert_tag(p, "b", "owner", "you");
        assert_described(p, "b");
    }
}

/* Case 34. */
static void odd_keys_are_copied_from_and_to(void **state)
{
    struct shop *p = *state;
    static const char *const keys[] = { "a%2Fb", "a+b", "a?b#c", "ä ö/ü", "a//b/../c", "&=" };
    static const struct haul_copy_options *const ways[] = { NULL, &in_parts };
    for (size_t i = 0; i < 2 * sizeof keys / sizeof *keys; i++) {
        char target[64];
        struct haul_request r = copy_of(keys[i / 2], target);
        snprintf(target, sizeof target, "to/%s", keys[i / 2]);
        put(p, keys[i / 2], keys[i / 2]);
        good(p, haul_copy(p->store, &r, ways[i % 2], &p->err));
        assert_text(p, target, keys[i / 2]);
    }
}

static void a_copy_may_come_from_another_bucket(void **state)
{
    struct shop *p = *state;
    static const struct haul_copy_options *const ways[] = { NULL, &in_parts };
    struct haul_request r = { .bucket = "another", .key = "a" };
    good(p, haul_create_bucket(p->store, &r, &p->err));
    good(p, haul_put_string(p->store, &r, "text", &p->err));
    for (size_t i = 0; i < 2; i++) {
        r = copy_of("a", "a");
        r.source.bucket = "another";
        good(p, haul_copy(p->store, &r, ways[i], &p->err));
        assert_text(p, "a", "text");
        good(p, haul_delete(p->store, &(struct haul_request){ .key = "a" }, &p->err));
    }
}

static void an_empty_object_is_copied_in_one_request(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    put(p, "a", "");
    good(p, haul_copy(p->store, &r, &in_parts, &p->err));
    assert_text(p, "b", "");
    assert_int_equal(s3_count(p->s3, "CopyObject"), 1);
}

static void customers_keys_go_along_for_source_and_copy(void **state)
{
    struct shop *p = *state;
    static const struct haul_copy_options *const ways[] = { NULL, &in_parts };
    static const struct haul_encryption one = { .kind = HAUL_ENCRYPT_C,
        .customer_key = (const unsigned char *) "the first key of 32 bytes, in all" };
    static const struct haul_encryption other = { .kind = HAUL_ENCRYPT_C,
        .customer_key = (const unsigned char *) "another key of 32 bytes, in all.." };
    struct haul_request r = described("a");
    r.encryption = one;
    good(p, haul_put_string(p->store, &r, "text", &p->err));
    for (size_t i = 0; i < 2; i++) {
        r = copy_of("a", "b");
        assert_null(haul_copy(p->store, &r, ways[i], &p->err));
        r.source.key_of_source = one;
        r.encryption = other;
        good(p, haul_copy(p->store, &r, ways[i], &p->err));
        r.source = (struct haul_source){ .key = NULL };
        assert_int_equal(good(p, haul_head(p->store, &r, &p->err))->size, 4);
        r.encryption = one;
        assert_null(haul_head(p->store, &r, &p->err));
    }
}

static void a_named_version_is_copied_and_renamed(void **state)
{
    struct shop *p = *state;
    struct haul_request on = { .operation = HAUL_ANY,
        .method = "PUT",
        .query = { &(struct haul_pair){ "versioning", "" }, 1 },
        .body = haul_body_string("<VersioningConfiguration><Status>Enabled</Status>"
                                 "</VersioningConfiguration>") };
    struct haul_request r = { .key = "a" };
    char old[128];
    good(p, haul_perform(p->store, &on, &p->err));
    snprintf(old, sizeof old, "%s",
        good(p, haul_put_string(p->store, &r, "old", &p->err))->version_id);
    put(p, "a", "new");
    r = copy_of("a", "b");
    r.source.version_id = old;
    good(p, haul_copy(p->store, &r, &in_parts, &p->err));
    assert_text(p, "b", "old");
    r.key = "c";
    good(p, haul_rename(p->store, &r, NULL, &p->err));
    assert_text(p, "c", "old");
    assert_text(p, "a", "new");
    r = (struct haul_request){ .key = "a", .version_id = old };
    assert_null(haul_head(p->store, &r, &p->err));

    /* The old one in place of the new one. */
    r = (struct haul_request){ .key = "c" };
    snprintf(old, sizeof old, "%s", good(p, haul_head(p->store, &r, &p->err))->version_id);
    put(p, "c", "other");
    r = copy_of("c", "c");
    r.source.version_id = old;
    good(p, haul_copy(p->store, &r, NULL, &p->err));
    assert_text(p, "c", "old");
}

static void the_source_may_stand_in_the_last_result(void **state)
{
    struct shop *p = *state;
    static const struct haul_copy_options *const ways[] = { NULL, &in_parts };
    put(p, "a", "text");
    for (size_t i = 0; i < 2; i++) {
        struct haul_request r = { .operation = HAUL_LIST_OBJECTS, .max_entries = 1 };
        const struct haul_listing *page =
            &good(p, haul_perform(p->store, &r, &p->err))->listing;
        r = copy_of(page->entries[0].key, "b");
        good(p, haul_copy(p->store, &r, ways[i], &p->err));
        assert_text(p, "b", "text");
    }
}

/* ---- What is refused ---- */

/* Case 35. */
static void a_copy_onto_itself_has_to_change_something(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "a");
    put(p, "a", "text");
    r.source.bucket = BUCKET;
    uint64_t before = s3_count(p->s3, "requests");
    assert_null(haul_copy(p->store, &r, NULL, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    r.tags = (struct haul_pairs){ tags, 1 };
    assert_null(haul_copy(p->store, &r, NULL, &p->err));
    assert_int_equal(s3_count(p->s3, "requests"), before);
    r.content_type = "text/y";
    good(p, haul_copy(p->store, &r, NULL, &p->err));
    assert_header(good(p, haul_head(p->store, &r, &p->err)), "content-type", "text/y");
    assert_text(p, "a", "text");
}

static void what_s3_can_not_do_is_refused_before_anything_is_created(void **state)
{
    struct shop *p = *state;
    struct haul_copy_options o = { .multipart_from_bytes = 1, .part_bytes = 1 };
    struct haul_request r = copy_of("a", "b");
    char *data = put_big(p, "a");
    assert_null(haul_copy(p->store, &r, &o, &p->err)); /* 12 Mi parts */
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    o.part_bytes = HAUL_PART_BYTES_MIN - 1;
    assert_null(haul_copy(p->store, &r, &o, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    o.part_bytes = HAUL_PART_BYTES_MAX + 1;
    assert_null(haul_copy(p->store, &r, &o, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    r.source.key = NULL;
    assert_null(haul_copy(p->store, &r, NULL, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    assert_int_equal(s3_count(p->s3, "CreateMultipartUpload"), 0);
    free(data);
}

static void a_missing_source_is_told_as_such(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    assert_null(haul_copy(p->store, &r, NULL, &p->err));
    assert_int_equal(p->err.http_status, 404);
    assert_null(haul_rename(p->store, &r, NULL, &p->err));
    assert_int_equal(p->err.http_status, 404);
}

static void a_source_other_than_the_one_that_is_named_is_not_copied(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    put(p, "a", "text");
    r.source.if_match = "\"another\"";
    assert_null(haul_copy(p->store, &r, NULL, &p->err));
    assert_int_equal(p->err.http_status, 412);
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    assert_missing(p, "b");
}

static void a_source_is_pinned_whichever_it_may_be(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    char headers[8192];
    put(p, "a", "text");
    r.source.if_match = "*";
    good(p, haul_copy(p->store, &r, NULL, &p->err));
    s3_headers(p->s3, "CopyObject", headers, sizeof headers);
    assert_non_null(strstr(headers, "x-amz-copy-source-if-match: \""));
}

/* ---- What goes wrong ---- */

/* Case 33. */
static void an_error_under_status_200_is_seen(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    put(p, "a", "text");
    s3_fault(p->s3, "CopyObject nth=1 error-200=InternalError\n"
                    "CopyObject nth=3 error-200=AccessDenied\n"
                    "UploadPartCopy nth=1 error-200=InternalError\n"
                    "UploadPartCopy nth=3 error-200=AccessDenied\n");
    good(p, haul_copy(p->store, &r, NULL, &p->err));
    assert_null(haul_copy(p->store, &r, NULL, &p->err));
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_int_equal(s3_count(p->s3, "CopyObject"), 3);
    good(p, haul_copy(p->store, &r, &in_parts, &p->err));
    assert_null(haul_copy(p->store, &r, &in_parts, &p->err));
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_int_equal(s3_count(p->s3, "UploadPartCopy"), 3);
    assert_no_upload_is_open(p);
}

static void lost_replies_are_made_good(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    char *data = put_big(p, "a");
    s3_fault(p->s3, "CopyObject nth=1 drop-after\n"
                    "UploadPartCopy every=2 count=2 drop-after\n"
                    "CompleteMultipartUpload nth=1 drop-before\n");
    good(p, haul_copy(p->store, &r, NULL, &p->err));
    assert_stored(p->base, "b", data, BIG);
    r.key = "c";
    good(p, haul_copy(p->store, &r, &in_parts, &p->err));
    assert_stored(p->base, "c", data, BIG);
    assert_described(p, "c");
    free(data);
}

/* Case 10. */
static void a_conflict_after_a_lost_reply_may_be_our_own_copy(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    put(p, "a", "text");
    r.if_none_match = "*";
    r.token = "t-1";
    s3_fault(p->s3, "CopyObject nth=1 drop-after");
    assert_string_equal(good(p, haul_copy(p->store, &r, NULL, &p->err))->token, "t-1");
    assert_null(haul_copy(p->store, &r, NULL, &p->err));
    assert_int_equal(p->err.http_status, 412);
}

static void a_failed_copy_in_parts_is_aborted(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    char *data = put_big(p, "a");
    s3_fault(p->s3, "UploadPartCopy part=2 always status=403 code=AccessDenied\n");
    assert_null(haul_copy(p->store, &r, &in_parts, &p->err));
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_no_upload_is_open(p);
    s3_clear(p->s3);
    s3_fault(p->s3, "CompleteMultipartUpload always status=403 code=AccessDenied\n");
    assert_null(haul_copy(p->store, &r, &in_parts, &p->err));
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_no_upload_is_open(p);
    assert_missing(p, "b");
    free(data);
}

static void tags_that_may_not_be_read_are_not_dropped(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    put(p, "a", "text");
    s3_fault(p->s3, "GetObjectTagging nth=1 status=403 code=AccessDenied\n"
                    "GetObjectTagging nth=2 status=501 code=NotImplemented\n");
    assert_null(haul_copy(p->store, &r, &in_parts, &p->err));
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_int_equal(s3_count(p->s3, "CreateMultipartUpload"), 0);
    good(p, haul_copy(p->store, &r, &in_parts, &p->err)); /* there are no tags at all */
    assert_text(p, "b", "text");
}

/* ---- Somebody else, at the same time ---- */

struct rival {
    struct shop *shop;
    const char
        *key; /* replaced while a request hangs at the gate; NULL: the store is stopped */
};

static void *interfere(void *payload)
{
    struct rival *x = payload;
    s3_wait_at(x->shop->s3, "held", 1);
    if (x->key == NULL) {
        haul_store_stop(x->shop->store);
    } else {
        struct shop own = *x->shop;
        own.store = new_store(&own, (struct haul_client_options){ .retries = 3 });
        put(&own, x->key, "another");
        haul_store_free(own.store);
    }
    s3_open(x->shop->s3, "held");
    return NULL;
}

static void copy_with_rival(struct shop *p, const char *fault, const char *key,
    const struct haul_copy_options *options, bool renames)
{
    struct rival x = { p, key };
    struct haul_request r = copy_of("a", "b");
    s3_fault(p->s3, fault);
    pthread_t thread = begin_thread(interfere, &x);
    assert_null((renames ? haul_rename : haul_copy)(p->store, &r, options, &p->err));
    pthread_join(thread, NULL);
}

/* Case 31. */
static void a_source_that_is_replaced_on_the_way_fails_the_copy(void **state)
{
    struct shop *p = *state;
    char *data = put_big(p, "a");
    copy_with_rival(p, "CopyObject always gate=held\n", "a", NULL, false);
    assert_int_equal(p->err.http_status, 412);
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    assert_missing(p, "b");
    free(data);
}

/* Case 31. */
static void a_source_that_is_replaced_between_parts_fails_the_copy(void **state)
{
    struct shop *p = *state;
    char *data = put_big(p, "a");
    copy_with_rival(p, "UploadPartCopy part=3 always gate=held\n", "a", &in_parts, false);
    assert_int_equal(p->err.http_status, 412);
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    assert_missing(p, "b");
    assert_no_upload_is_open(p);
    free(data);
}

static void a_stopped_copy_leaves_no_upload_open(void **state)
{
    struct shop *p = *state;
    char *data = put_big(p, "a");
    copy_with_rival(p, "UploadPartCopy part=2 always gate=held\n", NULL, &in_parts, false);
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_no_upload_is_open(p);
    free(data);
}

/* Takes the tags from "b" before the reply is on its way, as a server that knows none. */
static void *untag(void *payload)
{
    struct shop own = *(struct shop *) payload;
    struct haul_request r = { .key = "b" };
    own.store = new_store(&own, (struct haul_client_options){ .retries = 3 });
    s3_wait_at(own.s3, "held", 1);
    good(&own, haul_put_tags(own.store, &r, &own.err));
    haul_store_free(own.store);
    s3_open(own.s3, "held");
    return NULL;
}

static void tags_that_the_server_passes_over_are_put_afterwards(void **state)
{
    struct shop *p = *state;
    static const struct haul_copy_options *const ways[] = { &in_parts, NULL };
    struct haul_request r = described("a");
    good(p, haul_put_string(p->store, &r, "text", &p->err));
    r = copy_of("a", "b");
    for (size_t i = 0; i < 2; i++) {
        s3_clear(p->s3);
        s3_fault(p->s3, "CompleteMultipartUpload always gate-after=held\n"
                        "CopyObject always gate-after=held\n");
        pthread_t thread = begin_thread(untag, p);
        assert_non_null(good(p, haul_copy(p->store, &r, ways[i], &p->err))->etag);
        pthread_join(thread, NULL);
        assert_tag(p, "b", "kind", "a+b &c");
        r.tags = (struct haul_pairs){ tags, 1 }; /* the second time */
    }
    assert_int_equal(s3_count(p->s3, "PutObjectTagging"), 2);
}

/* ---- Renaming ---- */

/* Case 30. */
static void renaming_moves_the_object(void **state)
{
    struct shop *p = *state;
    struct haul_request r = described("a");
    good(p, haul_put_string(p->store, &r, "text", &p->err));
    r = copy_of("a", "b");
    assert_non_null(good(p, haul_rename(p->store, &r, NULL, &p->err))->etag);
    assert_missing(p, "a");
    assert_text(p, "b", "text");
    assert_described(p, "b");
    r = copy_of("b", "c");
    good(p, haul_rename(p->store, &r, &in_parts, &p->err));
    assert_missing(p, "b");
    assert_described(p, "c");
    assert_tag(p, "c", "kind", "a+b &c");
}

/* Case 35. */
static void an_object_is_never_renamed_to_itself(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "a");
    put(p, "a", "text");
    r.content_type = "text/y";
    uint64_t before = s3_count(p->s3, "requests");
    assert_null(haul_rename(p->store, &r, NULL, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
    assert_int_equal(s3_count(p->s3, "requests"), before);
}

/* Case 30. */
static void a_copy_that_fails_deletes_nothing(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    put(p, "a", "text");
    s3_fault(p->s3, "CopyObject always error-200-after=AccessDenied\n");
    assert_null(haul_rename(p->store, &r, NULL, &p->err));
    assert_int_equal(s3_count(p->s3, "DeleteObject"), 0);
    assert_text(p, "a", "text");
}

static void a_source_that_can_not_be_deleted_fails_the_renaming(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    put(p, "a", "text");
    s3_fault(p->s3, "DeleteObject always status=403 code=AccessDenied\n");
    assert_null(haul_rename(p->store, &r, NULL, &p->err));
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_text(p, "a", "text");
    assert_text(p, "b", "text");
}

static void a_source_that_was_replaced_after_its_copy_stays(void **state)
{
    struct shop *p = *state;
    put(p, "a", "text");
    copy_with_rival(p, "CopyObject always gate-after=held\n", "a", NULL, true);
    assert_int_equal(p->err.http_status, 412);
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    assert_text(p, "a", "another");
    assert_text(p, "b", "text");
}

static void a_source_that_is_replaced_while_it_is_deleted_stays(void **state)
{
    struct shop *p = *state;
    put(p, "a", "text");
    copy_with_rival(p, "DeleteObject always gate=held\n", "a", NULL, true);
    assert_int_equal(p->err.http_status, 412);
    assert_text(p, "a", "another");
    assert_text(p, "b", "text");
}

static void a_source_that_is_gone_already_is_not_deleted(void **state)
{
    struct shop *p = *state;
    struct haul_request r = copy_of("a", "b");
    put(p, "a", "text");
    s3_fault(p->s3, "HeadObject nth=2 status=404\n");
    good(p, haul_rename(p->store, &r, NULL, &p->err));
    assert_int_equal(s3_count(p->s3, "DeleteObject"), 0);
}

static void a_deletion_whose_reply_is_lost_is_a_deletion(void **state)
{
    static const char *const faults[] = { "DeleteObject nth=1 drop-after\n",
        "DeleteObject nth=1 drop-after\nDeleteObject nth=2 status=412\n",
        "DeleteObject nth=1 status=501 code=NotImplemented\n" };
    struct shop *p = *state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct haul_request r = copy_of("a", "b");
        put(p, "a", "text");
        s3_fault(p->s3, faults[i]);
        good(p, haul_rename(p->store, &r, NULL, &p->err));
        s3_clear(p->s3);
        assert_missing(p, "a");
        assert_text(p, "b", "text");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_copy_keeps_all_that_the_source_has),
        TEST(a_copy_in_parts_keeps_it_too),
        TEST(a_source_without_a_token_gets_one_beside_what_it_has),
        TEST(what_is_given_replaces_all_of_its_kind),
        TEST(odd_keys_are_copied_from_and_to),
        TEST(a_copy_may_come_from_another_bucket),
        TEST(an_empty_object_is_copied_in_one_request),
        TEST(customers_keys_go_along_for_source_and_copy),
        TEST(a_named_version_is_copied_and_renamed),
        TEST(the_source_may_stand_in_the_last_result),
        TEST(a_copy_onto_itself_has_to_change_something),
        TEST(what_s3_can_not_do_is_refused_before_anything_is_created),
        TEST(a_missing_source_is_told_as_such),
        TEST(a_source_other_than_the_one_that_is_named_is_not_copied),
        TEST(a_source_is_pinned_whichever_it_may_be),
        TEST(an_error_under_status_200_is_seen),
        TEST(lost_replies_are_made_good),
        TEST(a_conflict_after_a_lost_reply_may_be_our_own_copy),
        TEST(a_failed_copy_in_parts_is_aborted),
        TEST(tags_that_may_not_be_read_are_not_dropped),
        TEST(a_source_that_is_replaced_on_the_way_fails_the_copy),
        TEST(a_source_that_is_replaced_between_parts_fails_the_copy),
        TEST(a_stopped_copy_leaves_no_upload_open),
        TEST(tags_that_the_server_passes_over_are_put_afterwards),
        TEST(renaming_moves_the_object),
        TEST(an_object_is_never_renamed_to_itself),
        TEST(a_copy_that_fails_deletes_nothing),
        TEST(a_source_that_can_not_be_deleted_fails_the_renaming),
        TEST(a_source_that_is_replaced_while_it_is_deleted_stays),
        TEST(a_source_that_is_gone_already_is_not_deleted),
        TEST(a_deletion_whose_reply_is_lost_is_a_deletion),
        TEST(a_source_that_was_replaced_after_its_copy_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
