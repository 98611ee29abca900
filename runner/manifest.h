/* The manifest: what a job file says, resolved and checked. manifest.c turns the YAML tree of
 * yamltree.h into these structs; whoever holds one needs to know nothing of YAML. Immutable
 * once loaded, so any thread may read it. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <haul/endpoint.h>

#include "error.h"

/* All strings are owned by the manifest. */

enum manifest_credentials {
    CREDENTIALS_AUTO, /* the default chain of AWS's SDKs */
    CREDENTIALS_ENV,  /* these sources alone */
    CREDENTIALS_CONTAINER,
    CREDENTIALS_INSTANCE,
    CREDENTIALS_WEB_IDENTITY,
    CREDENTIALS_ANONYMOUS, /* unsigned */
    CREDENTIALS_PROFILE,   /* {profile: NAME} and perhaps {file: PATH} */
    CREDENTIALS_KEYS,      /* {access_key_id: ${env:A}, secret_access_key: ${env:B}, ...} */
};

struct manifest_endpoint {
    char *name;
    char *url;    /* its own, else the environment's or the profile's; NULL: AWS */
    char *region; /* NULL: as environment and profile have it when it is used */
    enum haul_addressing addressing;
    enum haul_payload payload; /* its own, else the defaults' */
    enum manifest_credentials credentials;
    char *profile, *file; /* NULL: the usual ones */
    /* CREDENTIALS_KEYS: the names of the environment's variables, never their values, so that
     * no secret can get from here into the queue. token_variable may be NULL. */
    char *key_id_variable, *secret_variable, *token_variable;
    char *ca_file; /* absolute, as all paths; NULL: as environment and profile have it */
    char *client_cert, *client_key; /* NULL: none; the key stands in client_cert */
    char *key_password_variable;    /* a name, as of the keys; NULL: the key has none */
    bool insecure;
    bool dualstack, fips, accelerate; /* AWS's other hosts; all false with an url */
};

enum transfer_kind { TRANSFER_UPLOAD, TRANSFER_DOWNLOAD };
enum transfer_when { WHEN_ALWAYS, WHEN_MISSING, WHEN_CHANGED };

struct transfer {
    enum transfer_kind kind;
    char *local; /* absolute path, with a final slash when `many` */
    const struct manifest_endpoint *endpoint; /* in the same manifest */
    char *bucket;
    char *key; /* an object's key; or, when `many`, a prefix: "" or with a final slash */
    bool many; /* a folder or a prefix: both sides end in a slash (or in the bucket's name) */
    char **include, **exclude; /* NULL-terminated patterns (glob.h); NULL: none given */
    enum transfer_when when;
    uint64_t part_bytes; /* 0: auto */
    int line, column;    /* of the transfer in its file, for messages; 0 after a thaw */
};

struct manifest {
    char *name;
    char *path; /* the file, as it was named; NULL after a thaw */
    struct manifest_endpoint **endpoints;
    size_t endpoint_count;
    struct transfer **transfers;
    size_t transfer_count;
    unsigned concurrency; /* 0: auto */
    unsigned retries;     /* default 10 */
    unsigned patience_s;  /* how long an endpoint may serve nobody; default 300 */
};

/* A fault in the file. The text says what was found and what was expected. */
struct problem {
    const char *file;
    int line, column; /* from 1 */
    const char *text;
};
typedef void problem_fn(void *payload, const struct problem *p);

/* --set NAME=VALUE */
struct setting {
    const char *name, *value;
};

struct manifest_options {
    const struct setting *settings;
    size_t setting_count;
    int64_t now_ms; /* for ${date:...}, in UTC; since the epoch */
};

/* Reads and checks a file. Reports every fault that it finds (a broken syntax ends the search),
 * in the order of the file. NULL: err says how many there were (EXIT_USAGE), or that the file
 * can't be read. Relative paths are resolved from the manifest's own folder. */
struct manifest *manifest_load(const char *path, const struct manifest_options *options,
    problem_fn *report, void *payload, struct error *err);

/* The resolved manifest as one line of JSON, which is the same grammar: variables replaced,
 * paths absolute, credentials still as references. What the queue keeps. Two manifests that
 * mean the same have the same text. The caller frees it; NULL: out of memory. */
char *manifest_freeze(const struct manifest *m);

/* Reads that text again. NULL: err (EXIT_QUEUE: the queue is damaged). */
struct manifest *manifest_thaw(const char *json, struct error *err);

/* Which of m->endpoints the transfer uses. */
size_t manifest_endpoint_index(const struct manifest *m, const struct transfer *t);

void manifest_free(struct manifest *m);

#endif
