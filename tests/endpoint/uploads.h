/* Open multipart uploads and their parts, in memory and under ROOT/uploads/ID, so that a
 * restart finds them. Functions that can refuse return NULL for success, or S3's code for the
 * reason. Any thread may call. */
#ifndef ENDPOINT_UPLOADS_H
#define ENDPOINT_UPLOADS_H

#include "digests.h"
#include "draft.h"
#include "skiplist.h"
#include "store.h"

enum { UPLOAD_ID_MAX = 33, PARTS_MAX = 10000 };

struct part {
    uint64_t serial, size; /* serial 0: no such part */
    int64_t modified_ms;
    unsigned char md5[MD5_BYTES], sum[DIGEST_MAX];
    unsigned sum_bytes; /* 0: the upload has no checksums */
};

struct upload {
    struct text bucket, key, kept; /* owned */
    char id[UPLOAD_ID_MAX];
    int64_t initiated_ms;
    struct part *parts; /* owned: parts[number], up to part_count */
    unsigned part_count;
    bool completing; /* gone for everyone but the one who completes it */
};

/* A part as CompleteMultipartUpload lists it. */
struct wanted {
    unsigned number;
    struct text etag;
    enum digest_kind kind; /* NONE: no checksum is listed */
    struct text sum;       /* base64 */
};

struct uploads;

struct uploads *uploads_open(struct drafts *drafts);
void uploads_free(struct uploads *u);

/* Takes what is kept (see kept.h) over. */
const char *upload_create(struct uploads *u, const struct text *bucket, const struct text *key,
    struct text *kept, char id[static UPLOAD_ID_MAX]);
/* Appends what the upload keeps. */
const char *upload_check(struct uploads *u, const struct text *bucket, const struct text *key,
    const struct text *id, struct text *kept);
/* Makes the draft that part; kept on success. Of *p the sums are given. */
const char *upload_put_part(struct uploads *u, const struct text *bucket,
    const struct text *key, const struct text *id, unsigned number, struct draft *d,
    struct part *p);
const char *upload_abort(struct uploads *u, const struct text *bucket, const struct text *key,
    const struct text *id);
void uploads_drop_bucket(struct uploads *u, const struct text *bucket);

/* Completing: begin checks the list against the parts and takes the upload out of everyone's
 * sight; assemble joins the parts; then it ends, or is put back when that failed. */
const char *upload_begin_complete(struct uploads *u, const struct text *bucket,
    const struct text *key, const struct text *id, const struct wanted *list, unsigned count,
    uint64_t min_part_bytes, struct upload **out);
int upload_assemble(struct uploads *u, const struct upload *up, const struct wanted *list,
    unsigned count, struct draft *d, char etag[static ETAG_MAX]);
void upload_end_complete(struct uploads *u, struct upload *up, bool done);

/* For listings: between lock and unlock all stands still. The keys are BUCKET NUL KEY NUL ID.
 */
const struct skiplist *uploads_lock(struct uploads *u);
/* NULL: no such upload. While locked. */
const struct upload *upload_find_locked(struct uploads *u, const struct text *bucket,
    const struct text *key, const struct text *id);
void uploads_unlock(struct uploads *u);

#endif
