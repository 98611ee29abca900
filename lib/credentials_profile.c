/* Keys by what a profile of AWS's shared files says, and the chains of profiles whose roles are
 * taken with each other's keys: see <haul/credentials.h>. What a profile has is the matter of
 * profile.c; each source that it may lead to has a file of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "ini.h"
#include "profile.h"
#include "settings.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define CHAIN_MAX 16 /* profiles */

/* ---- Keys that stand in a file ---- */

/* The file may have been written anew since. It tells no expiry, so this is asked for when a
 * server refuses the keys. */
static struct keys *ask_file(void *state, struct inquirer *i, struct haul_error *err)
{
    const struct profile_spot *spot = state;
    const char *values[COUNT(profile_key_names)];
    struct keys *keys = NULL;
    (void) i;
    struct ini *ini = ini_read(spot->path, err);
    if (ini == NULL)
        return NULL;
    for (size_t n = 0; n < COUNT(values); n++) {
        values[n] = ini_get(ini, spot->section, profile_key_names[n]);
        if (n < 2 && (values[n] == NULL || *values[n] == '\0')) {
            haul_error_set(err, HAUL_NO_CREDENTIALS, "%s: %s is missing", spot->where,
                profile_key_names[n]);
            goto out;
        }
    }
    keys = keys_new(spot->where, values[0], values[1], values[2], err);
out:
    ini_free(ini);
    return keys;
}

static const struct credentials_kind in_file = { "profile", ask_file, NULL };

/* ---- What a profile leads to ---- */

/* Where we are: a profile, and those whose source_profile led to it. */
struct hop {
    const struct profiles *profiles; /* borrowed, as all of it */
    const char *file;                /* the caller's */
    const char *profile;
    const struct hop *above; /* NULL: this is the one that was asked for */
    unsigned depth;
};

static const char *get(const struct hop *h, const char *setting)
{
    return profile_get(h->profiles, h->profile, setting);
}

/* The one that was asked for, which says where services are. */
static const char *asked_profile(const struct hop *h)
{
    while (h->above != NULL)
        h = h->above;
    return h->profile;
}

static struct haul_credentials *follow(const struct hop *h, struct haul_error *err);

static struct haul_credentials *from_keys(const struct hop *h, struct haul_error *err)
{
    struct profile_spot *spot = malloc(sizeof *spot);
    if (spot == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for credentials");
        return NULL;
    }
    profile_find_keys(h->profiles, h->profile, PROFILE_EITHER_FILE, spot);
    return credentials_new(&in_file, spot, h->profile, spot->where, err);
}

static struct haul_credentials *from_process(const struct hop *h, struct haul_error *err)
{
    return haul_credentials_from_process(get(h, "credential_process"), err);
}

/* ---- SSO ---- */

/* In [sso-session NAME], or in the profile, which may repeat what stands there but not say
 * otherwise. */
static int find_sso(const struct hop *h, const char *session, const char *setting,
    const char **out, struct haul_error *err)
{
    const char *own = get(h, setting), *shared = NULL;
    if (session != NULL)
        shared = profiles_section_get(h->profiles, "sso-session", session, setting, NULL);
    if (own != NULL && shared != NULL && strcmp(own, shared) != 0)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "profile \"%s\": %s says otherwise than [sso-session %s]", h->profile, setting,
            session);
    *out = shared != NULL ? shared : own;
    if (*out == NULL)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "profile \"%s\": %s is missing: run `aws configure sso --profile %s`", h->profile,
            setting, h->profile);
    return 0;
}

static struct haul_credentials *from_sso(const struct hop *h, struct haul_error *err)
{
    struct haul_sso sso = {
        .session = get(h, "sso_session"), .profile = h->profile, .file = h->file
    };
    if (sso.session != NULL &&
        !profiles_section_exists(h->profiles, "sso-session", sso.session)) {
        haul_error_set(err, HAUL_BAD_CONFIG,
            "profile \"%s\": sso_session: there is no [sso-session %s]", h->profile,
            sso.session);
        return NULL;
    }
    if (find_sso(h, sso.session, "sso_start_url", &sso.start_url, err) < 0 ||
        find_sso(h, sso.session, "sso_region", &sso.region, err) < 0 ||
        find_sso(h, sso.session, "sso_account_id", &sso.account_id, err) < 0 ||
        find_sso(h, sso.session, "sso_role_name", &sso.role_name, err) < 0)
        return NULL;
    return haul_credentials_from_sso(&sso, err);
}

/* ---- Roles ---- */

/* Where STS is, which the profile that was asked for says. */
struct sts_place {
    struct haul_settings settings;
    char url[SETTINGS_URL_SIZE];
};

/* *role points into *h and *place, where "" says that nobody has another than AWS's own: NULL
 * would make it that of AWS_PROFILE. */
static int read_role(const struct hop *h, struct sts_place *place, struct haul_role *role,
    struct haul_error *err)
{
    const char *asked = asked_profile(h);
    if (haul_settings_find(asked, h->file, &place->settings, err) < 0 ||
        settings_service_url(asked, h->file, "sts", place->url, err) < 0)
        return -1;
    *role = (struct haul_role){
        .arn = get(h, "role_arn"),
        .session_name = get(h, "role_session_name"),
        .external_id = get(h, "external_id"),
        .sts_url = place->url,
        .region = place->settings.region,
        .ca_file = place->settings.ca_file,
    };
    const char *seconds = get(h, "duration_seconds");
    if (seconds == NULL)
        return 0;
    const size_t len = strlen(seconds);
    if (strspn(seconds, "0123456789") != len || len > 6)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "profile \"%s\": duration_seconds: expected a number of up to 43200", h->profile);
    role->duration_seconds = (unsigned) strtoul(seconds, NULL, 10);
    return 0;
}

static struct haul_credentials *from_web_identity(const struct hop *h, struct haul_error *err)
{
    struct sts_place place;
    struct haul_role role;
    if (read_role(h, &place, &role, err) < 0)
        return NULL;
    if (role.arn == NULL) {
        haul_error_set(err, HAUL_BAD_CONFIG,
            "profile \"%s\" has a web_identity_token_file and no role_arn", h->profile);
        return NULL;
    }
    role.external_id = NULL;
    role.token_file = get(h, "web_identity_token_file");
    return haul_credentials_from_web_identity(&role, err);
}

static struct haul_credentials *find_source(
    const struct hop *h, const char *name, struct haul_error *err)
{
    if (strcmp(name, "Environment") == 0)
        return haul_credentials_from_environment(err);
    if (strcmp(name, "Ec2InstanceMetadata") == 0)
        return credentials_of_instance(NULL, asked_profile(h), h->file, err);
    if (strcmp(name, "EcsContainer") == 0)
        return haul_credentials_from_container(err);
    haul_error_set(err, HAUL_BAD_CONFIG,
        "profile \"%s\": credential_source: expected Environment, Ec2InstanceMetadata or "
        "EcsContainer",
        h->profile);
    return NULL;
}

/* "a -> b -> a" */
static void tell_cycle(const struct hop *h, const char *next, char *out, size_t size)
{
    const struct hop *path[CHAIN_MAX];
    unsigned count = 0;
    size_t len = 0;
    for (; h != NULL; h = h->above)
        path[count++] = h;
    *out = '\0';
    while (count > 0 && len < size)
        len += (size_t) snprintf(out + len, size - len, "%s -> ", path[--count]->profile);
    if (len < size)
        snprintf(out + len, size - len, "%s", next);
}

/* A profile may name itself when it has keys; else nobody may come back to one. */
static int check_source(const struct hop *h, const char *name, struct haul_error *err)
{
    char cycle[300];
    struct profile_spot spot;
    if (!profile_exists(h->profiles, name))
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "profile \"%s\": source_profile: there is no profile \"%s\"", h->profile, name);
    for (const struct hop *a = h; a != NULL; a = a->above)
        if (strcmp(a->profile, name) == 0 &&
            (a != h || !profile_find_keys(h->profiles, name, PROFILE_EITHER_FILE, &spot))) {
            tell_cycle(h, name, cycle, sizeof cycle);
            return haul_error_set(err, HAUL_BAD_CONFIG,
                "profile \"%s\": source_profile leads back: %s", h->profile, cycle);
        }
    if (h->depth == CHAIN_MAX)
        return haul_error_set(err, HAUL_BAD_CONFIG,
            "profile \"%s\": over %d profiles in a row by source_profile", h->profile,
            CHAIN_MAX);
    return 0;
}

/* The keys that the role is taken with. */
static struct haul_credentials *find_base(const struct hop *h, struct haul_error *err)
{
    const char *profile = get(h, "source_profile");
    const char *source = get(h, "credential_source");
    if ((profile == NULL) == (source == NULL)) {
        haul_error_set(err, HAUL_BAD_CONFIG,
            "profile \"%s\" has a role_arn and %s source_profile %s credential_source: one "
            "must say with which keys to take the role",
            h->profile, profile != NULL ? "both" : "neither", profile != NULL ? "and" : "nor");
        return NULL;
    }
    if (get(h, "mfa_serial") != NULL) {
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "profile \"%s\": mfa_serial wants a code of a person, whom a job can't ask: set "
            "what `aws configure export-credentials --profile %s --format env` prints",
            h->profile, h->profile);
        return NULL;
    }
    if (source != NULL)
        return find_source(h, source, err);
    if (check_source(h, profile, err) < 0)
        return NULL;
    return follow(&(struct hop){ h->profiles, h->file, profile, h, h->depth + 1 }, err);
}

static struct haul_credentials *from_role(const struct hop *h, struct haul_error *err)
{
    struct sts_place place;
    struct haul_role role;
    struct haul_credentials *base;
    if (read_role(h, &place, &role, err) < 0 || (base = find_base(h, err)) == NULL)
        return NULL;
    return haul_credentials_from_role(base, &role, err);
}

/* ---- All of it ---- */

static struct haul_credentials *from_nothing(const struct hop *h, struct haul_error *err)
{
    char files[200], names[160];
    profiles_tell_files(h->profiles, files, sizeof files);
    profiles_tell_names(h->profiles, names, sizeof names);
    if (profile_exists(h->profiles, h->profile))
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "profile \"%s\" of %s says nothing about keys: run `aws configure --profile %s`",
            h->profile, files, h->profile);
    else if (*names == '\0')
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "there is no profile \"%s\", nor any other, in %s", h->profile, files);
    else
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "there is no profile \"%s\" in %s, but there are %s", h->profile, files, names);
    return NULL;
}

static struct haul_credentials *follow(const struct hop *h, struct haul_error *err)
{
    static struct haul_credentials *(*const makes[])(
        const struct hop *, struct haul_error *) = {
        [PROFILE_NOTHING] = from_nothing,
        [PROFILE_ROLE] = from_role,
        [PROFILE_WEB_IDENTITY] = from_web_identity,
        [PROFILE_SSO] = from_sso,
        [PROFILE_KEYS] = from_keys,
        [PROFILE_PROCESS] = from_process,
    };
    enum profile_means means = profile_means(h->profiles, h->profile, h->above != NULL);
    struct haul_credentials *c = makes[means](h, err);
    if (c != NULL)
        credentials_set_profile(c, h->profile);
    return c;
}

struct haul_credentials *haul_credentials_from_profile(
    const char *profile, const char *file, struct haul_error *err)
{
    struct profiles *p = profiles_read(file, err);
    if (p == NULL)
        return NULL;
    struct haul_credentials *c =
        follow(&(struct hop){ p, file, profile_name(profile), NULL, 1 }, err);
    profiles_free(p);
    return c;
}
