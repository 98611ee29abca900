/* The object behind every source of keys: what it gave last, when that is worth nothing any
 * more, and who asks again: see credentials.h. No text made here quotes a value. */
#include "credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"

struct haul_credentials {
    const char *source;                  /* its name; lives for ever */
    const struct credentials_kind *kind; /* NULL: the keys never change */
    void *state; /* owned; for kind->ask(), by whoever has set `asking` */
    char profile[sizeof((struct haul_identity *) 0)->profile]; /* set before it is shared */
    char detail[sizeof((struct haul_identity *) 0)->detail];

    pthread_mutex_t lock;
    pthread_cond_t asked; /* an ask() has ended, or the refresher has come or gone */
    struct {
        const struct keys *keys; /* held; NULL: anonymous */
        unsigned refused;        /* the number of the keys that a server refused; 0: none */
        bool asking;
        unsigned failures; /* of ask() since the keys were obtained */
        int64_t failed_ms; /* when the last one failed */
        bool in_vain;      /* and that the keys were useless by then */
        struct haul_error why;
        uint32_t random;     /* spreads the next ask() */
        struct alarm *alarm; /* borrowed, of the refresher; NULL: there is none */
        bool wanted;         /* somebody waits for the refresher to ask */
    } locked;                /* while holding lock */
};

/* What a source gave is kept behind a const object, as a cache is. */
static struct haul_credentials *learner(const struct haul_credentials *c)
{
    return (struct haul_credentials *) c;
}

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static struct haul_credentials *make(
    const char *source, const char *profile, const char *detail, struct haul_error *err)
{
    struct haul_credentials *c = calloc(1, sizeof *c);
    if (c == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for credentials");
        return NULL;
    }
    c->source = source;
    copy_text(c->profile, sizeof c->profile, profile);
    copy_text(c->detail, sizeof c->detail, detail);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->asked, NULL);
    return c;
}

/* ---- Asking ---- */

static bool are_useless_locked(const struct haul_credentials *c)
{
    const struct keys *k = c->locked.keys;
    return k == NULL || k->number == c->locked.refused || keys_have_expired(k, -1);
}

static void ring_locked(struct haul_credentials *c)
{
    struct alarm *a = c->locked.alarm;
    if (a == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    a->rung = true;
    pthread_cond_signal(&a->cond);
    pthread_mutex_unlock(&a->lock);
}

/* Are they any better than those that we have? */
static int check_fresh_locked(
    const struct haul_credentials *c, const struct keys *fresh, struct haul_error *err)
{
    const struct keys *old = c->locked.keys;
    if (keys_have_expired(fresh, -1))
        return haul_error_set(err, HAUL_NO_CREDENTIALS,
            "the keys that the source gives have expired, or this machine's clock is wrong");
    if (old == NULL)
        return 0;
    if (old->number == c->locked.refused && keys_are_same(fresh, old))
        return haul_error_set(err, HAUL_NO_CREDENTIALS,
            "the source has no others than those that the server refused as expired");
    /* Endpoints were opened with complete ones. */
    return keys_check(old, "", NULL) == 0 ? keys_check(fresh, c->source, err) : 0;
}

static void install_locked(struct haul_credentials *c, struct keys *fresh)
{
    fresh->obtained_ms = clock_now_ms();
    keys_release(c->locked.keys);
    c->locked.keys = fresh;
    c->locked.failures = 0;
}

static void note_failure_locked(struct haul_credentials *c, const struct haul_error *why)
{
    c->locked.failures++;
    c->locked.failed_ms = clock_now_ms();
    c->locked.in_vain = are_useless_locked(c);
    c->locked.why = *why;
}

/* Asks, with the lock let go meanwhile. Returns 0, or -1 with *err. */
static int ask_locked(struct haul_credentials *c, struct inquirer *i, struct haul_error *err)
{
    struct haul_error why;
    c->locked.asking = true;
    c->locked.wanted = false;
    pthread_mutex_unlock(&c->lock);
    struct keys *fresh = c->kind->ask(c->state, i, &why);
    pthread_mutex_lock(&c->lock);
    c->locked.asking = false;
    if (fresh != NULL && check_fresh_locked(c, fresh, &why) < 0) {
        keys_release(fresh);
        fresh = NULL;
    }
    if (fresh != NULL)
        install_locked(c, fresh);
    else if (why.code != HAUL_CANCELLED) /* which is not the source's fault */
        note_failure_locked(c, &why);
    if (fresh == NULL && err != NULL)
        *err = why;
    if (getrandom(&c->locked.random, sizeof c->locked.random, 0) < 0)
        c->locked.random = (uint32_t) clock_now_ms();
    pthread_cond_broadcast(&c->asked);
    if (i == NULL)
        ring_locked(c); /* the refresher has to know that another time is due */
    return fresh == NULL ? -1 : 0;
}

int credentials_refresh(
    const struct haul_credentials *c, struct inquirer *i, struct haul_error *err)
{
    struct haul_credentials *l = learner(c);
    if (l->kind == NULL)
        return 0;
    pthread_mutex_lock(&l->lock);
    while (l->locked.asking)
        pthread_cond_wait(&l->asked, &l->lock);
    int rc = ask_locked(l, i, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

int haul_credentials_refresh(const struct haul_credentials *c, struct haul_error *err)
{
    return credentials_refresh(c, NULL, err);
}

/* ---- Making and freeing ---- */

static void free_state(const struct credentials_kind *kind, void *state)
{
    if (kind->free != NULL)
        kind->free(state);
    else
        free(state);
}

struct haul_credentials *credentials_new(const struct credentials_kind *kind, void *state,
    const char *profile, const char *detail, struct haul_error *err)
{
    struct haul_credentials *c = make(kind->name, profile, detail, err);
    if (c == NULL) {
        free_state(kind, state);
        return NULL;
    }
    c->kind = kind;
    c->state = state;
    if (credentials_refresh(c, NULL, err) == 0)
        return c;
    haul_credentials_free(c);
    return NULL;
}

struct haul_credentials *credentials_fixed(const char *source, struct keys *keys,
    const char *profile, const char *detail, struct haul_error *err)
{
    struct haul_credentials *c = keys ? make(source, profile, detail, err) : NULL;
    if (c == NULL)
        keys_release(keys);
    else
        install_locked(c, keys);
    return c;
}

struct haul_credentials *haul_credentials_anonymous(struct haul_error *err)
{
    return make("anonymous", NULL, NULL, err);
}

void haul_credentials_free(struct haul_credentials *c)
{
    if (c == NULL)
        return;
    if (c->kind != NULL)
        free_state(c->kind, c->state);
    keys_release(c->locked.keys);
    pthread_cond_destroy(&c->asked);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void credentials_set_profile(struct haul_credentials *c, const char *profile)
{
    if (c->profile[0] == '\0')
        copy_text(c->profile, sizeof c->profile, profile);
}

int credentials_check(const struct haul_credentials *c, struct haul_error *err)
{
    struct haul_credentials *l = learner(c);
    pthread_mutex_lock(&l->lock);
    const struct keys *k = l->locked.keys;
    int rc = k == NULL ? 0 : keys_check(k, c->source, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

void haul_credentials_describe(const struct haul_credentials *c, struct haul_identity *out)
{
    struct haul_credentials *l = learner(c);
    *out = (struct haul_identity){ .source = c->source, .expires_ms = -1 };
    copy_text(out->profile, sizeof out->profile, c->profile);
    copy_text(out->detail, sizeof out->detail, c->detail);
    pthread_mutex_lock(&l->lock);
    const struct keys *k = l->locked.keys;
    if (k != NULL) {
        copy_text(out->key_id, sizeof out->key_id, k->key_id);
        if (k->expires_ms != KEYS_NEVER_EXPIRE)
            out->expires_ms = k->expires_ms;
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- Taking keys ---- */

enum next { NEXT_USE, NEXT_ASK, NEXT_FAIL, NEXT_WAIT };

/* What whoever wants keys does next. */
static enum next decide_locked(struct haul_credentials *c, bool asks_itself)
{
    if (c->kind == NULL || !are_useless_locked(c))
        return NEXT_USE;
    if (c->locked.asking)
        return NEXT_WAIT;
    int64_t passed_ms = clock_now_ms() - c->locked.failed_ms;
    if (c->locked.failures > 0 && c->locked.in_vain && passed_ms >= 0 &&
        passed_ms < keys_delay_ms(c->locked.failures))
        return NEXT_FAIL;
    if (c->locked.alarm == NULL || asks_itself)
        return NEXT_ASK;
    c->locked.wanted = true;
    ring_locked(c);
    return NEXT_WAIT;
}

static int fail(struct haul_error why, struct haul_error *err)
{
    if (why.code != HAUL_NO_MEMORY && why.code != HAUL_CANCELLED)
        return haul_error_set(err, HAUL_NO_CREDENTIALS,
            "the keys have expired, and there are no fresh ones: %s", why.text);
    *err = why;
    return -1;
}

static int take(const struct haul_credentials *c, struct inquirer *i, bool may_wait,
    const struct keys **keys, struct haul_error *err)
{
    struct haul_credentials *l = learner(c);
    struct haul_error why;
    enum next next;
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    /* Who has an inquirer asks by itself: it may be the refresher, asking for another's sake.
     */
    while ((next = decide_locked(l, i != NULL)) == NEXT_WAIT && may_wait)
        pthread_cond_wait(&l->asked, &l->lock);
    if (next == NEXT_ASK && ask_locked(l, i, &why) < 0)
        rc = fail(why, err);
    else if (next == NEXT_FAIL)
        rc = fail(l->locked.why, err);
    else if (next == NEXT_WAIT)
        rc = 1;
    else
        *keys = keys_hold(l->locked.keys);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

int credentials_hold(
    const struct haul_credentials *c, const struct keys **keys, struct haul_error *err)
{
    return take(c, NULL, false, keys, err);
}

int credentials_await(const struct haul_credentials *c, struct inquirer *i,
    const struct keys **keys, struct haul_error *err)
{
    return take(c, i, true, keys, err);
}

bool credentials_refused(const struct haul_credentials *c, const struct keys *keys)
{
    struct haul_credentials *l = learner(c);
    if (l->kind == NULL)
        return false;
    pthread_mutex_lock(&l->lock);
    if (keys->number == l->locked.keys->number)
        l->locked.refused = keys->number;
    pthread_mutex_unlock(&l->lock);
    return true;
}

/* ---- For the refresher ---- */

int credentials_attach(const struct haul_credentials *c, struct alarm *alarm)
{
    struct haul_credentials *l = learner(c);
    if (l->kind == NULL)
        return 0;
    pthread_mutex_lock(&l->lock);
    bool taken = alarm != NULL && l->locked.alarm != NULL;
    if (!taken)
        l->locked.alarm = alarm;
    pthread_cond_broadcast(&l->asked); /* whoever waits for a refresher that goes asks now */
    pthread_mutex_unlock(&l->lock);
    return taken ? -1 : 0;
}

static int64_t due_locked(const struct haul_credentials *c)
{
    if (c->locked.asking)
        return INT64_MAX;
    return c->locked.wanted ? 0
                            : keys_due_ms(c->locked.keys, c->locked.failures,
                                  c->locked.failed_ms, c->locked.random);
}

int64_t credentials_tend(const struct haul_credentials *c, struct inquirer *i)
{
    struct haul_credentials *l = learner(c);
    if (l->kind == NULL)
        return INT64_MAX;
    pthread_mutex_lock(&l->lock);
    if (due_locked(l) <= clock_now_ms())
        ask_locked(l, i, NULL);
    int64_t due_ms = due_locked(l);
    pthread_mutex_unlock(&l->lock);
    return due_ms;
}
