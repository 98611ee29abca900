/* What the endpoint has seen: counters and a log of one JSON line a request. Any thread may
 * call. */
#ifndef ENDPOINT_LEDGER_H
#define ENDPOINT_LEDGER_H

#include "text.h"

#include <stdatomic.h>

enum { LEDGER_OPS_MAX = 32, LEDGER_HEADERS_MAX = 256 };

struct ledger;

/* Counted as they move, so a body that breaks off counts too. */
struct tallies {
    _Atomic uint64_t connections, bytes_in, bytes_out;
};

/* A request as it came. */
struct stamp {
    uint64_t seq;
    int64_t ms;         /* by the monotonic clock */
    unsigned in_flight; /* this one included */
};

/* One request, for its line in the log. */
struct entry {
    struct stamp stamp;
    const char *op;
    const struct text *bucket, *key, *upload_id; /* upload_id NULL: none */
    const char *range;                           /* NULL: none */
    unsigned part;                               /* 0: none */
    int status;                                  /* 0: no reply */
    const char *code;                            /* NULL: no error */
    uint64_t received;
    const struct text *fault; /* empty: none */
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);
struct tallies *ledger_tallies(struct ledger *l);
/* A request has arrived; op is its row in the table of operations. */
struct stamp ledger_begin(struct ledger *l, unsigned op);
/* It has been answered, or is about to be: a client that has its reply finds it in the log. */
void ledger_end(struct ledger *l, const struct entry *e);
/* JSON of all counters. `names` are those of the operations. */
void ledger_stats(struct ledger *l, const char *(*name)(unsigned op), struct text *out);
void ledger_log(struct ledger *l, struct text *out);
/* Remembers what that request's headers were, while it is one of the last LEDGER_HEADERS_MAX.
 */
void ledger_headers(struct ledger *l, unsigned op, const struct text *headers);
/* Appends them, oldest first; those of one operation, or of all: LEDGER_OPS_MAX. */
void ledger_write_headers(struct ledger *l, unsigned op, struct text *out);
/* Begins again. Appends what ledger_stats() would have told. */
void ledger_reset(struct ledger *l, const char *(*name)(unsigned op), struct text *out);

#endif
