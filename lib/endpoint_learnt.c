/* What an endpoint learns from replies, and the signing key that it keeps: see endpoint.h. The
 * caller's object is const to clients; all this stands behind a lock. */
#include "endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "credentials.h"
#include "loop.h"
#include "partition.h"

/* Whoever answers could have us sign for any day: beyond that, a person has to set the clock.
 */
#define CLOCK_OFF_MAX_MS (24 * 3600 * (int64_t) 1000)

/* What is learnt is a cache, so a const endpoint may still learn. */
static struct haul_endpoint *learner(const struct haul_endpoint *e)
{
    return (struct haul_endpoint *) e;
}

static struct bucket_region *find_bucket_locked(struct haul_endpoint *e, const char *bucket)
{
    for (size_t i = 0; i < e->locked.bucket_count; i++)
        if (strcmp(e->locked.buckets[i].bucket, bucket) == 0)
            return &e->locked.buckets[i];
    return NULL;
}

void endpoint_region(
    const struct haul_endpoint *e, const char *bucket, char region[static REGION_SIZE])
{
    struct haul_endpoint *l = learner(e);
    pthread_mutex_lock(&l->lock);
    const struct bucket_region *known = bucket ? find_bucket_locked(l, bucket) : NULL;
    strcpy(region, known ? known->region : e->region);
    pthread_mutex_unlock(&l->lock);
}

bool endpoint_learn_region(
    const struct haul_endpoint *e, const char *bucket, const char *region)
{
    struct haul_endpoint *l = learner(e);
    bool news = false;
    /* It becomes part of a host's name: nothing but a region will do, and where that makes the
     * host, none of another partition, whose keys ours are not. */
    if (bucket == NULL || !partition_is_region(region) || strlen(region) >= REGION_SIZE ||
        (e->host == NULL && partition_of(region) != partition_of(e->region)))
        return false;
    pthread_mutex_lock(&l->lock);
    struct bucket_region *known = find_bucket_locked(l, bucket);
    if (known != NULL) {
        news = strcmp(known->region, region) != 0;
    } else if (strcmp(e->region, region) != 0) {
        struct bucket_region *more =
            realloc(l->locked.buckets, (l->locked.bucket_count + 1) * sizeof *more);
        if (more != NULL) {
            l->locked.buckets = more;
            known = &more[l->locked.bucket_count];
            known->bucket = strdup(bucket);
            news = known->bucket != NULL;
            l->locked.bucket_count += news;
        }
    }
    if (news)
        strcpy(known->region, region);
    pthread_mutex_unlock(&l->lock);
    return news;
}

int64_t haul_endpoint_now_ms(const struct haul_endpoint *e)
{
    return clock_now_ms() + atomic_load(&learner(e)->date_offset_ms);
}

int64_t endpoint_signing_ms(const struct haul_endpoint *e)
{
    return clock_now_ms() + atomic_load(&learner(e)->signing_offset_ms);
}

void endpoint_note_date(const struct haul_endpoint *e, int64_t server_ms)
{
    int64_t offset_ms = server_ms - clock_now_ms();
    atomic_store(&learner(e)->date_offset_ms, offset_ms);
}

bool endpoint_learn_clock(const struct haul_endpoint *e, int64_t server_ms)
{
    int64_t offset_ms = server_ms - clock_now_ms();
    if (llabs(server_ms - endpoint_signing_ms(e)) < 60000 ||
        llabs(offset_ms) > CLOCK_OFF_MAX_MS)
        return false;
    atomic_store(&learner(e)->signing_offset_ms, offset_ms);
    return true;
}

void endpoint_note_tempo(const struct haul_endpoint *e, uint64_t bytes, int64_t elapsed_ms)
{
    struct haul_endpoint *l = learner(e);
    pthread_mutex_lock(&l->lock);
    tempo_note(&l->locked.tempo, bytes, elapsed_ms);
    pthread_mutex_unlock(&l->lock);
}

bool endpoint_replaces(
    const struct haul_endpoint *e, uint64_t bytes, int64_t elapsed_ms, int64_t now_ms)
{
    struct haul_endpoint *l = learner(e);
    struct tempo *t = &l->locked.tempo;
    pthread_mutex_lock(&l->lock);
    bool replaces = tempo_is_slow(t, bytes, elapsed_ms) && tempo_take(t, now_ms);
    pthread_mutex_unlock(&l->lock);
    return replaces;
}

/* ---- How many requests ---- */

/* FNV-1a. http://www.isthe.com/chongo/tech/comp/fnv/ */
static struct pace *pace_locked(struct haul_endpoint *e, const char *bucket)
{
    uint32_t hash = 2166136261u;
    for (const char *c = bucket ? bucket : ""; *c != '\0'; c++)
        hash = (hash ^ (unsigned char) *c) * 16777619u;
    return &e->locked.paces[hash % PACES];
}

int64_t endpoint_wait_ms(
    const struct haul_endpoint *e, const char *bucket, int64_t now_ms, int64_t patience_ms)
{
    struct haul_endpoint *l = learner(e);
    pthread_mutex_lock(&l->lock);
    int64_t wait_ms = pace_wait_ms(pace_locked(l, bucket), now_ms, patience_ms);
    pthread_mutex_unlock(&l->lock);
    return wait_ms;
}

void endpoint_note_end(const struct haul_endpoint *e, const char *bucket, enum pace_end end,
    const char *why, int64_t began_ms, int64_t now_ms)
{
    struct haul_endpoint *l = learner(e);
    pthread_mutex_lock(&l->lock);
    if (end == PACE_UNSERVED || end == PACE_SLOWED)
        snprintf(l->locked.why, sizeof l->locked.why, "%s", why);
    pace_note(pace_locked(l, bucket), end, began_ms, now_ms);
    pthread_mutex_unlock(&l->lock);
}

int64_t endpoint_silence_ms(const struct haul_endpoint *e, const char *bucket, int64_t now_ms)
{
    struct haul_endpoint *l = learner(e);
    pthread_mutex_lock(&l->lock);
    int64_t silence_ms = pace_silence_ms(pace_locked(l, bucket), now_ms);
    pthread_mutex_unlock(&l->lock);
    return silence_ms;
}

bool endpoint_served_since(const struct haul_endpoint *e, const char *bucket, int64_t since_ms)
{
    struct haul_endpoint *l = learner(e);
    pthread_mutex_lock(&l->lock);
    bool served = pace_locked(l, bucket)->served_ms > since_ms;
    pthread_mutex_unlock(&l->lock);
    return served;
}

void haul_endpoint_health(const struct haul_endpoint *e, struct haul_health *out)
{
    struct haul_endpoint *l = learner(e);
    int64_t now_ms = loop_now_ms();
    *out = (struct haul_health){ 0 };
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < PACES; i++) {
        const struct pace *p = &l->locked.paces[i];
        int64_t silence_ms = p->failures >= PACE_OUTAGE ? pace_silence_ms(p, now_ms) : 0;
        if (silence_ms > out->silence_ms)
            out->silence_ms = silence_ms;
        if (p->rate > 0 && (out->rate == 0 || p->rate < out->rate))
            out->rate = p->rate;
        out->slowed |= p->rate > 0 && p->too_much > 0;
    }
    memcpy(out->why, l->locked.why, sizeof out->why);
    pthread_mutex_unlock(&l->lock);
}

int endpoint_signing_key(const struct haul_endpoint *e, const struct keys *keys,
    const char *date, const char *region, struct sigv4_key *key)
{
    struct haul_endpoint *l = learner(e);
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    if (l->locked.keys_number != keys->number || strcmp(l->locked.date, date) != 0 ||
        strcmp(l->locked.region, region) != 0) {
        rc = sigv4_derive_key(keys->secret, date, region, e->service, &l->locked.key);
        l->locked.keys_number = keys->number;
        snprintf(l->locked.date, sizeof l->locked.date, "%s", rc == 0 ? date : "");
        snprintf(l->locked.region, sizeof l->locked.region, "%s", region);
    }
    *key = l->locked.key;
    pthread_mutex_unlock(&l->lock);
    return rc;
}
