/* Open multipart uploads. On disk an upload is a folder: the file `upload` says what it is, and
 * a part is a file whose name holds its number, serial, MD5 and checksum. */
#include "uploads.h"

#include "sums.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UPLOAD_PATH_MAX = 192 };

struct uploads {
    struct drafts *drafts; /* borrowed */
    pthread_mutex_t lock;
    pthread_cond_t settled; /* a completion has ended, one way or the other */
    struct {
        struct skiplist open; /* of struct upload */
    } locked;
};

static void free_upload(void *item)
{
    struct upload *up = item;
    text_free(&up->bucket);
    text_free(&up->key);
    text_free(&up->kept);
    free(up->parts);
    free(up);
}

static void index_key(
    struct text *out, const struct text *bucket, const struct text *key, const char *id)
{
    text_append(out, bucket);
    text_add(out, "", 1);
    text_append(out, key);
    text_add(out, "", 1);
    text_puts(out, id);
}

static void part_path(
    const char *id, unsigned number, const struct part *p, char out[static UPLOAD_PATH_MAX])
{
    struct text sums = { 0 };
    text_add_hex(&sums, p->md5, MD5_BYTES);
    text_puts(&sums, "-");
    text_add_hex(&sums, p->sum, p->sum_bytes);
    snprintf(out, UPLOAD_PATH_MAX, "uploads/%s/%05u-%016" PRIx64 "-%s", id, number, p->serial,
        sums.at);
    text_free(&sums);
}

/* Returns the part that stood there (serial 0: none). */
static struct part set_part(struct upload *up, unsigned number, const struct part *p)
{
    if (number >= up->part_count) {
        unsigned count = number * 2 + 1 < PARTS_MAX + 1 ? number * 2 + 1 : PARTS_MAX + 1;
        up->parts = realloc(up->parts, count * sizeof *up->parts);
        if (up->parts == NULL)
            abort();
        memset(up->parts + up->part_count, 0, (count - up->part_count) * sizeof *up->parts);
        up->part_count = count;
    }
    struct part old = up->parts[number];
    up->parts[number] = *p;
    return old;
}

static void load_part(struct upload *up, int folder_fd, const char *name)
{
    struct part p = { 0 };
    struct text md5 = { 0 }, sum = { 0 };
    struct stat st;
    unsigned number = 0;
    char md5_hex[MD5_HEX_MAX] = "", sum_hex[2 * DIGEST_MAX + 1] = "";
    if (sscanf(name, "%5u-%16" SCNx64 "-%32[^-]-%64s", &number, &p.serial, md5_hex, sum_hex) <
            3 ||
        number == 0 || number > PARTS_MAX ||
        text_add_unhex(&md5, md5_hex, strlen(md5_hex)) < 0 || md5.len != MD5_BYTES ||
        text_add_unhex(&sum, sum_hex, strlen(sum_hex)) < 0 ||
        fstatat(folder_fd, name, &st, 0) < 0)
        goto out;
    memcpy(p.md5, md5.at, MD5_BYTES);
    memcpy(p.sum, text_c(&sum), sum.len);
    p.sum_bytes = (unsigned) sum.len;
    p.size = (uint64_t) st.st_size;
    p.modified_ms = (int64_t) st.st_mtim.tv_sec * 1000;
    /* Killed between a part's arrival and the removal of the one it replaces: the newer counts.
     */
    if (number >= up->part_count || up->parts[number].serial < p.serial)
        set_part(up, number, &p);
out:
    text_free(&md5);
    text_free(&sum);
}

/* The file: "INITIATED BUCKET KEY\n", then what is kept. */
static int read_upload(const struct text *in, struct upload *up)
{
    char bucket[64] = "";
    int at = 0;
    sscanf(text_c(in), "%" SCNd64 " %63s %n", &up->initiated_ms, bucket, &at);
    const char *end = at > 0 ? strchr(in->at + at, '\n') : NULL;
    if (end == NULL)
        return -1;
    text_puts(&up->bucket, bucket);
    text_add_unpercent(&up->key, in->at + at, (size_t) (end - in->at) - (size_t) at, false);
    text_add(&up->kept, end + 1, in->len - (size_t) (end + 1 - in->at));
    return 0;
}

static void insert(struct uploads *u, struct upload *up)
{
    struct text key = { 0 };
    index_key(&key, &up->bucket, &up->key, up->id);
    skiplist_set(&u->locked.open, &key, up);
    text_free(&key);
}

static void load_upload(struct uploads *u, const char *id)
{
    char path[UPLOAD_PATH_MAX];
    struct text content = { 0 };
    struct upload *up = calloc(1, sizeof *up);
    if (up == NULL)
        abort();
    snprintf(up->id, sizeof up->id, "%.32s", id);
    snprintf(path, sizeof path, "uploads/%s/upload", up->id);
    if (draft_read_file(u->drafts, path, &content) < 0 || read_upload(&content, up) < 0)
        goto out;
    snprintf(path, sizeof path, "uploads/%s", up->id);
    int fd = openat(u->drafts->root_fd, path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
        load_part(up, fd, e->d_name);
    if (dir != NULL)
        closedir(dir);
    insert(u, up);
    up = NULL;
out:
    text_free(&content);
    if (up != NULL)
        free_upload(up);
}

struct uploads *uploads_open(struct drafts *drafts)
{
    struct uploads *u = calloc(1, sizeof *u);
    int fd = openat(drafts->root_fd, "uploads", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (u == NULL || dir == NULL) {
        free(u);
        return NULL;
    }
    u->drafts = drafts;
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->settled, NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            load_upload(u, e->d_name);
    closedir(dir);
    return u;
}

void uploads_free(struct uploads *u)
{
    if (u == NULL)
        return;
    skiplist_free(&u->locked.open, free_upload);
    pthread_cond_destroy(&u->settled);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

const char *upload_create(struct uploads *u, const struct text *bucket, const struct text *key,
    struct text *kept, char id[static UPLOAD_ID_MAX])
{
    char path[UPLOAD_PATH_MAX];
    uint64_t dice = 0;
    struct text content = { 0 };
    struct upload *up = calloc(1, sizeof *up);
    if (up == NULL)
        abort();
    RAND_bytes((unsigned char *) &dice, sizeof dice);
    /* The serial first: uploads of one key are then listed in the order of their creation. */
    snprintf(up->id, sizeof up->id, "%016" PRIx64 "%016" PRIx64,
        atomic_fetch_add(&u->drafts->serial, 1), dice);
    up->initiated_ms = date_now_ms();
    text_append(&up->bucket, bucket);
    text_append(&up->key, key);
    text_addf(&content, "%" PRId64 " %s ", up->initiated_ms, text_c(bucket));
    text_add_percent(&content, key, "/");
    text_puts(&content, "\n");
    text_append(&content, kept);
    up->kept = *kept;
    *kept = (struct text){ 0 };

    snprintf(path, sizeof path, "uploads/%s", up->id);
    int rc = mkdirat(u->drafts->root_fd, path, 0777);
    snprintf(path, sizeof path, "uploads/%s/upload", up->id);
    if (rc == 0)
        rc = draft_small_file(u->drafts, path, &content);
    text_free(&content);
    if (rc < 0) {
        free_upload(up);
        return "InternalError";
    }
    memcpy(id, up->id, UPLOAD_ID_MAX);
    pthread_mutex_lock(&u->lock);
    insert(u, up);
    pthread_mutex_unlock(&u->lock);
    return NULL;
}

static struct upload *find_locked(
    struct uploads *u, const struct text *bucket, const struct text *key, const struct text *id)
{
    struct text at = { 0 };
    index_key(&at, bucket, key, text_c(id));
    struct upload *up;
    while ((up = skiplist_get(&u->locked.open, &at)) != NULL && up->completing)
        pthread_cond_wait(&u->settled, &u->lock);
    text_free(&at);
    return up;
}

const struct upload *upload_find_locked(
    struct uploads *u, const struct text *bucket, const struct text *key, const struct text *id)
{
    return find_locked(u, bucket, key, id);
}

const char *upload_check(struct uploads *u, const struct text *bucket, const struct text *key,
    const struct text *id, struct text *kept)
{
    uploads_lock(u);
    const struct upload *up = find_locked(u, bucket, key, id);
    if (up != NULL)
        text_append(kept, &up->kept);
    uploads_unlock(u);
    return up != NULL ? NULL : "NoSuchUpload";
}

const char *upload_put_part(struct uploads *u, const struct text *bucket,
    const struct text *key, const struct text *id, unsigned number, struct draft *d,
    struct part *p)
{
    char from[DRAFT_PATH_MAX], to[UPLOAD_PATH_MAX];
    struct part old = { 0 };
    const char *why = NULL;
    p->serial = d->serial;
    p->size = d->size;
    p->modified_ms = date_now_ms();
    part_path(text_c(id), number, p, to);
    pthread_mutex_lock(&u->lock);
    struct upload *up = find_locked(u, bucket, key, id);
    if (up == NULL)
        why = "NoSuchUpload";
    else if (renameat(u->drafts->root_fd, draft_path(d->serial, from), u->drafts->root_fd, to) <
             0)
        why = "InternalError";
    else
        old = set_part(up, number, p);
    pthread_mutex_unlock(&u->lock);
    if (why == NULL)
        draft_keep(d);
    if (old.serial != 0) {
        part_path(text_c(id), number, &old, to);
        unlinkat(u->drafts->root_fd, to, 0);
    }
    return why;
}

/* The file `upload` goes first: without it a restart sees no upload. */
static void remove_upload(struct uploads *u, struct upload *up)
{
    char path[UPLOAD_PATH_MAX];
    snprintf(path, sizeof path, "uploads/%s/upload", up->id);
    unlinkat(u->drafts->root_fd, path, 0);
    for (unsigned n = 1; n < up->part_count; n++) {
        if (up->parts[n].serial != 0) {
            part_path(up->id, n, &up->parts[n], path);
            unlinkat(u->drafts->root_fd, path, 0);
        }
    }
    snprintf(path, sizeof path, "uploads/%s", up->id);
    unlinkat(u->drafts->root_fd, path, AT_REMOVEDIR);
    free_upload(up);
}

static void forget_locked(struct uploads *u, const struct upload *up)
{
    struct text at = { 0 };
    index_key(&at, &up->bucket, &up->key, up->id);
    skiplist_remove(&u->locked.open, &at);
    text_free(&at);
}

const char *upload_abort(
    struct uploads *u, const struct text *bucket, const struct text *key, const struct text *id)
{
    pthread_mutex_lock(&u->lock);
    struct upload *up = find_locked(u, bucket, key, id);
    if (up != NULL)
        forget_locked(u, up);
    pthread_mutex_unlock(&u->lock);
    if (up == NULL)
        return "NoSuchUpload";
    remove_upload(u, up);
    return NULL;
}

void uploads_drop_bucket(struct uploads *u, const struct text *bucket)
{
    struct text from = { 0 };
    text_append(&from, bucket);
    text_add(&from, "", 1);
    pthread_mutex_lock(&u->lock);
    for (struct skipnode *n = skiplist_seek(&u->locked.open, &from), *next; n != NULL;
         n = next) {
        struct upload *up = n->item;
        next = n->next[0];
        if (!text_starts_with(&n->key, &from))
            break;
        if (!up->completing) {
            forget_locked(u, up);
            remove_upload(u, up);
        }
    }
    pthread_mutex_unlock(&u->lock);
    text_free(&from);
}

static bool has_etag(const struct part *p, const struct text *etag)
{
    struct text md5 = { 0 };
    size_t quote = etag->len >= 2 && etag->at[0] == '"' ? 1 : 0;
    bool has = text_add_unhex(&md5, text_c(etag) + quote, etag->len - 2 * quote) == 0 &&
               md5.len == MD5_BYTES && memcmp(md5.at, p->md5, MD5_BYTES) == 0;
    text_free(&md5);
    return has;
}

static bool has_sum(const struct part *p, const struct text *sum)
{
    struct text base64 = { 0 };
    text_add_base64(&base64, p->sum, p->sum_bytes);
    bool has = text_compare(&base64, sum) == 0;
    text_free(&base64);
    return has;
}

/* Parts of an upload with composite checksums must be listed with theirs, others may be. */
static const char *check_part(
    const struct upload *up, const struct sums_plan *plan, const struct wanted *w)
{
    const struct part *p = w->number < up->part_count ? &up->parts[w->number] : NULL;
    if (p == NULL || p->serial == 0 || !has_etag(p, &w->etag) ||
        (w->kind != DIGEST_NONE && (w->kind != plan->kind || !has_sum(p, &w->sum))))
        return "InvalidPart";
    return w->kind == DIGEST_NONE && plan->kind != DIGEST_NONE && !plan->whole
               ? "InvalidRequest"
               : NULL;
}

static const char *check_list(
    const struct upload *up, const struct wanted *list, unsigned count, uint64_t min_part_bytes)
{
    struct sums_plan plan = sums_plan_of(&up->kept);
    const char *why = NULL;
    for (unsigned i = 1; i < count; i++)
        if (list[i].number <= list[i - 1].number)
            return "InvalidPartOrder";
    for (unsigned i = 0; i < count && why == NULL; i++)
        why = check_part(up, &plan, &list[i]);
    for (unsigned i = 0; i + 1 < count && why == NULL; i++)
        if (up->parts[list[i].number].size < min_part_bytes)
            why = "EntityTooSmall";
    return why;
}

const char *upload_begin_complete(struct uploads *u, const struct text *bucket,
    const struct text *key, const struct text *id, const struct wanted *list, unsigned count,
    uint64_t min_part_bytes, struct upload **out)
{
    pthread_mutex_lock(&u->lock);
    struct upload *up = find_locked(u, bucket, key, id);
    const char *why = up != NULL ? check_list(up, list, count, min_part_bytes) : "NoSuchUpload";
    if (why == NULL) {
        up->completing = true;
        *out = up;
    }
    pthread_mutex_unlock(&u->lock);
    return why;
}

int upload_assemble(struct uploads *u, const struct upload *up, const struct wanted *list,
    unsigned count, struct draft *d, char etag[static ETAG_MAX])
{
    struct text sums = { 0 }, hex = { 0 };
    unsigned char md5[MD5_BYTES];
    int rc = draft_open(u->drafts, d);
    for (unsigned i = 0; i < count && rc == 0; i++) {
        char path[UPLOAD_PATH_MAX];
        const struct part *p = &up->parts[list[i].number];
        part_path(up->id, list[i].number, p, path);
        int fd = openat(u->drafts->root_fd, path, O_RDONLY | O_CLOEXEC);
        rc = fd >= 0 ? draft_append(d, fd, 0, p->size, false) : -1;
        if (fd >= 0)
            close(fd);
        text_add(&sums, p->md5, MD5_BYTES);
    }
    if (rc == 0 && EVP_Digest(sums.at, sums.len, md5, NULL, EVP_md5(), NULL) == 1) {
        text_add_hex(&hex, md5, MD5_BYTES);
        snprintf(etag, ETAG_MAX, "%s-%u", hex.at, count);
    }
    text_free(&sums);
    text_free(&hex);
    return rc;
}

void upload_end_complete(struct uploads *u, struct upload *up, bool done)
{
    pthread_mutex_lock(&u->lock);
    if (done)
        forget_locked(u, up);
    else
        up->completing = false;
    pthread_cond_broadcast(&u->settled);
    pthread_mutex_unlock(&u->lock);
    if (done)
        remove_upload(u, up);
}

const struct skiplist *uploads_lock(struct uploads *u)
{
    pthread_mutex_lock(&u->lock);
    return &u->locked.open;
}

void uploads_unlock(struct uploads *u)
{
    pthread_mutex_unlock(&u->lock);
}
