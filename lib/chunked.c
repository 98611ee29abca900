/* The encoder of aws-chunked: see chunked.h. It holds one chunk, whole with its head, since the
 * head's signature comes before the data that it covers. */
#include "chunked.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"

#define LINE_END "\r\n"
#define SIGNATURE_FIELD ";chunk-signature="
#define HEAD_BYTES_MAX 96 /* a full chunk's: 88, and the NUL */
#define TO_SIGN_BYTES_MAX 512

struct chunked {
    struct haul_body body; /* the payload is the caller's */
    struct sigv4_key key;
    char time[SIGV4_TIME_SIZE], seed[SHA256_HEX_SIZE];
    char *region;        /* owned */
    const char *service; /* borrowed: the endpoint's */
    struct buf to_sign;  /* kept for its memory */

    uint64_t taken;                  /* of the body */
    bool ended;                      /* the last chunk, which is empty, has been made */
    uint64_t start;                  /* of the chunk in hand, in the stream */
    size_t len;                      /* of that chunk, with all around it; 0: none */
    char signature[SHA256_HEX_SIZE]; /* of the latest one, or the seed */
    char memory[HEAD_BYTES_MAX + CHUNKED_DATA_BYTES + sizeof LINE_END];
};

/* "10000;chunk-signature=ad80…\r\n". Returns its length. */
static int format_head(char head[static HEAD_BYTES_MAX], size_t data_len, const char *signature)
{
    return snprintf(
        head, HEAD_BYTES_MAX, "%zx" SIGNATURE_FIELD "%s" LINE_END, data_len, signature);
}

static size_t chunk_size(size_t data_len)
{
    char head[HEAD_BYTES_MAX];
    return (size_t) format_head(head, data_len, "") + SHA256_HEX_SIZE - 1 + data_len +
           strlen(LINE_END);
}

uint64_t chunked_size(uint64_t body_bytes)
{
    size_t rest = (size_t) (body_bytes % CHUNKED_DATA_BYTES);
    return body_bytes / CHUNKED_DATA_BYTES * chunk_size(CHUNKED_DATA_BYTES) +
           (rest > 0 ? chunk_size(rest) : 0) + chunk_size(0);
}

static void begin(struct chunked *c)
{
    c->taken = c->start = 0;
    c->ended = false;
    c->len = 0;
    memcpy(c->signature, c->seed, sizeof c->signature);
}

struct chunked *chunked_new(
    const struct haul_body *body, const struct sigv4_request *r, const struct sigv4_key *key)
{
    struct chunked *c = malloc(sizeof *c);
    if (c == NULL)
        return NULL;
    c->body = *body;
    c->key = *key;
    c->region = strdup(r->region);
    c->service = r->service;
    c->to_sign = buf_make(TO_SIGN_BYTES_MAX);
    snprintf(c->time, sizeof c->time, "%s", r->time);
    memcpy(c->seed, r->signature, sizeof c->seed);
    begin(c);
    if (c->region == NULL) {
        chunked_free(c);
        return NULL;
    }
    return c;
}

void chunked_free(struct chunked *c)
{
    if (c == NULL)
        return;
    wipe(&c->key, sizeof c->key);
    buf_free(&c->to_sign);
    free(c->region);
    free(c);
}

static int sign(struct chunked *c, const char *data, size_t len)
{
    struct sigv4_request r = { .time = c->time, .region = c->region, .service = c->service };
    buf_clear(&c->to_sign);
    sigv4_add_chunk_string_to_sign(&c->to_sign, &r, c->signature, data, len);
    int rc = sigv4_sign_text(&c->to_sign, &c->key, c->signature);
    if (rc < 0)
        errno = ENOMEM;
    return rc;
}

static size_t next_data(const struct chunked *c)
{
    uint64_t left = c->body.size - c->taken;
    return left < CHUNKED_DATA_BYTES ? (size_t) left : CHUNKED_DATA_BYTES;
}

/* The next chunk, whole. Returns its length, or what the body's read returned. */
static ssize_t make_chunk(struct chunked *c, char *out)
{
    char head[HEAD_BYTES_MAX];
    size_t want = next_data(c), len = chunk_size(want);
    size_t head_len = len - want - strlen(LINE_END);
    char *data = out + head_len;
    for (size_t have = 0; have < want;) {
        ssize_t got = body_read(&c->body, c->taken + have, data + have, want - have);
        if (got <= 0)
            return got;
        have += (size_t) got;
    }
    if (sign(c, data, want) < 0)
        return -1;
    format_head(head, want, c->signature);
    memcpy(out, head, head_len);
    memcpy(data + want, LINE_END, strlen(LINE_END));
    c->taken += want;
    c->ended = want == 0;
    return (ssize_t) len;
}

/* Chunks that fit where they are asked for are made there. */
static ssize_t read_stream(void *payload, uint64_t offset, void *data, size_t len)
{
    struct chunked *c = payload;
    size_t got = 0;
    if (offset < c->start)
        begin(c);
    while (got < len) {
        uint64_t at = offset + got - c->start;
        if (at < c->len) {
            size_t rest = c->len - (size_t) at;
            size_t some = rest < len - got ? rest : len - got;
            memcpy((char *) data + got, c->memory + at, some);
            got += some;
            continue;
        }
        if (c->ended)
            break;
        c->start += c->len;
        c->len = 0;
        bool fits = offset + got == c->start && chunk_size(next_data(c)) <= len - got;
        ssize_t made = make_chunk(c, fits ? (char *) data + got : c->memory);
        if (made <= 0)
            return made;
        if (fits) {
            c->start += (uint64_t) made;
            got += (size_t) made;
        } else {
            c->len = (size_t) made;
        }
    }
    return (ssize_t) got;
}

struct haul_body chunked_body(struct chunked *c)
{
    return (struct haul_body){ read_stream, c, chunked_size(c->body.size) };
}
