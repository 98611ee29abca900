/* Patterns: the language of glob.h case by case, then against a slow and obvious matcher. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "glob.h"

/* clang-format off */
static const struct {
    const char *pattern, *name;
    bool matches;
} cases[] = {
    { "a", "a", true }, { "a", "b", false }, { "a", "a/a", false }, { "a/b", "a/b", true },
    /* one segment */
    { "*", "a", true }, { "*", ".hidden", true }, { "*", "a/b", false }, { "*/b", "a/b", true },
    { "*.txt", "a.txt", true }, { "*.txt", ".txt", true }, { "*.txt", "a.txt2", false },
    { "a*b*c", "aXbYbZc", true }, { "a*b*c", "aXbYbZ", false }, { "*a", "aaa", true },
    { "*/*", "a", false }, { "a*", "a/", false }, { "a/*", "a/", true },
    /* one character */
    { "?", "a", true }, { "?", "", false }, { "?", "ab", false }, { "?", "/", false },
    { "?", "\xc3\xa9", true }, { "??", "\xc3\xa9", false }, { "?", "\xff", true },
    { "?", "\xf0\x9f\x9a\x9a", true }, { "a?b", "a/b", false }, { "*?", "", false },
    { "*?", "\xc3\xa9", true },
    /* classes */
    { "[abc]", "b", true }, { "[abc]", "d", false }, { "[a-c]", "b", true },
    { "[!a-c]", "b", false }, { "[!a-c]", "d", true }, { "[!a]", "/", false },
    { "[]a]", "]", true }, { "[!]a]", "]", false }, { "[a-]", "-", true },
    { "[-a]", "-", true },
    { "[\\]]", "]", true }, { "[\\!a]", "!", true }, { "[a\\-c]", "b", false },
    { "[a!]", "!", true }, { "[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true },
    { "[!a]", "\xc3\xa9", true }, { "x[0-9][0-9]", "x42", true }, { "[*?]", "*", true },
    { "[*?]", "a", false },
    /* literally */
    { "\\*", "*", true }, { "\\*", "a", false }, { "\\?\\[\\\\", "?[\\", true },
    { "\\a", "a", true }, { "\\**", "*x", true },
    /* any number of segments */
    { "**", "a", true }, { "**", "a/b/c", true }, { "**/c", "c", true },
    { "**/c", "a/b/c", true }, { "**/c", "a/c/b", false },
    { "**/*.parquet", "x.parquet", true },
    { "**/*.parquet", "a/b/x.parquet", true }, { "a/**/b", "a/b", true },
    { "a/**/b", "a/x/y/b", true }, { "a/**/b", "a/x", false }, { "a/**/b", "ab", false },
    { "**/a/**/b/**", "x/a/y/b/z", true }, { "**/a/**/b/**", "x/b/y/a/z", false },
    { "**/a/b", "a/x/a/b", true }, { "**/a/*/c/**/d", "a/b/a/x/c/d", true },
    { "**/**", "a", true }, { "a/**/**/b", "a/b", true }, { "a/**", "a//b", true },
    /* everything below */
    { "tmp/**", "tmp/x", true }, { "tmp/**", "tmp/x/y", true }, { "tmp/**", "tmp", false },
    { "tmp/**", "tmp2/x", false }, { "tmp/", "tmp/x/y", true }, { "tmp/", "tmp", false },
    { "tmp/", "a/tmp/x", false }, { "**/tmp/", "a/tmp/x", true }, { "t*p/", "tmp/x", true },
    { "tmp/", "tmp/", true },
    /* keys may have empty segments */
    { "a//b", "a//b", true }, { "a/*/b", "a//b", true }, { "a/b", "a//b", false },
    { "**/b", "/b", true },
};
/* clang-format on */

static void a_pattern_is_matched_against_the_whole_name(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *fault = glob_fault(cases[i].pattern);
        if (fault || glob_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
            fail_msg("'%s' and '%s': expected %d (%s)", cases[i].pattern, cases[i].name,
                cases[i].matches, fault ? fault : "well-formed");
    }
}

static void a_malformed_pattern_is_explained(void **state)
{
    /* clang-format off */
    static const struct {
        const char *pattern, *word;
    } faults[] = {
        { "", "empty" }, { "/a", "relative" }, { "/", "relative" }, { "[a", "no `]`" },
        { "[", "no `]`" }, { "[!", "no `]`" }, { "[]", "no `]`" }, { "[a/b]", "no `]`" },
        { "[z-a]", "backwards" }, { "[^a]", "negated" }, { "a**", "whole segment" },
        { "**.txt", "whole segment" }, { "a/***/b", "whole segment" }, { "a\\", "`\\`" },
        { "a\\/b", "`\\`" }, { "\xff", "UTF-8" }, { "a/b/[c", "no `]`" },
    };
    /* clang-format on */
    (void) state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *fault = glob_fault(faults[i].pattern);
        if (!fault || !strstr(fault, faults[i].word))
            fail_msg("'%s': expected '%s' in '%s'", faults[i].pattern, faults[i].word,
                fault ? fault : "(none)");
        glob_matches(faults[i].pattern, "a/b]/[c"); /* only must not read past the end */
    }
}

static void a_name_is_selected_when_included_and_not_excluded(void **state)
{
    char ending[] = "*.a", folder[] = "b/";
    char *some[] = { ending, folder, NULL }, *none[] = { NULL };
    (void) state;
    assert_true(glob_selects(NULL, NULL, "x"));
    assert_true(glob_selects(none, none, "x"));
    assert_true(glob_selects(some, NULL, "x.a"));
    assert_true(glob_selects(some, NULL, "b/x"));
    assert_false(glob_selects(some, NULL, "x"));
    assert_false(glob_selects(NULL, some, "x.a"));
    assert_false(glob_selects(some, some, "x.a"));
    assert_true(glob_selects(none, some, "x"));
}

/* With nested stars a matcher that tries everything would not return before the sun burns out.
 */
static void stars_cost_no_more_than_pattern_times_name(void **state)
{
    enum { STARS = 200, NAME = 20000 };
    char *pattern = calloc(1, 6 * STARS + 2), *name = malloc(2 * NAME + 1);
    (void) state;
    for (int i = 0; i < STARS; i++)
        strcat(pattern, "*a");
    strcat(pattern, "b");
    memset(name, 'a', NAME);
    name[NAME] = '\0';
    assert_false(glob_matches(pattern, name));

    *pattern = '\0';
    for (int i = 0; i < STARS; i++)
        strcat(pattern, "**/a/");
    strcat(pattern, "b");
    for (int i = 0; i < NAME; i++)
        memcpy(name + 2 * i, "a/", 2);
    name[2 * NAME - 1] = '\0';
    assert_false(glob_matches(pattern, name));
    free(pattern);
    free(name);
}

/* Tries everything. Only literals, `*`, `?`, and `**` in the middle or at the begin. */
static bool tries_all(const char *p, const char *n, bool at_begin)
{
    if (at_begin && strncmp(p, "**/", 3) == 0) {
        const char *rest = strchr(n, '/');
        return tries_all(p + 3, n, true) || (rest && tries_all(p, rest + 1, true));
    }
    if (*p == '*')
        return tries_all(p + 1, n, false) ||
               (*n != '\0' && *n != '/' && tries_all(p, n + 1, false));
    if (*p == '\0' || *n == '\0')
        return *p == *n;
    if (*p == '?' ? *n == '/' : *p != *n)
        return false;
    return tries_all(p + 1, n + 1, *p == '/');
}

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (*seed >> 33) % limit;
}

static void generated_patterns_match_as_trying_everything_does(void **state)
{
    static const char *const pieces[] = { "a", "b", "*", "?", "/", "a", "/**/" };
    uint64_t seed = 1;
    unsigned tried = 0, matched = 0;
    (void) state;
    while (tried < 200000) {
        char pattern[64] = "", name[16] = "";
        if (random_below(&seed, 3) == 0)
            strcat(pattern, "**/");
        for (uint32_t i = random_below(&seed, 8) + 1; i > 0; i--)
            strcat(pattern, pieces[random_below(&seed, 7)]);
        for (uint32_t i = random_below(&seed, 9) + 1; i > 0; i--)
            strcat(name, random_below(&seed, 3) ? random_below(&seed, 2) ? "a" : "b" : "/");
        if (glob_fault(pattern) || pattern[strlen(pattern) - 1] == '/' ||
            strcmp("**", strlen(pattern) < 2 ? "" : pattern + strlen(pattern) - 2) == 0)
            continue;
        bool expected = tries_all(pattern, name, true);
        if (glob_matches(pattern, name) != expected)
            fail_msg("'%s' and '%s': expected %d", pattern, name, expected);
        tried++;
        matched += expected;
    }
    assert_in_range(matched, 1000, tried - 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_is_matched_against_the_whole_name),
        cmocka_unit_test(a_malformed_pattern_is_explained),
        cmocka_unit_test(a_name_is_selected_when_included_and_not_excluded),
        cmocka_unit_test(stars_cost_no_more_than_pattern_times_name),
        cmocka_unit_test(generated_patterns_match_as_trying_everything_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
