/* How long the ranges of an endpoint take, by those that have come of late, and which of those
 * under way takes too long. Pure. */
#ifndef TEMPO_H
#define TEMPO_H

#include <stdbool.h>
#include <stdint.h>

#define TEMPO_BYTES_MIN (1024 * 1024) /* shorter ones tell more of latency than of speed */
#define TEMPO_WINDOW 128

struct tempo {
    uint32_t us_per_mib[TEMPO_WINDOW]; /* of the latest ranges */
    uint64_t count;                    /* of all that have been noted */
    uint32_t limit_us_per_mib;         /* 0: too little is known */
    unsigned credit;                   /* hundredths of a replacement */
    int64_t credit_ms;                 /* when time last gave credit; 0: it has not begun to */
};

struct tempo tempo_make(void);

/* A range has come, undisturbed. */
void tempo_note(struct tempo *t, uint64_t bytes, int64_t elapsed_ms);

/* Longer than 99 of 100, than three times the median, and than half a second? */
bool tempo_is_slow(const struct tempo *t, uint64_t bytes, int64_t elapsed_ms);

/* May one be replaced? There is credit for a few, and for one more with every 100 ranges that
 * come and every 30 s: when all get slow at once, they are left alone. */
bool tempo_take(struct tempo *t, int64_t now_ms);

#endif
