/* Puts downloads in their place with openat() from the root folder on, so that neither a key
 * nor a link planted below the root leads out of it. What is written, verified and synced, and
 * when a name is published, is the engine's affair. */
#include "destination.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

#define TEMP_SUFFIX ".haul-part"

static mode_t process_umask = 077; /* written by destination_init(), then only read */

void destination_init(void)
{
    process_umask = umask(0);
    umask(process_umask);
}

/* close() may change errno, which the caller is about to report. */
static void close_quietly(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}

bool destination_is_temp(const char *name)
{
    size_t len = strlen(name), suffix = strlen(TEMP_SUFFIX);
    return *name == '.' && len > suffix && strcmp(name + len - suffix, TEMP_SUFFIX) == 0;
}

static const char *segment_fault(const char *start, size_t len)
{
    char segment[NAME_MAX + 1];
    if (len == 0)
        return "the name has an empty segment";
    if (len > NAME_MAX)
        return "the name has a segment of more than 255 bytes";
    memcpy(segment, start, len);
    segment[len] = '\0';
    if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
        return "the name has `.` or `..` as a segment";
    if (destination_is_temp(segment))
        return "the name is one of haul's own temporary names";
    return NULL;
}

const char *destination_name_fault(const char *name)
{
    size_t len = strlen(name);
    if (len == 0)
        return "the name is empty";
    if (*name == '/')
        return "the name begins with a slash";
    if (name[len - 1] == '/')
        return "the name ends with a slash";
    if (!utf8_is_valid(name))
        return "the name is not UTF-8";
    const char *fault = NULL;
    for (const char *start = name, *end; start && !fault; start = *end ? end + 1 : NULL) {
        end = strchrnul(start, '/');
        fault = segment_fault(start, (size_t) (end - start));
    }
    return fault;
}

/* FNV-1a. Keeps apart what chance brings together; whoever chooses names so that they collide
 * could as well have chosen the contents. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *text; text++)
        hash = (hash ^ (unsigned char) *text) * 0x100000001b3;
    return hash;
}

void destination_temp_name(const char *name, const char *run, char out[static NAME_MAX + 1])
{
    if (snprintf(out, NAME_MAX + 1, ".%s.%s" TEMP_SUFFIX, name, run) <= NAME_MAX)
        return;
    char tail[128];
    int tail_len =
        snprintf(tail, sizeof tail, "~%016" PRIx64 ".%.64s" TEMP_SUFFIX, hash_of(name), run);
    size_t head_len = strnlen(name, (size_t) (NAME_MAX - 1 - tail_len));
    while (head_len > 0 && (name[head_len] & 0xc0) == 0x80)
        head_len--; /* some file systems refuse half a character */
    memcpy(out + 1, name, head_len);
    strcpy(out + 1 + head_len, tail);
}

/* mkdir -p. The root is the user's own word, so links in it are followed. */
static int make_root(const char *root)
{
    char path[PATH_MAX];
    size_t len = strlen(root);
    if (len >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i <= len; i++) {
        if (root[i] != '/' && root[i] != '\0')
            continue;
        memcpy(path, root, i);
        path[i] = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

static int open_root(const char *root, int access, bool create)
{
    int flags = access | O_DIRECTORY | O_CLOEXEC;
    int fd = open(root, flags);
    if (fd < 0 && errno == ENOENT && create && make_root(root) == 0)
        fd = open(root, flags);
    return fd;
}

/* The folder [name, end) below `root` in one call, when all of it exists and the kernel knows
 * how. Else -1, and why is for the segment by segment way to find out. */
static int open_at_once(int root, const char *name, const char *end)
{
    char path[PATH_MAX];
    size_t len = (size_t) (end - name);
    if (len >= sizeof path)
        return -1;
    memcpy(path, name, len);
    path[len] = '\0';
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    return (int) syscall(SYS_openat2, root, path, &how, sizeof how);
}

static int open_segment(int folder, const char *segment, int access, bool create)
{
    int flags = access | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(folder, segment, flags);
    /* EEXIST: another thread was faster, which is as good. */
    if (fd < 0 && errno == ENOENT && create &&
        (mkdirat(folder, segment, 0777) == 0 || errno == EEXIST))
        fd = openat(folder, segment, flags);
    return fd;
}

/* Goes from `root`, which it closes, down to the folder [name, end). */
static int descend(int root, const char *name, const char *end, bool create)
{
    int folder = open_at_once(root, name, end);
    if (folder >= 0) {
        close_quietly(root);
        return folder;
    }
    folder = root;
    while (folder >= 0 && name < end) {
        char segment[NAME_MAX + 1];
        const char *slash = strchr(name, '/');
        memcpy(segment, name, (size_t) (slash - name));
        segment[slash - name] = '\0';
        /* On the way a folder needs not be readable; the last one is going to be synced. */
        int next = open_segment(folder, segment, slash < end ? O_PATH : O_RDONLY, create);
        close_quietly(folder);
        folder = next;
        name = slash + 1;
    }
    return folder;
}

int place_open(
    struct place *p, const char *root, const char *name, const char *run, bool create)
{
    char temp[NAME_MAX + 1];
    *p = (struct place){ .folder = -1 };
    if (destination_name_fault(name) || strchr(run, '/')) {
        errno = EINVAL;
        return -1;
    }
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    destination_temp_name(last, run, temp);
    p->name = strdup(last);
    p->temp = strdup(temp);
    if (p->name != NULL && p->temp != NULL)
        p->folder = open_root(root, slash ? O_PATH : O_RDONLY, create);
    if (p->folder >= 0 && slash)
        p->folder = descend(p->folder, name, slash, create);
    if (p->folder >= 0)
        return 0;
    int cause = errno;
    place_close(p);
    errno = cause;
    return -1;
}

void place_close(struct place *p)
{
    if (p->folder >= 0)
        close_quietly(p->folder);
    free(p->name);
    free(p->temp);
    *p = (struct place){ .folder = -1 };
}

static int create_temp(const struct place *p)
{
    return openat(p->folder, p->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Not posix_fallocate(): it would write zeros where the file system can't reserve. */
static int reserve(int fd, uint64_t size)
{
    int rc;
    if (size == 0)
        return 0;
    if (size > INT64_MAX) {
        errno = EFBIG;
        return -1;
    }
    do
        rc = fallocate(fd, 0, 0, (off_t) size);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        rc = ftruncate(fd, (off_t) size);
    return rc;
}

int place_create(const struct place *p, uint64_t size)
{
    int fd = create_temp(p);
    if (fd < 0 && errno == EEXIST && place_discard(p) == 0)
        fd = create_temp(p);
    if (fd >= 0 && reserve(fd, size) < 0) {
        int saved = errno;
        place_discard(p);
        errno = saved;
        close_quietly(fd);
        fd = -1;
    }
    return fd;
}

int place_reopen(const struct place *p, uint64_t size)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO that somebody put here must not stop us. Files don't mind. */
    int fd = openat(p->folder, p->temp, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ELOOP || errno == EISDIR || errno == ENXIO)
            errno = EBADMSG; /* a link, a folder, a socket */
        return -1;
    }
    if (fstat(fd, &st) < 0)
        goto refuse;
    /* Through a second hard link we would change a file under another name. */
    if (S_ISREG(st.st_mode) && st.st_nlink == 1 && (uint64_t) st.st_size == size)
        return fd;
    errno = EBADMSG;
refuse:
    close_quietly(fd);
    return -1;
}

int place_stamp(int fd, int64_t modified_ms)
{
    int64_t ms = modified_ms % 1000;
    ms += ms < 0 ? 1000 : 0; /* before 1970 */
    struct timespec times[] = {
        { .tv_nsec = UTIME_OMIT },
        { .tv_sec = (modified_ms - ms) / 1000, .tv_nsec = ms * 1000000 },
    };
    if (modified_ms == -1)
        times[1].tv_nsec = UTIME_OMIT;
    return fchmod(fd, 0666 & ~process_umask) < 0 ? -1 : futimens(fd, times);
}

int place_publish(const struct place *p)
{
    return renameat(p->folder, p->temp, p->folder, p->name);
}

int place_discard(const struct place *p)
{
    return unlinkat(p->folder, p->temp, 0) < 0 && errno != ENOENT ? -1 : 0;
}
