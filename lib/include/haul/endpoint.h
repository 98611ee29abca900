/* Where requests go and how they are signed. An endpoint may be shared by any number of clients
 * and threads; it remembers what it learns: the server's clock and the buckets' regions. A
 * store makes its own; the event loop (client.h) is given one with each request:
 *
 *     struct haul_credentials *keys = haul_credentials_default(&err);
 *     struct haul_endpoint *e = keys == NULL ? NULL : haul_endpoint_new(
 *         &(struct haul_endpoint_options){ .url = "https://s3.example.com",
 *             .region = "eu-central-1", .credentials = keys }, &err);
 *     ...
 *     haul_endpoint_free(e);
 *     haul_credentials_free(keys);
 */
#ifndef HAUL_ENDPOINT_H
#define HAUL_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include <haul/credentials.h>
#include <haul/error.h>

HAUL_BEGIN

/* How the bucket's name is written: http://host/bucket/key or http://bucket.host/key. AUTO:
 * virtual on amazonaws.com when the name can be a DNS label without dots, else path. */
enum haul_addressing { HAUL_ADDRESS_AUTO, HAUL_ADDRESS_PATH, HAUL_ADDRESS_VIRTUAL };

/* Is the SHA-256 of a body part of the signature? AUTO: signed over http, unsigned over https,
 * where TLS guards the bytes already. SIGNED: as a whole, so it is read twice. CHUNKED: signed
 * in chunks on its way (aws-chunked), read once; not every store takes that. */
enum haul_payload {
    HAUL_PAYLOAD_AUTO,
    HAUL_PAYLOAD_SIGNED,
    HAUL_PAYLOAD_UNSIGNED,
    HAUL_PAYLOAD_CHUNKED,
};

/* In a store's options (store.h) what is not given is that of the URL, else of the environment
 * and the profile, and url is not looked at. */
struct haul_endpoint_options {
    const char *url;    /* "https://host[:port][/base]"; NULL: AWS, the region's own host in its
                         * partition: amazonaws.com, amazonaws.com.cn for cn-… */
    const char *region; /* NULL: "us-east-1" */
    enum haul_addressing addressing;
    enum haul_payload payload;
    const struct haul_credentials *credentials; /* borrowed, must outlive the endpoint; NULL:
                                                 * anonymous */
    const char *ca_file; /* PEM file of the authorities to trust; NULL: the system's */
    const char *proxy; /* "http://[user:password@]host:port"; NULL: http_proxy, HTTPS_PROXY and
                        * NO_PROXY of the environment; "": none */
    bool insecure;     /* true: TLS peers are not verified. Say so to your user on every run */

    /* Who we are, to servers that ask for a certificate of ours: PEM files. */
    const char *client_cert;         /* with its chain; NULL: none */
    const char *client_key;          /* NULL: it stands in client_cert */
    const char *client_key_password; /* NULL: it has none; nobody is ever asked for one */

    /* AWS's other hosts; HAUL_BAD_CONFIG with an url, or where AWS has none.
     * https://docs.aws.amazon.com/general/latest/gr/s3.html */
    bool dualstack;  /* IPv6 and IPv4: s3.dualstack.REGION */
    bool fips;       /* s3-fips.REGION; not in China */
    bool accelerate; /* BUCKET.s3-accelerate, for objects; buckets themselves are made, removed
                      * and listed in their region. Not with fips, in China or in GovCloud; a
                      * bucket whose name has a dot is HAUL_BAD_ARGUMENT, request by request */
};

struct haul_endpoint;

/* Copies the strings. NULL with *err: HAUL_BAD_CONFIG for an URL that is not http or https, has
 * a user, password, query or fragment; a region that none of AWS's can be called; a ca_file,
 * client_cert or client_key that can't be read, and a client_key alone; a proxy that is no URL.
 * HAUL_NO_CREDENTIALS for credentials that lack a key id or a secret. HAUL_NO_MEMORY. */
struct haul_endpoint *haul_endpoint_new(
    const struct haul_endpoint_options *options, struct haul_error *err);

/* After every client that was given a request for it is gone or idle. NULL is fine. */
void haul_endpoint_free(struct haul_endpoint *e);

/* "https://host:port", for messages. */
const char *haul_endpoint_url(const struct haul_endpoint *e);

/* The region that requests are signed for, unless a bucket turns out to be in another. */
const char *haul_endpoint_region(const struct haul_endpoint *e);

/* Is the host in one of AWS's own domains? There a refusal tells keys that are not known from
 * those that are but may not. */
bool haul_endpoint_is_aws(const struct haul_endpoint *e);

/* How it fares at present, for a log or a screen: its worst bucket. Any thread. */
struct haul_health {
    int64_t silence_ms; /* for how long nobody has been served although several tried; 0 */
    double rate;        /* requests a second that are started there, since it said SlowDown or
                         * fell silent; 0: as many as come */
    bool slowed;        /* it was SlowDown, last, that the rate comes from */
    char why[512];      /* the latest of the failures that say so; empty: there was none */
};
void haul_endpoint_health(const struct haul_endpoint *e, struct haul_health *out);

/* The server's clock as far as its replies have told, ms since the epoch. */
int64_t haul_endpoint_now_ms(const struct haul_endpoint *e);

HAUL_END
#endif
