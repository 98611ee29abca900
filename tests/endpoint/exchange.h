/* One request and its reply: which operation it is, which faults strike it, whether it is
 * signed well, and how the reply goes out. What the operations do is in the files that
 * operations.h names. */
#ifndef ENDPOINT_EXCHANGE_H
#define ENDPOINT_EXCHANGE_H

#include "chunks.h"
#include "faults.h"
#include "integrity.h"
#include "ledger.h"
#include "signature.h"
#include "store.h"
#include "uploads.h"
#include "wire.h"

enum { HOST_SUFFIXES_MAX = 8 };

/* What all connections share. Set up by main, then only read; the modules lock inside. */
struct server {
    struct keys keys;
    const char *host_suffixes[HOST_SUFFIXES_MAX]; /* NULL ends them */
    uint64_t min_part_bytes;
    const char *owner; /* the account that all buckets belong to */
    struct drafts drafts;
    struct store *store; /* owned, and the next three */
    struct uploads *uploads;
    struct faults *faults;
    struct ledger *ledger;
};

/* Zero but for fd is an empty 200. All texts and the descriptor are owned. */
struct reply {
    int status;          /* 0: 200 */
    const char *code;    /* S3's error code: it makes the document; NULL: no error */
    struct text extra;   /* further elements of that document */
    struct text headers; /* "Name: value\r\n" lines */
    struct text body;
    const char *content_type; /* of the body; NULL: application/xml if there is one */
    char etag[FAULT_WORD_MAX], content_range[FAULT_WORD_MAX]; /* empty: none */
    int fd; /* -1: none; else the body is bytes [start, start + len) of this file */
    uint64_t start, len;
};

struct operation;

struct exchange {
    struct server *server;
    struct request *request;
    const struct operation *operation;
    struct text bucket, key; /* owned */
    unsigned part;           /* of partNumber=; 0: none */
    struct stamp stamp;
    int64_t now_ms; /* by the server's clock, which a fault may have set wrong */
    struct play play;
    struct reply reply;
    char payload_hash[SHA256_HEX_MAX];
    struct chain chain;
    struct chunks chunks;
    struct integrity integrity;
};

/* Serves one request. false: the connection must be closed. */
bool exchange_serve(struct server *server, struct request *r);

/* For the operations: */
void exchange_fail(struct exchange *x, const char *code);
/* Fails if there is a code. Returns whether there was none. */
bool exchange_passes(struct exchange *x, const char *code);
/* The body's next bytes as request_body(), all its sums checked at its end. -1: the reply
 * says why, unless the connection broke. */
ssize_t exchange_body(struct exchange *x, const char **data);
/* A whole small body. -1 as above. */
int exchange_body_text(struct exchange *x, struct text *out);
/* A query parameter, empty when missing. */
const struct text *exchange_param(const struct exchange *x, const char *name);
/* A number from the query, `standard` when missing. -1: not a number between low and high, and
 * the reply says so. */
int64_t exchange_number(
    struct exchange *x, const char *name, int64_t standard, int64_t low, int64_t high);

#endif
