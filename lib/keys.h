/* One set of keys: what it is made of, how long it is good for, and when to ask for the next.
 * Any thread, all of it. */
#ifndef KEYS_H
#define KEYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <haul/error.h>

#define KEYS_NEVER_EXPIRE INT64_MAX

/* One set of keys. Immutable once a source has given it, and counted: whoever signs holds it.
 */
struct keys {
    char *key_id, *secret, *token; /* owned; NULL: none */
    int64_t expires_ms;       /* by the issuer's clock, since the epoch; or KEYS_NEVER_EXPIRE */
    int64_t issuer_offset_ms; /* its clock minus ours */
    int64_t obtained_ms;      /* by our clock; set when they are taken into use */
    unsigned number;          /* of this set among all in the process, from 1 */
    atomic_uint holders;
};

/* Copies. NULL and "" stay NULL. `where` begins the messages ("the environment", "[x] in
 * FILE"). Returns the one hold, or NULL with *err: HAUL_BAD_CONFIG for a control character in
 * one of them ("WHERE: NAME holds ..."), HAUL_NO_MEMORY. */
struct keys *keys_new(const char *where, const char *key_id, const char *secret,
    const char *token, struct haul_error *err);
const struct keys *keys_hold(const struct keys *k); /* once more; NULL is fine */
void keys_release(const struct keys *k);            /* wipes at the last one; NULL is fine */

/* 0, or -1 with *err = HAUL_NO_CREDENTIALS: "WHERE: NAME is missing". */
int keys_check(const struct keys *k, const char *where, struct haul_error *err);

/* Cuts off what begins with the secret (NULL is fine): servers may quote what they are sent. */
void keys_hide(char *text, const char *secret);

/* Before they are shared. server_ms: the issuer's clock, as its answer's Date had it; -1: it
 * has ours. expires_ms may be KEYS_NEVER_EXPIRE. */
void keys_set_expiry(struct keys *k, int64_t expires_ms, int64_t server_ms);

/* By our clock, set right by the issuer's, or by server_ms, a server's (-1: not told). */
bool keys_have_expired(const struct keys *k, int64_t server_ms);

bool keys_are_same(const struct keys *a, const struct keys *b); /* whenever they expire */

/* When to ask for others, ahead of need, ms since the epoch by our clock; INT64_MAX: never.
 * Pure. failures: how often asking failed since these were obtained, and when it last did;
 * random: any 32 bits. */
int64_t keys_due_ms(
    const struct keys *k, unsigned failures, int64_t failed_ms, uint32_t random);

/* After so many failures, at least one. */
int64_t keys_delay_ms(unsigned failures);

#endif
