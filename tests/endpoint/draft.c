/* Files in the making under ROOT/data, spread over 64 folders by the serial. No fsync:
 * the endpoint must survive being killed, not a power cut. */
#include "draft.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FOLDERS = 64, COPY_BYTES = 256 * 1024 };

int drafts_open(struct drafts *ds, const char *root)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    atomic_init(&ds->serial, (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec);
    if (mkdir(root, 0777) < 0 && errno != EEXIST)
        return -1;
    ds->root_fd = open(root, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (ds->root_fd < 0)
        return -1;
    mkdirat(ds->root_fd, "data", 0777);
    mkdirat(ds->root_fd, "buckets", 0777);
    mkdirat(ds->root_fd, "uploads", 0777);
    for (unsigned i = 0; i < FOLDERS; i++) {
        char path[DRAFT_PATH_MAX];
        snprintf(path, sizeof path, "data/%02x", i);
        if (mkdirat(ds->root_fd, path, 0777) < 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

void drafts_close(struct drafts *ds)
{
    if (ds->root_fd >= 0)
        close(ds->root_fd);
    ds->root_fd = -1;
}

const char *draft_path(uint64_t serial, char out[static DRAFT_PATH_MAX])
{
    snprintf(
        out, DRAFT_PATH_MAX, "data/%02x/%016" PRIx64, (unsigned) (serial % FOLDERS), serial);
    return out;
}

int draft_open(struct drafts *ds, struct draft *d)
{
    char path[DRAFT_PATH_MAX];
    *d = (struct draft){ .in = ds, .serial = atomic_fetch_add(&ds->serial, 1) };
    d->md5 = EVP_MD_CTX_new();
    d->fd = openat(
        ds->root_fd, draft_path(d->serial, path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return d->fd >= 0 && d->md5 != NULL && EVP_DigestInit_ex(d->md5, EVP_md5(), NULL) == 1 ? 0
                                                                                           : -1;
}

int draft_write(struct draft *d, const void *data, size_t len)
{
    EVP_DigestUpdate(d->md5, data, len);
    for (const char *at = data; len > 0;) {
        ssize_t n = write(d->fd, at, len);
        if (n < 0 && errno != EINTR)
            return -1;
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t) n : 0;
        d->size += n > 0 ? (uint64_t) n : 0;
    }
    return 0;
}

static int append_hashed(struct draft *d, int fd, uint64_t start, uint64_t len)
{
    char *buf = malloc(COPY_BYTES);
    int rc = buf != NULL ? 0 : -1;
    while (rc == 0 && len > 0) {
        ssize_t n = pread(fd, buf, len < COPY_BYTES ? len : COPY_BYTES, (off_t) start);
        rc = n > 0 ? draft_write(d, buf, (size_t) n) : -1;
        start += n > 0 ? (uint64_t) n : 0;
        len -= n > 0 ? (uint64_t) n : 0;
    }
    free(buf);
    return rc;
}

int draft_append(struct draft *d, int fd, uint64_t start, uint64_t len, bool hashed)
{
    off_t at = (off_t) start;
    while (!hashed && len > 0) {
        ssize_t n = copy_file_range(fd, &at, d->fd, NULL, len, 0);
        if (n <= 0)
            break; /* some file systems refuse: the other way copies the rest */
        len -= (uint64_t) n;
        d->size += (uint64_t) n;
    }
    return append_hashed(d, fd, (uint64_t) at, len);
}

void draft_md5(struct draft *d, unsigned char out[static MD5_BYTES])
{
    EVP_DigestFinal_ex(d->md5, out, NULL);
}

void draft_keep(struct draft *d)
{
    if (d->fd >= 0)
        close(d->fd);
    EVP_MD_CTX_free(d->md5);
    *d = (struct draft) DRAFT_NONE;
}

void draft_drop(struct draft *d)
{
    char path[DRAFT_PATH_MAX];
    if (d->fd >= 0)
        unlinkat(d->in->root_fd, draft_path(d->serial, path), 0);
    draft_keep(d);
}

int draft_small_file(struct drafts *ds, const char *path, const struct text *content)
{
    struct draft d;
    char draft[DRAFT_PATH_MAX];
    int rc = -1;
    if (draft_open(ds, &d) == 0 && draft_write(&d, content->at, content->len) == 0)
        rc = renameat(ds->root_fd, draft_path(d.serial, draft), ds->root_fd, path);
    if (rc == 0)
        draft_keep(&d);
    else
        draft_drop(&d);
    return rc;
}

int draft_read_file(const struct drafts *ds, const char *path, struct text *out)
{
    char buf[4096];
    int fd = openat(ds->root_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        text_add(out, buf, (size_t) n);
    close(fd);
    return n == 0 ? 0 : -1;
}

static void sweep_folder(
    int folder_fd, bool (*is_used)(void *payload, uint64_t serial), void *payload)
{
    DIR *dir = fdopendir(folder_fd);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' && !is_used(payload, strtoull(e->d_name, NULL, 16)))
            unlinkat(dirfd(dir), e->d_name, 0);
    if (dir != NULL)
        closedir(dir);
}

void drafts_sweep(
    struct drafts *ds, bool (*is_used)(void *payload, uint64_t serial), void *payload)
{
    for (unsigned i = 0; i < FOLDERS; i++) {
        char path[DRAFT_PATH_MAX];
        snprintf(path, sizeof path, "data/%02x", i);
        int fd = openat(ds->root_fd, path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            sweep_folder(fd, is_used, payload);
    }
}
