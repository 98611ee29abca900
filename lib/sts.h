/* STS: where it is, and its two calls that give keys. */
#ifndef STS_H
#define STS_H

#include <haul/credentials.h>

struct inquirer;
struct keys;

/* A role, its strings owned, defaults filled in from environment and profile; see struct
 * haul_role. */
struct role;

/* profile and file: whose settings say where STS is, when role does not; as for
 * haul_credentials_from_profile(). NULL with *err: HAUL_BAD_CONFIG, HAUL_NO_MEMORY. */
struct role *role_new(const struct haul_role *role, const char *profile, const char *file,
    struct haul_error *err);
void role_free(struct role *r); /* NULL is fine */

const char *role_arn(const struct role *r);

/* AssumeRole, signed with `base`. Keys held once, or NULL with *err as the constructors of
 * <haul/credentials.h>: HAUL_NO_CREDENTIALS when STS says AccessDenied, HAUL_SERVER… */
struct keys *sts_assume_role(
    const struct role *r, const struct keys *base, struct inquirer *i, struct haul_error *err);

/* AssumeRoleWithWebIdentity, with the token that r's file holds now. */
struct keys *sts_assume_role_with_web_identity(
    const struct role *r, struct inquirer *i, struct haul_error *err);

#endif
