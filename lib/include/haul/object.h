/* Objects, blocking. `r` names the key and says anything else that a request can say (bucket,
 * metadata, checksum, conditions…); its operation is set here. All return as haul_perform()
 * does: the result, owned by the store until its next call, or NULL with *err. */
#ifndef HAUL_OBJECT_H
#define HAUL_OBJECT_H

#include <haul/store.h>

HAUL_BEGIN

/* ---- Put: one PutObject of at most 5 GiB ---- */

/* From r->body, which a function of the caller's may read (body.h). When a reply is lost, a
 * condition fails by our own object as the request is sent again: if that is found to carry
 * r->token it is the result. All puts and copies do so. */
const struct haul_result *haul_put(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

/* From memory, which must stay until the call returns. */
const struct haul_result *haul_put_memory(struct haul_store *s, const struct haul_request *r,
    const void *data, size_t len, struct haul_error *err);
const struct haul_result *haul_put_string(struct haul_store *s, const struct haul_request *r,
    const char *text, struct haul_error *err);

/* A regular file. HAUL_LOCAL: it can't be opened, is none, or ended early; a file that changes
 * meanwhile (size or times) fails, and what was stored is not undone. Over 5 GiB:
 * haul_put_file_multipart(). */
const struct haul_result *haul_put_file(struct haul_store *s, const struct haul_request *r,
    const char *path, struct haul_error *err);

/* From a descriptor, wherever it stands: what is regular goes like a file from there to its
 * end, over 5 GiB in parts; all else (a pipe, a socket, a terminal) like a stream. */
const struct haul_result *haul_put_fd(
    struct haul_store *s, const struct haul_request *r, int fd, struct haul_error *err);

/* From a callback of unknown length: one PutObject when all of it fits a part, else a multipart
 * upload, part by part; memory holds one part. part_bytes 0: 16 MiB. Parts (and memory) double
 * every 1,000 parts, up to 5 GiB: 12.7 TiB fit, HAUL_TOO_LARGE says that it was more. A failure
 * aborts the upload. */
const struct haul_result *haul_put_stream(struct haul_store *s, const struct haul_request *r,
    haul_stream_fn *read, void *payload, uint64_t part_bytes, struct haul_error *err);

/* ---- Get: one GetObject ---- */

/* Into r->sink. What breaks off goes on where it stood; body.h tells when it begins anew. */
const struct haul_result *haul_get(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

/* Into memory that the caller frees, with a NUL behind it that *len does not count; both are
 * set on success only. HAUL_TOO_LARGE when it is over `cap` bytes (found before they are
 * received, where the reply tells its length). */
const struct haul_result *haul_get_memory(struct haul_store *s, const struct haul_request *r,
    size_t cap, char **data, size_t *len, struct haul_error *err);

/* Into a file: a temporary one beside it, synced and renamed when all bytes are there; an older
 * file of that name stays until then, and stays if this fails. Mode 0666 less the umask. What
 * is no regular file (a pipe, /dev/stdout) is written to as the bytes come. */
const struct haul_result *haul_get_file(struct haul_store *s, const struct haul_request *r,
    const char *path, struct haul_error *err);

/* To a descriptor, in order. A retry goes on behind what has been written: when it would have
 * to begin anew (body.h), as another object stands there by then, HAUL_BAD_REPLY with
 * HAUL_RETRY_FROM_START. A reader that is gone is EPIPE, without SIGPIPE. */
const struct haul_result *haul_get_fd(
    struct haul_store *s, const struct haul_request *r, int fd, struct haul_error *err);

/* ---- Whole objects ---- */

/* Size, time, ETag and headers. When there is no such object: HAUL_SERVER, http_status 404. */
const struct haul_result *haul_head(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

/* Succeeds when there is no such object, too, as S3 has it. */
const struct haul_result *haul_delete(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

/* Called for each key that could not be deleted; entry->aws_code and ->message say why. */
typedef void haul_failed_fn(void *payload, const struct haul_entry *entry);

/* Any number of keys, 1,000 a request. r may be NULL, or says more of each request, its bucket
 * say. The victims' strings must stay: copy those of a list's entries, which do not. Returns
 * how many could not be deleted, or -1 with *err when a request failed as a whole (some may be
 * deleted by then). failed may be NULL. */
int64_t haul_delete_many(struct haul_store *s, const struct haul_request *r,
    const struct haul_victim *victims, size_t count, haul_failed_fn *failed, void *payload,
    struct haul_error *err);

struct haul_copy_options {
    uint64_t multipart_from_bytes; /* 0: over 5 GiB, which CopyObject refuses */
    uint64_t part_bytes;           /* 0: as haul_part_bytes() says, but at least 64 MiB */
    unsigned workers;              /* 0: 8 parts in flight */
};

/* r->source → r->key, inside the store, no byte passes here. Metadata, content headers and tags
 * are kept unless `r` gives others, in a multipart copy too. The source is pinned by its ETag:
 * a change on the way fails with HAUL_RETRY_FROM_START. Onto itself: HAUL_BAD_ARGUMENT, unless
 * r replaces metadata, storage class or encryption. options may be NULL. */
const struct haul_result *haul_copy(struct haul_store *s, const struct haul_request *r,
    const struct haul_copy_options *options, struct haul_error *err);

/* A copy, and when it is there the source deleted (its version that was copied, if r names
 * one). Not atomic: S3 has no rename; a source that was replaced since it was copied stays, and
 * the call fails. Fails before anything when both are the same object. */
const struct haul_result *haul_rename(struct haul_store *s, const struct haul_request *r,
    const struct haul_copy_options *options, struct haul_error *err);

/* ---- Tags ---- */

/* The result's tags. */
const struct haul_result *haul_get_tags(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

/* r->tags instead of all that the object has; none: removes them. */
const struct haul_result *haul_put_tags(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

/* ---- Buckets: r may be NULL for the store's own ---- */

const struct haul_result *haul_head_bucket(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);
const struct haul_result *haul_create_bucket(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);
const struct haul_result *haul_delete_bucket(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

HAUL_END
#endif
