/* One connection of the sink's, plain or TLS: heads of requests, bodies that nobody wants,
 * bytes of a file that everybody gets, at a rate that may be capped. What a request means is
 * not known here. */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_st;
struct ssl_ctx_st;

/* The file that downloads come from. */
struct backing {
    int fd;          /* -1: none */
    const char *map; /* the whole of it; for TLS, which has no sendfile() */
    uint64_t size;
};

/* Its own thread's alone. */
struct link {
    int fd;             /* owned */
    struct ssl_st *ssl; /* owned; NULL: plain */
    char *buf;          /* owned: the bytes that came and are not used yet are [start, end) */
    size_t start, end;
    uint64_t bytes_per_s; /* of bodies; 0: no cap */
};

/* The pointers lead into the link's buffer, until the next request. */
struct request {
    const char *method, *path, *query; /* query "": none */
    const char *headers;
    uint64_t length; /* of the body */
};

/* Takes the descriptor over. -1: no memory or no handshake; closed. */
int link_open(struct link *l, int fd, struct ssl_ctx_st *tls, uint64_t bytes_per_s);
void link_close(struct link *l);

/* false: the peer has gone, or speaks no HTTP. */
bool link_next(struct link *l, struct request *r);
/* The value of a header up to the line's end; NULL: there is none. */
const char *link_header(const struct request *r, const char *name);
/* Receives the body and forgets it. */
bool link_discard(struct link *l, const struct request *r);
/* Waits until the peer hangs up. */
void link_hold(struct link *l);

/* All of it, or false. more: further bytes follow at once. */
bool link_send(struct link *l, const char *data, size_t len, bool more);
/* Returns how many bytes have gone: fewer, and the peer has. */
uint64_t link_send_file(struct link *l, const struct backing *b, uint64_t start, uint64_t len);

/* Sleeps. */
void link_nap(double seconds);

#endif
