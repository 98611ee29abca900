/* Sources that nobody has to be asked for: keys of the caller's, of an URL, of the environment;
 * and several sources as one. See <haul/credentials.h>. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"

struct haul_credentials *haul_credentials_static(
    const char *key_id, const char *secret, const char *token, struct haul_error *err)
{
    return credentials_fixed(
        "static", keys_new("the keys", key_id, secret, token, err), NULL, NULL, err);
}

struct haul_credentials *haul_credentials_from_environment(struct haul_error *err)
{
    const char *key_id = getenv("AWS_ACCESS_KEY_ID");
    const char *secret = getenv("AWS_SECRET_ACCESS_KEY");
    const char *token = getenv("AWS_SESSION_TOKEN");
    struct keys *k = keys_new("the environment", key_id, secret, token, err);
    if (k != NULL && k->key_id == NULL && k->secret == NULL && k->token == NULL) {
        keys_release(k);
        k = NULL;
        haul_error_set(err, HAUL_NO_CREDENTIALS,
            "the environment has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    return credentials_fixed("environment", k, NULL, NULL, err);
}
