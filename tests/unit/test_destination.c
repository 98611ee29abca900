/* Where downloads are written: names, temporary files, and that nothing ever gets out of the
 * root. fallocate() is replaced here, so that a full disk can be had without filling one. */
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
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "destination.h"

#define RUN "20240131-1f"

static int fallocate_error; /* 0: none */

int fallocate(int fd, int mode, off_t start, off_t len)
{
    if (fallocate_error == 0)
        return (int) syscall(SYS_fallocate, fd, mode, start, len);
    errno = fallocate_error;
    if (fallocate_error == EINTR)
        fallocate_error = 0;
    return -1;
}

/* A folder of its own for each test, with "outside" and "root" in it. */
struct sandbox {
    char top[64], root[128], outside[128];
};

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

static int make_sandbox(void **state)
{
    struct sandbox *s = calloc(1, sizeof *s);
    strcpy(s->top, "/tmp/test-destination-XXXXXX");
    assert_non_null(mkdtemp(s->top));
    snprintf(s->root, sizeof s->root, "%s/root", s->top);
    snprintf(s->outside, sizeof s->outside, "%s/outside", s->top);
    assert_int_equal(mkdir(s->root, 0777), 0);
    assert_int_equal(mkdir(s->outside, 0777), 0);
    fallocate_error = 0;
    *state = s;
    return 0;
}

static int remove_sandbox(void **state)
{
    struct sandbox *s = *state;
    shell("chmod -R u+rwx '%s'; rm -rf '%s'", s->top, s->top);
    free(s);
    return 0;
}

static void assert_errno(int rc, int expected)
{
    int got = errno;
    assert_int_equal(rc, -1);
    if (got != expected)
        fail_msg("errno is %d (%s), expected %d", got, strerror(got), expected);
}

static struct place opened(const struct sandbox *s, const char *name)
{
    struct place p;
    if (place_open(&p, s->root, name, RUN, true) < 0)
        fail_msg("%s: %s", name, strerror(errno));
    return p;
}

static bool is_there(const struct place *p, const char *name)
{
    struct stat st;
    return fstatat(p->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Names */

/* Case 40. */
static void a_name_that_cannot_be_a_file_below_a_folder_is_refused(void **state)
{
    /* clang-format off */
    static const struct {
        const char *name, *word;
    } faults[] = {
        { "", "empty" }, { "/", "begins" }, { "/etc/passwd", "begins" }, { "a/", "ends" },
        { "a//b", "empty segment" }, { ".", "`..`" }, { "..", "`..`" }, { "../x", "`..`" },
        { "a/../../x", "`..`" }, { "a/./x", "`..`" }, { "a/..", "`..`" }, { "\xff", "UTF-8" },
        { "a/\xc0\xae\xc0\xae/x", "UTF-8" }, { ".a.haul-part", "temporary" },
        { "a/.a." RUN ".haul-part", "temporary" }, { ".a.haul-part/b", "temporary" },
    };
    /* clang-format on */
    char name[600];
    (void) state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *fault = destination_name_fault(faults[i].name);
        if (!fault || !strstr(fault, faults[i].word))
            fail_msg("'%s': expected '%s' in '%s'", faults[i].name, faults[i].word,
                fault ? fault : "(none)");
    }
    snprintf(name, sizeof name, "a/%0256d", 0);
    assert_non_null(strstr(destination_name_fault(name), "255"));
    snprintf(name, sizeof name, "%0256d/a", 0);
    assert_non_null(strstr(destination_name_fault(name), "255"));
}

static void odd_but_possible_names_are_accepted(void **state)
{
    static const char *const names[] = { "a", "a/b", "...", "..a", "a..", ".hidden", " ", "a b",
        "a\\..\\b", "\n", "\x01", "-rf", "~", "C:", "\xc3\xa9", "a.haul-part", ".haul-part/x",
        ".a.haul-parts", "%2e%2e/x" };
    char name[600];
    (void) state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (destination_name_fault(names[i]))
            fail_msg("'%s': %s", names[i], destination_name_fault(names[i]));
    snprintf(name, sizeof name, "%0255d/%0255d", 0, 0);
    assert_null(destination_name_fault(name));
}

static void a_temporary_name_tells_file_and_run(void **state)
{
    char temp[NAME_MAX + 1];
    (void) state;
    destination_temp_name("out.bin", RUN, temp);
    assert_string_equal(temp, ".out.bin." RUN ".haul-part");
    assert_true(destination_is_temp(temp));
    assert_false(destination_is_temp("out.bin"));
    assert_false(destination_is_temp(".haul-part"));
    assert_true(destination_is_temp("..haul-part"));
}

static void temporary_names_of_any_length_fit_and_differ(void **state)
{
    char name[NAME_MAX + 1], temp[NAME_MAX + 1], other[NAME_MAX + 1];
    const char *run = "run-of-sixty-four-bytes-run-of-sixty-four-bytes-run-of-sixty-fou";
    (void) state;
    for (size_t len = 1; len <= NAME_MAX; len++) {
        memset(name, 'x', len);
        name[len] = '\0';
        destination_temp_name(name, run, temp);
        assert_in_range(strlen(temp), len < 179 ? len : NAME_MAX - 1, NAME_MAX);
        assert_true(destination_is_temp(temp));
        assert_non_null(strstr(temp, run));
        name[len - 1] = 'y';
        destination_temp_name(name, run, other);
        assert_string_not_equal(temp, other);
    }
}

static void a_long_temporary_name_is_not_cut_inside_a_character(void **state)
{
    char name[NAME_MAX + 1], temp[NAME_MAX + 1];
    (void) state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(name, 'x', shift);
        for (size_t i = shift; i + 3 <= NAME_MAX; i += 3)
            strcpy(name + i, "\xe6\x97\xa5");
        destination_temp_name(name, RUN, temp);
        assert_null(strstr(destination_name_fault(temp), "UTF-8"));
    }
}

/* Places */

static void missing_folders_are_made_with_the_root_and_its_parents(void **state)
{
    struct sandbox *s = *state;
    struct place p;
    char root[256];
    snprintf(root, sizeof root, "%s/new/deep//root/", s->top);
    assert_errno(place_open(&p, root, "a/b/c", RUN, false), ENOENT);
    assert_int_equal(p.folder, -1);
    assert_int_equal(place_open(&p, root, "a/b/c", RUN, true), 0);
    assert_string_equal(p.name, "c");
    place_close(&p);
    assert_int_equal(p.folder, -1);
    assert_int_equal(place_open(&p, root, "a/b/c", RUN, false), 0);
    place_close(&p);
    place_close(&p);
    assert_int_equal(place_open(&p, root, "d", RUN, false), 0);
    place_close(&p);
}

static void a_folder_that_may_only_be_passed_through_is_no_obstacle(void **state)
{
    struct sandbox *s = *state;
    uid_t user = geteuid();
    shell("cd '%s' && mkdir -p root/pass/in && chmod 0755 . && chmod 0333 root root/pass",
        s->top);
    assert_int_equal(seteuid(user == 0 ? 65534 : user), 0); /* root may do anything */
    struct place p = opened(s, "pass/in/x");
    place_close(&p);
    p = opened(s, "pass/new/x");
    place_close(&p);
    assert_errno(place_open(&p, s->root, "pass/x", RUN, true), EACCES);
    assert_int_equal(seteuid(user), 0);
}

static void folders_and_files_get_the_permissions_of_the_umask(void **state)
{
    struct sandbox *s = *state;
    struct stat st;
    mode_t before = umask(027);
    destination_init();
    struct place p = opened(s, "d/x");
    int fd = place_create(&p, 3);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(place_stamp(fd, 1500000000123), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_sec, 1500000000);
    assert_int_equal(st.st_mtim.tv_nsec, 123000000);
    assert_int_equal(place_stamp(fd, -2), 0); /* before 1970 */
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, -1);
    assert_int_equal(st.st_mtim.tv_nsec, 998000000);
    assert_int_equal(place_stamp(fd, -1), 0); /* not known: it stays */
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mtim.tv_nsec, 998000000);
    assert_int_equal(fstat(p.folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    umask(before);
    destination_init();
    close(fd);
    place_close(&p);
}

static void a_link_or_a_file_in_the_way_is_an_error(void **state)
{
    struct sandbox *s = *state;
    struct place p;
    shell("cd '%s' && ln -s ../outside link && ln -s gone dangling && touch file &&"
          "mkdir d && ln -s ../d d/link && ln -s . d/loop",
        s->root);
    static const char *const names[] = { "link/x", "dangling/x", "file/x", "d/link/x",
        "d/loop/x", "link/new/x", "d/loop/new/x" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int rc = place_open(&p, s->root, names[i], RUN, true);
        assert_errno(rc, errno == ELOOP ? ELOOP : ENOTDIR);
        assert_int_equal(p.folder, -1);
    }
}

static void the_root_itself_may_be_a_link(void **state)
{
    struct sandbox *s = *state;
    struct place p;
    char link[256];
    snprintf(link, sizeof link, "%s/link", s->top);
    assert_int_equal(symlink("root", link), 0);
    assert_int_equal(place_open(&p, link, "a/b", RUN, true), 0);
    place_close(&p);
    assert_int_equal(place_open(&p, link, "b", RUN, true), 0);
    place_close(&p);
}

static void a_faulty_name_or_run_opens_no_place(void **state)
{
    struct sandbox *s = *state;
    struct place p;
    assert_errno(place_open(&p, s->root, "../x", RUN, true), EINVAL);
    assert_errno(place_open(&p, s->root, "x", "../../x", true), EINVAL);
}

struct maker {
    const struct sandbox *sandbox;
    pthread_barrier_t *barrier;
    unsigned opened;
};

static void *make_folders(void *payload)
{
    struct maker *m = payload;
    for (int i = 0; i < 100; i++) {
        char name[64];
        struct place p;
        snprintf(name, sizeof name, "%d/a/b/c/file", i);
        pthread_barrier_wait(m->barrier);
        m->opened += place_open(&p, m->sandbox->root, name, RUN, true) == 0;
        place_close(&p);
    }
    return NULL;
}

static void threads_may_make_the_same_folders_at_once(void **state)
{
    enum { THREADS = 8 };
    pthread_barrier_t barrier;
    pthread_t threads[THREADS];
    struct maker makers[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        makers[i] = (struct maker){ .sandbox = *state, .barrier = &barrier };
        assert_int_equal(pthread_create(&threads[i], NULL, make_folders, &makers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(makers[i].opened, 100);
    }
    pthread_barrier_destroy(&barrier);
}

/* Temporary files */

static void a_file_appears_under_its_name_when_published(void **state)
{
    struct place p = opened(*state, "d/x");
    int fd = place_create(&p, 3);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "new", 3, 0), 3);
    assert_true(is_there(&p, p.temp));
    assert_false(is_there(&p, "x"));
    assert_int_equal(place_publish(&p), 0);
    assert_false(is_there(&p, p.temp));
    assert_true(is_there(&p, "x"));
    assert_errno(place_publish(&p), ENOENT);
    close(fd);
    place_close(&p);
}

static void a_folder_at_the_final_name_is_not_replaced(void **state)
{
    struct place p = opened(*state, "x"), inside = opened(*state, "x/y");
    int fd = place_create(&p, 0);
    assert_true(fd >= 0);
    assert_errno(place_publish(&p), EISDIR);
    assert_true(is_there(&p, p.temp));
    assert_int_equal(place_discard(&p), 0);
    assert_int_equal(place_discard(&p), 0);
    assert_false(is_there(&p, p.temp));
    close(fd);
    place_close(&inside);
    place_close(&p);
}

/* Case 64. */
static void an_old_temporary_of_any_kind_is_removed_first(void **state)
{
    struct sandbox *s = *state;
    static const char *const plants[] = { "echo old >", "mkfifo", "ln -s ../outside/victim",
        "ln ../outside/victim" };
    struct place p = opened(s, "x");
    struct stat st;
    shell("echo precious > '%s/victim'", s->outside);
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++) {
        assert_int_equal(shell("cd '%s' && %s '%s'", s->root, plants[i], p.temp), 0);
        int fd = place_create(&p, 5);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_true(S_ISREG(st.st_mode));
        assert_int_equal(st.st_size, 5);
        assert_int_equal(st.st_nlink, 1);
        close(fd);
        assert_int_equal(place_discard(&p), 0);
    }
    assert_int_equal(shell("test \"$(cat '%s/victim')\" = precious", s->outside), 0);
    assert_int_equal(mkdirat(p.folder, p.temp, 0777), 0);
    assert_errno(place_create(&p, 5), EISDIR);
    place_close(&p);
}

static void only_a_plain_file_of_the_right_size_is_reopened(void **state)
{
    struct sandbox *s = *state;
    static const char *const plants[] = { "echo 1234 > t; mv t", "mkfifo", "ln -s ../outside/v",
        "ln ../outside/v", "mkdir", "ln -s gone" };
    struct place p = opened(s, "x");
    char buffer[4];
    assert_errno(place_reopen(&p, 3), ENOENT);
    int fd = place_create(&p, 3);
    assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
    close(fd);
    fd = place_reopen(&p, 3);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, buffer, sizeof buffer, 0), 3);
    assert_int_equal(pwrite(fd, "d", 1, 2), 1);
    close(fd);
    assert_errno(place_reopen(&p, 4), EBADMSG);
    assert_int_equal(place_discard(&p), 0);

    shell("printf abc > '%s/v'", s->outside);
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++) {
        assert_int_equal(shell("cd '%s' && %s '%s'", s->root, plants[i], p.temp), 0);
        assert_errno(place_reopen(&p, 3), EBADMSG);
        shell("rm -rf '%s/%s'", s->root, p.temp);
    }
    place_close(&p);
}

static void room_is_reserved_and_an_empty_file_needs_none(void **state)
{
    struct place p = opened(*state, "x");
    struct stat st;
    int fd = place_create(&p, 1 << 20);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 1 << 20);
    close(fd);
    fallocate_error = ENOSPC; /* must not be asked */
    fd = place_create(&p, 0);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(fd);
    place_close(&p);
}

/* Case 60. */
static void a_full_disk_is_found_early_and_leaves_nothing(void **state)
{
    struct place p = opened(*state, "x");
    fallocate_error = ENOSPC;
    assert_errno(place_create(&p, 10), ENOSPC);
    assert_false(is_there(&p, p.temp));
    fallocate_error = 0;
    assert_errno(place_create(&p, UINT64_MAX), EFBIG);
    assert_errno(place_create(&p, INT64_MAX), EFBIG);
    assert_false(is_there(&p, p.temp));
    place_close(&p);
}

static void without_reservation_the_file_still_has_its_size(void **state)
{
    static const int errors[] = { EOPNOTSUPP, ENOSYS, EINTR };
    struct place p = opened(*state, "x");
    struct stat st;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        fallocate_error = errors[i];
        int fd = place_create(&p, 12345);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, 12345);
        close(fd);
    }
    place_close(&p);
}

/* Hostile keys: every one is tried, whatever destination_name_fault() says of it. */

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (*seed >> 33) % limit;
}

#define X51 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define X255 X51 X51 X51 X51 X51

/* clang-format off */
static const struct {
    const char *text;
    bool faulty;
} segments[] = {
    { "..", true }, { ".", true }, { "", true }, { X255 "n", true }, { "\xff", true },
    { "\xc0\xaf", true }, { "\xc0\xae\xc0\xae", true }, { "\xed\xa0\x80", true },
    { ".x.haul-part", true }, { ".file." RUN ".haul-part", true },
    { "link", false }, { "absolute", false }, { "loop", false }, { "dangling", false },
    { "fifo", false }, { "folder", false }, { "file", false }, { "victim", false },
    { "a", false }, { "b", false }, { "c", false }, { "folder", false }, { "root", false },
    { "outside", false }, { "..\\..\\outside", false }, { "\x01\x1b[2J\r\n", false },
    { "\x7f", false }, { "...", false }, { ".. ", false }, { " ", false }, { "-rf", false },
    { "~", false }, { "$HOME", false }, { "%2e%2e%2f", false }, { "*", false }, { "C:", false },
    { "\xe2\x80\xae\xe6\x97\xa5", false }, { "\xef\xbc\x8f", false }, { X255, false },
    { "\xc3\xa9", false }, { "e\xcc\x81", false },
};
/* clang-format on */

/* Composes a key. Returns whether it has a fault. */
static bool next_key(uint64_t *seed, char *key, size_t size)
{
    enum { COUNT = sizeof segments / sizeof *segments, HARMLESS = 10 };
    bool faulty = false;
    uint32_t count = random_below(seed, 50) ? 1 + random_below(seed, 5) : 60;
    /* half of the keys consist of harmless segments, lest almost all are refused at once */
    uint32_t first = random_below(seed, 2) ? HARMLESS : 0;
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pick = first + random_below(seed, COUNT - first);
        faulty = faulty || segments[pick].faulty;
        len += (size_t) snprintf(
            key + len, size - len, "%s%s", i > 0 ? "/" : "", segments[pick].text);
    }
    return faulty;
}

static FILE *snapshot_out;
static const char *snapshot_root;

static int note(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) type;
    (void) ftw;
    if (strcmp(path, snapshot_root) == 0)
        return FTW_SKIP_SUBTREE;
    fprintf(snapshot_out, "%s %o %ju %jd %jd.%ld\n", path, st->st_mode, (uintmax_t) st->st_ino,
        (intmax_t) st->st_size, (intmax_t) st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    return FTW_CONTINUE;
}

/* Everything around the root: each name with its mode, inode, size and time of change. (Not the
 * number of its links: planted ones may be removed.) */
static char *snapshot(const struct sandbox *s)
{
    char *text = NULL;
    size_t size;
    snapshot_out = open_memstream(&text, &size);
    snapshot_root = s->root;
    assert_int_equal(nftw(s->top, note, 16, FTW_PHYS | FTW_ACTIONRETVAL), 0);
    fclose(snapshot_out);
    return text;
}

static void plant(const struct sandbox *s)
{
    shell("cd '%s' && mkdir -p folder/folder a b/folder '%s/folder' && mkfifo fifo a/fifo &&"
          "for d in . folder folder/folder a b/folder; do (cd $d &&"
          "  ln -s '%s' link; ln -s '%s' absolute; ln -s . loop; ln -s nowhere dangling;"
          "  ln -s '%s/victim' victim; ln -s '%s/new' .c." RUN ".haul-part;"
          "  ln '%s/victim' .file." RUN ".haul-part; mkfifo .a." RUN ".haul-part); done",
        s->root, s->outside, s->outside, s->outside, s->outside, s->outside, s->outside);
}

/* Returns whether the key's file was published. */
static bool put(const struct sandbox *s, const char *key)
{
    struct place p;
    bool published = false;
    if (place_open(&p, s->root, key, RUN, true) < 0)
        return false;
    int fd = place_reopen(&p, 9);
    if (fd < 0)
        fd = place_create(&p, 9);
    if (fd >= 0) {
        published = pwrite(fd, "mischief\n", 9, 0) == 9 && place_stamp(fd, 1) == 0 &&
                    place_publish(&p) == 0;
        close(fd);
    }
    place_discard(&p);
    place_close(&p);
    return published;
}

static bool is_plain_file(const struct sandbox *s, const char *key)
{
    char path[PATH_MAX];
    struct stat st;
    int len = snprintf(path, sizeof path, "%s/%s", s->root, key);
    return len >= PATH_MAX || (lstat(path, &st) == 0 && S_ISREG(st.st_mode));
}

/* Case 40. */
static void no_key_and_no_planted_link_leads_out_of_the_root(void **state)
{
    const struct sandbox *s = *state;
    static char key[32768];
    uint64_t seed = 42;
    unsigned published = 0, refused = 0;
    shell("cd '%s' && echo precious > victim && mkdir -p folder a", s->outside);
    plant(s);
    char *before = snapshot(s);
    for (int i = 0; i < 6000; i++) {
        bool faulty = next_key(&seed, key, sizeof key);
        if (faulty != (destination_name_fault(key) != NULL))
            fail_msg("'%s': expected a fault: %d", key, faulty);
        bool done = put(s, key);
        if (done && (faulty || !is_plain_file(s, key)))
            fail_msg("'%s' was published", key);
        published += done;
        refused += faulty;
    }
    char *after = snapshot(s);
    assert_string_equal(before, after);
    assert_int_equal(shell("test \"$(cat '%s/victim')\" = precious", s->outside), 0);
    assert_in_range(published, 500, 6000);
    assert_in_range(refused, 500, 5000);
    free(before);
    free(after);
}

#define SANDBOX_TEST(f) cmocka_unit_test_setup_teardown(f, make_sandbox, remove_sandbox)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_cannot_be_a_file_below_a_folder_is_refused),
        cmocka_unit_test(odd_but_possible_names_are_accepted),
        cmocka_unit_test(a_temporary_name_tells_file_and_run),
        cmocka_unit_test(temporary_names_of_any_length_fit_and_differ),
        cmocka_unit_test(a_long_temporary_name_is_not_cut_inside_a_character),
        SANDBOX_TEST(missing_folders_are_made_with_the_root_and_its_parents),
        SANDBOX_TEST(a_folder_that_may_only_be_passed_through_is_no_obstacle),
        SANDBOX_TEST(folders_and_files_get_the_permissions_of_the_umask),
        SANDBOX_TEST(a_link_or_a_file_in_the_way_is_an_error),
        SANDBOX_TEST(the_root_itself_may_be_a_link),
        SANDBOX_TEST(a_faulty_name_or_run_opens_no_place),
        SANDBOX_TEST(threads_may_make_the_same_folders_at_once),
        SANDBOX_TEST(a_file_appears_under_its_name_when_published),
        SANDBOX_TEST(a_folder_at_the_final_name_is_not_replaced),
        SANDBOX_TEST(an_old_temporary_of_any_kind_is_removed_first),
        SANDBOX_TEST(only_a_plain_file_of_the_right_size_is_reopened),
        SANDBOX_TEST(room_is_reserved_and_an_empty_file_needs_none),
        SANDBOX_TEST(a_full_disk_is_found_early_and_leaves_nothing),
        SANDBOX_TEST(without_reservation_the_file_still_has_its_size),
        SANDBOX_TEST(no_key_and_no_planted_link_leads_out_of_the_root),
    };
    destination_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
