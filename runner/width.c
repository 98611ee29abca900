/* The number of requests in flight: see width.h. */
#include "width.h"

#define MS 1000 /* in µs */
#define STEP_LEAST (10 * MS)
#define STEP_MOST (4000 * MS)
#define TRIP_LONG (3 * MS)
#define TRY_LEAST (200 * MS)
#define TRY_MOST (4000 * MS)
#define PAUSE_LEAST (500 * MS)
#define PAUSE_MOST (32000 * MS)

#define IN_USE 0.8 /* of what is allowed, or there was too little to do */
#define FAST 6.5   /* MB/s */
#define LEAP 64    /* the first step is up to there */

/* What others in flight leave of a request's speed. */
#define DOUBLE_SPEED 0.65 /* twice as many: a good part more gets done */
#define DOUBLE_WORK 1.2
#define SLOWER_MOST 2  /* steps, one after the other */
#define MORE_SPEED 0.7 /* half as many more: a little more */
#define MORE_WORK 1.05
#define MORE_WORK_NEAR 1.2
#define LESS_WORK 0.97
#define LESS_SPEED 1.29 /* a quarter fewer: hardly less */

struct width width_make(unsigned least, unsigned most)
{
    return (struct width){ .least = least,
        .most = most,
        .now = least,
        .look_us = least < most ? 0 : INT64_MAX,
        .pause_us = PAUSE_LEAST,
        .upward = true };
}

static int64_t bounded(int64_t us, int64_t least, int64_t most)
{
    return us < least ? least : us > most ? most : us;
}

/* A little more than a round trip: what was begun before has come to its end. */
static int64_t step_us(int64_t us)
{
    return bounded(us + us / 4, STEP_LEAST, STEP_MOST);
}

/* ---- What is measured ---- */

static bool is_in_use(const struct width *w, const struct width_sample *s)
{
    double us = (double) (s->now_us - w->began.now_us);
    return !s->held && (double) (s->busy_us - w->began.busy_us) >= IN_USE * us * w->now;
}

/* Since the phase began; 0: not known. */
static double speed(const struct width *w, const struct width_sample *s, int class)
{
    const struct width_sum *from = &w->began.sums[class], *to = &s->sums[class];
    return to->us > from->us ? (double) (to->work - from->work) / (double) (to->us - from->us)
                             : 0;
}

/* Of the speed that requests had, by the time that those of each class took; -1: not known. */
static double speed_left(const struct width *w, const struct width_sample *s)
{
    double left = 0, us = 0;
    for (int i = 0; i < WIDTH_CLASSES; i++) {
        double now = speed(w, s, i), part = (double) (s->sums[i].us - w->began.sums[i].us);
        if (now > 0 && w->base[i] > 0) {
            left += now / w->base[i] * part;
            us += part;
        }
    }
    return us > 0 ? left / us : -1;
}

/* The work that was done since the phase began, a µs. */
static double rate(const struct width *w, const struct width_sample *s)
{
    uint64_t work = 0;
    for (int i = 0; i < WIDTH_CLASSES; i++)
        work += s->sums[i].work - w->began.sums[i].work;
    return (double) work / (double) (s->now_us - w->began.now_us);
}

/* To compare with. Returns whether there is any. */
static bool set_base(struct width *w, const struct width_sample *s)
{
    bool known = false;
    for (int i = 0; i < WIDTH_CLASSES; i++)
        known |= (w->base[i] = speed(w, s, i)) > 0;
    w->rate = rate(w, s);
    w->base_width = w->now;
    return known;
}

/* Requests that have ended since the phase began. */
static uint64_t ended(const struct width *w, const struct width_sample *s, uint64_t *us)
{
    uint64_t count = 0;
    *us = 0;
    for (int i = 0; i < WIDTH_CLASSES; i++) {
        count += s->sums[i].count - w->began.sums[i].count;
        *us += s->sums[i].us - w->began.sums[i].us;
    }
    return count;
}

static void note_times(struct width *w, const struct width_sample *s)
{
    uint64_t us, count = ended(w, s, &us);
    if (count > 0)
        w->life_us = (int64_t) (us / count);
}

/* There the cores are the limit, long before the pipe is. */
static bool is_near(const struct width_sample *s)
{
    return s->trip_us > 0 && s->trip_us < TRIP_LONG;
}

static bool is_fast(const struct width *w, const struct width_sample *s)
{
    return (double) (s->moved - w->began.moved) >=
           FAST * (double) (s->busy_us - w->began.busy_us);
}

/* ---- What is done ---- */

static void enter(
    struct width *w, enum width_phase phase, const struct width_sample *s, int64_t us)
{
    w->phase = phase;
    w->began = *s;
    w->look_us = s->now_us + us;
}

static void measure(struct width *w, enum width_phase phase, const struct width_sample *s)
{
    enter(w, phase, s, bounded(4 * w->life_us, TRY_LEAST, TRY_MOST));
}

static void rest(struct width *w, const struct width_sample *s)
{
    enter(w, WIDTH_RESTING, s, w->pause_us);
}

static void change(struct width *w, unsigned now)
{
    w->now = now < w->least ? w->least : now > w->most ? w->most : now;
}

/* Without anything to compare with: is there reason to take more? */
static bool may_leap(const struct width *w, const struct width_sample *s)
{
    return speed(w, s, WIDTH_SMALL) > 0 || (w->now < LEAP && is_fast(w, s));
}

/* Do twice as many hardly do more? The ends of large ones are too far from each other for those
 * that came first to speak for the rest. */
static bool is_slower(const struct width *w, const struct width_sample *s)
{
    double left = speed_left(w, s);
    bool large = speed(w, s, WIDTH_LARGE) > 0;
    return left >= 0 && (left < DOUBLE_SPEED || (large && rate(w, s) < DOUBLE_WORK * w->rate));
}

/* Has this step been too short to tell? */
static bool is_short(const struct width *w, const struct width_sample *s)
{
    uint64_t us, count = ended(w, s, &us);
    bool large = speed(w, s, WIDTH_LARGE) > 0;
    return (large && s->now_us - w->began.now_us < w->life_us) ||
           (speed_left(w, s) >= 0 && (double) count < IN_USE * w->now);
}

static void rise(struct width *w, const struct width_sample *s)
{
    int64_t life = w->life_us > 0 ? w->life_us : s->trip_us;
    bool leaps = speed_left(w, s) < 0;
    if (!is_near(s) && is_short(w, s)) {
        w->look_us = s->now_us + step_us(life);
        return;
    }
    w->slower = is_slower(w, s) ? w->slower + 1 : 0;
    if (w->slower > SLOWER_MOST)
        w->now = w->base_width;
    if (w->slower > SLOWER_MOST || is_near(s)) {
        rest(w, s);
        return;
    }
    if (w->slower == 0 && life > 0 && is_in_use(w, s)) {
        bool grows = !leaps || may_leap(w, s);
        set_base(w, s);
        if (w->now == w->most) {
            rest(w, s);
            return;
        }
        if (grows)
            change(w, leaps && 2 * w->now < LEAP ? LEAP : 2 * w->now);
    }
    enter(w, WIDTH_RISING, s, step_us(life));
}

/* One that brought nothing; the other way is next, later than this one was. */
static void turn(struct width *w, const struct width_sample *s)
{
    w->upward = !w->upward;
    w->pause_us = bounded(2 * w->pause_us, PAUSE_LEAST, PAUSE_MOST);
    rest(w, s);
}

static void try_another(struct width *w, const struct width_sample *s)
{
    change(w, w->upward ? w->now + (w->now + 1) / 2 : w->now - w->now / 4);
    if (w->now == w->base_width)
        turn(w, s);
    else
        enter(w, WIDTH_CHANGING, s, bounded(2 * w->life_us, STEP_LEAST, STEP_MOST));
}

/* The requests' speed tells most where they come and go in step; the work done, where some are
 * passed by others and haven't ended yet. More has to be better by both. */
static bool is_better(const struct width *w, const struct width_sample *s)
{
    double left = speed_left(w, s), now = rate(w, s);
    if (!is_in_use(w, s))
        return false;
    if (w->upward)
        return left >= MORE_SPEED && now >= (is_near(s) ? MORE_WORK_NEAR : MORE_WORK) * w->rate;
    return left >= LESS_SPEED || now >= LESS_WORK * w->rate;
}

static void judge_try(struct width *w, const struct width_sample *s)
{
    if (is_better(w, s)) {
        w->pause_us = PAUSE_LEAST;
        set_base(w, s);
        try_another(w, s);
        return;
    }
    w->now = w->base_width;
    turn(w, s);
}

void width_look(struct width *w, const struct width_sample *s)
{
    note_times(w, s);
    switch (w->phase) {
    case WIDTH_RISING:
        rise(w, s);
        return;
    case WIDTH_RESTING:
        measure(w, WIDTH_MEASURING, s);
        return;
    case WIDTH_MEASURING:
        if (is_in_use(w, s) && set_base(w, s))
            try_another(w, s);
        else
            rest(w, s);
        return;
    case WIDTH_CHANGING:
        measure(w, WIDTH_TRYING, s);
        return;
    case WIDTH_TRYING:
        judge_try(w, s);
        return;
    }
}
