/* How long ranges take: see tempo.h. */
#include "tempo.h"

#include <stdlib.h>
#include <string.h>

#define KNOWN_MIN 8 /* ranges, before anything is said; and how often it is looked at anew */
#define SLOW_MS_MIN 500
#define MEDIANS 3
#define PRICE 100 /* of a replacement, in credits: a range that comes brings one */
#define FIRST_CREDIT (4 * PRICE)
#define MOST_CREDIT (8 * PRICE)
#define CREDIT_EVERY_MS (30000 / PRICE)

struct tempo tempo_make(void)
{
    return (struct tempo){ .credit = FIRST_CREDIT };
}

static void add_credit(struct tempo *t, uint64_t credit)
{
    t->credit = credit < MOST_CREDIT - t->credit ? t->credit + (unsigned) credit : MOST_CREDIT;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return (x > y) - (x < y);
}

static uint32_t find_limit(const struct tempo *t)
{
    uint32_t sorted[TEMPO_WINDOW];
    size_t count = t->count < TEMPO_WINDOW ? (size_t) t->count : TEMPO_WINDOW;
    memcpy(sorted, t->us_per_mib, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    uint32_t most = sorted[(count * 99 + 99) / 100 - 1], median = sorted[count / 2];
    return most / MEDIANS > median ? most : median * MEDIANS;
}

void tempo_note(struct tempo *t, uint64_t bytes, int64_t elapsed_ms)
{
    const uint64_t mib = 1024 * 1024, most_ms = 24 * 3600 * 1000;
    uint64_t ms = elapsed_ms < 1                    ? 1
                  : (uint64_t) elapsed_ms < most_ms ? (uint64_t) elapsed_ms
                                                    : most_ms;
    uint64_t us_per_mib = ms * 1000 * mib / bytes;
    if (us_per_mib > UINT32_MAX / MEDIANS)
        us_per_mib = UINT32_MAX / MEDIANS;
    t->us_per_mib[t->count++ % TEMPO_WINDOW] = (uint32_t) us_per_mib;
    if (t->count % KNOWN_MIN == 0)
        t->limit_us_per_mib = find_limit(t);
    add_credit(t, 1);
}

bool tempo_is_slow(const struct tempo *t, uint64_t bytes, int64_t elapsed_ms)
{
    uint64_t limit_ms = bytes / 1024 * t->limit_us_per_mib / 1024 / 1000;
    return t->limit_us_per_mib > 0 && elapsed_ms > SLOW_MS_MIN &&
           (uint64_t) elapsed_ms > limit_ms;
}

bool tempo_take(struct tempo *t, int64_t now_ms)
{
    if (t->credit_ms == 0)
        t->credit_ms = now_ms;
    int64_t due = (now_ms - t->credit_ms) / CREDIT_EVERY_MS;
    add_credit(t, (uint64_t) due);
    t->credit_ms += due * CREDIT_EVERY_MS;
    if (t->credit < PRICE)
        return false;
    t->credit -= PRICE;
    return true;
}
