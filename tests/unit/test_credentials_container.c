/* credentials_container.c: where a container's keys are asked for, with which token, and what
 * comes of it. */
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "credentials.h"
#include "services.h"
#include "temp.h"

#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define KEY "container.key ASIACONTAINER s3cr3t t0k3n\n"

struct fixture {
    struct services *services;
    char *folder;
};

static void set_full(const struct fixture *f, const char *path)
{
    char uri[256];
    snprintf(uri, sizeof uri, "%s%s", services_url(f->services), path);
    setenv(FULL, uri, 1);
}

static int make(void **state)
{
    static const char *const names[] = { RELATIVE, FULL, TOKEN, TOKEN_FILE };
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    f->services = services_start();
    f->folder = temp_make();
    services_set(f->services, KEY);
    set_full(f, "/v1/credentials");
    *state = f;
    return 0;
}

static int clear(void **state)
{
    struct fixture *f = *state;
    services_clear(f->services);
    services_stop(f->services);
    temp_remove(f->folder);
    free(f);
    return 0;
}

static void assert_keys(struct haul_credentials *c, const char *key_id)
{
    struct haul_error err;
    const struct keys *k;
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_string_equal(k->key_id, key_id);
    assert_string_equal(k->secret, "s3cr3t");
    assert_string_equal(k->token, "t0k3n");
    keys_release(k);
}

static void assert_given(void)
{
    struct haul_error err;
    struct haul_credentials *c = haul_credentials_from_container(&err);
    if (c == NULL)
        fail_msg("%s", err.text);
    assert_keys(c, "ASIACONTAINER");
    haul_credentials_free(c);
}

static struct haul_error refused(enum haul_code code, const char *named)
{
    struct haul_error err;
    if (haul_credentials_from_container(&err) != NULL)
        fail_msg("no failure that names %s", named);
    if (err.code != code || strstr(err.text, named) == NULL)
        fail_msg("%s does not name %s: %s", haul_code_name(err.code), named, err.text);
    assert_null(strstr(err.text, "s3cr3t"));
    assert_null(strstr(err.text, "t0k3n"));
    return err;
}

static void assert_logged(const struct fixture *f, const char *expected)
{
    char log[65536];
    services_log(f->services, "GetContainerKeys", log, sizeof log);
    if (strstr(log, expected) == NULL)
        fail_msg("%s is not in %s", expected, log);
}

/* ---- Where ---- */

static void the_keys_and_their_origin_are_told(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    struct haul_identity who;
    services_set(f->services, "container.lifetime-s 3600\n");
    struct haul_credentials *c = haul_credentials_from_container(&err);
    assert_non_null(c);
    assert_keys(c, "ASIACONTAINER");
    haul_credentials_describe(c, &who);
    assert_string_equal(who.source, "container");
    assert_string_equal(who.detail, services_url(f->services));
    assert_string_equal(who.key_id, "ASIACONTAINER");
    assert_int_equal((who.expires_ms / 1000 - time(NULL) + 30) / 60, 60);
    haul_credentials_free(c);
}

static void without_the_variables_there_are_no_keys(void **state)
{
    (void) state;
    unsetenv(FULL);
    refused(HAUL_NO_CREDENTIALS, RELATIVE);
    setenv(FULL, "", 1);
    setenv(RELATIVE, "", 1);
    refused(HAUL_NO_CREDENTIALS, FULL);
}

static void path_and_query_arrive_as_they_stand(void **state)
{
    static const char *const paths[][2] = {
        { "/v2/credentials/a-1?x=y", "/v2/credentials/a-1?x=y" },
        { "/v2/credentials/a%20b%C3%A9", "/v2/credentials/a%20b%C3%A9" },
        { "/v2/credentials/a/?x=1%262&y=%3D", "/v2/credentials/a/?x=1%262&y=%3D" },
        { "/v2/credentials/a#part", "/v2/credentials/a" },
    };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char target[128];
        snprintf(target, sizeof target, "\"target\": \"%s\"", paths[i][1]);
        set_full(f, paths[i][0]);
        assert_given();
        assert_logged(f, target);
    }
}

/* Case 49. Whom a full URI may name. Those that are let through are not there. */
static void hosts_are_https_or_this_machine_or_the_services_own(void **state)
{
    static const struct {
        const char *uri;
        enum haul_code code;
        const char *named;
    } cases[] = {
        { "http://127.0.0.1:1/x", HAUL_NETWORK, "http://127.0.0.1:1" },
        { "http://127.9.9.9:1/x", HAUL_NETWORK, "http://127.9.9.9:1" },
        { "http://localhost:1/x", HAUL_NETWORK, "http://localhost:1" },
        { "http://[::1]:1/x", HAUL_NETWORK, "http://[::1]:1" },
        { "https://127.0.0.1:1/x", HAUL_NETWORK, "https://127.0.0.1:1" },
        { "https://nowhere.invalid/x", HAUL_NETWORK, "https://nowhere.invalid" },
        { "http://nowhere.invalid/x", HAUL_BAD_CONFIG, "leads to http://nowhere.invalid: " },
        { "http://127.0.0.1.nowhere.invalid/", HAUL_BAD_CONFIG, "leads to" },
        { "http://localhost.nowhere.invalid/", HAUL_BAD_CONFIG, "leads to" },
        { "http://169.254.170.2.nowhere.invalid/", HAUL_BAD_CONFIG, "leads to" },
        { "http://169.254.170.20/", HAUL_BAD_CONFIG, "leads to" },
        { "http://169.254.169.254/", HAUL_BAD_CONFIG, "leads to" },
        { "http://10.0.0.1/", HAUL_BAD_CONFIG, "leads to" },
        { "http://[fd00:ec2::24]/", HAUL_BAD_CONFIG, "leads to" },
        { "http://[fd00:ec2::254]/", HAUL_BAD_CONFIG, "leads to" },
        { "http://127.0.0.1@nowhere.invalid/", HAUL_BAD_CONFIG, FULL },
        { "http://nowhere.invalid\\@127.0.0.1/", HAUL_BAD_CONFIG, FULL },
        { "http://nowhere.invalid#@127.0.0.1/", HAUL_BAD_CONFIG, "leads to" },
        { "http://nowhere.invalid?@127.0.0.1/", HAUL_BAD_CONFIG, "leads to" },
        { "ftp://127.0.0.1/x", HAUL_BAD_CONFIG, FULL },
        { "127.0.0.1/x", HAUL_BAD_CONFIG, "is no URL" },
        { "/x", HAUL_BAD_CONFIG, "is no URL" },
        { "http:///x", HAUL_BAD_CONFIG, FULL },
        { "http://127.0.0.1:1/%zz", HAUL_BAD_CONFIG, "escape" },
        { "http://127.0.0.1:1/x?a=%0", HAUL_BAD_CONFIG, "escape" },
        { "http://127.0.0.1:1/x?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17", HAUL_BAD_CONFIG,
            "16 parameters" },
    };
    static char huge[4096];
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv(FULL, cases[i].uri, 1);
        refused(cases[i].code, cases[i].named);
    }
    memset(huge, 'x', sizeof huge - 1);
    memcpy(huge, "http://127.0.0.1:1/", strlen("http://127.0.0.1:1/"));
    setenv(FULL, huge, 1);
    refused(HAUL_BAD_CONFIG, "1,024 bytes");
}

static void a_proxy_is_never_asked(void **state)
{
    (void) state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    assert_given();
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

/* ---- Tokens ---- */

static void the_token_is_sent_as_it_is(void **state)
{
    const struct fixture *f = *state;
    services_set(f->services, "container.authorization Bearer t0k3n\n");
    struct haul_error err = refused(HAUL_SERVER, "401 InvalidAuthorization: the authorization");
    assert_int_equal(err.http_status, 401);
    setenv(TOKEN, "Bearer t0k3n", 1);
    assert_given();
    setenv(TOKEN, "Bearer t0k3n\r\nX-Evil: 1", 1);
    refused(HAUL_BAD_CONFIG, TOKEN " has a control character");
}

/* Case 49. */
static void the_token_file_goes_first_and_is_read_each_time(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    char *path = temp_write_text(f->folder, "token", "t0k3n-1\r\n");
    setenv(TOKEN, "t0k3n-0", 1);
    setenv(TOKEN_FILE, path, 1);
    services_set(f->services, "container.authorization t0k3n-1\n");
    struct haul_credentials *c = haul_credentials_from_container(&err);
    assert_non_null(c);
    services_set(f->services, "container.authorization t0k3n-2\n");
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_int_equal(err.code, HAUL_SERVER);
    assert_keys(c, "ASIACONTAINER"); /* those that it had */
    free(temp_write_text(f->folder, "token", "t0k3n-2\n"));
    services_set(f->services, "container.key ASIANEXT s3cr3t t0k3n\n");
    assert_int_equal(haul_credentials_refresh(c, &err), 0);
    assert_keys(c, "ASIANEXT");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_CONFIG);
    haul_credentials_free(c);
    free(path);
}

static void a_token_file_that_holds_none_is_named(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *named;
    } cases[] = {
        { "", 0, "is empty" },
        { "\r\n \n", 4, "is empty" },
        { "t0k3n\r\nX-Evil: 1\n", 17, "control character" },
        { "t0k3n\nmore", 10, "control character" },
        { "t0k3n\0more", 10, "NUL" },
    };
    const struct fixture *f = *state;
    char *path = temp_path(f->folder, "token"), *folder = temp_path(f->folder, ".");
    static char huge[100000];
    setenv(TOKEN_FILE, path, 1);
    struct haul_error err = refused(HAUL_BAD_CONFIG, path);
    assert_non_null(strstr(err.text, "No such file"));
    assert_non_null(strstr(err.text, TOKEN_FILE));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        free(temp_write(f->folder, "token", cases[i].text, cases[i].len));
        err = refused(HAUL_BAD_CONFIG, path);
        if (strstr(err.text, cases[i].named) == NULL)
            fail_msg("%s: %s", cases[i].named, err.text);
    }
    memset(huge, 'x', sizeof huge);
    free(temp_write(f->folder, "token", huge, sizeof huge));
    refused(HAUL_BAD_CONFIG, "too large");
    free(temp_write(f->folder, "token", huge, 32 * 1024 + 1));
    refused(HAUL_BAD_CONFIG, "too large");
    setenv(TOKEN_FILE, folder, 1);
    refused(HAUL_BAD_CONFIG, "Is a directory");
    if (geteuid() != 0) {
        chmod(path, 0);
        setenv(TOKEN_FILE, path, 1);
        refused(HAUL_BAD_CONFIG, "Permission denied");
    }
    assert_int_equal(services_count(f->services, ""), 0);
    free(path);
    free(folder);
}

/* ---- Answers ---- */

static void answers_that_make_no_sense_are_told(void **state)
{
    static const struct {
        const char *fault;
        enum haul_code code;
        const char *named;
    } cases[] = {
        { "always malformed", HAUL_BAD_REPLY, "no JSON object" },
        { "always empty", HAUL_BAD_REPLY, "no JSON object" },
        { "always text=[]", HAUL_BAD_REPLY, "no JSON object" },
        { "always text=<html>t0k3n</html>", HAUL_BAD_REPLY, "no JSON object" },
        { "always huge", HAUL_TOO_LARGE, "64 KiB" },
        { "always without=AccessKeyId", HAUL_BAD_REPLY, "AccessKeyId is missing" },
        { "always without=SecretAccessKey", HAUL_BAD_REPLY, "SecretAccessKey is missing" },
        { "always expires=soon", HAUL_BAD_REPLY, "Expiration is no time" },
        { "always expires-s=-60", HAUL_NO_CREDENTIALS, "expired" },
        { "always text={\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s3cr3t%5Cn\"}",
            HAUL_BAD_CONFIG, "control character" },
        { "always text={\"Code\":\"Fail\",\"Message\":\"why\",\"SecretAccessKey\":\"s3cr3t\"}",
            HAUL_SERVER, "answered Fail: why" },
        { "always status=400 code=InvalidId", HAUL_SERVER, "answered 400 InvalidId: " },
        { "always status=403 text=t0k3n", HAUL_SERVER, "answered 403" },
        { "always status=302 location=http://127.0.0.1:1/", HAUL_SERVER, "answered 302" },
        { "always status=500", HAUL_SERVER, "answered 500" },
        { "always reset", HAUL_NETWORK, "the container's credential service at http://127." },
    };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[256];
        snprintf(line, sizeof line, "GetContainerKeys %s\n", cases[i].fault);
        services_clear(f->services);
        services_fault(f->services, line);
        refused(cases[i].code, cases[i].named);
    }
}

static void a_token_that_the_service_quotes_is_not_repeated(void **state)
{
    const struct fixture *f = *state;
    setenv(TOKEN, "t0k3n-of-the-task", 1);
    services_fault(f->services,
        "GetContainerKeys nth=1 status=400 text={\"message\":\"t0k3n-of-the-task?\"}\n"
        "GetContainerKeys nth=2 text={\"Code\":\"C\",\"Message\":\"t0k3n-of-the-task?\"}\n");
    struct haul_error err = refused(HAUL_SERVER, "answered 400: ...");
    assert_null(strstr(err.text, "t0k3n"));
    err = refused(HAUL_SERVER, "answered C: ...");
    assert_null(strstr(err.text, "t0k3n"));
}

static void what_passes_is_asked_again(void **state)
{
    static const char *const faults[] = { "nth=1 status=500", "nth=1 status=503", "nth=1 reset",
        "nth=1 truncate=20", "nth=1 gate=slow" };
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char line[64];
        snprintf(line, sizeof line, "GetContainerKeys %s\n", faults[i]);
        services_clear(f->services);
        services_fault(f->services, line);
        assert_given();
    }
}

static void keys_without_token_or_expiry_have_none(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    struct haul_identity who;
    const struct keys *k;
    services_fault(f->services, "GetContainerKeys always without=Token,Expiration\n");
    struct haul_credentials *c = haul_credentials_from_container(&err);
    assert_non_null(c);
    haul_credentials_describe(c, &who);
    assert_int_equal(who.expires_ms, -1);
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_null(k->token);
    keys_release(k);
    haul_credentials_free(c);
}

/* Theirs is five hours ahead, and the keys live for one. */
static void an_expiry_is_by_the_clock_of_the_service(void **state)
{
    const struct fixture *f = *state;
    struct haul_error err;
    const struct keys *k;
    static const char *const lines[] = { "clock.skew-s 18000\ncontainer.lifetime-s 3600\n",
        "clock.skew-s -18000\n" };
    for (size_t i = 0; i < 2; i++) {
        services_set(f->services, lines[i]);
        services_rotate(f->services, "container");
        struct haul_credentials *c = haul_credentials_from_container(&err);
        if (c == NULL)
            fail_msg("%s", err.text);
        assert_int_equal(credentials_hold(c, &k, &err), 0);
        int64_t left_ms = k->expires_ms - k->issuer_offset_ms - (int64_t) time(NULL) * 1000;
        assert_in_range(left_ms, 3600000 - 30000, 3600000 + 2000);
        keys_release(k);
        haul_credentials_free(c);
    }
}

/* ---- The address of ECS, in a network of our own. The last test: there is no way back. ----
 */

static void write_line(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY);
    if (fd >= 0 && write(fd, line, strlen(line)) < 0)
        print_message("%s stays as it is\n", path);
    if (fd >= 0)
        close(fd);
}

static bool enter_network_with(const char *name, uint32_t address)
{
    struct ifreq r = { .ifr_flags = IFF_UP };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
    uid_t user = geteuid();
    char map[32];
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return false;
    snprintf(map, sizeof map, "0 %u 1", user);
    write_line("/proc/self/uid_map", map);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(r.ifr_name, "lo");
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
    strcpy(r.ifr_name, name);
    memcpy(&r.ifr_addr, &at, sizeof at);
    ok = ok && ioctl(fd, SIOCSIFADDR, &r) == 0;
    close(fd);
    return ok;
}

static void a_relative_uri_goes_first_and_leads_to_ecs(void **state)
{
    struct fixture *f = *state;
    setenv(RELATIVE, "v2/credentials/x", 1);
    refused(HAUL_BAD_CONFIG, RELATIVE);
    setenv(RELATIVE, "@127.0.0.1/x", 1);
    refused(HAUL_BAD_CONFIG, RELATIVE);
    if (!enter_network_with("lo:1", 0xA9FEAA02)) {
        print_message("no network of our own to be had: only the refusals were tried\n");
        return;
    }
    services_stop(f->services);
    f->services = services_start_at("169.254.170.2:80");
    services_set(f->services, KEY "container.authorization t0k3n\n");
    setenv(FULL, "http://127.0.0.1:1/", 1);
    setenv(RELATIVE, "/v2/credentials/4711?x=y", 1);
    setenv(TOKEN, "t0k3n", 1);
    assert_given();
    assert_logged(f, "\"target\": \"/v2/credentials/4711?x=y\"");
    unsetenv(RELATIVE);
    setenv(FULL, "http://169.254.170.2/v1/credentials", 1); /* an address of theirs */
    assert_given();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
    const struct CMUnitTest tests[] = {
        TEST(the_keys_and_their_origin_are_told),
        TEST(without_the_variables_there_are_no_keys),
        TEST(path_and_query_arrive_as_they_stand),
        TEST(hosts_are_https_or_this_machine_or_the_services_own),
        TEST(a_proxy_is_never_asked),
        TEST(the_token_is_sent_as_it_is),
        TEST(the_token_file_goes_first_and_is_read_each_time),
        TEST(a_token_file_that_holds_none_is_named),
        TEST(answers_that_make_no_sense_are_told),
        TEST(a_token_that_the_service_quotes_is_not_repeated),
        TEST(what_passes_is_asked_again),
        TEST(keys_without_token_or_expiry_have_none),
        TEST(an_expiry_is_by_the_clock_of_the_service),
        TEST(a_relative_uri_goes_first_and_leads_to_ecs),
    };
    return cmocka_run_group_tests_name("credentials_container", tests, NULL, NULL);
}
