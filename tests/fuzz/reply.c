/* Whole replies, of errors above all: reply.c. The input's first line is the number of an
 * operation and a status ("5 503"), then come headers, an empty line, and the body. */
#include "reply.h"

#include "call.h"
#include "fuzz.h"

/* What the caller is promised for each outcome. */
static void judge_result(const struct haul_request *r, const struct haul_result *result)
{
    const struct haul_error *err = &result->error;
    if (err->code != HAUL_OK) {
        fuzz_error(err);
        must(fuzz_touch(err->aws_code) < sizeof err->aws_code);
        must(fuzz_touch(err->message) < sizeof err->message);
        must(fuzz_touch(err->request_id) < sizeof err->request_id);
        must(fuzz_touch(err->host_id) < sizeof err->host_id);
        must(err->http_status == result->http_status);
        return;
    }
    must(result->http_status >= 200 && result->http_status < 300);
    must(r->operation != HAUL_CREATE_UPLOAD || fuzz_touch(result->upload_id) > 0);
    must(r->operation != HAUL_COMPLETE_UPLOAD || fuzz_touch(result->etag) > 0);
    must(r->operation != HAUL_UPLOAD_PART || fuzz_touch(result->etag) > 0);
    fuzz_touch(result->checksum);
    for (size_t i = 0; i < result->listing.count; i++)
        fuzz_touch(result->listing.entries[i].key);
    for (size_t i = 0; i < result->tags.count; i++)
        fuzz_touch(result->tags.pairs[i].value);
}

/* Up to the empty line. */
static bool add_headers(struct reply *reply, char **rest)
{
    struct haul_error err;
    for (char *line = fuzz_line(rest); *line != '\0'; line = fuzz_line(rest)) {
        char *name = strsep(&line, ":");
        reply_add_header(reply, name, line == NULL ? "" : line + strspn(line, " "));
        if (strcasecmp(name, "content-length") == 0 && line != NULL)
            reply->content_length = (int64_t) (strtoull(line, NULL, 10) % INT64_MAX);
    }
    return reply_end_head(reply, &err) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct haul_endpoint *endpoint = haul_endpoint_new(
        &(struct haul_endpoint_options){ .url = "http://store", .region = "here" }, NULL);
    char *text = fuzz_text(data, len), *rest = text;
    const char *first = fuzz_line(&rest), *second = strchr(first, ' ');
    struct haul_request r = {
        .operation = (unsigned) atoi(first) % (HAUL_ANY + 1), .endpoint = endpoint, .key = "k"
    };
    struct haul_result result = { .http_status = 0 };
    struct document *document = NULL;
    struct reply reply = reply_make();
    if (r.operation != HAUL_LIST_BUCKETS && r.operation != HAUL_ANY)
        r.bucket = "bucket";
    reply.status = second == NULL ? 0 : (int) ((unsigned) atoi(second) % 1000);
    must(endpoint != NULL);
    if (reply.status >= 100 && add_headers(&reply, &rest)) {
        if (rest != NULL)
            buf_add(&reply.body, rest, (size_t) (text + len - rest));
        reply_judge(&r, &reply, reply.body.len, &result, &document);
        judge_result(&r, &result);
        document_free(document);
    }
    reply_free(&reply);
    free(text);
    haul_endpoint_free(endpoint);
    return 0;
}
