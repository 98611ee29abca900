/* What listings, tags and times of S3's documents mean: see rows.h. */
#include "rows.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "document.h"

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

bool rows_take_number(const char **text, uint64_t *out)
{
    const char *at = *text;
    uint64_t number = 0;
    bool fits = true;
    for (; *at >= '0' && *at <= '9'; at++)
        fits = fits && !__builtin_mul_overflow(number, 10, &number) &&
               !__builtin_add_overflow(number, (unsigned) (*at - '0'), &number);
    if (at == *text || !fits)
        return false;
    *text = at;
    *out = number;
    return true;
}

/* 0 when it is missing. */
static int child_number(const struct element *parent, const char *name, uint64_t max,
    uint64_t *out, struct haul_error *err)
{
    const char *text = element_text(parent, name);
    if (text == NULL)
        text = "0";
    if (!rows_take_number(&text, out) || *text != '\0' || *out > max)
        return haul_error_set(err, HAUL_BAD_REPLY, "the listing's %s is not a number", name);
    return 0;
}

/* The first of several names that is there. */
static const char *any_text(const struct element *parent, const char *const names[])
{
    const char *text = NULL;
    for (; text == NULL && *names != NULL; names++)
        text = element_text(parent, *names);
    return text;
}

const char *rows_checksum(const struct element *parent, enum haul_checksum kind)
{
    static const char *const names[] = {
        [HAUL_CRC64NVME] = "ChecksumCRC64NVME",
        [HAUL_CRC32C] = "ChecksumCRC32C",
        [HAUL_CRC32] = "ChecksumCRC32",
        [HAUL_SHA256] = "ChecksumSHA256",
        [HAUL_SHA1] = "ChecksumSHA1",
    };
    const char *text = NULL;
    for (size_t i = HAUL_CRC32C; i < sizeof names / sizeof *names; i++)
        if (text == NULL && (kind == HAUL_CHECKSUM_NONE || kind == i))
            text = element_text(parent, names[i]);
    return text;
}

/* What each kind of listing is made of, and what its rows can't do without. */
static const struct layout {
    const char *root, *inside; /* the rows' parent in the root; NULL: the root itself */
    const char *rows[2];
    const char *key;    /* of a row; NULL: it has a part number */
    const char *marker; /* without which a truncated listing can't be gone on with */
    const char *token;
    bool has_upload_id;
} layouts[] = {
    { "ListBucketResult", NULL, { "Contents" }, "Key", "NextContinuationToken",
        "NextContinuationToken", false },
    { "ListVersionsResult", NULL, { "Version", "DeleteMarker" }, "Key", "NextKeyMarker", NULL,
        false },
    { "ListPartsResult", NULL, { "Part" }, NULL, "NextPartNumberMarker", NULL, false },
    { "ListMultipartUploadsResult", NULL, { "Upload" }, "Key", "NextKeyMarker", NULL, true },
    /* Truncated if and only if there is a token. */
    { "ListAllMyBucketsResult", "Buckets", { "Bucket" }, "Name", NULL, "ContinuationToken",
        false },
    { "DeleteResult", NULL, { "Error" }, "Key", NULL, NULL, false },
};

static bool is_row(const struct layout *layout, const struct element *e)
{
    return element_is(e, layout->rows[0]) ||
           (layout->rows[1] != NULL && element_is(e, layout->rows[1]));
}

/* Lists of parts, of buckets and of failures have none. */
static bool is_prefix(const struct layout *layout, const struct element *e)
{
    return layout->key != NULL && layout->marker != NULL && element_is(e, "CommonPrefixes");
}

static enum haul_entry_kind kind_of(const struct element *row)
{
    return element_is(row, "DeleteMarker") ? HAUL_DELETE_MARKER
           : element_is(row, "Error")      ? HAUL_DELETE_FAILED
                                           : HAUL_ENTRY;
}

static int read_entry(const struct element *row, const struct layout *layout,
    struct haul_entry *e, struct haul_error *err)
{
    static const char *const times[] = { "LastModified", "Initiated", "CreationDate", NULL };
    uint64_t part_number;
    if (child_number(row, "Size", UINT64_MAX, &e->size, err) < 0 ||
        child_number(row, "PartNumber", UINT_MAX, &part_number, err) < 0)
        return -1;
    const char *time = any_text(row, times), *latest = element_text(row, "IsLatest");
    e->kind = kind_of(row);
    e->key = layout->key ? element_text(row, layout->key) : NULL;
    e->modified_ms = time == NULL ? -1 : rows_time_ms(time);
    e->etag = element_text(row, "ETag");
    e->upload_id = element_text(row, "UploadId");
    e->version_id = element_text(row, "VersionId");
    e->storage_class = element_text(row, "StorageClass");
    e->checksum = rows_checksum(row, HAUL_CHECKSUM_NONE);
    e->aws_code = element_text(row, "Code");
    e->message = element_text(row, "Message");
    e->part_number = (unsigned) part_number;
    e->is_latest = latest != NULL && strcmp(latest, "true") == 0;
    if ((layout->key ? !is_given(e->key) : part_number == 0) ||
        (layout->has_upload_id && !is_given(e->upload_id)))
        return haul_error_set(err, HAUL_BAD_REPLY, "the listing has a %s without its %s",
            element_name(row), layout->key ? "name" : "number");
    return 0;
}

static int read_prefix(const struct element *row, struct haul_entry *e, struct haul_error *err)
{
    *e = (struct haul_entry){
        .kind = HAUL_COMMON_PREFIX, .key = element_text(row, "Prefix"), .modified_ms = -1
    };
    return is_given(e->key)
               ? 0
               : haul_error_set(err, HAUL_BAD_REPLY, "the listing has an empty prefix");
}

/* Rows first, then the common prefixes. */
static int read_entries(struct document *d, const struct layout *layout, bool is_encoded,
    struct haul_listing *l, struct haul_error *err)
{
    const struct element *parent = document_element(d), *first, *e;
    if (layout->inside != NULL)
        parent = element_child(parent, layout->inside);
    first = parent ? element_first(parent) : NULL;
    for (e = first; e != NULL; e = element_next(e))
        l->count += is_row(layout, e) || is_prefix(layout, e);
    struct haul_entry *entry = document_allot(d, l->count, sizeof *entry);
    if (entry == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory for a listing");
    l->entries = entry;
    for (e = first; e != NULL; e = element_next(e))
        if (is_row(layout, e) && ((is_encoded && element_decode(e, "Key", err) < 0) ||
                                     read_entry(e, layout, entry++, err) < 0))
            return -1;
    for (e = first; e != NULL; e = element_next(e))
        if (is_prefix(layout, e) && ((is_encoded && element_decode(e, "Prefix", err) < 0) ||
                                        read_prefix(e, entry++, err) < 0))
            return -1;
    return 0;
}

/* The marker is the name of the page's last row or last prefix. Ceph says that it encodes, and
 * leaves the marker as it is, characters that XML can't have included. */
static int read_next_key(
    struct document *d, bool is_encoded, struct haul_listing *l, struct haul_error *err)
{
    const struct element *root = document_element(d);
    const char *last = NULL;
    l->next_key = element_text(root, "NextKeyMarker");
    if (!is_encoded || l->next_key == NULL)
        return 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct haul_entry *e = &l->entries[i];
        bool is_prefix = e->kind == HAUL_COMMON_PREFIX;
        if (i + 1 < l->count && is_prefix == (e[1].kind == HAUL_COMMON_PREFIX))
            continue;
        if (strcmp(l->next_key, e->key) == 0)
            return 0;
        if (last == NULL || strcmp(e->key, last) > 0)
            last = e->key;
    }
    if (last != NULL && document_lacks_characters(d)) {
        l->next_key = last;
        return 0;
    }
    int rc = element_decode(root, "NextKeyMarker", err);
    l->next_key = element_text(root, "NextKeyMarker");
    return rc;
}

int rows_listing(struct document *d, struct haul_listing *out, struct haul_error *err)
{
    static const char *const ids[] = { "NextUploadIdMarker", "NextVersionIdMarker", NULL };
    const struct element *root = document_element(d);
    const struct layout *layout = layouts, *end = layouts + sizeof layouts / sizeof layouts[0];
    while (layout < end && !element_is(root, layout->root))
        layout++;
    if (layout == end)
        return haul_error_set(
            err, HAUL_BAD_REPLY, "the reply is no listing but <%s>", element_name(root));
    const char *encoding = element_text(root, "EncodingType");
    const char *truncated = element_text(root, "IsTruncated");
    bool is_encoded = encoding != NULL && strcmp(encoding, "url") == 0;
    uint64_t next_part;
    struct haul_listing l = { .count = 0 };
    if (document_lacks_characters(d) && layout->key != NULL && !is_encoded)
        return haul_error_set(
            err, HAUL_BAD_REPLY, "the listing has characters that XML can't have");
    if (child_number(root, "NextPartNumberMarker", UINT_MAX, &next_part, err) < 0 ||
        read_entries(d, layout, is_encoded, &l, err) < 0 ||
        read_next_key(d, is_encoded && layout->key != NULL, &l, err) < 0)
        return -1;
    l.continuation = layout->token ? element_text(root, layout->token) : NULL;
    l.next_id = any_text(root, ids);
    l.next_part = (unsigned) next_part;
    l.truncated = layout->marker ? truncated != NULL && strcmp(truncated, "true") == 0
                                 : is_given(l.continuation);
    if (l.truncated &&
        (layout->key == NULL ? next_part == 0
                             : !is_given(layout->token ? l.continuation : l.next_key)))
        return haul_error_set(
            err, HAUL_BAD_REPLY, "the listing is truncated but has no %s", layout->marker);
    *out = l;
    return 0;
}

int rows_tags(struct document *d, struct haul_pairs *out, struct haul_error *err)
{
    const struct element *set = element_child(document_element(d), "TagSet"), *e;
    size_t count = 0;
    if (set == NULL || !element_is(document_element(d), "Tagging"))
        return haul_error_set(err, HAUL_BAD_REPLY, "the reply is no list of tags");
    for (e = element_first(set); e != NULL; e = element_next(e))
        count++;
    struct haul_pair *pairs = document_allot(d, count, sizeof *pairs), *tag = pairs;
    if (pairs == NULL)
        return haul_error_set(err, HAUL_NO_MEMORY, "out of memory for tags");
    for (e = element_first(set); e != NULL; e = element_next(e), tag++) {
        *tag = (struct haul_pair){ element_text(e, "Key"), element_text(e, "Value") };
        if (!is_given(tag->name) || tag->value == NULL)
            return haul_error_set(err, HAUL_BAD_REPLY, "a tag lacks its key or its value");
    }
    *out = (struct haul_pairs){ pairs, count };
    return 0;
}

/* Does the text begin as the picture does, where 0 stands for any digit? */
static bool looks_like(const char *text, const char *picture)
{
    for (; *picture != '\0'; picture++, text++)
        if (*picture == '0' ? *text < '0' || *text > '9' : *text != *picture)
            return false;
    return true;
}

static int two_digits(const char *at)
{
    return (at[0] - '0') * 10 + at[1] - '0';
}

int64_t rows_time_ms(const char *text)
{
    if (!looks_like(text, "0000-00-00T00:00:00"))
        return -1;
    struct tm t = { .tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900,
        .tm_mon = two_digits(text + 5) - 1,
        .tm_mday = two_digits(text + 8),
        .tm_hour = two_digits(text + 11),
        .tm_min = two_digits(text + 14),
        .tm_sec = two_digits(text + 17) };
    struct tm given = t;
    int64_t seconds = timegm(&t); /* which turns 31 June into 1 July */
    if (t.tm_mon != given.tm_mon || t.tm_mday != given.tm_mday || t.tm_hour != given.tm_hour ||
        t.tm_min != given.tm_min || t.tm_sec != given.tm_sec)
        return -1;

    const char *at = text + strlen("0000-00-00T00:00:00");
    int ms = 0;
    if (*at == '.') {
        size_t digits = strspn(++at, "0123456789");
        if (digits == 0)
            return -1;
        for (size_t i = 0; i < 3; i++)
            ms = ms * 10 + (i < digits ? at[i] - '0' : 0);
        at += digits;
    }
    return strcmp(at, "Z") == 0 && seconds >= 0 ? seconds * 1000 + ms : -1;
}
