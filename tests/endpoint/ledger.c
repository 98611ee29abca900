/* Counters and the request log, in memory. */
#include "ledger.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct ledger {
    struct tallies tallies;
    pthread_mutex_t lock;
    struct {
        uint64_t seq, requests[LEDGER_OPS_MAX], total, struck;
        unsigned in_flight, in_flight_max;
        struct text log;
        struct headers {
            unsigned op;
            struct text lines;
        } headers[LEDGER_HEADERS_MAX]; /* a ring: headers[headers_seen % MAX] is the oldest */
        uint64_t headers_seen;
    } locked;
};

struct ledger *ledger_new(void)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (l == NULL)
        abort();
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    text_free(&l->locked.log);
    for (int i = 0; i < LEDGER_HEADERS_MAX; i++)
        text_free(&l->locked.headers[i].lines);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

struct tallies *ledger_tallies(struct ledger *l)
{
    return &l->tallies;
}

struct stamp ledger_begin(struct ledger *l, unsigned op)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    struct stamp a = { .ms = (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000 };
    pthread_mutex_lock(&l->lock);
    a.seq = ++l->locked.seq;
    l->locked.requests[op]++;
    l->locked.total++;
    a.in_flight = ++l->locked.in_flight;
    if (a.in_flight > l->locked.in_flight_max)
        l->locked.in_flight_max = a.in_flight;
    pthread_mutex_unlock(&l->lock);
    return a;
}

static void write_entry(struct text *out, const struct entry *e)
{
    struct text range = { 0 };
    text_puts(&range, e->range != NULL ? e->range : "");
    text_addf(out,
        "{\"seq\":%" PRIu64 ",\"ms\":%" PRId64 ",\"in_flight\":%u,\"op\":\"%s\",\"bucket\":",
        e->stamp.seq, e->stamp.ms, e->stamp.in_flight, e->op);
    text_add_json(out, e->bucket->len > 0 ? e->bucket : NULL);
    text_puts(out, ",\"key\":");
    text_add_json(out, e->key->len > 0 ? e->key : NULL);
    text_puts(out, ",\"upload_id\":");
    text_add_json(out, e->upload_id);
    if (e->part > 0)
        text_addf(out, ",\"part\":%u,\"range\":", e->part);
    else
        text_puts(out, ",\"part\":null,\"range\":");
    text_add_json(out, e->range != NULL ? &range : NULL);
    text_addf(out, ",\"status\":%d,\"code\":", e->status);
    text_addf(out, e->code != NULL ? "\"%s\"" : "null%s", e->code != NULL ? e->code : "");
    text_addf(out, ",\"received\":%" PRIu64 ",\"fault\":", e->received);
    text_add_json(out, e->fault->len > 0 ? e->fault : NULL);
    text_puts(out, "}\n");
    text_free(&range);
}

void ledger_end(struct ledger *l, const struct entry *e)
{
    struct text line = { 0 };
    write_entry(&line, e);
    pthread_mutex_lock(&l->lock);
    l->locked.in_flight--;
    l->locked.struck += e->fault->len > 0;
    text_append(&l->locked.log, &line);
    pthread_mutex_unlock(&l->lock);
    text_free(&line);
}

static void write_stats_locked(
    struct ledger *l, const char *(*name)(unsigned op), struct text *out)
{
    text_addf(out,
        "{\"requests\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"bytes_in\":%" PRIu64
        ",\"bytes_out\":%" PRIu64 ",\"struck\":%" PRIu64
        ",\"in_flight\":%u,\"in_flight_max\":%u,\"operations\":{",
        l->locked.total, atomic_load(&l->tallies.connections),
        atomic_load(&l->tallies.bytes_in), atomic_load(&l->tallies.bytes_out), l->locked.struck,
        l->locked.in_flight, l->locked.in_flight_max);
    for (unsigned op = 0; op < LEDGER_OPS_MAX && name(op) != NULL; op++)
        text_addf(
            out, "%s\"%s\":%" PRIu64, op > 0 ? "," : "", name(op), l->locked.requests[op]);
    text_puts(out, "}}\n");
}

void ledger_stats(struct ledger *l, const char *(*name)(unsigned op), struct text *out)
{
    pthread_mutex_lock(&l->lock);
    write_stats_locked(l, name, out);
    pthread_mutex_unlock(&l->lock);
}

void ledger_log(struct ledger *l, struct text *out)
{
    pthread_mutex_lock(&l->lock);
    text_append(out, &l->locked.log);
    pthread_mutex_unlock(&l->lock);
}

void ledger_headers(struct ledger *l, unsigned op, const struct text *headers)
{
    pthread_mutex_lock(&l->lock);
    struct headers *h = &l->locked.headers[l->locked.headers_seen++ % LEDGER_HEADERS_MAX];
    h->op = op;
    text_clear(&h->lines);
    text_append(&h->lines, headers);
    pthread_mutex_unlock(&l->lock);
}

void ledger_write_headers(struct ledger *l, unsigned op, struct text *out)
{
    pthread_mutex_lock(&l->lock);
    for (uint64_t i = 0; i < LEDGER_HEADERS_MAX; i++) {
        const struct headers *h =
            &l->locked.headers[(l->locked.headers_seen + i) % LEDGER_HEADERS_MAX];
        if (op == LEDGER_OPS_MAX || h->op == op)
            text_append(out, &h->lines);
    }
    pthread_mutex_unlock(&l->lock);
}

void ledger_reset(struct ledger *l, const char *(*name)(unsigned op), struct text *out)
{
    pthread_mutex_lock(&l->lock);
    write_stats_locked(l, name, out);
    for (int i = 0; i < LEDGER_HEADERS_MAX; i++)
        text_clear(&l->locked.headers[i].lines);
    for (unsigned op = 0; op < LEDGER_OPS_MAX; op++)
        l->locked.requests[op] = 0;
    l->locked.total = l->locked.struck = 0;
    l->locked.in_flight_max = l->locked.in_flight;
    text_clear(&l->locked.log);
    atomic_store(&l->tallies.connections, 0);
    atomic_store(&l->tallies.bytes_in, 0);
    atomic_store(&l->tallies.bytes_out, 0);
    pthread_mutex_unlock(&l->lock);
}
