/* YAML as a tree of nodes that know their place in the file. Stricter than YAML: one document,
 * UTF-8, keys that are text and stand once in their mapping; no anchors, aliases or tags, no
 * NUL, at most YAMLTREE_DEPTH_MAX levels. JSON is read as well. (Not named yaml.h, which is
 * libyaml's own header.) */
#ifndef YAMLTREE_H
#define YAMLTREE_H

#include <stdbool.h>
#include <stddef.h>

#define YAMLTREE_DEPTH_MAX 16

enum yamltree_kind { YAMLTREE_SCALAR, YAMLTREE_SEQUENCE, YAMLTREE_MAPPING };

struct yamltree {
    enum yamltree_kind kind;
    int line, column;       /* where it begins, from 1; columns count characters */
    char *text;             /* owned; a scalar's, as it is: nothing is converted. Else NULL */
    bool quoted;            /* a scalar in quotes or a block (| >); false: plain */
    struct yamltree *first; /* owned: a sequence's items, or a mapping's keys */
    struct yamltree *next;  /* owned: the next item or key */
    struct yamltree *value; /* owned: a key's value. Else NULL */
};

struct yamltree_fault {
    int line, column; /* 0: not a fault in the text: the file can't be read, or no memory */
    char text[256];
};

/* A whole file of at most `limit` bytes; a longer one is refused, not read. NULL: *fault says
 * why. The caller frees the tree. */
struct yamltree *yamltree_read(const char *path, size_t limit, struct yamltree_fault *fault);

/* The same of text in memory. */
struct yamltree *yamltree_parse(const char *text, size_t len, struct yamltree_fault *fault);

/* A mapping's value for the key; NULL: none. */
const struct yamltree *yamltree_get(const struct yamltree *mapping, const char *key);

/* Plain and empty, or one of ~ null Null NULL: YAML's way to say nothing. */
bool yamltree_is_null(const struct yamltree *node);

void yamltree_free(struct yamltree *node); /* NULL is fine */

#endif
