/* An ordered map as a skip list: one tower of links a key, heights by a cheap random number. */
#include "skiplist.h"

#include <stdlib.h>

/* Fills before[] with each level's link that leads to the first key not below `key`. */
static struct skipnode *find(
    const struct skiplist *l, const struct text *key, struct skipnode **before[])
{
    struct skipnode *const *links = l->first;
    for (int level = SKIPLIST_LEVELS - 1; level >= 0; level--) {
        while (links[level] != NULL && text_compare(&links[level]->key, key) < 0)
            links = links[level]->next;
        if (before != NULL)
            before[level] = (struct skipnode **) &links[level];
    }
    return links[0];
}

static int roll_height(struct skiplist *l)
{
    l->dice ^= l->dice == 0 ? 0x9e3779b97f4a7c15u : 0;
    l->dice ^= l->dice << 13;
    l->dice ^= l->dice >> 7;
    l->dice ^= l->dice << 17;
    int height = 1;
    for (uint64_t bits = l->dice; (bits & 3) == 0 && height < SKIPLIST_LEVELS; bits >>= 2)
        height++;
    return height;
}

static void free_node(struct skipnode *n)
{
    text_free(&n->key);
    free(n);
}

struct skipnode *skiplist_seek(const struct skiplist *l, const struct text *key)
{
    return find(l, key, NULL);
}

void *skiplist_get(const struct skiplist *l, const struct text *key)
{
    struct skipnode *n = find(l, key, NULL);
    return n != NULL && text_compare(&n->key, key) == 0 ? n->item : NULL;
}

void *skiplist_set(struct skiplist *l, const struct text *key, void *item)
{
    struct skipnode **before[SKIPLIST_LEVELS];
    struct skipnode *n = find(l, key, before);
    if (n != NULL && text_compare(&n->key, key) == 0) {
        void *old = n->item;
        n->item = item;
        return old;
    }
    int height = roll_height(l);
    n = calloc(1, sizeof *n + (size_t) height * sizeof n->next[0]);
    if (n == NULL)
        abort();
    text_append(&n->key, key);
    n->item = item;
    for (int level = 0; level < height; level++) {
        n->next[level] = *before[level];
        *before[level] = n;
    }
    l->count++;
    return NULL;
}

void *skiplist_remove(struct skiplist *l, const struct text *key)
{
    struct skipnode **before[SKIPLIST_LEVELS];
    struct skipnode *n = find(l, key, before);
    if (n == NULL || text_compare(&n->key, key) != 0)
        return NULL;
    for (int level = 0; level < SKIPLIST_LEVELS && *before[level] == n; level++)
        *before[level] = n->next[level];
    void *item = n->item;
    free_node(n);
    l->count--;
    return item;
}

void skiplist_free(struct skiplist *l, void (*free_item)(void *item))
{
    for (struct skipnode *n = l->first[0], *next; n != NULL; n = next) {
        next = n->next[0];
        free_item(n->item);
        free_node(n);
    }
    *l = (struct skiplist){ 0 };
}
