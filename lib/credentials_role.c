/* Keys of a role, which STS gives to whoever shows the keys of another source. See
 * haul_credentials_from_role(). */
#include <stdlib.h>

#include "credentials.h"
#include "retry.h"
#include "sts.h"

struct assumed {
    struct haul_credentials *base; /* owned */
    struct role *role;             /* owned */
};

static void free_assumed(void *state)
{
    struct assumed *s = state;
    role_free(s->role);
    haul_credentials_free(s->base);
    free(s);
}

/* With what the base has now. true: its keys have expired, and it may have others. */
static bool ask_once(
    struct assumed *s, struct inquirer *i, struct keys **fresh, struct haul_error *err)
{
    const struct keys *base;
    bool expired = false;
    if (credentials_await(s->base, i, &base, err) < 0)
        return false;
    if (base == NULL)
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "role %s takes keys to ask for it, and those given are anonymous",
            role_arn(s->role));
    else if ((*fresh = sts_assume_role(s->role, base, i, err)) == NULL)
        expired =
            retry_is_expiry(err->http_status, err->aws_code, keys_have_expired(base, -1)) &&
            credentials_refused(s->base, base);
    keys_release(base);
    return expired;
}

static struct keys *ask(void *state, struct inquirer *i, struct haul_error *err)
{
    struct keys *fresh = NULL;
    if (ask_once(state, i, &fresh, err))
        ask_once(state, i, &fresh, err);
    return fresh;
}

static const struct credentials_kind kind = { "role", ask, free_assumed };

struct haul_credentials *haul_credentials_from_role(
    struct haul_credentials *base, const struct haul_role *role, struct haul_error *err)
{
    if (base == NULL)
        return NULL;
    struct assumed *s = calloc(1, sizeof *s);
    if (s == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        haul_credentials_free(base);
        return NULL;
    }
    s->base = base;
    s->role = credentials_check(base, err) < 0 ? NULL : role_new(role, err);
    if (s->role != NULL)
        return credentials_new(&kind, s, NULL, role_arn(s->role), err);
    free_assumed(s);
    return NULL;
}
