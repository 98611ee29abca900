/* CopyObject and UploadPartCopy: what else than a request's body can be stored. */
#include "operations.h"

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

/* The ETag goes into a document instead of a header. */
static void write_result(struct exchange *x, const struct source *s, const char *root)
{
    struct text *out = &x->reply.body;
    char date[DATE_MAX];
    xml_begin(out, root);
    if (!x->play.no_etag)
        text_addf(out, "<ETag>%s</ETag>", *x->play.etag != '\0' ? x->play.etag : x->reply.etag);
    text_addf(out, "<LastModified>%s</LastModified></%s>", date_iso(x->now_ms, date), root);
    x->reply.etag[0] = '\0';
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

void op_copy_object(struct exchange *x)
{
    struct source s = { .fd = -1 };
    struct draft d = DRAFT_NONE;
    struct object o = { 0 };
    unsigned char md5[MD5_BYTES];
    if (!exchange_passes(x, refuse_new_object(x)) || !open_source(x, &s) ||
        !exchange_passes(x, refuse_in_place(x, &s)) ||
        !exchange_passes(x, fill_draft(x, &s, &d)))
        goto out;
    choose_kept(x, &s, &o.kept);
    draft_md5(&d, md5);
    set_md5_etag(o.etag, md5);
    if (publish(x, &d, &o))
        write_result(x, &s, "CopyObjectResult");
out:
    draft_drop(&d);
    object_free(&o);
    source_free(&s);
}

void op_upload_part_copy(struct exchange *x)
{
    struct source s = { .fd = -1 };
    struct draft d = DRAFT_NONE;
    unsigned char md5[MD5_BYTES];
    if (!accepts_part(x) || !open_source(x, &s) || !exchange_passes(x, fill_draft(x, &s, &d)))
        goto out;
    draft_md5(&d, md5);
    if (put_part(x, &d, md5))
        write_result(x, &s, "CopyPartResult");
out:
    draft_drop(&d);
    source_free(&s);
}
