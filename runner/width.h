/* How many requests in flight are worth it, over all workers: found by trying. Pure: the engine
 * tells what was done, and when.
 *
 * Where a round trip is long it leaps, and then doubles as long as the requests don't get
 * slower by it; large ones, whose ends are far off, need only be fast to leap. From then on
 * half as many more, or a quarter fewer, are tried for a moment now and then, and kept when
 * more gets done, or no less. What is measured while not all that were allowed were in use says
 * nothing, nor while an endpoint has us wait: that is the business of the library's pace, and
 * no reason to grow. */
#ifndef WIDTH_H
#define WIDTH_H

#include <stdbool.h>
#include <stdint.h>

/* What the requests came to that have ended, small and large ones. */
enum { WIDTH_SMALL, WIDTH_LARGE, WIDTH_CLASSES };
struct width_sum {
    uint64_t count, us, work; /* work: bytes, and WIDTH_REQUEST_BYTES for each request */
};
#define WIDTH_REQUEST_BYTES (256 * 1024) /* to move so many costs as much as a request */
#define WIDTH_LARGE_BYTES (1024 * 1024)

/* Since the beginning. */
struct width_sample {
    int64_t now_us;
    uint64_t busy_us; /* requests in flight, times how long */
    uint64_t moved;   /* bytes, of requests under way too */
    struct width_sum sums[WIDTH_CLASSES];
    int64_t trip_us; /* the least time until a reply came; 0: none has */
    bool held;       /* an endpoint slows us, or is silent */
};

enum width_phase {
    WIDTH_RISING,    /* doubling */
    WIDTH_RESTING,   /* until it is time to try another one */
    WIDTH_MEASURING, /* what is done with this one, */
    WIDTH_CHANGING,  /* until the other one is in effect */
    WIDTH_TRYING,    /* and what is done with that */
};

struct width {
    unsigned least, most;
    unsigned now;    /* so many may be in flight */
    int64_t look_us; /* when width_look() is due */

    enum width_phase phase;
    struct width_sample began;  /* the phase, or this step of it */
    int64_t life_us;            /* of requests of late, from beginning to end */
    int64_t pause_us;           /* between tries */
    unsigned base_width;        /* the one to compare with, and to go back to */
    double base[WIDTH_CLASSES]; /* a request's speed to compare with; 0: not known */
    double rate;                /* the work done, likewise */
    unsigned slower;            /* steps of the rise, one after the other */
    bool upward;                /* what is tried next, or now */
};

/* least == most: that many, for good. */
struct width width_make(unsigned least, unsigned most);

/* To be called when look_us has come, and at the beginning. */
void width_look(struct width *w, const struct width_sample *s);

#endif
