/* An ordered map from byte strings to pointers, for listings in S3's order: a skip list.
 * It does not lock: its owner does. */
#ifndef ENDPOINT_SKIPLIST_H
#define ENDPOINT_SKIPLIST_H

#include "text.h"

enum { SKIPLIST_LEVELS = 20 };

struct skipnode {
    struct text key;         /* owned */
    void *item;              /* the caller's */
    struct skipnode *next[]; /* next[0] is the following key, NULL at the end */
};

/* Zero is the empty list. */
struct skiplist {
    struct skipnode *first[SKIPLIST_LEVELS];
    uint64_t dice;
    size_t count;
};

/* The first node whose key is not below `key`; NULL: all are. */
struct skipnode *skiplist_seek(const struct skiplist *l, const struct text *key);
/* The item under exactly this key; NULL: none. */
void *skiplist_get(const struct skiplist *l, const struct text *key);
/* Stores the item and returns the one it replaced; NULL: the key is new. */
void *skiplist_set(struct skiplist *l, const struct text *key, void *item);
/* Forgets the key and returns its item; NULL: it had none. */
void *skiplist_remove(struct skiplist *l, const struct text *key);
/* Frees the nodes, each item through free_item. */
void skiplist_free(struct skiplist *l, void (*free_item)(void *item));

#endif
