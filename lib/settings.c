/* What environment and profile say about where requests go: see <haul/settings.h>. */
#include "settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "profile.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Whom to ask. */
struct asked {
    const struct profiles *profiles; /* borrowed */
    const char *profile;
};

/* A thing to know, and what it is called; NULLs are passed over. */
struct topic {
    const char *variables[2];
    const char *setting;
    const char *nested; /* in the profile's `s3 =`; goes before the setting */
};

/* Somebody's word, "" when there is none, and who it was. */
struct word {
    const char *text;
    char where[256];
};

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

static bool ask_variable(const char *variable, struct word *out)
{
    out->text = variable == NULL ? NULL : getenv(variable);
    snprintf(out->where, sizeof out->where, "%s", variable == NULL ? "" : variable);
    return is_given(out->text);
}

static bool ask_profile(
    const struct asked *a, const char *setting, const char *nested, struct word *out)
{
    char place[200];
    out->text =
        setting == NULL ? NULL : profile_nested(a->profiles, a->profile, setting, nested);
    if (out->text == NULL)
        return false;
    profile_tell_place(a->profiles, a->profile, setting, nested, place, sizeof place);
    snprintf(out->where, sizeof out->where, "%s of %s", nested ? nested : setting, place);
    return true;
}

static struct word ask(const struct asked *a, const struct topic *t)
{
    struct word w;
    if (ask_variable(t->variables[0], &w) || ask_variable(t->variables[1], &w) ||
        (t->nested != NULL && ask_profile(a, "s3", t->nested, &w)) ||
        ask_profile(a, t->setting, NULL, &w))
        return w;
    return (struct word){ .text = "" };
}

/* ---- Each kind of value ---- */

static int copy_text(const struct word *w, char *out, size_t size, struct haul_error *err)
{
    size_t len = strlen(w->text);
    if (len >= size)
        return haul_error_set(err, HAUL_BAD_CONFIG, "%s is over %zu bytes", w->where, size - 1);
    memcpy(out, w->text, len + 1);
    return 0;
}

/* It becomes part of a host's name and of the signature's scope. */
static int copy_region(const struct word *w, char *out, size_t size, struct haul_error *err)
{
    size_t len = strspn(w->text, "-._0123456789"
                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (w->text[len] != '\0' || len >= size)
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "%s: this is not a region's name", w->where);
    return copy_text(w, out, size, err);
}

static int read_flag(
    const struct asked *a, const struct topic *t, bool *out, struct haul_error *err)
{
    struct word w = ask(a, t);
    *out = strcasecmp(w.text, "true") == 0;
    if (*w.text == '\0' || *out || strcasecmp(w.text, "false") == 0)
        return 0;
    return haul_error_set(err, HAUL_BAD_CONFIG, "%s: expected true or false", w.where);
}

static int read_addressing(
    const struct asked *a, enum haul_addressing *out, struct haul_error *err)
{
    static const struct {
        const char *name;
        enum haul_addressing addressing;
    } known[] = {
        { "", HAUL_ADDRESS_AUTO },
        { "auto", HAUL_ADDRESS_AUTO },
        { "path", HAUL_ADDRESS_PATH },
        { "virtual", HAUL_ADDRESS_VIRTUAL },
    };
    struct word w = ask(a, &(struct topic){ .nested = "addressing_style" });
    for (size_t i = 0; i < COUNT(known); i++)
        if (strcasecmp(w.text, known[i].name) == 0) {
            *out = known[i].addressing;
            return 0;
        }
    return haul_error_set(err, HAUL_BAD_CONFIG, "%s: expected auto, path or virtual", w.where);
}

/* ---- URLs ---- */

/* The profile's services section has one for this service alone. */
static int ask_services(
    const struct asked *a, const char *service, struct word *out, struct haul_error *err)
{
    struct word services;
    out->text = NULL;
    if (!ask_profile(a, "services", NULL, &services))
        return 0;
    if (!profiles_section_exists(a->profiles, "services", services.text))
        return haul_error_set(err, HAUL_BAD_CONFIG, "%s: there is no [services %s]",
            services.where, services.text);
    out->text =
        profiles_section_get(a->profiles, "services", services.text, service, "endpoint_url");
    snprintf(out->where, sizeof out->where, "endpoint_url of %s in [services %.99s]", service,
        services.text);
    return 0;
}

static int find_url(const struct asked *a, const char *service,
    char out[static SETTINGS_URL_SIZE], struct haul_error *err)
{
    bool is_ignored;
    const struct topic ignore = { { "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" },
        "ignore_configured_endpoint_urls", NULL };
    *out = '\0';
    if (read_flag(a, &ignore, &is_ignored, err) < 0)
        return -1;
    if (is_ignored)
        return 0;

    char variable[64];
    snprintf(variable, sizeof variable, "AWS_ENDPOINT_URL_%s", service);
    for (char *c = variable; *c != '\0'; c++)
        *c = (char) toupper((unsigned char) *c);
    struct word w;
    if (ask_variable(variable, &w) || ask_variable("AWS_ENDPOINT_URL", &w))
        return copy_text(&w, out, SETTINGS_URL_SIZE, err);
    if (ask_services(a, service, &w, err) < 0)
        return -1;
    if (w.text == NULL)
        w = ask(a, &(struct topic){ .setting = "endpoint_url" });
    return copy_text(&w, out, SETTINGS_URL_SIZE, err);
}

int settings_service_url(const char *profile, const char *file, const char *service,
    char out[static SETTINGS_URL_SIZE], struct haul_error *err)
{
    struct profiles *p = profiles_read(file, err);
    if (p == NULL)
        return -1;
    int rc = find_url(&(struct asked){ p, profile_name(profile) }, service, out, err);
    profiles_free(p);
    return rc;
}

/* ---- All of it ---- */

static int find_all(const struct asked *a, struct haul_settings *out, struct haul_error *err)
{
    const struct {
        struct topic topic;
        bool *flag;
    } flags[] = {
        { { { "AWS_USE_DUALSTACK_ENDPOINT" }, "use_dualstack_endpoint",
              "use_dualstack_endpoint" },
            &out->dualstack },
        { { { "AWS_USE_FIPS_ENDPOINT" }, "use_fips_endpoint", NULL }, &out->fips },
        { { .nested = "use_accelerate_endpoint" }, &out->accelerate },
    };
    struct word region =
        ask(a, &(struct topic){ { "AWS_REGION", "AWS_DEFAULT_REGION" }, "region", NULL });
    struct word ca_file = ask(a, &(struct topic){ { "AWS_CA_BUNDLE" }, "ca_bundle", NULL });
    if (copy_region(&region, out->region, sizeof out->region, err) < 0 ||
        copy_text(&ca_file, out->ca_file, sizeof out->ca_file, err) < 0 ||
        find_url(a, "s3", out->url, err) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(flags); i++)
        if (read_flag(a, &flags[i].topic, flags[i].flag, err) < 0)
            return -1;
    return read_addressing(a, &out->addressing, err);
}

int haul_settings_find(
    const char *profile, const char *file, struct haul_settings *out, struct haul_error *err)
{
    struct profiles *p = profiles_read(file, err);
    if (p == NULL)
        return -1;
    *out = (struct haul_settings){ .fips = false };
    int rc = find_all(&(struct asked){ p, profile_name(profile) }, out, err);
    profiles_free(p);
    return rc;
}
