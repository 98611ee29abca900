/* Who owns a queue: one process at a time, as long as it lives. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue_sql.h"

static char *lock_path(const char *path)
{
    char *name = NULL;
    return asprintf(&name, "%s.lock", path) < 0 ? NULL : name;
}

/* Who has just taken the lock has not written its id yet: there is none, or a dead one's. */
static int read_pid(int fd)
{
    char text[16] = "";
    int pid = pread(fd, text, sizeof text - 1, 0) > 0 ? atoi(text) : 0;
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM) ? pid : -1;
}

static void name_holder(struct queue *q, struct error *err)
{
    int pid = read_pid(q->lock_fd);
    if (pid > 0)
        error_set(err, EXIT_QUEUE,
            "queue %s is held by process %d: wait for it, or stop it with `kill %d`", q->path,
            pid, pid);
    else
        error_set(err, EXIT_QUEUE, "queue %s is held by another process: wait for it", q->path);
}

static int write_pid(int fd)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d\n", (int) getpid()), at = 0;
    if (ftruncate(fd, 0) < 0)
        return -1;
    while (at < len) {
        ssize_t put = pwrite(fd, text + at, (size_t) (len - at), at);
        if (put < 0 && errno != EINTR)
            return -1;
        at += put > 0 ? (int) put : 0;
    }
    return 0;
}

/* A companion file, never the queue itself: closing a descriptor of that would drop the locks
 * that SQLite holds on it. The lock belongs to the open file description, so the kernel frees
 * it however the process ends; and, unlike flock(2), others can ask for it without taking it.
 */
int queue_lock(struct queue *q, struct error *err)
{
    struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *name = lock_path(q->path);
    int rc = -1;
    if (name == NULL)
        return error_no_memory(err);
    q->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (q->lock_fd < 0) {
        error_set(err, EXIT_QUEUE, "queue %s: the lock file %s can't be opened: %s%s", q->path,
            name, strerror(errno), error_advice(errno));
    } else if (fcntl(q->lock_fd, F_OFD_SETLK, &whole_file) < 0) {
        name_holder(q, err);
    } else {
        if (write_pid(q->lock_fd) < 0)
            error_set(err, EXIT_QUEUE, "queue %s: the lock file can't be written: %s%s",
                q->path, strerror(errno), error_advice(errno));
        else
            rc = 0;
    }
    free(name);
    return rc;
}

int queue_holder(const char *path)
{
    struct flock found = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *name = lock_path(path);
    int pid = 0, fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    free(name);
    if (fd < 0)
        return 0;
    if (fcntl(fd, F_OFD_GETLK, &found) == 0 && found.l_type != F_UNLCK)
        pid = read_pid(fd);
    close(fd);
    return pid;
}
