/* The co-process boto.py: started, told, asked. */
#include "boto.h"

#include <err.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    FILE *to, *from;
    pid_t pid;
    char *answer; /* the last one */
} python;

/* $CEPH/environment, NAME=value a line, becomes ours. */
static void read_environment(void)
{
    const char *folder = getenv("CEPH");
    char path[4096], line[4096];
    snprintf(path, sizeof path, "%s/environment", folder == NULL ? "" : folder);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        err(1, "no running cluster: CEPH/environment, %s", path);
    while (fgets(line, sizeof line, f) != NULL) {
        char *value = strchr(line, '=');
        line[strcspn(line, "\n")] = '\0';
        if (value == NULL || (*value = '\0', setenv(line, value + 1, 1)) < 0)
            errx(1, "%s: \"%s\"", path, line);
    }
    fclose(f);
}

int boto_start(void **state)
{
    int in[2], out[2];
    (void) state;
    read_environment();
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        err(1, "pipe");
    fflush(NULL);
    python.pid = fork();
    if (python.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl(HAUL_PYTHON, HAUL_PYTHON, BOTO_PY, (char *) NULL);
        err(1, "%s", HAUL_PYTHON);
    }
    close(in[0]);
    close(out[1]);
    python.to = fdopen(in[1], "w");
    python.from = fdopen(out[0], "r");
    if (python.pid < 0 || python.to == NULL || python.from == NULL)
        err(1, "boto.py");
    return 0;
}

int boto_stop(void **state)
{
    int status = 0;
    (void) state;
    fclose(python.to); /* its sign to tidy up and end */
    fclose(python.from);
    waitpid(python.pid, &status, 0);
    free(python.answer);
    return status == 0 ? 0 : -1;
}

static void tell(const char *verb, const char *name, const void *data, size_t len)
{
    fprintf(python.to, "%s %s %zu\n", verb, name, len);
    fwrite(data, 1, len, python.to);
    if (fflush(python.to) != 0)
        errx(1, "boto.py has ended");
}

void boto_text(const char *name, const char *text)
{
    tell("text", name, text, strlen(text));
}

void boto_bytes(const char *name, const void *data, size_t len)
{
    tell("bytes", name, data, len);
}

const char *boto(const char *expression, ...)
{
    va_list args;
    char *text;
    size_t len;
    va_start(args, expression);
    if (vasprintf(&text, expression, args) < 0)
        err(1, "out of memory");
    va_end(args);
    tell("eval", "-", text, strlen(text));
    if (fscanf(python.from, "%zu", &len) != 1 || fgetc(python.from) != '\n')
        errx(1, "boto.py failed at: %s", text);
    free(text);
    free(python.answer);
    python.answer = malloc(len + 1);
    if (python.answer == NULL || fread(python.answer, 1, len, python.from) != len)
        errx(1, "boto.py's answer is cut short");
    python.answer[len] = '\0';
    return python.answer;
}

char *boto_bucket(void)
{
    char *name = strdup(boto("new_bucket()"));
    if (name == NULL || strncmp(name, "error", 5) == 0)
        errx(1, "no bucket: %s", name);
    return name;
}
