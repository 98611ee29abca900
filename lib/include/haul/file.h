/* Large files in parallel: many parts or ranges in flight on the caller's thread, over one
 * event loop. For jobs that survive a crash use the haul program; these calls clean up and
 * begin again.
 *
 * With a progress bar, and Ctrl-C:
 *
 *     static struct haul_store *s;
 *     static void on_interrupt(int number) { haul_store_stop(s); }
 *     static int show(void *payload, uint64_t done_bytes, uint64_t total_bytes)
 *     {
 *         fprintf(stderr, "\r%3.0f %%", total_bytes ? 100.0 * done_bytes / total_bytes : 100);
 *         return 0;
 *     }
 *     ...
 *     signal(SIGINT, on_interrupt);
 *     if (haul_get_file_parallel(s, &(struct haul_request){ .key = "big" }, "big",
 *             &(struct haul_parallel_options){ .progress = show }, &err) == NULL)
 *         return err.code == HAUL_CANCELLED ? 130 : 1;
 */
#ifndef HAUL_FILE_H
#define HAUL_FILE_H

#include <haul/store.h>

HAUL_BEGIN

/* Called on the caller's thread as parts are through, not more often than every 50 ms but for
 * the last. Not 0: the call ends as HAUL_CANCELLED. */
typedef int haul_progress_fn(void *payload, uint64_t done_bytes, uint64_t total_bytes);

struct haul_parallel_options {
    uint64_t part_bytes; /* 0: haul_part_bytes(). Downloads: the ranges' size */
    unsigned workers;    /* 0: 8 requests in flight */
    unsigned tries;      /* of a part or range, 0: as the client has it */
    haul_progress_fn *progress;
    void *payload;
    bool separate_files; /* downloads: each range into a file of its own, joined at the end, for
                          * file systems that only append. Found by itself for destinations
                          * that are no regular files */
    bool replace; /* downloads: the new file takes the name, be it a link's, a FIFO's or a
                   * device's; nothing is followed or written to. For names that others
                   * choose, in folders where others may write */
};

/* The file `path`, or with path NULL r->body, as a multipart upload; one PutObject when it fits
 * a part. r->checksum: CRC32C, CRC32, CRC64NVME give the object's own (full-object) value, SHAs
 * a composite one; r->payload says whether contents are signed with their SHA-256. A source
 * that changes meanwhile fails; every failure aborts the upload. options may be NULL. Returns
 * as haul_perform(). */
const struct haul_result *haul_put_file_multipart(struct haul_store *s,
    const struct haul_request *r, const char *path, const struct haul_parallel_options *options,
    struct haul_error *err);

/* The object, or r->range of it, into `path`: one HEAD, then ranges that are pinned to its
 * ETag, pwritten into one preallocated temporary file, which is verified against the server's
 * checksum when it tells one for the whole object, synced and renamed. Without an ETag: one
 * stream. A failed call leaves nothing behind, and an older file as it was. */
const struct haul_result *haul_get_file_parallel(struct haul_store *s,
    const struct haul_request *r, const char *path, const struct haul_parallel_options *options,
    struct haul_error *err);

HAUL_END
#endif
