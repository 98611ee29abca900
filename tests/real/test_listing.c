/* list.h against the real server: what boto3 sees is what the iterators yield, whatever the
 * size of a page. Hard keys in listings stand in test_keys.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include <haul/haul.h>

#include "boto.h"

struct fixture {
    char *bucket;
    struct haul_store *store;
    struct haul_error err;
};

static struct haul_store *open_store(const char *bucket, struct haul_error *err)
{
    char url[128];
    snprintf(url, sizeof url, "s3://%s", bucket);
    return haul_store_new(url, NULL, err);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->bucket = boto_bucket();
    f->store = open_store(f->bucket, &f->err);
    if (f->store == NULL)
        fail_msg("%s", f->err.text);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    haul_store_free(f->store);
    free(f->bucket);
    free(f);
    return 0;
}

/* ---- What a list yields, as text ---- */

typedef void show_fn(const struct haul_entry *e, char *text, size_t size);

static void show_key(const struct haul_entry *e, char *text, size_t size)
{
    snprintf(text, size, "'%s%s'", e->kind == HAUL_COMMON_PREFIX ? "/" : "", e->key);
}

static void show_version(const struct haul_entry *e, char *text, size_t size)
{
    snprintf(text, size, "('%s', '%s', %s, %s)", e->key, e->version_id,
        e->is_latest ? "True" : "False", e->kind == HAUL_DELETE_MARKER ? "True" : "False");
}

static void show_upload(const struct haul_entry *e, char *text, size_t size)
{
    snprintf(text, size, "('%s', '%s')", e->key, e->upload_id);
}

static void show_part(const struct haul_entry *e, char *text, size_t size)
{
    snprintf(text, size, "(%u, '%s', %d)", e->part_number, e->etag, (int) e->size);
}

/* "['a', 'b']", as Python writes it; with what went wrong in it. */
static const char *all(struct fixture *f, const struct haul_request *r, show_fn *show)
{
    static char text[65536];
    const struct haul_entry *e;
    size_t len = 1;
    int more = -1;
    struct haul_list *l = haul_list_new(f->store, r, &f->err);
    strcpy(text, "[");
    while (l != NULL && (more = haul_list_next(l, &e, &f->err)) > 0) {
        char row[512];
        show(e, row, sizeof row);
        len +=
            (size_t) snprintf(text + len, sizeof text - len, "%s%s", len > 1 ? ", " : "", row);
        assert_true(len < sizeof text);
    }
    snprintf(text + len, sizeof text - len, "]%s", more < 0 ? f->err.text : "");
    haul_list_free(l);
    return text;
}

/* The same for pages of 1, 3 and 1,000. */
static void assert_lists(
    struct fixture *f, struct haul_request r, show_fn *show, const char *rows)
{
    char *expected = strdup(rows);
    static const unsigned pages[] = { 1, 3, 0 };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        r.max_entries = pages[i];
        assert_string_equal(all(f, &r, show), expected);
    }
    free(expected);
}

static void put_tree(const struct fixture *f)
{
    boto("[s3.put_object(Bucket='%s', Key=k) and None for k in ('a', 'b/1', 'b/2', 'b/c/3', "
         "'c', 'd/1', 'e')]",
        f->bucket);
}

/* ---- Objects ---- */

static void objects_are_listed_in_order(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS };
    assert_lists(f, r, show_key, "[]");
    put_tree(f);
    assert_lists(f, r, show_key, boto("keys('%s')", f->bucket));
    r.prefix = "b/";
    assert_lists(f, r, show_key, "['b/1', 'b/2', 'b/c/3']");
    r.prefix = NULL;
    r.start_after = "b/2";
    assert_lists(f, r, show_key, "['b/c/3', 'c', 'd/1', 'e']");
}

/* With pages of 1 each is in its place; else prefixes come last in their page. */
static void common_prefixes_stand_for_what_is_below_them(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS, .delimiter = "/" };
    put_tree(f);
    assert_string_equal(all(f, &r, show_key), "['a', 'c', 'e', '/b/', '/d/']");
    r.max_entries = 1;
    assert_string_equal(all(f, &r, show_key), "['a', '/b/', 'c', '/d/', 'e']");
    r.prefix = "b/";
    assert_string_equal(all(f, &r, show_key), "['b/1', 'b/2', '/b/c/']");
}

static void more_than_a_page_of_the_servers_is_listed(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS };
    boto("[s3.put_object(Bucket='%s', Key='%%04d' %% i) and None for i in range(1100)]",
        f->bucket);
    const char *expected = boto("keys('%s')", f->bucket);
    assert_string_equal(all(f, &r, show_key), expected);
}

/* In the process that it makes: what goes on behind the token. */
static int list_behind(const char *bucket, const char *token)
{
    struct fixture f = { .store = NULL };
    struct haul_request r = {
        .operation = HAUL_LIST_OBJECTS, .continuation = token, .max_entries = 2
    };
    f.store = open_store(bucket, &f.err);
    int rc = f.store && strcmp(all(&f, &r, show_key), "['b/2', 'b/c/3', 'c', 'd/1', 'e']") == 0;
    haul_store_free(f.store);
    return rc ? 0 : 1;
}

static void another_process_goes_on_with_a_saved_continuation(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS, .max_entries = 2 };
    const struct haul_entry *e;
    int status = -1;
    put_tree(f);
    struct haul_list *l = haul_list_new(f->store, &r, &f->err);
    assert_non_null(l);
    assert_int_equal(haul_list_next(l, &e, &f->err), 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(list_behind(f->bucket, haul_list_continuation(l)));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    haul_list_free(l);
}

/* ---- Everything else ---- */

static void versions_and_delete_markers_are_listed(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .operation = HAUL_LIST_VERSIONS };
    boto("s3.put_bucket_versioning(Bucket='%s', "
         "VersioningConfiguration={'Status': 'Enabled'})",
        f->bucket);
    boto("[s3.put_object(Bucket='%s', Key=k, Body=b) and None for k in 'abc' for b in (b'1', "
         "b'2')]",
        f->bucket);
    boto("s3.delete_object(Bucket='%s', Key='b')", f->bucket);
    /* The server orders them by key, then the newest first; boto3 has two lists of them. */
    assert_lists(f, r, show_version,
        boto("[(v['Key'], v['VersionId'], v['IsLatest'], 'Size' not in v) for v in "
             "sorted(every('list_object_versions', 'Versions', Bucket='%s') + "
             "every('list_object_versions', 'DeleteMarkers', Bucket='%s'), "
             "key=lambda v: (v['Key'], 'Size' in v))]",
            f->bucket, f->bucket));
    r.prefix = "c";
    assert_lists(f, r, show_version,
        boto("[(v['Key'], v['VersionId'], v['IsLatest'], False) for v in "
             "every('list_object_versions', 'Versions', Bucket='%s', Prefix='c')]",
            f->bucket));
}

static void open_uploads_and_their_parts_are_listed(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .operation = HAUL_LIST_UPLOADS };
    boto("[s3.create_multipart_upload(Bucket='%s', Key=k) and None for k in 'abccd']",
        f->bucket);
    assert_lists(f, r, show_upload,
        boto("[(u['Key'], u['UploadId']) for u in every('list_multipart_uploads', 'Uploads', "
             "Bucket='%s')]",
            f->bucket));

    char *id = strdup(boto("every('list_multipart_uploads', 'Uploads', Bucket='%s', "
                           "Prefix='d')[0]['UploadId']",
        f->bucket));
    boto("[s3.upload_part(Bucket='%s', Key='d', UploadId='%s', PartNumber=n, Body=b'x' * n) "
         "and None for n in range(1, 12, 2)]",
        f->bucket, id);
    r = (struct haul_request){ .operation = HAUL_LIST_PARTS, .key = "d", .upload_id = id };
    assert_lists(f, r, show_part,
        boto("[(p['PartNumber'], p['ETag'], p['Size']) for p in "
             "every('list_parts', 'Parts', Bucket='%s', Key='d', UploadId='%s')]",
            f->bucket, id));
    r.part_number = 7;
    assert_lists(f, r, show_part,
        boto("[(p['PartNumber'], p['ETag'], p['Size']) for p in "
             "every('list_parts', 'Parts', Bucket='%s', Key='d', UploadId='%s')[4:]]",
            f->bucket, id));
    free(id);
}

static void buckets_are_listed(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .operation = HAUL_LIST_BUCKETS };
    char *other = boto_bucket();
    const char *expected = boto("[b['Name'] for b in s3.list_buckets()['Buckets']]");
    assert_non_null(strstr(expected, other));
    assert_string_equal(all(f, &r, show_key), expected);
    free(other);
}

static void a_listing_of_no_such_bucket_says_so(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS, .bucket = "no-such-bucket" };
    const struct haul_entry *e;
    struct haul_list *l = haul_list_new(f->store, &r, &f->err);
    assert_int_equal(haul_list_next(l, &e, &f->err), -1);
    assert_string_equal(f->err.aws_code, "NoSuchBucket");
    haul_list_free(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(objects_are_listed_in_order),
        TEST(common_prefixes_stand_for_what_is_below_them),
        TEST(more_than_a_page_of_the_servers_is_listed),
        TEST(another_process_goes_on_with_a_saved_continuation),
        TEST(versions_and_delete_markers_are_listed),
        TEST(open_uploads_and_their_parts_are_listed),
        TEST(buckets_are_listed),
        TEST(a_listing_of_no_such_bucket_says_so),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
