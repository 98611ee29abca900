/* Keys that a client spoils when it escapes twice, or not at all, or tidies paths up: written
 * by libhaul and read by boto3, the other way round, and named alike in both's listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/object.h>

#include "boto.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char longest[HAUL_KEY_BYTES_MAX + 1];
static const char *const hard[] = {
    "\x01\x02\x1f",
    "\t",
    "\n",
    "\r\n",
    " ",
    " leading",
    "!*'();:@$,[]",
    "\"quotes\"",
    "#fragment",
    "%",
    "%00",
    "%2F",
    "%25",
    "%zz",
    "&=",
    "+",
    ".",
    "..",
    "../..",
    "./a",
    "/",
    "//",
    "/leading",
    "<tag>&amp;</tag>",
    "=",
    "?query",
    "?uploads",
    "?versionId=1&acl",
    "A",
    "AWS4-HMAC-SHA256",
    "\\back\\slash",
    "]]>",
    "a",
    "a b",
    "a b  c   d",
    "a%20b",
    "a+b",
    "a/",
    "a/.",
    "a/..",
    "a/../b",
    "a/./b",
    "a//",
    "a///b",
    "a/b",
    "a;b=c",
    "null",
    "trailing ",
    "trailing.",
    "{^|`}",
    "~tilde~",
    "\x7f",
    "Å", /* composed, and the same letter in two more ways */
    "A\xcc\x8a",
    "\xe2\x84\xab",
    "ünï-漢字",
    "\xc2\x85\xe2\x80\xa8", /* line ends beyond ASCII */
    "\xef\xbb\xbf"
    "byte order mark",
    "😀/👩‍👩‍👧",
    longest,
};

/* XML 1.0 has no way to write these, and Ceph writes "&#x01;" where it does not encode for
 * URLs: in markers, and in the request's fields that it repeats. boto3 fails there as well. */
static bool fits_xml(const char *key)
{
    for (; *key != '\0'; key++)
        if ((unsigned char) *key < ' ' && strchr("\t\n\r", *key) == NULL)
            return false;
    return true;
}

struct fixture {
    char *bucket;
    struct haul_store *store;
};

static struct haul_store *open_store(const struct fixture *f, enum haul_addressing addressing)
{
    struct haul_error err;
    char url[64];
    snprintf(url, sizeof url, "http://localhost%s", strrchr(getenv("AWS_ENDPOINT_URL"), ':'));
    struct haul_store *s = haul_store_new(url,
        &(struct haul_store_options){
            .bucket = f->bucket, .endpoint.addressing = addressing, .client.retries = 2 },
        &err);
    if (s == NULL)
        fail_msg("%s", err.text);
    return s;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < HAUL_KEY_BYTES_MAX; i += 4)
        memcpy(longest + i, "\xf0\x9f\x90\x8b", 4);
    f->bucket = boto_bucket();
    f->store = open_store(f, HAUL_ADDRESS_PATH);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    haul_store_free(f->store);
    free(f->bucket);
    free(f);
    return 0;
}

/* ---- Each object's body is its key ---- */

static void put_all(struct haul_store *s)
{
    struct haul_error err;
    for (size_t i = 0; i < COUNT(hard); i++)
        if (haul_put_string(s, &(struct haul_request){ .key = hard[i] }, hard[i], &err) == NULL)
            fail_msg("\"%s\": %s", hard[i], err.text);
}

static void boto_puts_all(const struct fixture *f)
{
    for (size_t i = 0; i < COUNT(hard); i++) {
        boto_text("key", hard[i]);
        const char *etag =
            boto("s3.put_object(Bucket='%s', Key=key, Body=key.encode())['ETag']", f->bucket);
        if (*etag != '"')
            fail_msg("\"%s\": boto3 can't write it: %s", hard[i], etag);
    }
}

static void boto_finds_all(const struct fixture *f)
{
    for (size_t i = 0; i < COUNT(hard); i++) {
        boto_text("key", hard[i]);
        if (strcmp(boto("read('%s', key) == key.encode()", f->bucket), "True") != 0)
            fail_msg("\"%s\": not as boto3 reads it", hard[i]);
    }
}

static int keep(void *payload, uint64_t offset, const void *data, size_t len)
{
    char *text = payload;
    assert_true(offset + len <= HAUL_KEY_BYTES_MAX);
    memcpy(text + offset, data, len);
    text[offset + len] = '\0';
    return 0;
}

static void libhaul_finds_all(struct haul_store *s)
{
    for (size_t i = 0; i < COUNT(hard); i++) {
        char text[HAUL_KEY_BYTES_MAX + 1] = "";
        struct haul_error err;
        struct haul_request r = { .key = hard[i], .sink = { keep, text } };
        if (haul_get(s, &r, &err) == NULL)
            fail_msg("\"%s\": %s", hard[i], err.text);
        assert_string_equal(text, hard[i]);
    }
}

/* Names, each with a NUL behind, for Python. */
struct names {
    char data[COUNT(hard) * (HAUL_KEY_BYTES_MAX + 1)];
    size_t len;
};

static void add_name(struct names *n, const char *key)
{
    size_t size = strlen(key) + 1;
    assert_true(n->len + size <= sizeof n->data);
    memcpy(n->data + n->len, key, size);
    n->len += size;
}

static void boto_lists_exactly_all(const struct fixture *f)
{
    static struct names all;
    all.len = 0;
    for (size_t i = 0; i < COUNT(hard); i++)
        add_name(&all, hard[i]);
    boto_bytes("names", all.data, all.len);
    assert_string_equal(
        boto("sorted(keys('%s')) == sorted(names.decode().split('\\0')[:-1])", f->bucket),
        "True");
}

static void libhaul_lists_what_boto_lists(const struct fixture *f, unsigned page_entries)
{
    static struct names listed;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS, .max_entries = page_entries };
    struct haul_error err;
    char *token = NULL;
    listed.len = 0;
    do {
        r.continuation = token;
        const struct haul_result *page = haul_perform(f->store, &r, &err);
        if (page == NULL)
            fail_msg("%s", err.text);
        for (size_t i = 0; i < page->listing.count; i++)
            add_name(&listed, page->listing.entries[i].key);
        free(token);
        token = page->listing.truncated ? strdup(page->listing.continuation) : NULL;
    } while (token != NULL);
    boto_bytes("names", listed.data, listed.len);
    assert_string_equal(
        boto("keys('%s') == names.decode().split('\\0')[:-1]", f->bucket), "True");
}

/* ---- Tests ---- */

/* Case 41. */
static void boto3_reads_what_libhaul_writes(void **state)
{
    const struct fixture *f = *state;
    put_all(f->store);
    boto_finds_all(f);
    boto_lists_exactly_all(f);
}

/* Case 41. */
static void libhaul_reads_what_boto3_writes(void **state)
{
    const struct fixture *f = *state;
    boto_puts_all(f);
    libhaul_finds_all(f->store);
    libhaul_lists_what_boto_lists(f, 0);
}

/* Case 37. */
static void a_listing_goes_on_behind_any_key(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    boto_puts_all(f);
    for (size_t i = 0; i < COUNT(hard); i++)
        if (!fits_xml(hard[i]) &&
            haul_delete(f->store, &(struct haul_request){ .key = hard[i] }, &err) == NULL)
            fail_msg("%s", err.text);
    libhaul_lists_what_boto_lists(f, 1);
}

static void a_bucket_in_the_hosts_name_changes_nothing(void **state)
{
    const struct fixture *f = *state;
    struct haul_store *s = open_store(f, HAUL_ADDRESS_VIRTUAL);
    put_all(s);
    libhaul_finds_all(s);
    boto_finds_all(f);
    boto_lists_exactly_all(f);
    haul_store_free(s);
}

static void a_key_is_found_by_itself_as_prefix(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    boto_puts_all(f);
    for (size_t i = 0; i < COUNT(hard); i++) {
        struct haul_request r = {
            .operation = HAUL_LIST_OBJECTS, .prefix = hard[i], .max_entries = 1
        };
        if (!fits_xml(hard[i]))
            continue;
        const struct haul_result *page = haul_perform(f->store, &r, &err);
        if (page == NULL)
            fail_msg("\"%s\": %s", hard[i], err.text);
        assert_int_equal(page->listing.count, 1);
        assert_string_equal(page->listing.entries[0].key, hard[i]);
    }
}

static void an_upload_in_parts_has_the_same_key_in_all_its_requests(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    for (size_t i = 0; i < COUNT(hard); i++) {
        const struct haul_result *done;
        struct haul_request r = { .operation = HAUL_CREATE_UPLOAD, .key = hard[i] };
        char id[256] = "", etag[64] = "";
        if ((done = haul_perform(f->store, &r, &err)) != NULL)
            snprintf(id, sizeof id, "%s", done->upload_id);
        r = (struct haul_request){ .operation = HAUL_LIST_UPLOADS, .prefix = hard[i] };
        if (done != NULL && fits_xml(hard[i]) &&
            (done = haul_perform(f->store, &r, &err)) != NULL) {
            assert_int_equal(done->listing.count, 1);
            assert_string_equal(done->listing.entries[0].key, hard[i]);
            assert_string_equal(done->listing.entries[0].upload_id, id);
        }
        r = (struct haul_request){ .operation = HAUL_UPLOAD_PART,
            .key = hard[i],
            .upload_id = id,
            .part_number = 1,
            .body = haul_body_string(hard[i]) };
        if (done != NULL && (done = haul_perform(f->store, &r, &err)) != NULL)
            snprintf(etag, sizeof etag, "%s", done->etag);
        r = (struct haul_request){ .operation = HAUL_COMPLETE_UPLOAD,
            .key = hard[i],
            .upload_id = id,
            .parts = &(struct haul_part){ .number = 1, .etag = etag },
            .part_count = 1 };
        if (done == NULL || haul_perform(f->store, &r, &err) == NULL)
            fail_msg("\"%s\": %s", hard[i], err.text);
    }
    boto_finds_all(f);
    boto_lists_exactly_all(f);
}

/* Uploads or versions, in pages of one: are they those of the keys that XML can have? */
static void markers_lead_through_all(const struct fixture *f, enum haul_operation operation)
{
    static struct names all, listed;
    struct haul_request r = { .operation = operation, .max_entries = 1 };
    struct haul_error err;
    char key[HAUL_KEY_BYTES_MAX + 1] = "", id[256] = "";
    bool truncated = true;
    all.len = listed.len = 0;
    for (size_t i = 0; i < COUNT(hard); i++)
        if (fits_xml(hard[i]))
            add_name(&all, hard[i]);
    while (truncated) {
        const struct haul_result *page = haul_perform(f->store, &r, &err);
        if (page == NULL)
            fail_msg("behind \"%s\": %s", key, err.text);
        for (size_t i = 0; i < page->listing.count; i++)
            add_name(&listed, page->listing.entries[i].key);
        truncated = page->listing.truncated;
        snprintf(key, sizeof key, "%s", truncated ? page->listing.next_key : "");
        snprintf(id, sizeof id, "%s", truncated ? page->listing.next_id : "");
        r.start_after = key;
        r.marker_id = id;
    }
    boto_bytes("all", all.data, all.len);
    boto_bytes("listed", listed.data, listed.len);
    assert_string_equal(
        boto("sorted(all.split(b'\\0')) == sorted(listed.split(b'\\0'))"), "True");
}

static void a_listing_of_uploads_goes_on_behind_any_key(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    for (size_t i = 0; i < COUNT(hard); i++) {
        struct haul_request r = { .operation = HAUL_CREATE_UPLOAD, .key = hard[i] };
        if (fits_xml(hard[i]) && haul_perform(f->store, &r, &err) == NULL)
            fail_msg("\"%s\": %s", hard[i], err.text);
    }
    markers_lead_through_all(f, HAUL_LIST_UPLOADS);
}

static void a_listing_of_versions_goes_on_behind_any_key(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    for (size_t i = 0; i < COUNT(hard); i++)
        if (fits_xml(hard[i]) &&
            haul_put_string(f->store, &(struct haul_request){ .key = hard[i] }, "", &err) ==
                NULL)
            fail_msg("\"%s\": %s", hard[i], err.text);
    markers_lead_through_all(f, HAUL_LIST_VERSIONS);
}

/* Case 34. */
static void a_copy_finds_its_source_under_any_key(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    boto_puts_all(f);
    for (size_t i = 0; i < COUNT(hard); i++) {
        struct haul_request r = {
            .operation = HAUL_COPY_OBJECT, .key = "copy", .source.key = hard[i]
        };
        if (haul_perform(f->store, &r, &err) == NULL)
            fail_msg("\"%s\": %s", hard[i], err.text);
        boto_text("key", hard[i]);
        assert_string_equal(boto("read('%s', 'copy') == key.encode()", f->bucket), "True");
    }
}

static void libhaul_deletes_the_very_key(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    boto_puts_all(f);
    for (size_t i = 0; i < COUNT(hard); i++) {
        if (haul_delete(f->store, &(struct haul_request){ .key = hard[i] }, &err) == NULL)
            fail_msg("\"%s\": %s", hard[i], err.text);
        boto_text("key", hard[i]);
        assert_string_equal(
            boto("s3.head_object(Bucket='%s', Key=key)", f->bucket), "error: 404");
        assert_string_equal(
            boto("len(keys('%s')) == %zu", f->bucket, COUNT(hard) - i - 1), "True");
    }
}

/* A document names them: what XML can't have is refused, and goes one by one. */
static void libhaul_deletes_many_at_once(void **state)
{
    const struct fixture *f = *state;
    struct haul_victim victims[COUNT(hard)] = { 0 };
    struct haul_error err = { 0 };
    size_t count = 0;
    boto_puts_all(f);
    for (size_t i = 0; i < COUNT(hard); i++)
        if (fits_xml(hard[i]))
            victims[count++].key = hard[i];
        else
            assert_non_null(
                haul_delete(f->store, &(struct haul_request){ .key = hard[i] }, &err));
    if (haul_delete_many(f->store, NULL, victims, count, NULL, NULL, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(boto("keys('%s')", f->bucket), "[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(boto3_reads_what_libhaul_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(libhaul_reads_what_boto3_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_listing_goes_on_behind_any_key, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_bucket_in_the_hosts_name_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_found_by_itself_as_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(
            an_upload_in_parts_has_the_same_key_in_all_its_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_listing_of_uploads_goes_on_behind_any_key, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_listing_of_versions_goes_on_behind_any_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_finds_its_source_under_any_key, setup, teardown),
        cmocka_unit_test_setup_teardown(libhaul_deletes_many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(libhaul_deletes_the_very_key, setup, teardown),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
