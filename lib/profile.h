/* A profile of AWS's shared files: both files read, and one view of the profile's settings.
 * What ini.h calls sections and settings gets its meaning here; what is done with them is the
 * matter of credentials_profile.c and settings.c. */
#ifndef PROFILE_H
#define PROFILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include <haul/error.h>

#define PROFILE_SECTION_SIZE 256 /* a longer name is nowhere */

/* Both files, or the one that a caller names. */
struct profiles;

/* file as in haul_credentials_from_profile(). NULL with *err: HAUL_BAD_CONFIG ("PATH:LINE:
 * ..."), HAUL_NO_MEMORY. Files that are not there are empty. */
struct profiles *profiles_read(const char *file, struct haul_error *err);
void profiles_free(struct profiles *p); /* wipes; NULL is fine */

/* The name that NULL stands for: AWS_PROFILE, else "default". */
const char *profile_name(const char *profile);

bool profile_exists(const struct profiles *p, const char *profile);

/* A setting; what the credentials file says goes before the config file. NULL: not there, or
 * blank. Lives as long as p. */
const char *profile_get(const struct profiles *p, const char *profile, const char *setting);

/* A nested one ("s3 =\n  addressing_style = path"). */
const char *profile_nested(
    const struct profiles *p, const char *profile, const char *setting, const char *nested);

/* Of a section that is no profile: [sso-session NAME], [services NAME] (config file). nested
 * NULL: a plain setting. */
const char *profiles_section_get(const struct profiles *p, const char *kind, const char *name,
    const char *setting, const char *nested);
bool profiles_section_exists(const struct profiles *p, const char *kind, const char *name);

/* For messages, as much as fits: the files ("A and B"), the profiles ("x", "y"), and where a
 * setting that is there stands ("[x] in PATH"). */
void profiles_tell_files(const struct profiles *p, char *out, size_t size);
void profiles_tell_names(const struct profiles *p, char *out, size_t size);
void profile_tell_place(const struct profiles *p, const char *profile, const char *setting,
    const char *nested, char *out, size_t size);

/* The first section of the profile's that has any of key id, secret and token: they are never
 * mixed. A file of the caller's counts as the credentials file. false: there is none. */
enum profile_place { PROFILE_EITHER_FILE, PROFILE_CREDENTIALS_FILE, PROFILE_CONFIG_FILE };
struct profile_spot {
    char path[PATH_MAX];
    char section[PROFILE_SECTION_SIZE];
    char where[PROFILE_SECTION_SIZE + PATH_MAX + 8]; /* "[x] in PATH" */
};
bool profile_find_keys(const struct profiles *p, const char *profile, enum profile_place place,
    struct profile_spot *out);

/* Their names there, in this order. */
extern const char *const profile_key_names[3];

/* What a profile gives keys by: the first that it has, in the SDKs' order. The keys of one that
 * is another's source_profile go before its role. */
enum profile_means {
    PROFILE_NOTHING,
    PROFILE_ROLE, /* role_arn without web_identity_token_file */
    PROFILE_WEB_IDENTITY,
    PROFILE_SSO,
    PROFILE_KEYS, /* in the credentials file; or, after the process, in the config file */
    PROFILE_PROCESS,
};
enum profile_means profile_means(
    const struct profiles *p, const char *profile, bool is_source_profile);

#endif
