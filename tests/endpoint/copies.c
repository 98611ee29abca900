/* CopyObject and UploadPartCopy: what else than a request's body can be stored. */
#include "operations.h"

#include "encryption.h"
#include "kept.h"
#include "ranges.h"
#include "xml.h"

#include <string.h>
#include <unistd.h>

/* What x-amz-copy-source names, and the bytes of it that are wanted. */
struct source {
    struct text bucket, key, version;
    struct object object;
    int fd;
    uint64_t start, len;
};

static void source_free(struct source *s)
{
    if (s->fd >= 0)
        close(s->fd);
    text_free(&s->bucket);
    text_free(&s->key);
    text_free(&s->version);
    object_free(&s->object);
}

/* "/bucket/key?versionId=ID", bucket and key percent-encoded. */
static void read_name(const struct request *r, struct source *s)
{
    static const char version[] = "?versionId=";
    const char *at = request_header(r, "x-amz-copy-source");
    at += *at == '/';
    size_t len = strcspn(at, "?"), slash = strcspn(at, "/");
    text_add_unpercent(&s->bucket, at, slash < len ? slash : len, false);
    if (slash < len)
        text_add_unpercent(&s->key, at + slash + 1, len - slash - 1, false);
    if (strncmp(at + len, version, strlen(version)) == 0)
        text_puts(&s->version, at + len + strlen(version));
}

/* Unlike a GET's, this range must be whole and inside. */
static const char *read_range(const struct request *r, struct source *s)
{
    const char *range = request_header(r, "x-amz-copy-source-range");
    s->len = s->object.size;
    if (range == NULL)
        return NULL;
    bool whole = range_parse(range, UINT64_MAX, &s->start, &s->len) == RANGE_SLICE;
    return whole && s->start < s->object.size && s->len <= s->object.size - s->start
               ? NULL
               : "InvalidArgument";
}

/* Whether the source is there and may be used; if not, the reply says why. */
static bool open_source(struct exchange *x, struct source *s)
{
    const struct request *r = x->request;
    struct conditions c = conditions_of(r, "x-amz-copy-source-");
    read_name(r, s);
    const char *why =
        store_find(x->server->store, &s->bucket, &s->key, &s->version, &s->object, &s->fd);
    if (why == NULL && conditions_refuse(&c, s->object.etag, s->object.modified_ms) != NULL)
        why = "PreconditionFailed";
    if (why == NULL)
        why = encryption_unlock(r, "x-amz-copy-source-", &s->object.kept);
    if (why == NULL)
        why = read_range(r, s);
    return exchange_passes(x, why);
}

static const char *fill_draft(struct exchange *x, const struct source *s, struct draft *d)
{
    return draft_open(&x->server->drafts, d) == 0 &&
                   draft_append(d, s->fd, s->start, s->len, true) == 0
               ? NULL
               : "InternalError";
}

static void write_result(
    struct exchange *x, const struct source *s, const struct text *kept, const char *root)
{
    struct text *out = &x->reply.body;
    char date[DATE_MAX];
    xml_begin(out, root);
    write_outcome(x, kept);
    text_addf(out, "<LastModified>%s</LastModified></%s>", date_iso(x->now_ms, date), root);
    if (*s->object.version != '\0')
        text_addf(&x->reply.headers, "x-amz-copy-source-version-id: %s\r\n", s->object.version);
}

static bool replaces(const struct exchange *x, const char *directive)
{
    const char *value = request_header(x->request, directive);
    return value != NULL && strcmp(value, "REPLACE") == 0;
}

/* An object may take its own place only if something about it changes. */
static const char *refuse_in_place(const struct exchange *x, const struct source *s)
{
    const struct request *r = x->request;
    bool same = text_compare(&s->bucket, &x->bucket) == 0 &&
                text_compare(&s->key, &x->key) == 0 && s->version.len == 0;
    return same && !replaces(x, "x-amz-metadata-directive") &&
                   request_header(r, "x-amz-storage-class") == NULL &&
                   request_header(r, "x-amz-server-side-encryption") == NULL &&
                   request_header(r, "x-amz-server-side-encryption-customer-algorithm") == NULL
               ? "InvalidRequest"
               : NULL;
}

/* What the copy keeps, from the source or from the request as it says; storage class and
 * encryption are always the request's. */
static void choose_kept(const struct exchange *x, const struct source *s, struct text *out)
{
    unsigned ours = KEPT_STORAGE | KEPT_ENCRYPTION;
    if (replaces(x, "x-amz-metadata-directive"))
        ours |= KEPT_METADATA;
    if (replaces(x, "x-amz-tagging-directive"))
        ours |= KEPT_TAGS;
    kept_from_request(x->request, ours, out);
    kept_copy(&s->object.kept, (KEPT_METADATA | KEPT_TAGS) & ~ours, out);
}

/* The copy has a checksum if it is asked for, or if the source has one; then of the same kind.
 */
static const char *sum_up(
    const struct exchange *x, const struct source *s, const struct draft *d, struct text *kept)
{
    const char *asked = request_header(x->request, "x-amz-checksum-algorithm");
    enum digest_kind kind =
        asked != NULL ? digest_named(asked) : sums_plan_of(&s->object.kept).kind;
    struct text sum = { 0 };
    const char *why = NULL;
    if (asked != NULL && kind == DIGEST_NONE)
        why = "InvalidRequest";
    else if (digest_file(kind, d->fd, d->size, &sum) < 0)
        why = "InternalError";
    sums_keep(kept, kind, text_c(&sum), true);
    text_free(&sum);
    return why;
}

void op_copy_object(struct exchange *x)
{
    struct source s = { .fd = -1 };
    struct draft d = DRAFT_NONE;
    struct object o = { 0 };
    if (!exchange_passes(x, refuse_new_object(x)) || !open_source(x, &s) ||
        !exchange_passes(x, refuse_in_place(x, &s)) ||
        !exchange_passes(x, fill_draft(x, &s, &d)))
        goto out;
    choose_kept(x, &s, &o.kept);
    if (exchange_passes(x, sum_up(x, &s, &d, &o.kept)) && publish(x, &d, &o))
        write_result(x, &s, &o.kept, "CopyObjectResult");
out:
    draft_drop(&d);
    object_free(&o);
    source_free(&s);
}

void op_upload_part_copy(struct exchange *x)
{
    struct source s = { .fd = -1 };
    struct arrival a;
    struct text kept = { 0 };
    const char *why = NULL;
    if (!arrival_begin(x, &a) || !open_source(x, &s) ||
        !exchange_passes(x, fill_draft(x, &s, &a.draft)))
        goto out;
    if (digest_file(a.plan.kind, a.draft.fd, a.draft.size, &a.sum) < 0)
        why = "InternalError";
    sums_keep(&kept, a.plan.kind, text_c(&a.sum), a.plan.whole);
    if (exchange_passes(x, why) && arrival_end(x, &a))
        write_result(x, &s, &kept, "CopyPartResult");
out:
    arrival_free(&a);
    source_free(&s);
    text_free(&kept);
}
