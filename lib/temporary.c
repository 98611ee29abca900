/* The temporary file beside a destination: see temporary.h. */
#include "temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "descriptor.h"

#define LINKS_MAX 40 /* the kernel's own limit */
#define NAMES_MAX 10

/* ---- What is there? ---- */

/* "a/b" and "c" → "a/c": a link is read from the folder it stands in. */
static int follow(char path[static PATH_MAX], const char *link)
{
    const char *slash = *link == '/' ? NULL : strrchr(path, '/');
    size_t folder = slash ? (size_t) (slash - path) + 1 : 0;
    size_t len = strlen(link);
    if (folder + len >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(path + folder, link, len + 1);
    return 0;
}

/* Those of /proc/self/fd do not lead by their text: that may name a pipe, or a file that the
 * descriptor alone still has. */
static bool is_descriptor(int link)
{
    struct statfs fs;
    return fstatfs(link, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* One step: 1 when `path` was a link, and is now what it leads to; 0: *is_stream tells what is
 * there; -1 with errno. */
static int look_at(char path[static PATH_MAX], bool *is_stream)
{
    char link[PATH_MAX];
    struct stat st;
    int rc = -1, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    *is_stream = false;
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, &st) < 0)
        goto out;
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
    } else if (S_ISLNK(st.st_mode) && !is_descriptor(fd)) {
        ssize_t len = readlinkat(fd, "", link, sizeof link - 1);
        if (len < 0)
            goto out;
        link[len] = '\0';
        rc = follow(path, link) < 0 ? -1 : 1;
    } else {
        *is_stream = !S_ISREG(st.st_mode);
        rc = 0;
    }
out:
    descriptor_close(fd);
    return rc;
}

static int find_destination(char path[static PATH_MAX], bool *is_stream)
{
    int rc = 1;
    for (int i = 0; rc > 0 && i < LINKS_MAX; i++)
        rc = look_at(path, is_stream);
    if (rc > 0)
        errno = ELOOP;
    return rc == 0 ? 0 : -1;
}

/* ---- Opening ---- */

/* Splits `path` into t->target and the folder, which is opened. */
static int open_folder(struct temporary *t, char path[static PATH_MAX])
{
    char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (*name == '\0' || strlen(name) > NAME_MAX) {
        errno = *name ? ENAMETOOLONG : EISDIR;
        return -1;
    }
    strcpy(t->target, name);
    *name = '\0';
    t->folder = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return t->folder < 0 ? -1 : 0;
}

static int create(struct temporary *t, mode_t mode)
{
    for (int i = 0; i < NAMES_MAX; i++) {
        uint64_t random;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return -1;
        snprintf(t->name, sizeof t->name, ".haul-%016" PRIx64, random);
        t->fd = openat(
            t->folder, t->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (t->fd >= 0)
            return 0;
        t->name[0] = '\0';
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

static int open_it(
    struct temporary *t, const char *path, bool replace, mode_t mode, struct haul_error *err)
{
    char found[PATH_MAX];
    bool is_stream = false;
    *t = (struct temporary) TEMPORARY_NONE;
    if (strlen(path) >= sizeof found) {
        errno = ENAMETOOLONG;
        goto failed;
    }
    strcpy(found, path);
    if (!replace && find_destination(found, &is_stream) < 0)
        goto failed;
    if (is_stream)
        t->fd = open(found, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    else if (open_folder(t, found) < 0 || create(t, mode) < 0)
        goto failed;
    if (t->fd >= 0)
        return 0;
failed:
    descriptor_error(err, path);
    temporary_discard(t);
    return -1;
}

int temporary_open(struct temporary *t, const char *path, bool replace, struct haul_error *err)
{
    return open_it(t, path, replace, 0666, err);
}

int temporary_open_private(struct temporary *t, const char *path, struct haul_error *err)
{
    return open_it(t, path, false, 0600, err);
}

bool temporary_is_stream(const struct temporary *t)
{
    return t->folder < 0;
}

/* Not posix_fallocate(): it would write zeros where the file system can't reserve. */
int temporary_reserve(const struct temporary *t, uint64_t size)
{
    int rc = ftruncate(t->fd, 0);
    if (rc < 0 || size == 0)
        return rc;
    if (size > INT64_MAX) {
        errno = EFBIG;
        return -1;
    }
    do
        rc = fallocate(t->fd, 0, 0, (off_t) size);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        rc = ftruncate(t->fd, (off_t) size);
    return rc;
}

int temporary_nameless(void)
{
    const char *folder = getenv("TMPDIR");
    char path[PATH_MAX];
    if (folder == NULL || *folder == '\0')
        folder = "/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    snprintf(path, sizeof path, "%s/haul-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* ---- Ending ---- */

/* Its errors count: some file systems write only now. */
static int close_file(struct temporary *t)
{
    int fd = t->fd;
    t->fd = -1;
    return close(fd) < 0 && errno != EINTR ? -1 : 0;
}

/* After a failed fsync() nothing is known of the file's pages: it is given up, not synced
 * again. */
static int publish(struct temporary *t)
{
    if (temporary_is_stream(t))
        return close_file(t);
    if (fsync(t->fd) < 0 || close_file(t) < 0 ||
        renameat(t->folder, t->name, t->folder, t->target) < 0)
        return -1;
    t->name[0] = '\0';
    return fsync(t->folder) < 0 && errno != EINVAL ? -1 : 0; /* not every one can be synced */
}

int temporary_publish(struct temporary *t, struct haul_error *err)
{
    int rc = publish(t);
    if (rc < 0)
        descriptor_error(err, *t->target ? t->target : "the destination");
    temporary_discard(t);
    return rc;
}

void temporary_discard(struct temporary *t)
{
    if (t->name[0] != '\0')
        unlinkat(t->folder, t->name, 0);
    descriptor_close(t->fd);
    descriptor_close(t->folder);
    *t = (struct temporary) TEMPORARY_NONE;
}
