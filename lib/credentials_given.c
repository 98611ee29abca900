/* Sources that nobody has to be asked for: keys of the caller's, of an URL, of the environment;
 * and several sources as one. See <haul/credentials.h>. */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "credentials.h"
#include "hash.h"
#include "uri.h"

struct haul_credentials *haul_credentials_static(
    const char *key_id, const char *secret, const char *token, struct haul_error *err)
{
    return credentials_fixed(
        "static", keys_new("the keys", key_id, secret, token, err), NULL, NULL, err);
}

struct haul_credentials *haul_credentials_from_environment(struct haul_error *err)
{
    const char *key_id = getenv("AWS_ACCESS_KEY_ID");
    const char *secret = getenv("AWS_SECRET_ACCESS_KEY");
    const char *token = getenv("AWS_SESSION_TOKEN");
    struct keys *k = keys_new("the environment", key_id, secret, token, err);
    if (k != NULL && k->key_id == NULL && k->secret == NULL && k->token == NULL) {
        keys_release(k);
        k = NULL;
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "the environment has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    return credentials_fixed("environment", k, NULL, NULL, err);
}

/* ---- An URL ---- */

struct haul_credentials *credentials_of_user(char *user, struct haul_error *err)
{
    char *secret = strchr(user, ':');
    if (secret != NULL)
        *secret++ = '\0';
    if (uri_decode(user) < 0 || (secret != NULL && uri_decode(secret) < 0)) {
        haul_error_set(err, HAUL_BAD_CONFIG,
            "the URL has keys that are not percent-encoded as they should");
        return NULL;
    }
    struct keys *k = keys_new("the URL", user, secret, NULL, err);
    if (k != NULL && keys_check(k, "the URL", err) < 0) {
        keys_release(k);
        k = NULL;
    }
    return credentials_fixed("url", k, NULL, NULL, err);
}

struct haul_credentials *haul_credentials_from_url(const char *url, struct haul_error *err)
{
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    size_t len = strcspn(start, "/?#");
    const char *at = memrchr(start, '@', len);
    if (strchr(start + len, '@') != NULL) {
        haul_error_set(err, HAUL_BAD_CONFIG,
            "the URL has \"@\" where none belongs: expected https://KEY:SECRET@HOST, with keys "
            "percent-encoded");
        return NULL;
    }
    if (at == NULL) {
        haul_error_set(err, HAUL_NO_CREDENTIALS, "the URL has no KEY:SECRET@ before its host");
        return NULL;
    }
    char *user = strndup(start, (size_t) (at - start));
    if (user == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    struct haul_credentials *c = credentials_of_user(user, err);
    wipe(user, (size_t) (at - start));
    free(user);
    return c;
}

/* ---- Several as one ---- */

struct merged {
    bool has_asked;
    size_t count;
    struct haul_credentials *sources[]; /* owned */
};

static void free_merged(void *state)
{
    struct merged *m = state;
    for (size_t i = 0; i < m->count; i++)
        haul_credentials_free(m->sources[i]);
    free(m);
}

static int64_t end_ms(const struct keys *k)
{
    return k->expires_ms == KEYS_NEVER_EXPIRE ? INT64_MAX : k->expires_ms - k->issuer_offset_ms;
}

static bool take_field(const char **field, const char *value)
{
    bool takes = *field == NULL && value != NULL;
    if (takes)
        *field = value;
    return takes;
}

/* Together they live as long as the first of them that expires. */
static struct keys *merge(
    const struct keys *const parts[], size_t count, struct haul_error *err)
{
    const char *key_id = NULL, *secret = NULL, *token = NULL;
    const struct keys *first = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct keys *k = parts[i];
        if (k == NULL) /* anonymous */
            continue;
        bool takes = take_field(&key_id, k->key_id);
        takes |= take_field(&secret, k->secret);
        takes |= take_field(&token, k->token);
        if (takes && (first == NULL || end_ms(k) < end_ms(first)))
            first = k;
    }
    struct keys *merged = keys_new("the merged keys", key_id, secret, token, err);
    if (merged != NULL && first != NULL) {
        merged->expires_ms = first->expires_ms;
        merged->issuer_offset_ms = first->issuer_offset_ms;
    }
    return merged;
}

/* What the sources have gathered when they were made is good enough for the first time. */
static struct keys *ask_all(void *state, struct inquirer *i, struct haul_error *err)
{
    struct merged *m = state;
    struct keys *keys = NULL;
    const struct keys **parts = calloc(m->count, sizeof *parts);
    if (parts == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    for (size_t n = 0; n < m->count; n++)
        if ((m->has_asked && credentials_refresh(m->sources[n], i, err) < 0) ||
            credentials_await(m->sources[n], i, &parts[n], err) < 0)
            goto out;
    m->has_asked = true;
    keys = merge(parts, m->count, err);
out:
    for (size_t n = 0; n < m->count; n++)
        keys_release(parts[n]);
    free(parts);
    return keys;
}

static const struct credentials_kind merged_kind = { "merged", ask_all, free_merged };

/* "environment, instance" */
static void add_names(struct buf *b, const struct merged *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct haul_identity who;
        haul_credentials_describe(m->sources[i], &who);
        buf_addf(b, "%s%s", i == 0 ? "" : ", ", who.source);
    }
}

struct haul_credentials *haul_credentials_merge(
    struct haul_credentials *const sources[], size_t count, struct haul_error *err)
{
    struct merged *m = calloc(1, sizeof *m + count * sizeof *sources);
    struct haul_credentials *c = NULL;
    struct buf names = buf_make(sizeof((struct haul_identity *) 0)->detail - 1);
    if (m == NULL) {
        for (size_t i = 0; i < count; i++)
            haul_credentials_free(sources[i]);
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for credentials");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        if (sources[i] != NULL)
            m->sources[m->count++] = sources[i];
    add_names(&names, m);
    if (m->count > 0) {
        c = credentials_new(&merged_kind, m, NULL, buf_text(&names), err);
    } else {
        haul_error_set(err, HAUL_NO_CREDENTIALS, "none of the sources of keys has any");
        free_merged(m);
    }
    buf_free(&names);
    return c;
}
