/* How an upload ends: completed, or aborted. See <haul/upload.h>. */
#include "upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "store.h"

#define MD5_BYTES 16
#define ETAG_SIZE 48 /* quotes, 32 digits, "-10000" and the NUL */
#define ABORT_ROUNDS 10
#define ABORT_WAIT_MS 50 /* before the second round; twice that before each one after it */
#define STOPPED_TRIES 3  /* of an abort, when somebody waits for the end */

/* ---- Completing ---- */

/* What S3 would refuse, and what the caller must have overlooked. */
static int check_parts(const struct haul_upload *u, struct haul_error *err)
{
    if (u->ended)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "this upload has ended");
    if (u->part_count == 0)
        return haul_error_set(err, HAUL_BAD_ARGUMENT, "an upload needs at least one part");
    for (unsigned n = 1; n <= u->highest; n++)
        if (u->state[n] == PART_FAILED)
            return haul_error_set(
                err, HAUL_BAD_ARGUMENT, "part %u failed and was not sent again", n);
    for (size_t i = 0; i + 1 < u->part_count; i++)
        if (u->parts[i].size < HAUL_PART_BYTES_MIN)
            return haul_error_set(err, HAUL_BAD_ARGUMENT,
                "part %u has %" PRIu64 " bytes: all but the last need at least 5 MiB",
                u->parts[i].number, u->parts[i].size);
    return 0;
}

static bool is_full_object(const struct haul_request *r)
{
    return r->checksum == HAUL_CRC64NVME ||
           ((r->checksum == HAUL_CRC32C || r->checksum == HAUL_CRC32) &&
               !r->checksum_composite);
}

/* The whole object's checksum from those of the parts; "" when not all of them have one. */
static int sum_parts(
    const struct haul_upload *u, char text[HAUL_CHECKSUM_TEXT_SIZE], struct haul_error *err)
{
    enum haul_checksum kind = u->object.checksum;
    *text = '\0';
    for (size_t i = 0; i < u->part_count; i++)
        if (kind == HAUL_CHECKSUM_NONE || u->parts[i].checksum == NULL)
            return 0;
    return haul_checksum_of_parts(
        kind, is_full_object(&u->object), u->parts, u->part_count, text, err);
}

/* "\"d41d8c…\"" → its 16 bytes. false: no MD5, as parts of KMS and SSE-C have none. */
static bool decode_md5(const char *etag, unsigned char md5[MD5_BYTES])
{
    int end = 0;
    if (strlen(etag) != 2 * MD5_BYTES + 2 || *etag++ != '"')
        return false;
    for (int i = 0; i < MD5_BYTES; i++, etag += 2)
        if (sscanf(etag, "%2hhx%n", &md5[i], &end) != 1 || end != 2)
            return false;
    return *etag == '"';
}

/* The ETag that S3 makes of those of the parts, when they are MD5s; else "". */
static void etag_of_parts(const struct haul_upload *u, char etag[ETAG_SIZE])
{
    unsigned char md5[HAUL_CHECKSUM_BYTES_MAX];
    char hex[2 * MD5_BYTES + 1];
    struct haul_sum *sum = haul_sum_new(HAUL_MD5);
    bool known = sum != NULL;
    for (size_t i = 0; known && i < u->part_count; i++) {
        known = decode_md5(u->parts[i].etag, md5);
        if (known)
            haul_sum_add(sum, md5, MD5_BYTES);
    }
    *etag = '\0';
    if (known && haul_sum_end(sum, md5) == MD5_BYTES) {
        hex_encode(md5, MD5_BYTES, hex);
        snprintf(etag, ETAG_SIZE, "\"%s-%zu\"", hex, u->part_count);
    }
    haul_sum_free(sum);
}

/* The upload is gone, or its condition fails after a reply was lost: did an earlier attempt
 * complete it? Only the object that stands there now can prove that. */
static const struct haul_result *find_completed(struct haul_upload *u, struct haul_error *err)
{
    struct haul_error why;
    char etag[ETAG_SIZE];
    struct haul_request head = upload_request(u, HAUL_HEAD_OBJECT);
    const struct haul_result *found = store_perform(u->store, &head, false, &why);
    if (found == NULL) {
        if (why.http_status != 404)
            *err = why;
        return NULL;
    }
    etag_of_parts(u, etag);
    const char *token = u->object.token;
    bool ours = token ? found->token && strcmp(found->token, token) == 0
                      : found->etag && *etag && strcmp(found->etag, etag) == 0;
    return ours && found->size == u->done_bytes ? found : NULL;
}

/* Why the server does not take the list, as far as it is to be found out. */
static void explain_refusal(struct haul_upload *u, struct haul_error *err)
{
    struct haul_error why;
    int lost = upload_reconcile(u, &why);
    if (lost > 0)
        snprintf(err->text, sizeof err->text, "part %d is not at the server any more", lost);
}

static const struct haul_result *complete(
    struct haul_upload *u, const struct haul_request *r, struct haul_error *err)
{
    const struct haul_result *result = store_perform(u->store, r, false, err);
    if (result != NULL)
        return result;
    bool repeated = u->store->last != NULL && u->store->last->maybe_repeated;
    if (strcmp(err->aws_code, "InvalidPart") == 0)
        explain_refusal(u, err);
    else if (upload_is_gone(err) || (err->http_status == 412 && repeated))
        result = find_completed(u, err);
    return result;
}

const struct haul_result *haul_upload_complete(struct haul_upload *u, struct haul_error *err)
{
    char sum[HAUL_CHECKSUM_TEXT_SIZE];
    if (haul_upload_wait(u, err) < 0 || (u->size_unknown && upload_reconcile(u, err) < 0))
        return NULL;
    u->size_unknown = false;
    if (check_parts(u, err) < 0 || sum_parts(u, sum, err) < 0)
        return NULL;
    struct haul_request r = store_request(u->store, &u->object, HAUL_COMPLETE_UPLOAD);
    r.upload_id = u->id;
    r.parts = u->parts;
    r.part_count = u->part_count;
    if (*sum && is_full_object(&r) && r.checksum_value == NULL)
        r.checksum_value = sum;
    const struct haul_result *result = complete(u, &r, err);
    if (result == NULL)
        return NULL;
    u->ended = true;
    if (*sum && result->checksum && strcmp(result->checksum, sum) != 0) {
        haul_error_set(err, HAUL_BAD_REPLY,
            "CompleteMultipartUpload of %s: the server's %s is "
            "%s, the parts make %s",
            r.key, haul_checksum_name(r.checksum), result->checksum, sum);
        err->retry = HAUL_RETRY_FROM_START;
        return NULL;
    }
    return result;
}

/* ---- Aborting ---- */

int haul_upload_abort(struct haul_upload *u, struct haul_error *err)
{
    struct haul_error why = { .code = HAUL_OK };
    if (u == NULL)
        return 0;
    upload_cancel_parts(u);
    u->ended = true;
    struct haul_request drop = upload_request(u, HAUL_ABORT_UPLOAD);
    struct haul_request list = upload_request(u, HAUL_LIST_PARTS);
    if (atomic_load(&u->store->stopping))
        drop.tries = list.tries = STOPPED_TRIES;
    list.max_entries = 1;
    for (int round = 0; round < ABORT_ROUNDS; round++) {
        if (round > 0)
            haul_client_run(u->store->client, ABORT_WAIT_MS << (round - 1), &why);
        if (store_perform(u->store, &drop, true, &why) == NULL && !upload_is_gone(&why))
            goto failed;
        if (store_perform(u->store, &list, true, &why) != NULL)
            continue;
        if (upload_is_gone(&why) || why.http_status == 403) /* not everybody may list */
            return 0;
        goto failed;
    }
    haul_error_set(&why, HAUL_SERVER, "the aborted upload of %s has parts still", list.key);
failed:
    if (err != NULL)
        *err = why;
    return -1;
}
