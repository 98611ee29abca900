/* A manifest as a whole: its own fields, variables and defaults, and the way from a file or
 * from the queue's text to a checked struct. The rest of the grammar is in manifest_endpoints.c
 * and manifest_transfers.c, the way back into text in freeze.c. */
#include "manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manifest_endpoints.h"
#include "manifest_transfers.h"
#include "words.h"

#define FILE_BYTES_MAX 1048576
#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* ---- Variables */

/* A name that is not declared is told at the place of `vars`, else of the file. */
static void read_settings(struct loader *l, const struct yamltree *n)
{
    char fault[VARS_FAULT_SIZE];
    for (size_t i = 0; i < l->options->setting_count; i++) {
        const struct setting *s = &l->options->settings[i];
        if (vars_set(l->vars, s->name, s->value, fault) < 0)
            problems_add(&l->problems, n->line, n->column, "--set %s: %s",
                problems_quote(s->name).text, fault);
    }
}

/* After the settings, which put an end to the fault of a text that they replace. */
static void check_vars(struct loader *l, const struct yamltree *n)
{
    for (const struct yamltree *key = n->first; key != NULL; key = key->next) {
        const char *fault = vars_fault(l->vars, key->text);
        if (fault != NULL)
            problems_add(&l->problems, key->value->line, key->value->column, "%s: %s",
                problems_quote(key->text).text, fault);
    }
}

static void read_vars(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    (void) into;
    if (n->kind != YAMLTREE_MAPPING) {
        fields_mismatch(l, n, f);
        return;
    }
    for (const struct yamltree *key = n->first; key != NULL; key = key->next) {
        const struct yamltree *value = key->value;
        const char *why = value->kind != YAMLTREE_SCALAR || yamltree_is_null(value)
                              ? "a variable's value is a text (\"\" for an empty one)"
                              : vars_declare(l->vars, key->text, value->text);
        if (why != NULL)
            problems_add(&l->problems, key->line, key->column, "%s: %s",
                problems_quote(key->text).text, why);
    }
    read_settings(l, n);
    check_vars(l, n);
}

/* ---- The whole */

#define AT(field) offsetof(struct loader, field)
static const struct field defaults_fields[] = {
    FIELD("part_size", fields_part, AT(part_bytes), "auto or a size, such as 16MiB"),
    FIELD("concurrency", fields_number, AT(concurrency), "auto or a number from 1 to 1024",
        .min = 1, .max = 1024),
    FIELD("payload", fields_word, AT(payload), "auto, signed, unsigned or chunked",
        .words = payload_words),
    FIELD("retries", fields_number, AT(retries), "a number from 0 to 100", .max = 100),
    FIELD("patience", fields_duration, AT(patience_s), "a time from 0 to 7d, such as 90s or 5m",
        .max = 7 * 86400),
    NO_MORE_FIELDS,
};
#undef AT

static void read_defaults(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    (void) f;
    (void) into;
    fields_read(l, n, "defaults", defaults_fields, l);
    l->manifest->concurrency = l->concurrency;
    l->manifest->retries = l->retries;
    l->manifest->patience_s = l->patience_s;
}

static bool is_name(const char *text)
{
    return strspn(text, ALNUM) > 0 && text[strspn(text, ALNUM "._-")] == '\0' &&
           strlen(text) <= 64;
}

/* Another version has another grammar: its faults would be none. */
static bool is_version_1(const struct yamltree *n)
{
    return n->kind == YAMLTREE_SCALAR && !n->quoted && strcmp(n->text, "1") == 0;
}

static void read_nothing(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    (void) l, (void) n, (void) f, (void) into;
}

/* In the order in which they need each other. */
static const struct field manifest_fields[] = {
    FIELD("version", read_nothing, 0, "the number 1", .required = true),
    FIELD("vars", read_vars, 0, "a mapping of names to texts"),
    FIELD("name", fields_text, offsetof(struct manifest, name),
        "a name of letters, digits, dots, hyphens and underscores, at most 64, "
        "a letter or digit first",
        .required = true, .fits = is_name),
    FIELD("defaults", read_defaults, 0, "a mapping"),
    FIELD("endpoints", manifest_endpoints_read, 0, "a mapping of names to endpoints"),
    FIELD("transfers", manifest_transfers_read, 0, "a list of at least one transfer",
        .required = true),
    NO_MORE_FIELDS,
};

static int by_name(const void *a, const void *b)
{
    const struct manifest_endpoint *x = *(struct manifest_endpoint *const *) a;
    const struct manifest_endpoint *y = *(struct manifest_endpoint *const *) b;
    return strcmp(x->name, y->name);
}

/* Fills l->manifest, or reports. */
static void read_manifest(struct loader *l, const struct yamltree *root)
{
    const struct yamltree *version =
        root->kind == YAMLTREE_MAPPING ? yamltree_get(root, "version") : NULL;
    struct manifest *m = l->manifest = calloc(1, sizeof *m);
    l->vars = vars_new(l->options->now_ms, l->thawing);
    l->problems.no_memory |= m == NULL || l->vars == NULL;
    if (l->problems.no_memory)
        return;

    m->retries = l->retries = MANIFEST_RETRIES;
    m->patience_s = l->patience_s = MANIFEST_PATIENCE_S;
    if (version != NULL && !is_version_1(version)) {
        fields_mismatch(l, version, &manifest_fields[0]);
        return;
    }
    if (root->kind == YAMLTREE_MAPPING && yamltree_get(root, "vars") == NULL)
        read_settings(l, root);
    fields_read(l, root, "a manifest", manifest_fields, m);
    if (m->endpoint_count > 0)
        qsort(m->endpoints, m->endpoint_count, sizeof(*m->endpoints), by_name);
}

static struct manifest *take(struct loader *l)
{
    struct manifest *m = l->manifest;
    const bool good = l->problems.count == 0 && !l->problems.no_memory;
    if (!good)
        manifest_free(m);
    problems_free(&l->problems);
    vars_free(l->vars);
    free(l->base);
    return good ? m : NULL;
}

/* The folder of a file, without symbolic links; NULL: it is not there. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t) (slash - path) + 1);
    char *real = folder != NULL ? realpath(folder, NULL) : NULL;
    free(folder);
    return real;
}

struct manifest *manifest_load(const char *path, const struct manifest_options *options,
    problem_fn *report, void *payload, struct error *err)
{
    struct loader l = { .options = options };
    struct yamltree_fault fault;
    struct yamltree *root = yamltree_read(path, FILE_BYTES_MAX, &fault);

    if (root == NULL && fault.line == 0) {
        error_set(err, EXIT_USAGE, "can't read %s: %s", path, fault.text);
        return NULL;
    }
    if (root == NULL) {
        problems_add(&l.problems, fault.line, fault.column, "%s", fault.text);
    } else {
        l.base = folder_of(path);
        l.problems.no_memory |= l.base == NULL && errno == ENOMEM;
        read_manifest(&l, root);
    }
    yamltree_free(root);
    if (l.manifest != NULL && (l.manifest->path = strdup(path)) == NULL)
        l.problems.no_memory = true;
    if (l.problems.no_memory)
        error_set(err, EXIT_USAGE, "%s: out of memory", path);
    else if (l.problems.count > 0) {
        problems_report(&l.problems, path, report, payload);
        error_set(err, EXIT_USAGE, "%s: %zu %s", path, l.problems.count,
            l.problems.count == 1 ? "problem" : "problems");
    }
    return take(&l);
}

static void tell_damage(void *payload, const struct problem *p)
{
    struct error *err = payload;
    if (err->text[0] == '\0')
        error_set(err, EXIT_QUEUE, "the queue's manifest is damaged, or of a newer haul: %s",
            p->text);
}

struct manifest *manifest_thaw(const char *json, struct error *err)
{
    const struct manifest_options options = { .now_ms = 0 };
    struct loader l = { .options = &options, .thawing = true };
    struct yamltree_fault fault;
    struct yamltree *root = yamltree_parse(json, strlen(json), &fault);

    if (root == NULL)
        problems_add(&l.problems, 1, 1, "%s", fault.text);
    else
        read_manifest(&l, root);
    yamltree_free(root);
    if (l.problems.no_memory)
        error_no_memory(err);
    else if (l.problems.count > 0) {
        err->text[0] = '\0';
        problems_report(&l.problems, "", tell_damage, err);
    }
    struct manifest *m = take(&l);
    for (size_t i = 0; m != NULL && i < m->transfer_count; i++)
        m->transfers[i]->line = m->transfers[i]->column = 0;
    return m;
}

size_t manifest_endpoint_index(const struct manifest *m, const struct transfer *t)
{
    size_t i = 0;
    while (m->endpoints[i] != t->endpoint)
        i++;
    return i;
}

void manifest_free(struct manifest *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->endpoint_count; i++)
        manifest_endpoints_free(m->endpoints[i]);
    for (size_t i = 0; i < m->transfer_count; i++)
        manifest_transfers_free(m->transfers[i]);
    free(m->endpoints);
    free(m->transfers);
    free(m->name);
    free(m->path);
    free(m);
}
