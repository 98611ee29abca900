/* STS: see sts.h. Its answers are XML, and so are its refusals, which reply.c reads.
 * https://docs.aws.amazon.com/STS/latest/APIReference/ */
#include "sts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "credentials.h"
#include "document.h"
#include "inquiry.h"
#include "jsonread.h"
#include "partition.h"
#include "settings.h"
#include "tokenfile.h"
#include "uri.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define DURATION_MIN_S 900
#define DURATION_MAX_S 43200
#define SESSION_NAME "AWS_ROLE_SESSION_NAME"
#define SESSION_NAME_MIN 2
#define SESSION_NAME_MAX 64
#define FORM_MAX_BYTES (3 * TOKENFILE_BYTES_MAX + 16384) /* all of a token may be escaped */

struct role {
    char *arn, *session_name, *region, *url; /* owned, as the next two */
    char *external_id, *ca_file;             /* NULL: none */
    char duration[16];                       /* in seconds; "": STS's usual hour */
    char whom[256];                          /* for messages */
};

/* ---- Roles ---- */

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

static bool is_visible(const char *text)
{
    for (; *text > ' ' && *text != 0x7F; text++)
        ;
    return *text == '\0';
}

/* Only what plainly is none is refused: stores other than AWS have accounts and names of their
 * own. */
static int check_arn(const char *arn, struct haul_error *err)
{
    if (arn != NULL && strncmp(arn, "arn:", 4) == 0 && is_visible(arn))
        return 0;
    return haul_error_set(err, HAUL_BAD_CONFIG,
        "the role \"%.99s\" is no ARN: expected arn:aws:iam::ACCOUNT:role/NAME",
        arn ? arn : "");
}

static int find_session_name(
    const char *given, char out[static SESSION_NAME_MAX + 1], struct haul_error *err)
{
    const char *variable = is_given(given) ? NULL : getenv(SESSION_NAME);
    const char *name = variable ? variable : given;
    if (!is_given(name)) {
        snprintf(out, SESSION_NAME_MAX + 1, "haul-%lld", (long long) time(NULL));
        return 0;
    }
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789_+=,.@-");
    if (name[len] != '\0' || len < SESSION_NAME_MIN || len > SESSION_NAME_MAX)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "%s: expected %d to %d letters, digits and characters of \"_+=,.@-\"",
            variable ? SESSION_NAME : "the role's session name", SESSION_NAME_MIN,
            SESSION_NAME_MAX);
    memcpy(out, name, len + 1);
    return 0;
}

/* STS, as AWS has it in the region. */
static int find_host(const struct haul_role *given, const char *region, bool fips,
    char out[static SETTINGS_URL_SIZE], struct haul_error *err)
{
    const unsigned seconds = given->duration_seconds;
    if (seconds != 0 && (seconds < DURATION_MIN_S || seconds > DURATION_MAX_S))
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "the role's duration of %u seconds: STS takes %d to %d", seconds, DURATION_MIN_S,
            DURATION_MAX_S);
    if (!partition_is_region(region))
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "\"%.64s\" is not a region's name, so STS has no host", region);
    const struct partition *p = partition_of(region);
    bool has_fips = *p->prefix == '\0'; /* in aws-us-gov all are of that kind */
    snprintf(out, SETTINGS_URL_SIZE, "https://sts%s.%s.%s", fips && has_fips ? "-fips" : "",
        region, p->domain);
    return 0;
}

static int fill_in(struct role *r, const struct haul_role *given, struct haul_error *err)
{
    char session_name[SESSION_NAME_MAX + 1], url[SETTINGS_URL_SIZE] = "";
    struct haul_settings s = { .fips = false };
    if (check_arn(given->arn, err) < 0 ||
        find_session_name(given->session_name, session_name, err) < 0)
        return -1;
    /* Who gives all may have files of AWS's that can't be read. */
    const bool needed = given->region == NULL || given->ca_file == NULL;
    if (haul_settings_find(NULL, NULL, &s, err) < 0 && needed)
        return -1;
    const char *region = given->region ? given->region : s.region;
    if (*region == '\0')
        region = "us-east-1";
    if (given->sts_url == NULL && settings_service_url(NULL, NULL, "sts", url, err) < 0)
        return -1;
    const char *own = is_given(given->sts_url) ? given->sts_url : url;
    if (*own == '\0' && find_host(given, region, s.fips, url, err) < 0)
        return -1;
    if (given->duration_seconds != 0)
        snprintf(r->duration, sizeof r->duration, "%u", given->duration_seconds);
    snprintf(r->whom, sizeof r->whom, "STS (role %.200s)", given->arn);
    const struct {
        char **to;
        const char *from;
    } copies[] = { { &r->arn, given->arn }, { &r->session_name, session_name },
        { &r->region, region }, { &r->url, own }, { &r->external_id, given->external_id },
        { &r->ca_file, given->ca_file ? given->ca_file : s.ca_file } };
    for (size_t i = 0; i < COUNT(copies); i++)
        if (is_given(copies[i].from) && (*copies[i].to = strdup(copies[i].from)) == NULL)
            return haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a role");
    return 0;
}

struct role *role_new(const struct haul_role *given, struct haul_error *err)
{
    struct role *r = calloc(1, sizeof *r);
    if (r == NULL)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a role");
    if (r == NULL || fill_in(r, given, err) == 0)
        return r;
    role_free(r);
    return NULL;
}

void role_free(struct role *r)
{
    if (r == NULL)
        return;
    free(r->arn);
    free(r->session_name);
    free(r->region);
    free(r->url);
    free(r->external_id);
    free(r->ca_file);
    free(r);
}

const char *role_arn(const struct role *r)
{
    return r->arn;
}

/* ---- Answers ---- */

static struct keys *read_keys(
    const struct role *r, const char *result, const struct answer *a, struct haul_error *err)
{
    static const char *const names[] = { "AccessKeyId", "SecretAccessKey", "SessionToken",
        "Expiration" };
    const char *texts[COUNT(names)];
    struct haul_error why;
    struct keys *k = NULL;
    int64_t expires_ms;
    struct document *d = document_parse(a->text, a->len, &why);
    const struct element *e = NULL;
    if (d == NULL) {
        haul_error_set(err, why.code, "%s at %s: %s", r->whom, r->url, why.text);
        goto out;
    }
    if ((e = element_child(document_element(d), result)) != NULL)
        e = element_child(e, "Credentials");
    for (size_t i = 0; i < COUNT(names); i++)
        if (e == NULL || !is_given(texts[i] = element_text(e, names[i]))) {
            haul_error_set(err, HAUL_BAD_REPLY, "%s at %s: its answer has no %s", r->whom,
                r->url, names[i]);
            goto out;
        }
    if ((expires_ms = json_time_ms(texts[3])) < 0)
        haul_error_set(
            err, HAUL_BAD_REPLY, "%s at %s: its Expiration is no time", r->whom, r->url);
    else if ((k = keys_new(r->whom, texts[0], texts[1], texts[2], err)) != NULL)
        keys_set_expiry(k, expires_ms, a->server_ms);
out:
    document_free(d);
    return k;
}

/* Whoever asks is not, or no longer, the one who may have these keys. */
static enum haul_code code_of(const struct answer *a)
{
    static const char *const codes[] = { "ExpiredTokenException", "ExpiredToken",
        "InvalidIdentityToken", "IDPRejectedClaim", "NoSuchEntity" };
    for (size_t i = 0; i < COUNT(codes); i++)
        if (strcmp(a->code, codes[i]) == 0)
            return HAUL_NO_CREDENTIALS;
    return a->status == 401 || a->status == 403 ? HAUL_NO_CREDENTIALS : HAUL_SERVER;
}

/* ---- Questions ---- */

/* base and token may be NULL. */
static struct keys *ask(const struct role *r, const char *action, const char *result,
    const struct keys *base, const char *token, struct inquirer *i, struct haul_error *err)
{
    const struct uri_param all[] = { { "Action", action }, { "Version", "2011-06-15" },
        { "RoleArn", r->arn }, { "RoleSessionName", r->session_name },
        { "DurationSeconds", r->duration }, { "ExternalId", token ? NULL : r->external_id },
        { "WebIdentityToken", token } };
    const struct haul_pair type = { "content-type",
        "application/x-www-form-urlencoded; charset=utf-8" };
    struct uri_param given[COUNT(all)];
    size_t count = 0;
    struct buf form = buf_make_secret(FORM_MAX_BYTES);
    struct answer a = { .text = NULL };
    struct keys *k = NULL;

    for (size_t n = 0; n < COUNT(all); n++)
        if (is_given(all[n].value))
            given[count++] = all[n];
    uri_add_query(&form, given, count);
    const struct inquiry q = { .whom = r->whom,
        .method = "POST",
        .url = r->url,
        .headers = { &type, 1 },
        .body = form.data,
        .secrets = { token },
        .keys = base,
        .service = "sts",
        .region = r->region,
        .ca_file = r->ca_file };
    if (buf_failed(&form, "the question to STS", err) || inquire(i, &q, &a, err) < 0)
        goto out;
    if (a.status == 200)
        k = read_keys(r, result, &a, err);
    else
        answer_refusal(&a, &q, code_of(&a), err);
out:
    answer_free(&a);
    buf_free(&form);
    return k;
}

struct keys *sts_assume_role(
    const struct role *r, const struct keys *base, struct inquirer *i, struct haul_error *err)
{
    return ask(r, "AssumeRole", "AssumeRoleResult", base, NULL, i, err);
}

struct keys *sts_assume_role_with_web_identity(
    const struct role *r, const char *token, struct inquirer *i, struct haul_error *err)
{
    return ask(
        r, "AssumeRoleWithWebIdentity", "AssumeRoleWithWebIdentityResult", NULL, token, i, err);
}
