/* Keys that a program prints: see haul_credentials_from_process(). Running it is program.c's.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "hash.h"
#include "inquiry.h"
#include "jsonread.h"
#include "keysjson.h"

#define TIMEOUT_MS 60000
#define NAME_SIZE 200

static const struct keysjson_names names = { "AccessKeyId", "SecretAccessKey", "SessionToken",
    "Expiration" };

/* The program that it starts with, which is all that is told of a command: an argument may be a
 * secret, and so may what stands before a program ("PASSWORD=x get-keys"). */
static void name_program(const char *command, char out[static NAME_SIZE])
{
    command += strspn(command, " \t\n");
    char quote[] = { strchr("'\"", *command) ? *command : '\0', '\0' };
    command += strlen(quote);
    size_t len = strcspn(command, *quote ? quote : " \t\n");
    const char *rest = command + len;
    bool is_closed = *quote == '\0' || *rest++ == *quote;
    bool is_word = is_closed && (*rest == '\0' || strchr(" \t\n", *rest) != NULL);
    if (len > 0 && is_word && strcspn(command, "=$`\\'\"(){}[]<>|&;*?#\n") >= len)
        snprintf(out, NAME_SIZE, "%.*s", (int) len, command);
    else
        snprintf(out, NAME_SIZE, "a shell command");
}

/* Version is told only when it is a number: it may be anything. */
static int check_version(const char *where, const struct json *j, struct haul_error *err)
{
    const char *version = json_text(j, "Version");
    if (version != NULL && strcmp(version, "1") == 0)
        return 0;
    bool is_number = version != NULL && strlen(version) < 10 && *version != '\0' &&
                     version[strspn(version, "0123456789.")] == '\0';
    return haul_error_set(err, HAUL_BAD_REPLY, "%s: Version is %s: only 1 is known", where,
        version == NULL ? "missing"
        : is_number     ? version
                        : "no number");
}

static struct keys *read_keys(const char *where, const struct answer *a, struct haul_error *err)
{
    char what[NAME_SIZE + 64];
    snprintf(what, sizeof what, "%s: what it printed", where);
    if (a->status != 0) {
        haul_error_set(err, HAUL_NO_CREDENTIALS, "%s: ended with status %d", where, a->status);
        return NULL;
    }
    struct json *j = json_parse(what, a->text, a->len, err);
    struct keys *k = j == NULL || check_version(where, j, err) < 0
                         ? NULL
                         : keysjson_read(where, j, &names, -1, err);
    json_free(j);
    return k;
}

static struct keys *ask(void *state, struct inquirer *i, struct haul_error *err)
{
    char name[NAME_SIZE], where[NAME_SIZE + 32];
    struct answer a;
    name_program(state, name);
    snprintf(where, sizeof where, "credential_process %s", name);
    if (inquire_program(i, state, TIMEOUT_MS, &a, err) < 0) {
        if (err->code != HAUL_CANCELLED && err->code != HAUL_NO_MEMORY)
            haul_error_set(err, err->code, "%s: %s", where, err->text);
        return NULL;
    }
    struct keys *k = read_keys(where, &a, err);
    answer_free(&a);
    return k;
}

static void free_command(void *state)
{
    wipe_text(state);
}

struct haul_credentials *haul_credentials_from_process(
    const char *command, struct haul_error *err)
{
    static const struct credentials_kind kind = { "process", ask, free_command };
    char name[NAME_SIZE];
    if (command == NULL || command[strspn(command, " \t\n")] == '\0') {
        haul_error_set(err, HAUL_BAD_CONFIG, "credential_process names no command");
        return NULL;
    }
    char *copy = strdup(command);
    if (copy == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for credentials");
        return NULL;
    }
    name_program(command, name);
    return credentials_new(&kind, copy, NULL, name, err);
}
