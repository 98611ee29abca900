/* Reads mappings by tables. Which fields there are, and what they mean together, is left to
 * manifest.c. */
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haul/request.h>

#include "glob.h"
#include "localpath.h"
#include "sizes.h"

/* What stands there, as it is written: what a variable was replaced by may be a secret. */
static struct quoted found(const struct yamltree *n, const struct field *f)
{
    if (n->kind == YAMLTREE_SEQUENCE && n->first == NULL)
        return (struct quoted){ "an empty list" };
    if (n->kind == YAMLTREE_SEQUENCE)
        return (struct quoted){ "a list" };
    if (n->kind == YAMLTREE_MAPPING)
        return (struct quoted){ "a mapping" };
    if (yamltree_is_null(n))
        return (struct quoted){ "nothing" };
    if (f->secret)
        return (struct quoted){ "a text" };
    return problems_quote(n->text);
}

void fields_mismatch(struct loader *l, const struct yamltree *n, const struct field *f)
{
    problems_add(&l->problems, n->line, n->column, "%s: found %s, expected %s", f->name,
        found(n, f).text, f->expected);
}

void fields_wrong(
    struct loader *l, const struct yamltree *n, const struct field *f, const char *why)
{
    problems_add(
        &l->problems, n->line, n->column, "%s: found %s: %s", f->name, found(n, f).text, why);
}

static void unknown_field(
    struct loader *l, const struct yamltree *key, const char *what, const struct field *table)
{
    char allowed[512] = "", guess[64] = "";
    struct nearest near = { .word = key->text };
    size_t len = 0;

    for (const struct field *f = table; f->name != NULL; f++) {
        if (f->unsupported)
            continue;
        nearest_offer(&near, f->name);
        len += (size_t) snprintf(
            allowed + len, sizeof allowed - len, "%s%s", len > 0 ? ", " : "", f->name);
    }
    if (near.found != NULL)
        snprintf(guess, sizeof guess, " did you mean \"%s\"?", near.found);
    problems_add(&l->problems, key->line, key->column,
        "%s is no field of %s:%s expected one of %s", problems_quote(key->text).text, what,
        guess, allowed);
}

static bool has_field(const struct field *table, const char *name)
{
    for (; table->name != NULL; table++)
        if (strcmp(table->name, name) == 0)
            return true;
    return false;
}

void fields_read(struct loader *l, const struct yamltree *n, const char *what,
    const struct field *table, void *target)
{
    if (n->kind != YAMLTREE_MAPPING) {
        problems_add(&l->problems, n->line, n->column, "found %s, expected the fields of %s",
            found(n, &(struct field){ .secret = true }).text, what);
        return;
    }
    for (const struct yamltree *key = n->first; key != NULL; key = key->next)
        if (!has_field(table, key->text))
            unknown_field(l, key, what, table);
    for (const struct field *f = table; f->name != NULL; f++) {
        const struct yamltree *value = yamltree_get(n, f->name);
        if (value != NULL && f->unsupported)
            problems_add(&l->problems, value->line, value->column,
                "%s is not supported in this version", f->name);
        else if (value != NULL)
            f->read(l, value, f, (char *) target + f->offset);
        else if (f->required)
            problems_add(&l->problems, n->line, n->column, "%s lacks %s: expected %s", what,
                f->name, f->expected);
    }
}

char *fields_expand(struct loader *l, const struct yamltree *n, const struct field *f)
{
    char fault[VARS_FAULT_SIZE];

    if (n->kind != YAMLTREE_SCALAR || yamltree_is_null(n)) {
        fields_mismatch(l, n, f);
        return NULL;
    }
    char *text = vars_expand(l->vars, n->text, fault);
    if (text == NULL && fault[0] != '\0') /* else it was told at the variable */
        problems_add(&l->problems, n->line, n->column, "%s: %s", f->name, fault);
    if (text != NULL && text[0] == '\0') {
        fields_wrong(l, n, f, "that is an empty text");
        free(text);
        text = NULL;
    }
    return text;
}

char *fields_local(struct loader *l, const struct yamltree *n, const struct field *f)
{
    char resolved[PATH_MAX], *path = NULL, *text = fields_expand(l, n, f);
    if (text == NULL)
        return NULL;

    const char *why = strstr(text, "://") != NULL
                          ? "that is an address, expected a path of this machine"
                          : localpath_resolve(l->base, text, resolved);
    if (why != NULL)
        fields_wrong(l, n, f, why);
    else if ((path = strdup(resolved)) == NULL)
        l->problems.no_memory = true;
    free(text);
    return path;
}

void fields_node(struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    (void) l;
    (void) f;
    *(const struct yamltree **) into = n;
}

void fields_text(struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    char *text = fields_expand(l, n, f);
    if (text != NULL && f->fits != NULL && !f->fits(text)) {
        fields_mismatch(l, n, f);
        free(text);
        text = NULL;
    }
    *(char **) into = text;
}

void fields_path(struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    *(char **) into = fields_local(l, n, f);
}

void fields_word(struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    char *text = fields_expand(l, n, f);
    if (text == NULL)
        return;

    unsigned i = 0;
    while (f->words[i] != NULL && strcmp(f->words[i], text) != 0)
        i++;
    if (f->words[i] != NULL)
        *(unsigned *) into = i; /* gcc's and clang's type for such enums */
    else
        fields_mismatch(l, n, f);
    free(text);
}

/* Numbers and flags are not written in quotes; but where { } force quotes around a variable,
 * they are. */
static bool is_plain(struct loader *l, const struct yamltree *n, const struct field *f)
{
    if (!n->quoted || strstr(n->text, "${") != NULL)
        return true;
    fields_wrong(l, n, f, "write it without quotes");
    return false;
}

void fields_flag(struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    char *text = fields_expand(l, n, f);
    if (text == NULL)
        return;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        fields_mismatch(l, n, f);
    else if (is_plain(l, n, f))
        *(bool *) into = text[0] == 't';
    free(text);
}

void fields_number(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    char *text = fields_expand(l, n, f);
    uint64_t value = 0;
    if (text == NULL)
        return;

    const bool is_auto = f->min > 0 && strcmp(text, "auto") == 0;
    const bool is_number = text[strspn(text, "0123456789")] == '\0' &&
                           sizes_parse(text, &value) == NULL && value >= f->min &&
                           value <= f->max;
    if (!is_auto && !is_number)
        fields_mismatch(l, n, f);
    else if (is_auto || is_plain(l, n, f))
        *(unsigned *) into = (unsigned) value;
    free(text);
}

void fields_duration(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    char *text = fields_expand(l, n, f);
    unsigned seconds = 0;
    if (text == NULL)
        return;
    if (!sizes_duration(text, &seconds) || seconds > f->max)
        fields_mismatch(l, n, f);
    else
        *(unsigned *) into = seconds;
    free(text);
}

void fields_part(struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    char *text = fields_expand(l, n, f), size[SIZES_TEXT_SIZE], why[128];
    uint64_t bytes = 0;
    if (text == NULL)
        return;

    const bool is_auto = strcmp(text, "auto") == 0;
    const char *fault = is_auto ? NULL : sizes_parse(text, &bytes);
    if (fault == NULL && !is_auto &&
        (bytes < HAUL_PART_BYTES_MIN || bytes > HAUL_PART_BYTES_MAX)) {
        snprintf(why, sizeof why, "that is %s, a part has 5 MiB to 5 GiB",
            sizes_format(bytes, size));
        fault = why;
    }
    if (fault != NULL)
        fields_wrong(l, n, f, fault);
    else
        *(uint64_t *) into = bytes;
    free(text);
}

void fields_patterns(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    struct field one = *f;
    size_t count = 0;

    one.expected = "a pattern";
    if (n->kind != YAMLTREE_SEQUENCE || n->first == NULL) {
        fields_mismatch(l, n, f);
        return;
    }
    for (const struct yamltree *item = n->first; item != NULL; item = item->next)
        count++;
    char **list = calloc(count + 1, sizeof(*list)), **end = list;
    if (list == NULL) {
        l->problems.no_memory = true;
        return;
    }
    for (const struct yamltree *item = n->first; item != NULL; item = item->next) {
        char *pattern = fields_expand(l, item, &one);
        const char *fault = pattern != NULL ? glob_fault(pattern) : NULL;
        if (fault != NULL)
            fields_wrong(l, item, &one, fault);
        if (pattern != NULL)
            *end++ = pattern;
    }
    *(char ***) into = list;
}
