/* The headers that a request becomes: see headers.h. Which fields an operation takes is
 * operation.c's table; what S3 limits, it has checked before. */
#include "headers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "endpoint.h"
#include "operation.h"
#include "uri.h"

#define CUSTOMER_KEY_BYTES 32

/* The headers under construction, and the first thing that is wrong with them. */
struct draft {
    struct call *call;
    const struct haul_request *request;
    const char *fault;
};

/* Anything else would begin another header. */
static bool is_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char) *text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool has_room(struct call *c)
{
    if (c->header_count < c->header_room)
        return true;
    size_t room = c->header_room ? 2 * c->header_room : 8;
    struct sigv4_header *more = realloc(c->headers, room * sizeof *more);
    if (more == NULL) {
        c->text.failed = HAUL_NO_MEMORY;
        return false;
    }
    c->headers = more;
    c->header_room = room;
    return true;
}

static void add_even_empty(struct draft *d, const char *name, const char *value)
{
    if (!is_line(value))
        d->fault = "takes no control characters in headers";
    else if (d->call->header_count == CALL_HEADERS_MAX)
        d->fault = "takes at most 128 headers";
    else if (has_room(d->call))
        d->call->headers[d->call->header_count++] = (struct sigv4_header){ name, value };
}

static void add(struct draft *d, const char *name, const char *value)
{
    if (value != NULL && *value != '\0')
        add_even_empty(d, name, value);
}

/* A text in c->text: begun, added to, ended. */
static size_t begin_text(struct call *c)
{
    buf_hold(&c->text);
    return c->text.len;
}

static char *end_text(struct call *c, size_t begun)
{
    static char nothing[1];
    buf_add(&c->text, "", 1);
    return c->text.failed ? nothing : c->text.data + begun;
}

static const char *keep(struct call *c, const char *text)
{
    size_t begun = begin_text(c);
    buf_adds(&c->text, text);
    return end_text(c, begun);
}

/* A header's name, from parts of which the second is the caller's. NULL: it is none. */
static const char *lower_name(struct draft *d, const char *prefix, const char *name)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "!#$%&'*+-.^_`|~";
    if (name == NULL || *name == '\0' || name[strspn(name, token)] != '\0') {
        d->fault = "takes no such name of a header";
        return NULL;
    }
    size_t begun = begin_text(d->call);
    buf_adds(&d->call->text, prefix);
    buf_adds(&d->call->text, name);
    char *text = end_text(d->call, begun);
    for (char *c = text; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char) (*c | 0x20);
    return text;
}

/* What the signer and libcurl write themselves, or what is of one connection only. Without keys
 * there is no signer. */
static bool is_ours(const char *name, const struct haul_request *r)
{
    static const char *const ours[] = { "accept-encoding", "authorization", "connection",
        "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding",
        "upgrade", "x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length",
        "x-amz-security-token" };
    if (r->endpoint->credentials == NULL && strcmp(name, "authorization") == 0)
        return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(ours[i], name) == 0)
            return true;
    return strncmp(name, "proxy-", strlen("proxy-")) == 0;
}

/* Names and values of the caller's choice. */
static void add_pairs(struct draft *d, const char *prefix, const struct haul_pairs *pairs)
{
    const struct call *c = d->call;
    for (size_t i = 0; i < pairs->count && d->fault == NULL; i++) {
        const char *name = lower_name(d, prefix, pairs->pairs[i].name);
        if (name == NULL || c->text.failed) /* the name may be no more than "" */
            return;
        if (is_ours(name, d->request))
            d->fault = "writes one of the further headers itself";
        for (size_t n = 0; n < c->header_count; n++)
            if (strcmp(c->headers[n].name, name) == 0)
                d->fault = "takes no header twice";
        add_even_empty(d, name, pairs->pairs[i].value ? pairs->pairs[i].value : "");
    }
}

/* "bytes=0-8388607" for { 0, 8388608 }. The only place that subtracts one. */
static void add_range(
    struct draft *d, const char *name, const struct haul_range *range, char text[static 64])
{
    if (range->len > INT64_MAX || range->start > INT64_MAX - range->len)
        d->fault = "takes no range that ends beyond 2^63 bytes";
    if (range->len > 0)
        snprintf(text, 64, "bytes=%" PRIu64 "-%" PRIu64, range->start,
            range->start + range->len - 1);
    else
        snprintf(text, 64, "bytes=%" PRIu64 "-", range->start);
    if (range->start > 0 || range->len > 0)
        add(d, name, text);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", in every locale. */
static void add_date(struct draft *d, const char *name, int64_t ms)
{
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t) (ms / 1000);
    struct tm t;
    if (ms <= 0)
        return;
    if (gmtime_r(&seconds, &t) == NULL || t.tm_year > 9999 - 1900) {
        d->fault = "takes no dates after the year 9999";
        return;
    }
    char text[64];
    snprintf(text, sizeof text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * t.tm_wday,
        t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    add(d, name, keep(d->call, text));
}

bool headers_replace_metadata(const struct haul_request *r)
{
    return r->operation != HAUL_COPY_OBJECT || r->content_type || r->cache_control ||
           r->content_disposition || r->content_encoding || r->content_language || r->expires ||
           r->metadata.count > 0;
}

static void add_tags(struct draft *d)
{
    const struct haul_pairs *tags = &d->request->tags;
    size_t begun = begin_text(d->call);
    for (size_t i = 0; i < tags->count; i++) {
        buf_adds(&d->call->text, i == 0 ? "" : "&");
        uri_add_value(&d->call->text, tags->pairs[i].name);
        buf_adds(&d->call->text, "=");
        uri_add_value(&d->call->text, tags->pairs[i].value);
    }
    add(d, "x-amz-tagging", end_text(d->call, begun));
}

/* All that is stored beside the bytes, and how. */
static void add_metadata(struct draft *d)
{
    const struct haul_request *r = d->request;
    bool copies = r->operation == HAUL_COPY_OBJECT;
    if (headers_replace_metadata(r)) {
        bool guess = r->content_type == NULL && d->call->guess_type;
        add(d, "x-amz-metadata-directive", copies ? "REPLACE" : NULL);
        add(d, "content-type", guess ? haul_content_type(r->key) : r->content_type);
        add(d, "cache-control", r->cache_control);
        add(d, "content-disposition", r->content_disposition);
        add(d, "content-encoding", r->content_encoding);
        add(d, "content-language", r->content_language);
        add(d, "expires", r->expires);
        add(d, "x-amz-meta-haul", r->token);
        add_pairs(d, "x-amz-meta-", &r->metadata);
    }
    if (r->tags.count > 0) {
        add(d, "x-amz-tagging-directive", copies ? "REPLACE" : NULL);
        add_tags(d);
    }
    add(d, "x-amz-storage-class", r->storage_class);
    if (r->encryption.kind == HAUL_ENCRYPT_S3)
        add(d, "x-amz-server-side-encryption", "AES256");
    if (r->encryption.kind == HAUL_ENCRYPT_KMS) {
        add(d, "x-amz-server-side-encryption", "aws:kms");
        add(d, "x-amz-server-side-encryption-aws-kms-key-id", r->encryption.kms_key_id);
        add(d, "x-amz-server-side-encryption-context", r->encryption.kms_context);
    }
}

/* The algorithm, the key, and its MD5, by which the server sees that it came through. */
static void add_customer_key(
    struct draft *d, const char *const names[3], const struct haul_encryption *encryption)
{
    unsigned char md5[HAUL_CHECKSUM_BYTES_MAX];
    char text[HAUL_CHECKSUM_TEXT_SIZE];
    if (encryption->kind != HAUL_ENCRYPT_C)
        return;
    struct haul_sum *sum = haul_sum_new(HAUL_MD5);
    if (sum != NULL)
        haul_sum_add(sum, encryption->customer_key, CUSTOMER_KEY_BYTES);
    size_t bytes = sum ? haul_sum_end(sum, md5) : 0;
    haul_sum_free(sum);
    if (bytes == 0) {
        d->fault = "can't send a customer's key: there is no MD5";
        return;
    }
    add(d, names[0], "AES256");
    haul_checksum_text(encryption->customer_key, CUSTOMER_KEY_BYTES, text);
    add(d, names[1], keep(d->call, text));
    wipe(text, sizeof text);
    haul_checksum_text(md5, bytes, text);
    add(d, names[2], keep(d->call, text));
}

static void add_source(struct draft *d)
{
    static const char *const names[] = {
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-key-md5",
    };
    const struct haul_source *s = &d->request->source;
    size_t begun = begin_text(d->call);
    buf_adds(&d->call->text, "/");
    uri_add_path(&d->call->text, s->bucket ? s->bucket : d->request->bucket);
    buf_adds(&d->call->text, "/");
    uri_add_path(&d->call->text, s->key);
    if (s->version_id != NULL) {
        buf_adds(&d->call->text, "?versionId=");
        uri_add_value(&d->call->text, s->version_id);
    }
    add(d, "x-amz-copy-source", end_text(d->call, begun));
    add(d, "x-amz-copy-source-if-match", s->if_match);
    if (!haul_endpoint_is_aws(d->request->endpoint))
        add(d, "x-amz-copy-if-match", s->if_match); /* Ceph knows it by this name alone */
    add_customer_key(d, names, &s->key_of_source);
    if (d->request->operation == HAUL_COPY_PART)
        add_range(d, "x-amz-copy-source-range", &s->range, d->call->source_range);
}

/* The sender reads the body, and writes the value where the header points to. */
static const char *add_sum(struct draft *d, enum haul_checksum kind, const char *name)
{
    struct call *c = d->call;
    if (!c->guess_type)
        return NULL;
    struct call_sum *s = &c->sums[c->sum_count++];
    s->kind = kind;
    add_even_empty(d, name, s->text);
    return s->text;
}

static const struct {
    const char *header, *algorithm;
} checksums[] = {
    [HAUL_CRC32C] = { "x-amz-checksum-crc32c", "CRC32C" },
    [HAUL_CRC32] = { "x-amz-checksum-crc32", "CRC32" },
    [HAUL_CRC64NVME] = { "x-amz-checksum-crc64nvme", "CRC64NVME" },
    [HAUL_SHA1] = { "x-amz-checksum-sha1", "SHA1" },
    [HAUL_SHA256] = { "x-amz-checksum-sha256", "SHA256" },
    [HAUL_MD5] = { "content-md5", NULL },
};

static void add_checksums(struct draft *d, unsigned traits)
{
    const struct haul_request *r = d->request;
    const char *header = checksums[r->checksum].header;
    bool crc = r->checksum == HAUL_CRC32 || r->checksum == HAUL_CRC32C;
    bool composite = crc ? r->checksum_composite : r->checksum != HAUL_CRC64NVME;
    bool whole = r->checksum != HAUL_CHECKSUM_NONE && r->checksum != HAUL_MD5;

    if (((traits & TAKES_CHECKSUM) && header != NULL) ||
        (r->operation == HAUL_COMPLETE_UPLOAD && whole)) {
        d->call->sent_sum = r->checksum_value;
        add(d, header, r->checksum_value);
        if ((traits & TAKES_CHECKSUM) && r->checksum_value == NULL)
            d->call->sent_sum = add_sum(d, r->checksum, header);
    }
    if ((d->call->document.len > 0 || (traits & TAKES_BODY)) &&
        (r->content_md5 || r->operation == HAUL_DELETE_OBJECTS) &&
        !((traits & TAKES_CHECKSUM) && r->checksum == HAUL_MD5))
        add_sum(d, HAUL_MD5, "content-md5");
    if ((traits & READS_OBJECT) && header != NULL)
        add(d, "x-amz-checksum-mode", "ENABLED");
    if (r->operation == HAUL_CREATE_UPLOAD && whole)
        add(d, "x-amz-checksum-algorithm", checksums[r->checksum].algorithm);
    if ((r->operation == HAUL_CREATE_UPLOAD || r->operation == HAUL_COMPLETE_UPLOAD) && whole)
        add(d, "x-amz-checksum-type", composite ? "COMPOSITE" : "FULL_OBJECT");
}

const char *headers_add(struct call *c, const struct haul_request *r)
{
    static const char *const names[] = {
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5",
    };
    unsigned traits = operation_of(r->operation)->traits;
    struct draft d = { .call = c, .request = r };
    if (traits & TAKES_METADATA)
        add_metadata(&d);
    if ((traits & TAKES_METADATA) || r->operation == HAUL_CREATE_BUCKET)
        add(&d, "x-amz-acl", r->acl);
    if (traits & NEEDS_SOURCE)
        add_source(&d);
    if (traits & TAKES_CUSTOMER)
        add_customer_key(&d, names, &r->encryption);
    add_checksums(&d, traits);
    if (traits & TAKES_MATCHES) {
        add(&d, "if-match", r->if_match);
        add(&d, "if-none-match", r->if_none_match);
    }
    if (traits & READS_OBJECT) {
        add_date(&d, "if-modified-since", r->if_modified_since_ms);
        add_date(&d, "if-unmodified-since", r->if_unmodified_since_ms);
    }
    if (r->operation == HAUL_GET_OBJECT)
        add_range(&d, "range", &r->range, c->range);
    if (r->requester_pays)
        add(&d, "x-amz-request-payer", "requester");
    add(&d, "x-amz-expected-bucket-owner", r->expected_owner);
    add_pairs(&d, "", &r->headers);
    return d.fault;
}
