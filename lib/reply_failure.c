/* What a server says when it refuses, and what that teaches of its clock and region: see
 * reply.h. */
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "jsonread.h"
#include "operation.h"
#include "reply.h"
#include "retry.h"

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

void reply_name(const struct reply *reply, struct haul_error *err)
{
    err->http_status = reply->status;
    snprintf(
        err->request_id, sizeof err->request_id, "%s", reply_header(reply, "x-amz-request-id"));
    snprintf(err->host_id, sizeof err->host_id, "%s", reply_header(reply, "x-amz-id-2"));
}

/* What a server says of an error; NULL: nothing. */
struct complaint {
    const char *code, *message, *region;
};

static void set_server_error(const struct haul_request *r, const struct reply *reply,
    const struct complaint *c, struct haul_error *err)
{
    char quote[80];
    const char *code = c->code ? c->code : "";
    quote_briefly(&reply->body, quote);
    const char *said = c->message ? c->message : quote;
    haul_error_set(err, HAUL_SERVER, "%s answered %d%s%s%s%s",
        reply->status == 407 ? "the proxy" : operation_name(r->operation), reply->status,
        *code ? " " : "", code, *said ? ": " : "", said);
    reply_name(reply, err);
    snprintf(err->aws_code, sizeof err->aws_code, "%s", code);
    snprintf(err->message, sizeof err->message, "%s", c->message ? c->message : "");
    err->retry = retry_class(reply->status, code);
}

/* The clock or the region was wrong: put it right, or there is no point in signing again. */
static void correct_signature(const struct haul_request *r, const struct reply *reply,
    const char *named_region, struct haul_error *err)
{
    bool wrong = err->retry == HAUL_RETRY_RESIGN;
    const char *right = reply_header(reply, "x-amz-bucket-region");
    if (*right == '\0' && wrong && named_region != NULL)
        right = named_region;
    int64_t date = reply_date_ms(reply, "date");
    bool skewed = strcmp(err->aws_code, "RequestTimeTooSkewed") == 0;
    /* A reply to HEAD has no body to say so, and to STS an old signature does not match. */
    bool vague = reply->status == 403 &&
                 (reply->body.len == 0 || strcmp(err->aws_code, "SignatureDoesNotMatch") == 0);
    bool clock = (skewed || vague) && date >= 0 && endpoint_learn_clock(r->endpoint, date);
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

/* <Error>, which STS and others put into an <ErrorResponse>; NULL: no error. */
static const struct element *find_error(const struct document *d)
{
    const struct element *root = d ? document_element(d) : NULL;
    if (root == NULL || element_is(root, "Error"))
        return root;
    return element_is(root, "ErrorResponse") ? element_child(root, "Error") : NULL;
}

static const char *first_of(const struct json *j, const char *const names[3])
{
    const char *text = NULL;
    for (size_t i = 0; i < 3 && text == NULL; i++)
        text = json_text(j, names[i]);
    return text;
}

/* As AWS's services that speak JSON write it, and OAuth. "com.amazonaws.sso#NotFound" */
static struct complaint read_json(const struct json *j)
{
    static const char *const codes[] = { "__type", "code", "error" };
    static const char *const messages[] = { "message", "Message", "error_description" };
    struct complaint c = { first_of(j, codes), first_of(j, messages), NULL };
    const char *name = c.code ? strrchr(c.code, '#') : NULL;
    if (name != NULL)
        c.code = name + 1;
    return c;
}

bool reply_judge_failure(const struct haul_request *r, const struct reply *reply,
    const struct document *d, struct haul_error *err)
{
    bool failed = reply->status < 200 || reply->status >= 300;
    const struct element *e = find_error(d);
    struct json *j = NULL;
    struct complaint c = { NULL, NULL, NULL };
    if (!failed && e == NULL)
        return false;
    if (e != NULL)
        c = (struct complaint){ element_text(e, "Code"), element_text(e, "Message"),
            element_text(e, "Region") };
    else if ((j = json_parse("the reply", reply->body.data, reply->body.len, NULL)) != NULL)
        c = read_json(j);
    set_server_error(r, reply, &c, err);
    correct_signature(r, reply, c.region, err);
    json_free(j);
    return true;
}
