/* json.c: strings that any JSON reader takes, libyaml too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"
#include "yamltree.h"

static char *written(const char *text)
{
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);
    json_string(f, text);
    fclose(f);
    return out;
}

static void what_json_forbids_is_escaped(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "\"\"" },
        { "plain /text/ 'as' it is", "\"plain /text/ 'as' it is\"" },
        { "\"\\", "\"\\\"\\\\\"" },
        { "a\nb\tc\x01\x1f\x7f", "\"a\\u000ab\\u0009c\\u0001\\u001f\\u007f\"" },
        { "\303\244\342\202\254\360\237\230\200", "\"\303\244\342\202\254\360\237\230\200\"" },
        { "\302\205\342\200\250\342\200\251\357\273\277", "\"\\u0085\\u2028\\u2029\\ufeff\"" },
        { "a\xff"
          "b\xc3",
            "\"a\\ufffdb\\ufffd\"" },
        { "\xc0\xaf\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out = written(cases[i].text);
        assert_string_equal(out, cases[i].expected);
        free(out);
    }
}

static void every_character_is_read_back_by_libyaml(void **state)
{
    (void) state;
    for (unsigned c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 0x0fff) {
        char text[8] = "";
        struct yamltree_fault fault;
        if (c >= 0xd800 && c < 0xe000)
            continue;
        if (c < 0x80)
            sprintf(text, "%c", c);
        else if (c < 0x800)
            sprintf(text, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 63));
        else if (c < 0x10000)
            sprintf(text, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 63), 0x80 | (c & 63));
        else
            sprintf(text, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 63),
                0x80 | (c >> 6 & 63), 0x80 | (c & 63));
        char *out = written(text);
        struct yamltree *tree = yamltree_parse(out, strlen(out), &fault);
        if (tree == NULL)
            fail_msg("U+%04X as %s: %s", c, out, fault.text);
        assert_string_equal(tree->text, text);
        yamltree_free(tree);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_json_forbids_is_escaped),
        cmocka_unit_test(every_character_is_read_back_by_libyaml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
