/* How many requests a second a bucket is given: as many as come, until its server says that it
 * is too much, or nothing at all. Pure: the time comes in as CLOCK_MONOTONIC's ms. One pace
 * serves all clients of an endpoint (endpoint_learnt.c keeps it behind a lock).
 *
 * The rate is halved once for each burst of refusals, as TCP does with its window (RFC 5681),
 * but not for a refusal now and then, which large stores give at any rate. It is found again by
 * growing: fast while far from where it was too much, slowly near there, fast beyond. When
 * nobody is served any more it falls until one probe every two seconds is left, so that an
 * outage is no storm of retries, and its end is noticed soon. */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

#include <haul/error.h>

/* What an attempt's end says about its server. */
enum pace_end {
    PACE_NEUTRAL,  /* nothing: bytes that were wrong, our own disk, a signature to correct */
    PACE_SERVED,   /* it works, be it that it refuses this one request */
    PACE_UNSERVED, /* no reply, or an error of the server's own */
    PACE_SLOWED,   /* too many requests */
};
enum pace_end pace_end_of(const struct haul_error *error);

/* All zero to begin with. */
struct pace {
    double rate;     /* requests a second; 0: as many as come */
    double too_much; /* the rate at the latest refusal; 0: not known, or an outage */
    double credit;   /* requests that may start, at credited_ms */
    int64_t credited_ms;
    int64_t cut_ms; /* attempts that began earlier are of a burst that has been answered */
    int64_t grown_ms;
    int64_t served_ms; /* when somebody was served, last */
    int64_t silent_ms; /* since when nobody was, when failures > 0 */
    int64_t failed_ms; /* the latest failure */
    unsigned failures; /* in a row, of whatever requests */
    double refused;    /* their share of the latest attempts */
    unsigned bins[2];  /* served in this half second, and in the one before */
    int64_t bin_ms;    /* when this one began */
};

#define PACE_LEAST 0.5         /* requests a second, in an outage */
#define PACE_SERVED_LEAST 5    /* while some are served */
#define PACE_MOST 10000        /* beyond that there is no limit */
#define PACE_REFUSED_MOST 0.05 /* of the attempts: more of them are a burst */
#define PACE_OUTAGE 8          /* failures in a row, and nobody was served: it is the server */

/* May a request start? 0: yes, and it is paid for. Else after how many ms to ask again. Who has
 * less patience than the silence has lasted already need not wait to hear so. */
int64_t pace_wait_ms(struct pace *p, int64_t now_ms, int64_t patience_ms);

/* An attempt has ended that began then. */
void pace_note(struct pace *p, enum pace_end end, int64_t began_ms, int64_t now_ms);

/* For how long nobody has been served although somebody tried, again and again; 0: the latest
 * one was. */
int64_t pace_silence_ms(const struct pace *p, int64_t now_ms);

#endif
