/* Operations in a table, each with a reply that a real store could have given, and counters
 * that GET /-/counters tells. */
#include "answers.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { REPLY_MAX = 2048, PARAM_MAX = 1024 };

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"

enum kind { KIND_PUT, KIND_POST, KIND_GET, KIND_HEAD, KIND_LIST, KIND_DELETE, KIND_COUNT };
static const char *const kinds[KIND_COUNT] = { "put", "post", "get", "head", "list", "delete" };

static struct {
    _Atomic uint64_t requests[KIND_COUNT], connections, bytes_in, bytes_out;
    _Atomic int64_t
        first_ns; /* when an object was first asked for or sent; monotonic; 0: never */
} counters;

/* ---- Replies ---- */

static bool reply(struct link *l, const char *status, const char *headers, const char *body)
{
    char text[REPLY_MAX];
    int len = snprintf(text, sizeof text,
        "HTTP/1.1 %s\r\nServer: sink\r\nx-amz-request-id: 1\r\n%sContent-Length: %zu\r\n\r\n%s",
        status, headers, strlen(body), body);
    return len < (int) sizeof text && link_send(l, text, (size_t) len, false);
}

static bool reply_document(struct link *l, const char *document)
{
    return reply(l, "200 OK", "Content-Type: application/xml\r\n", document);
}

/* The key in "/bucket/key"; "": there is none. */
static const char *key_of(const struct request *r)
{
    const char *slash = strchr(r->path + 1, '/');
    return slash != NULL ? slash + 1 : "";
}

static bool answer_put(const struct answers *a, struct link *l, const struct request *r)
{
    (void) a;
    char etag[CATALOGUE_ETAG_SIZE], header[sizeof "ETag: \"\"\r\n" + CATALOGUE_ETAG_SIZE];
    catalogue_etag(key_of(r), etag);
    snprintf(header, sizeof header, "ETag: \"%s\"\r\n", etag);
    return reply(l, "200 OK", header, "");
}

static bool answer_delete(const struct answers *a, struct link *l, const struct request *r)
{
    (void) a, (void) r;
    return reply(l, "204 No Content", "", "");
}

static bool answer_bucket(const struct answers *a, struct link *l, const struct request *r)
{
    (void) a, (void) r;
    return reply(l, "200 OK", "", "");
}

static bool answer_create(const struct answers *a, struct link *l, const struct request *r)
{
    (void) a, (void) r;
    return reply_document(l,
        XML "<InitiateMultipartUploadResult" XMLNS "<Bucket>bkt</Bucket><Key>k</Key>"
            "<UploadId>u1</UploadId></InitiateMultipartUploadResult>");
}

static bool answer_complete(const struct answers *a, struct link *l, const struct request *r)
{
    (void) a;
    char etag[CATALOGUE_ETAG_SIZE], document[REPLY_MAX / 2];
    catalogue_etag(key_of(r), etag);
    snprintf(document, sizeof document,
        XML "<CompleteMultipartUploadResult" XMLNS "<Location>x</Location><Bucket>bkt</Bucket>"
            "<Key>k</Key><ETag>&quot;%s&quot;</ETag></CompleteMultipartUploadResult>",
        etag);
    return reply_document(l, document);
}

/* Nothing is kept, so no upload is open and none has parts. */
static bool answer_uploads(const struct answers *a, struct link *l, const struct request *r)
{
    (void) a, (void) r;
    return reply_document(l,
        XML "<ListMultipartUploadsResult" XMLNS "<Bucket>bkt</Bucket><IsTruncated>false"
            "</IsTruncated></ListMultipartUploadsResult>");
}

static bool answer_parts(const struct answers *a, struct link *l, const struct request *r)
{
    (void) a, (void) r;
    return reply_document(l,
        XML "<ListPartsResult" XMLNS "<Bucket>bkt</Bucket><Key>k</Key><UploadId>u1</UploadId>"
            "<IsTruncated>false</IsTruncated></ListPartsResult>");
}

static bool answer_location(const struct answers *a, struct link *l, const struct request *r)
{
    (void) a, (void) r;
    return reply_document(l, XML "<LocationConstraint" XMLNS "</LocationConstraint>");
}

/* Bytes [start, start + len) of an object of that size. */
struct piece {
    uint64_t start, len, size;
    bool ranged; /* somebody asked for them */
};

static struct piece whole_object(const struct answers *a, const char *key)
{
    bool listed = strncmp(key, CATALOGUE_PREFIX, sizeof CATALOGUE_PREFIX - 1) == 0;
    uint64_t size = listed ? a->catalogue.object_bytes : a->file.size;
    return (struct piece){ .len = size, .size = size };
}

static bool send_head(struct link *l, const char *key, const struct piece *p, bool more)
{
    char etag[CATALOGUE_ETAG_SIZE], range[96] = "", head[REPLY_MAX];
    catalogue_etag(key, etag);
    if (p->ranged)
        snprintf(range, sizeof range,
            "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", p->start,
            p->start + p->len - 1, p->size);
    int n = snprintf(head, sizeof head,
        "HTTP/1.1 %s\r\nServer: sink\r\nETag: \"%s\"\r\nAccept-Ranges: bytes\r\n"
        "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        "Content-Type: application/octet-stream\r\n%sContent-Length: %" PRIu64 "\r\n\r\n",
        p->ranged ? "206 Partial Content" : "200 OK", etag, range, p->len);
    return link_send(l, head, (size_t) n, more);
}

static bool answer_head(const struct answers *a, struct link *l, const struct request *r)
{
    struct piece p = whole_object(a, key_of(r));
    return send_head(l, key_of(r), &p, false);
}

/* "bytes=A-B" or "bytes=A-": only that. Anything else: all of it. */
static void cut_range(const char *header, struct piece *p)
{
    if (header == NULL || strncmp(header, "bytes=", 6) != 0)
        return;
    char *at;
    uint64_t first = strtoull(header + 6, &at, 10), last = p->size - 1;
    if (at[0] == '-' && at[1] >= '0' && at[1] <= '9')
        last = strtoull(at + 1, NULL, 10);
    if (first >= p->size || last < first)
        return;
    uint64_t end = last < p->size ? last + 1 : p->size;
    *p = (struct piece){ .start = first, .len = end - first, .size = p->size, .ranged = true };
}

static bool answer_get(const struct answers *a, struct link *l, const struct request *r)
{
    if (a->hold) {
        link_hold(l);
        return false;
    }
    struct piece p = whole_object(a, key_of(r));
    cut_range(link_header(r, "Range"), &p);
    if (!send_head(l, key_of(r), &p, p.len > 0))
        return false;
    uint64_t moved = link_send_file(l, &a->file, p.start, p.len);
    atomic_fetch_add(&counters.bytes_out, moved);
    return moved == p.len;
}

/* ---- Listings ---- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);
    return c != '\0' && at != NULL ? (int) (at - digits) : -1;
}

/* The decoded value of a query's parameter; "": there is none. out: PARAM_MAX bytes. */
static const char *param(const char *query, const char *name, char *out)
{
    size_t name_len = strlen(name), len = 0;
    while (*query != '\0' && (strncmp(query, name, name_len) != 0 || query[name_len] != '=')) {
        query += strcspn(query, "&");
        query += *query == '&';
    }
    query += *query != '\0' ? name_len + 1 : 0;
    for (; *query != '\0' && *query != '&' && len < PARAM_MAX - 1; query++) {
        int high = *query == '%' ? hex_digit(query[1]) : -1;
        int low = high >= 0 ? hex_digit(query[2]) : -1;
        out[len++] = low >= 0 ? (char) (high << 4 | low) : *query;
        query += low >= 0 ? 2 : 0;
    }
    out[len] = '\0';
    return out;
}

/* Both forms of a listing: the older one's `marker` says what the newer one's `start-after`
 * does.
 */
static bool answer_list(const struct answers *a, struct link *l, const struct request *r)
{
    char prefix[PARAM_MAX], after[PARAM_MAX], number[PARAM_MAX];
    bool newer = *param(r->query, "list-type", number) == '2';
    struct catalogue_query query = {
        .prefix = param(r->query, "prefix", prefix),
        .after = param(r->query, newer ? "start-after" : "marker", after),
        .token = strtoull(param(r->query, "continuation-token", number), NULL, 10),
        .max = CATALOGUE_PAGE_KEYS,
    };
    if (*param(r->query, "max-keys", number) != '\0' && strtoul(number, NULL, 10) < query.max)
        query.max = (unsigned) strtoul(number, NULL, 10);
    char head[REPLY_MAX];
    size_t len;
    char *page = catalogue_page(&a->catalogue, &query, &len);
    if (page == NULL)
        return false;
    int n = snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\nServer: sink\r\nContent-Type: application/xml\r\n"
        "Content-Length: %zu\r\n\r\n",
        len);
    bool ok = link_send(l, head, (size_t) n, true) && link_send(l, page, len, false);
    free(page);
    return ok;
}

/* ---- Requests ---- */

/* The first that fits answers. */
static const struct route {
    const char *method;
    bool key;         /* of an object, or of the bucket */
    const char *word; /* in the query; "": any query */
    enum kind kind;
    bool (*answer)(const struct answers *a, struct link *l, const struct request *r);
} routes[] = {
    { "PUT", true, "", KIND_PUT, answer_put },
    { "POST", true, "uploadId=", KIND_POST, answer_complete },
    { "POST", true, "uploads", KIND_POST, answer_create },
    { "DELETE", true, "", KIND_DELETE, answer_delete },
    { "HEAD", true, "", KIND_HEAD, answer_head },
    { "HEAD", false, "", KIND_HEAD, answer_bucket },
    { "GET", true, "uploadId=", KIND_LIST, answer_parts },
    { "GET", true, "", KIND_GET, answer_get },
    { "GET", false, "uploads", KIND_LIST, answer_uploads },
    { "GET", false, "location", KIND_LIST, answer_location },
    { "GET", false, "", KIND_LIST, answer_list },
};

static const struct route *find_route(const struct request *r)
{
    bool key = *key_of(r) != '\0';
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (routes[i].key == key && strcmp(routes[i].method, r->method) == 0 &&
            strstr(r->query, routes[i].word) != NULL)
            return &routes[i];
    return NULL;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static void count(const struct route *route, const struct request *r)
{
    atomic_fetch_add(&counters.requests[route->kind], 1);
    atomic_fetch_add(&counters.bytes_in, r->length);
    if (route->key && atomic_load(&counters.first_ns) == 0)
        atomic_compare_exchange_strong(&counters.first_ns, &(int64_t){ 0 }, now_ns());
}

static bool tell_counters(struct link *l, const struct request *r)
{
    bool reset = strcmp(r->method, "POST") == 0;
    char text[REPLY_MAX / 2];
    int len = 0;
#define TELL(name, counter)                                                                    \
    len += snprintf(text + len, sizeof text - (size_t) len, "%c\"%s\": %" PRId64,              \
        len == 0 ? '{' : ',', name,                                                            \
        (int64_t) (reset ? atomic_exchange(counter, 0) : atomic_load(counter)))
    for (int i = 0; i < KIND_COUNT; i++)
        TELL(kinds[i], &counters.requests[i]);
    TELL("connections", &counters.connections);
    TELL("bytes_in", &counters.bytes_in);
    TELL("bytes_out", &counters.bytes_out);
    TELL("first_ns", &counters.first_ns);
#undef TELL
    snprintf(text + len, sizeof text - (size_t) len, "}\n");
    return reply(l, "200 OK", "Content-Type: application/json\r\n", text);
}

bool answers_serve(
    const struct answers *a, struct link *l, const struct request *r, bool *counted)
{
    if (strcmp(r->path, "/-/counters") == 0)
        return link_discard(l, r) && tell_counters(l, r);
    if (!*counted)
        atomic_fetch_add(&counters.connections, 1);
    *counted = true;
    const struct route *route = find_route(r);
    if (route == NULL || link_header(r, "Transfer-Encoding") != NULL) {
        reply(l, "501 Not Implemented", "Connection: close\r\n", "");
        return false;
    }
    count(route, r);
    const char *connection = link_header(r, "Connection");
    bool last = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    if (!link_discard(l, r))
        return false;
    link_nap(a->latency_s);
    return route->answer(a, l, r) && !last;
}
