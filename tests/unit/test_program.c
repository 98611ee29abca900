/* program.c: what a program is started with, what is told of it, and that nothing of it stays
 * behind, however it ends. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "inquiry.h"
#include "limit.h"
#include "temp.h"

#define PATIENCE_MS 60000
#define SHORT_MS 2000 /* enough to be begun, on machines that are slow today */

/* The working folder, which a test's programs write into. */
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

static void assert_no_child_is_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static int run(
    const char *command, unsigned timeout_ms, struct answer *a, struct haul_error *err)
{
    struct inquirer *i = inquirer_new(err);
    assert_non_null(i);
    int rc = inquire_program(i, command, timeout_ms, a, err);
    inquirer_free(i);
    assert_no_child_is_left();
    return rc;
}

static void assert_prints(const char *command, const char *text)
{
    struct haul_error err;
    struct answer a;
    if (run(command, PATIENCE_MS, &a, &err) < 0)
        fail_msg("%s: %s", command, err.text);
    assert_string_equal(a.text, text);
    assert_int_equal(a.len, strlen(text));
    assert_int_equal(a.status, 0);
    answer_free(&a);
}

static void assert_ends_with(const char *command, int status)
{
    struct haul_error err;
    struct answer a;
    assert_int_equal(run(command, PATIENCE_MS, &a, &err), 0);
    assert_int_equal(a.status, status);
    answer_free(&a);
}

static void assert_fails(
    const char *command, unsigned timeout_ms, enum haul_code code, const char *text)
{
    struct haul_error err;
    struct answer a;
    assert_int_equal(run(command, timeout_ms, &a, &err), -1);
    assert_string_equal(err.text, text);
    assert_int_equal(err.code, code);
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* The number that a program has written into a file, as soon as it has. */
static pid_t await_number(const char *file)
{
    for (;; pause_briefly()) {
        int number;
        char end = 0;
        FILE *f = fopen(file, "r");
        int found = f == NULL ? 0 : fscanf(f, "%d%c", &number, &end);
        if (f != NULL)
            fclose(f);
        if (found == 2 && end == '\n')
            return number;
    }
}

/* Whose parent is gone is buried by somebody else, at some time. */
static void await_death(pid_t pid)
{
    char path[64], state = 'R';
    snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
    for (; state != 'Z'; pause_briefly()) {
        FILE *f = fopen(path, "r");
        if (f == NULL)
            return;
        if (fscanf(f, "%*d %*s %c", &state) != 1)
            state = 'Z';
        fclose(f);
    }
}

static void what_it_prints_is_the_answer(void **state)
{
    (void) state;
    assert_prints("echo one; echo two", "one\ntwo\n");
    assert_prints("printf 'a b' | tr a-z A-Z", "A B");
    assert_prints(":", "");
}

static void its_exit_status_is_told(void **state)
{
    (void) state;
    assert_ends_with("exit 3", 3);
    assert_ends_with("kill -9 $$", 128 + SIGKILL);
    assert_ends_with("/nowhere/at-all 2>/dev/null", 127);
}

static void its_standard_input_is_empty(void **state)
{
    (void) state;
    assert_prints("cat; echo end", "end\n");
}

static void its_standard_error_is_ours(void **state)
{
    (void) state;
    int before = dup(2), file = open("stderr", O_RDWR | O_CREAT, 0600);
    assert_true(before >= 0 && file >= 0);
    dup2(file, 2);
    assert_prints("echo told >&2", "");
    dup2(before, 2);
    char text[16] = "";
    assert_int_equal(pread(file, text, sizeof text - 1, 0), 5);
    assert_string_equal(text, "told\n");
    close(before);
    close(file);
}

static void it_inherits_no_descriptor(void **state)
{
    (void) state;
    int low = open("/dev/null", O_RDONLY), high = fcntl(low, F_DUPFD, 200);
    char command[128];
    snprintf(command, sizeof command,
        "for n in %d %d; do [ -e /proc/$$/fd/$n ] && echo $n; done; :", low, high);
    assert_prints(command, "");
    close(low);
    close(high);
}

static void it_minds_signals_that_we_do_not(void **state)
{
    (void) state;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    signal(SIGPIPE, SIG_IGN);
    assert_ends_with("kill -TERM $$; echo lives", 128 + SIGTERM);
    assert_ends_with("kill -PIPE $$; echo lives", 128 + SIGPIPE);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void it_has_a_session_of_its_own(void **state)
{
    (void) state;
    assert_prints("[ \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ ] && echo leads", "leads\n");
}

static void it_runs_where_standard_streams_are_closed(void **state)
{
    (void) state;
    struct haul_error err;
    struct answer a;
    int in = dup(0), out = dup(1);
    close(0);
    close(1);
    int rc = run("cat; echo end", PATIENCE_MS, &a, &err);
    dup2(in, 0);
    dup2(out, 1);
    close(in);
    close(out);
    assert_int_equal(rc, 0);
    assert_string_equal(a.text, "end\n");
    answer_free(&a);
}

static void its_output_tells_where_statuses_are_not_kept(void **state)
{
    (void) state;
    signal(SIGCHLD, SIG_IGN);
    assert_prints("echo fine; exit 1", "fine\n");
    signal(SIGCHLD, SIG_DFL);
}

static void as_much_as_may_be_is_read(void **state)
{
    (void) state;
    struct haul_error err;
    struct answer a;
    assert_int_equal(run("head -c 65536 /dev/zero | tr '\\0' x", PATIENCE_MS, &a, &err), 0);
    assert_int_equal(a.len, INQUIRY_BYTES_MAX);
    assert_int_equal(strspn(a.text, "x"), INQUIRY_BYTES_MAX);
    answer_free(&a);
}

static void more_output_is_refused_and_ends_it(void **state)
{
    (void) state;
    assert_fails(
        "head -c 65537 /dev/zero", PATIENCE_MS, HAUL_TOO_LARGE, "printed more than 64 KiB");
    assert_fails(
        "echo $$ >pid; exec yes", PATIENCE_MS, HAUL_TOO_LARGE, "printed more than 64 KiB");
    await_death(await_number("pid"));
}

static void one_that_hangs_ends_with_all_it_has_started(void **state)
{
    (void) state;
    assert_fails("sleep 1000 & echo $! >first; sleep 1000 & echo $! >second; wait", SHORT_MS,
        HAUL_BAD_CONFIG, "took longer than 2 s");
    await_death(await_number("first"));
    await_death(await_number("second"));
}

static void one_that_minds_no_signal_is_killed(void **state)
{
    (void) state;
    assert_fails(
        "trap '' TERM; sleep 1000 & echo $! >child; echo $$ >pid; while :; do sleep 0.01; done",
        SHORT_MS, HAUL_BAD_CONFIG, "took longer than 2 s");
    await_death(await_number("pid"));
    await_death(await_number("child"));
}

static void one_that_stays_silently_is_ended(void **state)
{
    (void) state;
    assert_fails(
        "exec >&-; exec sleep 1000", SHORT_MS, HAUL_BAD_CONFIG, "took longer than 2 s");
}

static void *stop_when_it_runs(void *inquirer)
{
    await_number("pid");
    inquirer_stop(inquirer);
    return NULL;
}

static void another_thread_can_stop_it(void **state)
{
    (void) state;
    struct haul_error err;
    struct answer a;
    pthread_t stopper;
    struct inquirer *i = inquirer_new(&err);
    pthread_create(&stopper, NULL, stop_when_it_runs, i);
    assert_int_equal(
        inquire_program(i, "echo $$ >pid; exec sleep 1000", PATIENCE_MS, &a, &err), -1);
    pthread_join(stopper, NULL);
    assert_int_equal(err.code, HAUL_CANCELLED);
    await_death(await_number("pid"));
    assert_no_child_is_left();

    /* And no other is started any more. */
    assert_int_equal(inquire_program(i, "echo >again", PATIENCE_MS, &a, &err), -1);
    assert_int_equal(err.code, HAUL_CANCELLED);
    assert_int_equal(access("again", F_OK), -1);
    inquirer_free(i);
}

/* As a Ctrl-C does, of which the terminal tells us alone. */
static void a_signal_that_ends_us_ends_it_first(void **state)
{
    (void) state;
    static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct haul_error err;
        struct answer a;
        int status;
        unlink("pid");
        pid_t us = fork();
        if (us == 0) {
            inquire_program(
                inquirer_new(&err), "echo $$ >pid; exec sleep 1000", PATIENCE_MS, &a, &err);
            _exit(0);
        }
        pid_t pid = await_number("pid");
        kill(us, signals[i]);
        assert_int_equal(waitpid(us, &status, 0), us);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
        await_death(pid);
    }
}

static void a_signal_that_is_ignored_disturbs_nobody(void **state)
{
    (void) state;
    signal(SIGHUP, SIG_IGN);
    char command[64];
    snprintf(command, sizeof command, "kill -HUP %d; echo fine", (int) getpid());
    assert_prints(command, "fine\n");
    signal(SIGHUP, SIG_DFL);
}

static volatile sig_atomic_t reloads;

static void on_reload(int number)
{
    (void) number;
    reloads++;
}

static void a_wish_to_reload_disturbs_nobody(void **state)
{
    (void) state;
    char command[64];
    signal(SIGHUP, on_reload);
    snprintf(command, sizeof command, "kill -HUP %d; echo fine", (int) getpid());
    assert_prints(command, "fine\n");
    assert_int_equal(reloads, 1);
    signal(SIGHUP, SIG_DFL);
}

static void without_descriptors_it_says_so(void **state)
{
    (void) state;
    struct haul_error err;
    struct answer a;
    struct inquirer *i = inquirer_new(&err);
    rlim_t before = limit_set(RLIMIT_NOFILE, 3);
    int rc = inquire_program(i, "echo one", PATIENCE_MS, &a, &err);
    limit_set(RLIMIT_NOFILE, before);
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, HAUL_BAD_CONFIG);
    assert_string_equal(err.text, "/bin/sh can't be run: Too many open files");
    inquirer_free(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_prints_is_the_answer),
        cmocka_unit_test(its_exit_status_is_told),
        cmocka_unit_test(its_standard_input_is_empty),
        cmocka_unit_test_setup_teardown(its_standard_error_is_ours, enter_folder, leave_folder),
        cmocka_unit_test(it_inherits_no_descriptor),
        cmocka_unit_test(it_minds_signals_that_we_do_not),
        cmocka_unit_test(it_has_a_session_of_its_own),
        cmocka_unit_test(it_runs_where_standard_streams_are_closed),
        cmocka_unit_test(its_output_tells_where_statuses_are_not_kept),
        cmocka_unit_test(as_much_as_may_be_is_read),
        cmocka_unit_test_setup_teardown(
            more_output_is_refused_and_ends_it, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(
            one_that_hangs_ends_with_all_it_has_started, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(
            one_that_minds_no_signal_is_killed, enter_folder, leave_folder),
        cmocka_unit_test(one_that_stays_silently_is_ended),
        cmocka_unit_test_setup_teardown(another_thread_can_stop_it, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(
            a_signal_that_ends_us_ends_it_first, enter_folder, leave_folder),
        cmocka_unit_test(a_signal_that_is_ignored_disturbs_nobody),
        cmocka_unit_test(a_wish_to_reload_disturbs_nobody),
        cmocka_unit_test(without_descriptors_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
