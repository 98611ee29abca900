/* credentials_process.c: keys that a program prints, and what is told of one that prints none:
 * never more than its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "credentials.h"
#include "temp.h"

#define HUSH "hush"
#define KEYS "\"AccessKeyId\": \"AKID\", \"SecretAccessKey\": \"" HUSH "\""

/* The working folder, which the programs stand in. */
static int enter_folder(void **state)
{
    *state = temp_make();
    return chdir(*state);
}

static int leave_folder(void **state)
{
    temp_remove(*state);
    return chdir("/");
}

static void write_text(const char *name, const char *text)
{
    free(temp_write_text(".", name, text));
}

static struct haul_credentials *from_text(const char *text, struct haul_error *err)
{
    write_text("printed", text);
    return haul_credentials_from_process("cat printed --", err);
}

static void assert_keys(
    const struct haul_credentials *c, const char *key_id, const char *secret, const char *token)
{
    const struct keys *k;
    struct haul_error err;
    assert_int_equal(credentials_hold(c, &k, &err), 0);
    assert_string_equal(k->key_id, key_id);
    assert_string_equal(k->secret, secret);
    if (token == NULL)
        assert_null(k->token);
    else
        assert_string_equal(k->token, token);
    keys_release(k);
}

static void assert_none(struct haul_credentials *c, const struct haul_error *err,
    enum haul_code code, const char *text)
{
    assert_null(c);
    assert_string_equal(err->text, text);
    assert_int_equal(err->code, code);
}

static void assert_refused(const char *printed, enum haul_code code, const char *text)
{
    struct haul_error err;
    assert_none(from_text(printed, &err), &err, code, text);
}

static void what_it_prints_are_the_keys(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_identity who;
    struct haul_credentials *c = from_text("{ \"Version\": 1, " KEYS ",\n"
                                           "\"SessionToken\": \"a\\/b+=\", \"More\": [{}] }\n",
        &err);
    assert_non_null(c);
    assert_keys(c, "AKID", HUSH, "a/b+=");
    haul_credentials_describe(c, &who);
    assert_string_equal(who.source, "process");
    assert_string_equal(who.detail, "cat");
    assert_string_equal(who.key_id, "AKID");
    assert_int_equal(who.expires_ms, -1);
    haul_credentials_free(c);
}

static void keys_without_a_token_have_none(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_credentials *c =
        from_text("{\"Version\":1," KEYS ",\"SessionToken\":null,\"Expiration\":null}", &err);
    assert_non_null(c);
    assert_keys(c, "AKID", HUSH, NULL);
    haul_credentials_free(c);
}

/* Case 50. */
static void an_expiry_is_by_our_clock(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_identity who;
    struct haul_credentials *c = from_text(
        "{\"Version\":1," KEYS ",\"Expiration\":\"2100-01-01T01:00:00+01:00\"}", &err);
    assert_non_null(c);
    haul_credentials_describe(c, &who);
    assert_int_equal(who.expires_ms, INT64_C(4102444800000));
    haul_credentials_free(c);
    assert_refused("{\"Version\":1," KEYS ",\"Expiration\":\"2020-01-01T00:00:00Z\"}",
        HAUL_NO_CREDENTIALS,
        "the keys that the source gives have expired, or this machine's clock is wrong");
}

static void fresh_keys_are_what_it_prints_then(void **state)
{
    (void) state;
    struct haul_error err;
    struct haul_credentials *c = from_text("{\"Version\":1," KEYS "}", &err);
    assert_non_null(c);
    write_text("printed", "{\"Version\":1,\"AccessKeyId\":\"B\",\"SecretAccessKey\":\"b\"}");
    assert_int_equal(haul_credentials_refresh(c, &err), 0);
    assert_keys(c, "B", "b", NULL);

    /* And when it can't print any, there are those. */
    write_text("printed", "{}");
    assert_int_equal(haul_credentials_refresh(c, &err), -1);
    assert_keys(c, "B", "b", NULL);
    haul_credentials_free(c);
}

static void a_shell_understands_the_command(void **state)
{
    (void) state;
    struct haul_error err;
    write_text("printed", "{\"Version\":1," KEYS "}");
    struct haul_credentials *c =
        haul_credentials_from_process("FILE='printed' ; grep -v '^#' < \"$FILE\" | cat", &err);
    assert_non_null(c);
    assert_keys(c, "AKID", HUSH, NULL);
    haul_credentials_free(c);
}

/* Case 50. */
static void another_version_is_refused(void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "{\"Version\":2," KEYS "}", "2" },
        { "{\"Version\":1.5," KEYS "}", "1.5" },
        { "{" KEYS "}", "missing" },
        { "{\"Version\":null," KEYS "}", "missing" },
        { "{\"Version\":{}," KEYS "}", "missing" },
        { "{\"Version\":\"\"," KEYS "}", "no number" },
        { "{\"Version\":\"" HUSH "\"," KEYS "}", "no number" },
        { "{\"Version\":12345678901234567890," KEYS "}", "no number" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        snprintf(text, sizeof text, "credential_process cat: Version is %s: only 1 is known",
            cases[i][1]);
        assert_refused(cases[i][0], HAUL_BAD_REPLY, text);
    }
}

static void incomplete_keys_are_refused(void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "{\"Version\":1}", "AccessKeyId is missing" },
        { "{\"Version\":1,\"AccessKeyId\":\"A\"}", "SecretAccessKey is missing" },
        { "{\"Version\":1,\"SecretAccessKey\":\"" HUSH "\"}", "AccessKeyId is missing" },
        { "{\"Version\":1,\"AccessKeyId\":\"\",\"SecretAccessKey\":\"" HUSH "\"}",
            "AccessKeyId is missing" },
        { "{\"Version\":1,\"AccessKeyId\":[],\"SecretAccessKey\":\"" HUSH "\"}",
            "AccessKeyId is missing" },
        { "{\"Version\":1," KEYS ",\"Expiration\":\"" HUSH "\"}", "Expiration is no time" },
        { "{\"Version\":1," KEYS ",\"Expiration\":\"2100-13-01T00:00:00Z\"}",
            "Expiration is no time" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        snprintf(text, sizeof text, "credential_process cat: %s", cases[i][1]);
        assert_refused(cases[i][0], HAUL_BAD_REPLY, text);
    }
    assert_refused("{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"" HUSH "\\n\"}",
        HAUL_BAD_CONFIG, "credential_process cat: the secret holds a control character");
}

static void output_that_is_no_json_is_not_quoted(void **state)
{
    (void) state;
    static const char *const cases[] = { "", " \n", HUSH, "[1]", ("{\"Version\":1," KEYS),
        ("{\"Version\":1," KEYS "} " HUSH), ("{\"Version\":1," KEYS "}{}"), ("export X=" HUSH),
        "{'Version':1}", "\xff{}" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i], HAUL_BAD_REPLY,
            "credential_process cat: what it printed is no JSON object");
}

static void a_failure_tells_the_status_and_the_name_alone(void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "false --password=" HUSH, "credential_process false: ended with status 1" },
        { "  false\t" HUSH, "credential_process false: ended with status 1" },
        { "'./my tool' " HUSH " 2>/dev/null",
            "credential_process ./my tool: ended with status 127" },
        { "\"./my tool\" " HUSH " 2>/dev/null",
            "credential_process ./my tool: ended with status 127" },
        { "PASSWORD=" HUSH " false",
            "credential_process a shell command: ended with status 1" },
        { "PASSWORD='a " HUSH "' false",
            "credential_process a shell command: ended with status 1" },
        { "''" HUSH " 2>/dev/null",
            "credential_process a shell command: ended with status 127" },
        { "(exit 4)", "credential_process a shell command: ended with status 4" },
        { "kill -9 $$", "credential_process kill: ended with status 137" },
        { "printf '{\"Version\":1," KEYS "}'; exit 1",
            "credential_process printf: ended with status 1" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        assert_none(haul_credentials_from_process(cases[i][0], &err), &err, HAUL_NO_CREDENTIALS,
            cases[i][1]);
    }
}

static void megabytes_of_output_are_refused(void **state)
{
    (void) state;
    struct haul_error err;
    assert_none(haul_credentials_from_process("head -c 9000000 /dev/zero", &err), &err,
        HAUL_TOO_LARGE, "credential_process head: printed more than 64 KiB");
}

static void a_command_is_needed(void **state)
{
    (void) state;
    static const char *const cases[] = { NULL, "", " \n" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct haul_error err;
        assert_none(haul_credentials_from_process(cases[i], &err), &err, HAUL_BAD_CONFIG,
            "credential_process names no command");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_it_prints_are_the_keys, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(
            keys_without_a_token_have_none, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(an_expiry_is_by_our_clock, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(
            fresh_keys_are_what_it_prints_then, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(
            a_shell_understands_the_command, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(another_version_is_refused, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(
            incomplete_keys_are_refused, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(
            output_that_is_no_json_is_not_quoted, enter_folder, leave_folder),
        cmocka_unit_test(a_failure_tells_the_status_and_the_name_alone),
        cmocka_unit_test(megabytes_of_output_are_refused),
        cmocka_unit_test(a_command_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
