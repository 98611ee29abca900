/* The default chain: see <haul/credentials.h>. */
#include <stdbool.h>
#include <stdlib.h>

#include "credentials.h"
#include "profile.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool is_set(const char *variable)
{
    const char *value = variable == NULL ? NULL : getenv(variable);
    return value != NULL && *value != '\0';
}

/* Also a profile that AWS_PROFILE names and no file has: it is not passed over. */
static bool has_role(const struct profiles *p)
{
    const char *profile = profile_name(NULL);
    return profile_means(p, profile, false) == PROFILE_ROLE ||
           (is_set("AWS_PROFILE") && !profile_exists(p, profile));
}

static bool has_anything(const struct profiles *p)
{
    return profile_means(p, profile_name(NULL), false) != PROFILE_NOTHING;
}

static struct haul_credentials *from_environment(struct haul_error *err)
{
    static const char *const needed[] = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY" };
    for (size_t i = 0; i < COUNT(needed); i++)
        if (!is_set(needed[i])) {
            haul_error_set(err, HAUL_NO_CREDENTIALS,
                "the environment has keys without %s: set it, or unset AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
                needed[i]);
            return NULL;
        }
    return haul_credentials_from_environment(err);
}

static struct haul_credentials *from_profile(struct haul_error *err)
{
    return haul_credentials_from_profile(NULL, NULL, err);
}

static struct haul_credentials *from_web_identity(struct haul_error *err)
{
    return haul_credentials_from_web_identity(NULL, err);
}

/* The order is what haul_credentials_default() promises. */
static const struct source {
    const char *variables[3];              /* any of which configures it */
    bool (*has)(const struct profiles *p); /* does the profile? NULL: it can't */
    struct haul_credentials *(*make)(struct haul_error *err);
} chain[] = {
    { { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN" }, NULL,
        from_environment },
    { { NULL }, has_role, from_profile },
    { { "AWS_WEB_IDENTITY_TOKEN_FILE" }, NULL, from_web_identity },
    { { NULL }, has_anything, from_profile },
    { { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI" }, NULL,
        haul_credentials_from_container },
};

/* The instance is asked without being named anywhere: when nobody is there, nothing was
 * configured at all. */
static struct haul_credentials *from_instance(const struct profiles *p, struct haul_error *err)
{
    struct haul_error why;
    char files[200];
    struct haul_credentials *c = haul_credentials_from_instance(NULL, &why);
    if (c != NULL)
        return c;
    if (why.code != HAUL_NO_CREDENTIALS) {
        if (err != NULL)
            *err = why;
        return NULL;
    }
    profiles_tell_files(p, files, sizeof files);
    haul_error_set(err, HAUL_NO_CREDENTIALS,
        "no credentials: AWS_ACCESS_KEY_ID is not set, profile \"%.50s\" has none (%s), there "
        "is no container (AWS_CONTAINER_CREDENTIALS_...) and no instance (%.120s): set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`",
        profile_name(NULL), files, why.text);
    return NULL;
}

struct haul_credentials *haul_credentials_default(struct haul_error *err)
{
    struct profiles *p = NULL; /* not read, and not refused, when the environment has keys */
    struct haul_credentials *c = NULL;
    for (const struct source *s = chain; s < chain + COUNT(chain); s++) {
        if (s->has != NULL && p == NULL && (p = profiles_read(NULL, err)) == NULL)
            return NULL;
        bool is_configured = s->has != NULL && s->has(p);
        for (size_t i = 0; i < COUNT(s->variables); i++)
            is_configured = is_configured || is_set(s->variables[i]);
        if (is_configured) {
            c = s->make(err);
            goto out;
        }
    }
    c = from_instance(p, err);
out:
    profiles_free(p);
    return c;
}
