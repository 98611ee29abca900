/* The head of a reply to GetObject with a range: reply.c. The input's lines are the range's
 * start, its length, Content-Range, and Content-Length or nothing. */
#include <errno.h>

#include "fuzz.h"
#include "reply.h"

/* Digits that fit, and what ends them; false: not so. */
static bool take_number(const char **text, const char *end, uint64_t *number)
{
    size_t digits = strspn(*text, "0123456789");
    errno = 0;
    *number = strtoull(*text, NULL, 10);
    *text += digits;
    if (digits == 0 || errno != 0 || strncmp(*text, end, strlen(end)) != 0)
        return false;
    *text += strlen(end);
    return true;
}

/* As RFC 9110 has it, and these very bytes. */
static bool fits(const char *text, const struct haul_range *asked, uint64_t *total)
{
    uint64_t first, last;
    if (strncmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    return take_number(&text, "-", &first) && take_number(&text, "/", &last) &&
           take_number(&text, "", total) && *text == '\0' && first == asked->start &&
           last - first + 1 == asked->len && last >= first && last < *total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct haul_endpoint *endpoint =
        haul_endpoint_new(&(struct haul_endpoint_options){ .url = "http://store" }, NULL);
    char *text = fuzz_text(data, len), *rest = text;
    struct haul_request r = {
        .operation = HAUL_GET_OBJECT, .endpoint = endpoint, .bucket = "bucket", .key = "key"
    };
    struct haul_result result = { .http_status = 0 };
    struct document *document = NULL;
    struct reply reply = reply_make();
    uint64_t total = 0;
    must(endpoint != NULL);
    r.range.start = strtoull(fuzz_line(&rest), NULL, 10);
    r.range.len = strtoull(fuzz_line(&rest), NULL, 10) % INT64_MAX + 1;
    const char *content_range = fuzz_line(&rest), *content_length = fuzz_line(&rest);
    reply.status = 206;
    if (*content_length != '\0')
        reply.content_length = (int64_t) (strtoull(content_length, NULL, 10) % INT64_MAX);
    reply_add_header(&reply, "ETag", "\"e\"");
    reply_add_header(&reply, "Content-Range", content_range);
    must(reply_end_head(&reply, NULL) == 0);

    reply_judge(&r, &reply, r.range.len, &result, &document);
    bool right = fits(content_range, &r.range, &total) &&
                 (reply.content_length < 0 || reply.content_length == (int64_t) r.range.len);
    must((result.error.code == HAUL_OK) == right);
    must(!right || result.size == total);
    reply_free(&reply);
    free(text);
    haul_endpoint_free(endpoint);
    return 0;
}
