/* upload.c: multipart uploads by hand, against the scripted endpoint. */
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

#define PART (5 * MIB)
#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

static struct haul_upload *begin(struct shop *p, struct haul_request r)
{
    if (r.key == NULL)
        r.key = "big";
    struct haul_upload *u = r.upload_id ? haul_upload_resume(p->store, &r, &p->err)
                                        : haul_upload_new(p->store, &r, &p->err);
    if (u == NULL)
        fail_msg("%s", p->err.text);
    return u;
}

/* Sends two parts of `data`, one of 5 MiB and one of 3 bytes. */
static void send_two(struct shop *p, struct haul_upload *u, const char *data)
{
    assert_int_equal(haul_upload_start(u, 0, haul_body_memory(data, PART), &p->err), 1);
    assert_int_equal(haul_upload_start(u, 0, haul_body_memory(data + PART, 3), &p->err), 2);
    assert_int_equal(haul_upload_wait(u, &p->err), 0);
}

static void assert_fails(const struct shop *p, enum haul_code code, const char *word)
{
    if (p->err.code != code || strstr(p->err.text, word) == NULL)
        fail_msg("%s: %s", haul_code_name(p->err.code), p->err.text);
}

/* ---- Parts ---- */

static void parts_in_any_order_become_one_object(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(2 * PART + 3);
    size_t count;
    struct haul_upload *u = begin(p, (struct haul_request){ .content_type = "text/plain" });
    assert_int_equal(haul_upload_start(u, 3, haul_body_memory(data + 2 * PART, 3), &p->err), 3);
    assert_int_equal(haul_upload_start(u, 1, haul_body_memory(data, PART), &p->err), 1);
    assert_int_equal(haul_upload_start(u, 2, haul_body_memory(data + PART, PART), &p->err), 2);
    assert_int_equal(haul_upload_wait(u, &p->err), 0);
    const struct haul_part *parts = haul_upload_parts(u, &count);
    assert_int_equal(count, 3);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(parts[i].number, i + 1);
    assert_int_equal(parts[2].size, 3);
    assert_string_not_equal(haul_upload_id(u), "");
    assert_non_null(strstr(good(p, haul_upload_complete(u, &p->err))->etag, "-3\""));
    assert_object(p, "big", data, 2 * PART + 3);
    haul_upload_free(u);
    free(data);
}

static void numbers_are_given_behind_the_highest(void **state)
{
    struct shop *p = *state;
    struct haul_body one = haul_body_string("x");
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    assert_int_equal(haul_upload_start(u, 0, one, &p->err), 1);
    assert_int_equal(haul_upload_start(u, 7, one, &p->err), 7);
    assert_int_equal(haul_upload_part(u, 0, one, &p->err), 8);
    assert_int_equal(haul_upload_part(u, 2, one, &p->err), 2);
    assert_int_equal(haul_upload_part(u, 0, one, &p->err), 9);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    haul_upload_free(u);
}

static void a_number_again_replaces_that_part(void **state)
{
    struct shop *p = *state;
    size_t count;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    assert_int_equal(haul_upload_start(u, 1, haul_body_string("first"), &p->err), 1);
    assert_int_equal(haul_upload_start(u, 1, haul_body_string("second"), &p->err), 1);
    good(p, haul_upload_complete(u, &p->err));
    assert_int_equal(haul_upload_parts(u, &count)->size, 6);
    assert_int_equal(count, 1);
    haul_upload_free(u);
    assert_text(p, "big", "second");
}

static void *open_when_two_wait(void *payload)
{
    struct shop *p = payload;
    s3_wait_at(p->s3, "g", 2);
    s3_open(p->s3, "g");
    return NULL;
}

static void no_more_parts_are_in_flight_than_allowed(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    haul_upload_limit(u, 2);
    s3_fault(p->s3, "UploadPart always gate=g");
    pthread_t other = begin_thread(open_when_two_wait, p);
    for (int i = 0; i < 20; i++)
        assert_true(haul_upload_start(u, 0, haul_body_string("x"), &p->err) > 0);
    assert_int_equal(haul_upload_wait(u, &p->err), 0);
    pthread_join(other, NULL);
    assert_int_equal(s3_count(p->s3, "in_flight_max"), 2);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    haul_upload_free(u);
}

/* Case 3. */
static void a_part_whose_reply_is_lost_is_sent_again(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(PART + 3);
    s3_fault(p->s3, "UploadPart part=1 nth=1 drop-after\nUploadPart part=2 nth=1 no-etag");
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    send_two(p, u, data);
    good(p, haul_upload_complete(u, &p->err));
    assert_int_equal(s3_count(p->s3, "UploadPart"), 4);
    assert_object(p, "big", data, PART + 3);
    haul_upload_free(u);
    free(data);
}

static void a_failed_part_is_told_once_and_has_to_be_sent_again(void **state)
{
    struct shop *p = *state;
    struct haul_body one = haul_body_string("x");
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    s3_fault(p->s3, "UploadPart nth=1 status=403 code=AccessDenied");
    assert_int_equal(haul_upload_start(u, 0, one, &p->err), 1);
    assert_int_equal(haul_upload_wait(u, &p->err), -1);
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_int_equal(haul_upload_wait(u, &p->err), 0);
    assert_null(haul_upload_complete(u, &p->err));
    assert_fails(p, HAUL_BAD_ARGUMENT, "at least one part");
    assert_int_equal(haul_upload_part(u, 2, one, &p->err), 2);
    assert_null(haul_upload_complete(u, &p->err));
    assert_fails(p, HAUL_BAD_ARGUMENT, "part 1 failed");
    s3_clear(p->s3);
    s3_fault(p->s3, "UploadPart nth=1 status=403 code=AccessDenied");
    assert_int_equal(haul_upload_start(u, 2, one, &p->err), 2);
    while (haul_client_run(haul_store_client(p->store), 1000, &p->err) > 0)
        continue;
    assert_int_equal(haul_upload_start(u, 1, one, &p->err), -1); /* the news of part 2 */
    assert_int_equal(haul_upload_start(u, 1, one, &p->err), 1);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    haul_upload_free(u);
}

static ssize_t read_nothing(void *payload, uint64_t offset, void *data, size_t len)
{
    (void) payload, (void) offset, (void) data, (void) len;
    fail_msg("read");
    return -1;
}

/* Case 13. */
static void limits_are_enforced_before_anything_is_sent(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    struct haul_body large = { read_nothing, NULL, HAUL_PART_BYTES_MAX + 1 };
    assert_null(haul_upload_complete(u, &p->err));
    assert_fails(p, HAUL_BAD_ARGUMENT, "at least one part");
    uint64_t before = s3_count(p->s3, "requests");
    assert_int_equal(haul_upload_start(u, 10001, haul_body_string("x"), &p->err), -1);
    assert_fails(p, HAUL_BAD_ARGUMENT, "10001");
    assert_int_equal(haul_upload_start(u, 1, large, &p->err), -1);
    assert_fails(p, HAUL_BAD_ARGUMENT, "5 GiB");
    assert_int_equal(s3_count(p->s3, "requests"), before);

    assert_int_equal(haul_upload_part(u, 10000, haul_body_string("x"), &p->err), 10000);
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), -1);
    assert_fails(p, HAUL_BAD_ARGUMENT, "at most 10,000");
    assert_int_equal(haul_upload_part(u, 9, haul_body_string("too small"), &p->err), 9);
    before = s3_count(p->s3, "requests");
    assert_null(haul_upload_complete(u, &p->err));
    assert_fails(p, HAUL_BAD_ARGUMENT, "part 9 has 9 bytes");
    assert_int_equal(s3_count(p->s3, "requests"), before);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    haul_upload_free(u);
}

static void parts_can_be_copied_from_other_objects(void **state)
{
    struct shop *p = *state;
    char *data = stored(p->base, "source", PART + 100);
    struct haul_source whole = { .key = "source" };
    struct haul_source middle = { .key = "source", .range = { 50, 7 } };
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    assert_int_equal(haul_upload_start_copy(u, 0, &whole, &p->err), 1);
    assert_int_equal(haul_upload_start_copy(u, 0, &middle, &p->err), 2);
    good(p, haul_upload_complete(u, &p->err));
    memmove(data + PART + 93, data + 50, 7); /* the tail of what is expected */
    struct haul_request r = { .key = "big" };
    assert_int_equal(good(p, haul_head(p->store, &r, &p->err))->size, PART + 107);
    haul_upload_free(u);
    free(data);
}

static void what_the_request_says_goes_with_every_part(void **state)
{
    static const unsigned char key[32] = "0123456789abcdef0123456789abcdef";
    struct shop *p = *state;
    struct haul_upload *u =
        begin(p, (struct haul_request){ .requester_pays = true,
                     .encryption = { .kind = HAUL_ENCRYPT_C, .customer_key = key },
                     .if_none_match = "*",
                     .checksum = HAUL_CRC32C });
    char headers[16384];
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    s3_headers(p->s3, "UploadPart", headers, sizeof headers);
    assert_non_null(strstr(headers, "x-amz-request-payer: requester\n"));
    assert_non_null(strstr(headers, "x-amz-server-side-encryption-customer-key: "));
    assert_non_null(strstr(headers, "x-amz-checksum-crc32c: "));
    assert_null(strstr(headers, "if-none-match"));
    s3_headers(p->s3, "CreateMultipartUpload", headers, sizeof headers);
    assert_non_null(strstr(headers, "x-amz-checksum-algorithm: CRC32C\n"));
    assert_null(strstr(headers, "if-none-match"));
    good(p, haul_upload_complete(u, &p->err));
    s3_headers(p->s3, "CompleteMultipartUpload", headers, sizeof headers);
    assert_non_null(strstr(headers, "if-none-match: *\n"));
    assert_non_null(strstr(headers, "x-amz-request-payer: requester\n"));
    haul_upload_free(u);
}

/* ---- Completing ---- */

/* Case 17. */
static void the_checksum_of_the_whole_is_made_of_those_of_the_parts(void **state)
{
    static const struct {
        enum haul_checksum kind;
        bool composite, full;
    } cases[] = {
        { HAUL_CRC32C, false, true },
        { HAUL_CRC32, true, false },
        { HAUL_CRC64NVME, false, true },
        { HAUL_SHA256, false, false },
    };
    struct shop *p = *state;
    char *data = some_bytes(PART + 3);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
        char text[HAUL_CHECKSUM_TEXT_SIZE];
        struct haul_upload *u = begin(p, (struct haul_request){ .checksum = cases[i].kind,
                                             .checksum_composite = cases[i].composite });
        send_two(p, u, data);
        const struct haul_result *result = good(p, haul_upload_complete(u, &p->err));
        struct haul_sum *sum = haul_sum_new(cases[i].kind);
        haul_sum_add(sum, data, PART + 3);
        haul_checksum_text(value, haul_sum_end(sum, value), text);
        haul_sum_free(sum);
        assert_non_null(result->checksum);
        if (cases[i].full)
            assert_string_equal(result->checksum, text);
        else
            assert_non_null(strstr(result->checksum, "-2"));
        haul_upload_free(u);
    }
    free(data);
}

static void a_whole_of_another_checksum_is_refused(void **state)
{
    struct shop *p = *state;
    struct haul_request given = { .checksum = HAUL_CRC32C, .checksum_value = "AAAAAA==" };
    struct haul_upload *u = begin(p, given);
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    assert_null(haul_upload_complete(u, &p->err)); /* by the server: it is not the caller's */
    assert_int_equal(p->err.code, HAUL_SERVER);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    haul_upload_free(u);

    s3_fault(p->s3, "CompleteMultipartUpload always wrong-checksum");
    u = begin(p, (struct haul_request){ .checksum = HAUL_SHA1 });
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    assert_null(haul_upload_complete(u, &p->err)); /* by us: it is not what was sent */
    assert_fails(p, HAUL_BAD_REPLY, "sha1");
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    haul_upload_free(u);
}

static void a_resumed_upload_has_the_checksums_of_its_parts(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(PART + 3);
    struct haul_upload *first = begin(p, (struct haul_request){ .checksum = HAUL_CRC64NVME });
    send_two(p, first, data);
    struct haul_upload *u = begin(p, (struct haul_request){ .upload_id = haul_upload_id(first),
                                         .checksum = HAUL_CRC64NVME });
    haul_upload_free(first);
    assert_non_null(good(p, haul_upload_complete(u, &p->err))->checksum);
    haul_upload_free(u);
    char headers[16384];
    s3_headers(p->s3, "CompleteMultipartUpload", headers, sizeof headers);
    assert_non_null(strstr(headers, "x-amz-checksum-crc64nvme: "));
    free(data);
}

/* Case 9. */
static void a_completion_whose_reply_is_lost_is_proved_by_the_etag(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(PART + 3);
    s3_fault(p->s3, "CompleteMultipartUpload nth=1 drop-after");
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    send_two(p, u, data);
    assert_non_null(strstr(good(p, haul_upload_complete(u, &p->err))->etag, "-2\""));
    assert_int_equal(s3_count(p->s3, "HeadObject"), 1);
    assert_object(p, "big", data, PART + 3);
    haul_upload_free(u);
    free(data);
}

/* Case 9. */
static void a_completion_whose_reply_is_lost_is_proved_by_the_token(void **state)
{
    struct shop *p = *state;
    s3_fault(p->s3, "CompleteMultipartUpload nth=1 drop-after\nHeadObject nth=1 etag=\"x\"");
    struct haul_upload *u = begin(p, (struct haul_request){ .token = "t-1" });
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    assert_string_equal(good(p, haul_upload_complete(u, &p->err))->token, "t-1");
    haul_upload_free(u);
}

/* Case 9. */
static void an_upload_that_is_gone_is_not_taken_for_complete(void **state)
{
    struct shop *p = *state;
    const char *const tokens[] = { NULL, "t-1" };
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        struct haul_upload *u = begin(p, (struct haul_request){ .token = tokens[i] });
        struct haul_request drop = {
            .operation = HAUL_ABORT_UPLOAD, .key = "big", .upload_id = haul_upload_id(u)
        };
        assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
        good(p, haul_perform(p->store, &drop, &p->err));
        assert_null(haul_upload_complete(u, &p->err)); /* nothing is there */
        assert_string_equal(p->err.aws_code, "NoSuchUpload");
        assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
        put(p, "big", "another's");
        assert_null(haul_upload_complete(u, &p->err));
        assert_string_equal(p->err.aws_code, "NoSuchUpload");
        struct haul_request other = { .key = "big", .token = "t-1" };
        good(p, haul_put_string(p->store, &other, "of another size", &p->err));
        assert_null(haul_upload_complete(u, &p->err));
        haul_upload_free(u);
        good(p, haul_delete(p->store, &(struct haul_request){ .key = "big" }, &p->err));
    }
}

/* Case 8. */
static void an_error_under_status_200_is_an_error(void **state)
{
    struct shop *p = *state;
    s3_fault(p->s3, "CompleteMultipartUpload nth=1 error-200=InternalError\n"
                    "CompleteMultipartUpload nth=2 empty-200\n"
                    "CompleteMultipartUpload nth=3 error-200=AccessDenied");
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    assert_null(haul_upload_complete(u, &p->err));
    assert_string_equal(p->err.aws_code, "AccessDenied");
    assert_int_equal(s3_count(p->s3, "CompleteMultipartUpload"), 3);
    good(p, haul_upload_complete(u, &p->err)); /* it may be tried again */
    haul_upload_free(u);
    assert_text(p, "big", "x");
}

/* Case 10. */
static void a_conflict_after_a_lost_reply_may_be_our_own_object(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ .if_none_match = "*" });
    s3_fault(p->s3, "CompleteMultipartUpload nth=1 drop-after\n"
                    "CompleteMultipartUpload nth=2 status=412 code=PreconditionFailed");
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    good(p, haul_upload_complete(u, &p->err));
    haul_upload_free(u);
}

/* Case 10. */
static void a_conflict_at_once_is_another_s_object(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    good(p, haul_upload_complete(u, &p->err));
    haul_upload_free(u);
    u = begin(p, (struct haul_request){ .if_none_match = "*" });
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    assert_null(haul_upload_complete(u, &p->err)); /* though it has the same ETag */
    assert_int_equal(p->err.http_status, 412);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    haul_upload_free(u);
}

/* Case 12. */
static void a_part_that_another_has_overwritten_is_named_and_can_be_mended(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(PART + 3);
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    send_two(p, u, data);
    struct haul_upload *other =
        begin(p, (struct haul_request){ .upload_id = haul_upload_id(u) });
    assert_int_equal(haul_upload_part(other, 2, haul_body_string("else"), &p->err), 2);
    haul_upload_free(other);
    assert_null(haul_upload_complete(u, &p->err));
    assert_string_equal(p->err.aws_code, "InvalidPart");
    assert_non_null(strstr(p->err.text, "part 2"));
    assert_int_equal(haul_upload_part(u, 2, haul_body_memory(data + PART, 3), &p->err), 2);
    good(p, haul_upload_complete(u, &p->err));
    assert_object(p, "big", data, PART + 3);
    haul_upload_free(u);
    free(data);
}

static void nothing_is_sent_for_an_upload_that_has_ended(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    good(p, haul_upload_complete(u, &p->err));
    uint64_t before = s3_count(p->s3, "requests");
    assert_null(haul_upload_complete(u, &p->err));
    assert_fails(p, HAUL_BAD_ARGUMENT, "ended");
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), -1);
    assert_fails(p, HAUL_BAD_ARGUMENT, "ended");
    assert_int_equal(s3_count(p->s3, "requests"), before);
    haul_upload_free(u);
}

/* ---- Resuming ---- */

/* Case 5. */
static void a_resumed_upload_has_the_parts_of_all_pages(void **state)
{
    struct shop *p = *state;
    char *data = some_bytes(2 * PART), id[128];
    size_t count;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    assert_true(haul_upload_start(u, 0, haul_body_memory(data, PART), &p->err) > 0);
    assert_true(haul_upload_start(u, 0, haul_body_memory(data + PART, PART), &p->err) > 0);
    assert_true(haul_upload_part(u, 5, haul_body_string("x"), &p->err) > 0);
    snprintf(id, sizeof id, "%s", haul_upload_id(u));
    haul_upload_free(u); /* which leaves it open */
    u = begin(p, (struct haul_request){ .upload_id = id, .max_entries = 1 });
    assert_string_equal(haul_upload_id(u), id);
    const struct haul_part *parts = haul_upload_parts(u, &count);
    assert_int_equal(count, 3);
    assert_int_equal(parts[1].size, PART);
    assert_int_equal(parts[2].number, 5);
    assert_int_equal(s3_count(p->s3, "ListParts"), 3);
    good(p, haul_upload_complete(u, &p->err));
    haul_upload_free(u);
    struct haul_request r = { .key = "big" };
    assert_int_equal(good(p, haul_head(p->store, &r, &p->err))->size, 2 * PART + 1);
    free(data);
}

static void resuming_what_is_gone_says_so(void **state)
{
    struct shop *p = *state;
    struct haul_request r = { .key = "big", .upload_id = "none" };
    assert_null(haul_upload_resume(p->store, &r, &p->err));
    assert_int_equal(p->err.retry, HAUL_RETRY_FROM_START);
    r.upload_id = NULL;
    assert_null(haul_upload_resume(p->store, &r, &p->err));
    assert_int_equal(p->err.code, HAUL_BAD_ARGUMENT);
}

/* ---- Aborting ---- */

/* Case 18. */
static void an_abort_takes_parts_in_flight_with_it(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    s3_fault(p->s3, "UploadPart always gate=g");
    for (int i = 0; i < 3; i++)
        assert_true(haul_upload_start(u, 0, haul_body_string("x"), &p->err) > 0);
    while (s3_count(p->s3, "in_flight") < 3)
        assert_true(haul_client_run(haul_store_client(p->store), 10, &p->err) >= 0);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    assert_int_equal(haul_upload_abort(u, &p->err), 0); /* gone is fine */
    assert_int_equal(haul_upload_start(u, 0, haul_body_string("x"), &p->err), -1);
    assert_fails(p, HAUL_BAD_ARGUMENT, "ended");
    haul_upload_free(u);
    s3_clear(p->s3);
    assert_int_equal(count_uploads(p), 0);
    assert_int_equal(haul_upload_abort(NULL, &p->err), 0);
}

/* Case 18. */
static void an_abort_is_repeated_until_no_part_is_left(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    s3_fault(p->s3, "AbortMultipartUpload nth=1 status=204");
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), 1);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    assert_int_equal(s3_count(p->s3, "AbortMultipartUpload"), 2);
    assert_int_equal(count_uploads(p), 0);
    haul_upload_free(u);
}

static void an_abort_that_fails_says_so(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    s3_fault(p->s3, "AbortMultipartUpload nth=1 status=403 code=AccessDenied");
    assert_int_equal(haul_upload_abort(u, &p->err), -1);
    assert_string_equal(p->err.aws_code, "AccessDenied");
    s3_clear(p->s3);
    s3_fault(p->s3, "ListParts always status=403 code=AccessDenied");
    assert_int_equal(haul_upload_abort(u, &p->err), 0); /* not everybody may list */
    haul_upload_free(u);
}

static void an_upload_can_be_stopped_by_another_thread_and_aborted_then(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    s3_fault(p->s3, "UploadPart always gate=g");
    pthread_t other = begin_thread(stop_at_the_gate, p);
    assert_int_equal(haul_upload_part(u, 0, haul_body_string("x"), &p->err), -1);
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_null(haul_upload_complete(u, &p->err));
    assert_int_equal(p->err.code, HAUL_CANCELLED);
    assert_int_equal(haul_upload_abort(u, &p->err), 0);
    haul_upload_free(u);
    reopen(p);
    assert_int_equal(count_uploads(p), 0);
}

static void an_upload_is_freed_with_parts_in_flight(void **state)
{
    struct shop *p = *state;
    struct haul_upload *u = begin(p, (struct haul_request){ 0 });
    assert_int_equal(haul_upload_start(u, 0, haul_body_string("x"), &p->err), 1);
    haul_upload_free(u);
    haul_upload_free(NULL);
    assert_int_equal(haul_client_run(haul_store_client(p->store), 0, &p->err), 0);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(parts_in_any_order_become_one_object),
        ONE(numbers_are_given_behind_the_highest),
        ONE(a_number_again_replaces_that_part),
        ONE(no_more_parts_are_in_flight_than_allowed),
        ONE(a_part_whose_reply_is_lost_is_sent_again),
        ONE(a_failed_part_is_told_once_and_has_to_be_sent_again),
        ONE(limits_are_enforced_before_anything_is_sent),
        ONE(parts_can_be_copied_from_other_objects),
        ONE(what_the_request_says_goes_with_every_part),
        ONE(the_checksum_of_the_whole_is_made_of_those_of_the_parts),
        ONE(a_whole_of_another_checksum_is_refused),
        ONE(a_resumed_upload_has_the_checksums_of_its_parts),
        ONE(a_completion_whose_reply_is_lost_is_proved_by_the_etag),
        ONE(a_completion_whose_reply_is_lost_is_proved_by_the_token),
        ONE(an_upload_that_is_gone_is_not_taken_for_complete),
        ONE(an_error_under_status_200_is_an_error),
        ONE(a_conflict_after_a_lost_reply_may_be_our_own_object),
        ONE(a_conflict_at_once_is_another_s_object),
        ONE(a_part_that_another_has_overwritten_is_named_and_can_be_mended),
        ONE(nothing_is_sent_for_an_upload_that_has_ended),
        ONE(a_resumed_upload_has_the_parts_of_all_pages),
        ONE(resuming_what_is_gone_says_so),
        ONE(an_abort_takes_parts_in_flight_with_it),
        ONE(an_abort_is_repeated_until_no_part_is_left),
        ONE(an_abort_that_fails_says_so),
        ONE(an_upload_can_be_stopped_by_another_thread_and_aborted_then),
        ONE(an_upload_is_freed_with_parts_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
