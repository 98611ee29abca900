/* A profile of AWS's shared files: both files read, and one view of the profile's settings.
 * What ini.h calls sections and settings gets its meaning here; what is done with them is the
 * matter of credentials_profile.c and settings.c. */
#ifndef PROFILE_H
#define PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include <haul/error.h>

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

/* For messages, as much as fits: "A and B", the files; "[x] in PATH", where a setting stands
 * (or would have to: in the first file). */
void profiles_tell_files(const struct profiles *p, char *out, size_t size);
void profile_tell_place(const struct profiles *p, const char *profile, const char *setting,
    const char *nested, char *out, size_t size);

/* Key id, secret and token, of one section that has any of the three. */
struct profile_keys {
    const char *key_id, *secret, *token; /* NULL: none */
    char where[256];                     /* "[x] in PATH", as much as fits */
};

/* Looks into the credentials file, the config file, or (PROFILE_EITHER) first the one and then
 * the other. A file of the caller's counts as the credentials file. true: found. */
enum profile_place { PROFILE_EITHER, PROFILE_CREDENTIALS_FILE, PROFILE_CONFIG_FILE };
bool profile_find_keys(const struct profiles *p, const char *profile, enum profile_place place,
    struct profile_keys *out);

#endif
