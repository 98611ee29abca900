/* Starting the services and talking to their control calls. */
#include "services.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"

struct services {
    char url[64];
    unsigned port;
    pid_t pid;
    int in; /* owned: they end when it is closed */
};

struct services *services_start(void)
{
    return services_start_at(NULL);
}

struct services *services_start_at(const char *more)
{
    struct services *s = calloc(1, sizeof *s);
    int in[2], out[2];
    if (s == NULL || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        err(1, "pipe");
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl(HAUL_PYTHON, HAUL_PYTHON, "-B", SERVICES_PY, "--listen", "127.0.0.1:0",
            more ? "--listen" : (char *) NULL, more, (char *) NULL);
        err(1, "%s", HAUL_PYTHON);
    }
    close(in[0]);
    close(out[1]);
    s->in = in[1];
    FILE *told = fdopen(out[0], "r");
    if (s->pid < 0 || told == NULL || fgets(s->url, sizeof s->url, told) == NULL ||
        sscanf(s->url, "http://127.0.0.1:%u", &s->port) != 1)
        errx(1, "the services did not start");
    fclose(told);
    s->url[strcspn(s->url, "\n")] = '\0';
    return s;
}

void services_stop(struct services *s)
{
    if (s == NULL)
        return;
    close(s->in);
    waitpid(s->pid, NULL, 0);
    free(s);
}

const char *services_url(const struct services *s)
{
    return s->url;
}

void services_control(const struct services *s, const char *method, const char *path,
    const char *body, char *out, size_t size)
{
    control_ask(s->port, method, path, body, out, size);
}

/* A call whose path ends with a name. */
static void call(const struct services *s, const char *method, const char *verb,
    const char *name, char *out, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", verb, name);
    control_ask(s->port, method, path, "", out, size);
}

void services_set(const struct services *s, const char *lines)
{
    control_ask(s->port, "POST", "set", lines, NULL, 0);
}

void services_fault(const struct services *s, const char *lines)
{
    control_ask(s->port, "POST", "faults", lines, NULL, 0);
}

void services_clear(const struct services *s)
{
    control_ask(s->port, "DELETE", "faults", "", NULL, 0);
}

void services_rotate(const struct services *s, const char *service)
{
    call(s, "POST", "rotate", service, NULL, 0);
}

void services_expire(const struct services *s, const char *name)
{
    call(s, "POST", "expire", name, NULL, 0);
}

unsigned services_count(const struct services *s, const char *name)
{
    char count[16];
    call(s, "GET", "count", name, count, sizeof count);
    return (unsigned) strtoul(count, NULL, 10);
}

void services_await(const struct services *s, const char *name, unsigned count)
{
    char what[128];
    snprintf(what, sizeof what, "%s?n=%u", name, count);
    call(s, "GET", "count", what, NULL, 0);
}

void services_log(const struct services *s, const char *operation, char *out, size_t size)
{
    call(s, "GET", "log", operation, out, size);
}

void services_wait_at(const struct services *s, const char *gate, unsigned count)
{
    char what[128];
    snprintf(what, sizeof what, "%s?n=%u", gate, count);
    call(s, "GET", "waiting", what, NULL, 0);
}

void services_open(const struct services *s, const char *gate)
{
    call(s, "POST", "open", gate, NULL, 0);
}
