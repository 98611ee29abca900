/* The foreground of a run: signals in, progress and summary out, the run's own row in the
 * queue. */
#include "carry.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "connect.h"
#include "engine.h"
#include "health.h"
#include "log.h"
#include "sizes.h"
#include "step.h"

#define DRAW_MS 500
#define LOOK_MS 1000

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

void carry_block_signals(void)
{
    sigset_t set;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void leave(int signal_number)
{
    (void) signal_number;
    log_from_signal("haul: interrupted: `haul resume` goes on\n");
    _exit(EXIT_INTERRUPTED);
}

/* While nothing is in flight a signal ends the process at once, wherever it waits. */
static void let_signals_end_us(bool let)
{
    sigset_t set;
    stop_signals(&set);
    signal(SIGINT, leave);
    signal(SIGTERM, leave);
    pthread_sigmask(let ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- Progress ---- */

struct meter {
    bool drawn; /* is there a terminal? */
    int64_t began_ms, last_ms;
    uint64_t last_bytes;
    double rate; /* bytes a second, smoothed */
};

static void draw(struct meter *m, const struct engine *e, const struct health *h)
{
    struct progress p;
    char line[256], moved[SIZES_TEXT_SIZE], all[SIZES_TEXT_SIZE], rate[SIZES_TEXT_SIZE];
    char left[128] = "";
    const char *silent = health_silent(h);
    int64_t now = clock_ms();
    if (!m->drawn)
        return;
    engine_progress(e, &p);
    uint64_t bytes = p.sent + p.received;
    if (p.moved_bytes > p.bytes) /* what was begun again counts twice */
        p.moved_bytes = p.bytes;
    if (now > m->last_ms) {
        double latest = (double) (bytes - m->last_bytes) * 1000 / (double) (now - m->last_ms);
        m->rate = m->last_bytes == 0 ? latest : m->rate * 0.7 + latest * 0.3;
        m->last_ms = now;
        m->last_bytes = bytes;
    }
    if (silent != NULL) {
        snprintf(left, sizeof left, ", waiting for endpoint %s", silent);
    } else if (p.planned && m->rate > 1 && p.bytes > p.moved_bytes) {
        uint64_t s = (uint64_t) ((double) (p.bytes - p.moved_bytes) / m->rate);
        snprintf(left, sizeof left, ", %u:%02u:%02u left", (unsigned) (s / 3600),
            (unsigned) (s / 60 % 60), (unsigned) (s % 60));
    }
    snprintf(line, sizeof line, "%llu of %llu%s objects, %s of %s, %s/s%s",
        (unsigned long long) p.done, (unsigned long long) p.objects, p.planned ? "" : "+",
        sizes_format(p.moved_bytes, moved), sizes_format(p.bytes, all),
        sizes_format((uint64_t) m->rate, rate), left);
    log_progress(line);
}

/* ---- Waiting for the end ---- */

/* The first signal stops the engine, which lets what is in flight finish, for a while; the
 * second one ends the process, which is as safe as a crash. */
static void await_end(struct engine *e, struct meter *m, struct health *h, int signals)
{
    bool stopping = false;
    for (;;) {
        struct pollfd fds[] = { { .fd = engine_over_fd(e), .events = POLLIN },
            { .fd = signals, .events = POLLIN } };
        if (poll(fds, 2, m->drawn ? DRAW_MS : LOOK_MS) < 0 && errno != EINTR)
            break;
        if (fds[0].revents & POLLIN)
            break;
        if (fds[1].revents & POLLIN) {
            struct signalfd_siginfo info;
            if (read(signals, &info, sizeof info) != sizeof info)
                continue;
            if (stopping)
                _exit(EXIT_INTERRUPTED);
            engine_stop(e); /* first: whoever reads the line may count on it */
            LOG(LOG_INFO, "stopping", { "why", "a signal; a second one ends haul at once" });
            stopping = true;
        }
        health_look(h);
        draw(m, e, h);
    }
    log_progress(NULL);
    if (stopping)
        let_signals_end_us(true);
}

/* ---- The run's own row ---- */

/* Everything is planned and nothing is due: the run is finished, whatever failed in it. */
static int write_end(struct queue *q, const struct tally *t, enum exit_code exit,
    const struct error *why, struct error *err)
{
    if (queue_begin(q, true, err) < 0)
        return -1;
    int rc;
    if (exit == EXIT_DONE && t->planned && t->due == 0)
        rc = queue_finish(q, err) < 0 ? -1 : queue_event(q, "finished", 0, NULL, err);
    else if (exit == EXIT_PAUSED)
        rc = queue_pause(q, why->text, err) < 0 ? -1
                                                : queue_event(q, "paused", 0, why->text, err);
    else
        rc = queue_event(q, "interrupted", 0, why->text, err);
    step("run.ending");
    return rc < 0 ? -1 : queue_commit(q, err);
}

static int write_start(struct queue *q, struct error *err)
{
    char detail[32];
    snprintf(detail, sizeof detail, "pid %d", (int) getpid());
    return queue_begin(q, true, err) < 0 || queue_pause(q, NULL, err) < 0 ||
                   queue_event(q, "started", 0, detail, err) < 0
               ? -1
               : queue_commit(q, err);
}

static void print_summary(const struct run *run, const struct tally *t,
    const struct progress *p, uint64_t had_bytes, int64_t took_ms, enum exit_code exit)
{
    char done[SIZES_TEXT_SIZE], sent[SIZES_TEXT_SIZE], received[SIZES_TEXT_SIZE],
        had[SIZES_TEXT_SIZE];
    bool over = exit == EXIT_DONE || exit == EXIT_SOME_FAILED;
    printf("%s %s %s: %llu of %llu objects done (%s), %llu failed, %llu skipped\n", run->name,
        run->id,
        over                  ? "finished"
        : exit == EXIT_PAUSED ? "paused"
                              : "interrupted",
        (unsigned long long) t->done, (unsigned long long) (t->objects - t->skipped),
        sizes_format(t->done_bytes, done), (unsigned long long) t->failed,
        (unsigned long long) t->skipped);
    printf("this process: sent %s, received %s, in %.1f s; %s were there before\n",
        sizes_format(p->sent, sent), sizes_format(p->received, received),
        (double) took_ms / 1000, sizes_format(had_bytes, had));
}

/* ---- The whole ---- */

/* Runs the engine to its end. */
static enum exit_code run_engine(struct queue *q, const struct manifest *m,
    const struct connections *c, const struct run *run, const struct tally *had,
    struct progress *progress, struct error *err)
{
    struct meter meter = { .drawn = isatty(STDERR_FILENO), .began_ms = clock_ms() };
    enum exit_code exit;
    sigset_t set;
    meter.last_ms = meter.began_ms;
    stop_signals(&set);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0) {
        error_exhausted(err, strerror(errno));
        return err->exit;
    }
    struct engine *e = engine_start(&(struct engine_options){ .manifest = m,
                                        .endpoints = c->endpoints,
                                        .run_id = run->id,
                                        .queue = q,
                                        .had = had },
        err);
    if (e != NULL) {
        struct health health = health_make(m, c);
        await_end(e, &meter, &health, signals);
        health_clear(&health);
        engine_progress(e, progress);
        exit = engine_join(e, err);
    } else {
        exit = err->exit;
    }
    close(signals);
    return exit;
}

enum exit_code carry_out(
    struct queue *q, const char *path, const struct manifest *m, struct error *err)
{
    struct connections c = { 0 };
    struct run run = { 0 };
    struct tally before = { 0 }, after = { 0 };
    struct progress progress = { 0 };
    struct error later;
    int64_t began_ms = clock_ms();
    enum exit_code exit = EXIT_QUEUE;

    if (queue_run(q, &run, err) < 0 || queue_tally(q, &before, err) < 0 ||
        write_start(q, err) < 0)
        goto out;
    step("run.started");
    LOG(LOG_INFO, "started", { "job", run.name }, { "run", run.id });
    let_signals_end_us(true);
    bool ready = connect_all(m, &c, err) == 0 && check_remote_sides(m, &c, err) == 0;
    let_signals_end_us(false);
    step("run.connected");
    if (!ready)
        exit = err->exit;
    else
        exit = run_engine(q, m, &c, &run, &before, &progress, err);
    if (exit == EXIT_QUEUE)
        goto out; /* nothing more is to be written there */
    if (queue_tally(q, &after, &later) < 0 || write_end(q, &after, exit, err, &later) < 0) {
        *err = later;
        exit = EXIT_QUEUE;
        goto out;
    }
    if (exit == EXIT_DONE && (!after.planned || after.due > 0)) {
        *err =
            (struct error){ EXIT_INTERRUPTED, "objects are still due" }; /* a bug, but no lie */
        exit = EXIT_INTERRUPTED;
    }
    if (exit == EXIT_DONE && after.failed > 0)
        exit = EXIT_SOME_FAILED;
    if (exit == EXIT_PAUSED) {
        size_t len = strlen(err->text);
        snprintf(err->text + len, sizeof err->text - len, ": `haul resume %s%s` goes on",
            path ? "--queue " : "", path ? path : run.id);
    }
    step("run.ended");
    queue_seal(q);
    step("run.sealed");
    print_summary(&run, &after, &progress, before.moved_bytes, clock_ms() - began_ms, exit);
out:
    queue_close(q);
    connections_free(&c);
    run_clear(&run);
    return exit;
}
