/* bench-measure FILE COMMAND [ARGUMENT]...: runs the command and writes one line of JSON to the
 * file: its status (128 + N: killed by signal N), seconds of wall, user and system time, and
 * the highest resident memory of it or a process that it waited for. A process begins with its
 * parent's peak as its own, so the parent has to be as small as this. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double seconds(const struct timeval *t)
{
    return (double) t->tv_sec + (double) t->tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: bench-measure FILE COMMAND [ARGUMENT]...\n", stderr);
        return 2;
    }
    /* Who interrupts the command means it alone: we tell how it ended. */
    signal(SIGINT, SIG_IGN);
    posix_spawnattr_t attr;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);

    pid_t pid;
    int status;
    struct rusage used;
    double began_s = now_s();
    errno = posix_spawnp(&pid, argv[2], NULL, &attr, argv + 2, environ);
    if (errno != 0 || wait4(pid, &status, 0, &used) != pid) {
        fprintf(stderr, "bench-measure: %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    double wall_s = now_s() - began_s;
    FILE *out = fopen(argv[1], "w");
    if (out == NULL ||
        fprintf(out,
            "{\"status\": %d, \"wall\": %.6f, \"user\": %.6f, \"sys\": %.6f, "
            "\"peak_kib\": %ld}\n",
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), wall_s,
            seconds(&used.ru_utime), seconds(&used.ru_stime), used.ru_maxrss) < 0 ||
        fclose(out) != 0) {
        fprintf(stderr, "bench-measure: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    return 0;
}
