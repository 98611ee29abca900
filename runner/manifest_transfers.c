/* The transfers of a manifest: both sides, what is chosen from them, and that they don't get
 * into each other's way. */
#include "manifest_transfers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "conflicts.h"
#include "localpath.h"
#include "manifest_endpoints.h"
#include "words.h"

#define TRANSFERS_MAX 4096 /* every two are compared */

struct draft {
    struct transfer t;
    const struct yamltree *upload, *download, *to;
};

#define AT(field) offsetof(struct draft, field)
enum { UPLOAD, DOWNLOAD, TO };
static const struct field transfer_fields[] = {
    [UPLOAD] = FIELD("upload", fields_node, AT(upload), "a path of this machine"),
    [DOWNLOAD] = FIELD("download", fields_node, AT(download), "ENDPOINT://BUCKET/KEY"),
    [TO] = FIELD("to", fields_node, AT(to),
        "ENDPOINT://BUCKET/KEY for an upload, a path for a download", .required = true),
    { .name = "copy", .unsupported = true },
    FIELD("include", fields_patterns, AT(t.include), "a list of patterns"),
    FIELD("exclude", fields_patterns, AT(t.exclude), "a list of patterns"),
    FIELD("when", fields_word, AT(t.when), "always, missing or changed", .words = when_words),
    FIELD("part_size", fields_part, AT(t.part_bytes), "auto or a size, such as 16MiB"),
    NO_MORE_FIELDS,
};
#undef AT

/* The address's endpoint and parts; false: it was reported. */
static bool read_address(struct loader *l, const struct yamltree *n, const struct field *f,
    struct address *a, const struct manifest_endpoint **endpoint)
{
    char *text = fields_expand(l, n, f);
    if (text == NULL)
        return false;
    const char *why = address_parse(text, a);
    free(text);
    if (why != NULL) {
        fields_wrong(l, n, f, why);
        return false;
    }
    *endpoint = manifest_endpoints_get(l, a->endpoint, n, f);
    return *endpoint != NULL;
}

/* "with a final slash", where a folder or prefix needs a place of the same kind. */
static void wants_slash(struct loader *l, const struct yamltree *to, const char *reason)
{
    char typed[128], why[256];
    snprintf(typed, sizeof typed, "%s/", to->text);
    snprintf(why, sizeof why, "%s: write %s", reason, problems_quote(typed).text);
    fields_wrong(l, to, &transfer_fields[TO], why);
}

static char *copy(struct loader *l, const char *text)
{
    char *copied = strdup(text);
    l->problems.no_memory |= copied == NULL;
    return copied;
}

/* `folder` and behind it the last segment of `from`; NULL: it was reported. */
static char *append_name(struct loader *l, const struct yamltree *to, const char *folder,
    const char *from, size_t max)
{
    const char *slash = strrchr(from, '/'), *name = slash != NULL ? slash + 1 : from;
    char *whole = NULL;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        fields_wrong(l, to, &transfer_fields[TO], "the key is no name for a file: write one");
    else if (strlen(folder) + strlen(name) > max)
        fields_wrong(l, to, &transfer_fields[TO], "too long with the file's name behind it");
    else if (asprintf(&whole, "%s%s", folder, name) < 0) {
        l->problems.no_memory = true;
        whole = NULL;
    }
    return whole;
}

/* Both sides, which end alike: one file and one key, or a folder and a prefix. */
static bool resolve(struct loader *l, struct draft *d)
{
    struct transfer *t = &d->t;
    const bool up = d->upload != NULL;
    struct address a;

    t->kind = up ? TRANSFER_UPLOAD : TRANSFER_DOWNLOAD;
    t->local = fields_local(l, up ? d->upload : d->to, &transfer_fields[up ? UPLOAD : TO]);
    if (!read_address(l, up ? d->to : d->download, &transfer_fields[up ? TO : DOWNLOAD], &a,
            &t->endpoint) ||
        t->local == NULL)
        return false;

    const bool folder = t->local[strlen(t->local) - 1] == '/', prefix = address_is_prefix(&a);
    t->many = up ? folder : prefix;
    if (t->many && !(folder && prefix)) {
        wants_slash(l, d->to, up ? "a folder goes to a prefix" : "a prefix goes to a folder");
        return false;
    }
    if (!t->many && (t->include != NULL || t->exclude != NULL)) {
        problems_add(&l->problems, t->line, t->column,
            "include and exclude choose from a folder or prefix, and this is one file");
        return false;
    }
    /* One file into a folder or prefix keeps its name. */
    t->bucket = copy(l, a.bucket);
    t->key = up && !t->many && prefix
                 ? append_name(l, d->to, a.key, t->local, HAUL_KEY_BYTES_MAX)
                 : copy(l, a.key);
    if (!up && !t->many && folder) {
        char *file = append_name(l, d->to, t->local, a.key, LOCALPATH_MAX);
        free(t->local);
        t->local = file;
    }
    return t->local != NULL && t->bucket != NULL && t->key != NULL;
}

static void free_patterns(char **list)
{
    for (char **at = list; at != NULL && *at != NULL; at++)
        free(*at);
    free(list);
}

static void free_parts(struct transfer *t)
{
    free(t->local);
    free(t->bucket);
    free(t->key);
    free_patterns(t->include);
    free_patterns(t->exclude);
}

static void read_one(struct loader *l, const struct yamltree *n)
{
    struct manifest *m = l->manifest;
    struct draft d = {
        .t = { .line = n->line, .column = n->column, .part_bytes = l->part_bytes }
    };

    fields_read(l, n, "a transfer", transfer_fields, &d);
    const bool one = (d.upload != NULL) != (d.download != NULL);
    if (!one && n->kind == YAMLTREE_MAPPING && yamltree_get(n, "copy") == NULL)
        problems_add(&l->problems, n->line, n->column,
            "a transfer has either upload or download, this one has %s",
            d.upload != NULL ? "both" : "neither");
    if (one && d.to != NULL && resolve(l, &d)) {
        struct transfer *t = malloc(sizeof *t);
        struct transfer **more = realloc(m->transfers, (m->transfer_count + 1) * sizeof(*more));
        if (more != NULL)
            m->transfers = more;
        if (t != NULL && more != NULL) {
            *t = d.t;
            more[m->transfer_count++] = t;
            return;
        }
        free(t);
        l->problems.no_memory = true;
    }
    free_parts(&d.t);
}

static void check_conflicts(struct loader *l)
{
    const struct manifest *m = l->manifest;
    for (size_t i = 1; i < m->transfer_count; i++) {
        const struct transfer *b = m->transfers[i];
        const char *why = NULL;
        for (size_t j = 0; j < i && why == NULL; j++) {
            why = conflicts_between(m->transfers[j], b);
            if (why != NULL)
                problems_add(&l->problems, b->line, b->column,
                    "this transfer and the one on line %d: %s", m->transfers[j]->line, why);
        }
    }
}

void manifest_transfers_read(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into)
{
    size_t count = 0;
    (void) into;
    if (n->kind != YAMLTREE_SEQUENCE || n->first == NULL) {
        fields_mismatch(l, n, f);
        return;
    }
    for (const struct yamltree *item = n->first; item != NULL; item = item->next) {
        if (count++ == TRANSFERS_MAX) {
            problems_add(&l->problems, item->line, item->column, "more than %d transfers",
                TRANSFERS_MAX);
            return;
        }
        read_one(l, item);
    }
    if (!l->problems.no_memory)
        check_conflicts(l);
}

void manifest_transfers_free(struct transfer *t)
{
    free_parts(t);
    free(t);
}
