/* Buckets and objects: an index in memory, and under ROOT/buckets/NAME one small file an object
 * that names its bytes under ROOT/data. What a restart reads is what was answered for.
 * Functions that can refuse return NULL for success, or S3's code for the reason. Any thread
 * may call. */
#ifndef ENDPOINT_STORE_H
#define ENDPOINT_STORE_H

#include "draft.h"
#include "skiplist.h"

enum { ETAG_MAX = 48, KEY_MAX_BYTES = 1024 };

struct object {
    char etag[ETAG_MAX]; /* without quotes */
    uint64_t size, serial;
    int64_t modified_ms;
    struct text headers; /* owned: lines to send with the object, "Name: value\r\n" */
};

struct bucket {
    int64_t created_ms;
    struct skiplist objects; /* of struct object */
};

struct store;

/* Reads what ROOT holds. NULL: failed, errno says why. */
struct store *store_open(struct drafts *drafts);
void store_free(struct store *s);

const char *store_create_bucket(struct store *s, const struct text *bucket);
const char *store_delete_bucket(struct store *s, const struct text *bucket);
const char *store_check_bucket(struct store *s, const struct text *bucket);

/* A copy of the object, which the caller frees with object_free(), and its bytes open for
 * reading when fd is not NULL: a later replacement does not touch them. */
const char *store_find(struct store *s, const struct text *bucket, const struct text *key,
    struct object *out, int *fd);
void object_free(struct object *o);
/* Puts the draft's bytes under the key. o->etag and o->headers are given; the headers are taken
 * over. only_new: an object that stands there already is a PreconditionFailed. The draft is
 * kept on success. */
const char *store_publish(struct store *s, const struct text *bucket, const struct text *key,
    struct draft *d, struct object *o, bool only_new);
const char *store_delete(struct store *s, const struct text *bucket, const struct text *key);

/* For listings: between lock and unlock the lists stand still. */
const struct skiplist *store_lock_buckets(struct store *s); /* of struct bucket */
/* NULL: no such bucket; unlock nevertheless. */
const struct skiplist *store_lock_objects(struct store *s, const struct text *bucket);
void store_unlock(struct store *s);

#endif
