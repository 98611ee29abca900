/* Keys, and where they come from: see <haul/credentials.h>. How the shared files are written is
 * ini.c's matter, how keys sign is sigv4.c's. No text made here quotes a value. */
#include "credentials.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "ini.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum field { KEY_ID, SECRET, TOKEN, FIELDS };

static const char *const call_names[] = { "the key id", "the secret", "the token" };
static const char *const environment_names[] = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
};
static const char *const file_names[] = {
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
};
static const char *const region_names[] = { "region" };

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

/* They go into headers, where a line's end would be the beginning of somebody else's. */
static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char) *text < ' ' || *text == 0x7F)
            return true;
    return false;
}

static void free_secret(char *text)
{
    if (text != NULL)
        wipe(text, strlen(text));
    free(text);
}

static struct haul_credentials *make(const char *where, const char *const names[FIELDS],
    const char *const values[FIELDS], struct haul_error *err)
{
    struct haul_credentials *c = NULL;
    char *copies[FIELDS] = { NULL };
    for (enum field f = 0; f < FIELDS; f++) {
        if (!is_given(values[f])) {
            if (f == TOKEN)
                continue;
            haul_error_set(err, HAUL_NO_CREDENTIALS, "%s: %s is missing", where, names[f]);
            goto failed;
        }
        if (has_control(values[f])) {
            haul_error_set(
                err, HAUL_BAD_CONFIG, "%s: %s holds a control character", where, names[f]);
            goto failed;
        }
        copies[f] = strdup(values[f]);
        if (copies[f] == NULL) {
            haul_error_set(err, HAUL_NO_MEMORY, "out of memory for credentials");
            goto failed;
        }
    }
    c = haul_credentials_anonymous(err);
    if (c == NULL)
        goto failed;
    *c = (struct haul_credentials){ copies[KEY_ID], copies[SECRET], copies[TOKEN] };
    return c;
failed:
    for (enum field f = 0; f < FIELDS; f++)
        free_secret(copies[f]);
    return NULL;
}

struct haul_credentials *haul_credentials_static(
    const char *key_id, const char *secret, const char *token, struct haul_error *err)
{
    return make("the keys", call_names, (const char *[]){ key_id, secret, token }, err);
}

struct haul_credentials *haul_credentials_anonymous(struct haul_error *err)
{
    struct haul_credentials *c = calloc(1, sizeof *c);
    if (c == NULL)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for credentials");
    return c;
}

struct haul_credentials *haul_credentials_from_environment(struct haul_error *err)
{
    const char *values[FIELDS];
    for (enum field f = 0; f < FIELDS; f++)
        values[f] = getenv(environment_names[f]);
    return make("the environment", environment_names, values, err);
}

/* Where a profile may stand, in the order of looking. */
static const struct place {
    const char *variable, *path; /* variable NULL: the caller's file */
    const char *prefix;
    bool is_default_only;
} shared_places[] = {
    { "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", "", false },
    { "AWS_CONFIG_FILE", "~/.aws/config", "profile ", false },
    { "AWS_CONFIG_FILE", "~/.aws/config", "", true },
}, own_places[] = {
    { NULL, "", "", false },
    { NULL, "", "profile ", false },
};

/* A section that was found. */
struct found {
    struct ini *ini; /* owned; NULL: none */
    char path[PATH_MAX];
    char section[128];
};

/* The file's path, ~ resolved; "" (which no file is called) when there is no home. */
static int find_path(
    const struct place *p, const char *file, char out[static PATH_MAX], struct haul_error *err)
{
    const char *path = p->variable == NULL ? file : getenv(p->variable);
    if (!is_given(path))
        path = p->path;
    const char *home = "";
    if (strncmp(path, "~/", 2) == 0) {
        home = getenv("HOME");
        path = home == NULL ? "" : path + 1;
    }
    if (snprintf(out, PATH_MAX, "%s%s", home == NULL ? "" : home, path) >= PATH_MAX)
        return haul_error_set(err, HAUL_BAD_CONFIG, "a path is too long: %s", path);
    return 0;
}

/* Does this place have the profile with one of these settings? Then it is kept in *out. */
static int look(const struct place *p, const char *profile, const char *file,
    const char *const names[], size_t count, struct found *out, struct haul_error *err)
{
    if (p->is_default_only && strcmp(profile, "default") != 0)
        return 0;
    int len = snprintf(out->section, sizeof out->section, "%s%s", p->prefix, profile);
    if (len >= (int) sizeof out->section)
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "profile \"%s\": the name is too long", profile);
    if (find_path(p, file, out->path, err) < 0)
        return -1;
    struct ini *ini = ini_read(out->path, err);
    if (ini == NULL)
        return -1;
    for (size_t i = 0; i < count && out->ini == NULL; i++)
        if (is_given(ini_get(ini, out->section, names[i])))
            out->ini = ini;
    if (out->ini == NULL)
        ini_free(ini);
    return 0;
}

/* Finds the first section of the profile that has any of these settings; out->ini stays NULL
 * when there is none. */
static int find(const char *profile, const char *file, const char *const names[], size_t count,
    struct found *out, struct haul_error *err)
{
    const struct place *places = file == NULL ? shared_places : own_places;
    size_t place_count = file == NULL ? COUNT(shared_places) : COUNT(own_places);
    int rc = 0;
    out->ini = NULL;
    for (size_t i = 0; rc == 0 && i < place_count && out->ini == NULL; i++)
        rc = look(&places[i], profile, file, names, count, out, err);
    return rc;
}

static const char *profile_name(const char *profile)
{
    if (profile == NULL)
        profile = getenv("AWS_PROFILE");
    return is_given(profile) ? profile : "default";
}

struct haul_credentials *haul_credentials_from_profile(
    const char *profile, const char *file, struct haul_error *err)
{
    struct found found;
    struct haul_credentials *c = NULL;
    profile = profile_name(profile);
    if (find(profile, file, file_names, COUNT(file_names), &found, err) < 0)
        return NULL;
    if (found.ini == NULL) {
        haul_error_set(err, HAUL_NO_CREDENTIALS, "profile \"%s\" has no keys in %s", profile,
            file != NULL ? file
                         : "AWS's shared files (~/.aws/credentials and ~/.aws/config, or "
                           "AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE)");
        return NULL;
    }
    char where[sizeof found.section + sizeof found.path + 8];
    const char *values[FIELDS];
    snprintf(where, sizeof where, "[%s] in %s", found.section, found.path);
    for (enum field f = 0; f < FIELDS; f++)
        values[f] = ini_get(found.ini, found.section, file_names[f]);
    c = make(where, file_names, values, err);
    ini_free(found.ini);
    return c;
}

struct haul_credentials *haul_credentials_default(struct haul_error *err)
{
    for (enum field f = 0; f < FIELDS; f++)
        if (is_given(getenv(environment_names[f])))
            return haul_credentials_from_environment(err);
    struct haul_credentials *c = haul_credentials_from_profile(NULL, NULL, err);
    if (c == NULL && err != NULL && err->code == HAUL_NO_CREDENTIALS)
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and %s", err->text);
    return c;
}

const char *haul_credentials_key_id(const struct haul_credentials *c)
{
    return c->key_id == NULL ? "" : c->key_id;
}

void haul_credentials_free(struct haul_credentials *c)
{
    if (c == NULL)
        return;
    free_secret(c->key_id);
    free_secret(c->secret);
    free_secret(c->token);
    free(c);
}

/* It becomes part of a host's name and of the signature's scope. */
static int copy_region(
    const char *region, const char *where, char out[static 64], struct haul_error *err)
{
    size_t len = strspn(region, "-._0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (region[len] != '\0' || len >= 64)
        return haul_error_set(err, HAUL_BAD_CONFIG, "%s: this is not a region's name", where);
    memcpy(out, region, len + 1);
    return 0;
}

int haul_default_region(
    const char *profile, const char *file, char region[64], struct haul_error *err)
{
    const char *variables[] = { "AWS_REGION", "AWS_DEFAULT_REGION" };
    for (size_t i = 0; i < COUNT(variables); i++)
        if (is_given(getenv(variables[i])))
            return copy_region(getenv(variables[i]), variables[i], region, err);

    struct found found;
    int rc = find(profile_name(profile), file, region_names, COUNT(region_names), &found, err);
    if (rc == 0 && found.ini == NULL)
        region[0] = '\0';
    else if (rc == 0)
        rc = copy_region(ini_get(found.ini, found.section, "region"), found.path, region, err);
    ini_free(found.ini);
    return rc;
}
