/* Keys, and where they come from. A credentials object is a source of keys and what it gave
 * last; it may be used from any thread, by any number of endpoints and stores, and must outlive
 * them.
 *
 *     struct haul_credentials *keys = haul_credentials_default(&err);
 *     ...
 *     struct haul_store *s = haul_store_new(url,
 *         &(struct haul_store_options){ .endpoint = { .credentials = keys } }, &err);
 *
 * Keys that expire are fetched again: by the thread of refresher.h before they do, when one was
 * started; else by the request that would be the first to use them after that, which blocks its
 * client meanwhile. A server that answers ExpiredToken (or refuses keys that are past their
 * expiry) causes one such fetch, whichever thread it is on, and the request is signed again. A
 * request under way keeps the keys that it began with. When no fresh ones can be had, requests
 * fail with HAUL_NO_CREDENTIALS, whose text tells why.
 *
 * No secret is ever part of an error's text. What libhaul allocates for one is wiped when it is
 * freed, and a secret key that the caller gave goes no further. Other libraries free their own
 * copies as they are: libcurl of what it sends and receives (session tokens, customers' keys,
 * presigned queries, a proxy's password, the answers of services that give keys), libxml2 of
 * STS's answers. Who minds gives both a free() that wipes, by curl_global_init_mem() and
 * xmlMemSetup(), before the first call of libhaul. What the system has of it (the environment,
 * files, sockets) stays there. */
#ifndef HAUL_CREDENTIALS_H
#define HAUL_CREDENTIALS_H

#include <stddef.h>
#include <stdint.h>

#include <haul/error.h>

HAUL_BEGIN

struct haul_credentials;

/* ---- Sources ----
 *
 * Each constructor asks its source once, blocking, and returns a new object that the caller
 * frees, or NULL with *err:
 *
 *     HAUL_NO_CREDENTIALS  the source has none, or they have expired; the text names the
 *                          variable, file, profile or service, and what to do
 *     HAUL_BAD_CONFIG      it can't be read or understood, or contradicts itself
 *     HAUL_NETWORK, HAUL_TLS, HAUL_SERVER, HAUL_BAD_REPLY, HAUL_TOO_LARGE
 *                          the service behind it can't be reached, refuses, makes no sense,
 *                          says more than 64 KiB
 *     HAUL_NO_MEMORY
 *
 * They read the environment, so none may run while another thread changes that. Strings are
 * copied, and options may be NULL where a comment says so. All of
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html */

/* These keys. Any may be NULL when others bring what is missing (haul_credentials_merge()): an
 * endpoint refuses incomplete ones. */
struct haul_credentials *haul_credentials_static(
    const char *key_id, const char *secret, const char *token, struct haul_error *err);

/* Requests are sent unsigned. */
struct haul_credentials *haul_credentials_anonymous(struct haul_error *err);

/* Those in "https://KEY:SECRET@host...", percent-encoded. */
struct haul_credentials *haul_credentials_from_url(const char *url, struct haul_error *err);

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN: any of them. */
struct haul_credentials *haul_credentials_from_environment(struct haul_error *err);

/* What a profile of AWS's shared files says: keys, a role (role_arn with source_profile or
 * credential_source), web_identity_token_file, SSO (sso_session or sso_start_url) or
 * credential_process. profile NULL: AWS_PROFILE, else "default". file NULL: the credentials
 * file (AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials, section [x]) and the config file
 * (AWS_CONFIG_FILE, else ~/.aws/config, section [profile x]; [default] or [profile default] for
 * the default). ~ is HOME, else (cron, systemd) the home that the system knows of. With a file
 * only that one, where either form of section will do. Key, secret and token always come from
 * one section. Files are read again for fresh keys.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html */
struct haul_credentials *haul_credentials_from_profile(
    const char *profile, const char *file, struct haul_error *err);

/* A shell's command that prints JSON with Version 1, for 60 seconds at most. Its standard error
 * is ours, its standard input empty. A SIGINT, SIGQUIT, SIGTERM or unhandled SIGHUP that comes
 * to this thread meanwhile ends it, as HAUL_CANCELLED, before it has its own effect.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html */
struct haul_credentials *haul_credentials_from_process(
    const char *command, struct haul_error *err);

/* IAM Identity Center: the token that `aws sso login` has left in ~/.aws/sso/cache, refreshed
 * there when it can be. HAUL_NO_CREDENTIALS for a login that has expired says which command to
 * run. https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html */
struct haul_sso {
    const char *session;   /* name of the sso-session; NULL: the older form without */
    const char *start_url; /* required, as are the next three */
    const char *region;    /* of the Identity Center */
    const char *account_id, *role_name;
    const char *profile; /* whose other settings count, and for messages; NULL: AWS_PROFILE's */
    const char *file;    /* that has it, as above; NULL: the shared files */
};
struct haul_credentials *haul_credentials_from_sso(
    const struct haul_sso *sso, struct haul_error *err);

/* A role of STS, by its name or number. */
struct haul_role {
    const char *arn;           /* required */
    const char *session_name;  /* NULL: AWS_ROLE_SESSION_NAME, else "haul" and a number */
    const char *external_id;   /* NULL: none; not with web identity */
    unsigned duration_seconds; /* 0: 3,600 */
    const char *token_file;    /* web identity: a file that holds the token, read each time */
    const char *sts_url;       /* NULL: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL or the profile's,
                                * else the region's own */
    const char *region;        /* NULL: as haul_settings_find() has it, else "us-east-1" */
    const char *ca_file;       /* NULL: as haul_settings_find() has it, else the system's */
};

/* AssumeRole with the keys of `base`, which the new object takes over, also on failure. base
 * NULL: NULL, and *err stays, so that calls nest:
 *
 *     keys = haul_credentials_from_role(haul_credentials_default(&err), &role, &err);
 *
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
struct haul_credentials *haul_credentials_from_role(
    struct haul_credentials *base, const struct haul_role *role, struct haul_error *err);

/* AssumeRoleWithWebIdentity, unsigned. role NULL: AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE. */
struct haul_credentials *haul_credentials_from_web_identity(
    const struct haul_role *role, struct haul_error *err);

/* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (at 169.254.170.2) or …_FULL_URI, with
 * AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE (read each time) or …_TOKEN. A full URI is https, or
 * leads to loopback or to an address of the container services (169.254.170.2,
 * 169.254.170.23, fd00:ec2::23): else HAUL_BAD_CONFIG. */
struct haul_credentials *haul_credentials_from_container(struct haul_error *err);

/* Instance metadata, version 2 alone, never by way of a proxy. url NULL:
 * AWS_EC2_METADATA_SERVICE_ENDPOINT, else by AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE (IPv4,
 * IPv6), else http://169.254.169.254. AWS_EC2_METADATA_DISABLED=true: HAUL_NO_CREDENTIALS, and
 * nobody is asked. Elsewhere than on an instance it says so after a second
 * (AWS_METADATA_SERVICE_TIMEOUT seconds, AWS_METADATA_SERVICE_NUM_ATTEMPTS times). What these
 * four do not say the profile does (ec2_metadata_service_endpoint and so on). Keys that come
 * already expired, as they do while the service has lost touch with the one behind it, are used
 * for ten minutes more before it is asked again. */
struct haul_credentials *haul_credentials_from_instance(
    const char *url, struct haul_error *err);

/* Any number of sources as one: of key id, secret and token each is the first that is not
 * blank. Fresh keys are asked of all. The new object takes the sources over, also on failure;
 * NULLs among them are passed over. */
struct haul_credentials *haul_credentials_merge(
    struct haul_credentials *const sources[], size_t count, struct haul_error *err);

/* The default chain, in the order of AWS's SDKs: the first source that is configured at all,
 * whatever comes of it, so that key, secret and token come from one place.
 *
 *     1. the environment, when it has any of the three variables
 *     2. the profile's role (role_arn with source_profile or credential_source)
 *     3. web identity: AWS_WEB_IDENTITY_TOKEN_FILE, then the profile's
 *     4. the profile's SSO
 *     5. keys in the credentials file
 *     6. the profile's credential_process
 *     7. keys in the config file
 *     8. the container, when its variables are set
 *     9. the instance */
struct haul_credentials *haul_credentials_default(struct haul_error *err);

/* ---- Use ---- */

/* What may be told of the keys as they are now. */
struct haul_identity {
    const char *source; /* "static", "url", "environment", "profile", "process", "sso",
                         * "role", "web_identity", "container", "instance", "merged",
                         * "anonymous"; lives for ever */
    char profile[129];  /* that led there; "": none */
    char detail[256];   /* a file, an ARN, an URL: more of the source for people; or "" */
    char key_id[129];   /* an identifier, not a secret, but show it shortened; "": none */
    int64_t expires_ms; /* since the epoch; -1: not known to */
};
void haul_credentials_describe(const struct haul_credentials *c, struct haul_identity *out);

/* Asks the source for fresh keys now, on this thread. Returns 0 (also for a source that has
 * only ever one answer), or -1 with *err as the constructors, and the keys stay as they were.
 * Any thread. */
int haul_credentials_refresh(const struct haul_credentials *c, struct haul_error *err);

/* After every endpoint, and the refresher that it was given to. Wipes. NULL is fine. */
void haul_credentials_free(struct haul_credentials *c);

HAUL_END
#endif
