/* Keys in the JSON of the services that give them, each of which has its own names for the same
 * four members. */
#ifndef KEYSJSON_H
#define KEYSJSON_H

#include <stdint.h>

#include <haul/error.h>

struct inquirer;
struct inquiry;
struct json;
struct keys;

/* Paths, as json_text() takes them. */
struct keysjson_names {
    const char *key_id, *secret, *token;
    const char *expires; /* a time as json_time_ms() has it, or ms since the epoch */
};

/* The container's names and, but for "Token", those of the others of AWS's older services. */
extern const struct keysjson_names keysjson_container;

/* server_ms: the answer's Date, by which its clock is known; -1: it has ours. `where` begins
 * the messages. Keys held once, or NULL with *err: HAUL_BAD_REPLY (a key id or a secret is
 * missing, an expiry is none; "WHERE: NAME is missing"), HAUL_BAD_CONFIG (a control character),
 * HAUL_NO_MEMORY. Without a token or an expiry they have none. */
struct keys *keysjson_read(const char *where, const struct json *j,
    const struct keysjson_names *names, int64_t server_ms, struct haul_error *err);

/* Asks a service that answers so. Keys held once, or NULL with *err as inquire() and
 * keysjson_read() have it, or HAUL_SERVER: it refuses, by its status (err->http_status) or in
 * the manner of the instance metadata, in the document's Code. */
struct keys *keysjson_ask(struct inquirer *i, const struct inquiry *q,
    const struct keysjson_names *names, struct haul_error *err);

#endif
