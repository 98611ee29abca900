/* Starting the scripted endpoint and talking to its control calls over plain sockets. */
#include "s3.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* One request; what was answered goes into `out`, without its head. */
static void ask(const struct s3 *s, const char *method, const char *path, const char *body,
    char *out, size_t size)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t) s->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char text[16384] = "";
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *) &at, sizeof at) < 0)
        err(1, "the endpoint's control");
    dprintf(fd,
        "%s /-/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: "
        "%zu\r\n\r\n"
        "%s",
        method, path, strlen(body), body);
    for (ssize_t n;
         len < sizeof text - 1 && (n = read(fd, text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t) n;
    close(fd);
    text[len] = '\0';
    const char *answer = strstr(text, "\r\n\r\n");
    if (strncmp(text, "HTTP/1.1 200 ", 13) != 0 || answer == NULL)
        errx(1, "the endpoint refuses %s: %s", path, text);
    if (out != NULL)
        snprintf(out, size, "%s", answer + 4);
}

void s3_fault(const struct s3 *s, const char *lines)
{
    ask(s, "POST", "faults", lines, NULL, 0);
}

void s3_clear(const struct s3 *s)
{
    ask(s, "DELETE", "faults", "", NULL, 0);
}

void s3_wait_at(const struct s3 *s, const char *gate, unsigned count)
{
    char path[128];
    snprintf(path, sizeof path, "waiting/%s?n=%u", gate, count);
    ask(s, "GET", path, "", NULL, 0);
}

void s3_open(const struct s3 *s, const char *gate)
{
    char path[128];
    snprintf(path, sizeof path, "open/%s", gate);
    ask(s, "POST", path, "", NULL, 0);
}

uint64_t s3_count(const struct s3 *s, const char *name)
{
    char stats[8192], field[64];
    snprintf(field, sizeof field, "\"%s\":", name);
    ask(s, "GET", "stats", "", stats, sizeof stats);
    const char *found = strstr(stats, field);
    if (found == NULL)
        errx(1, "the endpoint does not count %s", name);
    return strtoull(found + strlen(field), NULL, 10);
}

void s3_headers(const struct s3 *s, const char *operation, char *out, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "headers/%s", operation);
    ask(s, "GET", path, "", out, size);
}
