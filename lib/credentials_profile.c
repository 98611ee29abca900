/* What a profile of AWS's shared files says: see <haul/credentials.h>. */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "ini.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const file_names[] = {
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
};

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
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

static const char *name_of(const char *profile)
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
    profile = name_of(profile);
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
    const char *values[3];
    snprintf(where, sizeof where, "[%s] in %s", found.section, found.path);
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = ini_get(found.ini, found.section, file_names[i]);
    c = credentials_fixed(
        "profile", keys_new(where, values[0], values[1], values[2], err), profile, where, err);
    ini_free(found.ini);
    return c;
}

struct haul_credentials *haul_credentials_default(struct haul_error *err)
{
    if (is_given(getenv("AWS_ACCESS_KEY_ID")) || is_given(getenv("AWS_SECRET_ACCESS_KEY")))
        return haul_credentials_from_environment(err);
    struct haul_credentials *c = haul_credentials_from_profile(NULL, NULL, err);
    if (c == NULL && err != NULL && err->code == HAUL_NO_CREDENTIALS)
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and %s", err->text);
    return c;
}
