/* One request's life: route, faults before, signature, operation, faults after, log. The reply
 * is answer.c's. */
#include "exchange.h"

#include "answer.h"
#include "control.h"
#include "errors.h"
#include "operations.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BODY_TEXT_MAX = 8 * 1024 * 1024 };

void exchange_fail(struct exchange *x, const char *code)
{
    answer_free(&x->reply);
    x->reply.code = code;
    x->reply.status = error_status(code);
}

bool exchange_passes(struct exchange *x, const char *code)
{
    if (code != NULL)
        exchange_fail(x, code);
    return code == NULL;
}

const struct text *exchange_param(const struct exchange *x, const char *name)
{
    static const struct text none;
    const struct text *value = request_param(x->request, name);
    return value != NULL ? value : &none;
}

int64_t exchange_number(
    struct exchange *x, const char *name, int64_t standard, int64_t low, int64_t high)
{
    const struct text *value = exchange_param(x, name);
    char *end = NULL;
    long long number = strtoll(text_c(value), &end, 10);
    if (value->len == 0)
        return standard;
    if (*end == '\0' && number >= low && number <= high)
        return number;
    exchange_fail(x, "InvalidArgument");
    return -1;
}

/* The body as it was before it was cut into chunks. */
static ssize_t decoded_body(struct exchange *x, const char **data)
{
    struct chunks *c = &x->chunks;
    const char *why = NULL, *raw = NULL;
    ssize_t n;
    if (!c->on)
        return request_body(x->request, data);
    while ((n = chunks_take(c, data, &why)) == 0) {
        n = request_body(x->request, &raw);
        if (n < 0)
            return n;
        if (n == 0) {
            integrity_expect(&x->integrity, &c->checksum);
            why = chunks_end(c);
            break;
        }
        chunks_feed(c, raw, (size_t) n);
    }
    return exchange_passes(x, why) ? n : -1;
}

ssize_t exchange_body(struct exchange *x, const char **data)
{
    ssize_t n = decoded_body(x, data);
    if (n > 0)
        integrity_add(&x->integrity, *data, (size_t) n);
    if (n != 0 || exchange_passes(x, integrity_end(&x->integrity)))
        return n;
    return -1;
}

int exchange_body_text(struct exchange *x, struct text *out)
{
    const char *data;
    ssize_t n;
    while ((n = exchange_body(x, &data)) > 0) {
        text_add(out, data, (size_t) n);
        if (out->len > BODY_TEXT_MAX) {
            exchange_fail(x, "EntityTooLarge");
            return -1;
        }
    }
    return n == 0 ? 0 : -1;
}

/* "bucket.localhost:1234" names a bucket when "localhost" is one of the suffixes. */
static bool bucket_from_host(
    const struct server *server, const struct request *r, struct text *out)
{
    const char *host = request_header(r, "Host");
    size_t len = host != NULL ? strcspn(host, ":") : 0;
    for (int i = 0; i < HOST_SUFFIXES_MAX && server->host_suffixes[i] != NULL; i++) {
        size_t suffix = strlen(server->host_suffixes[i]);
        if (len > suffix + 1 && host[len - suffix - 1] == '.' &&
            strncasecmp(host + len - suffix, server->host_suffixes[i], suffix) == 0) {
            text_add(out, host, len - suffix - 1);
            return true;
        }
    }
    return false;
}

static void route(struct exchange *x)
{
    const struct request *r = x->request;
    const char *rest = r->path + 1;
    if (!bucket_from_host(x->server, r, &x->bucket)) {
        size_t len = strcspn(rest, "/");
        text_add_unpercent(&x->bucket, rest, len, false);
        rest += len + (rest[len] == '/');
    }
    text_add_unpercent(&x->key, rest, strlen(rest), false);
    x->operation = operation_of(r, x->key.len > 0      ? OBJECT
                                   : x->bucket.len > 0 ? BUCKET
                                                       : SERVICE);
    x->part = (unsigned) strtoul(text_c(exchange_param(x, "partNumber")), NULL, 10);
}

/* A reply that the script wants in the operation's place. Returns whether there is one. */
static bool scripted_reply(
    struct exchange *x, int64_t status, const char *error_200, bool empty_200)
{
    const struct play *p = &x->play;
    if (status != FAULT_UNSET) {
        exchange_fail(x, *p->code != '\0' ? p->code : error_code_of((int) status));
        x->reply.status = (int) status;
    } else if (*error_200 != '\0') {
        exchange_fail(x, error_200);
        x->reply.status = 200;
    } else if (empty_200) {
        answer_free(&x->reply);
    } else {
        return false;
    }
    if (p->html && x->reply.code != NULL) {
        text_addf(&x->reply.body,
            "<html><head><title>%d %s</title></head><body><center><h1>%s</h1>"
            "</center><hr></body></html>\r\n",
            x->reply.status, x->reply.code, x->reply.code);
        x->reply.content_type = "text/html";
    }
    return true;
}

/* Where the bucket lives. One that is yet to be made is asked for here. */
static const char *region_of(const struct exchange *x, struct settings *settings)
{
    if (strcmp(x->operation->name, "CreateBucket") != 0)
        store_settings(x->server->store, &x->bucket, settings);
    return *settings->region != '\0' ? settings->region : x->server->keys.region;
}

/* All buckets are the same account's. */
static const char *refuse_owner(const struct exchange *x)
{
    const char *bucket = request_header(x->request, "x-amz-expected-bucket-owner");
    const char *source = request_header(x->request, "x-amz-source-expected-bucket-owner");
    const char *owner = x->server->owner;
    return (bucket != NULL && strcmp(bucket, owner) != 0) ||
                   (source != NULL && strcmp(source, owner) != 0)
               ? "AccessDenied"
               : NULL;
}

static void perform(struct exchange *x)
{
    const struct request *r = x->request;
    struct settings settings = { 0 };
    const char *region = region_of(x, &settings);
    const char *why = signature_check(
        &x->server->keys, region, r, x->now_ms, x->payload_hash, &x->chain, &x->reply.extra);
    if (why != NULL) {
        /* Not exchange_fail(), which would drop the elements that say what is wrong. */
        x->reply.code = why;
        x->reply.status = error_status(why);
        if (strcmp(why, "AuthorizationHeaderMalformed") == 0 || x->reply.status == 301)
            text_addf(&x->reply.headers, "x-amz-bucket-region: %s\r\n", region);
        return;
    }
    const char *none;
    bool of_object = strcmp(x->operation->name, "CompleteMultipartUpload") == 0;
    if (!exchange_passes(x, integrity_begin(&x->integrity, r, x->payload_hash, of_object)) ||
        !exchange_passes(x, chunks_begin(&x->chunks, r, &x->chain)) ||
        (r->length == 0 && exchange_body(x, &none) < 0))
        return;
    if (x->key.len > KEY_MAX_BYTES) {
        exchange_fail(x, "KeyTooLongError");
        return;
    }
    if (!exchange_passes(x, refuse_owner(x)))
        return;
    if (x->play.replace_object)
        replace_object(x);
    x->operation->run(x);
    if (request_header(r, "x-amz-request-payer") != NULL)
        text_puts(&x->reply.headers, "x-amz-request-charged: requester\r\n");
}

/* Reads what the operation left of the body, so that the connection can go on. A client that
 * still waits for our 100 gets the reply instead and must begin anew. */
static void drain(struct exchange *x)
{
    struct request *r = x->request;
    const char *data;
    if (r->awaits_continue)
        r->keep_alive = false;
    else
        while (request_body(r, &data) > 0)
            continue;
}

static void write_log(const struct exchange *x, bool replies)
{
    const struct request *r = x->request;
    struct entry e = {
        .stamp = x->stamp,
        .op = x->operation->name,
        .bucket = &x->bucket,
        .key = &x->key,
        .upload_id = request_param(r, "uploadId"),
        .range = request_header(r, "Range"),
        .part = x->part,
        .status = replies ? x->reply.status : 0,
        .code = replies ? x->reply.code : NULL,
        .received = r->received,
        .fault = &x->play.lines,
    };
    ledger_end(x->server->ledger, &e);
}

/* The request's target and headers, without what a signature is. */
static void write_headers(const struct exchange *x)
{
    static const char query_signature[] = "X-Amz-Signature=", signature[] = "Signature=";
    const struct request *r = x->request;
    const char *cut = strstr(r->query, query_signature);
    struct text out = { 0 };
    text_addf(
        &out, "%" PRIu64 " %s %s %s", x->stamp.seq, x->operation->name, r->method, r->path);
    text_addf(&out, "%s%.*s\n", *r->query != '\0' ? "?" : "",
        (int) (cut != NULL ? cut - r->query : (ptrdiff_t) strlen(r->query)), r->query);
    for (unsigned i = 0; i < r->header_count; i++) {
        const struct header *h = &r->headers[i];
        cut = strcasecmp(h->name, "Authorization") == 0 ? strstr(h->value, signature) : NULL;
        for (const char *at = h->name; *at != '\0'; at++)
            text_add(&out, (char[]){ (char) tolower((unsigned char) *at) }, 1);
        text_addf(&out, ": %.*s\n",
            (int) (cut != NULL ? cut - h->value : (ptrdiff_t) strlen(h->value)), h->value);
    }
    text_puts(&out, "\n");
    ledger_headers(x->server->ledger, operation_row(x->operation), &out);
    text_free(&out);
}

static void begin(struct exchange *x)
{
    x->stamp = ledger_begin(x->server->ledger, operation_row(x->operation));
}

/* The request has arrived twice: the first one's end, and what the second one finds. */
static void perform_again(struct exchange *x)
{
    drain(x);
    if (x->request->broken)
        return;
    request_rewind(x->request);
    answer_free(&x->reply);
    integrity_free(&x->integrity);
    chunks_free(&x->chunks);
    x->integrity = (struct integrity){ 0 };
    x->chunks = (struct chunks){ 0 };
    perform(x);
}

/* From here on the request is counted and its faults are known. */
static bool play_out(struct exchange *x)
{
    struct play *p = &x->play;
    struct request *r = x->request;
    bool replies = true, goes_on = false;
    if (*p->gate != '\0')
        faults_hold(x->server->faults, p->gate);
    if (p->drop_before)
        replies = false;
    else if (!scripted_reply(x, p->status, p->error_200, p->empty_200))
        perform(x);
    if (p->duplicate) {
        write_log(x, false);
        begin(x);
        perform_again(x);
    }

    scripted_reply(x, p->status_after, p->error_200_after, p->empty_200_after);
    if (!p->early || r->awaits_continue)
        drain(x);
    if (*p->gate_after != '\0')
        faults_hold(x->server->faults, p->gate_after);
    if (p->delay_ms > 0)
        wire_nap(r->wire, p->delay_ms);
    answer_prepare(x);
    replies = replies && !p->drop_after && !r->broken;
    write_log(x, replies);
    if (p->duplicate_after)
        begin(x); /* in flight before the client has its reply */
    if (replies)
        goes_on = answer_send(x);
    if (p->early && goes_on)
        drain(x);
    if (p->duplicate_after) {
        perform_again(x);
        write_log(x, false);
    }
    return goes_on && !r->broken;
}

/* Where the wanted range begins; -1: all is wanted, or the end. */
static int64_t first_byte(const struct request *r)
{
    const char *range = request_header(r, "Range");
    int64_t first = -1;
    if (range != NULL)
        sscanf(range, "bytes=%" SCNd64, &first);
    return first < 0 ? -1 : first;
}

bool exchange_serve(struct server *server, struct request *r)
{
    struct exchange x = { .server = server, .request = r, .reply = { .fd = -1 } };
    struct tallies *tallies = ledger_tallies(server->ledger);
    if (strncmp(r->path, "/-/", 3) == 0)
        return control_serve(server, r);
    if (!r->wire->counted)
        atomic_fetch_add(&tallies->connections, 1);
    r->wire->counted = true;
    route(&x);
    begin(&x);
    write_headers(&x);
    faults_match(server->faults,
        &(struct subject){ x.operation->name, &x.bucket, &x.key, x.part, first_byte(r),
            request_header(r, "x-amz-security-token") },
        &x.play);
    x.now_ms = date_now_ms() + (x.play.skew_s != FAULT_UNSET ? x.play.skew_s * 1000 : 0);
    if (strcmp(x.operation->name, "PutObject") == 0 ||
        strcmp(x.operation->name, "UploadPart") == 0)
        r->tally = &tallies->bytes_in;
    r->reset_after = x.play.reset_mid_body != FAULT_UNSET ? x.play.reset_mid_body : -1;
    r->rate = x.play.trickle;
    r->keeps = x.play.duplicate || x.play.duplicate_after;
    bool goes_on = play_out(&x);
    play_free(&x.play);
    answer_free(&x.reply);
    integrity_free(&x.integrity);
    chunks_free(&x.chunks);
    text_free(&x.bucket);
    text_free(&x.key);
    return goes_on;
}
