/* A source of keys, what it gave last, and how requests take keys from it. What the sources are
 * is the matter of the files credentials_*.c; the thread that keeps keys fresh is refresher.c.
 * Any thread, all of it. */
#ifndef CREDENTIALS_INTERNAL_H
#define CREDENTIALS_INTERNAL_H

#include <pthread.h>

#include <haul/credentials.h>

#include "keys.h"

struct inquirer;

/* A kind of source. ask() is called by one thread at a time. */
struct credentials_kind {
    const char *name; /* haul_identity.source */
    /* Returns the keys, held once, or NULL with *err as the constructors in the public header.
     * i is what it asks services with (inquiry.h); blocking, until somebody stops i; may be
     * NULL. */
    struct keys *(*ask)(void *state, struct inquirer *i, struct haul_error *err);
    void (*free)(void *state); /* wipes; NULL: free(3) will do */
};

/* A new source, asked once on this thread. state is taken over, also on failure. detail and
 * profile may be NULL. NULL with *err as ask() has it. */
struct haul_credentials *credentials_new(const struct credentials_kind *kind, void *state,
    const char *profile, const char *detail, struct haul_error *err);

/* The same for keys that never change, which are taken over (NULL: NULL, and *err stays). */
struct haul_credentials *credentials_fixed(const char *source, struct keys *keys,
    const char *profile, const char *detail, struct haul_error *err);

/* The keys that an URL has before its host, "KEY:SECRET", percent-encoded, which are decoded in
 * place. */
struct haul_credentials *credentials_of_user(char *user, struct haul_error *err);

/* haul_credentials_from_instance() by the settings of that profile (NULL: AWS_PROFILE's) in
 * that file (NULL: the shared ones). */
struct haul_credentials *credentials_of_instance(
    const char *url, const char *profile, const char *file, struct haul_error *err);

/* 0, or -1 with *err = HAUL_NO_CREDENTIALS: a key id or a secret is missing. */
int credentials_check(const struct haul_credentials *c, struct haul_error *err);

/* Names the profile that led to this source, when it has none yet. */
void credentials_set_profile(struct haul_credentials *c, const char *profile);

/* The keys to sign with now: credentials_hold() for event loops, which must not be kept long,
 * credentials_await() for whoever may be. Returns
 *      0, with *keys, to be released; NULL: requests are not signed
 *      1, only credentials_hold(): the refresher is fetching fresh ones, ask again in a moment
 *     -1, with *err = HAUL_NO_CREDENTIALS: they have expired, and why there are no fresh ones
 * Without a refresher, or with i, keys that have expired are fetched here, which takes the time
 * it takes; i as in ask(). */
int credentials_hold(
    const struct haul_credentials *c, const struct keys **keys, struct haul_error *err);
int credentials_await(const struct haul_credentials *c, struct inquirer *i,
    const struct keys **keys, struct haul_error *err);

/* The server says that these have expired. true: fresh ones are there, or will be asked for,
 * and it is worth to sign again. Many requests may say so of the same keys: one fetch follows.
 */
bool credentials_refused(const struct haul_credentials *c, const struct keys *keys);

/* haul_credentials_refresh() with an inquirer of the caller's. */
int credentials_refresh(
    const struct haul_credentials *c, struct inquirer *i, struct haul_error *err);

/* ---- For refresher.c ---- */

/* What wakes the refresher. Its lock is taken while a credentials' own is held, never the other
 * way round. */
struct alarm {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool rung; /* while holding lock */
};

/* From now on requests that need fresh keys ring and wait, and all that changes when they are
 * due rings; NULL: no more. Returns 0, or -1: there is another alarm. */
int credentials_attach(const struct haul_credentials *c, struct alarm *alarm);

/* Asks if that is due, and nobody is doing so. Returns when it will be, ms since the epoch by
 * our clock; INT64_MAX: not before the alarm is rung. */
int64_t credentials_tend(const struct haul_credentials *c, struct inquirer *i);

#endif
