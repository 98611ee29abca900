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

/* Why it is no URL of an endpoint; NULL: it is. Texts never quote it, for it may hold a secret.
 */
static const char *url_fault(const char *url)
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
    const char *why = url != NULL ? url_fault(url) : NULL;
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
    FIELD("payload", fields_word, AT(payload), "auto, signed or unsigned",
        .words = payload_words),
    FIELD("credentials", read_credentials, 0, "auto, env, anonymous, or a mapping",
        .words = credentials_words, .secret = true),
    FIELD("ca_file", fields_path, AT(ca_file), "the path of a PEM file"),
    FIELD("insecure", fields_flag, AT(insecure), "true or false"),
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
        if (e != NULL)
            fields_read(l, key->value, "an endpoint", endpoint_fields, e);
    }
}

/* s3:// without an endpoint of that name: AWS, or where the environment says. */
static struct manifest_endpoint *add_implicit_s3(
    struct loader *l, const struct yamltree *n, const struct field *f)
{
    static const char *const names[] = { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL" };
    struct manifest_endpoint *e = add(l, "s3");
    const char *url = NULL, *why;
    size_t i = 0;

    for (; i < sizeof names / sizeof *names && url == NULL; i++)
        url = getenv(names[i]) != NULL && getenv(names[i])[0] != '\0' ? getenv(names[i]) : NULL;
    if (e == NULL || url == NULL)
        return e;
    if ((why = url_fault(url)) != NULL)
        problems_add(&l->problems, n->line, n->column, "%s: the environment's %s: %s", f->name,
            names[i - 1], why);
    if ((e->url = strdup(url)) == NULL)
        l->problems.no_memory = true;
    return e;
}

const struct manifest_endpoint *manifest_endpoints_get(
    struct loader *l, const char *name, const struct yamltree *n, const struct field *f)
{
    struct manifest_endpoint *e = find(l->manifest, name);
    if (e == NULL && strcmp(name, "s3") == 0 && !l->thawing)
        return add_implicit_s3(l, n, f);
    if (e != NULL)
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
        e->key_id_variable, e->secret_variable, e->token_variable, e->ca_file };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(strings[i]);
    free(e);
}
