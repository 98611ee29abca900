/* A state machine over the body's bytes: lines and stretches of bytes in turn. */
#include "chunks.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 1024, CHUNK_BYTES_MIN = 8192 };

static const char trailer_signature[] = "x-amz-trailer-signature";

const char *chunks_begin(struct chunks *c, const struct request *r, struct chain *chain)
{
    const char *form = request_header(r, "x-amz-content-sha256");
    const char *length = request_header(r, "x-amz-decoded-content-length");
    if (form == NULL || strncmp(form, "STREAMING-", 10) != 0)
        return NULL;
    if (length == NULL)
        return "MissingContentLength";
    c->on = true;
    c->trails = strstr(form, "-TRAILER") != NULL;
    c->want = strtoull(length, NULL, 10);
    c->last_size = CHUNK_BYTES_MIN;
    c->chain = chain;
    return NULL;
}

void chunks_feed(struct chunks *c, const char *data, size_t len)
{
    c->at = data;
    c->end = data + len;
}

/* Moves bytes into the line up to its CRLF, which is cut off. Whether it is complete. */
static bool read_line(struct chunks *c)
{
    while (c->at < c->end && c->line.len <= LINE_MAX_BYTES) {
        text_add(&c->line, c->at++, 1);
        if (c->line.len >= 2 && memcmp(c->line.at + c->line.len - 2, "\r\n", 2) == 0) {
            c->line.len -= 2;
            c->line.at[c->line.len] = '\0';
            return true;
        }
    }
    return false;
}

static const char *check_chunk(struct chunks *c)
{
    unsigned char hash[DIGEST_MAX];
    digest_end(&c->sum, hash);
    return chain_accepts(c->chain, false, hash, c->claimed) ? NULL : "SignatureDoesNotMatch";
}

static const char *read_size(struct chunks *c)
{
    static const char signature[] = ";chunk-signature=";
    char *end = NULL;
    c->left = strtoull(c->line.at, &end, 16);
    if (end == c->line.at || (*end != '\0' && *end != ';'))
        return "InvalidRequest";
    c->claimed[0] = '\0';
    if (strncmp(end, signature, strlen(signature)) == 0)
        strncat(c->claimed, end + strlen(signature), sizeof c->claimed - 1);
    if (c->left > 0 && c->last_size < CHUNK_BYTES_MIN)
        return "InvalidChunkSizeError";
    c->last_size = c->left;
    digest_begin(&c->sum, DIGEST_SHA256);
    c->state = c->left > 0 ? CHUNKS_BYTES : CHUNKS_TRAILER;
    return c->left > 0 ? NULL : check_chunk(c);
}

/* A header behind the body, the signature of those before it, or the empty line at the end. */
static const char *read_trailer(struct chunks *c)
{
    size_t name = strcspn(c->line.at, ":");
    if (c->line.len == 0) {
        c->state = CHUNKS_DONE;
        return c->trails && c->chain->checked && !c->trailer_signed ? "SignatureDoesNotMatch"
                                                                    : NULL;
    }
    if (!c->trails || c->line.at[name] != ':')
        return "InvalidRequest";
    const char *value = c->line.at + name + 1;
    if (name == strlen(trailer_signature) &&
        strncasecmp(c->line.at, trailer_signature, name) == 0) {
        struct digest sum;
        unsigned char hash[DIGEST_MAX];
        digest_begin(&sum, DIGEST_SHA256);
        digest_add(&sum, text_c(&c->trailer), c->trailer.len);
        digest_end(&sum, hash);
        c->trailer_signed = true;
        return chain_accepts(c->chain, true, hash, value) ? NULL : "SignatureDoesNotMatch";
    }
    text_addf(&c->trailer, "%s\n", c->line.at);
    text_clear(&c->checksum);
    text_puts(&c->checksum, value);
    return NULL;
}

static const char *read_empty(struct chunks *c)
{
    c->state = CHUNKS_SIZE;
    return c->line.len == 0 ? NULL : "InvalidRequest";
}

static const char *read_rest(struct chunks *c)
{
    (void) c;
    return "InvalidRequest";
}

ssize_t chunks_take(struct chunks *c, const char **data, const char **why)
{
    static const char *(*const readers[])(struct chunks * c) = {
        [CHUNKS_SIZE] = read_size,
        [CHUNKS_AFTER] = read_empty,
        [CHUNKS_TRAILER] = read_trailer,
        [CHUNKS_DONE] = read_rest,
    };
    *why = NULL;
    while (c->at < c->end && c->state != CHUNKS_BYTES) {
        if (read_line(c)) {
            *why = readers[c->state](c);
            text_clear(&c->line);
        } else if (c->at < c->end) {
            *why = "InvalidRequest";
        }
        if (*why != NULL)
            return -1;
    }
    size_t have = (size_t) (c->end - c->at);
    size_t n = c->left < have ? (size_t) c->left : have;
    if (n == 0)
        return 0;
    *data = c->at;
    digest_add(&c->sum, c->at, n);
    c->at += n;
    c->left -= n;
    c->total += n;
    if (c->left == 0) {
        c->state = CHUNKS_AFTER;
        *why = check_chunk(c);
    }
    return *why == NULL ? (ssize_t) n : -1;
}

const char *chunks_end(const struct chunks *c)
{
    return c->state == CHUNKS_DONE && c->total == c->want ? NULL : "IncompleteBody";
}

void chunks_free(struct chunks *c)
{
    digest_free(&c->sum);
    text_free(&c->line);
    text_free(&c->trailer);
    text_free(&c->checksum);
}
