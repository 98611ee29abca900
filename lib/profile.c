/* Profiles of AWS's shared files: see profile.h. */
#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homedir.h"
#include "ini.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct file {
    char path[PATH_MAX];
    struct ini *ini; /* owned */
};

/* Sections that a profile may have, in the order of precedence. */
struct place {
    enum profile_place file;
    const char *prefix;
    bool is_default_only; /* [default], unless there is a [profile default] */
};
static const struct place shared_places[] = {
    { PROFILE_CREDENTIALS_FILE, "", false },
    { PROFILE_CONFIG_FILE, "profile ", false },
    { PROFILE_CONFIG_FILE, "", true },
};
static const struct place own_places[] = {
    { PROFILE_CREDENTIALS_FILE, "", false },
    { PROFILE_CREDENTIALS_FILE, "profile ", false },
};

struct profiles {
    struct file credentials, config; /* the config's ini is NULL: there is but one */
    const struct place *places;
    size_t place_count;
};

/* One of a profile's sections, which may be there or not. */
struct spot {
    const struct file *file;
    char section[PROFILE_SECTION_SIZE];
};

const char *const profile_key_names[3] = {
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
};

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

static const char *given(const char *text)
{
    return is_given(text) ? text : NULL;
}

/* ~ is the home; "" is the path (which no file is called) when there is none. */
static int read_file(struct file *f, const char *path, struct haul_error *err)
{
    char home[PATH_MAX] = "";
    if (strncmp(path, "~/", 2) == 0)
        path = homedir_find(home) < 0 ? "" : path + 1;
    if (snprintf(f->path, sizeof f->path, "%s%s", home, path) >= PATH_MAX)
        return haul_error_set(err, HAUL_BAD_CONFIG, "a path is too long: %s", path);
    f->ini = ini_read(f->path, err);
    return f->ini == NULL ? -1 : 0;
}

/* A home that nobody lets us look into is not ours, but was left in the environment by sudo or
 * by a container's image: there is no file of ours in it. */
static int read_shared(
    struct file *f, const char *variable, const char *usual, struct haul_error *err)
{
    const char *path = getenv(variable);
    if (is_given(path))
        return read_file(f, path, err);
    int rc = read_file(f, usual, err);
    if (rc < 0 && faccessat(AT_FDCWD, f->path, F_OK, AT_EACCESS) < 0 && errno == EACCES) {
        f->ini = ini_read("", err);
        rc = f->ini == NULL ? -1 : 0;
    }
    return rc;
}

struct profiles *profiles_read(const char *file, struct haul_error *err)
{
    struct profiles *p = calloc(1, sizeof *p);
    if (p == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for profiles");
        return NULL;
    }
    int rc;
    if (file != NULL) {
        p->places = own_places;
        p->place_count = COUNT(own_places);
        rc = read_file(&p->credentials, file, err);
    } else {
        p->places = shared_places;
        p->place_count = COUNT(shared_places);
        rc = read_shared(
            &p->credentials, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", err);
        if (rc == 0)
            rc = read_shared(&p->config, "AWS_CONFIG_FILE", "~/.aws/config", err);
    }
    if (rc == 0)
        return p;
    profiles_free(p);
    return NULL;
}

void profiles_free(struct profiles *p)
{
    if (p == NULL)
        return;
    ini_free(p->credentials.ini);
    ini_free(p->config.ini);
    free(p);
}

const char *profile_name(const char *profile)
{
    if (profile == NULL)
        profile = getenv("AWS_PROFILE");
    return is_given(profile) ? profile : "default";
}

/* The profile's section at the nth place. false: it can't have one there. */
static bool find_spot(const struct profiles *p, size_t n, const char *profile, struct spot *out)
{
    const struct place *place = &p->places[n];
    out->file = place->file == PROFILE_CONFIG_FILE ? &p->config : &p->credentials;
    if (place->is_default_only &&
        (strcmp(profile, "default") != 0 || ini_has(out->file->ini, "profile default")))
        return false;
    return snprintf(out->section, PROFILE_SECTION_SIZE, "%s%s", place->prefix, profile) <
           PROFILE_SECTION_SIZE;
}

bool profile_exists(const struct profiles *p, const char *profile)
{
    struct spot spot;
    for (size_t n = 0; n < p->place_count; n++)
        if (find_spot(p, n, profile, &spot) && ini_has(spot.file->ini, spot.section))
            return true;
    return false;
}

static const char *find(const struct profiles *p, const char *profile, const char *setting,
    const char *nested, struct spot *spot)
{
    const char *value = NULL;
    for (size_t n = 0; n < p->place_count && value == NULL; n++)
        if (find_spot(p, n, profile, spot))
            value = given(ini_get_nested(spot->file->ini, spot->section, setting, nested));
    return value;
}

const char *profile_get(const struct profiles *p, const char *profile, const char *setting)
{
    return profile_nested(p, profile, setting, NULL);
}

const char *profile_nested(
    const struct profiles *p, const char *profile, const char *setting, const char *nested)
{
    struct spot spot;
    return find(p, profile, setting, nested, &spot);
}

/* The file of sections that are no profiles. */
static const struct file *config_of(const struct profiles *p)
{
    return p->config.ini != NULL ? &p->config : &p->credentials;
}

bool profiles_section_exists(const struct profiles *p, const char *kind, const char *name)
{
    char section[PROFILE_SECTION_SIZE];
    return snprintf(section, sizeof section, "%s %s", kind, name) < PROFILE_SECTION_SIZE &&
           ini_has(config_of(p)->ini, section);
}

const char *profiles_section_get(const struct profiles *p, const char *kind, const char *name,
    const char *setting, const char *nested)
{
    char section[PROFILE_SECTION_SIZE];
    if (snprintf(section, sizeof section, "%s %s", kind, name) >= PROFILE_SECTION_SIZE)
        return NULL;
    return given(ini_get_nested(config_of(p)->ini, section, setting, nested));
}

static void tell_spot(const struct spot *spot, char *out, size_t size)
{
    snprintf(out, size, "[%s] in %s", spot->section, spot->file->path);
}

/* ---- Keys ---- */

static bool has_keys(const struct ini *ini, const char *section)
{
    for (size_t i = 0; i < COUNT(profile_key_names); i++)
        if (is_given(ini_get(ini, section, profile_key_names[i])))
            return true;
    return false;
}

bool profile_find_keys(const struct profiles *p, const char *profile, enum profile_place place,
    struct profile_spot *out)
{
    struct spot spot;
    for (size_t n = 0; n < p->place_count; n++) {
        if ((place != PROFILE_EITHER_FILE && place != p->places[n].file) ||
            !find_spot(p, n, profile, &spot) || !has_keys(spot.file->ini, spot.section))
            continue;
        memcpy(out->path, spot.file->path, sizeof out->path);
        memcpy(out->section, spot.section, sizeof out->section);
        tell_spot(&spot, out->where, sizeof out->where);
        return true;
    }
    return false;
}

enum profile_means profile_means(
    const struct profiles *p, const char *profile, bool is_source_profile)
{
    struct profile_spot spot;
    const bool keys = profile_find_keys(p, profile, PROFILE_EITHER_FILE, &spot);
    const bool web = profile_get(p, profile, "web_identity_token_file") != NULL;
    if (profile_get(p, profile, "role_arn") != NULL && !web && !(is_source_profile && keys))
        return PROFILE_ROLE;
    if (web)
        return PROFILE_WEB_IDENTITY;
    if (profile_get(p, profile, "sso_account_id") != NULL ||
        profile_get(p, profile, "sso_role_name") != NULL)
        return PROFILE_SSO;
    if (profile_find_keys(p, profile, PROFILE_CREDENTIALS_FILE, &spot))
        return PROFILE_KEYS;
    if (profile_get(p, profile, "credential_process") != NULL)
        return PROFILE_PROCESS;
    return keys ? PROFILE_KEYS : PROFILE_NOTHING;
}

/* ---- Messages ---- */

void profiles_tell_files(const struct profiles *p, char *out, size_t size)
{
    const char *one = p->credentials.path, *other = p->config.path;
    snprintf(out, size, "%s%s%s", one, *other == '\0' ? "" : " and ", other);
}

/* The profile whose section this is; NULL: none. */
static const char *name_in(const struct place *place, const char *section)
{
    static const char *const kinds[] = { "profile ", "sso-session ", "services " };
    const size_t len = strlen(place->prefix);
    for (size_t i = 0; i < COUNT(kinds) && len == 0; i++)
        if (strncmp(section, kinds[i], strlen(kinds[i])) == 0)
            return NULL;
    if (place->is_default_only && strcmp(section, "default") != 0)
        return NULL;
    return strncmp(section, place->prefix, len) == 0 ? section + len : NULL;
}

void profiles_tell_names(const struct profiles *p, char *out, size_t size)
{
    char quoted[PROFILE_SECTION_SIZE + 2];
    size_t len = 0;
    *out = '\0';
    for (size_t i = 0; i < p->place_count; i++) {
        const struct place *place = &p->places[i];
        const struct ini *ini =
            place->file == PROFILE_CONFIG_FILE ? p->config.ini : p->credentials.ini;
        const char *section;
        size_t at = 0;
        while (len < size && (section = ini_next_section(ini, &at)) != NULL) {
            const char *name = name_in(place, section);
            if (name == NULL)
                continue;
            snprintf(quoted, sizeof quoted, "\"%s\"", name);
            if (strstr(out, quoted) == NULL)
                len += (size_t) snprintf(
                    out + len, size - len, "%s%s", len == 0 ? "" : ", ", quoted);
        }
    }
}

void profile_tell_place(const struct profiles *p, const char *profile, const char *setting,
    const char *nested, char *out, size_t size)
{
    struct spot spot;
    find(p, profile, setting, nested, &spot);
    tell_spot(&spot, out, size);
}
