/* credentials_sso.c and sso_cache.c: keys by the token that a login has left behind, how that
 * is renewed, and which command is told when there is none. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "credentials.h"
#include "jsonread.h"
#include "limit.h"
#include "services.h"
#include "temp.h"

#define START_URL "https://acme.awsapps.com/start"
#define CACHE "/.aws/sso/cache"
#define OF_SESSION "34c6fceca75e456f25e7e99531e2425c6c1de443.json"   /* SHA-1 of "dev" */
#define OF_START_URL "40169cea58ca6cbf23fb27b2542923fb5f524af0.json" /* of START_URL */

#define HOUR_S 3600
#define SOON_S 800 /* within the time in which tokens are renewed */

#define ACCESS "sso-access-token"
#define REFRESH "sso-refresh-token"
#define CLIENT_SECRET "se\"c\\ret/\xc3\xa9"

static struct services *services;
static char cache[4096];

static const struct haul_sso without_session = { .start_url = START_URL,
    .region = "eu-west-1",
    .account_id = "123456789012",
    .role_name = "Reader" };
static const struct haul_sso dev = { .session = "dev",
    .start_url = START_URL,
    .region = "eu-west-1",
    .account_id = "123456789012",
    .role_name = "Reader",
    .profile = "work" };

static int start_services(void **state)
{
    (void) state;
    services = services_start();
    return 0;
}

static int stop_services(void **state)
{
    (void) state;
    services_stop(services);
    return 0;
}

static void make_settings(void)
{
    services_set(services, "sso.token " ACCESS "\noidc.refresh-token " REFRESH "\n"
                           "oidc.client-secret " CLIENT_SECRET "\noidc.lifetime-s 28800\n"
                           "sso.account 123456789012\nsso.role Reader\n"
                           "sso.key ASIASSO sso/secret sso/token\n");
}

/* A home of its own, and services that nobody has asked anything. */
static int make_home(void **state)
{
    *state = temp_make();
    setenv("HOME", *state, 1);
    unsetenv("AWS_PROFILE");
    unsetenv("AWS_CONFIG_FILE");
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    unsetenv("AWS_CA_BUNDLE");
    setenv("AWS_ENDPOINT_URL_SSO", services_url(services), 1);
    setenv("AWS_ENDPOINT_URL_SSO_OIDC", services_url(services), 1);
    snprintf(cache, sizeof cache, "%s" CACHE, (char *) *state);
    for (char *slash = cache + strlen(*state) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(cache, 0700);
        *slash = '/';
    }
    services_clear(services);
    services_control(services, "POST", "reset", "", NULL, 0);
    make_settings();
    return mkdir(cache, 0700);
}

static int remove_home(void **state)
{
    temp_remove(*state);
    return 0;
}

static void write_cache(const char *name, const char *text)
{
    free(temp_write_text(cache, name, text));
}

static void tell_time(int in_s, char out[static 32])
{
    time_t then = time(NULL) + in_s;
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime(&then));
}

/* As `aws sso login` does. registered_s: how long the client may renew the token. */
static void log_in(const char *name, const char *access, int expires_s, int registered_s)
{
    char text[1024], expires[32], registered[32];
    tell_time(expires_s, expires);
    tell_time(registered_s, registered);
    snprintf(text, sizeof text,
        "{\"startUrl\": \"" START_URL "\", \"region\": \"eu-west-1\", \"accessToken\": \"%s\", "
        "\"expiresAt\": \"%s\", \"clientId\": \"client\", "
        "\"clientSecret\": \"se\\\"c\\\\ret/\\u00e9\", \"registrationExpiresAt\": \"%s\", "
        "\"refreshToken\": \"" REFRESH "\"}",
        access, expires, registered);
    write_cache(name, text);
}

/* A member of the session's cached token. */
static char *cached(const char *name)
{
    struct haul_error err;
    char text[2048] = "", *value = NULL, *path = temp_path(cache, OF_SESSION);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof text, f);
    fclose(f);
    free(path);
    struct json *j = json_parse("the cache", text, len, &err);
    assert_non_null(j);
    if (json_text(j, name) != NULL)
        value = strdup(json_text(j, name));
    json_free(j);
    return value;
}

static void assert_cached(const char *name, const char *value)
{
    char *is = cached(name);
    assert_string_equal(is, value);
    free(is);
}

static void assert_asked(const char *operation, unsigned count)
{
    assert_int_equal(services_count(services, operation), count);
}

static void assert_gives_keys(const struct haul_sso *sso)
{
    struct haul_error err = { .text = "" };
    const struct keys *k;
    struct haul_credentials *c = haul_credentials_from_sso(sso, &err);
    if (c == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_string_equal(k->key_id, "ASIASSO");
    assert_string_equal(k->secret, "sso/secret");
    assert_string_equal(k->token, "sso/token");
    keys_release(k);
    haul_credentials_free(c);
}

/* The text is all that is told, and no token is in it. */
static void assert_fails(const struct haul_sso *sso, enum haul_code code, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
static void assert_fails(
    const struct haul_sso *sso, enum haul_code code, const char *format, ...)
{
    char text[512];
    struct haul_error err;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_null(haul_credentials_from_sso(sso, &err));
    assert_string_equal(err.text, text);
    assert_int_equal(err.code, code);
}

static void a_login_gives_the_keys_of_its_role(void **state)
{
    (void) state;
    char log[4096];
    struct haul_error err;
    struct haul_identity who;
    log_in(OF_START_URL, ACCESS, HOUR_S, HOUR_S);
    assert_gives_keys(&without_session);
    services_log(services, "GetRoleCredentials", log, sizeof log);
    assert_non_null(strstr(log, "role_name=Reader"));
    assert_non_null(strstr(log, "account_id=123456789012"));
    assert_null(strstr(log, "\"authorization\""));

    log_in(OF_SESSION, ACCESS, HOUR_S, HOUR_S);
    assert_gives_keys(&dev);
    struct haul_credentials *c = haul_credentials_from_sso(&dev, &err);
    assert_non_null(c);
    haul_credentials_describe(c, &who);
    assert_string_equal(who.source, "sso");
    assert_string_equal(who.profile, "work");
    assert_string_equal(who.detail, "role Reader of account 123456789012, " START_URL);
    assert_string_equal(who.key_id, "ASIASSO");
    int64_t left_s = who.expires_ms / 1000 - time(NULL);
    assert_in_range(left_s, 3000, 3600);
    haul_credentials_free(c);
    assert_asked("CreateToken", 0);
}

static void without_a_login_the_command_is_told(void **state)
{
    (void) state;
    static const struct {
        const char *session, *profile, *command, *name;
    } cases[] = {
        { NULL, NULL, "aws sso login", OF_START_URL },
        { NULL, "work", "aws sso login --profile work", OF_START_URL },
        { "dev", NULL, "aws sso login --sso-session dev", OF_SESSION },
        { "dev", "work", "aws sso login --profile work", OF_SESSION },
        { "dev", "at work", "aws sso login --profile 'at work'", OF_SESSION },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_sso sso = without_session;
        sso.session = cases[i].session;
        sso.profile = cases[i].profile;
        assert_fails(&sso, HAUL_NO_CREDENTIALS,
            "there is no login to Identity Center: run `%s` (%s/%s: No such file or directory)",
            cases[i].command, cache, cases[i].name);
    }
    assert_asked("sso", 0);
}

static void a_cache_that_makes_no_sense_is_no_login(void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "", "it is no JSON object" },
        { ACCESS, "it is no JSON object" },
        { "{\"accessToken\":\"" ACCESS "\",", "it is no JSON object" },
        { "{}", "its accessToken is missing" },
        { "{\"accessToken\":null,\"expiresAt\":\"2100-01-01T00:00:00Z\"}",
            "its accessToken is missing" },
        { "{\"accessToken\":\"\",\"expiresAt\":\"2100-01-01T00:00:00Z\"}",
            "its accessToken is empty" },
        { "{\"accessToken\":\"a\\r\\nb: c\",\"expiresAt\":\"2100-01-01T00:00:00Z\"}",
            "its accessToken has a control character inside" },
        { "{\"accessToken\":\"" ACCESS "\"}", "its expiresAt is missing" },
        { "{\"accessToken\":\"" ACCESS "\",\"expiresAt\":\"" ACCESS "\"}",
            "its expiresAt is no time" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_cache(OF_SESSION, cases[i][0]);
        assert_fails(&dev, HAUL_NO_CREDENTIALS,
            "there is no login to Identity Center: run `aws sso login --profile work` (%s/%s: "
            "%s)",
            cache, OF_SESSION, cases[i][1]);
    }
    assert_asked("sso", 0);
}

static void a_cache_that_can_not_be_read_is_no_login(void **state)
{
    (void) state;
    char *path = temp_path(cache, OF_SESSION);
    mkdir(path, 0700);
    assert_fails(&dev, HAUL_NO_CREDENTIALS,
        "there is no login to Identity Center: run `aws sso login --profile work` (%s: Is a "
        "directory)",
        path);
    rmdir(path);
    FILE *f = fopen(path, "w");
    assert_int_equal(ftruncate(fileno(f), 10000000), 0);
    fclose(f);
    assert_fails(&dev, HAUL_NO_CREDENTIALS,
        "there is no login to Identity Center: run `aws sso login --profile work` (%s: it is "
        "over 65536 bytes)",
        path);
    free(path);
}

static void a_login_that_has_expired_tells_the_command(void **state)
{
    (void) state;
    /* Nobody can renew it: without a session, or when the registration has expired. */
    log_in(OF_START_URL, ACCESS, -1, HOUR_S);
    assert_fails(&without_session, HAUL_NO_CREDENTIALS,
        "the login to Identity Center has expired: run `aws sso login` (%s/%s)", cache,
        OF_START_URL);
    log_in(OF_SESSION, ACCESS, -1, -1);
    assert_fails(&dev, HAUL_NO_CREDENTIALS,
        "the login to Identity Center has expired: run `aws sso login --profile work` (%s/%s)",
        cache, OF_SESSION);
    write_cache(OF_SESSION, "{\"accessToken\":\"a\",\"expiresAt\":\"2020-01-01T00:00:00UTC\"}");
    assert_fails(&dev, HAUL_NO_CREDENTIALS,
        "the login to Identity Center has expired: run `aws sso login --profile work` (%s/%s)",
        cache, OF_SESSION);
    assert_asked("sso", 0);
}

static void a_new_login_is_used_at_the_next_asking(void **state)
{
    (void) state;
    struct haul_error err;
    log_in(OF_SESSION, ACCESS, HOUR_S, HOUR_S);
    struct haul_credentials *c = haul_credentials_from_sso(&dev, &err);
    assert_non_null(c);
    services_set(services, "sso.token another\n");
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    log_in(OF_SESSION, "another", HOUR_S, HOUR_S);
    assert_int_equal(haul_credentials_refresh(c, &err), 0);
    haul_credentials_free(c);
}

static void a_token_near_its_end_is_renewed_for_all(void **state)
{
    (void) state;
    char *path = temp_path(cache, OF_SESSION);
    struct stat st;
    log_in(OF_SESSION, ACCESS, SOON_S, HOUR_S);
    char *registered = cached("registrationExpiresAt");
    assert_int_equal(chmod(path, 0644), 0);
    assert_gives_keys(&dev);
    assert_asked("CreateToken", 1);

    char *access = cached("accessToken"), *refresh = cached("refreshToken");
    assert_string_not_equal(access, ACCESS);
    assert_string_not_equal(refresh, REFRESH);
    char *expires = cached("expiresAt");
    assert_int_equal(strlen(expires), strlen("2026-01-31T12:00:00Z"));
    assert_in_range(json_time_ms(expires) / 1000 - time(NULL), 28000, 28800);
    assert_cached("startUrl", START_URL);
    assert_cached("region", "eu-west-1");
    assert_cached("clientId", "client");
    assert_cached("clientSecret", CLIENT_SECRET);
    assert_cached("registrationExpiresAt", registered);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(temp_count(cache), 1);

    /* And is far from its end now. */
    assert_gives_keys(&dev);
    assert_asked("CreateToken", 1);
    free(access);
    free(refresh);
    free(expires);
    free(registered);
    free(path);
}

static void a_token_that_has_expired_is_renewed_too(void **state)
{
    (void) state;
    log_in(OF_SESSION, "old", -HOUR_S, HOUR_S);
    assert_gives_keys(&dev);
    assert_asked("CreateToken", 1);
}

static void without_a_session_none_is_renewed(void **state)
{
    (void) state;
    log_in(OF_START_URL, ACCESS, SOON_S, HOUR_S);
    assert_gives_keys(&without_session);
    assert_asked("CreateToken", 0);
}

static void a_token_that_lives_is_good_without_renewal(void **state)
{
    (void) state;
    static const char *const answers[] = {
        "status=400 code=InvalidGrantException",
        "status=200 text={}",
        "status=200 text={\"accessToken\":\"a\"}",
        "status=200 text={\"accessToken\":\"a\\n\",\"expiresIn\":3600}",
        "status=200 text={\"accessToken\":\"a\",\"expiresIn\":-1}",
        "status=200 text={\"accessToken\":\"a\",\"expiresIn\":99999999999}",
        "status=200 malformed",
        "status=200 empty",
        "status=200 huge",
    };
    log_in(OF_SESSION, ACCESS, SOON_S, HOUR_S);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        char fault[128];
        snprintf(fault, sizeof fault, "CreateToken always %s\n", answers[i]);
        services_fault(services, fault);
        assert_gives_keys(&dev);
        services_clear(services);
        assert_asked("CreateToken", (unsigned) i + 1);
        assert_cached("accessToken", ACCESS);
    }
}

static void a_renewal_that_is_refused_wants_a_new_login(void **state)
{
    (void) state;
    static const char *const refusals[] = { "oidc.refresh-token another\n",
        "oidc.client-secret another\n", "oidc.expired yes\n" };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        make_settings();
        services_set(services, refusals[i]);
        log_in(OF_SESSION, "old", -1, HOUR_S);
        assert_fails(&dev, HAUL_NO_CREDENTIALS,
            "the login to Identity Center has expired: run `aws sso login --profile work` "
            "(%s/%s)",
            cache, OF_SESSION);
    }
    services_set(services, "oidc.expired no\n");
}

static void a_renewal_that_fails_wants_patience(void **state)
{
    (void) state;
    log_in(OF_SESSION, "old", -1, HOUR_S);
    services_fault(services, "CreateToken count=2 always status=503\n");
    assert_gives_keys(&dev);
    assert_asked("CreateToken", 3);

    log_in(OF_SESSION, "old", -1, HOUR_S);
    services_fault(services, "CreateToken always status=500 code=InternalServerException\n");
    assert_fails(&dev, HAUL_SERVER,
        "SSO OIDC at %s answered 500 InternalServerException: as scripted",
        services_url(services));
    services_clear(services);
    services_fault(
        services, "CreateToken always status=200 text={\"accessToken\":\"" ACCESS "\"}\n");
    assert_fails(
        &dev, HAUL_BAD_REPLY, "the answer of SSO OIDC has no proper accessToken and expiresIn");
}

/* Renews the token as another process would, while ours is about to. */
static void *renew_elsewhere(void *unused)
{
    services_wait_at(services, "renewal", 1);
    services_set(services, "sso.token theirs\n");
    log_in(OF_SESSION, "theirs", HOUR_S, HOUR_S);
    services_open(services, "renewal");
    return unused;
}

static void a_token_that_another_process_has_renewed_is_used(void **state)
{
    (void) state;
    pthread_t other;
    log_in(OF_SESSION, "old", -1, HOUR_S);
    services_fault(services, "CreateToken always gate=renewal status=400\n");
    pthread_create(&other, NULL, renew_elsewhere, NULL);
    assert_gives_keys(&dev);
    pthread_join(other, NULL);
    assert_asked("CreateToken", 1);
    assert_cached("accessToken", "theirs");
}

/* Nothing can be written, as in a home that is mounted read-only. */
static void a_token_that_can_not_be_written_is_kept_in_memory(void **state)
{
    (void) state;
    struct haul_error err;
    log_in(OF_SESSION, ACCESS, SOON_S, HOUR_S);
    rlim_t before = limit_set(RLIMIT_FSIZE, 0);
    struct haul_credentials *c = haul_credentials_from_sso(&dev, &err);
    int rc = c == NULL ? -1 : haul_credentials_refresh(c, &err);
    limit_set(RLIMIT_FSIZE, before);
    assert_int_equal(rc, 0); /* by the token that the first asking has brought */
    assert_asked("CreateToken", 1);
    assert_asked("GetRoleCredentials", 2);
    assert_cached("accessToken", ACCESS);
    assert_int_equal(temp_count(cache), 1);

    /* A later login goes before it. */
    services_set(services, "sso.token later\n");
    log_in(OF_SESSION, "later", 10 * HOUR_S, HOUR_S);
    assert_int_equal(haul_credentials_refresh(c, &err), 0);
    haul_credentials_free(c);
}

static void a_login_that_the_portal_refuses_tells_the_command(void **state)
{
    (void) state;
    log_in(OF_SESSION, "revoked", HOUR_S, HOUR_S);
    assert_fails(&dev, HAUL_NO_CREDENTIALS,
        "Identity Center does not accept the login: run `aws sso login --profile work` (%s/%s)",
        cache, OF_SESSION);
    assert_asked("GetRoleCredentials", 1);
}

static void a_role_that_is_not_ours_is_named(void **state)
{
    (void) state;
    struct haul_sso sso = dev;
    sso.role_name = "Admin & more";
    log_in(OF_SESSION, ACCESS, HOUR_S, HOUR_S);
    assert_fails(&sso, HAUL_NO_CREDENTIALS,
        "the role Admin & more of account 123456789012 is not yours: ask the administrator of "
        "your Identity Center for it");
}

static void what_they_quote_of_a_login_is_not_repeated(void **state)
{
    (void) state;
    log_in(OF_SESSION, ACCESS, HOUR_S, HOUR_S);
    services_fault(
        services, "GetRoleCredentials always status=400 text={\"message\":\"" ACCESS "!\"}");
    assert_fails(
        &dev, HAUL_SERVER, "the SSO portal at %s answered 400: ...", services_url(services));
}

static void an_overloaded_portal_is_asked_again(void **state)
{
    (void) state;
    log_in(OF_SESSION, ACCESS, HOUR_S, HOUR_S);
    services_fault(services, "GetRoleCredentials nth=1 status=503\n"
                             "GetRoleCredentials nth=2 status=429 "
                             "code=TooManyRequestsException\nGetRoleCredentials nth=3 reset\n");
    assert_gives_keys(&dev);
    assert_asked("GetRoleCredentials", 4);
}

static void an_answer_that_makes_no_sense_is_refused(void **state)
{
    (void) state;
    static const struct {
        const char *fault;
        enum haul_code code;
        const char *text;
    } cases[] = {
        { "malformed", HAUL_BAD_REPLY, " is no JSON object" },
        { "empty", HAUL_BAD_REPLY, " is no JSON object" },
        { "huge", HAUL_TOO_LARGE, ": its answer is over 64 KiB" },
        { "without=AccessKeyId", HAUL_BAD_REPLY, ": roleCredentials.accessKeyId is missing" },
        { "without=SecretAccessKey", HAUL_BAD_REPLY,
            ": roleCredentials.secretAccessKey is missing" },
        { "expires=tomorrow", HAUL_BAD_REPLY, ": roleCredentials.expiration is no time" },
        { "skew-s=-3600 expires=9223372036854775806", HAUL_BAD_REPLY,
            ": roleCredentials.expiration is no time" },
        { "status=302 location=/elsewhere", HAUL_SERVER,
            " answered 302 Scripted: as scripted" },
        { "status=404 code=ResourceNotFoundException", HAUL_SERVER,
            " answered 404 ResourceNotFoundException: as scripted" },
    };
    log_in(OF_SESSION, ACCESS, HOUR_S, HOUR_S);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char fault[128];
        snprintf(fault, sizeof fault, "GetRoleCredentials always %s\n", cases[i].fault);
        services_fault(services, fault);
        assert_fails(&dev, cases[i].code, "the SSO portal at %s%s", services_url(services),
            cases[i].text);
        services_clear(services);
    }
    assert_asked("", sizeof cases / sizeof *cases);
}

/* Where nobody says where the services are: the region's own, in its partition. */
static void the_region_tells_the_hosts(void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "eu-west-1", "amazonaws.com" },
        { "us-gov-west-1", "amazonaws.com" },
        { "cn-north-1", "amazonaws.com.cn" },
    };
    unsetenv("AWS_ENDPOINT_URL_SSO");
    unsetenv("AWS_ENDPOINT_URL_SSO_OIDC");
    setenv("no_proxy", "", 1);
    setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1); /* where nobody listens */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        struct haul_error err;
        struct haul_sso sso = dev;
        sso.region = cases[i][0];
        for (int renews = 0; renews < 2; renews++) {
            snprintf(text, sizeof text,
                "%s: on the way to https://%s.%s.%s: can't connect to the proxy 127.0.0.1 port "
                "1",
                renews ? "SSO OIDC" : "the SSO portal", renews ? "oidc" : "portal.sso",
                cases[i][0], cases[i][1]);
            log_in(OF_SESSION, ACCESS, renews ? -1 : HOUR_S, HOUR_S);
            assert_null(haul_credentials_from_sso(&sso, &err));
            err.text[strlen(text)] = '\0';
            assert_string_equal(err.text, text);
            assert_int_equal(err.code, HAUL_NETWORK);
        }
    }
    unsetenv("HTTPS_PROXY");
    setenv("no_proxy", "*", 1);
}

static void what_is_missing_is_named(void **state)
{
    (void) state;
    struct haul_sso sso = dev;
    sso.region = sso.role_name = NULL;
    assert_fails(
        &sso, HAUL_BAD_CONFIG, "profile work lacks sso_region, sso_role_name, which SSO needs");
    assert_fails(&(struct haul_sso){ .session = "dev" }, HAUL_BAD_CONFIG,
        "the configuration lacks sso_start_url, sso_region, sso_account_id, sso_role_name, "
        "which SSO needs");
    sso = dev;
    sso.region = "evil.example.com/";
    assert_fails(&sso, HAUL_BAD_CONFIG, "sso_region evil.example.com/ is no region");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_login_gives_the_keys_of_its_role, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            without_a_login_the_command_is_told, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_cache_that_makes_no_sense_is_no_login, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_cache_that_can_not_be_read_is_no_login, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_login_that_has_expired_tells_the_command, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_new_login_is_used_at_the_next_asking, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_token_near_its_end_is_renewed_for_all, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_token_that_has_expired_is_renewed_too, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            without_a_session_none_is_renewed, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_token_that_lives_is_good_without_renewal, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_renewal_that_is_refused_wants_a_new_login, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_renewal_that_fails_wants_patience, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_token_that_another_process_has_renewed_is_used, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_token_that_can_not_be_written_is_kept_in_memory, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_login_that_the_portal_refuses_tells_the_command, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            a_role_that_is_not_ours_is_named, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            what_they_quote_of_a_login_is_not_repeated, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            an_overloaded_portal_is_asked_again, make_home, remove_home),
        cmocka_unit_test_setup_teardown(
            an_answer_that_makes_no_sense_is_refused, make_home, remove_home),
        cmocka_unit_test_setup_teardown(the_region_tells_the_hosts, make_home, remove_home),
        cmocka_unit_test_setup_teardown(what_is_missing_is_named, make_home, remove_home),
    };
    return cmocka_run_group_tests(tests, start_services, stop_services);
}
