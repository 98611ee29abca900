/* One connection, plain or TLS, and the HTTP/1.1 requests that arrive on it. What a request
 * means is not known here. */
#ifndef ENDPOINT_WIRE_H
#define ENDPOINT_WIRE_H

#include "text.h"

#include <stdatomic.h>
#include <sys/types.h>

enum { HEADERS_MAX = 128, PARAMS_MAX = 32 };

struct ssl_st;

/* Used by its own thread alone, but for shutdown(fd) when the program ends. */
struct wire {
    int fd;             /* owned; -1 when closed */
    int stop_fd;        /* readable once the program ends */
    struct ssl_st *ssl; /* owned; NULL: plain */
    char *buf;          /* owned: bytes received and not yet used are buf[start, end) */
    size_t start, end;
    bool counted; /* has carried a request of S3's */
};

struct header {
    const char *name, *value; /* value without white space around it */
};

struct param {
    struct text name, value; /* decoded */
};

struct request {
    struct wire *wire;
    struct text head;                  /* owned: the pointers below lead into it */
    const char *method, *path, *query; /* path and query as they were sent; query may be "" */
    struct header headers[HEADERS_MAX];
    unsigned header_count;
    struct param params[PARAMS_MAX];
    unsigned param_count;
    uint64_t length;   /* of the body, as promised */
    uint64_t received; /* of the body, so far */
    bool has_length, keep_alive;
    bool awaits_continue; /* the client sends no body before it sees our 100 */
    bool broken;          /* the connection is of no more use */
    bool keeps;           /* the body, for request_rewind() */
    bool rewound;
    struct text kept;        /* owned */
    size_t kept_left;        /* rewound: not yet given again */
    int64_t reset_after;     /* RST after so many bytes of the body; below 0: never */
    int64_t rate;            /* bytes a second; 0 or less: as fast as it goes */
    _Atomic uint64_t *tally; /* counts the body's bytes; NULL: nobody does */
};

/* Takes over the descriptor. `ctx` is an SSL_CTX, NULL for plain. -1: no handshake, closed. */
int wire_open(struct wire *w, int fd, int stop_fd, void *ctx);
/* Frees all. With unread bytes of the peer's, waits a moment so that our reply gets there. */
void wire_close(struct wire *w);
/* RST instead of a goodbye. */
void wire_reset(struct wire *w);
/* Sleeps, but not beyond the program's end. */
void wire_nap(const struct wire *w, int64_t ms);

/* Reads the next request's head. 1: here it is; 0: the peer has gone; -1: not HTTP.
 * request_free() in every case. */
int wire_next(struct wire *w, struct request *r);
void request_free(struct request *r);
/* The first header of that name, NULL: none. */
const char *request_header(const struct request *r, const char *name);
/* The value of a query parameter, NULL: none. */
const struct text *request_param(const struct request *r, const char *name);
/* The body's next bytes, valid until the next call: how many; 0: the body is complete; -1: the
 * connection broke, or reset_after was reached. */
ssize_t request_body(struct request *r, const char **data);
/* Of a request that keeps its body and has read it all: request_body() begins it again. */
void request_rewind(struct request *r);

/* All of it, or -1. `more`: further bytes follow at once. */
int wire_send(struct wire *w, const void *data, size_t len, bool more);
int wire_send_file(struct wire *w, int fd, uint64_t start, size_t len);

#endif
