/* The thread for what blocks on a disk: syncs, renames, and reading again what an earlier
 * process wrote. It takes all jobs that wait as one batch, so that a thousand small files cost
 * one sync of their file system instead of a thousand. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anchors.h"
#include "log.h"
#include "motion.h"
#include "step.h"

#define ONE_BY_ONE_MAX 4 /* files of a file system; more are synced by syncfs */
#define BUFFER_BYTES (256 * 1024)
#define STRETCH_BYTES (64 * (uint64_t) 1024 * 1024) /* read for a sum in one go */

struct disk {
    pthread_t thread;
    struct anchors anchors; /* the thread's */
    pthread_mutex_t lock;
    pthread_cond_t posted;
    struct {
        struct disk_job *first, **last;
        bool stopping;
    } locked; /* while holding lock */
};

/* ---- Syncing ---- */

/* Which descriptor does the job want on the disk? -1: none (any more). */
typedef int wanted_fn(const struct disk_job *j);

static int wanted_file(const struct disk_job *j)
{
    bool wanted = j->work == DISK_SYNC || j->work == DISK_SETTLE || j->work == DISK_FINISH;
    return wanted && j->error == 0 ? j->object->fd : -1;
}

static int wanted_folder(const struct disk_job *j)
{
    bool wanted = j->work == DISK_BEGIN || j->work == DISK_DISCARD || j->work == DISK_PUBLISH ||
                  j->work == DISK_FINISH;
    return wanted && j->error == 0 ? j->object->place.folder : -1;
}

static dev_t device_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_dev : 0;
}

/* Nobody knows what is on the disk now, and who asks once more is told that all is well:
 * whatever becomes of the object, this file is not taken up again. */
static void give_up(struct disk_job *j, int cause)
{
    j->error = cause;
    place_discard(&j->object->place);
}

/* One error is every job's error on that file system: nobody can tell whose pages were lost.
 * anchors: folders are wanted, whose own names have to last as well. NULL: files. */
static void sync_batch(struct disk_job *batch, wanted_fn *wanted, struct anchors *anchors)
{
    struct disk_job *same[ONE_BY_ONE_MAX];
    for (struct disk_job *j = batch; j != NULL; j = j->next) {
        j->synced = wanted(j) < 0;
        j->device = j->synced ? 0 : device_of(wanted(j));
    }
    for (struct disk_job *j = batch; j != NULL; j = j->next) {
        if (j->synced)
            continue;
        unsigned count = 0;
        for (struct disk_job *k = j; k != NULL; k = k->next)
            if (!k->synced && k->device == j->device) {
                if (count < ONE_BY_ONE_MAX)
                    same[count] = k;
                count++;
            }
        int rc = count > ONE_BY_ONE_MAX ? syncfs(wanted(j)) : 0;
        int cause = rc < 0 ? errno : 0;
        for (unsigned i = 0; count <= ONE_BY_ONE_MAX && i < count; i++) {
            same[i]->synced = true;
            int fd = wanted(same[i]);
            if (fsync(fd) < 0 || (anchors && anchors_sync(anchors, fd) < 0))
                give_up(same[i], errno);
        }
        for (struct disk_job *k = j; count > ONE_BY_ONE_MAX && k != NULL; k = k->next)
            if (!k->synced && k->device == j->device) {
                k->synced = true;
                if (cause != 0)
                    give_up(k, cause);
            }
    }
}

/* ---- The single works ---- */

static int checksum(int fd, struct haul_range r, char *buffer, uint32_t *crc32c)
{
    *crc32c = 0;
    while (r.len > 0) {
        size_t want = r.len < BUFFER_BYTES ? (size_t) r.len : BUFFER_BYTES;
        ssize_t got = pread(fd, buffer, want, (off_t) r.start);
        if (got <= 0)
            return -1;
        *crc32c = haul_crc32c(*crc32c, buffer, (size_t) got);
        r.start += (uint64_t) got;
        r.len -= (uint64_t) got;
    }
    return 0;
}

/* What was written but not known to be durable may have been lost: then it is due again. A stop
 * need not wait for all of it: whoever resumes reads it again. */
static void recheck(struct disk_job *j)
{
    struct object *o = j->object;
    char *buffer = malloc(BUFFER_BYTES);
    if (buffer == NULL) {
        j->error = ENOMEM;
        return;
    }
    for (unsigned i = 0; i < o->count && !engine_is_stopping(o->engine); i++) {
        uint32_t found;
        struct haul_range r = part_range(o->task.size, o->task.part_bytes, i + 1);
        if (o->marks[i] == MARK_MOVED &&
            (checksum(o->fd, r, buffer, &found) < 0 || found != o->crc32c[i]))
            o->marks[i] = MARK_DUE;
    }
    free(buffer);
}

static void add_up(struct disk_job *j)
{
    struct object *o = j->object;
    const uint64_t end = o->summed + STRETCH_BYTES;
    char *buffer = malloc(BUFFER_BYTES);
    j->error = buffer ? 0 : ENOMEM;
    while (j->error == 0 && o->summed < o->task.size && o->summed < end) {
        ssize_t got = pread(o->fd, buffer, BUFFER_BYTES, (off_t) o->summed);
        if (got <= 0) {
            j->error = got < 0 ? errno : EIO;
            break;
        }
        haul_sum_add(o->sum, buffer, (size_t) got);
        o->summed += (uint64_t) got;
    }
    free(buffer);
}

/* All bytes are there: is it as long as it should be? Then mode and time, before the sync. */
static void stamp(struct disk_job *j)
{
    struct object *o = j->object;
    struct stat st;
    if (fstat(o->fd, &st) < 0)
        j->error = errno;
    else if ((uint64_t) st.st_size != o->task.size)
        j->error = EIO;
    else if (place_stamp(o->fd, o->task.modified_ms) <
             0) /* some file systems have no such thing */
        LOG(LOG_WARN, "time_not_set", { "object", o->key }, { "why", strerror(errno) });
}

/* Does the temporary name still mean the file that we have written and synced? */
static bool is_still_ours(const struct object *o)
{
    struct stat named, open;
    return fstatat(o->place.folder, o->place.temp, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstat(o->fd, &open) == 0 && named.st_dev == open.st_dev &&
           named.st_ino == open.st_ino;
}

static void rename_file(struct disk_job *j)
{
    struct object *o = j->object;
    bool ours = is_still_ours(o);
    int fd = o->fd;
    o->fd = -1;
    if (close(fd) < 0 && errno != EINTR)
        give_up(j, errno);
    else if (!ours)
        j->error = EIO; /* begun again */
    else if (place_publish(&o->place) < 0)
        j->error = errno;
    step("disk.published");
}

static void discard(struct disk_job *j)
{
    const struct place *p = &j->object->place;
    if (p->folder >= 0 && place_discard(p) < 0)
        j->error = errno;
}

static void carry_out(struct disk *d, struct disk_job *batch)
{
    for (struct disk_job *j = batch; j != NULL; j = j->next) {
        if (j->work == DISK_RECHECK)
            recheck(j);
        else if (j->work == DISK_VERIFY)
            add_up(j);
        else if (j->work == DISK_SETTLE || j->work == DISK_FINISH)
            stamp(j);
    }
    sync_batch(batch, wanted_file, NULL);
    step("disk.synced");
    for (struct disk_job *j = batch; j != NULL; j = j->next) {
        if (j->work == DISK_DISCARD)
            discard(j);
        else if (j->error == 0 && (j->work == DISK_PUBLISH || j->work == DISK_FINISH))
            rename_file(j);
    }
    step("disk.renamed");
    sync_batch(batch, wanted_folder, &d->anchors);
    step("disk.settled");
    while (batch != NULL) {
        struct disk_job *j = batch;
        batch = j->next; /* `done` may free it */
        j->done(j);
    }
}

/* ---- The thread ---- */

static void *run(void *payload)
{
    struct disk *d = payload;
    for (;;) {
        pthread_mutex_lock(&d->lock);
        while (d->locked.first == NULL && !d->locked.stopping)
            pthread_cond_wait(&d->posted, &d->lock);
        struct disk_job *batch = d->locked.first;
        d->locked.first = NULL;
        d->locked.last = &d->locked.first;
        pthread_mutex_unlock(&d->lock);
        if (batch == NULL)
            return NULL;
        carry_out(d, batch);
    }
}

struct disk *disk_start(struct error *err)
{
    struct disk *d = calloc(1, sizeof *d);
    if (d == NULL) {
        error_no_memory(err);
        return NULL;
    }
    d->locked.last = &d->locked.first;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->posted, NULL);
    if (pthread_create(&d->thread, NULL, run, d) != 0) {
        error_exhausted(err, "no thread can be started for the disk");
        free(d);
        return NULL;
    }
    return d;
}

void disk_post(struct disk *d, struct disk_job *job)
{
    pthread_mutex_lock(&d->lock);
    job->next = NULL;
    *d->locked.last = job;
    d->locked.last = &job->next;
    pthread_cond_signal(&d->posted);
    pthread_mutex_unlock(&d->lock);
}

void disk_stop(struct disk *d)
{
    if (d == NULL)
        return;
    pthread_mutex_lock(&d->lock);
    d->locked.stopping = true;
    pthread_cond_signal(&d->posted);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->posted);
    free(d);
}
