/* Keys of the role of the instance that we run on, by its metadata service, version 2 alone:
 * version 1 gives them to whoever makes some program here fetch an URL. See
 * haul_credentials_from_instance(). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "credentials.h"
#include "inquiry.h"
#include "keysjson.h"
#include "loop.h"
#include "profile.h"
#include "rows.h"
#include "tokenfile.h"

#define DISABLED "AWS_EC2_METADATA_DISABLED"
#define IPV4 "http://169.254.169.254"
#define IPV6 "http://[fd00:ec2::254]"
#define TOKEN_PATH "latest/api/token"
#define ROLE_PATH "latest/meta-data/iam/security-credentials/"
#define ROLE_SIZE 129 /* a name of IAM's has up to 64 characters */
#define TOKEN_TTL "21600"
#define TOKEN_MS (21600 * (int64_t) 1000)
#define TOKEN_MARGIN_MS 60000 /* its time runs from before we had it */

/* Keys that come already expired, as the service gives them out while it has lost touch with
 * the one behind it, are used for so long before it is asked again: whom they are meant for
 * may well take them. AWS calls that static stability. */
#define EXTENSION_MS (10 * 60 * (int64_t) 1000)

struct instance {
    char *url; /* owned */
    uint64_t timeout_s, tries;
    char *token;            /* owned, a secret; NULL: none */
    int64_t token_until_ms; /* CLOCK_MONOTONIC */
};

static void free_instance(void *state)
{
    struct instance *s = state;
    free(s->url);
    tokenfile_free(s->token);
    free(s);
}

/* ---- Settings ---- */

struct setting {
    const char *variable, *name; /* of the environment, of a profile */
};

static const struct setting endpoint = { "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "ec2_metadata_service_endpoint" };
static const struct setting mode = { "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "ec2_metadata_service_endpoint_mode" };
static const struct setting timeout = { "AWS_METADATA_SERVICE_TIMEOUT",
    "metadata_service_timeout" };
static const struct setting attempts = { "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
    "metadata_service_num_attempts" };

/* Whom to ask behind the environment. */
struct asked {
    struct profiles *profiles; /* owned */
    const char *profile;
};

/* NULL: nobody says. */
static const char *find(const struct asked *a, const struct setting *s)
{
    const char *value = getenv(s->variable);
    return value != NULL && *value != '\0' ? value
                                           : profile_get(a->profiles, a->profile, s->name);
}

/* 1 unless somebody says otherwise. */
static int find_number(const struct asked *a, const struct setting *s, uint64_t most,
    uint64_t *out, struct haul_error *err)
{
    const char *value = find(a, s);
    *out = 1;
    if (value == NULL ||
        (rows_take_number(&value, out) && *value == '\0' && *out >= 1 && *out <= most))
        return 0;
    return haul_error_set(err, HAUL_BAD_CONFIG, "%s (%s) is no number from 1 to %" PRIu64,
        s->variable, s->name, most);
}

static int find_url(
    const struct asked *a, const char *given, const char **url, struct haul_error *err)
{
    const char *value = given && *given ? given : find(a, &endpoint);
    const char *version = value ? NULL : find(a, &mode);
    *url = value                                                 ? value
           : version == NULL || strcasecmp(version, "IPv4") == 0 ? IPV4
           : strcasecmp(version, "IPv6") == 0                    ? IPV6
                                                                 : NULL;
    return *url ? 0
                : haul_error_set(err, HAUL_BAD_CONFIG, "%s (%s) is neither IPv4 nor IPv6",
                      mode.variable, mode.name);
}

static int configure(struct instance *s, const char *given, const char *profile,
    const char *file, struct haul_error *err)
{
    const char *url;
    const struct asked a = { profiles_read(file, err), profile_name(profile) };
    int rc = -1;
    if (a.profiles != NULL && find_url(&a, given, &url, err) == 0 &&
        find_number(&a, &timeout, 3600, &s->timeout_s, err) == 0 &&
        find_number(&a, &attempts, 100, &s->tries, err) == 0) {
        s->url = strdup(url);
        rc = s->url ? 0 : haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    }
    profiles_free(a.profiles);
    return rc;
}

/* ---- Asking ---- */

static struct inquiry about(
    const struct instance *s, const char *path, const struct haul_pair *header)
{
    return (struct inquiry){ .whom = "the instance metadata service",
        .url = s->url,
        .path = path,
        .headers = { header, 1 },
        .secrets = { s->token },
        .direct = true,
        .timeout_ms = (unsigned) s->timeout_s * 1000,
        .tries = (unsigned) s->tries };
}

/* Cuts the text behind its first line, and returns that. */
static char *first_line(char *text)
{
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

static int take_token(
    struct instance *s, char *text, const struct inquiry *q, struct haul_error *err)
{
    const char *fault = tokenfile_fault(first_line(text));
    if (fault != NULL)
        return haul_error_set(
            err, HAUL_BAD_REPLY, "%s at %s: its token %s", q->whom, q->url, fault);
    tokenfile_free(s->token);
    s->token = strdup(text);
    s->token_until_ms = loop_now_ms() + TOKEN_MS - TOKEN_MARGIN_MS;
    return s->token ? 0 : haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
}

/* One that is good for now, as far as we know. */
static int need_token(struct instance *s, struct inquirer *i, struct haul_error *err)
{
    const struct haul_pair header = { "x-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL };
    struct inquiry q = about(s, TOKEN_PATH, &header);
    struct answer a;
    int rc = -1;
    q.method = "PUT";
    if (s->token != NULL && loop_now_ms() < s->token_until_ms)
        return 0;
    if (inquire(i, &q, &a, err) < 0)
        return -1;
    if (a.status == 200)
        rc = take_token(s, a.text, &q, err);
    else /* 403: it is switched off; 404, 405: somebody else, or it knows no version 2 */
        answer_refusal(&a, &q,
            a.status == 403 || a.status == 404 || a.status == 405 ? HAUL_NO_CREDENTIALS
                                                                  : HAUL_SERVER,
            err);
    answer_free(&a);
    return rc;
}

static int find_role(const struct instance *s, struct inquirer *i,
    const struct haul_pair *header, char role[static ROLE_SIZE], struct haul_error *err)
{
    const struct inquiry q = about(s, ROLE_PATH, header);
    struct answer a;
    int rc = -1;
    if (inquire(i, &q, &a, err) < 0)
        return -1;
    const char *name = first_line(a.text);
    if (a.status == 404 || (a.status == 200 && *name == '\0'))
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "%s at %s: the instance has no role, give it an instance profile", q.whom, q.url);
    else if (a.status != 200)
        answer_refusal(&a, &q, HAUL_SERVER, err);
    else if (snprintf(role, ROLE_SIZE, "%s", name) >= ROLE_SIZE || strchr(name, '/') != NULL)
        haul_error_set(
            err, HAUL_BAD_REPLY, "%s at %s: what it names is no role", q.whom, q.url);
    else
        rc = 0;
    answer_free(&a);
    return rc;
}

static struct keys *ask_once(struct instance *s, struct inquirer *i, struct haul_error *err)
{
    char role[ROLE_SIZE], path[sizeof ROLE_PATH + ROLE_SIZE];
    if (need_token(s, i, err) < 0)
        return NULL;
    const struct haul_pair header = { "x-aws-ec2-metadata-token", s->token };
    if (find_role(s, i, &header, role, err) < 0)
        return NULL;
    snprintf(path, sizeof path, "%s%s", ROLE_PATH, role);
    const struct inquiry q = about(s, path, &header);
    return keysjson_ask(i, &q, &keysjson_container, err);
}

static struct keys *ask(void *state, struct inquirer *i, struct haul_error *err)
{
    struct instance *s = state;
    struct keys *k = ask_once(s, i, err);
    if (k == NULL && err->http_status == 401) { /* the token is too old, or another machine's */
        tokenfile_free(s->token);
        s->token = NULL;
        k = ask_once(s, i, err);
    }
    if (k == NULL && err->code == HAUL_NETWORK) {
        const struct haul_error why = *err;
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "no role of an instance: %s (not on EC2, or in a container farther away than the "
            "instance's hop limit)",
            why.text);
    }
    if (k != NULL && keys_have_expired(k, -1))
        k->expires_ms = (int64_t) time(NULL) * 1000 + k->issuer_offset_ms + EXTENSION_MS;
    return k;
}

static const struct credentials_kind kind = { "instance", ask, free_instance };

struct haul_credentials *credentials_of_instance(
    const char *url, const char *profile, const char *file, struct haul_error *err)
{
    const char *disabled = getenv(DISABLED);
    if (disabled != NULL && strcasecmp(disabled, "true") == 0) {
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "%s is true: the instance metadata service is not asked", DISABLED);
        return NULL;
    }
    struct instance *s = calloc(1, sizeof *s);
    if (s == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    if (configure(s, url, profile, file, err) == 0)
        return credentials_new(&kind, s, NULL, s->url, err);
    free_instance(s);
    return NULL;
}

struct haul_credentials *haul_credentials_from_instance(const char *url, struct haul_error *err)
{
    return credentials_of_instance(url, NULL, NULL, err);
}
