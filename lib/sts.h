/* STS: where it is, and its two calls that give keys. */
#ifndef STS_H
#define STS_H

#include <haul/credentials.h>

struct inquirer;
struct keys;

/* A role and the STS to ask for it, its strings owned. */
struct role;

/* See struct haul_role, of which token_file is not looked at. Of sts_url, region and ca_file
 * NULL means what environment and profile say; "": neither is asked. NULL with *err:
 * HAUL_BAD_CONFIG, HAUL_NO_MEMORY. */
struct role *role_new(const struct haul_role *given, struct haul_error *err);
void role_free(struct role *r); /* NULL is fine */

const char *role_arn(const struct role *r);

/* Both return keys held once, or NULL with *err as the constructors of <haul/credentials.h>:
 * HAUL_NO_CREDENTIALS when STS denies the role, or takes no longer what it is asked with;
 * HAUL_SERVER when it refuses for another reason. Then err->http_status and err->aws_code are
 * STS's, too. */

/* AssumeRole, signed with `base`. */
struct keys *sts_assume_role(
    const struct role *r, const struct keys *base, struct inquirer *i, struct haul_error *err);

/* AssumeRoleWithWebIdentity, unsigned; nor is the external id sent. */
struct keys *sts_assume_role_with_web_identity(
    const struct role *r, const char *token, struct inquirer *i, struct haul_error *err);

#endif
