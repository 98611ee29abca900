/* What the signer and the loop need of <haul/endpoint.h>. Any thread, all of it. */
#ifndef ENDPOINT_INTERNAL_H
#define ENDPOINT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <haul/endpoint.h>

#include "buf.h"
#include "pace.h"
#include "sigv4.h"
#include "tempo.h"

#define REGION_SIZE 64
#define PACES 64 /* buckets beyond so many may share one */

struct keys;

struct bucket_region {
    char *bucket; /* owned */
    char region[REGION_SIZE];
};

struct haul_endpoint {
    /* Set once, then only read. */
    char *url;    /* owned: "https://host:port", for messages */
    char *scheme; /* owned: "https" */
    char *host;   /* owned: "host:port", the port only when it is not the scheme's; NULL: AWS */
    char *base;   /* owned: "" or "/base", without a final slash, as given */
    char *ca_file;                                        /* owned; NULL: the system's */
    char *client_cert, *client_key, *client_key_password; /* owned; NULL: none */
    char *proxy; /* owned; NULL: the environment's; "": none. May hold a password */
    char region[REGION_SIZE];
    enum haul_addressing addressing;
    enum haul_payload payload; /* never AUTO */
    bool insecure, dualstack, fips, accelerate;
    const char *service;                        /* borrowed: "s3" */
    const struct haul_credentials *credentials; /* borrowed; NULL: anonymous */

    /* The server's clock minus ours: as its latest reply had it, and as we sign, which is 0
     * until a signature was refused for that. */
    atomic_int_least64_t date_offset_ms, signing_offset_ms;

    pthread_mutex_t lock;
    struct {
        struct sigv4_key key; /* of these keys, today's date and this region */
        unsigned keys_number;
        char date[9], region[REGION_SIZE];
        struct bucket_region *buckets; /* what wrong-region replies have taught */
        size_t bucket_count;
        struct pace paces[PACES]; /* by the hash of the bucket's name */
        char why[512];            /* the latest failure that a pace took for the server's */
        struct tempo tempo;       /* of the ranges that all clients receive */
    } locked;                     /* while holding lock */
};

/* The region to sign with for a bucket; NULL: for none, as ListBuckets. */
void endpoint_region(
    const struct haul_endpoint *e, const char *bucket, char region[static REGION_SIZE]);

/* The server named another region for the bucket. true: that is news. AWS's hosts follow it, in
 * their own partition only. */
bool endpoint_learn_region(
    const struct haul_endpoint *e, const char *bucket, const char *region);

/* What the time is in a signature, ms since the epoch. */
int64_t endpoint_signing_ms(const struct haul_endpoint *e);

/* A reply's Date. */
void endpoint_note_date(const struct haul_endpoint *e, int64_t server_ms);

/* A signature was refused for its time, and the server's clock says so. true: ours was off by
 * more than a minute, and by less than a day. */
bool endpoint_learn_clock(const struct haul_endpoint *e, int64_t server_ms);

/* How long a range took, and whether one that is under way is to be replaced, which spends
 * credit: see tempo.h. */
void endpoint_note_tempo(const struct haul_endpoint *e, uint64_t bytes, int64_t elapsed_ms);
bool endpoint_replaces(
    const struct haul_endpoint *e, uint64_t bytes, int64_t elapsed_ms, int64_t now_ms);

/* pace.h, for a bucket (NULL: requests that name none). endpoint_served_since(): has anybody
 * been served there after that time, CLOCK_MONOTONIC? */
int64_t endpoint_wait_ms(
    const struct haul_endpoint *e, const char *bucket, int64_t now_ms, int64_t patience_ms);
void endpoint_note_end(const struct haul_endpoint *e, const char *bucket, enum pace_end end,
    const char *why, int64_t began_ms, int64_t now_ms);
int64_t endpoint_silence_ms(const struct haul_endpoint *e, const char *bucket, int64_t now_ms);
bool endpoint_served_since(const struct haul_endpoint *e, const char *bucket, int64_t since_ms);

/* The key for those keys, that date ("20260131") and region, kept until another is asked for.
 */
int endpoint_signing_key(const struct haul_endpoint *e, const struct keys *keys,
    const char *date, const char *region, struct sigv4_key *key);

/* Whom requests are signed for; S3 unless it is set, before the endpoint is used. The text
 * must outlive it. */
void endpoint_set_service(struct haul_endpoint *e, const char *service);

/* May a secret be part of a request? Over https, or to this very machine. */
bool endpoint_is_private(const struct haul_endpoint *e);

/* Where a bucket's key lives: the Host header and the encoded path. key NULL: the bucket;
 * bucket NULL: the service. accelerate: by the accelerated host, if the endpoint uses those,
 * which only buckets have whose names are labels: endpoint_can_reach() tells. */
bool endpoint_can_reach(const struct haul_endpoint *e, const char *bucket, bool accelerate);
void endpoint_add_host(struct buf *b, const struct haul_endpoint *e, const char *bucket,
    const char *region, bool accelerate);
void endpoint_add_path(
    struct buf *b, const struct haul_endpoint *e, const char *bucket, const char *key);

#endif
