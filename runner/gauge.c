/* What the width is judged by, of all workers: the work they do, how many requests they have in
 * flight, and how long these take. Whoever's turn it is when a look is due takes it. */
#include <time.h>

#include "motion.h"

#define WAIT_MS 1000

int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t now_ms(void)
{
    return now_us() / 1000;
}

static void add(atomic_uint_least64_t *sum, uint64_t more)
{
    atomic_fetch_add_explicit(sum, more, memory_order_relaxed);
}

static uint64_t get(atomic_uint_least64_t *sum)
{
    return atomic_load_explicit(sum, memory_order_relaxed);
}

static void note_least(atomic_uint_least64_t *least, uint64_t us)
{
    if (get(least) == 0 || us < get(least))
        atomic_store_explicit(least, us, memory_order_relaxed);
}

void gauge_begin(struct slot *s)
{
    s->began_us = now_us();
}

/* The reply is there. */
static int64_t answer(struct slot *s)
{
    int64_t us = now_us();
    if (!s->answered)
        note_least(&s->worker->gauge.trip_us, (uint64_t) (us - s->began_us));
    s->answered = true;
    return us;
}

void gauge_sent(struct slot *s, uint64_t bytes)
{
    add(&s->worker->gauge.moved, bytes);
}

void gauge_received(struct slot *s, uint64_t bytes)
{
    gauge_sent(s, bytes);
    if (!s->answered)
        answer(s);
}

void gauge_end(struct slot *s)
{
    struct gauge *g = &s->worker->gauge;
    bool large = s->range.len >= WIDTH_LARGE_BYTES;
    s->answered |= large; /* its end comes long after */
    int class = large ? WIDTH_LARGE : WIDTH_SMALL;
    add(&g->sums[class].count, 1);
    add(&g->sums[class].us, (uint64_t) (answer(s) - s->began_us));
    add(&g->sums[class].work, s->range.len + WIDTH_REQUEST_BYTES);
}

/* One that slows us, or serves nobody. */
static bool is_held(const struct engine *e)
{
    struct haul_health health = { 0 };
    for (size_t i = 0; i < e->options.manifest->endpoint_count && health.rate == 0; i++)
        if (e->options.endpoints[i] != NULL)
            haul_endpoint_health(e->options.endpoints[i], &health);
    return health.rate > 0;
}

void gauge_note_locked(struct worker *w, unsigned in_flight)
{
    int64_t us = now_us();
    w->engine->locked.busy_us += w->carries * (uint64_t) (us - w->noted_us);
    w->noted_us = us;
    w->carries = in_flight;
}

static void look_locked(struct engine *e)
{
    struct width *width = &e->locked.width;
    struct width_sample s = { .held = is_held(e) };
    unsigned before = width->now;
    for (unsigned i = 0; i < e->worker_count; i++) {
        struct worker *w = &e->workers[i];
        gauge_note_locked(w, w->carries);
        for (int class = 0; class < WIDTH_CLASSES; class ++) {
            s.sums[class].count += get(&w->gauge.sums[class].count);
            s.sums[class].work += get(&w->gauge.sums[class].work);
            s.sums[class].us += get(&w->gauge.sums[class].us);
        }
        s.moved += get(&w->gauge.moved);
        int64_t trip_us = (int64_t) get(&w->gauge.trip_us);
        if (trip_us > 0 && (s.trip_us == 0 || trip_us < s.trip_us))
            s.trip_us = trip_us;
    }
    s.now_us = now_us();
    s.busy_us = e->locked.busy_us;
    width_look(width, &s);
    for (unsigned i = 0; i < e->worker_count && width->now > before; i++)
        haul_client_wake(e->workers[i].client);
}

void gauge_turn_locked(struct worker *w)
{
    struct engine *e = w->engine;
    const struct width *width = &e->locked.width;
    unsigned index = (unsigned) (w - e->workers), count = e->worker_count;
    int64_t us = now_us();
    if (width->look_us <= us)
        look_locked(e);
    w->allowed = width->now / count + (index < width->now % count);
    w->wait_ms = width->look_us - us < WAIT_MS * 1000 ? (int) ((width->look_us - us) / 1000) + 1
                                                      : WAIT_MS;
}
