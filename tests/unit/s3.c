/* Starting the scripted endpoint and talking to its control calls. */
#include "s3.h"

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "temp.h"

#define OPTIONS_MAX 32

static void run_program(const struct s3 *s, const char *const *options, int out)
{
    char port[8];
    const char *program = getenv("S3_ENDPOINT");
    const char *args[OPTIONS_MAX] = { program, "--root", s->folder, "--port", port,
        "--with-parent", "--min-part", "1", "--access-key", S3_ACCESS_KEY, "--secret-key",
        S3_SECRET_KEY };
    for (size_t n = 12; options != NULL && *options != NULL && n < OPTIONS_MAX - 1; n++)
        args[n] = *options++;
    snprintf(port, sizeof port, "%u", s->port);
    if (program == NULL)
        errx(1, "S3_ENDPOINT does not name the endpoint's program");
    dup2(out, STDOUT_FILENO);
    execv(program, (char **) args);
    err(1, "%s", program);
}

void s3_restart(struct s3 *s, const char *const *options)
{
    int ends[2];
    char line[16] = "";
    s3_stop(s);
    if (pipe(ends) < 0)
        err(1, "pipe");
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0) {
        close(ends[0]);
        run_program(s, options, ends[1]);
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    if (s->pid < 0 || in == NULL || fgets(line, sizeof line, in) == NULL)
        errx(1, "the endpoint did not start");
    fclose(in);
    s->port = (unsigned) atoi(line);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", s->port);
}

struct s3 *s3_start(const char *const *options)
{
    struct s3 *s = calloc(1, sizeof *s);
    if (s == NULL)
        err(1, "out of memory");
    s->folder = temp_make();
    s3_restart(s, options);
    return s;
}

void s3_stop(struct s3 *s)
{
    if (s->pid == 0)
        return;
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void s3_free(struct s3 *s)
{
    s3_stop(s);
    temp_remove(s->folder);
    free(s);
}

void s3_fault(const struct s3 *s, const char *lines)
{
    control_ask(s->port, "POST", "faults", lines, NULL, 0);
}

void s3_clear(const struct s3 *s)
{
    control_ask(s->port, "DELETE", "faults", "", NULL, 0);
}

void s3_wait_at(const struct s3 *s, const char *gate, unsigned count)
{
    char path[128];
    snprintf(path, sizeof path, "waiting/%s?n=%u", gate, count);
    control_ask(s->port, "GET", path, "", NULL, 0);
}

void s3_open(const struct s3 *s, const char *gate)
{
    char path[128];
    snprintf(path, sizeof path, "open/%s", gate);
    control_ask(s->port, "POST", path, "", NULL, 0);
}

uint64_t s3_count(const struct s3 *s, const char *name)
{
    char stats[8192], field[64];
    snprintf(field, sizeof field, "\"%s\":", name);
    control_ask(s->port, "GET", "stats", "", stats, sizeof stats);
    const char *found = strstr(stats, field);
    if (found == NULL)
        errx(1, "the endpoint does not count %s", name);
    return strtoull(found + strlen(field), NULL, 10);
}

void s3_headers(const struct s3 *s, const char *operation, char *out, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "headers/%s", operation);
    control_ask(s->port, "GET", path, "", out, size);
}
