/* A multipart upload by hand: create, parts in any order and several at once, list, complete or
 * abort. One thread at a time, that of its store.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 *
 *     struct haul_upload *u = haul_upload_new(s, &(struct haul_request){ .key = "big" }, &err);
 *     if (u != NULL && haul_upload_part(u, 0, haul_body_memory(a, a_len), &err) > 0 &&
 *         haul_upload_part(u, 0, haul_body_memory(b, b_len), &err) > 0 &&
 *         (result = haul_upload_complete(u, &err)) != NULL)
 *         puts(result->etag);
 *     else
 *         haul_upload_abort(u, NULL);
 *     haul_upload_free(u);
 */
#ifndef HAUL_UPLOAD_H
#define HAUL_UPLOAD_H

#include <haul/store.h>

HAUL_BEGIN

struct haul_upload;

/* CreateMultipartUpload with all that `r` says of the object. The upload keeps a copy of r, and
 * borrows what it points to, and the store, until haul_upload_free(). With r->checksum each
 * part carries its own, and the completion that of the whole. NULL with *err as haul_perform().
 */
struct haul_upload *haul_upload_new(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

/* An upload that is open already: r->key and r->upload_id. Its parts are listed first. The same
 * r->checksum as before is for the caller to give. HAUL_RETRY_FROM_START: it is gone. */
struct haul_upload *haul_upload_resume(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

const char *haul_upload_id(const struct haul_upload *u);

/* Starts a part: number from 1, or 0 for the one after the highest so far. Waits only while as
 * many are in flight as the client has connections (or `workers` of haul_upload_limit()). The
 * body's bytes must stay until haul_upload_wait() or _complete(). A number again replaces that
 * part, once the earlier one is through. Returns the number; -1 with *err: HAUL_BAD_ARGUMENT (a
 * limit of S3; over 10,000), or an earlier part's failure, told once. */
int haul_upload_start(
    struct haul_upload *u, unsigned number, struct haul_body body, struct haul_error *err);

/* The same from a range of another object of the store (UploadPartCopy); source->bucket NULL:
 * the upload's. Its strings must stay likewise, *source itself need not. */
int haul_upload_start_copy(struct haul_upload *u, unsigned number,
    const struct haul_source *source, struct haul_error *err);

/* Until all that were started are through. 0, or -1 with the first failure. */
int haul_upload_wait(struct haul_upload *u, struct haul_error *err);

/* Start and wait in one. Returns the number, or -1. */
int haul_upload_part(
    struct haul_upload *u, unsigned number, struct haul_body body, struct haul_error *err);

/* At most so many parts in flight; 0: the client's connections. */
void haul_upload_limit(struct haul_upload *u, unsigned workers);

/* The parts that are through, by number; valid until the next call on this upload. */
const struct haul_part *haul_upload_parts(const struct haul_upload *u, size_t *count);

/* Waits, then CompleteMultipartUpload. The result is the store's, as that of haul_perform().
 * HAUL_BAD_ARGUMENT: no part, one under 5 MiB that is not the last, or one that failed; that
 * and S3's InvalidPart are mended by sending those parts again. When the reply is lost and the
 * upload gone, a HEAD has to find an object of the parts' size, which carries r->token, or
 * without a token has the ETag that theirs make; else that is HAUL_RETRY_FROM_START. */
const struct haul_result *haul_upload_complete(struct haul_upload *u, struct haul_error *err);

/* Cancels what is in flight, aborts, and asks until the server has no part left (a part that
 * was on its way may land after an abort). An upload that is gone is fine. Works after
 * haul_store_stop(), too. 0 or -1. u and err may be NULL. */
int haul_upload_abort(struct haul_upload *u, struct haul_error *err);

/* Frees ours only: an upload that was neither completed nor aborted stays open at the server,
 * and costs. NULL is fine. */
void haul_upload_free(struct haul_upload *u);

HAUL_END
#endif
