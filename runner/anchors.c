/* The names of folders made durable: see anchors.h. */
#include "anchors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Marks the folder as known. Returns whether it was already. */
static bool mark(struct anchors *a, const struct stat *st)
{
    size_t i = st->st_ino % ANCHORS_KNOWN;
    bool was = a->known[i].inode == st->st_ino && a->known[i].device == st->st_dev;
    a->known[i].device = st->st_dev;
    a->known[i].inode = st->st_ino;
    return was;
}

int anchors_sync(struct anchors *a, int folder)
{
    struct stat here, above;
    int rc = fstat(folder, &here), at = -1;
    while (rc == 0 && !mark(a, &here)) {
        int up = openat(at < 0 ? folder : at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (at >= 0)
            close(at);
        at = up;
        if (up < 0) {
            rc = errno == EACCES ? 0 : -1;
            break;
        }
        rc = fstat(up, &above);
        if (rc < 0 || above.st_dev != here.st_dev || above.st_ino == here.st_ino)
            break;
        rc = fsync(up);
        here = above;
    }
    int cause = errno;
    if (at >= 0)
        close(at);
    /* Those below are marked, and nobody knows whether what is above is durable. */
    if (rc < 0)
        memset(a, 0, sizeof *a);
    errno = cause;
    return rc;
}
