/* Walks over real trees: the order of S3 keys, going on after any name, and what is no file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limit.h"
#include "walk.h"

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return system(command);
}

/* A list of names, each with what is known of it: "d/file file 12", "link symbolic link". */
struct list {
    char **texts;
    size_t count, room;
};

static void add(struct list *l, const char *name, enum walk_kind kind, uint64_t size,
    int64_t modified_ns, const char *why)
{
    char *text;
    if (kind == WALK_FILE)
        assert_true(asprintf(&text, "%s\tfile %ju %jd", name, (uintmax_t) size,
                        (intmax_t) modified_ns) > 0);
    else
        assert_true(asprintf(&text, "%s\t%s: %s", name,
                        kind == WALK_SKIPPED ? "skipped" : "failed", why) > 0);
    if (l->count == l->room) {
        l->room = 2 * l->room + 100;
        l->texts = realloc(l->texts, l->room * sizeof *l->texts);
    }
    l->texts[l->count++] = text;
}

static void clear(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->texts[i]);
    free(l->texts);
    *l = (struct list){ 0 };
}

/* By the names alone: the tab, which ends them, is in no name here but sorts before most. */
static int by_name(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;
    size_t x_len = strcspn(*x, "\t"), y_len = strcspn(*y, "\t");
    int rc = memcmp(*x, *y, x_len < y_len ? x_len : y_len);
    return rc ? rc : (x_len > y_len) - (x_len < y_len);
}

static struct walk *opened(const char *root, const char *after, size_t bound)
{
    struct error err;
    struct walk *w = walk_open_bounded(root, after, bound, &err);
    if (!w)
        fail_msg("%s", err.text);
    return w;
}

static struct list rest_of(struct walk *w)
{
    struct list l = { 0 };
    struct walk_entry e;
    struct error err;
    int rc;
    while ((rc = walk_next(w, &e, &err)) > 0)
        add(&l, e.name, e.kind, e.size, e.modified_ns, e.why);
    if (rc < 0)
        fail_msg("%s", err.text);
    walk_close(w);
    return l;
}

static void assert_same(const struct list *got, char *const *texts, size_t count)
{
    for (size_t i = 0; i < got->count && i < count; i++)
        assert_string_equal(got->texts[i], texts[i]);
    assert_int_equal(got->count, count);
}

/* Names and kinds only, sizes and times left out: "a file, b/ failed: ..." */
static void assert_walk(const char *root, const char *after, const char *expected)
{
    for (size_t bound = 1; bound < 6; bound++) {
        struct list got = rest_of(opened(root, after, bound));
        char text[4096] = "";
        for (size_t i = 0; i < got.count; i++) {
            char *tab = strchr(got.texts[i], '\t'), *mark = strstr(tab, "file ");
            if (mark)
                mark[4] = '\0';
            *tab = ' ';
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : "",
                got.texts[i]);
        }
        clear(&got);
        assert_string_equal(text, expected);
    }
}

static int make_root(void **state)
{
    char in_tmp[] = "/tmp/test-walk-XXXXXX", in_memory[] = "/dev/shm/test-walk-XXXXXX";
    char *root = mkdtemp(in_memory); /* a hundred thousand files are made faster there */
    if (!root)
        root = mkdtemp(in_tmp);
    assert_non_null(root);
    assert_int_equal(chmod(root, 0755), 0);
    *state = strdup(root);
    return 0;
}

static int remove_root(void **state)
{
    shell("chmod -R u+rwx '%s'; rm -rf '%s'", (char *) *state, (char *) *state);
    free(*state);
    return 0;
}

static void names_come_in_the_order_of_keys(void **state)
{
    shell(
        "cd '%s' && mkdir a && touch a-b a/x a0 a.txt A Z.z '~' a/.h && mkdir a- && touch a-/x",
        (char *) *state);
    assert_walk(*state, NULL,
        "A file, Z.z file, a-/x file, a-b file, a.txt file, a/.h file, a/x file, a0 file, "
        "~ file");
}

static void empty_folders_give_nothing(void **state)
{
    assert_walk(*state, NULL, "");
    shell("cd '%s' && mkdir -p a b/c/d", (char *) *state);
    assert_walk(*state, NULL, "");
}

static void a_file_comes_with_its_size_and_time(void **state)
{
    shell("cd '%s' && mkdir d && printf 12345 > d/f && touch -d @1500000000.000000123 d/f",
        (char *) *state);
    struct list got = rest_of(opened(*state, NULL, 10));
    assert_int_equal(got.count, 1);
    assert_string_equal(got.texts[0], "d/f\tfile 5 1500000000000000123");
    clear(&got);
}

/* Case 64. */
static void what_is_neither_file_nor_folder_is_skipped_by_name(void **state)
{
    shell("cd '%s' && ln -s . link && ln -s nowhere broken && mkfifo pipe && touch file &&"
          "/usr/bin/python3 -c 'import socket as s; s.socket(s.AF_UNIX).bind(\"sock\")'",
        (char *) *state);
    assert_walk(*state, NULL,
        "broken skipped: symbolic link, file file, link skipped: symbolic link, "
        "pipe skipped: named pipe, sock skipped: socket");
}

static void temporary_files_of_haul_are_passed_over(void **state)
{
    shell("cd '%s' && touch .a.1.haul-part .haul-part a.haul-part .a.haul-parts &&"
          "ln -s a .b.haul-part && mkdir .c.haul-part && touch .c.haul-part/x",
        (char *) *state);
    assert_walk(*state, NULL,
        ".a.haul-parts file, .b.haul-part skipped: symbolic link, .c.haul-part/x file, "
        ".haul-part file, a.haul-part file");
}

static void names_that_are_not_utf8_fail_in_their_place(void **state)
{
    shell("cd '%s' && touch a \"$(printf 'b\\377')\" c && mkdir \"$(printf 'bb\\300')\" &&"
          "touch \"$(printf 'bb\\300/x')\"",
        (char *) *state);
    assert_walk(*state, NULL,
        "a file, bb\xc0/ failed: the name is not UTF-8, b\xff failed: the name is not UTF-8, "
        "c file");
    assert_walk(*state, "bb\xc0/", "b\xff failed: the name is not UTF-8, c file");
    assert_walk(*state, "b\xff", "c file");
}

/* Case 65. */
static void an_unreadable_folder_fails_once_and_the_walk_goes_on(void **state)
{
    uid_t user = geteuid();
    shell("cd '%s' && mkdir -p a/in b c && touch a/in/x a/y b/1 b/2 c/x && chmod 0 a/in b",
        (char *) *state);
    assert_int_equal(seteuid(user == 0 ? 65534 : user), 0); /* root may do anything */
    assert_walk(*state, NULL,
        "a/in/ failed: Permission denied, a/y file, b/ failed: Permission denied, c/x file");
    assert_walk(*state, "a/in/", "a/y file, b/ failed: Permission denied, c/x file");
    assert_walk(
        *state, "b/1", "b/ failed: Permission denied, c/x file"); /* was readable then */
    assert_walk(*state, "b/", "c/x file");
    assert_int_equal(seteuid(user), 0);
}

static void a_root_that_cannot_be_read_is_bad_usage(void **state)
{
    struct error err;
    char path[128];
    snprintf(path, sizeof path, "%s/missing", (char *) *state);
    assert_null(walk_open(path, NULL, &err));
    assert_int_equal(err.exit, EXIT_USAGE);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(shell("touch '%s'", path), 0);
    assert_null(walk_open(path, NULL, &err));
    assert_int_equal(err.exit, EXIT_USAGE);
    walk_close(NULL);
}

static void the_root_may_be_a_link(void **state)
{
    char path[128];
    shell("cd '%s' && mkdir d && touch d/x && ln -s d link", (char *) *state);
    snprintf(path, sizeof path, "%s/link", (char *) *state);
    assert_walk(path, NULL, "x file");
}

static void what_vanishes_during_the_walk_is_left_out(void **state)
{
    struct walk_entry e;
    struct error err;
    shell("cd '%s' && mkdir b c d && touch a b/x c/x c/y d/x e", (char *) *state);
    struct walk *w = opened(*state, NULL, 10);
    assert_int_equal(walk_next(w, &e, &err), 1);
    assert_string_equal(e.name, "a");
    shell("cd '%s' && rm -r b e", (char *) *state);
    assert_int_equal(walk_next(w, &e, &err), 1);
    assert_string_equal(e.name, "c/x");
    shell("cd '%s' && rm -r c", (char *) *state);
    assert_int_equal(walk_next(w, &e, &err), 1);
    assert_string_equal(e.name, "d/x");
    assert_int_equal(walk_next(w, &e, &err), 0);
    assert_int_equal(walk_next(w, &e, &err), 0);
    walk_close(w);
}

/* Case 64. */
static void a_folder_that_becomes_a_link_during_the_walk_is_not_followed(void **state)
{
    struct walk_entry e;
    struct error err;
    shell("cd '%s' && mkdir b c && touch a b/x c/x", (char *) *state);
    struct walk *w = opened(*state, NULL, 10);
    assert_int_equal(walk_next(w, &e, &err), 1);
    shell("cd '%s' && rm -r b && ln -s c b && rm c/x && ln -s ../a c/x", (char *) *state);
    assert_int_equal(walk_next(w, &e, &err), 1);
    assert_string_equal(e.name, "c/x");
    assert_int_equal(e.kind, WALK_SKIPPED);
    walk_close(w);
}

static void a_walk_goes_on_after_names_that_are_gone_or_absurd(void **state)
{
    shell(
        "cd '%s' && mkdir -p b/d && touch a b/c b/d/e b/f g && touch outside", (char *) *state);
    shell("cd '%s' && rm outside", (char *) *state);
    assert_walk(*state, "", "a file, b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "/", "a file, b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "..", "a file, b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "../../etc/passwd", "a file, b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "./b/d/e", "a file, b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "a/x/y", "b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "aa/x/y", "b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "b", "b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "b//x", "b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "b/../x", "b/c file, b/d/e file, b/f file, g file");
    assert_walk(*state, "b/d", "b/d/e file, b/f file, g file");
    assert_walk(*state, "b/d/z", "b/f file, g file");
    assert_walk(*state, "b/d/", "b/f file, g file");
    assert_walk(*state, "b/e/x", "b/f file, g file");
    assert_walk(*state, "b/", "g file");
    assert_walk(*state, "z", "");
}

static void folders_before_the_last_name_are_not_opened_again(void **state)
{
    char path[128], buffer[4096];
    shell("cd '%s' && mkdir -p a/in b/a b/c && touch a/in/x b/a/x b/c/x b/d", (char *) *state);
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    static const char *const before[] = { "a", "a/in", "b/a" };
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        snprintf(path, sizeof path, "%s/%s", (char *) *state, before[i]);
        assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
    }
    struct list got = rest_of(opened(*state, "b/a/x", 1));
    assert_int_equal(got.count, 2);
    clear(&got);
    /* b/a itself is opened, for names after its x; the others are not */
    ssize_t len = read(watch, buffer, sizeof buffer);
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const void *) (buffer + at);
        assert_int_equal(event->wd, 3);
        at += (ssize_t) (sizeof *event + event->len);
    }
    close(watch);
}

/* A tree of odd names */

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (*seed >> 33) % limit;
}

static void odd_name(uint64_t *seed, char *name)
{
    static const char *const pieces[] = { "a", "b", "-", ".", "0", "!", "~", " ", "\x01",
        "\xc3\xa9", "\xff", "a", "\\", "A" };
    do {
        *name = '\0';
        for (uint32_t i = 1 + random_below(seed, 3); i > 0; i--)
            strcat(name, pieces[random_below(seed, 14)]);
    } while (strcmp(name, ".") == 0 || strcmp(name, "..") == 0);
}

/* Fills the folder, and adds to the list what a walk has to give, unless it is NULL. */
static void grow(int folder, const char *prefix, int depth, uint64_t *seed, struct list *list)
{
    for (uint32_t i = random_below(seed, depth == 0 ? 60 : 11); i > 0; i--) {
        char name[16], path[256];
        struct stat st;
        odd_name(seed, name);
        bool is_bad = strchr(name, '\xff') != NULL;
        snprintf(path, sizeof path, "%s%s", prefix, name);
        const char *why = is_bad ? "the name is not UTF-8" : "symbolic link";
        uint32_t kind = random_below(seed, 10);
        if (kind < 5) {
            int fd = openat(folder, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
            if (fd < 0)
                continue; /* exists */
            assert_int_equal(ftruncate(fd, random_below(seed, 100)), 0);
            assert_int_equal(fstat(fd, &st), 0);
            close(fd);
            if (list)
                add(list, path, is_bad ? WALK_FAILED : WALK_FILE, (uint64_t) st.st_size,
                    st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec, why);
        } else if (kind < 6) {
            if (symlinkat("..", folder, name) == 0 && list)
                add(list, path, is_bad ? WALK_FAILED : WALK_SKIPPED, 0, 0, why);
        } else if (depth < 4 && mkdirat(folder, name, 0777) == 0) {
            int inside = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            strcat(path, "/");
            if (is_bad && list)
                add(list, path, WALK_FAILED, 0, 0, why);
            grow(inside, path, depth + 1, seed, is_bad ? NULL : list);
            close(inside);
        }
    }
}

static struct list grown(const char *root)
{
    struct list expected = { 0 };
    uint64_t seed = 7;
    int folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    grow(folder, "", 0, &seed, &expected);
    close(folder);
    qsort(expected.texts, expected.count, sizeof *expected.texts, by_name);
    assert_in_range(expected.count, 200, 5000);
    return expected;
}

static void a_tree_of_odd_names_comes_sorted_whatever_the_bound(void **state)
{
    static const size_t bounds[] = { 1, 2, 3, 7, 20, WALK_NAMES_MAX };
    struct list expected = grown(*state);
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        struct list got = rest_of(opened(*state, NULL, bounds[i]));
        assert_same(&got, expected.texts, expected.count);
        clear(&got);
    }
    clear(&expected);
}

static void a_walk_goes_on_after_any_name(void **state)
{
    static const size_t bounds[] = { 2, WALK_NAMES_MAX };
    struct list expected = grown(*state);
    for (size_t i = 0; i < expected.count; i++) {
        char after[256];
        snprintf(after, sizeof after, "%.*s", (int) strcspn(expected.texts[i], "\t"),
            expected.texts[i]);
        struct list got = rest_of(opened(*state, after, bounds[i % 2]));
        assert_same(&got, expected.texts + i + 1, expected.count - i - 1);
        clear(&got);
    }
    clear(&expected);
}

static void a_hundred_thousand_names_in_a_folder_come_in_order(void **state)
{
    enum { COUNT = 100000 };
    struct walk_entry e;
    struct error err;
    char name[32];
    int folder = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "f%06u", i * 7919 % COUNT); /* all of them, shuffled */
        close(openat(folder, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
    }
    close(folder);
    struct walk *w = walk_open(*state, NULL, &err);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "f%06u", i);
        assert_int_equal(walk_next(w, &e, &err), 1);
        assert_string_equal(e.name, name);
        assert_int_equal(e.kind, WALK_FILE);
        if (i == COUNT / 2) { /* another walk goes on here */
            walk_close(w);
            w = walk_open(*state, name, &err);
        }
    }
    assert_int_equal(walk_next(w, &e, &err), 0);
    walk_close(w);
}

static void a_large_folder_needs_room_to_sort_its_names(void **state)
{
    struct walk_entry e;
    struct error err;
    shell("cd '%s' && touch a b", (char *) *state);
    setenv("TMPDIR", "/nonexistent", 1);
    struct walk *w = opened(*state, NULL, 1);
    assert_int_equal(walk_next(w, &e, &err), -1);
    assert_int_equal(err.exit, EXIT_PAUSED);
    assert_string_equal(err.text, "can't sort a folder's names in a file below '/nonexistent': "
                                  "No such file or directory");
    walk_close(w);
    unsetenv("TMPDIR");
}

/* root/n/n/n/..., with a file "m" and a file "o" around each "n" */
static void make_chain(const char *root, int levels)
{
    int folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < levels; i++) {
        assert_int_equal(mkdirat(folder, "n", 0777), 0);
        close(openat(folder, "m", O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
        close(openat(folder, "o", O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
        int inside = openat(folder, "n", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(folder);
        folder = inside;
    }
    close(folder);
}

static void a_thousand_levels_need_few_descriptors(void **state)
{
    enum { LEVELS = 1000 };
    struct walk_entry e;
    struct error err;
    char *names[2 * LEVELS];
    make_chain(*state, LEVELS);
    for (int i = 0; i < LEVELS; i++) {
        char *prefix = calloc(1, 2 * LEVELS + 2);
        for (int j = 0; j < i; j++)
            memcpy(prefix + 2 * j, "n/", 2);
        assert_true(asprintf(&names[i], "%sm", prefix) > 0);
        assert_true(asprintf(&names[2 * LEVELS - 1 - i], "%so", prefix) > 0);
        free(prefix);
    }
    rlim_t before = limit_set(RLIMIT_NOFILE, 64);
    struct walk *w = walk_open(*state, NULL, &err);
    for (int i = 0; i < 2 * LEVELS; i++) {
        if (walk_next(w, &e, &err) != 1)
            fail_msg("%d: %s", i, err.text);
        assert_string_equal(e.name, names[i]);
        assert_int_equal(e.kind, WALK_FILE);
        if (i == LEVELS) { /* another walk goes on here */
            walk_close(w);
            w = walk_open(*state, names[i], &err);
        }
    }
    assert_int_equal(walk_next(w, &e, &err), 0);
    walk_close(w);
    limit_set(RLIMIT_NOFILE, before);
    for (int i = 0; i < 2 * LEVELS; i++)
        free(names[i]);
}

#define ROOT_TEST(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOT_TEST(names_come_in_the_order_of_keys),
        ROOT_TEST(empty_folders_give_nothing),
        ROOT_TEST(a_file_comes_with_its_size_and_time),
        ROOT_TEST(what_is_neither_file_nor_folder_is_skipped_by_name),
        ROOT_TEST(temporary_files_of_haul_are_passed_over),
        ROOT_TEST(names_that_are_not_utf8_fail_in_their_place),
        ROOT_TEST(an_unreadable_folder_fails_once_and_the_walk_goes_on),
        ROOT_TEST(a_root_that_cannot_be_read_is_bad_usage),
        ROOT_TEST(the_root_may_be_a_link),
        ROOT_TEST(what_vanishes_during_the_walk_is_left_out),
        ROOT_TEST(a_folder_that_becomes_a_link_during_the_walk_is_not_followed),
        ROOT_TEST(a_walk_goes_on_after_names_that_are_gone_or_absurd),
        ROOT_TEST(folders_before_the_last_name_are_not_opened_again),
        ROOT_TEST(a_tree_of_odd_names_comes_sorted_whatever_the_bound),
        ROOT_TEST(a_walk_goes_on_after_any_name),
        ROOT_TEST(a_hundred_thousand_names_in_a_folder_come_in_order),
        ROOT_TEST(a_large_folder_needs_room_to_sort_its_names),
        ROOT_TEST(a_thousand_levels_need_few_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
