/* One program run for its output: see inquire_program() in inquiry.h. It is started the way a
 * program with threads may, which fork() is not, and as the leader of a session of its own: all
 * that it starts can be ended with it, as we do when a Ctrl-C comes to us alone, and it can't
 * stop to ask at a terminal where nobody answers. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptor.h"
#include "inquiry.h"
#include "loop.h"

#define GRACE_MS 500    /* from the polite signal to the other one */
#define PAUSE_MAX_MS 20 /* between two looks for its end */

struct program {
    pid_t pid;
    int out;             /* owned: what it prints */
    int stop_fd;         /* borrowed: readable when it is to be ended; -1: never */
    int signal_fd;       /* owned: the same, for a signal is about to end us; -1: likewise */
    unsigned timeout_ms; /* for messages */
    int64_t deadline_ms; /* CLOCK_MONOTONIC */
};

/* ---- Starting ---- */

/* No signal blocked or ignored, whatever we do, and no descriptor but the three. Returns 0 or
 * an errno. */
static int spawn(pid_t *pid, const char *command, int out)
{
    const char *argv[] = { "sh", "-c", command, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    if ((rc = posix_spawnattr_init(&how)) != 0)
        goto out;
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setflags(
        &how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if ((rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO)) == 0 &&
        (rc = posix_spawn_file_actions_addopen(
             &actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) == 0 &&
        (rc = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)) == 0)
        rc = posix_spawn(pid, "/bin/sh", &actions, &how, (char **) argv, environ);
    posix_spawnattr_destroy(&how);
out:
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int start(struct program *p, const char *command, struct haul_error *err)
{
    int ends[2] = { -1, -1 };
    int rc = pipe2(ends, O_CLOEXEC) < 0 ? errno : spawn(&p->pid, command, ends[1]);
    descriptor_close(ends[1]);
    if (rc == 0) {
        p->out = ends[0];
        return 0;
    }
    descriptor_close(ends[0]);
    return haul_error_set(err, rc == ENOMEM ? HAUL_NO_MEMORY : HAUL_BAD_CONFIG,
        "/bin/sh can't be run: %s", strerror(rc));
}

/* ---- Watching ---- */

/* A handled SIGHUP is by custom no end, but a wish to read one's settings again. */
static bool ends_us(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN &&
           (action.sa_handler == SIG_DFL || number != SIGHUP);
}

/* What may end us must not leave the program behind, which nobody else would end: it waits on
 * this thread, unless it is ignored, blocked anyway, or another thread takes it. */
static int hold_signals(sigset_t *before)
{
    static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
    sigset_t held;
    sigemptyset(&held);
    pthread_sigmask(SIG_BLOCK, NULL, before);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (!sigismember(before, signals[i]) && ends_us(signals[i]))
            sigaddset(&held, signals[i]);
    pthread_sigmask(SIG_BLOCK, &held, NULL);
    return signalfd(-1, &held, SFD_CLOEXEC);
}

/* 1: fd is readable; 0: pause_ms have passed; -1 with *err: it is to be ended. */
static int watch(const struct program *p, int fd, int pause_ms, struct haul_error *err)
{
    struct pollfd fds[] = { { p->stop_fd, POLLIN, 0 }, { p->signal_fd, POLLIN, 0 },
        { fd, POLLIN, 0 } };
    int64_t left_ms = p->deadline_ms - loop_now_ms();
    if (left_ms < 0)
        left_ms = 0;
    int ready = poll(fds, 3, left_ms < pause_ms ? (int) left_ms : pause_ms);
    if (ready < 0 && errno != EINTR)
        return haul_error_set(err, HAUL_NO_MEMORY, "poll: %s", strerror(errno));
    if (ready > 0 && (fds[0].revents | fds[1].revents) != 0)
        return haul_error_set(err, HAUL_CANCELLED, "cancelled");
    if (left_ms == 0)
        return haul_error_set(
            err, HAUL_BAD_CONFIG, "took longer than %g s", p->timeout_ms / 1000.0);
    return ready > 0;
}

/* All of its output, which ends when everybody has closed it. */
static int read_output(const struct program *p, struct answer *a, struct haul_error *err)
{
    for (;;) {
        int ready = watch(p, p->out, INT_MAX, err);
        if (ready < 0)
            return -1;
        ssize_t got =
            ready ? read(p->out, a->text + a->len, INQUIRY_BYTES_MAX + 1 - a->len) : -1;
        if (got == 0)
            return 0;
        if (got > 0 && (a->len += (size_t) got) > INQUIRY_BYTES_MAX)
            return haul_error_set(
                err, HAUL_TOO_LARGE, "printed more than %d KiB", INQUIRY_BYTES_MAX / 1024);
    }
}

/* It stays there as a zombie, so that its number is still its own. Looked for again and again,
 * with little to wait as a rule: not every kernel and container has pidfd_open(). */
static int await_end(const struct program *p, struct haul_error *err)
{
    for (int pause_ms = 1;; pause_ms = pause_ms < PAUSE_MAX_MS ? 2 * pause_ms : PAUSE_MAX_MS) {
        siginfo_t end = { 0 };
        if (waitid(P_PID, (id_t) p->pid, &end, WEXITED | WNOHANG | WNOWAIT) < 0 ||
            end.si_pid != 0)
            return 0;
        if (watch(p, -1, pause_ms, err) < 0)
            return -1;
    }
}

/* ---- Ending ---- */

static void kill_all(const struct program *p)
{
    const struct program last = {
        .pid = p->pid, .stop_fd = -1, .signal_fd = -1, .deadline_ms = loop_now_ms() + GRACE_MS
    };
    kill(-p->pid, SIGTERM);
    await_end(&last, NULL);
    kill(-p->pid, SIGKILL);
}

/* A host that ignores SIGCHLD leaves no status to be had: then the output alone must tell. */
static int reap(const struct program *p)
{
    int status = 0;
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int inquire_program(struct inquirer *i, const char *command, unsigned timeout_ms,
    struct answer *out, struct haul_error *err)
{
    struct program p = { .stop_fd = inquirer_stop_fd(i),
        .timeout_ms = timeout_ms,
        .deadline_ms = loop_now_ms() + timeout_ms };
    struct answer a;
    sigset_t before;
    int rc = -1;
    if (answer_make(&a, err) < 0)
        return -1;
    p.signal_fd = hold_signals(&before);
    if (watch(&p, -1, 0, err) < 0 || start(&p, command, err) < 0)
        goto out;
    if ((rc = read_output(&p, &a, err)) == 0)
        rc = await_end(&p, err);
    if (rc < 0)
        kill_all(&p);
    a.status = reap(&p);
    descriptor_close(p.out);
    if (rc == 0) {
        a.text[a.len] = '\0';
        *out = a;
        a.text = NULL; /* the caller's */
    }
out:
    descriptor_close(p.signal_fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    answer_free(&a);
    return rc;
}
