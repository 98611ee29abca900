/* The YAML tree: what it takes, with places, and what it refuses. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "yamltree.h"

static struct yamltree *parse(const char *text)
{
    struct yamltree_fault fault;
    struct yamltree *root = yamltree_parse(text, strlen(text), &fault);
    if (root == NULL)
        print_error("%d:%d: %s\n", fault.line, fault.column, fault.text);
    assert_non_null(root);
    return root;
}

static void expect_place(const struct yamltree *node, int line, int column)
{
    assert_non_null(node);
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void nodes_know_their_place(void **state)
{
    struct yamltree *root = parse("a: 1\nlist:\n  - \xc3\xa9: x\n    y: [p, {q: r}]\n");
    (void) state;
    expect_place(root, 1, 1);
    expect_place(yamltree_get(root, "a"), 1, 4);
    const struct yamltree *item = yamltree_get(root, "list")->first;
    expect_place(item, 3, 5);
    expect_place(item->first, 3, 5);
    expect_place(yamltree_get(item, "\xc3\xa9"), 3, 8); /* in characters */
    expect_place(yamltree_get(item, "y")->first->next, 4, 12);
    assert_null(yamltree_get(root, "b"));
    yamltree_free(root);
}

static void scalars_are_text_and_tell_plain_from_quoted(void **state)
{
    struct yamltree *root = parse("[no, 010, 1.0, ~, 'no', \"~\", '']");
    static const struct {
        const char *text;
        bool quoted, null;
    } expected[] = { { "no", false, false }, { "010", false, false }, { "1.0", false, false },
        { "~", false, true }, { "no", true, false }, { "~", true, false },
        { "", true, false } };
    const struct yamltree *item = root->first;
    (void) state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++, item = item->next) {
        assert_string_equal(item->text, expected[i].text);
        assert_int_equal(item->quoted, expected[i].quoted);
        assert_int_equal(yamltree_is_null(item), expected[i].null);
    }
    assert_null(item);
    yamltree_free(root);
}

static void nothing_is_null(void **state)
{
    struct yamltree *root = parse("a:\nb: null\nc: NULL\nd: Null\ne: nULL\nf: [a]\n");
    (void) state;
    assert_true(yamltree_is_null(yamltree_get(root, "a")));
    assert_true(yamltree_is_null(yamltree_get(root, "b")));
    assert_true(yamltree_is_null(yamltree_get(root, "c")));
    assert_true(yamltree_is_null(yamltree_get(root, "d")));
    assert_false(yamltree_is_null(yamltree_get(root, "e")));
    assert_false(yamltree_is_null(yamltree_get(root, "f")));
    yamltree_free(root);
}

static void json_is_read(void **state)
{
    struct yamltree *root = parse("{\"a\":[1,\t\"b\\/\\u00e9\\n\\u007f\",true],\n\t\"c\":{}}");
    const struct yamltree *item = yamltree_get(root, "a")->first;
    (void) state;
    assert_string_equal(item->text, "1");
    assert_string_equal(item->next->text, "b/\xc3\xa9\n\x7f");
    assert_int_equal(yamltree_get(root, "c")->kind, YAMLTREE_MAPPING);
    assert_null(yamltree_get(root, "c")->first);
    yamltree_free(root);
}

static void a_byte_order_mark_and_foreign_line_ends_do_no_harm(void **state)
{
    struct yamltree *root = parse("\xef\xbb\xbf"
                                  "a: b\r\nc: d\r\n");
    (void) state;
    expect_place(yamltree_get(root, "c"), 2, 4);
    yamltree_free(root);
}

/* Case 71. */
static void every_refusal_has_a_place(void **state)
{
    static const struct {
        const char *text, *why;
        int line, column;
    } cases[] = {
        { "", "there is nothing in it", 1, 1 },
        { "# only\n# words\n", "there is nothing in it", 3, 1 },
        { "a: 1\nb: 2\na: 3\n",
            "the key \"a\" stands here a second time, the first is on line 1", 3, 1 },
        { "{b: 1, a: 2, \"b\": 3}",
            "the key \"b\" stands here a second time, the first is on line 1", 1, 14 },
        { "a: 1\n---\nb: 2\n", "a second document: a job is one", 2, 1 },
        { "a: &x 1\n", "anchors (&x) are not taken; text that begins with & needs quotes", 1,
            4 },
        { "a: [*x]\n", "aliases (*x) are not taken; text that begins with * needs quotes", 1,
            5 },
        { "a: !x 1\n", "tags (!x) are not taken; text that begins with ! needs quotes", 1, 4 },
        { "a: ! 1\n", "tags (!x) are not taken; text that begins with ! needs quotes", 1, 4 },
        { "[a]: 1\n", "a key is text, not a list or mapping", 1, 1 },
        { "a: \"x\\0y\"\n", "a NUL character", 1, 4 },
        { "a: x\xc2\x80y\n",
            "a control character (0x80): write it as an escape in double quotes", 1, 5 },
        { "a: 1\nb: \xff\n", "not UTF-8: invalid leading UTF-8 octet", 2, 4 },
        { "a: 1\nb: \xe2\x82\n", "not UTF-8: invalid trailing UTF-8 octet", 2, 5 },
        { "a: \xed\xa0\x80\n", "not UTF-8: invalid Unicode character", 1, 4 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct yamltree_fault fault;
        assert_null(yamltree_parse(cases[i].text, strlen(cases[i].text), &fault));
        assert_string_equal(fault.text, cases[i].why);
        assert_int_equal(fault.line, cases[i].line);
        assert_int_equal(fault.column, cases[i].column);
    }
}

static void a_nul_byte_is_refused(void **state)
{
    struct yamltree_fault fault;
    (void) state;
    assert_null(yamltree_parse("a: b\0c\n", 7, &fault));
    assert_int_equal(fault.line, 1);
}

/* Case 71. */
static void depth_is_bounded(void **state)
{
    char text[100000];
    struct yamltree_fault fault;
    (void) state;
    for (size_t depth = YAMLTREE_DEPTH_MAX - 1; depth <= YAMLTREE_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct yamltree *root = yamltree_parse(text, 2 * depth, &fault);
        assert_int_equal(root != NULL, depth <= YAMLTREE_DEPTH_MAX);
        yamltree_free(root);
    }
    memset(text, '[', sizeof text);
    assert_null(yamltree_parse(text, sizeof text, &fault));
    assert_string_equal(fault.text, "nested more than 16 levels deep");
    memset(text, '-', sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = ' ';
    assert_null(yamltree_parse(text, sizeof text, &fault));
}

/* Comparing every two of them would take minutes. */
static void a_file_full_of_keys_is_read_and_its_duplicate_found(void **state)
{
    struct yamltree_fault fault;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    (void) state;
    assert_non_null(out);
    for (int i = 0; i < 100000; i++)
        fprintf(out, "k%d:\n", i);
    fprintf(out, "k7:\n");
    fclose(out);
    assert_null(yamltree_parse(text, len, &fault));
    assert_string_equal(
        fault.text, "the key \"k7\" stands here a second time, the first is on line 8");
    assert_int_equal(fault.line, 100001);
    free(text);
}

/* Case 71. */
static void a_file_over_the_limit_is_refused_unread(void **state)
{
    char path[] = "/tmp/haul-yamltree-XXXXXX";
    const int fd = mkstemp(path);
    struct yamltree_fault fault;
    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: b", 4), 4);
    struct yamltree *root = yamltree_read(path, 4, &fault);
    assert_non_null(root);
    yamltree_free(root);
    assert_null(yamltree_read(path, 3, &fault));
    assert_string_equal(fault.text, "the file is longer than 3 bytes, a job file is not");
    assert_int_equal(ftruncate(fd, INT64_C(100) << 20), 0); /* 100 MiB, without a block */
    assert_null(yamltree_read(path, 1048576, &fault));
    assert_int_equal(fault.line, 1);
    close(fd);
    unlink(path);
}

static void what_cannot_be_read_has_no_place(void **state)
{
    struct yamltree_fault fault;
    (void) state;
    assert_null(yamltree_read("/nonexistent/job.yaml", 100, &fault));
    assert_int_equal(fault.line, 0);
    assert_string_equal(fault.text, "No such file or directory");
    assert_null(yamltree_read("/tmp", 100, &fault));
    assert_int_equal(fault.line, 0);
    assert_string_equal(fault.text, "Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(scalars_are_text_and_tell_plain_from_quoted),
        cmocka_unit_test(nothing_is_null),
        cmocka_unit_test(json_is_read),
        cmocka_unit_test(a_byte_order_mark_and_foreign_line_ends_do_no_harm),
        cmocka_unit_test(every_refusal_has_a_place),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_file_full_of_keys_is_read_and_its_duplicate_found),
        cmocka_unit_test(a_file_over_the_limit_is_refused_unread),
        cmocka_unit_test(what_cannot_be_read_has_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
