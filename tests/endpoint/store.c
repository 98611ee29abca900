/* Buckets and objects in memory and on disk. An object's small file is written last and renamed
 * into place, so it is there with all its bytes or not at all. */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STORE_PATH_MAX = 256 };

struct store {
    struct drafts *drafts; /* borrowed */
    pthread_mutex_t lock;
    struct {
        struct skiplist buckets; /* of struct bucket */
    } locked;
};

void object_free(struct object *o)
{
    text_free(&o->headers);
    *o = (struct object){ 0 };
}

static void free_object_item(void *item)
{
    object_free(item);
    free(item);
}

static void free_bucket_item(void *item)
{
    struct bucket *b = item;
    skiplist_free(&b->objects, free_object_item);
    free(b);
}

static void bucket_path(const struct text *bucket, char out[static STORE_PATH_MAX])
{
    snprintf(out, STORE_PATH_MAX, "buckets/%.63s", text_c(bucket));
}

/* Keys may be any bytes and longer than file names: the key's hash names the file. */
static void object_path(
    const struct text *bucket, const struct text *key, char out[static STORE_PATH_MAX])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct text name = { 0 };
    SHA256((const unsigned char *) key->at, key->len, hash);
    text_add_hex(&name, hash, 20);
    snprintf(out, STORE_PATH_MAX, "buckets/%.63s/%s", text_c(bucket), name.at);
    text_free(&name);
}

/* The small file: "ETAG SIZE MODIFIED SERIAL KEY\n", then the headers' lines. */
static void write_object(struct text *out, const struct text *key, const struct object *o)
{
    text_addf(out, "%s %" PRIu64 " %" PRId64 " %" PRIx64 " ", o->etag, o->size, o->modified_ms,
        o->serial);
    text_add_percent(out, key, "/");
    text_puts(out, "\n");
    text_add(out, o->headers.at, o->headers.len);
}

static int read_object(const struct text *in, struct text *key, struct object *o)
{
    int at = 0;
    sscanf(text_c(in), "%47s %" SCNu64 " %" SCNd64 " %" SCNx64 " %n", o->etag, &o->size,
        &o->modified_ms, &o->serial, &at);
    const char *end = at > 0 ? strchr(in->at + at, '\n') : NULL;
    if (end == NULL)
        return -1;
    text_add_unpercent(key, in->at + at, (size_t) (end - in->at) - (size_t) at, false);
    text_add(&o->headers, end + 1, in->len - (size_t) (end + 1 - in->at));
    return 0;
}

static int64_t modified_ms(const struct stat *st)
{
    return (int64_t) st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static void load_bucket(struct store *s, int folder_fd, const struct text *name)
{
    struct bucket *b = calloc(1, sizeof *b);
    DIR *dir = fdopendir(folder_fd);
    struct stat st;
    if (b == NULL || dir == NULL)
        abort();
    if (fstat(folder_fd, &st) == 0)
        b->created_ms = modified_ms(&st);
    skiplist_set(&s->locked.buckets, name, b);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[STORE_PATH_MAX];
        struct text content = { 0 }, key = { 0 };
        struct object *o = calloc(1, sizeof *o);
        if (o == NULL)
            abort();
        snprintf(path, sizeof path, "buckets/%.63s/%.63s", text_c(name), e->d_name);
        if (e->d_name[0] != '.' && draft_read_file(s->drafts, path, &content) == 0 &&
            read_object(&content, &key, o) == 0)
            o = skiplist_set(&b->objects, &key, o);
        if (o != NULL)
            free_object_item(o);
        text_free(&content);
        text_free(&key);
    }
    closedir(dir);
}

struct serials {
    uint64_t *at;
    size_t count;
};

static int compare_serials(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return (x > y) - (x < y);
}

static bool is_used(void *payload, uint64_t serial)
{
    const struct serials *all = payload;
    return bsearch(&serial, all->at, all->count, sizeof serial, compare_serials) != NULL;
}

/* Removes what a killed endpoint had half received. */
static void sweep(struct store *s)
{
    struct serials all = { 0 };
    struct skipnode *b, *o;
    for (b = s->locked.buckets.first[0]; b != NULL; b = b->next[0])
        all.count += ((struct bucket *) b->item)->objects.count;
    all.at = malloc((all.count + 1) * sizeof *all.at);
    if (all.at == NULL)
        abort();
    all.count = 0;
    for (b = s->locked.buckets.first[0]; b != NULL; b = b->next[0])
        for (o = ((struct bucket *) b->item)->objects.first[0]; o != NULL; o = o->next[0])
            all.at[all.count++] = ((struct object *) o->item)->serial;
    qsort(all.at, all.count, sizeof *all.at, compare_serials);
    drafts_sweep(s->drafts, is_used, &all);
    free(all.at);
}

struct store *store_open(struct drafts *drafts)
{
    struct store *s = calloc(1, sizeof *s);
    int fd = openat(drafts->root_fd, "buckets", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (s == NULL || dir == NULL) {
        free(s);
        return NULL;
    }
    s->drafts = drafts;
    pthread_mutex_init(&s->lock, NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct text name = { 0 };
        text_puts(&name, e->d_name);
        int folder = e->d_name[0] == '.' ? -1 : openat(fd, e->d_name, O_DIRECTORY | O_CLOEXEC);
        if (folder >= 0)
            load_bucket(s, folder, &name);
        text_free(&name);
    }
    closedir(dir);
    sweep(s);
    return s;
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    skiplist_free(&s->locked.buckets, free_bucket_item);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool is_bucket_name(const struct text *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    const char *at = text_c(name);
    return name->len >= 3 && name->len <= 63 && strspn(at, allowed) == name->len &&
           at[0] != '.' && at[0] != '-';
}

const char *store_create_bucket(struct store *s, const struct text *bucket)
{
    char path[STORE_PATH_MAX];
    const char *why = NULL;
    if (!is_bucket_name(bucket))
        return "InvalidBucketName";
    bucket_path(bucket, path);
    pthread_mutex_lock(&s->lock);
    struct bucket *b = calloc(1, sizeof *b);
    if (b == NULL || skiplist_get(&s->locked.buckets, bucket) != NULL) {
        why = "BucketAlreadyOwnedByYou";
    } else if (mkdirat(s->drafts->root_fd, path, 0777) < 0) {
        why = "InternalError";
    } else {
        b->created_ms = date_now_ms();
        skiplist_set(&s->locked.buckets, bucket, b);
        b = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    free(b);
    return why;
}

const char *store_delete_bucket(struct store *s, const struct text *bucket)
{
    char path[STORE_PATH_MAX];
    const char *why = NULL;
    bucket_path(bucket, path);
    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    if (b == NULL)
        why = "NoSuchBucket";
    else if (b->objects.count > 0)
        why = "BucketNotEmpty";
    else if (unlinkat(s->drafts->root_fd, path, AT_REMOVEDIR) < 0)
        why = "InternalError";
    else
        free_bucket_item(skiplist_remove(&s->locked.buckets, bucket));
    pthread_mutex_unlock(&s->lock);
    return why;
}

const char *store_check_bucket(struct store *s, const struct text *bucket)
{
    const struct skiplist *objects = store_lock_objects(s, bucket);
    store_unlock(s);
    return objects != NULL ? NULL : "NoSuchBucket";
}

const char *store_find(struct store *s, const struct text *bucket, const struct text *key,
    struct object *out, int *fd)
{
    char path[DRAFT_PATH_MAX];
    const char *why = NULL;
    const struct skiplist *objects = store_lock_objects(s, bucket);
    const struct object *o = objects != NULL ? skiplist_get(objects, key) : NULL;
    if (o == NULL) {
        why = objects != NULL ? "NoSuchKey" : "NoSuchBucket";
        goto out;
    }
    /* Opened under the lock: a replacement would unlink the file. */
    if (fd != NULL) {
        *fd = openat(s->drafts->root_fd, draft_path(o->serial, path), O_RDONLY | O_CLOEXEC);
        if (*fd < 0) {
            why = "InternalError";
            goto out;
        }
    }
    *out = *o;
    out->headers = (struct text){ 0 };
    text_add(&out->headers, o->headers.at, o->headers.len);
out:
    store_unlock(s);
    return why;
}

static void remove_bytes(struct store *s, struct object *o)
{
    char path[DRAFT_PATH_MAX];
    if (o == NULL)
        return;
    unlinkat(s->drafts->root_fd, draft_path(o->serial, path), 0);
    free_object_item(o);
}

const char *store_publish(struct store *s, const struct text *bucket, const struct text *key,
    struct draft *d, struct object *o, bool only_new)
{
    struct text content = { 0 };
    char path[STORE_PATH_MAX], small[DRAFT_PATH_MAX];
    struct draft sidecar = DRAFT_NONE;
    struct object *mine = calloc(1, sizeof *mine), *old = NULL;
    const char *why = "InternalError";
    o->size = d->size;
    o->serial = d->serial;
    o->modified_ms = date_now_ms();
    write_object(&content, key, o);
    object_path(bucket, key, path);
    if (mine == NULL || draft_open(s->drafts, &sidecar) < 0 ||
        draft_write(&sidecar, content.at, content.len) < 0)
        goto out;

    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    if (b == NULL) {
        why = "NoSuchBucket";
    } else if (only_new && skiplist_get(&b->objects, key) != NULL) {
        why = "PreconditionFailed";
    } else if (renameat(s->drafts->root_fd, draft_path(sidecar.serial, small),
                   s->drafts->root_fd, path) == 0) {
        *mine = *o;
        o->headers = (struct text){ 0 }; /* now the index's */
        old = skiplist_set(&b->objects, key, mine);
        mine = NULL;
        why = NULL;
    }
    pthread_mutex_unlock(&s->lock);

    if (why == NULL) {
        draft_keep(&sidecar);
        draft_keep(d);
        remove_bytes(s, old);
    }
out:
    draft_drop(&sidecar);
    free(mine);
    text_free(&content);
    return why;
}

const char *store_delete(struct store *s, const struct text *bucket, const struct text *key)
{
    char path[STORE_PATH_MAX];
    struct object *old = NULL;
    object_path(bucket, key, path);
    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    if (b != NULL && (old = skiplist_remove(&b->objects, key)) != NULL)
        unlinkat(s->drafts->root_fd, path, 0);
    pthread_mutex_unlock(&s->lock);
    remove_bytes(s, old);
    return b != NULL ? NULL : "NoSuchBucket";
}

const struct skiplist *store_lock_buckets(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    return &s->locked.buckets;
}

const struct skiplist *store_lock_objects(struct store *s, const struct text *bucket)
{
    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    return b != NULL ? &b->objects : NULL;
}

void store_unlock(struct store *s)
{
    pthread_mutex_unlock(&s->lock);
}
