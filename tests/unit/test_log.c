/* log.c: one event a line on standard error, which these tests turn into a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <err.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "yamltree.h"

static char captured[1 << 20];
static int real_stderr, file;

static void capture(void)
{
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    file = memfd_create("log", MFD_CLOEXEC);
    if (real_stderr < 0 || file < 0 || dup2(file, STDERR_FILENO) < 0)
        err(1, "capture");
}

/* What came since capture(). */
static const char *release(void)
{
    fflush(stderr);
    ssize_t len = pread(file, captured, sizeof captured - 1, 0);
    if (len < 0 || dup2(real_stderr, STDERR_FILENO) < 0)
        err(1, "release");
    captured[len] = '\0';
    close(real_stderr);
    close(file);
    return captured;
}

static int as_text(void **state)
{
    (void) state;
    log_init(false);
    return 0;
}

static int as_json(void **state)
{
    (void) state;
    log_init(true);
    return 0;
}

static void a_line_is_a_level_an_event_and_its_pairs(void **state)
{
    (void) state;
    capture();
    LOG(LOG_INFO, "started", { "run", "r-1" });
    LOG(LOG_WARN, "retried", { "object", "a/b" }, { "left", NULL }, { "why", "503" });
    LOG(LOG_ERROR, "ended", { NULL, NULL });
    assert_string_equal(release(), "haul: info: started run=r-1\n"
                                   "haul: warn: retried object=a/b why=503\n"
                                   "haul: error: ended\n");
}

static void a_value_that_is_no_word_is_quoted(void **state)
{
    (void) state;
    capture();
    LOG(LOG_INFO, "e", { "a", "" }, { "b", "two words" }, { "c", "x=y" }, { "d", "\"q\"" },
        { "e", "back\\slash" }, { "f", "new\nline\ttab" }, { "g", "\303\244" });
    assert_string_equal(release(),
        "haul: info: e a=\"\" b=\"two words\" c=\"x=y\" d=\"\\\"q\\\"\" e=\"back\\\\slash\""
        " f=\"new\\u000aline\\u0009tab\" g=\303\244\n");
}

static void a_terminal_is_not_driven_by_a_name(void **state)
{
    (void) state;
    capture();
    LOG(LOG_WARN, "e", { "object", "\033[2J\033]0;x\007" }, { "bytes", "\xff\xfe" },
        { "c1", "\302\233"
                "2J" });
    const char *text = release();
    for (const char *c = text; *c != '\0' && c[1] != '\0'; c++)
        if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
            fail_msg("byte %02x in %s", (unsigned char) *c, text);
}

static const char *field(const struct yamltree *tree, const char *key)
{
    const struct yamltree *value = yamltree_get(tree, key);
    return value ? value->text : NULL;
}

static void a_json_line_holds_the_same(void **state)
{
    struct yamltree_fault fault;
    (void) state;
    capture();
    LOG(LOG_WARN, "object_failed", { "object", "a \"b\"\n\xff" }, { "left", NULL },
        { "n", "7" });
    const char *text = release();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    struct yamltree *tree = yamltree_parse(text, strlen(text), &fault);
    if (tree == NULL)
        fail_msg("%s: %s", text, fault.text);
    assert_string_equal(field(tree, "level"), "warn");
    assert_string_equal(field(tree, "event"), "object_failed");
    assert_string_equal(field(tree, "object"), "a \"b\"\n\357\277\275");
    assert_string_equal(field(tree, "n"), "7");
    assert_null(field(tree, "left"));
    assert_int_equal(strlen(field(tree, "at")), strlen("2026-01-31T23:59:59Z"));
    yamltree_free(tree);
}

static void the_last_word_follows_the_form(void **state)
{
    (void) state;
    capture();
    log_init(false);
    log_last_word("it is over");
    log_init(true);
    log_last_word("it is over");
    const char *text = release();
    assert_int_equal(strncmp(text, "haul: it is over\n{", 18), 0);
    assert_non_null(strstr(text, "\"why\":\"it is over\""));
}

static void a_line_takes_the_progress_off_and_puts_it_back(void **state)
{
    (void) state;
    capture();
    log_progress(NULL); /* there was none: nothing is written */
    log_progress("42 %");
    LOG(LOG_INFO, "e", { "a", "b" });
    log_progress(NULL);
    LOG(LOG_INFO, "f", { NULL, NULL });
    assert_string_equal(release(), "\r\033[K42 %"
                                   "\r\033[Khaul: info: e a=b\n42 %"
                                   "\r\033[K"
                                   "haul: info: f\n");
}

static void *log_many(void *payload)
{
    for (int i = 0; i < 500; i++)
        LOG(LOG_INFO, "e", { "thread", payload }, { "text", "some words" });
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
    static const char *const names[] = { "one", "two", "three" };
    pthread_t threads[3];
    unsigned lines = 0;
    (void) state;
    capture();
    for (int i = 0; i < 3; i++)
        if (pthread_create(&threads[i], NULL, log_many, (void *) names[i]) != 0)
            err(1, "thread");
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (char *save, *line = strtok_r((char *) release(), "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save), lines++) {
        char expected[100];
        bool known = false;
        for (int i = 0; i < 3; i++) {
            snprintf(expected, sizeof expected, "haul: info: e thread=%s text=\"some words\"",
                names[i]);
            known |= strcmp(line, expected) == 0;
        }
        if (!known)
            fail_msg("%s", line);
    }
    assert_int_equal(lines, 1500);
}

#define TEST(name, form) cmocka_unit_test_setup(name, form)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_a_level_an_event_and_its_pairs, as_text),
        TEST(a_value_that_is_no_word_is_quoted, as_text),
        TEST(a_terminal_is_not_driven_by_a_name, as_text),
        TEST(a_json_line_holds_the_same, as_json),
        TEST(the_last_word_follows_the_form, as_text),
        TEST(a_line_takes_the_progress_off_and_puts_it_back, as_text),
        TEST(threads_do_not_mix_their_lines, as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
