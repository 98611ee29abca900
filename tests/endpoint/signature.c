/* SigV4, the server's side. Shares no code with the library that it tests: a wrong signer must
 * not agree with itself. */
#include "signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIELD_MAX = 2048, SKEW_MAX_MS = 15 * 60 * 1000 };

static const char algorithm[] = "AWS4-HMAC-SHA256";

/* What the client claims, from the header or from the query. */
struct claim {
    char credential[FIELD_MAX], signed_headers[FIELD_MAX], signature[FIELD_MAX];
    char stamp[FIELD_MAX]; /* 20240131T235959Z */
    int64_t expires_s;     /* presigned alone */
    bool presigned;
    const char *payload; /* hex hash, or UNSIGNED-PAYLOAD */
};

/* The claim's parts of "KEY/20240131/us-east-1/s3/aws4_request". */
struct scope {
    char access_key[FIELD_MAX], date[16], region[64], service[16], end[16];
};

static void sha256_hex(const struct text *in, struct text *out)
{
    unsigned char hash[SHA256_BYTES];
    EVP_Digest(text_c(in), in->len, hash, NULL, EVP_sha256(), NULL);
    text_add_hex(out, hash, sizeof hash);
}

static void hmac(const void *key, size_t key_len, const char *data, size_t len,
    unsigned char out[static SHA256_BYTES])
{
    HMAC(EVP_sha256(), key, (int) key_len, (const unsigned char *) data, len, out, NULL);
}

/* Copies the value of NAME=... out of "AWS4-HMAC-SHA256 NAME=..., NAME=...". */
static void copy_field(const char *authorization, const char *name, char out[static FIELD_MAX])
{
    const char *at = authorization + strlen(algorithm);
    size_t name_len = strlen(name);
    while (*at != '\0') {
        at += strspn(at, " ,");
        size_t len = strcspn(at, " ,");
        if (len > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=')
            snprintf(out, FIELD_MAX, "%.*s", (int) (len - name_len - 1), at + name_len + 1);
        at += len;
    }
}

static void copy_param(const struct request *r, const char *name, char out[static FIELD_MAX])
{
    const struct text *value = request_param(r, name);
    snprintf(out, FIELD_MAX, "%s", value != NULL ? text_c(value) : "");
}

static const char *read_claim(const struct request *r, struct claim *c)
{
    const char *authorization = request_header(r, "Authorization");
    const char *date = request_header(r, "x-amz-date");
    const char *payload = request_header(r, "x-amz-content-sha256");
    char expires[FIELD_MAX], query_algorithm[FIELD_MAX];
    if (authorization == NULL && request_param(r, "X-Amz-Signature") == NULL)
        return "AccessDenied";
    if (authorization == NULL) {
        c->presigned = true;
        copy_param(r, "X-Amz-Algorithm", query_algorithm);
        copy_param(r, "X-Amz-Credential", c->credential);
        copy_param(r, "X-Amz-SignedHeaders", c->signed_headers);
        copy_param(r, "X-Amz-Signature", c->signature);
        copy_param(r, "X-Amz-Date", c->stamp);
        copy_param(r, "X-Amz-Expires", expires);
        c->expires_s = strtoll(expires, NULL, 10);
        c->payload = payload != NULL ? payload : "UNSIGNED-PAYLOAD";
        return strcmp(query_algorithm, algorithm) == 0 ? NULL
                                                       : "AuthorizationQueryParametersError";
    }
    if (strncmp(authorization, algorithm, strlen(algorithm)) != 0)
        return "AuthorizationHeaderMalformed";
    copy_field(authorization, "Credential", c->credential);
    copy_field(authorization, "SignedHeaders", c->signed_headers);
    copy_field(authorization, "Signature", c->signature);
    snprintf(c->stamp, sizeof c->stamp, "%s", date != NULL ? date : "");
    c->payload = payload;
    return payload != NULL ? NULL : "InvalidRequest";
}

static const char *check_scope(const struct keys *keys, const char *region,
    const struct claim *c, struct scope *s, struct text *extra)
{
    /* The access key may itself hold slashes, so the scope is read from its end. */
    const char *slash = c->credential + strlen(c->credential);
    for (int i = 0; i < 4 && slash > c->credential; i++)
        slash = memrchr(c->credential, '/', (size_t) (slash - c->credential))
                    ? memrchr(c->credential, '/', (size_t) (slash - c->credential))
                    : c->credential;
    snprintf(s->access_key, sizeof s->access_key, "%.*s", (int) (slash - c->credential),
        c->credential);
    if (sscanf(slash, "/%15[^/]/%63[^/]/%15[^/]/%15s", s->date, s->region, s->service,
            s->end) != 4 ||
        strcmp(s->service, "s3") != 0 || strcmp(s->end, "aws4_request") != 0 ||
        strncmp(s->date, c->stamp, 8) != 0 || strlen(s->date) != 8)
        return "AuthorizationHeaderMalformed";
    if (strcmp(s->access_key, keys->access_key) != 0)
        return "InvalidAccessKeyId";
    if (strcmp(s->region, region) == 0)
        return NULL;
    if (strcmp(s->region, keys->region) == 0)
        return "PermanentRedirect"; /* signed for here, but the bucket is elsewhere */
    text_addf(extra, "<Region>%s</Region>", region);
    return "AuthorizationHeaderMalformed";
}

static const char *check_time(const struct claim *c, int64_t now_ms)
{
    int64_t signed_ms = date_from_amz(c->stamp);
    if (signed_ms < 0)
        return "AccessDenied";
    if (signed_ms > now_ms + SKEW_MAX_MS)
        return "RequestTimeTooSkewed";
    if (c->presigned)
        return now_ms > signed_ms + c->expires_s * 1000 ? "AccessDenied" : NULL;
    return signed_ms < now_ms - SKEW_MAX_MS ? "RequestTimeTooSkewed" : NULL;
}

static bool is_signed(const struct claim *c, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = c->signed_headers; *at != '\0';) {
        size_t word = strcspn(at, ";");
        if (word == len && strncasecmp(at, name, len) == 0)
            return true;
        at += word + (at[word] == ';');
    }
    return false;
}

/* The names must be lower case and in order; host and every x-amz- header must be among them.
 */
static const char *check_coverage(const struct claim *c, const struct request *r)
{
    char last[FIELD_MAX] = "", name[FIELD_MAX];
    for (const char *at = c->signed_headers; *at != '\0'; memcpy(last, name, sizeof last)) {
        size_t len = strcspn(at, ";");
        snprintf(name, sizeof name, "%.*s", (int) len, at);
        if (strcmp(last, name) >= 0 || strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL)
            return "SignatureDoesNotMatch";
        at += len + (at[len] == ';');
    }
    if (!is_signed(c, "host"))
        return "AccessDenied";
    for (unsigned i = 0; i < r->header_count; i++)
        if (strncasecmp(r->headers[i].name, "x-amz-", 6) == 0 &&
            !is_signed(c, r->headers[i].name))
            return "AccessDenied";
    return NULL;
}

static int compare_lines(const void *a, const void *b)
{
    return text_compare(a, b);
}

/* "name=value&name=value", encoded, then sorted; the signature itself is no part of it. Names
 * and values sort as "name" NUL "value": `=` must not take part in the comparison. */
static void add_query(struct text *out, const struct request *r)
{
    struct text lines[PARAMS_MAX] = { 0 };
    unsigned count = 0;
    for (unsigned i = 0; i < r->param_count; i++) {
        const struct param *p = &r->params[i];
        if (strcmp(text_c(&p->name), "X-Amz-Signature") == 0)
            continue;
        text_add_percent(&lines[count], &p->name, "");
        text_add(&lines[count], "", 1);
        text_add_percent(&lines[count++], &p->value, "");
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    for (unsigned i = 0; i < count; i++) {
        size_t name = strlen(lines[i].at);
        text_addf(out, "%s%s=%s", i > 0 ? "&" : "", lines[i].at, lines[i].at + name + 1);
        text_free(&lines[i]);
    }
}

/* "name:value" of one header: trimmed, blanks collapsed, values of equal names joined. */
static void add_header(struct text *out, const struct request *r, const char *name, size_t len)
{
    bool first = true;
    text_addf(out, "%.*s:", (int) len, name);
    for (unsigned i = 0; i < r->header_count; i++) {
        if (strlen(r->headers[i].name) != len ||
            strncasecmp(r->headers[i].name, name, len) != 0)
            continue;
        text_puts(out, first ? "" : ",");
        first = false;
        for (const char *at = r->headers[i].value; *at != '\0'; at++)
            if (*at != ' ' || at[1] != ' ')
                text_add(out, at, 1);
    }
    text_puts(out, "\n");
}

static void canonical_request(struct text *out, const struct request *r, const struct claim *c)
{
    struct text path = { 0 };
    text_add_unpercent(&path, r->path, strlen(r->path), false);
    text_addf(out, "%s\n", r->method);
    text_add_percent(out, &path, "/");
    text_puts(out, "\n");
    add_query(out, r);
    text_puts(out, "\n");
    for (const char *at = c->signed_headers; *at != '\0';) {
        size_t len = strcspn(at, ";");
        add_header(out, r, at, len);
        at += len + (at[len] == ';');
    }
    text_addf(out, "\n%s\n%s", c->signed_headers, c->payload);
    text_free(&path);
}

static void derive_key(
    const struct keys *keys, const struct scope *s, unsigned char key[static SHA256_BYTES])
{
    struct text secret = { 0 };
    text_addf(&secret, "AWS4%s", keys->secret_key);
    hmac(secret.at, secret.len, s->date, strlen(s->date), key);
    hmac(key, SHA256_BYTES, s->region, strlen(s->region), key);
    hmac(key, SHA256_BYTES, s->service, strlen(s->service), key);
    hmac(key, SHA256_BYTES, s->end, strlen(s->end), key);
    text_free(&secret);
}

static bool signs(const unsigned char key[static SHA256_BYTES], const struct text *to_sign,
    const char *signature)
{
    unsigned char right[SHA256_BYTES];
    struct text hex = { 0 };
    hmac(key, SHA256_BYTES, to_sign->at, to_sign->len, right);
    text_add_hex(&hex, right, sizeof right);
    bool same = strcmp(hex.at, signature) == 0;
    text_free(&hex);
    return same;
}

static const char *check_signature(const struct keys *keys, const struct request *r,
    const struct claim *c, const struct scope *s, struct chain *chain, struct text *extra)
{
    struct text canonical = { 0 }, to_sign = { 0 };
    canonical_request(&canonical, r, c);
    snprintf(chain->stamp, sizeof chain->stamp, "%.19s", c->stamp);
    snprintf(chain->scope, sizeof chain->scope, "%s/%s/%s/%s", s->date, s->region, s->service,
        s->end);
    snprintf(chain->previous, sizeof chain->previous, "%.64s", c->signature);
    text_addf(&to_sign, "%s\n%s\n%s\n", algorithm, chain->stamp, chain->scope);
    sha256_hex(&canonical, &to_sign);
    derive_key(keys, s, chain->key);
    bool same = signs(chain->key, &to_sign, c->signature);
    if (!same) {
        text_puts(extra, "<StringToSign>");
        text_add_xml(extra, &to_sign);
        text_puts(extra, "</StringToSign><CanonicalRequest>");
        text_add_xml(extra, &canonical);
        text_puts(extra, "</CanonicalRequest>");
    }
    text_free(&canonical);
    text_free(&to_sign);
    return same ? NULL : "SignatureDoesNotMatch";
}

bool chain_accepts(struct chain *chain, bool trailer,
    const unsigned char hash[static SHA256_BYTES], const char *signature)
{
    static const struct text nothing;
    struct text to_sign = { 0 };
    if (!chain->checked)
        return true;
    text_addf(&to_sign, "%s-%s\n%s\n%s\n%s\n", algorithm, trailer ? "TRAILER" : "PAYLOAD",
        chain->stamp, chain->scope, chain->previous);
    if (!trailer) {
        sha256_hex(&nothing, &to_sign);
        text_puts(&to_sign, "\n");
    }
    text_add_hex(&to_sign, hash, SHA256_BYTES);
    bool same = signs(chain->key, &to_sign, signature);
    snprintf(chain->previous, sizeof chain->previous, "%.64s", signature);
    text_free(&to_sign);
    return same;
}

/* The words for ways of signing a body; all else is its hash in hex. */
static const struct {
    const char *name;
    bool by_chunk;
} forms[] = {
    { "UNSIGNED-PAYLOAD", false },
    { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", false },
    { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true },
    { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true },
};

static const char *check_payload_form(
    const struct claim *c, char payload_hash[static SHA256_HEX_MAX], struct chain *chain)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(c->payload, forms[i].name) == 0) {
            chain->checked = forms[i].by_chunk;
            return NULL;
        }
    }
    if (strncmp(c->payload, "STREAMING-", 10) == 0)
        return "NotImplemented";
    if (strlen(c->payload) != SHA256_HEX_MAX - 1 ||
        strspn(c->payload, "0123456789abcdef") != SHA256_HEX_MAX - 1)
        return "InvalidArgument";
    memcpy(payload_hash, c->payload, SHA256_HEX_MAX);
    return NULL;
}

const char *signature_check(const struct keys *keys, const char *region,
    const struct request *r, int64_t now_ms, char payload_hash[static SHA256_HEX_MAX],
    struct chain *chain, struct text *extra)
{
    struct claim c = { .payload = "" };
    struct scope s = { 0 };
    const char *why = NULL;
    payload_hash[0] = '\0';
    if (keys->access_key == NULL)
        return NULL;
    if ((why = read_claim(r, &c)) == NULL &&
        (why = check_scope(keys, region, &c, &s, extra)) == NULL &&
        (why = check_time(&c, now_ms)) == NULL && (why = check_coverage(&c, r)) == NULL &&
        (why = check_payload_form(&c, payload_hash, chain)) == NULL)
        why = check_signature(keys, r, &c, &s, chain, extra);
    return why;
}
