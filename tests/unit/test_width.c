/* width.c: how many requests are found to be worth it, against servers made up in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "width.h"

#define LEAST 16
#define MOST 512
#define MIB (1024 * 1024.0)
#define TICK_US 1000

/* A server, what lies between, and the work. Rates in bytes a µs. */
struct world {
    double latency_us;
    double each, all;  /* a connection's bytes, and all of them; 0: as fast as can be */
    double requests;   /* a ms, of which there are no more; 0: any number */
    double worse_from; /* requests in flight from which on it gets slower; 0: never */
    double size;       /* of a request, bytes */
    unsigned due;      /* requests at a time, when it is short of work; 0: any number */
    double noise;      /* so much longer a latency may be */
    bool slows_down;   /* it says so */
};

struct request {
    double latency_us, bytes; /* that are left */
    int64_t began_us;
    bool is_in_flight;
};

struct run {
    struct width width;
    struct width_sample sample;
    struct request requests[MOST];
    unsigned top; /* those from here on are not in flight */
    unsigned in_flight;
    uint64_t ended;
    unsigned seed, widest;
};

static double draw(struct run *r)
{
    r->seed = r->seed * 1103515245 + 12345;
    return (r->seed >> 8) / (double) (1 << 24);
}

static void begin(struct run *r, const struct world *world, struct request *q)
{
    double noise = 1 + world->noise * draw(r);
    *q = (struct request){ world->latency_us * noise, world->size, r->sample.now_us, true };
    r->in_flight++;
    if (q >= r->requests + r->top)
        r->top = (unsigned) (q - r->requests) + 1;
}

static void answer(struct run *r, uint64_t us)
{
    if (r->sample.trip_us == 0 || (int64_t) us < r->sample.trip_us)
        r->sample.trip_us = (int64_t) us;
}

static void end(struct run *r, const struct world *world, struct request *q)
{
    bool large = world->size >= WIDTH_LARGE_BYTES;
    struct width_sum *sum = &r->sample.sums[large ? WIDTH_LARGE : WIDTH_SMALL];
    uint64_t us = (uint64_t) (r->sample.now_us - q->began_us);
    sum->count++;
    sum->us += us;
    sum->work += (uint64_t) world->size + WIDTH_REQUEST_BYTES;
    if (!large)
        answer(r, us);
    r->ended++;
    r->in_flight--;
    q->is_in_flight = false;
}

static void look(struct run *r)
{
    width_look(&r->width, &r->sample);
    if (r->width.now > r->widest)
        r->widest = r->width.now;
}

/* A ms: the latency of those in flight goes by, then their bytes; who ends is followed. */
static void tick(struct run *r, const struct world *world)
{
    unsigned wanted = world->due && world->due < r->width.now ? world->due : r->width.now;
    unsigned moving = 0;
    for (unsigned i = 0; i < MOST && r->in_flight < wanted; i++)
        if (!r->requests[i].is_in_flight)
            begin(r, world, &r->requests[i]);
    while (r->top > 0 && !r->requests[r->top - 1].is_in_flight)
        r->top--;
    const unsigned in_flight = r->in_flight, top = r->top;
    for (unsigned i = 0; i < top; i++)
        moving += r->requests[i].is_in_flight && r->requests[i].latency_us <= 0;
    double crowd = world->worse_from > 0 && in_flight > world->worse_from
                       ? world->worse_from / in_flight
                       : 1;
    double share = world->all > 0 && moving > 0 ? world->all * crowd / moving : 1e9;
    if (world->each > 0 && world->each < share)
        share = world->each;
    double slots = world->requests > 0 ? world->requests * crowd : 1e9;
    r->sample.now_us += TICK_US;
    r->sample.busy_us += in_flight * (uint64_t) TICK_US;
    unsigned first = (unsigned) (draw(r) * top);
    for (unsigned k = 0; k < top; k++) {
        struct request *q = &r->requests[first + k < top ? first + k : first + k - top];
        if (!q->is_in_flight)
            continue;
        if (q->latency_us > 0) {
            q->latency_us -= TICK_US;
            if (q->latency_us <= 0 && world->size >= WIDTH_LARGE_BYTES)
                answer(r, (uint64_t) (r->sample.now_us - q->began_us));
            continue;
        }
        double bytes = share * TICK_US < q->bytes ? share * TICK_US : q->bytes;
        q->bytes -= bytes;
        r->sample.moved += (uint64_t) bytes;
        if (q->bytes <= 0 && slots > 0) {
            slots--;
            end(r, world, q);
        }
    }
    r->sample.held = world->slows_down;
    if (r->width.look_us <= r->sample.now_us)
        look(r);
}

static struct run *start(void)
{
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->width = width_make(LEAST, MOST);
    r->seed = 7;
    return r;
}

/* Returns how many requests ended. */
static uint64_t pass(struct run *r, const struct world *world, unsigned ms)
{
    uint64_t before = r->ended;
    for (unsigned i = 0; i < ms; i++)
        tick(r, world);
    return r->ended - before;
}

/* The same with so many in flight, for good. */
static uint64_t pass_fixed(const struct world *world, unsigned width, unsigned ms)
{
    struct run *r = start();
    r->width = width_make(width, width);
    uint64_t ended = pass(r, world, ms);
    free(r);
    return ended;
}

static uint64_t best_fixed(const struct world *world, unsigned ms)
{
    uint64_t best = 0;
    for (unsigned width = LEAST; width <= MOST; width *= 2) {
        uint64_t ended = pass_fixed(world, width, ms);
        best = ended > best ? ended : best;
    }
    return best;
}

/* clang-format off */
#define FAR { .latency_us = 30e3, .size = 4096 }
#define FAR_WITH_A_KNEE { .latency_us = 30e3, .size = 4096, .requests = 3 }
#define CAPPED { .latency_us = 30e3, .size = 8 * MIB, .each = 50 }
#define THIN { .latency_us = 30e3, .size = 8 * MIB, .all = 12 }
static const struct world far = FAR, far_with_a_knee = FAR_WITH_A_KNEE, capped = CAPPED,
                          thin = THIN;

static const struct {
    const char *name;
    struct world world;
    unsigned least, most; /* where it ends */
} worlds[] = {
    { "far away", FAR, 384, 512 },
    { "with noise", { .latency_us = 30e3, .size = 4096, .noise = 1 }, 384, 512 },
    { "farther away", { .latency_us = 200e3, .size = 4096 }, 384, 512 },
    { "with a knee", FAR_WITH_A_KNEE, 64, 256 },
    { "with a knee, and noise",
      { .latency_us = 30e3, .size = 4096, .requests = 3, .noise = 1 }, 64, 256 },
    { "slow beyond 64", { .latency_us = 30e3, .size = 4096, .requests = 2, .worse_from = 64 },
      32, 128 },
    { "connections are capped", CAPPED, 384, 512 },
    { "connections are capped, and all", { .latency_us = 30e3, .size = 8 * MIB, .each = 50,
      .all = 2500 }, 48, 192 },
    { "a thin pipe", THIN, 16, 16 },
    { "near", { .latency_us = 1e3, .size = 4096, .requests = 8 }, 16, 24 },
    { "near, large ones", { .latency_us = 1e3, .size = 8 * MIB, .all = 4000 }, 16, 24 },
};
/* clang-format on */

static void the_width_that_brings_most_is_found_and_kept(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        struct run *r = start();
        const struct world *world = &worlds[i].world;
        pass(r, world, 15000);
        double share =
            (double) pass(r, world, 20000) / ((double) best_fixed(world, 12000) * 20 / 12);
        print_message(
            "%s: %u, %.2f of the best fixed one\n", worlds[i].name, r->width.now, share);
        assert_in_range(r->width.now, worlds[i].least, worlds[i].most);
        assert_true(share > 0.94);
        free(r);
    }
}

static void it_rises_fast_where_a_round_trip_is_long(void **state)
{
    (void) state;
    struct run *r = start();
    pass(r, &far, 300);
    assert_int_equal(r->width.now, MOST);
    free(r);
}

static void large_requests_that_are_fast_rise_before_one_has_ended(void **state)
{
    (void) state;
    struct run *r = start();
    pass(r, &capped, 190);
    assert_int_equal(r->ended, 0);
    assert_int_equal(r->width.now, 64);
    free(r);
}

static void near_by_and_over_a_thin_pipe_it_stays(void **state)
{
    (void) state;
    struct world near = { .latency_us = 1e3, .size = 4096, .requests = 8 };
    const struct world *stays[] = { &near, &thin };
    for (size_t i = 0; i < 2; i++) {
        struct run *r = start();
        pass(r, stays[i], 60000);
        print_message("%u at most\n", r->widest);
        assert_in_range(r->widest, LEAST, 24); /* but for a try */
        free(r);
    }
}

static void it_does_not_grow_for_lack_of_work(void **state)
{
    (void) state;
    struct world idle = far;
    struct run *r = start();
    idle.due = 10;
    pass(r, &idle, 10000);
    assert_int_equal(r->widest, LEAST);
    idle.due = 40; /* a little more */
    pass(r, &idle, 10000);
    assert_in_range(r->widest, 32, 64);
    pass(r, &far, 1000); /* and then all that could be */
    assert_int_equal(r->width.now, MOST);
    free(r);
}

static void it_keeps_what_it_has_while_work_is_short(void **state)
{
    (void) state;
    struct world idle = far;
    struct run *r = start();
    pass(r, &far, 2000);
    idle.due = 1;
    pass(r, &idle, 30000);
    assert_in_range(r->width.now, 384, MOST);
    free(r);
}

static void it_does_not_grow_while_an_endpoint_slows_us(void **state)
{
    (void) state;
    struct world slows_down = far;
    struct run *r = start();
    slows_down.slows_down = true;
    pass(r, &slows_down, 30000);
    assert_int_equal(r->widest, LEAST);
    pass(r, &far, 20000);
    assert_in_range(r->width.now, 384, MOST);
    unsigned before = r->width.now;
    pass(r, &slows_down, 30000);
    assert_int_equal(r->width.now, before);
    free(r);
}

static void it_follows_when_the_world_changes(void **state)
{
    (void) state;
    struct run *r = start();
    pass(r, &far_with_a_knee, 20000);
    assert_in_range(r->width.now, 64, 256);
    pass(r, &far, 60000);
    assert_in_range(r->width.now, 384, MOST);
    pass(r, &far_with_a_knee, 200000);
    assert_in_range(r->width.now, 64, 256);
    free(r);
}

static void a_width_that_was_asked_for_stays(void **state)
{
    (void) state;
    struct run *r = start();
    r->width = width_make(100, 100);
    pass(r, &far, 10000);
    assert_int_equal(r->width.now, 100);
    assert_true(r->width.look_us == INT64_MAX);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_width_that_brings_most_is_found_and_kept),
        cmocka_unit_test(it_rises_fast_where_a_round_trip_is_long),
        cmocka_unit_test(large_requests_that_are_fast_rise_before_one_has_ended),
        cmocka_unit_test(near_by_and_over_a_thin_pipe_it_stays),
        cmocka_unit_test(it_does_not_grow_for_lack_of_work),
        cmocka_unit_test(it_keeps_what_it_has_while_work_is_short),
        cmocka_unit_test(it_does_not_grow_while_an_endpoint_slows_us),
        cmocka_unit_test(it_follows_when_the_world_changes),
        cmocka_unit_test(a_width_that_was_asked_for_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
