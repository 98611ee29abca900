/* What the sink says to a request. It keeps nothing and checks no signatures. */
#ifndef BENCH_ANSWERS_H
#define BENCH_ANSWERS_H

#include "catalogue.h"
#include "link.h"

/* Set before the first request, then only read. */
struct answers {
    struct backing file;        /* what every object is, but those of the catalogue */
    struct catalogue catalogue; /* which are the file's first bytes */
    double latency_s;           /* before each reply */
    bool hold;                  /* who gets an object waits for ever */
};

/* Receives the request's body and answers. *counted: this connection is one of those that the
 * counters tell of; false at its beginning. Any thread. false: the connection is of no more
 * use.
 */
bool answers_serve(
    const struct answers *a, struct link *l, const struct request *r, bool *counted);

#endif
