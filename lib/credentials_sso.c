/* Keys of IAM Identity Center: see haul_credentials_from_sso(). A login's token, which
 * `aws sso login` has left behind and sso_cache.c reads, is good for keys of a role; it is
 * renewed before it ends, by whichever process comes first. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "credentials.h"
#include "inquiry.h"
#include "jsonread.h"
#include "jsonwrite.h"
#include "keysjson.h"
#include "partition.h"
#include "rows.h"
#include "settings.h"
#include "sso_cache.h"
#include "tokenfile.h"

#define RENEW_MS (15 * 60 * (int64_t) 1000) /* before its end, as AWS's tools do */
#define LIFETIME_MAX_S INT32_MAX

struct sso {
    char *account_id, *role_name; /* owned */
    bool has_session;             /* without one a token is never renewed */
    char login[400];              /* the command that makes a new token */
    char path[PATH_MAX];          /* of the token */
    struct buf unsaved;           /* a token that could not be written there; "": none */
    char portal_url[SETTINGS_URL_SIZE], oidc_url[SETTINGS_URL_SIZE];
    char *ca_file; /* owned; NULL: the system's */
};

static int64_t clock_ms(void)
{
    return (int64_t) time(NULL) * 1000;
}

/* The command stands before what may be long, so that it is never cut off. */
static int demand_login(
    const struct sso *s, const char *why, const char *detail, struct haul_error *err)
{
    return haul_error_set(
        err, HAUL_NO_CREDENTIALS, "%s: run `%s` (%s%s)", why, s->login, s->path, detail);
}

static bool is_final(const struct haul_error *err)
{
    return err->code == HAUL_NO_MEMORY || err->code == HAUL_CANCELLED;
}

/* ---- The token ---- */

static int read_cache(const struct sso *s, struct sso_token *out, struct haul_error *err)
{
    struct buf text = buf_make_secret(SSO_CACHE_BYTES_MAX);
    int rc = sso_cache_read(s->path, &text, err);
    if (rc == 0)
        rc = sso_cache_parse(&text, out, err);
    buf_free(&text);
    return rc;
}

/* Of the file's token and one that could not be written there, the one that lives longer. */
static int find_token(const struct sso *s, struct sso_token *out, struct haul_error *err)
{
    struct sso_token unsaved = { .members = NULL };
    struct haul_error why;
    if (read_cache(s, out, &why) < 0) {
        if (why.code == HAUL_NO_MEMORY) {
            *err = why;
            return -1;
        }
        char detail[128];
        snprintf(detail, sizeof detail, ": %.120s", why.text);
        return demand_login(s, "there is no login to Identity Center", detail, err);
    }
    if (s->unsaved.len > 0 && sso_cache_parse(&s->unsaved, &unsaved, err) == 0 &&
        unsaved.expires_ms > out->expires_ms) {
        sso_token_free(out);
        *out = unsaved;
    } else {
        sso_token_free(&unsaved);
    }
    return 0;
}

/* What OIDC answers becomes the token, for all that read the cache. One that can't be written
 * there (a home that is mounted read-only) is kept here. */
static int take_renewed(
    struct sso *s, const struct answer *a, struct sso_token *t, struct haul_error *err)
{
    struct buf text = buf_make_secret(SSO_CACHE_BYTES_MAX);
    struct sso_token renewed = { .members = NULL };
    struct haul_error ignored;
    uint64_t seconds;
    int rc = -1;
    struct json *j = json_parse("the answer of SSO OIDC", a->text, a->len, err);
    if (j == NULL)
        return -1;
    const char *access = json_text(j, "accessToken"), *expires = json_text(j, "expiresIn");
    haul_error_set(
        err, HAUL_BAD_REPLY, "the answer of SSO OIDC has no proper accessToken and expiresIn");
    if (access == NULL || expires == NULL || !rows_take_number(&expires, &seconds) ||
        *expires != '\0' || seconds > LIFETIME_MAX_S || tokenfile_fault(access) != NULL)
        goto out;
    sso_cache_renew(
        t, access, json_text(j, "refreshToken"), clock_ms() + (int64_t) seconds * 1000, &text);
    if (buf_failed(&text, "a login", err) || sso_cache_parse(&text, &renewed, err) < 0)
        goto out;
    sso_token_free(t);
    *t = renewed;
    buf_free(&s->unsaved);
    if (sso_cache_write(s->path, &text, &ignored) < 0) {
        s->unsaved = text;
        text = buf_make_secret(SSO_CACHE_BYTES_MAX);
    }
    rc = 0;
out:
    json_free(j);
    buf_free(&text);
    return rc;
}

static int renew(struct sso *s, struct inquirer *i, struct sso_token *t, struct haul_error *err)
{
    static const char *const sent[] = { "clientId", "clientSecret", "refreshToken" };
    struct haul_pair type = { "content-type", "application/json" };
    struct buf body = buf_make_secret(SSO_CACHE_BYTES_MAX);
    struct answer a = { .text = NULL };
    int rc = -1;
    jsonwrite_member(&body, "grantType", "refresh_token");
    for (size_t n = 0; n < sizeof sent / sizeof *sent; n++)
        jsonwrite_member(&body, sent[n], json_text(t->members, sent[n]));
    buf_adds(&body, "}");
    if (buf_failed(&body, "a login", err))
        goto out;
    const struct inquiry q = { .whom = "SSO OIDC",
        .method = "POST",
        .url = s->oidc_url,
        .path = "token",
        .headers = { &type, 1 },
        .body = body.data,
        .secrets = { t->access, json_text(t->members, sent[1]),
            json_text(t->members, sent[2]) },
        .ca_file = s->ca_file };
    if (inquire(i, &q, &a, err) < 0)
        goto out;
    rc = a.status == 200 ? take_renewed(s, &a, t, err)
                         : answer_refusal(&a, &q, HAUL_SERVER, err);
out:
    answer_free(&a);
    buf_free(&body);
    return rc;
}

/* A token that lives. Another process may have renewed it just before us, with the one refresh
 * token that there was: then ours is refused, and the file has the new one. */
static int prepare_token(
    struct sso *s, struct inquirer *i, struct sso_token *t, struct haul_error *err)
{
    struct sso_token again = { .members = NULL };
    struct haul_error why;
    bool is_refused = true;
    if (find_token(s, t, err) < 0)
        return -1;
    int64_t now_ms = clock_ms();
    if (s->has_session && t->expires_ms < now_ms + RENEW_MS && t->renewable_ms > now_ms &&
        renew(s, i, t, &why) < 0) {
        *err = why;
        if (is_final(&why) || find_token(s, &again, err) < 0)
            return -1;
        sso_token_free(t);
        *t = again;
        is_refused = why.code == HAUL_SERVER && why.retry == HAUL_RETRY_WHEN_FIXED;
    }
    if (t->expires_ms > clock_ms())
        return 0;
    if (is_refused)
        return demand_login(s, "the login to Identity Center has expired", "", err);
    *err = why;
    return -1;
}

/* ---- The keys ---- */

static struct keys *ask_portal(
    const struct sso *s, struct inquirer *i, const struct sso_token *t, struct haul_error *err)
{
    static const struct keysjson_names names = { "roleCredentials.accessKeyId",
        "roleCredentials.secretAccessKey", "roleCredentials.sessionToken",
        "roleCredentials.expiration" };
    struct haul_pair header = { "x-amz-sso_bearer_token", t->access };
    struct haul_pair query[] = { { "role_name", s->role_name },
        { "account_id", s->account_id } };
    const struct inquiry q = { .whom = "the SSO portal",
        .url = s->portal_url,
        .path = "federation/credentials",
        .query = { query, 2 },
        .headers = { &header, 1 },
        .secrets = { t->access },
        .ca_file = s->ca_file };
    struct keys *k = keysjson_ask(i, &q, &names, err);
    if (k != NULL || err->code != HAUL_SERVER)
        return k;
    if (err->http_status == 401)
        demand_login(s, "Identity Center does not accept the login", "", err);
    else if (err->http_status == 403)
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "the role %s of account %s is not yours: ask %s for it", s->role_name,
            s->account_id, "the administrator of your Identity Center");
    return NULL;
}

static struct keys *ask(void *state, struct inquirer *i, struct haul_error *err)
{
    struct sso_token t = { .members = NULL };
    struct keys *k =
        prepare_token(state, i, &t, err) < 0 ? NULL : ask_portal(state, i, &t, err);
    sso_token_free(&t);
    return k;
}

static void free_sso(void *state)
{
    struct sso *s = state;
    free(s->account_id);
    free(s->role_name);
    free(s->ca_file);
    buf_free(&s->unsaved);
    free(s);
}

/* ---- The object ---- */

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

static int check(const struct haul_sso *o, struct haul_error *err)
{
    const struct {
        const char *name, *value;
    } needs[] = { { "sso_start_url", o->start_url }, { "sso_region", o->region },
        { "sso_account_id", o->account_id }, { "sso_role_name", o->role_name } };
    char missing[80] = "";
    size_t len = 0;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (!is_given(needs[i].value))
            len += (size_t) snprintf(
                missing + len, sizeof missing - len, "%s%s", len ? ", " : "", needs[i].name);
    if (len > 0)
        return haul_error_set(err, HAUL_BAD_CONFIG, "%s%s lacks %s, which SSO needs",
            o->profile ? "profile " : "the configuration", o->profile ? o->profile : "",
            missing);
    if (!partition_is_region(o->region))
        return haul_error_set(err, HAUL_BAD_CONFIG, "sso_region %s is no region", o->region);
    return 0;
}

/* As a shell takes it. */
static void write_login(const struct haul_sso *o, char *out, size_t size)
{
    const char *name = is_given(o->profile) ? o->profile : o->session;
    if (!is_given(name)) {
        snprintf(out, size, "aws sso login");
        return;
    }
    bool is_plain = name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_.,:/+@%")] == '\0';
    const char *quote = is_plain ? "" : "'";
    snprintf(out, size, "aws sso login --%s %s%.256s%s",
        name == o->session ? "sso-session" : "profile", quote, name, quote);
}

static int find_url(const struct haul_sso *o, const char *service, const char *host,
    char out[static SETTINGS_URL_SIZE], struct haul_error *err)
{
    if (settings_service_url(o->profile, o->file, service, out, err) < 0)
        return -1;
    if (*out == '\0')
        snprintf(out, SETTINGS_URL_SIZE, "https://%s.%s.%s", host, o->region,
            partition_of(o->region)->domain);
    return 0;
}

static struct sso *make(const struct haul_sso *o, struct haul_error *err)
{
    struct haul_settings settings;
    struct sso *s = calloc(1, sizeof *s);
    if (s == NULL)
        goto no_memory;
    s->unsaved = buf_make_secret(SSO_CACHE_BYTES_MAX);
    s->has_session = is_given(o->session);
    s->account_id = strdup(o->account_id);
    s->role_name = strdup(o->role_name);
    if (s->account_id == NULL || s->role_name == NULL)
        goto no_memory;
    write_login(o, s->login, sizeof s->login);
    if (sso_cache_path(s->has_session ? o->session : o->start_url, s->path, err) < 0 ||
        find_url(o, "sso", "portal.sso", s->portal_url, err) < 0 ||
        find_url(o, "sso_oidc", "oidc", s->oidc_url, err) < 0 ||
        haul_settings_find(o->profile, o->file, &settings, err) < 0)
        goto failed;
    if (*settings.ca_file != '\0' && (s->ca_file = strdup(settings.ca_file)) == NULL)
        goto no_memory;
    return s;
no_memory:
    haul_error_set(err, HAUL_NO_MEMORY, "out of memory for credentials");
failed:
    if (s != NULL)
        free_sso(s);
    return NULL;
}

struct haul_credentials *haul_credentials_from_sso(
    const struct haul_sso *sso, struct haul_error *err)
{
    static const struct credentials_kind kind = { "sso", ask, free_sso };
    char detail[256];
    struct sso *s = check(sso, err) < 0 ? NULL : make(sso, err);
    if (s == NULL)
        return NULL;
    snprintf(detail, sizeof detail, "role %s of account %s, %s", s->role_name, s->account_id,
        sso->start_url);
    return credentials_new(&kind, s, sso->profile, detail, err);
}
