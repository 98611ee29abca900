/* Replaces references in texts, each variable once. Where a text stands in the file, and how
 * its fault is told, is left to the manifest. */
#include "vars.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "problems.h"
#include "utf8.h"

#define DEPTH_MAX 32 /* of variables made of variables */
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

struct variable {
    char *name, *text; /* owned */
    char *value;       /* owned; NULL until known */
    enum { NEW, BUSY, KNOWN, FAULTY } state;
    char fault[VARS_FAULT_SIZE]; /* of its own text; "" when another variable's */
};

struct vars {
    struct variable *list; /* owned */
    size_t count;
    int64_t now_ms;
    bool frozen;
    size_t left; /* bytes that references may still put in */
};

/* An expanded text as it grows. */
struct expansion {
    char text[VARS_TEXT_MAX + 1];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static int fail(char *fault, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fault, VARS_FAULT_SIZE, format, args);
    va_end(args);
    return -1;
}

struct vars *vars_new(int64_t now_ms, bool frozen)
{
    struct vars *v = calloc(1, sizeof *v);
    if (v != NULL) {
        v->now_ms = now_ms;
        v->frozen = frozen;
        v->left = VARS_TOTAL_MAX;
    }
    return v;
}

void vars_free(struct vars *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; i < v->count; i++) {
        free(v->list[i].name);
        free(v->list[i].text);
        free(v->list[i].value);
    }
    free(v->list);
    free(v);
}

const char *vars_declare(struct vars *v, const char *name, const char *text)
{
    if (strspn(name, LETTERS) == 0 || name[strspn(name, LETTERS "0123456789-")] != '\0' ||
        strlen(name) > VARS_NAME_MAX)
        return "a variable's name has letters, digits, _ and -, at most 64, a letter or _ "
               "first";
    if (v->count == VARS_COUNT_MAX)
        return "more than 1000 variables";
    struct variable *more = realloc(v->list, (v->count + 1) * sizeof(*more));
    if (more == NULL)
        return "out of memory";
    v->list = more;
    struct variable new = { .name = strdup(name), .text = strdup(text) };
    if (new.name == NULL || new.text == NULL) {
        free(new.name);
        free(new.text);
        return "out of memory";
    }
    more[v->count++] = new;
    return NULL;
}

/* NULL: fault says which there are. */
static struct variable *find(struct vars *v, const char *name, char *fault)
{
    struct nearest near = { .word = name };
    for (size_t i = 0; i < v->count; i++) {
        if (strcmp(v->list[i].name, name) == 0)
            return &v->list[i];
    }
    for (size_t i = 0; i < v->count; i++)
        nearest_offer(&near, v->list[i].name);
    fail(fault, "no variable %s is declared under vars%s%s%s", problems_quote(name).text,
        near.found != NULL ? "; did you mean \"" : "", near.found != NULL ? near.found : "",
        near.found != NULL ? "\"?" : "");
    return NULL;
}

int vars_set(
    struct vars *v, const char *name, const char *value, char fault[static VARS_FAULT_SIZE])
{
    struct variable *var = find(v, name, fault);
    if (var == NULL)
        return -1;
    if (strlen(value) > VARS_TEXT_MAX || !utf8_is_valid(value))
        return fail(
            fault, "the value of \"%s\" is not UTF-8 of at most %d bytes", name, VARS_TEXT_MAX);
    free(var->value);
    var->value = strdup(value);
    if (var->value == NULL)
        return fail(fault, "out of memory");
    var->state = KNOWN;
    return 0;
}

static int append(struct expansion *out, const char *text, size_t len, char *fault)
{
    if (len > VARS_TEXT_MAX - out->len)
        return fail(fault, "longer than %d bytes", VARS_TEXT_MAX);
    memcpy(out->text + out->len, text, len);
    out->len += len;
    out->text[out->len] = '\0';
    return 0;
}

static int append_environment(struct expansion *out, const char *name, char *fault)
{
    const char *value = getenv(name);
    if (value == NULL)
        return fail(fault, "the environment has no variable %s", problems_quote(name).text);
    if (!utf8_is_valid(value))
        return fail(fault, "the environment's %s is not UTF-8", problems_quote(name).text);
    return append(out, value, strlen(value), fault);
}

/* Only what means the same everywhere: neither locale nor time zone, nor a C library's own. */
static int append_date(struct expansion *out, int64_t now_ms, const char *format, char *fault)
{
    const time_t now = (time_t) (now_ms / 1000);
    struct tm utc;
    char text[VARS_FAULT_SIZE];

    for (const char *at = strchr(format, '%'); at != NULL; at = strchr(at + 2, '%'))
        if (at[1] == '\0' || strchr("YCymdjHIMSpGgVuwUWaAbBeFTRD%", at[1]) == NULL)
            return fail(fault,
                "%s is not known in a date: %%Y %%m %%d %%H %%M %%S %%j "
                "%%G %%V %%u %%F %%T and their like are",
                problems_quote(at).text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* checked just above */
    if (gmtime_r(&now, &utc) == NULL || strftime(text, sizeof text, format, &utc) == 0)
#pragma GCC diagnostic pop
        return fail(fault, "a date is ${date:FORMAT} with a short FORMAT: ${date:%%Y-%%m-%%d}");
    return append(out, text, strlen(text), fault);
}

static char *expand(struct vars *v, const char *text, int depth, char *fault);

/* Makes the value known, or the fault. */
static void evaluate(struct vars *v, struct variable *var, int depth)
{
    if (var->state != NEW)
        return;
    var->state = BUSY;
    var->value = expand(v, var->text, depth + 1, var->fault);
    var->state = var->value != NULL ? KNOWN : FAULTY;
}

static int append_variable(
    struct vars *v, struct expansion *out, const char *name, int depth, char *fault)
{
    struct variable *var = find(v, name, fault);
    if (var == NULL)
        return -1;
    if (var->state == BUSY)
        return fail(fault, "${%s} is made of itself", name);
    if (depth == DEPTH_MAX)
        return fail(fault, "variables made of variables, more than %d deep", DEPTH_MAX);
    evaluate(v, var, depth);
    if (var->state == FAULTY)
        return fail(fault, "%s", "");
    return append(out, var->value, strlen(var->value), fault);
}

/* What stands between "${" and "}". */
static int append_reference(
    struct vars *v, struct expansion *out, const char *inside, int depth, char *fault)
{
    const size_t before = out->len;
    int rc;

    if (v->frozen)
        rc = fail(fault, "a frozen manifest has no references left");
    else if (strncmp(inside, "env:", 4) == 0)
        rc = append_environment(out, inside + 4, fault);
    else if (strncmp(inside, "date:", 5) == 0)
        rc = append_date(out, v->now_ms, inside + 5, fault);
    else if (strchr(inside, ':') != NULL)
        rc = fail(fault, "%s is none of ${NAME}, ${env:NAME} and ${date:FORMAT}",
            problems_quote(inside).text);
    else
        rc = append_variable(v, out, inside, depth, fault);
    if (rc == 0 && out->len - before > v->left)
        rc = fail(fault, "the variables of this file grow to more than 16 MiB of text");
    if (rc == 0)
        v->left -= out->len - before;
    return rc;
}

static char *expand(struct vars *v, const char *text, int depth, char *fault)
{
    struct expansion out = { .len = 0 };
    int rc = 0;

    for (const char *at = text; rc == 0 && *at != '\0';) {
        if (strncmp(at, "$${", 3) == 0) {
            rc = append(&out, "${", 2, fault);
            at += 3;
        } else if (strncmp(at, "${", 2) == 0) {
            const size_t len = strcspn(at + 2, "}");
            char inside[VARS_FAULT_SIZE];
            if (at[2 + len] == '\0' || len >= sizeof inside)
                rc = fail(fault, "\"${\" without its \"}\" (a literal one is written \"$${\")");
            else {
                memcpy(inside, at + 2, len);
                inside[len] = '\0';
                rc = append_reference(v, &out, inside, depth, fault);
            }
            at += 2 + len + 1;
        } else {
            const size_t len = 1 + strcspn(at + 1, "$");
            rc = append(&out, at, len, fault);
            at += len;
        }
    }
    char *copy = rc == 0 ? strdup(out.text) : NULL;
    if (rc == 0 && copy == NULL)
        fail(fault, "out of memory");
    return copy;
}

const char *vars_fault(struct vars *v, const char *name)
{
    char ignored[VARS_FAULT_SIZE];
    struct variable *var = find(v, name, ignored);
    if (var == NULL)
        return NULL;
    evaluate(v, var, 0);
    return var->state == FAULTY && var->fault[0] != '\0' ? var->fault : NULL;
}

char *vars_expand(struct vars *v, const char *text, char fault[static VARS_FAULT_SIZE])
{
    return expand(v, text, 0, fault);
}

char *vars_environment_name(const char *text)
{
    if (strncmp(text, "${env:", 6) != 0)
        return NULL;
    const char *name = text + 6;
    const size_t len = strspn(name, LETTERS "0123456789");
    if (strspn(name, LETTERS) == 0 || strcmp(name + len, "}") != 0)
        return NULL;
    return strndup(name, len);
}
