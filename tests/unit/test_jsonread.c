/* jsonread.c: what of JSON is kept, what is refused, and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jsonread.h"

static void assert_member(const char *text, const char *path, const char *expected)
{
    struct haul_error err;
    struct json *j = json_parse("the answer", text, strlen(text), &err);
    if (j == NULL)
        fail_msg("%s: %s", text, err.text);
    const char *found = json_text(j, path);
    if (expected == NULL ? found != NULL : found == NULL || strcmp(found, expected) != 0)
        fail_msg("%s: %s is %s, not %s", text, path, found ? found : "(none)",
            expected ? expected : "(none)");
    json_free(j);
}

static void assert_refused(const char *text, size_t len)
{
    struct haul_error err;
    if (json_parse("the answer", text, len, &err) != NULL)
        fail_msg("%s was taken", text);
    assert_int_equal(err.code, HAUL_BAD_REPLY);
    assert_string_equal(err.text, "the answer is no JSON object");
}

static void members_are_found_by_their_paths(void **state)
{
    static const struct {
        const char *text, *path, *expected;
    } cases[] = {
        { "{}", "a", NULL },
        { "{\"a\":\"b\"}", "a", "b" },
        { " \r\n\t{ \"a\" : \"b\" }\r\n", "a", "b" },
        { "{\n\t\"a\":\n\t\t\"b\"\n}", "a", "b" },
        { "{\"a\":{\"b\":{\"c\":\"d\"}}}", "a.b.c", "d" },
        { "{\"a\":{\"b\":\"c\"},\"d\":\"e\"}", "d", "e" },
        { "{\"a\":{\"b\":\"c\"}}", "a", NULL },
        { "{\"a\":{\"b\":\"c\"}}", "b", NULL },
        { "{\"a\":[\"b\",{\"c\":\"d\"},[[]]],\"e\":\"f\"}", "a", NULL },
        { "{\"a\":[\"b\",{\"c\":\"d\"},[[]]],\"e\":\"f\"}", "a.c", NULL },
        { "{\"a\":[\"b\",{\"c\":\"d\"},[[]]],\"e\":\"f\"}", "e", "f" },
        { "{\"a\":12}", "a", "12" },
        { "{\"a\":-1.50e+3}", "a", "-1.50e+3" },
        { "{\"a\":1767182400000}", "a", "1767182400000" },
        { "{\"a\":true,\"b\":false}", "a", "true" },
        { "{\"a\":null}", "a", NULL },
        { "{\"a\":\"null\"}", "a", "null" },
        { "{\"a\":\"\"}", "a", "" },
        { "{\"a\":\"x\",\"a\":\"y\"}", "a", "y" }, /* of duplicates the last */
        { "{\"a\":\"x\",\"a\":null}", "a", NULL },
        { "{\"a\":\"x\",\"a\":{}}", "a", NULL },
        { "{\"a\":\"\\u0041\\/\\\\\\\"\\n\\t\"}", "a", "A/\\\"\n\t" },
        { "{\"a\":\"IQoJb3JpZ2luX2VjEHoaCXVzLWVhc3QtMSJ+/w==\"}", "a",
            "IQoJb3JpZ2luX2VjEHoaCXVzLWVhc3QtMSJ+/w==" },
        { "{\"a\":\"# no comment: {x} [y] &z *t !u %v @w `\"}", "a",
            "# no comment: {x} [y] &z *t !u %v @w `" },
        { "{\"a\":\"\xc3\xa9\"}", "a", "\xc3\xa9" },
        { "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}",
            "a.a.a.a.a.a.a.a", "1" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_member(cases[i].text, cases[i].path, cases[i].expected);
}

static void what_is_no_json_object_is_refused(void **state)
{
    static const char *const cases[] = { "", " ", "x", "[]", "[{}]", "\"a\"", "12", "null",
        "<html>", "{", "{\"a\"", "{\"a\"}", "{\"a\":}", "{\"a\":\"b", "{\"a\":\"b\"",
        "{\"a\":\"b\nc\"}", "{\"a\":\"b\r\nc\"}", "{\"a\":\"b\tc\"}", "{\"a\":\"b\\\nc\"}",
        "{\"a\nb\":\"c\"}", "{\"a\":\"\\x41\"}", "{\"a\":\"\\e\"}", "{\"a\":\"\\N\"}",
        "{\"a\":\"b\" # c\n}", "{\"a\":\"b\"}# c", "{\"a\":\"b\\", "{\"a\":1}}", "{\"a\":1} x",
        "{\"a\":1}{}", "{\"a\":1}\n---\n{}", "{\"a\":\"\\x\"}", "{\"a\":\"\xff\"}",
        "{\"a\":\"\x01\"}", "{\"a\":\"\\u0000\"}", "{\"\\u0000\":1}",
        /* JSON to YAML alone */
        "a: b", "---\n{\"a\":1}", "%YAML 1.1\n---\n{\"a\":1}", "{a: 1}", "{'a': 1}",
        "{\"a\":b}", "{\"a\":'b'}", "{\"a\":&x 1}", "{\"a\":&x {}}", "{\"a\":&x []}",
        "{\"a\":&x \"y\",\"b\":*x}", "{\"a\":*x}", "{\"a\":!t \"b\"}", "{\"a\":!t {}}",
        "{\"a\":!t []}", "{&x \"a\":1}", "{\"a\":1}: 2", "{{}: 1}", "{[]: 1}", "{1: 1}",
        "{\"a\":~}", "{\"a\":<<}", "{\"a\":yes}",
        /* too deep: nine objects, lists */
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}",
        "{\"a\":[[[[[[[[]]]]]]]]}" };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i], strlen(cases[i]));
}

static void a_nul_and_what_follows_are_part_of_the_text(void **state)
{
    (void) state;
    assert_refused("{\"a\":1}\0{}", sizeof "{\"a\":1}\0{}" - 1);
    assert_refused("\0{\"a\":1}", sizeof "\0{\"a\":1}" - 1);
}

/* 64 KiB of the worst in each way. */
static void hostile_text_ends_soon(void **state)
{
    static const char *const pieces[] = { "[", "{\"a\":", "{\"a\":1,", "\"", "{", "\n", " ",
        "{\"a\":\"\\\"", "? ", "- ", ":", "," };
    static char text[64 * 1024];
    (void) state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t len = strlen("{\"a\":"), piece = strlen(pieces[i]);
        memcpy(text, "{\"a\":", len);
        for (; len + piece <= sizeof text; len += piece)
            memcpy(text + len, pieces[i], piece);
        assert_refused(text, len);
    }
}

static void a_name_of_any_length_leaves_the_others_readable(void **state)
{
    char text[1200];
    (void) state;
    for (int len = 250; len < 1000; len += len < 260 ? 1 : 100) {
        snprintf(text, sizeof text, "{\"%0*d\":{\"x\":\"y\"},\"b\":\"c\"}", len, 0);
        assert_member(text, "b", "c");
    }
}

static void times_are_read_in_the_ways_of_these_services(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        { "2026-01-31T12:00:00Z", 1769860800000 },
        { "2026-01-31T12:00:00.123Z", 1769860800123 },
        { "2026-01-31T12:00:00.123456+00:00", 1769860800123 },
        { "2026-01-31T12:00:00+01:30", 1769855400000 },
        { "2026-01-31T12:00:00-0100", 1769864400000 },
        { "2026-01-31T12:00:00UTC", 1769860800000 },
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-01-31T12:00:00", -1 },
        { "2026-01-31 12:00:00Z", -1 },
        { "2026-02-31T12:00:00Z", -1 },
        { "2026-01-31T25:00:00Z", -1 },
        { "2026-01-31T12:00:00+1", -1 },
        { "2026-01-31T12:00:00+01:00x", -1 },
        { "2026-01-31T12:00:00+99:00", -1 },
        { "2026-01-31T12:00:00ZZ", -1 },
        { "2026-01-31T12:00:00.12345678901234567890123456789012345Z", -1 },
        { "1969-12-31T23:59:59Z", -1 },
        { "1970-01-01T00:00:00+01:00", -1 },
        { "T", -1 },
        { "", -1 },
        { "never", -1 },
        { "1769860800", -1 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (json_time_ms(cases[i].text) != cases[i].ms)
            fail_msg("%s: %lld, not %lld", cases[i].text,
                (long long) json_time_ms(cases[i].text), (long long) cases[i].ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_their_paths),
        cmocka_unit_test(what_is_no_json_object_is_refused),
        cmocka_unit_test(a_nul_and_what_follows_are_part_of_the_text),
        cmocka_unit_test(hostile_text_ends_soon),
        cmocka_unit_test(a_name_of_any_length_leaves_the_others_readable),
        cmocka_unit_test(times_are_read_in_the_ways_of_these_services),
    };
    return cmocka_run_group_tests_name("jsonread", tests, NULL, NULL);
}
