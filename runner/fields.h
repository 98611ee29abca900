/* What the manifest's grammar is made of: tables of fields, and the readers that many of them
 * share. A reader puts its value where it is told to, or reports what is wrong and leaves the
 * place as it was. One thread. */
#ifndef FIELDS_H
#define FIELDS_H

#include "problems.h"
#include "vars.h"
#include "yamltree.h"

/* A file as it is read. */
struct loader {
    struct manifest *manifest; /* owned until given away */
    struct problems problems;  /* owned */
    struct vars *vars;         /* owned */
    char *base;                /* owned; the file's folder; NULL in a thaw */
    bool thawing;              /* the queue's text: the environment is left out of it */
    const struct manifest_options *options;
    uint64_t part_bytes; /* `defaults`, for transfers and endpoints without their own */
    enum haul_payload payload;
    unsigned concurrency, retries, patience_s;
};

struct field;
typedef void field_fn(
    struct loader *l, const struct yamltree *n, const struct field *f, void *into);

struct field {
    const char *name; /* NULL ends a table */
    field_fn *read;
    size_t offset;        /* of `into`, in the mapping's struct */
    const char *expected; /* completes "expected ..." */
    bool required;
    bool secret;                    /* may hold one by mistake: never quoted */
    bool unsupported;               /* known, and refused */
    const char *const *words;       /* fields_word */
    bool (*fits)(const char *text); /* fields_text; NULL: any text does */
    unsigned min, max;              /* fields_number, fields_duration (max) */
};

#define FIELD(name_, read_, offset_, expected_, ...)                                           \
    {                                                                                          \
        .name = name_, .read = read_, .offset = offset_, .expected = expected_, __VA_ARGS__    \
    }
#define NO_MORE_FIELDS                                                                         \
    {                                                                                          \
        .name = NULL                                                                           \
    }

/* Reads a mapping by its table, in the table's order. `what` completes "a field of ...". */
void fields_read(struct loader *l, const struct yamltree *n, const char *what,
    const struct field *table, void *target);

/* "NAME: found SUCH, expected SUCH" and "NAME: found SUCH: WHY". */
void fields_mismatch(struct loader *l, const struct yamltree *n, const struct field *f);
void fields_wrong(
    struct loader *l, const struct yamltree *n, const struct field *f, const char *why);

/* A scalar's text with its variables replaced, never empty; the caller frees it. NULL: it was
 * reported. */
char *fields_expand(struct loader *l, const struct yamltree *n, const struct field *f);

/* An absolute path, the same way. */
char *fields_local(struct loader *l, const struct yamltree *n, const struct field *f);

/* The readers; what `into` points to. */
field_fn fields_node;     /* const struct yamltree *: kept for later */
field_fn fields_text;     /* char * */
field_fn fields_path;     /* char *: absolute */
field_fn fields_word;     /* an enum */
field_fn fields_flag;     /* bool */
field_fn fields_number;   /* unsigned: min..max; when min > 0 also `auto`, which is 0 */
field_fn fields_duration; /* unsigned: seconds, at most `max` */
field_fn fields_part;     /* uint64_t: a part's size; `auto` is 0 */
field_fn fields_patterns; /* char **: NULL-terminated */

#endif
