/* credentials_default.c: which source the default chain takes, whatever comes of it. The
 * services behind them are those of services.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <haul/credentials.h>

#include "home.h"
#include "services.h"
#include "temp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct services *services;

static int start(void **state)
{
    (void) state;
    services = services_start();
    services_set(services, "key AKIDBASE hush-base\nidentity hush-identity\n");
    return 0;
}

static int stop(void **state)
{
    (void) state;
    services_stop(services);
    return 0;
}

/* @HOME and @URL in the text become what they are in this test. The caller frees it. */
static char *expand(void **state, const char *text)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    for (; *text != '\0'; text++)
        if (strncmp(text, "@HOME", 5) == 0 || strncmp(text, "@URL", 4) == 0) {
            fputs(text[1] == 'H' ? *state : services_url(services), f);
            text += text[1] == 'H' ? 4 : 3;
        } else {
            fputc(*text, f);
        }
    fclose(f);
    return out;
}

static void write_expanded(void **state, const char *name, const char *text)
{
    char *expanded = expand(state, text);
    home_write(state, name, expanded);
    free(expanded);
}

static void set_expanded(void **state, const char *variable)
{
    char *name = expand(state, variable);
    char *value = strchr(name, '=');
    *value++ = '\0';
    setenv(name, value, 1);
    free(name);
}

/* What there is in every case: the services, and what the pieces below refer to. */
static void arrange_all(void **state)
{
    home_remove(state);
    assert_int_equal(home_make(state), 0);
    set_expanded(state, "AWS_EC2_METADATA_SERVICE_ENDPOINT=@URL");
    set_expanded(state, "AWS_ENDPOINT_URL_STS=@URL");
    set_expanded(state, "AWS_ENDPOINT_URL_SSO=@URL");
    home_write(state, "token", "hush-identity");
    for (size_t i = 0; i < 2; i++) {
        static const char *const folders[] = { ".aws/sso", ".aws/sso/cache" };
        char *path = temp_path(*state, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
        free(path);
    }
    /* the SHA-1 of its start URL */
    home_write(state, ".aws/sso/cache/a51746d4aa793ae07b25e90c3a5db96fc7832bd7.json",
        "{\"startUrl\": \"https://corp.awsapps.com/start\", \"region\": \"eu-central-1\","
        " \"accessToken\": \"sso-access-token\", \"expiresAt\": \"2099-01-01T00:00:00Z\"}");
}

/* Pieces of environments and profiles. */
#define ENV_ID "AWS_ACCESS_KEY_ID=AKIDENV"
#define ENV_SECRET "AWS_SECRET_ACCESS_KEY=hush-environment"
#define ENV_TOKEN "AWS_SESSION_TOKEN=hush-token"
#define ENV_WEB "AWS_WEB_IDENTITY_TOKEN_FILE=@HOME/token"
#define ENV_ROLE "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/job"
#define ENV_FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI=@URL/v1/credentials"
#define NO_INSTANCE "AWS_EC2_METADATA_DISABLED=true"
#define CRED_KEYS "aws_access_key_id = AKIDCRED\naws_secret_access_key = hush-credentials\n"
#define CONF_KEYS "aws_access_key_id = AKIDCONF\naws_secret_access_key = hush-config\n"
#define HALF "aws_access_key_id = AKIDHALF\n"
#define ROLE "role_arn = arn:aws:iam::123456789012:role/job\nsource_profile = base\n"
#define WEB                                                                                    \
    "role_arn = arn:aws:iam::123456789012:role/job\nweb_identity_token_file = @HOME/token\n"
#define SSO                                                                                    \
    "sso_start_url = https://corp.awsapps.com/start\nsso_region = eu-central-1\n"              \
    "sso_account_id = 123456789012\nsso_role_name = job\n"
#define PROCESS                                                                                \
    "credential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"AKIDPROC\", "              \
    "\"SecretAccessKey\": \"hush-process\"}'\n"

/* The sections of the profile that AWS_PROFILE names, else of [default]; [profile base] is in
 * the config file always. wins: the source and, when there are several like it, the key id; or
 * what the error says. */
static const struct {
    const char *name;
    const char *variables[6];
    const char *credentials, *config;
    const char *wins, *key_id, *says;
} rows[] = {
    /* each alone */
    { "environment", { ENV_ID, ENV_SECRET }, "", "", "environment", "AKIDENV", NULL },
    { "role", { NULL }, "", ROLE, "role", NULL, NULL },
    { "web identity", { ENV_WEB, ENV_ROLE }, "", "", "web_identity", NULL, NULL },
    { "profile's web identity", { NULL }, "", WEB, "web_identity", NULL, NULL },
    { "sso", { NULL }, "", SSO, "sso", NULL, NULL },
    { "credentials file", { NULL }, CRED_KEYS, "", "profile", "AKIDCRED", NULL },
    { "process", { NULL }, "", PROCESS, "process", "AKIDPROC", NULL },
    { "config file", { NULL }, "", CONF_KEYS, "profile", "AKIDCONF", NULL },
    { "container", { ENV_FULL }, "", "", "container", NULL, NULL },
    { "instance", { NULL }, "", "", "instance", NULL, NULL },

    /* each with the next, and with what lies farther down */
    { "environment, role", { ENV_ID, ENV_SECRET }, "", ROLE, "environment", NULL, NULL },
    { "environment, all", { ENV_ID, ENV_SECRET, ENV_TOKEN, ENV_WEB, ENV_ROLE, ENV_FULL },
        CRED_KEYS, ROLE SSO PROCESS, "environment", NULL, NULL },
    { "role, web identity", { ENV_WEB, ENV_ROLE }, "", ROLE, "role", NULL, NULL },
    { "role, all below", { ENV_WEB, ENV_ROLE, ENV_FULL }, CRED_KEYS, ROLE SSO PROCESS, "role",
        NULL, NULL },
    { "role of the credentials file", { ENV_FULL }, ROLE CRED_KEYS, SSO, "role", NULL, NULL },
    { "web identity, sso", { ENV_WEB, ENV_ROLE }, "", SSO, "web_identity", NULL, NULL },
    { "web identity, keys", { ENV_WEB, ENV_ROLE }, CRED_KEYS, "", "web_identity", NULL, NULL },
    { "web identity, container", { ENV_WEB, ENV_ROLE, ENV_FULL }, "", "", "web_identity", NULL,
        NULL },
    { "profile's web identity, sso, keys", { NULL }, CRED_KEYS, WEB SSO, "web_identity", NULL,
        NULL },
    { "sso, credentials file", { NULL }, CRED_KEYS, SSO, "sso", NULL, NULL },
    { "sso, process, container", { ENV_FULL }, "", SSO PROCESS CONF_KEYS, "sso", NULL, NULL },
    { "credentials file, process", { NULL }, CRED_KEYS, PROCESS, "profile", "AKIDCRED", NULL },
    { "credentials file, config file", { NULL }, CRED_KEYS, CONF_KEYS, "profile", "AKIDCRED",
        NULL },
    { "process, config file", { NULL }, "", PROCESS CONF_KEYS, "process", "AKIDPROC", NULL },
    { "process of the credentials file, config file", { NULL }, PROCESS, CONF_KEYS, "process",
        NULL, NULL },
    { "config file, container", { ENV_FULL }, "", CONF_KEYS, "profile", "AKIDCONF", NULL },
    { "container, instance", { ENV_FULL }, "", "region = x\n", "container", NULL, NULL },

    /* half of one is its error, not the next one's keys */
    { "no secret", { ENV_ID }, CRED_KEYS, "", NULL, NULL, "AWS_SECRET_ACCESS_KEY" },
    { "no key id", { ENV_SECRET, ENV_FULL }, "", "", NULL, NULL, "AWS_ACCESS_KEY_ID" },
    { "a token alone", { ENV_TOKEN }, CRED_KEYS, "", NULL, NULL, "AWS_ACCESS_KEY_ID" },
    { "half in the credentials file", { ENV_FULL }, HALF, CONF_KEYS, NULL, NULL,
        "[default] in @HOME/.aws/credentials: aws_secret_access_key is missing" },
    { "half in the config file", { NULL }, "", HALF, NULL, NULL,
        "[profile default] in @HOME/.aws/config: aws_secret_access_key is missing" },
    { "role without a source", { ENV_FULL }, CRED_KEYS, "role_arn = x\n", NULL, NULL,
        "neither source_profile nor credential_source" },
    { "web identity without a role", { ENV_WEB }, CRED_KEYS, "", NULL, NULL, "AWS_ROLE_ARN" },
    { "token file without a token", { "AWS_WEB_IDENTITY_TOKEN_FILE=@HOME/none", ENV_ROLE },
        CRED_KEYS, "", NULL, NULL, "@HOME/none" },
    { "half of sso", { NULL }, CRED_KEYS, "sso_account_id = 1\n", NULL, NULL,
        "sso_start_url is missing" },
    { "process that fails", { ENV_FULL }, "", "credential_process = false\n" CONF_KEYS, NULL,
        NULL, "false" },
    { "container of nobody", { "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1/" }, "",
        "", NULL, NULL, "127.0.0.1:1" },
    { "container far away", { "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://192.0.2.1/" }, "", "",
        NULL, NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI" },

    /* AWS_PROFILE */
    { "named profile", { "AWS_PROFILE=x", ENV_FULL }, CRED_KEYS, "", "profile", "AKIDCRED",
        NULL },
    { "named profile, environment", { "AWS_PROFILE=x", ENV_ID, ENV_SECRET }, CRED_KEYS, "",
        "environment", NULL, NULL },
    { "named profile without keys, container", { "AWS_PROFILE=x", ENV_FULL }, "region = x\n",
        "", "container", NULL, NULL },
    { "profile that is nowhere", { "AWS_PROFILE=nowhere", ENV_FULL }, NULL, "", NULL, NULL,
        "there is no profile \"nowhere\" in @HOME/.aws/credentials and @HOME/.aws/config" },
    { "profile that is nowhere, web identity", { "AWS_PROFILE=nowhere", ENV_WEB, ENV_ROLE },
        NULL, "", NULL, NULL, "there is no profile \"nowhere\"" },
    { "profile that is nowhere, environment", { "AWS_PROFILE=nowhere", ENV_ID, ENV_SECRET },
        NULL, "", "environment", NULL, NULL },

    /* passed over */
    { "blank variables",
        { "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_WEB_IDENTITY_TOKEN_FILE=",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI=", "AWS_PROFILE=" },
        CRED_KEYS, "", "profile", "AKIDCRED", NULL },
    { "AWS_ROLE_ARN alone", { ENV_ROLE, ENV_FULL }, "", "", "container", NULL, NULL },
    { "sso_session alone", { ENV_FULL }, "", "sso_session = corp\n", "container", NULL, NULL },
    { "container's token alone", { "AWS_CONTAINER_AUTHORIZATION_TOKEN=hush" }, "", "",
        "instance", NULL, NULL },
    { "keys of another profile", { NULL }, "[other]\n" CRED_KEYS, "", "instance", NULL, NULL },
    { "blank keys", { ENV_FULL }, "aws_access_key_id =\naws_secret_access_key =\n", "",
        "container", NULL, NULL },
    { "disabled instance, keys", { NO_INSTANCE }, CRED_KEYS, "", "profile", NULL, NULL },

    /* nothing */
    { "disabled instance", { NO_INSTANCE }, "", "", NULL, NULL,
        "no credentials: AWS_ACCESS_KEY_ID is not set, profile \"default\" has none "
        "(@HOME/.aws/credentials and @HOME/.aws/config)" },
    { "no instance", { "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1" }, "", "", NULL,
        NULL, "run `aws configure`" },
    { "broken file", { ENV_FULL }, "nonsense", "", NULL, NULL, ".aws/credentials:2:" },
    { "broken file, environment", { ENV_ID, ENV_SECRET }, "nonsense", "", "environment", NULL,
        NULL },
};

static void arrange(void **state, size_t i)
{
    char text[1500];
    const char *profile = "default";
    arrange_all(state);
    for (size_t n = 0; n < COUNT(rows[i].variables) && rows[i].variables[n] != NULL; n++)
        set_expanded(state, rows[i].variables[n]);
    if (getenv("AWS_PROFILE") != NULL && *getenv("AWS_PROFILE") != '\0')
        profile = getenv("AWS_PROFILE");
    if (rows[i].credentials != NULL) {
        snprintf(text, sizeof text, "[%s]\n%s", profile, rows[i].credentials);
        write_expanded(state, ".aws/credentials", text);
    }
    snprintf(text, sizeof text,
        "[%s%s]\n%s\n[profile base]\naws_access_key_id = AKIDBASE\n"
        "aws_secret_access_key = hush-base\n",
        rows[i].credentials == NULL ? "unlike " : "profile ", profile, rows[i].config);
    write_expanded(state, ".aws/config", text);
}

static bool is_as_expected(void **state, size_t i)
{
    struct haul_error err = { .code = HAUL_OK };
    struct haul_identity who;
    struct haul_credentials *c = haul_credentials_default(&err);
    if (c == NULL) {
        char *says = expand(state, rows[i].says ? rows[i].says : "(nothing)");
        bool is = strstr(err.text, says) != NULL && strstr(err.text, "hush") == NULL &&
                  err.code != HAUL_OK;
        if (!is)
            print_error("%s: \"%s\"\n", rows[i].name, err.text);
        free(says);
        return is;
    }
    haul_credentials_describe(c, &who);
    bool is = rows[i].wins != NULL && strcmp(who.source, rows[i].wins) == 0 &&
              (rows[i].key_id == NULL || strcmp(who.key_id, rows[i].key_id) == 0);
    if (!is)
        print_error("%s: %s of %s\n", rows[i].name, who.key_id, who.source);
    haul_credentials_free(c);
    return is;
}

/* Case 46. */
static void the_first_source_that_is_configured_wins(void **state)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        arrange(state, i);
        wrong += !is_as_expected(state, i);
    }
    assert_int_equal(wrong, 0);
}

static void nobody_is_asked_who_is_not_chosen(void **state)
{
    struct haul_error err;
    const unsigned before = services_count(services, "");
    arrange_all(state);
    set_expanded(state, ENV_FULL);
    home_write(state, ".aws/credentials", "[default]\n" CRED_KEYS);
    haul_credentials_free(haul_credentials_default(&err));
    assert_int_equal(services_count(services, ""), before);
}

static void a_service_that_fails_is_the_end_of_the_chain(void **state)
{
    struct haul_error err;
    arrange_all(state);
    set_expanded(state, ENV_FULL);
    services_fault(services, "container always status=403\n");
    assert_null(haul_credentials_default(&err));
    services_clear(services);
    assert_int_equal(err.code, HAUL_SERVER);
    services_fault(services, "GetInstanceKeys always text=nonsense\n");
    unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    assert_null(haul_credentials_default(&err));
    services_clear(services);
    assert_int_equal(err.code, HAUL_BAD_REPLY); /* somebody is there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOME_TEST(the_first_source_that_is_configured_wins),
        HOME_TEST(nobody_is_asked_who_is_not_chosen),
        HOME_TEST(a_service_that_fails_is_the_end_of_the_chain),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
