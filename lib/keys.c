/* One set of keys: see keys.h. No text made here quotes a value. */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hash.h"

/* They are due within this time before they expire. */
#define MARGIN_MS (10 * 60 * (int64_t) 1000)
#define FIRST_DELAY_MS 1000 /* after a failure; doubled by each further one */
#define LAST_DELAY_MS 60000
#define HIDDEN_MIN 6 /* what is shorter may be a word of anybody's */
#define HIDDEN_MAX 12
#define LEAST_INTERVAL_MS 1000 /* unless somebody waits for them */

static atomic_uint sets; /* of keys so far */

static const char *const field_names[] = { "the key id", "the secret", "the token" };

/* They go into headers, where a line's end would be the beginning of somebody else's. */
static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char) *text < ' ' || *text == 0x7F)
            return true;
    return false;
}

struct keys *keys_new(const char *where, const char *key_id, const char *secret,
    const char *token, struct haul_error *err)
{
    const char *const values[] = { key_id, secret, token };
    struct keys *k = calloc(1, sizeof *k);
    if (k == NULL)
        goto no_memory;
    char **const copies[] = { &k->key_id, &k->secret, &k->token };
    k->expires_ms = KEYS_NEVER_EXPIRE;
    k->number = atomic_fetch_add(&sets, 1) + 1;
    atomic_init(&k->holders, 1);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (values[i] == NULL || *values[i] == '\0')
            continue;
        if (has_control(values[i])) {
            haul_error_set(err, HAUL_BAD_CONFIG, "%s: %s holds a control character", where,
                field_names[i]);
            goto failed;
        }
        if ((*copies[i] = strdup(values[i])) == NULL)
            goto no_memory;
    }
    return k;
no_memory:
    haul_error_set(err, HAUL_NO_MEMORY, "out of memory for credentials");
failed:
    keys_release(k);
    return NULL;
}

void keys_release(const struct keys *k)
{
    struct keys *own = (struct keys *) k; /* const is what its holders see */
    if (k == NULL || atomic_fetch_sub(&own->holders, 1) > 1)
        return;
    wipe_text(own->key_id);
    wipe_text(own->secret);
    wipe_text(own->token);
    free(own);
}

const struct keys *keys_hold(const struct keys *k)
{
    if (k != NULL)
        atomic_fetch_add(&((struct keys *) k)->holders, 1);
    return k;
}

int keys_check(const struct keys *k, const char *where, struct haul_error *err)
{
    const char *missing = k->key_id == NULL   ? field_names[0]
                          : k->secret == NULL ? field_names[1]
                                              : NULL;
    if (missing == NULL)
        return 0;
    return haul_error_set(err, HAUL_NO_CREDENTIALS, "%s: %s is missing", where, missing);
}

/* Its beginning will do: what is quoted may be cut as well. */
void keys_hide(char *text, const char *secret)
{
    char beginning[HIDDEN_MAX + 1] = "";
    if (secret != NULL)
        memcpy(beginning, secret, strnlen(secret, HIDDEN_MAX));
    char *found = strlen(beginning) < HIDDEN_MIN ? NULL : strstr(text, beginning);
    if (found != NULL)
        memcpy(found, "...", sizeof "...");
}

/* Date has whole seconds, and a reply is some time under way: what is less than two seconds off
 * may be nothing. */
void keys_set_expiry(struct keys *k, int64_t expires_ms, int64_t server_ms)
{
    int64_t offset_ms = server_ms < 0 ? 0 : server_ms - clock_now_ms();
    k->expires_ms = expires_ms;
    k->issuer_offset_ms = offset_ms > -2000 && offset_ms < 2000 ? 0 : offset_ms;
}

bool keys_have_expired(const struct keys *k, int64_t server_ms)
{
    if (k->expires_ms == KEYS_NEVER_EXPIRE)
        return false;
    return k->expires_ms <= server_ms || k->expires_ms <= clock_now_ms() + k->issuer_offset_ms;
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool keys_are_same(const struct keys *a, const struct keys *b)
{
    return is_same(a->key_id, b->key_id) && is_same(a->secret, b->secret) &&
           is_same(a->token, b->token);
}

int64_t keys_delay_ms(unsigned failures)
{
    int64_t delay = (int64_t) FIRST_DELAY_MS << (failures < 7 ? failures - 1 : 6);
    return delay < LAST_DELAY_MS ? delay : LAST_DELAY_MS;
}

/* In the second half of `span_ms`. */
static int64_t spread_ms(int64_t span_ms, uint32_t random)
{
    return span_ms / 2 + (int64_t) (((uint64_t) random * (uint64_t) span_ms) >> 33);
}

int64_t keys_due_ms(const struct keys *k, unsigned failures, int64_t failed_ms, uint32_t random)
{
    if (k->expires_ms == KEYS_NEVER_EXPIRE)
        return INT64_MAX;
    if (failures > 0)
        return failed_ms + spread_ms(keys_delay_ms(failures), random);
    int64_t end_ms = k->expires_ms - k->issuer_offset_ms;
    int64_t earliest_ms = k->obtained_ms + LEAST_INTERVAL_MS;
    int64_t margin_ms = (end_ms - k->obtained_ms) / 4;
    if (margin_ms > MARGIN_MS)
        margin_ms = MARGIN_MS;
    int64_t due_ms = margin_ms > 0 ? end_ms - spread_ms(margin_ms, random) : end_ms;
    return due_ms > earliest_ms ? due_ms : earliest_ms;
}
