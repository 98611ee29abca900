/* Keys of a role, which STS gives for a token that somebody else vouches for, as orchestrators
 * and CI services put it into a file. See haul_credentials_from_web_identity(). */
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "sts.h"
#include "tokenfile.h"

#define ROLE "AWS_ROLE_ARN"
#define TOKEN_FILE "AWS_WEB_IDENTITY_TOKEN_FILE"

struct web_identity {
    struct role *role; /* owned */
    char *token_file;  /* owned */
    const char *whose; /* lives for ever: who named it */
};

static void free_web_identity(void *state)
{
    struct web_identity *w = state;
    role_free(w->role);
    free(w->token_file);
    free(w);
}

/* Where STS has something against the token, what is to be mended is the file. */
static void explain(const struct web_identity *w, struct haul_error *err)
{
    static const struct {
        const char *code, *fault;
    } faults[] = {
        { "ExpiredTokenException", "has expired, and whoever writes that file has not yet "
                                   "replaced it" },
        { "InvalidIdentityToken", "is not, or no longer, one that STS takes" },
        { "IDPRejectedClaim", "is refused by whoever issued it" },
    };
    const struct haul_error why = *err;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strcmp(why.aws_code, faults[i].code) == 0)
            haul_error_set(err, why.code, "the token in %s %s: %s", w->token_file,
                faults[i].fault, why.text);
}

static struct keys *ask(void *state, struct inquirer *i, struct haul_error *err)
{
    const struct web_identity *w = state;
    char *token = tokenfile_read(w->token_file, w->whose, err);
    if (token == NULL)
        return NULL;
    struct keys *k = sts_assume_role_with_web_identity(w->role, token, i, err);
    if (k == NULL)
        explain(w, err);
    tokenfile_free(token);
    return k;
}

static const struct credentials_kind kind = { "web_identity", ask, free_web_identity };

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

static int find_in_environment(struct haul_role *out, struct haul_error *err)
{
    *out = (struct haul_role){ .arn = getenv(ROLE), .token_file = getenv(TOKEN_FILE) };
    bool has_role = is_given(out->arn), has_file = is_given(out->token_file);
    if (has_role && has_file)
        return 0;
    if (!has_role && !has_file)
        return haul_error_set(
            err, HAUL_NO_CREDENTIALS, "the environment has no " ROLE " and " TOKEN_FILE);
    return haul_error_set(err, HAUL_BAD_CONFIG,
        "the environment has %s without %s: web identity takes both",
        has_role ? ROLE : TOKEN_FILE, has_role ? TOKEN_FILE : ROLE);
}

struct haul_credentials *haul_credentials_from_web_identity(
    const struct haul_role *role, struct haul_error *err)
{
    struct haul_role found;
    if (role == NULL && find_in_environment(&found, err) < 0)
        return NULL;
    const struct haul_role *given = role ? role : &found;
    if (!is_given(given->token_file)) {
        haul_error_set(err, HAUL_BAD_CONFIG, "web identity takes a file that holds its token");
        return NULL;
    }
    struct web_identity *w = calloc(1, sizeof *w);
    if (w != NULL)
        w->token_file = strdup(given->token_file);
    if (w == NULL || w->token_file == NULL) {
        free(w);
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    w->whose = role ? "web identity" : TOKEN_FILE;
    if ((w->role = role_new(given, err)) != NULL)
        return credentials_new(&kind, w, NULL, role_arn(w->role), err);
    free_web_identity(w);
    return NULL;
}
