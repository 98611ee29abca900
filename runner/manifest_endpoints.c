/* The endpoints of a manifest: where they are, and by which reference their keys are found. No
 * secret comes into the program here: only the names of environment variables do. */
#include "manifest_endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "words.h"

#define ENDPOINTS_MAX 1000
#define URL_BYTES_MAX 2000

const char *manifest_endpoints_url_fault(const char *url)
{
    const size_t scheme = strncmp(url, "http://", 7) == 0    ? 7
                          : strncmp(url, "https://", 8) == 0 ? 8
                                                             : 0;
    if (strchr(url, '@') != NULL)
        return "a url has no user or password: see credentials";
    if (scheme == 0 || strchr("/:", url[scheme]) != NULL)
        return "expected http://HOST[:PORT] or https://HOST[:PORT]";
    if (strpbrk(url, "?#") != NULL)
        return "a url has no query (?) and no fragment (#)";
    if (strlen(url) > URL_BYTES_MAX)
        return "a url has at most 2000 characters";
    for (const char *at = url; *at != '\0'; at++)
        if ((unsigned char) *at <= ' ' || (unsigned char) *at >= 0x7f)
            return "a url has neither blanks nor control or non-ASCII characters";
    return NULL;
}

static void read_url(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    char *url = fields_expand(l, n, f);
    const char *why = url != NULL ? manifest_endpoints_url_fault(url) : NULL;
    if (why != NULL)
        problems_add(&l->problems, n->line, n->column, "%s: %s", f->name, why);
    *(char **) into = url;
}

static bool is_region(const char *text)
{
    return text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-")] == '\0' &&
           strlen(text) <= 63;
}

/* Only "${env:NAME}", of which the name is kept. What else stands there may be the secret
 * itself, and is not repeated. */
static void read_secret(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    errno = 0;
    char *name = n->kind == YAMLTREE_SCALAR ? vars_environment_name(n->text) : NULL;
    if (name == NULL && errno == ENOMEM)
        l->problems.no_memory = true;
    else if (name == NULL)
        problems_add(&l->problems, n->line, n->column,
            "%s: a secret does not belong in a job file: write ${env:NAME}", f->name);
    else if (!l->thawing && (getenv(name) == NULL || getenv(name)[0] == '\0'))
        problems_add(&l->problems, n->line, n->column, "%s: the environment has no variable %s",
            f->name, problems_quote(name).text);
    *(char **) into = name;
}

#define AT(field) offsetof(struct manifest_endpoint, field)
static const struct field credentials_fields[] = {
    FIELD("profile", fields_text, AT(profile), "the name of a profile"),
    FIELD("file", fields_path, AT(file), "the path of a credentials file"),
    FIELD("access_key_id", read_secret, AT(key_id_variable), NULL),
    FIELD("secret_access_key", read_secret, AT(secret_variable), NULL),
    FIELD("session_token", read_secret, AT(token_variable), NULL),
    NO_MORE_FIELDS,
};

static void read_credentials(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    struct manifest_endpoint *e = into;
    if (n->kind != YAMLTREE_MAPPING) {
        fields_word(l, n, f, &e->credentials);
        return;
    }
    fields_read(l, n, "credentials", credentials_fields, e);
    const bool profile = yamltree_get(n, "profile") != NULL || yamltree_get(n, "file") != NULL;
    const bool id = yamltree_get(n, "access_key_id") != NULL;
    const bool secret = yamltree_get(n, "secret_access_key") != NULL;
    const bool keys = id || secret || yamltree_get(n, "session_token") != NULL;
    if (profile == keys || id != secret || keys != id)
        problems_add(&l->problems, n->line, n->column,
            "credentials: expected profile or file, or else access_key_id with "
            "secret_access_key (and session_token)");
    e->credentials = profile ? CREDENTIALS_PROFILE : CREDENTIALS_KEYS;
}

static const struct field endpoint_fields[] = {
    FIELD("url", read_url, AT(url), "http://HOST[:PORT] or https://HOST[:PORT]"),
    FIELD(
        "region", fields_text, AT(region), "a region, such as eu-central-1", .fits = is_region),
    FIELD("addressing", fields_word, AT(addressing), "auto, path or virtual",
        .words = addressing_words),
    FIELD("payload", fields_word, AT(payload), "auto, signed, unsigned or chunked",
        .words = payload_words),
    FIELD("credentials", read_credentials, 0,
        "auto, env, container, instance, web_identity, anonymous, or a mapping",
        .words = credentials_words, .secret = true),
    FIELD("ca_file", fields_path, AT(ca_file), "the path of a PEM file"),
    FIELD("client_cert", fields_path, AT(client_cert), "the path of a PEM file"),
    FIELD("client_key", fields_path, AT(client_key), "the path of a PEM file"),
    FIELD("client_key_password", read_secret, AT(key_password_variable), NULL),
    FIELD("insecure", fields_flag, AT(insecure), "true or false"),
    FIELD("dualstack", fields_flag, AT(dualstack), "true or false"),
    FIELD("fips", fields_flag, AT(fips), "true or false"),
    FIELD("accelerate", fields_flag, AT(accelerate), "true or false"),
    NO_MORE_FIELDS,
};
#undef AT

static struct manifest_endpoint *find(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->endpoint_count; i++)
        if (strcmp(m->endpoints[i]->name, name) == 0)
            return m->endpoints[i];
    return NULL;
}

/* A new one with the defaults. NULL: out of memory. */
static struct manifest_endpoint *add(struct loader *l, const char *name)
{
    struct manifest *m = l->manifest;
    struct manifest_endpoint *e = calloc(1, sizeof *e);
    struct manifest_endpoint **more =
        realloc(m->endpoints, (m->endpoint_count + 1) * sizeof(*more));
    if (more != NULL)
        m->endpoints = more;
    if (e == NULL || more == NULL || (e->name = strdup(name)) == NULL) {
        l->problems.no_memory = true;
        free(e);
        return NULL;
    }
    e->payload = l->payload;
    return more[m->endpoint_count++] = e;
}

/* ---- Where it is */

void manifest_endpoints_settle(struct manifest_endpoint *e, const struct haul_settings *s)
{
    if (e->url != NULL)
        return;
    if (e->addressing == HAUL_ADDRESS_AUTO)
        e->addressing = s->addressing;
    if (s->url[0] != '\0') {
        e->url = (char *) s->url;
        return;
    }
    if (e->region == NULL && s->region[0] != '\0')
        e->region = (char *) s->region;
    e->dualstack |= s->dualstack;
    e->fips |= s->fips;
    e->accelerate |= s->accelerate;
}

struct contradiction manifest_endpoints_contradiction(
    const struct manifest_endpoint *e, size_t *at)
{
    static const char host[] = "it chooses among AWS's hosts, and an url (its own, the "
                               "environment's or the profile's) names another";
    static const char cert[] = "there is no client_cert that it belongs to";
    const bool url = e->url != NULL;
    const struct {
        struct contradiction is;
        bool wrong;
    } rules[] = {
        { { "dualstack", host }, e->dualstack && url },
        { { "fips", host }, e->fips && url },
        { { "accelerate", host }, e->accelerate && url },
        { { "accelerate", "AWS has no such host with fips" }, e->accelerate && e->fips },
        { { "accelerate", "its hosts begin with the bucket's name, so addressing is not path" },
            e->accelerate && e->addressing == HAUL_ADDRESS_PATH },
        { { "client_key", cert }, e->client_key != NULL && e->client_cert == NULL },
        { { "client_key_password", cert },
            e->key_password_variable != NULL && e->client_cert == NULL },
    };
    while (*at < sizeof rules / sizeof *rules)
        if (rules[(*at)++].wrong)
            return rules[*at - 1].is;
    return (struct contradiction){ NULL, NULL };
}

/* A copy of what settings lent. */
static void own(struct loader *l, char **text, const char *lent)
{
    if (*text == lent && (*text = strdup(lent)) == NULL)
        l->problems.no_memory = true;
}

/* Once, when the file is read: a resumed run goes where it went before. n: the endpoint, or the
 * address that implies it. */
static void settle(struct loader *l, struct manifest_endpoint *e, const struct yamltree *n)
{
    struct haul_settings s = { .region = "" };
    struct haul_error error;
    struct contradiction c;
    const char *why;
    size_t at = 0;

    if (!l->thawing && haul_settings_find(e->profile, e->file, &s, &error) < 0) {
        problems_add(&l->problems, n->line, n->column, "endpoint %s: %s", e->name, error.text);
        return;
    }
    s.dualstack &= yamltree_get(n, "dualstack") == NULL;
    s.fips &= yamltree_get(n, "fips") == NULL;
    s.accelerate &= yamltree_get(n, "accelerate") == NULL;
    manifest_endpoints_settle(e, &s);
    own(l, &e->url, s.url);
    own(l, &e->region, s.region);
    if (s.url[0] != '\0' && (why = manifest_endpoints_url_fault(s.url)) != NULL)
        problems_add(&l->problems, n->line, n->column,
            "endpoint %s: the url of the environment or the profile: %s", e->name, why);
    while ((c = manifest_endpoints_contradiction(e, &at)).field != NULL) {
        const struct yamltree *field = yamltree_get(n, c.field);
        if (field == NULL) /* it came from elsewhere */
            field = n;
        problems_add(&l->problems, field->line, field->column, "%s: %s", c.field, c.why);
    }
}

void manifest_endpoints_read(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    (void) into;
    if (n->kind != YAMLTREE_MAPPING) {
        fields_mismatch(l, n, f);
        return;
    }
    for (const struct yamltree *key = n->first; key != NULL; key = key->next) {
        if (l->manifest->endpoint_count == ENDPOINTS_MAX) {
            problems_add(
                &l->problems, key->line, key->column, "more than %d endpoints", ENDPOINTS_MAX);
            return;
        }
        if (!address_is_endpoint_name(key->text))
            problems_add(&l->problems, key->line, key->column,
                "%s: an endpoint's name has letters, digits, dots, hyphens and underscores, "
                "at most 64",
                problems_quote(key->text).text);
        struct manifest_endpoint *e = add(l, key->text);
        if (e == NULL)
            return;
        fields_read(l, key->value, "an endpoint", endpoint_fields, e);
        if (key->value->kind == YAMLTREE_MAPPING)
            settle(l, e, key->value);
    }
}

const struct manifest_endpoint *manifest_endpoints_get(
    struct loader *l, const char *name, const struct yamltree *n, const struct field *f)
{
    struct manifest_endpoint *e = find(l->manifest, name);
    if (e == NULL && strcmp(name, "s3") == 0 && !l->thawing && (e = add(l, "s3")) != NULL)
        settle(l, e, n);
    if (e != NULL || l->problems.no_memory)
        return e;

    struct nearest near = { .word = name };
    for (size_t i = 0; i < l->manifest->endpoint_count; i++)
        nearest_offer(&near, l->manifest->endpoints[i]->name);
    problems_add(&l->problems, n->line, n->column,
        "%s: no endpoint %s is declared under endpoints%s%s%s", f->name,
        problems_quote(name).text, near.found != NULL ? "; did you mean \"" : "",
        near.found != NULL ? near.found : "", near.found != NULL ? "\"?" : "");
    return NULL;
}

void manifest_endpoints_free(struct manifest_endpoint *e)
{
    char *const strings[] = { e->name, e->url, e->region, e->profile, e->file,
        e->key_id_variable, e->secret_variable, e->token_variable, e->ca_file, e->client_cert,
        e->client_key, e->key_password_variable };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(strings[i]);
    free(e);
}
