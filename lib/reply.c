/* The judgement of replies: see reply.h. Refusals are the matter of reply_failure.c. */
#include "reply.h"

#include <curl/curl.h> /* curl_getdate() */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "operation.h"
#include "rows.h"

#define HEAD_BYTES_MAX (256 * 1024)
#define BODY_BYTES_MAX                                                                         \
    (8 * 1024 * 1024) /* a listing of 1,000 keys of 1 KiB, escaped: 4 MiB                      \
                       */

/* ---- Headers ---- */

struct reply reply_make(void)
{
    return (struct reply){
        .content_length = -1, .head = buf_make(HEAD_BYTES_MAX), .body = buf_make(BODY_BYTES_MAX)
    };
}

void reply_free(struct reply *r)
{
    buf_free(&r->head);
    buf_free(&r->body);
    haul_sum_free(r->sum);
    *r = reply_make();
}

void reply_add_header(struct reply *r, const char *name, const char *value)
{
    size_t at = r->head.len;
    buf_add(&r->head, name, strlen(name) + 1);
    buf_add(&r->head, value, strlen(value) + 1);
    if (r->head.failed)
        return;
    for (char *c = r->head.data + at; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char) (*c | 0x20);
    r->head_count++;
}

int reply_end_head(struct reply *r, struct haul_error *err)
{
    static const char zeroes[sizeof(struct haul_pair)];
    const size_t text_bytes = r->head.len, align = sizeof(void *);
    buf_add(&r->head, zeroes, (align - text_bytes % align) % align);
    size_t index_at = r->head.len;
    for (size_t i = 0; i < r->head_count; i++)
        buf_add(&r->head, zeroes, sizeof zeroes);
    if (r->head.failed == HAUL_NO_MEMORY)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a reply");
    if (r->head.failed)
        return haul_error_set(err, HAUL_BAD_REPLY, "the reply's headers are over 256 KiB");
    if (r->head_count == 0)
        return 0;
    struct haul_pair *pairs = (void *) (r->head.data + index_at);
    const char *text = r->head.data;
    for (size_t i = 0; i < r->head_count; i++) {
        pairs[i].name = text;
        pairs[i].value = text + strlen(text) + 1;
        text = pairs[i].value + strlen(pairs[i].value) + 1;
    }
    r->headers = (struct haul_pairs){ pairs, r->head_count };
    return 0;
}

static const char *find(const struct haul_pairs *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++)
        if (strcmp(headers->pairs[i].name, name) == 0)
            return headers->pairs[i].value;
    return NULL;
}

const char *reply_header(const struct reply *r, const char *name)
{
    const char *value = find(&r->headers, name);
    return value == NULL ? "" : value;
}

const char *haul_result_header(const struct haul_result *r, const char *name)
{
    return find(&r->headers, name);
}

static const char *given(const char *text)
{
    return text == NULL || *text == '\0' ? NULL : text;
}

const char *reply_etag(const struct reply *r)
{
    return given(reply_header(r, "etag"));
}

int64_t reply_date_ms(const struct reply *r, const char *name)
{
    const char *text = reply_header(r, name);
    time_t t = *text ? curl_getdate(text, NULL) : -1;
    return t < 0 ? -1 : (int64_t) t * 1000;
}

/* ---- Checksums ---- */

/* The header's value for a kind; NULL: the reply has none. */
static const char *told_sum(const struct reply *reply, enum haul_checksum kind)
{
    char name[64];
    snprintf(name, sizeof name, "x-amz-checksum-%s", haul_checksum_name(kind));
    return given(reply_header(reply, name));
}

/* Of the kind that was asked for, else of any that the reply has. */
static const char *find_sum(
    const struct reply *reply, enum haul_checksum wanted, enum haul_checksum *kind)
{
    const char *value = wanted == HAUL_CHECKSUM_NONE ? NULL : told_sum(reply, wanted);
    *kind = wanted;
    for (int other = HAUL_CRC32C; value == NULL && other < HAUL_MD5; other++) {
        *kind = (enum haul_checksum) other;
        value = told_sum(reply, *kind);
    }
    return value;
}

static bool is_of_range(const struct haul_request *r)
{
    return r->range.start > 0 || r->range.len > 0;
}

int reply_begin_sum(struct reply *reply, const struct haul_request *r, struct haul_error *err)
{
    if (r->operation != HAUL_GET_OBJECT || r->checksum == HAUL_CHECKSUM_NONE ||
        reply->status != 200 || is_of_range(r))
        return 0;
    enum haul_checksum kind;
    const char *value = find_sum(reply, r->checksum, &kind);
    if (value == NULL || strchr(value, '-') != NULL ||
        strcmp(reply_header(reply, "x-amz-checksum-type"), "COMPOSITE") == 0)
        return 0;
    reply->sum = haul_sum_new(kind);
    reply->sum_kind = kind;
    return reply->sum ? 0 : haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a checksum");
}

/* ---- Objects ---- */

static int bad_reply(const struct haul_request *r, enum haul_retry retry,
    struct haul_error *err, const char *what)
{
    const char *of = r->key ? r->key : r->bucket ? r->bucket : haul_endpoint_url(r->endpoint);
    haul_error_set(err, HAUL_BAD_REPLY, "%s of %s: %s", operation_name(r->operation), of, what);
    err->retry = retry;
    return -1;
}

/* "bytes 0-8388607/5368709120". */
static bool parse_content_range(const char *text, struct haul_range *range, uint64_t *total)
{
    static const char unit[] = "bytes ";
    uint64_t first, last;
    if (strncmp(text, unit, strlen(unit)) != 0)
        return false;
    text += strlen(unit);
    if (!rows_take_number(&text, &first) || *text++ != '-' || !rows_take_number(&text, &last) ||
        *text++ != '/' || !rows_take_number(&text, total) || *text != '\0' || last < first ||
        last >= *total)
        return false;
    *range = (struct haul_range){ first, last - first + 1 };
    return true;
}

/* A store that ignores If-Match still tells its ETag. */
static int check_match(
    const struct haul_request *r, const struct reply *reply, struct haul_error *err)
{
    const char *etag = reply_header(reply, "etag");
    if (r->if_match && *etag && strcmp(r->if_match, "*") != 0 && strcmp(r->if_match, etag) != 0)
        return bad_reply(r, HAUL_RETRY_FROM_START, err, "another object stands there now");
    return 0;
}

/* A range that was asked for must come as it is, or not at all. But one that ends behind the
 * object comes cut short, and would so each time. */
static int check_range(const struct haul_request *r, const struct reply *reply,
    struct haul_range *got, struct haul_error *err)
{
    uint64_t total;
    if (!parse_content_range(reply_header(reply, "content-range"), got, &total) ||
        got->start != r->range.start)
        return bad_reply(r, HAUL_RETRY_LATER, err, "a Content-Range that was not asked for");
    bool to_end = got->len == total - got->start;
    if (r->range.len == 0 ? to_end : got->len == r->range.len)
        return 0;
    if (!to_end || got->len > r->range.len)
        return bad_reply(r, HAUL_RETRY_LATER, err, "a Content-Range that was not asked for");
    haul_error_set(err, HAUL_BAD_ARGUMENT,
        "%s has %" PRIu64 " bytes: there are no %" PRIu64 " from byte %" PRIu64 " on", r->key,
        total, r->range.len, r->range.start);
    err->retry = HAUL_RETRY_FROM_START;
    return -1;
}

/* Every store tells one of these. What tells neither is a page of somebody else's, or an error
 * that was found out after status 200 had gone. */
static bool is_object(const struct reply *reply)
{
    return reply_etag(reply) != NULL || *reply_header(reply, "last-modified") != '\0';
}

int reply_check_head(const struct haul_request *r, const struct reply *reply,
    int64_t *expected_bytes, struct haul_error *err)
{
    struct haul_range got = r->range;
    if (check_match(r, reply, err) < 0)
        return -1;
    if (reply->status != 200 && reply->status != 206)
        return bad_reply(r, HAUL_RETRY_LATER, err, "a success without an object");
    if (!is_object(reply))
        return bad_reply(r, HAUL_RETRY_LATER, err, "neither an ETag nor a date");
    *expected_bytes = reply->content_length;
    if (!is_of_range(r) && reply->status == 206)
        return bad_reply(r, HAUL_RETRY_LATER, err, "a part of the object, not the whole");
    /* Else its end would be that of the connection, however early. */
    if (!is_of_range(r) && reply->content_length < 0 &&
        *reply_header(reply, "transfer-encoding") == '\0')
        return bad_reply(r, HAUL_RETRY_LATER, err, "no Content-Length");
    if (!is_of_range(r))
        return 0;
    if (reply->status != 206 &&
        (r->range.start != 0 || reply->content_length != (int64_t) r->range.len))
        return bad_reply(r, HAUL_RETRY_LATER, err, "the server ignores Range");
    if (reply->status == 206 && check_range(r, reply, &got, err) < 0)
        return -1;
    *expected_bytes = (int64_t) got.len;
    if (reply->content_length >= 0 && reply->content_length != *expected_bytes)
        return bad_reply(r, HAUL_RETRY_LATER, err, "a Content-Length other than the range's");
    return 0;
}

uint64_t reply_object_bytes(const struct reply *reply, uint64_t received)
{
    struct haul_range range;
    uint64_t total;
    if (reply->status == 206 &&
        parse_content_range(reply_header(reply, "content-range"), &range, &total))
        return total;
    return reply->content_length >= 0 ? (uint64_t) reply->content_length : received;
}

static int judge_sum(
    const struct haul_request *r, const struct reply *reply, struct haul_result *result)
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    char text[HAUL_CHECKSUM_TEXT_SIZE];
    size_t bytes = haul_sum_end(reply->sum, value);
    if (bytes == 0)
        return haul_error_set(&result->error, HAUL_NO_MEMORY, "out of memory for a checksum");
    haul_checksum_text(value, bytes, text);
    result->checksum_verified = strcmp(text, told_sum(reply, reply->sum_kind)) == 0;
    return result->checksum_verified
               ? 0
               : bad_reply(r, HAUL_RETRY_LATER, &result->error, "bytes of another checksum");
}

static int judge_object(const struct haul_request *r, const struct reply *reply,
    uint64_t received, struct haul_result *result)
{
    int64_t expected = -1;
    result->size = reply_object_bytes(reply, received);
    if (r->operation == HAUL_HEAD_OBJECT && !is_object(reply))
        return bad_reply(r, HAUL_RETRY_LATER, &result->error, "neither an ETag nor a date");
    if (r->operation == HAUL_HEAD_OBJECT && reply->content_length < 0)
        return bad_reply(r, HAUL_RETRY_LATER, &result->error, "no Content-Length");
    if (r->operation == HAUL_HEAD_OBJECT)
        return check_match(r, reply, &result->error);
    if (reply_check_head(r, reply, &expected, &result->error) < 0)
        return -1;
    if (expected >= 0 && received != (uint64_t) expected)
        return bad_reply(r, HAUL_RETRY_LATER, &result->error, "a body of another length");
    return reply->sum == NULL ? 0 : judge_sum(r, reply, result);
}

/* ---- Successes ---- */

/* Ceph leaves an ETag's quotes out of its documents. */
static const char *quoted(struct document *d, const char *etag)
{
    if (etag == NULL || *etag == '\0' || *etag == '"' || strncmp(etag, "W/", 2) == 0)
        return given(etag);
    size_t size = strlen(etag) + sizeof "\"\"";
    char *text = document_allot(d, size, 1);
    if (text != NULL)
        snprintf(text, size, "\"%s\"", etag);
    return text;
}

/* S3 may send status 200 before it has finished and put <Error> in the body, so an upload is
 * complete, and a copy made, only when the body is the result document and names an ETag. */
static int judge_result(
    const struct haul_request *r, struct document *d, struct haul_result *result)
{
    bool fits = d && strcmp(document_root(d), operation_of(r->operation)->root) == 0;
    result->etag = quoted(d, fits ? document_text(d, "ETag") : NULL);
    if (result->etag == NULL)
        return bad_reply(r, HAUL_RETRY_LATER, &result->error, "neither a result nor an error");
    const char *modified = document_text(d, "LastModified");
    if (modified != NULL)
        result->modified_ms = rows_time_ms(modified);
    const char *told = rows_checksum(document_element(d), r->checksum);
    if (told != NULL)
        result->checksum = told;
    return 0;
}

/* PutObject and UploadPart: the server has what was sent. */
static int judge_stored(
    const struct haul_request *r, const struct reply *reply, struct haul_result *result)
{
    const char *told = reply->sent_sum ? told_sum(reply, r->checksum) : NULL;
    if (result->etag == NULL)
        return bad_reply(r, HAUL_RETRY_LATER, &result->error, "no ETag");
    return told == NULL || strcmp(told, reply->sent_sum) == 0
               ? 0
               : bad_reply(r, HAUL_RETRY_LATER, &result->error, "another checksum was stored");
}

static int judge_success(const struct haul_request *r, const struct reply *reply,
    uint64_t received, struct haul_result *result, struct document *d)
{
    const struct operation *o = operation_of(r->operation);
    struct haul_error *err = &result->error;
    int rc = 0;
    switch (o->answer) {
    case ANSWER_NOTHING:
        return 0;
    case ANSWER_ETAG:
        return judge_stored(r, reply, result);
    case ANSWER_OBJECT:
        return judge_object(r, reply, received, result);
    case ANSWER_ANY:
        result->body = r->sink.write ? NULL : buf_text(&reply->body);
        result->body_len = r->sink.write ? received : reply->body.len;
        return 0;
    case ANSWER_UPLOAD:
        result->upload_id = given(d ? document_text(d, "UploadId") : NULL);
        return result->upload_id ? 0 : bad_reply(r, HAUL_RETRY_LATER, err, "no upload id");
    case ANSWER_RESULT:
        return judge_result(r, d, result);
    case ANSWER_TAGS:
    case ANSWER_LISTING:
        /* Ceph 16, of an object made of parts that nobody has tagged. */
        if (d == NULL && r->operation == HAUL_GET_TAGS && reply->content_length == 0)
            return 0;
        if (d == NULL)
            return bad_reply(r, HAUL_RETRY_LATER, err, "an empty listing");
        if (o->root != NULL && strcmp(document_root(d), o->root) != 0)
            return bad_reply(r, HAUL_RETRY_LATER, err, "another document than was asked for");
        rc = o->answer == ANSWER_TAGS ? rows_tags(d, &result->tags, err)
                                      : rows_listing(d, &result->listing, err);
        if (rc < 0)
            err->retry = HAUL_RETRY_LATER;
        return rc;
    }
    return 0;
}

static void fill_result(
    const struct haul_request *r, const struct reply *reply, struct haul_result *result)
{
    enum haul_checksum kind;
    result->http_status = reply->status;
    result->headers = reply->headers;
    result->etag = reply_etag(reply);
    result->token = given(reply_header(reply, "x-amz-meta-haul"));
    result->version_id = given(reply_header(reply, "x-amz-version-id"));
    result->region = given(reply_header(reply, "x-amz-bucket-region"));
    result->modified_ms = reply_date_ms(reply, "last-modified");
    result->server_ms = reply_date_ms(reply, "date");
    if (r->checksum != HAUL_CHECKSUM_NONE)
        result->checksum = r->operation == HAUL_GET_OBJECT ? find_sum(reply, r->checksum, &kind)
                                                           : told_sum(reply, r->checksum);
    if (result->checksum == NULL)
        result->checksum = given(reply->sent_sum);
    if (result->server_ms >= 0)
        endpoint_note_date(r->endpoint, result->server_ms);
    result->error.code = HAUL_OK;
}

void reply_judge(const struct haul_request *r, const struct reply *reply,
    uint64_t received_bytes, struct haul_result *result, struct document **document)
{
    enum answer answer = operation_of(r->operation)->answer;
    struct haul_error broken = { .code = HAUL_OK };
    bool whatever = answer == ANSWER_ANY && reply->status >= 200 && reply->status < 300;
    struct document *d = reply->body.len > 0 && !whatever
                             ? document_parse(reply->body.data, reply->body.len, &broken)
                             : NULL;
    *document = d;
    fill_result(r, reply, result);
    if (reply_judge_failure(r, reply, d, &result->error)) {
        /* A server that failed may have done the work before it did. */
        result->outcome_unknown = reply->status >= 500 || reply->status < 300;
        return;
    }
    int rc = -1;
    if (broken.code != HAUL_OK && answer >= ANSWER_UPLOAD) {
        result->error = broken;
        if (broken.code == HAUL_BAD_REPLY)
            bad_reply(r, HAUL_RETRY_LATER, &result->error, broken.text);
        result->error.retry = HAUL_RETRY_LATER; /* cut off, or not from the store at all */
    } else {
        rc = judge_success(r, reply, received_bytes, result, d);
    }
    if (rc < 0) {
        result->outcome_unknown = true;
        reply_name(reply, &result->error);
    }
}
