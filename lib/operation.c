/* S3's operations: one table of what each needs and answers, the request's path, query and
 * headers, and the judgement of replies. Nothing here sends, signs or retries. */
#include "operation.h"

#include <curl/curl.h> /* curl_getdate() */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "retry.h"
#include "uri.h"

enum { KEY = 1, UPLOAD_ID = 2, PART = 4, PARTS = 8, SLOW = 16 };

/* What a successful reply must bring. */
enum answer { NOTHING, ETAG, OBJECT, CREATED, COMPLETED, LISTING };

static const struct operation {
    const char *name, *method;
    unsigned traits;
    enum answer answer;
} operations[] = {
    [HAUL_HEAD_BUCKET] = { "HeadBucket", "HEAD", 0, NOTHING },
    [HAUL_CREATE_BUCKET] = { "CreateBucket", "PUT", 0, NOTHING },
    [HAUL_PUT_OBJECT] = { "PutObject", "PUT", KEY, ETAG },
    [HAUL_GET_OBJECT] = { "GetObject", "GET", KEY, OBJECT },
    [HAUL_HEAD_OBJECT] = { "HeadObject", "HEAD", KEY, OBJECT },
    [HAUL_DELETE_OBJECT] = { "DeleteObject", "DELETE", KEY, NOTHING },
    [HAUL_CREATE_UPLOAD] = { "CreateMultipartUpload", "POST", KEY, CREATED },
    [HAUL_UPLOAD_PART] = { "UploadPart", "PUT", KEY | UPLOAD_ID | PART, ETAG },
    [HAUL_COMPLETE_UPLOAD] = { "CompleteMultipartUpload", "POST",
        KEY | UPLOAD_ID | PARTS | SLOW, COMPLETED },
    [HAUL_ABORT_UPLOAD] = { "AbortMultipartUpload", "DELETE", KEY | UPLOAD_ID, NOTHING },
    [HAUL_LIST_OBJECTS] = { "ListObjectsV2", "GET", 0, LISTING },
    [HAUL_LIST_PARTS] = { "ListParts", "GET", KEY | UPLOAD_ID, LISTING },
    [HAUL_LIST_UPLOADS] = { "ListMultipartUploads", "GET", 0, LISTING },
};

const char *operation_name(enum haul_operation operation)
{
    return operations[operation].name;
}

bool operation_is_slow(enum haul_operation operation)
{
    return (operations[operation].traits & SLOW) != 0;
}

/* Nothing that would end the host's name: keys are sent there. Ceph writes tenant:bucket. */
static bool is_bucket(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") ==
           strlen(name);
}

/* Anything else would begin another header. */
static bool is_line(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        if ((unsigned char) *text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool are_parts(const struct haul_part *parts, size_t count)
{
    unsigned last = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].etag == NULL || parts[i].number <= last ||
            parts[i].number > HAUL_PARTS_MAX)
            return false;
        last = parts[i].number;
    }
    return count > 0;
}

/* Limits first: a request that S3 must refuse is not worth its bytes. */
static int check_request(const struct haul_request *r, struct haul_error *err)
{
    const struct operation *o = &operations[r->operation];
    const char *fault = NULL;
    if (r->endpoint == NULL)
        fault = "needs an endpoint";
    else if (r->bucket == NULL || *r->bucket == '\0')
        fault = "needs a bucket";
    else if (!is_bucket(r->bucket))
        fault = "takes a bucket's name of letters, digits and . _ : -";
    else if ((o->traits & KEY) && (r->key == NULL || *r->key == '\0'))
        fault = "needs a key";
    else if ((o->traits & KEY) && strlen(r->key) > HAUL_KEY_BYTES_MAX)
        fault = "takes a key of at most 1,024 bytes";
    else if ((o->traits & UPLOAD_ID) && (r->upload_id == NULL || *r->upload_id == '\0'))
        fault = "needs an upload id";
    else if ((o->traits & PART) && (r->part_number < 1 || r->part_number > HAUL_PARTS_MAX))
        fault = "takes part numbers from 1 to 10,000";
    else if ((o->traits & PARTS) && !are_parts(r->parts, r->part_count))
        fault = "takes 1 to 10,000 parts with ETags, in the order of their numbers";
    else if (r->body.size > 0 && r->body.read == NULL)
        fault = "needs a function that reads the body";
    else if (!is_line(r->content_type) || !is_line(r->token) || !is_line(r->if_match))
        fault = "takes no control characters in headers";
    else if ((r->operation == HAUL_PUT_OBJECT || r->operation == HAUL_UPLOAD_PART) &&
             r->body.size > HAUL_PART_BYTES_MAX)
        fault = "takes at most 5 GiB in one request";
    if (fault != NULL)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "%s %s", o->name, fault);
    return 0;
}

struct query {
    struct uri_param params[8];
    size_t count;
};

/* value NULL: the bare name. */
static void add_param(struct query *q, const char *name, const char *value)
{
    q->params[q->count++] = (struct uri_param){ name, value };
}

static void add_given(struct query *q, const char *name, const char *value)
{
    if (value != NULL)
        add_param(q, name, value);
}

static void build_query(const struct haul_request *r, struct buf *out)
{
    struct query q = { .count = 0 };
    char number[16], most[16];
    snprintf(number, sizeof number, "%u", r->part_number);
    snprintf(most, sizeof most, "%u", r->max_entries);
    switch (r->operation) {
    case HAUL_HEAD_BUCKET:
    case HAUL_CREATE_BUCKET:
    case HAUL_PUT_OBJECT:
    case HAUL_GET_OBJECT:
    case HAUL_HEAD_OBJECT:
    case HAUL_DELETE_OBJECT:
    case HAUL_DELETE_BUCKET:
    case HAUL_LIST_BUCKETS:
    case HAUL_DELETE_OBJECTS:
    case HAUL_COPY_OBJECT:
    case HAUL_GET_TAGS:
    case HAUL_PUT_TAGS:
    case HAUL_COPY_PART:
    case HAUL_LIST_VERSIONS:
    case HAUL_ANY:
        return;
    case HAUL_CREATE_UPLOAD:
        add_param(&q, "uploads", NULL);
        break;
    case HAUL_UPLOAD_PART:
        add_param(&q, "partNumber", number);
        add_param(&q, "uploadId", r->upload_id);
        break;
    case HAUL_COMPLETE_UPLOAD:
    case HAUL_ABORT_UPLOAD:
        add_param(&q, "uploadId", r->upload_id);
        break;
    case HAUL_LIST_PARTS:
        add_param(&q, "uploadId", r->upload_id);
        add_given(&q, "part-number-marker", r->part_number ? number : NULL);
        add_given(&q, "max-parts", r->max_entries ? most : NULL);
        break;
    case HAUL_LIST_OBJECTS:
        add_param(&q, "list-type", "2");
        add_param(&q, "encoding-type", "url");
        add_given(&q, "prefix", r->prefix);
        add_given(&q, "start-after", r->start_after);
        add_given(&q, "continuation-token", r->continuation);
        add_given(&q, "max-keys", r->max_entries ? most : NULL);
        break;
    case HAUL_LIST_UPLOADS:
        /* No encoding-type: Ceph then encodes the keys, but does not say so in its reply. */
        add_param(&q, "uploads", NULL);
        add_given(&q, "prefix", r->prefix);
        add_given(&q, "key-marker", r->start_after);
        add_given(&q, "upload-id-marker", r->marker_id);
        add_given(&q, "max-uploads", r->max_entries ? most : NULL);
        break;
    }
    uri_add_query(out, q.params, q.count);
}

static void add_header(struct call *c, const char *name, const char *value)
{
    if (value != NULL && *value != '\0')
        c->headers[c->header_count++] = (struct sigv4_header){ name, value };
}

/* "bytes=0-8388607" for { 0, 8388608 }. The only place that subtracts one. */
static void range_header(const struct haul_range *r, char *out, size_t size)
{
    snprintf(out, size, "bytes=%" PRIu64 "-%" PRIu64, r->start, r->start + r->len - 1);
}

/* The body that is XML lies in memory; it is read like any other. */
static ssize_t read_document(void *payload, uint64_t offset, void *data, size_t len)
{
    const struct buf *b = payload;
    size_t left = b->len - (size_t) offset;
    if (len > left)
        len = left;
    memcpy(data, b->data + offset, len);
    return (ssize_t) len;
}

int operation_build(const struct haul_request *r, struct call *c, struct haul_error *err)
{
    if (check_request(r, err) < 0)
        return -1;
    c->method = operations[r->operation].method;
    endpoint_add_path(&c->path, r->endpoint, r->bucket,
        (operations[r->operation].traits & KEY) ? r->key : NULL);
    build_query(r, &c->query);
    c->body = r->body;
    if (r->operation == HAUL_COMPLETE_UPLOAD) {
        document_add_complete(&c->document, r->parts, r->part_count);
        c->body = (struct haul_body){ read_document, &c->document, c->document.len };
    }
    c->header_count = 0;
    add_header(c, "content-type", r->content_type);
    add_header(c, "x-amz-meta-haul", r->token);
    add_header(c, "if-match", r->if_match);
    if (r->range.len > 0) {
        range_header(&r->range, c->range, sizeof c->range);
        add_header(c, "range", c->range);
    }
    return buf_failed(&c->path, "the key", err) || buf_failed(&c->query, "the query", err) ||
                   buf_failed(&c->document, "the list of parts", err)
               ? -1
               : 0;
}

void call_free(struct call *c)
{
    buf_free(&c->path);
    buf_free(&c->query);
    buf_free(&c->document);
}

void reply_free(struct reply *r)
{
    buf_free(&r->body);
}

static int bad_reply(const struct haul_request *r, enum haul_retry retry,
    struct haul_error *err, const char *what)
{
    haul_error_set(err, HAUL_BAD_REPLY, "%s of %s: %s", operation_name(r->operation),
        r->key ? r->key : r->bucket, what);
    err->retry = retry;
    return -1;
}

/* "bytes 0-8388607/5368709120". */
static bool parse_content_range(const char *text, struct haul_range *range, uint64_t *total)
{
    uint64_t first, last;
    int end = 0;
    if (sscanf(text, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64 "%n", &first, &last, total,
            &end) != 3 ||
        text[end] != '\0' || last < first || last >= *total)
        return false;
    *range = (struct haul_range){ first, last - first + 1 };
    return true;
}

int operation_check_head(const struct haul_request *r, const struct reply *reply,
    int64_t *expected_bytes, struct haul_error *err)
{
    struct haul_range got;
    uint64_t total;
    /* A store that ignores If-Match still tells its ETag. */
    if (r->if_match && *reply->etag && strcmp(r->if_match, reply->etag) != 0)
        return bad_reply(r, HAUL_RETRY_FROM_START, err, "another object stands there now");
    *expected_bytes = reply->content_length;
    if (r->range.len == 0 && reply->status == 206)
        return bad_reply(r, HAUL_RETRY_LATER, err, "a part of the object, not the whole");
    if (r->range.len == 0)
        return 0;
    *expected_bytes = (int64_t) r->range.len;
    if (reply->status == 206) {
        if (!parse_content_range(reply->content_range, &got, &total) ||
            got.start != r->range.start || got.len != r->range.len)
            return bad_reply(
                r, HAUL_RETRY_LATER, err, "a Content-Range that was not asked for");
    } else if (r->range.start != 0 || reply->content_length != (int64_t) r->range.len) {
        return bad_reply(r, HAUL_RETRY_LATER, err, "the server ignores Range");
    }
    if (reply->content_length >= 0 && reply->content_length != (int64_t) r->range.len)
        return bad_reply(r, HAUL_RETRY_LATER, err, "a Content-Length other than the range's");
    return 0;
}

/* Proxies answer in HTML, captive portals in anything: show a few plain characters. */
static void quote_briefly(const struct buf *body, char out[static 80])
{
    size_t n = 0;
    for (size_t i = 0; i < body->len && n < 60; i++) {
        unsigned char ch = (unsigned char) body->data[i];
        bool space = ch <= ' ' || ch == 0x7f;
        if (!space || (n > 0 && out[n - 1] != ' '))
            out[n++] = space ? ' ' : ch < 0x7f ? (char) ch : '?';
    }
    out[n] = '\0';
}

static void set_server_error(const struct haul_request *r, const struct reply *reply,
    const char *code, const char *message, struct haul_error *err)
{
    char quote[80];
    quote_briefly(&reply->body, quote);
    const char *said = message ? message : quote;
    haul_error_set(err, HAUL_SERVER, "%s answered %d%s%s%s%s", operation_name(r->operation),
        reply->status, *code ? " " : "", code, *said ? ": " : "", said);
    err->http_status = reply->status;
    snprintf(err->aws_code, sizeof err->aws_code, "%s", code);
    snprintf(err->request_id, sizeof err->request_id, "%s", reply->request_id);
    err->retry = retry_class(reply->status, code);
}

/* The clock or the region was wrong: put it right, or there is no point in signing again. */
static void correct_signature(const struct haul_request *r, const struct reply *reply,
    const char *named_region, struct haul_error *err)
{
    bool wrong = err->retry == HAUL_RETRY_RESIGN;
    const char *right = *reply->region          ? reply->region
                        : wrong && named_region ? named_region
                                                : "";
    time_t date = *reply->date ? curl_getdate(reply->date, NULL) : -1;
    bool skewed = strcmp(err->aws_code, "RequestTimeTooSkewed") == 0;
    /* A reply to HEAD has no body to say so. */
    bool silent = reply->status == 403 && reply->body.len == 0;
    bool clock = (skewed || silent) && date >= 0 &&
                 endpoint_learn_clock(r->endpoint, (int64_t) date * 1000);
    bool region =
        reply->status >= 300 && *right && endpoint_learn_region(r->endpoint, r->bucket, right);
    /* No news when another request has learnt it while this one was on its way: sign it again,
     * too. The client sees to it that this ends. */
    bool told = skewed ? date >= 0 : *right != '\0';
    if (clock || region)
        err->retry = HAUL_RETRY_RESIGN;
    else if (wrong && !told)
        err->retry = HAUL_RETRY_WHEN_FIXED;
}

/* An <Error> document, in a failed reply or in one that claims success. */
static bool judge_error(const struct haul_request *r, const struct reply *reply,
    const struct document *d, struct haul_error *err)
{
    bool failed = reply->status < 200 || reply->status >= 300;
    bool is_error = d != NULL && strcmp(document_root(d), "Error") == 0;
    if (failed || is_error) {
        const char *code = is_error ? document_text(d, "Code") : NULL;
        set_server_error(
            r, reply, code ? code : "", is_error ? document_text(d, "Message") : NULL, err);
        correct_signature(r, reply, is_error ? document_text(d, "Region") : NULL, err);
    }
    return failed || is_error;
}

static int64_t date_ms(const char *text)
{
    time_t t = *text ? curl_getdate(text, NULL) : -1;
    return t < 0 ? -1 : (int64_t) t * 1000;
}

/* The whole object's size, from whichever header tells it. */
static uint64_t object_size(const struct reply *reply, uint64_t received)
{
    struct haul_range range;
    uint64_t total;
    if (reply->status == 206 && parse_content_range(reply->content_range, &range, &total))
        return total;
    return reply->content_length >= 0 ? (uint64_t) reply->content_length : received;
}

/* S3 may send status 200 before it has finished and put <Error> in the body, so an upload is
 * complete only when the body is the result document and names an ETag. */
static int judge_completed(const struct haul_request *r, struct haul_result *result,
    struct document *d, struct haul_error *err)
{
    result->etag = d && strcmp(document_root(d), "CompleteMultipartUploadResult") == 0
                       ? document_text(d, "ETag")
                       : NULL;
    if (result->etag != NULL && *result->etag != '\0')
        return 0;
    return bad_reply(r, HAUL_RETRY_LATER, err, "neither a result nor an error");
}

static int judge_object(const struct haul_request *r, const struct reply *reply,
    uint64_t received, struct haul_result *result)
{
    int64_t expected = -1;
    result->size = object_size(reply, received);
    if (r->operation == HAUL_HEAD_OBJECT)
        return reply->content_length >= 0
                   ? 0
                   : bad_reply(r, HAUL_RETRY_LATER, &result->error, "no Content-Length");
    if (operation_check_head(r, reply, &expected, &result->error) < 0)
        return -1;
    if (expected >= 0 && received != (uint64_t) expected)
        return bad_reply(r, HAUL_RETRY_LATER, &result->error, "a body of another length");
    return 0;
}

static int judge_success(const struct haul_request *r, const struct reply *reply,
    uint64_t received, struct haul_result *result, struct document *d)
{
    struct haul_error *err = &result->error;
    switch (operations[r->operation].answer) {
    case NOTHING:
        return 0;
    case ETAG:
        return result->etag ? 0 : bad_reply(r, HAUL_RETRY_LATER, err, "no ETag");
    case OBJECT:
        return judge_object(r, reply, received, result);
    case CREATED:
        result->upload_id = d ? document_text(d, "UploadId") : NULL;
        if (result->upload_id && *result->upload_id)
            return 0;
        return bad_reply(r, HAUL_RETRY_LATER, err, "no upload id");
    case COMPLETED:
        return judge_completed(r, result, d, err);
    case LISTING:
        if (d == NULL)
            return bad_reply(r, HAUL_RETRY_LATER, err, "an empty listing");
        if (document_listing(d, &result->listing, err) == 0)
            return 0;
        err->retry = HAUL_RETRY_LATER;
        return -1;
    }
    return 0;
}

void operation_judge(const struct haul_request *r, const struct reply *reply,
    uint64_t received_bytes, struct haul_result *result, struct document **document)
{
    struct haul_error broken = { .code = HAUL_OK };
    struct document *d =
        reply->body.len ? document_parse(reply->body.data, reply->body.len, &broken) : NULL;
    *document = d;
    result->etag = *reply->etag ? reply->etag : NULL;
    result->token = *reply->token ? reply->token : NULL;
    result->modified_ms = date_ms(reply->last_modified);
    result->server_ms = date_ms(reply->date);
    if (result->server_ms >= 0)
        endpoint_note_date(r->endpoint, result->server_ms);
    result->error.code = HAUL_OK;
    if (judge_error(r, reply, d, &result->error)) {
        /* A server that failed may have done the work before it did. */
        result->outcome_unknown = reply->status >= 500 || reply->status < 300;
        return;
    }
    int rc = -1;
    if (broken.code != HAUL_OK && operations[r->operation].answer >= CREATED) {
        result->error = broken;
        result->error.retry = HAUL_RETRY_LATER; /* cut off, or not from the store at all */
    } else {
        rc = judge_success(r, reply, received_bytes, result, d);
    }
    if (rc < 0) {
        result->outcome_unknown = true;
        result->error.http_status = reply->status;
        snprintf(
            result->error.request_id, sizeof result->error.request_id, "%s", reply->request_id);
    }
}
