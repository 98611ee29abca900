/* The rate of requests to a bucket: see pace.h. */
#include "pace.h"

#define BIN_MS 500
#define BIN_LEAST_MS 50 /* a rate is not measured over less */
#define LATEST 64       /* attempts that the share of refusals is about */
#define BURST_S 0.1     /* credit is kept for so long */
#define DOUBLING_MS 500 /* while far from what was too much */
#define NEAR_DOUBLING_MS 8000
#define GROWING_MOST_MS 1000 /* at once, after a pause */
#define IDLE_MS 120000       /* between failures: nobody asked, which is no silence */

/* It understood: the bytes were damaged, or another request was in the way. */
static bool is_of_the_request(const struct haul_error *error)
{
    return error->http_status / 100 == 4 && error->aws_code[0] != '\0';
}

enum pace_end pace_end_of(const struct haul_error *error)
{
    if (error->code == HAUL_OK)
        return PACE_SERVED;
    if (error->code == HAUL_NETWORK)
        return error->retry == HAUL_RETRY_LATER ? PACE_UNSERVED : PACE_NEUTRAL;
    if (error->code != HAUL_SERVER)
        return PACE_NEUTRAL;
    switch (error->retry) {
    case HAUL_RETRY_SLOWER:
        return PACE_SLOWED;
    case HAUL_RETRY_LATER:
        return is_of_the_request(error) ? PACE_NEUTRAL : PACE_UNSERVED;
    case HAUL_RETRY_NOW:
    case HAUL_RETRY_RESIGN:
        return PACE_NEUTRAL;
    case HAUL_RETRY_NEVER:
    case HAUL_RETRY_FROM_START:
    case HAUL_RETRY_WHEN_FIXED:
        return PACE_SERVED;
    }
    return PACE_NEUTRAL;
}

/* ---- What is served ---- */

static void count_served(struct pace *p, int64_t now_ms)
{
    if (now_ms - p->bin_ms >= BIN_MS) {
        p->bins[1] = now_ms - p->bin_ms < 2 * BIN_MS ? p->bins[0] : 0;
        p->bins[0] = 0;
        p->bin_ms = now_ms;
    }
    p->bins[0]++;
}

static double served_rate(const struct pace *p, int64_t now_ms)
{
    int64_t ms = now_ms - p->bin_ms + (p->bins[1] > 0 ? BIN_MS : 0);
    return (p->bins[0] + p->bins[1]) * 1000.0 /
           (double) (ms < BIN_LEAST_MS ? BIN_LEAST_MS : ms);
}

static void count_refusal(struct pace *p, bool refused)
{
    p->refused += (refused - p->refused) / LATEST;
}

/* ---- The rate ---- */

/* While somebody is served still, single refusals don't make it a trickle. */
static void set_rate(struct pace *p, double rate)
{
    double least = p->failures >= PACE_OUTAGE ? PACE_LEAST : PACE_SERVED_LEAST;
    p->rate = rate < least ? least : rate > PACE_MOST ? 0 : rate;
}

/* Once a burst. */
static void cut(struct pace *p, int64_t began_ms, int64_t now_ms, bool is_outage)
{
    double rate = p->rate > 0 ? p->rate : served_rate(p, now_ms);
    if (p->cut_ms > 0 && began_ms <= p->cut_ms)
        return;
    if (rate > PACE_MOST)
        rate = PACE_MOST;
    p->too_much = is_outage ? 0 : rate;
    p->credit = 0;
    p->credited_ms = p->cut_ms = p->grown_ms = now_ms;
    set_rate(p, rate / 2);
}

static void grow(struct pace *p, int64_t now_ms)
{
    bool near = p->rate > 0.8 * p->too_much && p->rate < 1.1 * p->too_much;
    int64_t ms = now_ms - p->grown_ms;
    if (ms > GROWING_MOST_MS)
        ms = GROWING_MOST_MS;
    p->grown_ms = now_ms;
    set_rate(p, p->rate * (1 + (double) ms / (near ? NEAR_DOUBLING_MS : DOUBLING_MS)));
}

void pace_note(struct pace *p, enum pace_end end, int64_t began_ms, int64_t now_ms)
{
    switch (end) {
    case PACE_NEUTRAL:
        return;
    case PACE_SERVED:
        count_served(p, now_ms);
        count_refusal(p, false);
        p->failures = 0;
        p->served_ms = now_ms;
        if (p->rate > 0)
            grow(p, now_ms);
        return;
    case PACE_UNSERVED:
    case PACE_SLOWED:
        if (began_ms - p->failed_ms > IDLE_MS)
            p->failures = 0;
        if (p->failures++ == 0)
            p->silent_ms = now_ms;
        p->failed_ms = now_ms;
        count_refusal(p, end == PACE_SLOWED);
        if ((end == PACE_SLOWED && p->refused > PACE_REFUSED_MOST) ||
            p->failures >= PACE_OUTAGE)
            cut(p, began_ms, now_ms, end == PACE_UNSERVED);
        return;
    }
}

int64_t pace_silence_ms(const struct pace *p, int64_t now_ms)
{
    return p->failures > 0 ? now_ms - p->silent_ms : 0;
}

int64_t pace_wait_ms(struct pace *p, int64_t now_ms, int64_t patience_ms)
{
    if (p->failures >= PACE_OUTAGE && pace_silence_ms(p, now_ms) >= patience_ms)
        return 0;
    if (p->rate == 0)
        return 0;
    double most = p->rate * BURST_S > 1 ? p->rate * BURST_S : 1;
    p->credit += p->rate * (double) (now_ms - p->credited_ms) / 1000;
    p->credited_ms = now_ms;
    if (p->credit > most)
        p->credit = most;
    if (p->credit < 1)
        return 1 + (int64_t) ((1 - p->credit) * 1000 / p->rate);
    p->credit--;
    return 0;
}
