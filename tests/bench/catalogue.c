/* An entry of a listing is a template whose digits are written over: ten million a second, so
 * that it is the client that is measured. */
#include "catalogue.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY CATALOGUE_PREFIX "00000/sample-000000000-00000000.bin"
#define ENTRY_BEGINS "<Contents><Key>"
#define ENTRY_MIDDLE "</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;"
#define ETAG "00000000000000000000000000000000-1"

/* Where things stand in a key, and in an entry. */
enum {
    KEY_BYTES = sizeof KEY - 1,
    FOLDER_AT = sizeof CATALOGUE_PREFIX - 1,
    FOLDER_DIGITS = 5,
    NUMBER_AT = FOLDER_AT + FOLDER_DIGITS + sizeof "/sample-" - 1,
    NUMBER_DIGITS = 9,
    HEX_AT = NUMBER_AT + NUMBER_DIGITS + 1,
    ENTRY_KEY_AT = sizeof ENTRY_BEGINS - 1,
    ENTRY_ETAG_AT = ENTRY_KEY_AT + KEY_BYTES + sizeof ENTRY_MIDDLE - 1,
    ENTRY_MAX = 320,
    AROUND_MAX = 1024,
    FOLDER_KEYS = 1000,
};

static void write_number(char *at, unsigned digits, uint64_t value)
{
    while (digits > 0) {
        at[--digits] = (char) ('0' + value % 10);
        value /= 10;
    }
}

static void write_hex(char *at, unsigned digits, uint64_t value)
{
    while (digits > 0) {
        at[--digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

/* The finalizer of MurmurHash3: each bit of the value stirs all. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 33) * 0xff51afd7ed558ccd;
    value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53;
    return value ^ value >> 33;
}

/* Overwrites the digits of a KEY. */
static void write_key(char *key, uint64_t n)
{
    write_number(key + FOLDER_AT, FOLDER_DIGITS, n / FOLDER_KEYS);
    write_number(key + NUMBER_AT, NUMBER_DIGITS, n);
    write_hex(key + HEX_AT, 8, mix(n + 1));
}

/* Overwrites the digits of an ETAG. */
static void write_etag(char *etag, const char *key, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char) key[i]) * 0x100000001b3;
    write_hex(etag, 16, mix(hash));
    write_hex(etag + 16, 16, mix(hash + 1));
}

void catalogue_etag(const char *key, char etag[static CATALOGUE_ETAG_SIZE])
{
    memcpy(etag, ETAG, sizeof ETAG);
    write_etag(etag, key, strlen(key));
}

static bool is_below(const char *key, const char *text)
{
    return strcmp(key, text) < 0;
}

static bool is_not_above(const char *key, const char *text)
{
    return strcmp(key, text) <= 0;
}

static bool is_not_beyond_prefix(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) <= 0;
}

/* How many keys, which are in order, pass the test. */
static uint64_t count_passing(
    const struct catalogue *c, bool (*test)(const char *, const char *), const char *text)
{
    char key[] = KEY;
    uint64_t low = 0, high = c->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        write_key(key, middle);
        if (test(key, text))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The keys [*first, *end) are the page's. Returns where the last page ends. */
static uint64_t find_page(const struct catalogue *c, const struct catalogue_query *query,
    uint64_t *first, uint64_t *end)
{
    uint64_t last = count_passing(c, is_not_beyond_prefix, query->prefix);
    *first = higher(query->token, count_passing(c, is_below, query->prefix));
    if (*query->after != '\0')
        *first = higher(*first, count_passing(c, is_not_above, query->after));
    if (*first > last)
        *first = last;
    *end = last - *first > query->max ? *first + query->max : last;
    return last;
}

/* Writes the entries; returns their end. */
static char *write_entries(const struct catalogue *c, uint64_t first, uint64_t end, char *at)
{
    char entry[ENTRY_MAX];
    size_t len = (size_t) snprintf(entry, sizeof entry,
        ENTRY_BEGINS KEY ENTRY_MIDDLE ETAG
        "&quot;</ETag><Size>%llu</Size><StorageClass>STANDARD</StorageClass></Contents>",
        (unsigned long long) c->object_bytes);
    for (uint64_t n = first; n < end; n++, at += len) {
        memcpy(at, entry, len);
        write_key(at + ENTRY_KEY_AT, n);
        write_etag(at + ENTRY_ETAG_AT, at + ENTRY_KEY_AT, KEY_BYTES);
    }
    return at;
}

char *catalogue_page(
    const struct catalogue *c, const struct catalogue_query *query, size_t *len)
{
    uint64_t first, end;
    bool truncated = find_page(c, query, &first, &end) > end;
    char *page = malloc((end - first) * ENTRY_MAX + AROUND_MAX);
    if (page == NULL)
        return NULL;
    char *at = page;
    at += sprintf(at,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bkt</Name>"
        "<Prefix>%.200s</Prefix><KeyCount>%llu</KeyCount><MaxKeys>%u</MaxKeys>"
        "<IsTruncated>%s</IsTruncated>",
        query->prefix, (unsigned long long) (end - first), query->max,
        truncated ? "true" : "false");
    if (truncated)
        at += sprintf(at, "<NextContinuationToken>%llu</NextContinuationToken>",
            (unsigned long long) end);
    at = write_entries(c, first, end, at);
    at += sprintf(at, "</ListBucketResult>");
    *len = (size_t) (at - page);
    return page;
}
