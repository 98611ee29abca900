/* Files, pipes and uploads by hand on a real server: boto3 reads what they store and sees what
 * they leave open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/haul.h>
#include <pthread.h>
#include <unistd.h>

#include "boto.h"
#include "temp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MIB ((size_t) 1024 * 1024)
#define PART (16 * MIB) /* of a stream */
#define SIZE (48 * MIB)

struct fixture {
    char *bucket, *folder, *data; /* owned: SIZE bytes, which boto3 knows as `data` */
    struct haul_store *store;
    struct haul_error err;
};

static struct haul_store *open_store(struct fixture *f, const char *url, const char *ca_file)
{
    struct haul_store *s = haul_store_new(url,
        &(struct haul_store_options){
            .bucket = f->bucket, .client.retries = 2, .endpoint.ca_file = ca_file },
        &f->err);
    if (s == NULL)
        fail_msg("%s", f->err.text);
    return s;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->bucket = boto_bucket();
    f->folder = temp_make();
    f->data = malloc(SIZE);
    f->store = open_store(f, getenv("AWS_ENDPOINT_URL"), NULL);
    assert_non_null(f->data);
    srand(1);
    for (size_t i = 0; i < SIZE; i++)
        f->data[i] = (char) rand();
    boto_bytes("data", f->data, SIZE);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    haul_store_free(f->store);
    temp_remove(f->folder);
    free(f->bucket);
    free(f->data);
    free(f);
    return 0;
}

static const struct haul_result *good(const struct fixture *f, const struct haul_result *result)
{
    if (result == NULL)
        fail_msg("%s", f->err.text);
    return result;
}

static void boto_reads(const struct fixture *f, const char *key, size_t len)
{
    assert_string_equal(boto("read('%s', '%s') == data[:%zu]", f->bucket, key, len), "True");
}

static void boto_sees_no_open_upload(const struct fixture *f)
{
    assert_string_equal(
        boto("every('list_multipart_uploads', 'Uploads', Bucket='%s')", f->bucket), "[]");
}

static void assert_file(const struct fixture *f, const char *path, size_t len)
{
    char *got = malloc(len + 1);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(fread(got, 1, len + 1, in), len);
    assert_memory_equal(got, f->data, len);
    fclose(in);
    free(got);
}

/* ---- Pipes ---- */

struct writer {
    int fd;
    const char *data;
    size_t len;
};

static void *write_all(void *payload)
{
    const struct writer *w = payload;
    for (size_t at = 0; at < w->len;) {
        ssize_t n = write(w->fd, w->data + at, w->len - at);
        assert_true(n > 0);
        at += (size_t) n;
    }
    close(w->fd);
    return NULL;
}

static void standard_input_may_be_a_pipe_of_any_length(void **state)
{
    struct fixture *f = *state;
    const size_t sizes[] = { 0, 1, PART - 1, PART, PART + 1, 3 * PART };
    int before = dup(STDIN_FILENO);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct haul_request r = { .key = "piped" };
        pthread_t other;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        struct writer w = { ends[1], f->data, sizes[i] };
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        assert_int_equal(pthread_create(&other, NULL, write_all, &w), 0);
        good(f, haul_put_fd(f->store, &r, STDIN_FILENO, &f->err));
        pthread_join(other, NULL);
        boto_reads(f, "piped", sizes[i]);
    }
    dup2(before, STDIN_FILENO);
    close(before);
    assert_string_equal(
        boto("s3.head_object(Bucket='%s', Key='piped')['ETag'].endswith('-3\"')", f->bucket),
        "True");
    boto_sees_no_open_upload(f);
}

/* ---- Files ---- */

static void a_file_goes_there_and_back(void **state)
{
    struct fixture *f = *state;
    char *from = temp_write(f->folder, "from.txt", f->data, MIB), *got;
    char *to = temp_path(f->folder, "to");
    struct haul_request r = { .key = "a.txt" };
    size_t len;
    good(f, haul_put_file(f->store, &r, from, &f->err));
    boto_reads(f, "a.txt", MIB);
    assert_string_equal(
        boto("s3.head_object(Bucket='%s', Key='a.txt')['ContentType']", f->bucket),
        "text/plain");
    good(f, haul_get_file(f->store, &r, to, &f->err));
    assert_file(f, to, MIB);
    FILE *out = fopen(to, "w");
    good(f, haul_get_fd(f->store, &r, fileno(out), &f->err));
    fclose(out);
    assert_file(f, to, MIB);
    good(f, haul_get_memory(f->store, &r, MIB, &got, &len, &f->err));
    assert_int_equal(len, MIB);
    assert_memory_equal(got, f->data, len);
    free(got);
    free(from);
    free(to);
}

static void a_large_file_goes_there_and_back_in_pieces_of_any_size(void **state)
{
    static const struct {
        size_t part_bytes;
        const char *parts; /* of the ETag; NULL: one PutObject */
        unsigned workers;
    } sent[] = { { 0, "-5\"", 0 }, { 5 * MIB, "-8\"", 3 }, { 7 * MIB + 1, "-6\"", 1 },
        { 40 * MIB, NULL, 2 } };
    static const struct {
        size_t part_bytes;
        unsigned workers;
        bool separate_files;
    } received[] = { { 0, 0, false }, { MIB, 5, false }, { 3 * MIB + 7, 2, true },
        { 40 * MIB, 1, false } };
    struct fixture *f = *state;
    char *from = temp_write(f->folder, "from", f->data, 40 * MIB);
    char *to = temp_path(f->folder, "to");
    for (size_t i = 0; i < COUNT(sent); i++) {
        struct haul_request r = { .key = "large", .checksum = HAUL_CRC32C };
        struct haul_parallel_options up = { .part_bytes = sent[i].part_bytes,
            .workers = sent[i].workers };
        struct haul_parallel_options down = { .part_bytes = received[i].part_bytes,
            .workers = received[i].workers,
            .separate_files = received[i].separate_files };
        const char *etag =
            good(f, haul_put_file_multipart(f->store, &r, from, &up, &f->err))->etag;
        if (sent[i].parts != NULL)
            assert_non_null(strstr(etag, sent[i].parts));
        else
            assert_null(strchr(etag, '-'));
        boto_reads(f, "large", 40 * MIB);
        good(f, haul_get_file_parallel(f->store, &r, to, &down, &f->err));
        assert_file(f, to, 40 * MIB);
    }
    assert_int_equal(temp_count(f->folder), 2);
    boto_sees_no_open_upload(f);
    free(from);
    free(to);
}

static int give_up(void *payload, uint64_t done, uint64_t total)
{
    (void) payload, (void) total;
    return done > 0;
}

static void what_is_given_up_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    char *from = temp_write(f->folder, "from", f->data, SIZE);
    char *to = temp_path(f->folder, "to");
    struct haul_request r = { .key = "large" };
    struct haul_parallel_options o = { .part_bytes = 5 * MIB, .progress = give_up };
    assert_null(haul_put_file_multipart(f->store, &r, from, &o, &f->err));
    assert_int_equal(f->err.code, HAUL_CANCELLED);
    boto_sees_no_open_upload(f);
    assert_string_equal(boto("keys('%s')", f->bucket), "[]");

    good(f, haul_put_file_multipart(f->store, &r, from, NULL, &f->err));
    assert_null(haul_get_file_parallel(f->store, &r, to, &o, &f->err));
    assert_int_equal(f->err.code, HAUL_CANCELLED);
    assert_int_equal(temp_count(f->folder), 1);
    free(from);
    free(to);
}

/* ---- By hand ---- */

static void an_upload_is_left_resumed_and_completed(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "by hand",
        .metadata = { &(struct haul_pair){ "colour", "blue" }, 1 } };
    char id[256];
    size_t count;
    struct haul_upload *u = haul_upload_new(f->store, &r, &f->err);
    assert_non_null(u);
    for (unsigned n = 3; n > 1; n--)
        assert_int_equal(haul_upload_start(u, n,
                             haul_body_memory(f->data + (n - 1) * 5 * MIB, 5 * MIB), &f->err),
            n);
    assert_int_equal(haul_upload_wait(u, &f->err), 0);
    snprintf(id, sizeof id, "%s", haul_upload_id(u));
    haul_upload_free(u);
    assert_string_equal(
        boto("[(p['PartNumber'], p['Size']) for p in "
             "every('list_parts', 'Parts', Bucket='%s', Key='by hand', UploadId='%s')]",
            f->bucket, id),
        "[(2, 5242880), (3, 5242880)]");

    r.upload_id = id;
    r.max_entries = 1;
    u = haul_upload_resume(f->store, &r, &f->err);
    assert_non_null(u);
    assert_int_equal(haul_upload_parts(u, &count)[0].number, 2);
    assert_int_equal(count, 2);
    assert_int_equal(haul_upload_part(u, 1, haul_body_memory(f->data, 5 * MIB), &f->err), 1);
    assert_int_equal(
        haul_upload_part(u, 0, haul_body_memory(f->data + 15 * MIB, 9), &f->err), 4);
    good(f, haul_upload_complete(u, &f->err));
    haul_upload_free(u);
    boto_reads(f, "by hand", 15 * MIB + 9);
    boto_sees_no_open_upload(f);
    assert_string_equal(
        boto("s3.head_object(Bucket='%s', Key='by hand')['Metadata']", f->bucket),
        "{'colour': 'blue'}");

    r.max_entries = 0;
    assert_null(haul_upload_resume(f->store, &r, &f->err));
    if (f->err.retry != HAUL_RETRY_FROM_START)
        fail_msg("%s", f->err.text);
}

static void an_upload_that_was_completed_elsewhere_is_found_by_its_etag(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "twice" };
    struct haul_upload *u = haul_upload_new(f->store, &r, &f->err);
    assert_non_null(u);
    assert_true(haul_upload_start(u, 0, haul_body_memory(f->data, 5 * MIB), &f->err) > 0);
    assert_true(haul_upload_part(u, 0, haul_body_memory(f->data + 5 * MIB, 1), &f->err) > 0);
    r.upload_id = haul_upload_id(u);
    struct haul_upload *other = haul_upload_resume(f->store, &r, &f->err);
    good(f, haul_upload_complete(other, &f->err));
    haul_upload_free(other);
    assert_non_null(strstr(good(f, haul_upload_complete(u, &f->err))->etag, "-2\""));
    haul_upload_free(u);
    boto_reads(f, "twice", 5 * MIB + 1);
}

static void a_part_is_copied_from_another_object(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "copied" }, source = { .key = "so rce +?" };
    struct haul_source first = { .key = source.key, .range = { 0, 5 * MIB } };
    struct haul_source rest = { .key = source.key, .range = { 5 * MIB, MIB } };
    good(f, haul_put_memory(f->store, &source, f->data, 6 * MIB, &f->err));
    struct haul_upload *u = haul_upload_new(f->store, &r, &f->err);
    assert_non_null(u);
    assert_int_equal(haul_upload_start_copy(u, 0, &first, &f->err), 1);
    assert_int_equal(haul_upload_start_copy(u, 0, &rest, &f->err), 2);
    good(f, haul_upload_complete(u, &f->err));
    haul_upload_free(u);
    boto_reads(f, "copied", 6 * MIB);
}

static void an_aborted_upload_is_gone(void **state)
{
    struct fixture *f = *state;
    struct haul_request r = { .key = "aborted" };
    struct haul_upload *u = haul_upload_new(f->store, &r, &f->err);
    assert_non_null(u);
    haul_upload_limit(u, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_true(haul_upload_start(u, 0, haul_body_memory(f->data, 5 * MIB), &f->err) > 0);
    haul_store_stop(f->store);
    assert_int_equal(haul_upload_wait(u, &f->err), -1);
    assert_int_equal(f->err.code, HAUL_CANCELLED);
    if (haul_upload_abort(u, &f->err) < 0)
        fail_msg("%s", f->err.text);
    haul_upload_free(u);
    boto_sees_no_open_upload(f);
    assert_string_equal(boto("keys('%s')", f->bucket), "[]");
}

static void the_customers_key_goes_with_parts_and_ranges(void **state)
{
    static const unsigned char key[32] = "thirty two bytes that are secret";
    struct fixture *f = *state;
    struct haul_store *s = open_store(f, getenv("TLS_ENDPOINT_URL"), getenv("TLS_CA_BUNDLE"));
    char *from = temp_write(f->folder, "from", f->data, 12 * MIB);
    char *to = temp_path(f->folder, "to");
    struct haul_request r = { .key = "sealed",
        .encryption = { .kind = HAUL_ENCRYPT_C, .customer_key = key } };
    struct haul_parallel_options o = { .part_bytes = 5 * MIB };
    good(f, haul_put_file_multipart(s, &r, from, &o, &f->err));
    good(f, haul_get_file_parallel(s, &r, to, &o, &f->err));
    assert_file(f, to, 12 * MIB);
    r.encryption.kind = HAUL_ENCRYPT_DEFAULT;
    assert_null(haul_get_file_parallel(s, &r, to, &o, &f->err));
    assert_int_equal(f->err.http_status, 400);
    haul_store_free(s);
    free(from);
    free(to);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(standard_input_may_be_a_pipe_of_any_length),
        ONE(a_file_goes_there_and_back),
        ONE(a_large_file_goes_there_and_back_in_pieces_of_any_size),
        ONE(what_is_given_up_leaves_nothing_behind),
        ONE(an_upload_is_left_resumed_and_completed),
        ONE(an_upload_that_was_completed_elsewhere_is_found_by_its_etag),
        ONE(a_part_is_copied_from_another_object),
        ONE(an_aborted_upload_is_gone),
        ONE(the_customers_key_goes_with_parts_and_ranges),
    };
    return cmocka_run_group_tests(tests, boto_start, boto_stop);
}
