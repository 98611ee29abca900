/* Buckets and objects in memory and on disk. An object's small file is written last and renamed
 * into place, so it is there with all its bytes or not at all. */
#include "sidecar.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct store {
    struct drafts *drafts; /* borrowed */
    pthread_mutex_t lock;
    struct {
        struct skiplist buckets; /* of struct bucket */
    } locked;
};

void object_free(struct object *o)
{
    text_free(&o->kept);
    *o = (struct object){ 0 };
}

static void free_versions(void *item)
{
    for (struct object *o = item, *older; o != NULL; o = older) {
        older = o->older;
        object_free(o);
        free(o);
    }
}

static void free_bucket_item(void *item)
{
    struct bucket *b = item;
    skiplist_free(&b->objects, free_versions);
    free(b);
}

static int64_t modified_ms(const struct stat *st)
{
    return (int64_t) st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

/* Into its place among the versions of its key, newest first. */
static void insert_version(struct bucket *b, const struct text *key, struct object *o)
{
    struct object *head = skiplist_get(&b->objects, key), **at = &head;
    while (*at != NULL && (*at)->serial > o->serial)
        at = &(*at)->older;
    o->older = *at;
    *at = o;
    skiplist_set(&b->objects, key, head);
}

static void load_object(
    struct store *s, struct bucket *b, const struct text *bucket, const char *file)
{
    char path[SIDECAR_PATH_MAX];
    struct text content = { 0 }, key = { 0 };
    struct object *o = calloc(1, sizeof *o);
    if (o == NULL)
        abort();
    if (draft_read_file(s->drafts, sidecar_folder(bucket, file, path), &content) == 0 &&
        sidecar_read(&content, &key, o) == 0)
        insert_version(b, &key, o);
    else
        free_versions(o);
    text_free(&content);
    text_free(&key);
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
    sidecar_read_settings(s->drafts, name, &b->settings);
    skiplist_set(&s->locked.buckets, name, b);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' && strlen(e->d_name) < 64)
            load_object(s, b, name, e->d_name);
    closedir(dir);
}

struct serials {
    uint64_t *at;
    size_t count, room;
};

static int compare_serials(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return (x > y) - (x < y);
}

static bool is_used(void *payload, uint64_t serial)
{
    const struct serials *all = payload;
    return all->count > 0 &&
           bsearch(&serial, all->at, all->count, sizeof serial, compare_serials) != NULL;
}

static void add_serials(struct serials *all, const struct bucket *b)
{
    for (const struct skipnode *n = b->objects.first[0]; n != NULL; n = n->next[0]) {
        for (const struct object *o = n->item; o != NULL; o = o->older) {
            if (all->count == all->room) {
                all->room = all->room * 2 + 64;
                all->at = realloc(all->at, all->room * sizeof *all->at);
                if (all->at == NULL)
                    abort();
            }
            all->at[all->count++] = o->serial;
        }
    }
}

/* Removes what a killed endpoint had half received. */
static void sweep(struct store *s)
{
    struct serials all = { 0 };
    for (struct skipnode *b = s->locked.buckets.first[0]; b != NULL; b = b->next[0])
        add_serials(&all, b->item);
    if (all.count > 0)
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

const char *store_create_bucket(
    struct store *s, const struct text *bucket, const struct settings *settings)
{
    char path[SIDECAR_PATH_MAX];
    const char *why = NULL;
    if (!is_bucket_name(bucket))
        return "InvalidBucketName";
    sidecar_folder(bucket, "", path);
    pthread_mutex_lock(&s->lock);
    struct bucket *b = calloc(1, sizeof *b);
    if (b == NULL || skiplist_get(&s->locked.buckets, bucket) != NULL) {
        why = "BucketAlreadyOwnedByYou";
    } else if (mkdirat(s->drafts->root_fd, path, 0777) < 0 ||
               (*settings->region != '\0' &&
                   sidecar_write_settings(s->drafts, bucket, settings) < 0)) {
        why = "InternalError";
    } else {
        b->created_ms = date_now_ms();
        b->settings = *settings;
        skiplist_set(&s->locked.buckets, bucket, b);
        b = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    free(b);
    return why;
}

const char *store_delete_bucket(struct store *s, const struct text *bucket)
{
    char path[SIDECAR_PATH_MAX];
    const char *why = NULL;
    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    if (b == NULL) {
        why = "NoSuchBucket";
    } else if (b->objects.count > 0) {
        why = "BucketNotEmpty";
    } else {
        unlinkat(s->drafts->root_fd, sidecar_folder(bucket, ".settings", path), 0);
        if (unlinkat(s->drafts->root_fd, sidecar_folder(bucket, "", path), AT_REMOVEDIR) < 0)
            why = "InternalError";
        else
            free_bucket_item(skiplist_remove(&s->locked.buckets, bucket));
    }
    pthread_mutex_unlock(&s->lock);
    return why;
}

const char *store_check_bucket(struct store *s, const struct text *bucket)
{
    return store_settings(s, bucket, &(struct settings){ 0 });
}

const char *store_settings(struct store *s, const struct text *bucket, struct settings *out)
{
    pthread_mutex_lock(&s->lock);
    const struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    if (b != NULL)
        *out = b->settings;
    pthread_mutex_unlock(&s->lock);
    return b != NULL ? NULL : "NoSuchBucket";
}

const char *store_set_settings(
    struct store *s, const struct text *bucket, const struct settings *settings)
{
    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    const char *why = b == NULL ? "NoSuchBucket"
                      : sidecar_write_settings(s->drafts, bucket, settings) < 0
                          ? "InternalError"
                          : NULL;
    if (why == NULL)
        b->settings = *settings;
    pthread_mutex_unlock(&s->lock);
    return why;
}

static void copy_object(const struct bucket *b, const struct object *o, struct object *out)
{
    *out = *o;
    out->older = NULL;
    out->kept = (struct text){ 0 };
    text_append(&out->kept, &o->kept);
    if (b->settings.versioning == VERSIONING_NEVER)
        out->version[0] = '\0';
}

const char *store_find(struct store *s, const struct text *bucket, const struct text *key,
    const struct text *version, struct object *out, int *fd)
{
    char path[DRAFT_PATH_MAX];
    const char *why = NULL;
    bool newest = version->len == 0;
    pthread_mutex_lock(&s->lock);
    const struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    const struct object *o = b != NULL ? skiplist_get(&b->objects, key) : NULL;
    while (o != NULL && !newest && strcmp(o->version, version->at) != 0)
        o = o->older;
    if (b == NULL)
        why = "NoSuchBucket";
    else if (o == NULL)
        why = newest ? "NoSuchKey" : "NoSuchVersion";
    else if (o->is_marker)
        why = newest ? "NoSuchKey" : "MethodNotAllowed";
    /* Opened under the lock: a replacement would unlink the file. */
    if (why == NULL && fd != NULL) {
        *fd = openat(s->drafts->root_fd, draft_path(o->serial, path), O_RDONLY | O_CLOEXEC);
        if (*fd < 0)
            why = "InternalError";
    }
    if (o != NULL)
        copy_object(b, o, out);
    pthread_mutex_unlock(&s->lock);
    return why;
}

/* Takes that version out of the index. NULL: there is none. */
static struct object *unlink_version(
    struct bucket *b, const struct text *key, const char *version)
{
    struct object *head = skiplist_get(&b->objects, key), **at = &head;
    while (*at != NULL && strcmp((*at)->version, version) != 0)
        at = &(*at)->older;
    struct object *o = *at;
    if (o == NULL)
        return NULL;
    *at = o->older;
    o->older = NULL;
    if (head != NULL)
        skiplist_set(&b->objects, key, head);
    else
        skiplist_remove(&b->objects, key);
    return o;
}

static void remove_bytes(struct store *s, struct object *o)
{
    char path[DRAFT_PATH_MAX];
    if (o != NULL && !o->is_marker)
        unlinkat(s->drafts->root_fd, draft_path(o->serial, path), 0);
    free_versions(o);
}

static const char *refuse_write(
    const struct bucket *b, const struct text *key, const struct conditions *c)
{
    const struct object *o = skiplist_get(&b->objects, key);
    return conditions_refuse_write(c, o != NULL && !o->is_marker ? o->etag : NULL);
}

/* What the next version of a key in that bucket is called. */
static void name_version(const struct settings *settings, struct object *o)
{
    if (settings->versioning == VERSIONING_ENABLED)
        snprintf(o->version, sizeof o->version, "%016" PRIx64, o->serial);
    else
        memcpy(o->version, VERSION_NULL, sizeof VERSION_NULL);
}

const char *store_publish(struct store *s, const struct text *bucket, const struct text *key,
    struct draft *d, struct object *o, const struct conditions *c)
{
    struct text content = { 0 };
    char path[SIDECAR_PATH_MAX], small[DRAFT_PATH_MAX];
    struct draft sidecar = DRAFT_NONE;
    struct object *mine = calloc(1, sizeof *mine), *old = NULL;
    struct settings settings = { 0 };
    const char *why = store_settings(s, bucket, &settings);
    if (why != NULL)
        goto out;
    o->size = d->size;
    o->serial = d->serial;
    o->modified_ms = date_now_ms();
    name_version(&settings, o);
    sidecar_write(&content, key, o);
    sidecar_path(bucket, key, o->version, path);
    why = "InternalError";
    if (mine == NULL || draft_open(s->drafts, &sidecar) < 0 ||
        draft_write(&sidecar, content.at, content.len) < 0)
        goto out;

    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    if (b == NULL) {
        why = "NoSuchBucket";
    } else if ((why = refuse_write(b, key, c)) == NULL) {
        if (renameat(s->drafts->root_fd, draft_path(sidecar.serial, small), s->drafts->root_fd,
                path) == 0) {
            *mine = *o;
            mine->kept = (struct text){ 0 };
            text_append(&mine->kept, &o->kept);
            old = unlink_version(b, key, mine->version);
            insert_version(b, key, mine);
            mine = NULL;
        } else {
            why = "InternalError";
        }
    }
    pthread_mutex_unlock(&s->lock);

    if (settings.versioning == VERSIONING_NEVER)
        o->version[0] = '\0';
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

static const char *put_marker_locked(struct store *s, struct bucket *b,
    const struct text *bucket, const struct text *key, struct object *out)
{
    struct object *marker = calloc(1, sizeof *marker);
    if (marker == NULL)
        abort();
    marker->is_marker = true;
    marker->serial = atomic_fetch_add(&s->drafts->serial, 1);
    marker->modified_ms = date_now_ms();
    name_version(&b->settings, marker);
    if (sidecar_store(s->drafts, bucket, key, marker) < 0) {
        free_versions(marker);
        return "InternalError";
    }
    remove_bytes(s, unlink_version(b, key, marker->version));
    insert_version(b, key, marker);
    copy_object(b, marker, out);
    return NULL;
}

const char *store_delete(struct store *s, const struct text *bucket, const struct text *key,
    const struct text *version, const struct conditions *c, struct object *out)
{
    char path[SIDECAR_PATH_MAX];
    struct object *old = NULL;
    const char *why = "NoSuchBucket";
    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    if (b == NULL || (why = refuse_write(b, key, c)) != NULL)
        goto out;
    if (version->len == 0 && b->settings.versioning != VERSIONING_NEVER) {
        why = put_marker_locked(s, b, bucket, key, out);
        goto out;
    }
    old = unlink_version(b, key, version->len > 0 ? version->at : VERSION_NULL);
    if (old != NULL) {
        copy_object(b, old, out);
        unlinkat(s->drafts->root_fd, sidecar_path(bucket, key, old->version, path), 0);
    }
out:
    pthread_mutex_unlock(&s->lock);
    remove_bytes(s, old);
    return why;
}

const char *store_set_kept(struct store *s, const struct text *bucket, const struct text *key,
    const struct object *changed)
{
    const char *why = "NoSuchKey";
    pthread_mutex_lock(&s->lock);
    struct bucket *b = skiplist_get(&s->locked.buckets, bucket);
    struct object *o = b != NULL ? skiplist_get(&b->objects, key) : NULL;
    while (o != NULL && o->serial != changed->serial)
        o = o->older;
    if (o != NULL) {
        text_clear(&o->kept);
        text_append(&o->kept, &changed->kept);
        why = sidecar_store(s->drafts, bucket, key, o) < 0 ? "InternalError" : NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return why;
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
