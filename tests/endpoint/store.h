/* Buckets and objects: an index in memory, and under ROOT/buckets/NAME one small file an object
 * (or version of one) that names its bytes under ROOT/data. What a restart reads is what was
 * answered for. Functions that can refuse return NULL for success, or S3's code for the reason.
 * Any thread may call. */
#ifndef ENDPOINT_STORE_H
#define ENDPOINT_STORE_H

#include "conditions.h"
#include "draft.h"
#include "skiplist.h"

enum { ETAG_MAX = 48, VERSION_MAX = 20, REGION_MAX = 64, KEY_MAX_BYTES = 1024 };

struct object {
    char etag[ETAG_MAX];       /* without quotes */
    char version[VERSION_MAX]; /* "null" from before versioning. Copies that are handed out have
                                * none when the bucket never had versions */
    bool is_marker;            /* of a deletion: no bytes, no ETag */
    uint64_t size, serial;     /* the serial is that of no other */
    int64_t modified_ms;
    struct text kept;     /* owned: see kept.h */
    struct object *older; /* owned: the version before; NULL in copies */
};

enum versioning { VERSIONING_NEVER, VERSIONING_ENABLED, VERSIONING_SUSPENDED };

struct settings {
    enum versioning versioning;
    char region[REGION_MAX]; /* empty: the server's */
};

struct bucket {
    int64_t created_ms;
    struct settings settings;
    struct skiplist objects; /* of struct object: each key's newest version */
};

struct store;

/* Reads what ROOT holds. NULL: failed, errno says why. */
struct store *store_open(struct drafts *drafts);
void store_free(struct store *s);

const char *store_create_bucket(
    struct store *s, const struct text *bucket, const struct settings *settings);
const char *store_delete_bucket(struct store *s, const struct text *bucket);
const char *store_check_bucket(struct store *s, const struct text *bucket);
const char *store_settings(struct store *s, const struct text *bucket, struct settings *out);
const char *store_set_settings(
    struct store *s, const struct text *bucket, const struct settings *settings);

/* A copy of the object, which the caller frees with object_free(), and its bytes open for
 * reading when fd is not NULL: a later replacement does not touch them. An empty version is the
 * newest. A marker is copied, too, but refused: NoSuchKey as the newest, else MethodNotAllowed.
 */
const char *store_find(struct store *s, const struct text *bucket, const struct text *key,
    const struct text *version, struct object *out, int *fd);
void object_free(struct object *o);
/* Puts the draft's bytes under the key, if the conditions let it. o->etag and o->kept are
 * given, the rest of *o is filled in. The draft is kept on success. */
const char *store_publish(struct store *s, const struct text *bucket, const struct text *key,
    struct draft *d, struct object *o, const struct conditions *c);
/* Removes a version for good, or the newest: in a bucket with versions by a marker. *out says
 * which version went or what marker came, its version empty when neither did. */
const char *store_delete(struct store *s, const struct text *bucket, const struct text *key,
    const struct text *version, const struct conditions *c, struct object *out);
/* Replaces what is kept with just that object, which store_find() gave. */
const char *store_set_kept(
    struct store *s, const struct text *bucket, const struct text *key, const struct object *o);

/* For listings: between lock and unlock the lists stand still. */
const struct skiplist *store_lock_buckets(struct store *s); /* of struct bucket */
/* NULL: no such bucket; unlock nevertheless. */
const struct skiplist *store_lock_objects(struct store *s, const struct text *bucket);
void store_unlock(struct store *s);

#endif
