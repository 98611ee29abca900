/* Running curl without a shell in between: see curl.h. */
#include "curl.h"

#include <err.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 32

extern char **environ;

int curl_run(const char *url, const char *const *options, char *out, size_t size)
{
    const char *args[ARGS_MAX] = { "curl", "--silent", "--show-error", "--path-as-is",
        "--noproxy", "*", "--max-time", "60", "--write-out", "\n%{http_code}" };
    size_t n = 10;
    for (; options != NULL && *options != NULL && n < ARGS_MAX - 2; n++)
        args[n] = *options++;
    args[n] = url;

    int ends[2], status;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe(ends) < 0 || posix_spawn_file_actions_init(&actions) != 0)
        err(1, "curl's output");
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    if (posix_spawnp(&pid, "curl", &actions, NULL, (char *const *) args, environ) != 0)
        errx(1, "curl can't be started");
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);

    FILE *in = fdopen(ends[0], "r");
    size_t room = 1 << 20;
    char *text = malloc(room);
    if (in == NULL || text == NULL)
        errx(1, "curl's output");
    text[fread(text, 1, room - 1, in)] = '\0';
    fclose(in);
    char *code = strrchr(text, '\n');
    if (waitpid(pid, &status, 0) != pid || status != 0 || code == NULL)
        errx(1, "curl failed: %s", text);
    *code++ = '\0';
    if (out != NULL)
        snprintf(out, size, "%s", text);
    int http_status = atoi(code);
    free(text);
    return http_status;
}
