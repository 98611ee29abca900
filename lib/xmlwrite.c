/* XML for requests: see xmlwrite.h. Written as text, which takes no library. */
#include "xmlwrite.h"

#include <ctype.h>
#include <string.h>

#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

/* The character at *at, which moves on; 0: none of Unicode's. */
static uint32_t next_character(const unsigned char **at)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    const unsigned char *byte = *at;
    unsigned more = *byte < 0x80             ? 0
                    : (*byte & 0xE0) == 0xC0 ? 1
                    : (*byte & 0xF0) == 0xE0 ? 2
                    : (*byte & 0xF8) == 0xF0 ? 3
                                             : 4;
    if (more > 3)
        return 0;
    uint32_t c = *byte & (more == 0 ? 0x7Fu : 0x3Fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (byte[i] & 0x3Fu);
    }
    *at += more + 1;
    return c < least[more] ? 0 : c;
}

bool xmlwrite_is_text(const char *text)
{
    for (const unsigned char *at = (const unsigned char *) text; *at != '\0';) {
        uint32_t c = next_character(&at);
        bool ok = c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c < 0xD800) ||
                  (c >= 0xE000 && c < 0xFFFE) || (c >= 0x10000 && c < 0x110000);
        if (!ok)
            return false;
    }
    return true;
}

/* As references: white space that a reader would turn into blanks or line feeds. */
static const char *const escapes[256] = {
    ['&'] = "&amp;",
    ['<'] = "&lt;",
    ['>'] = "&gt;",
    ['\t'] = "&#9;",
    ['\n'] = "&#10;",
    ['\r'] = "&#13;",
};

static void add_element(struct buf *b, const char *name, const char *text)
{
    buf_addf(b, "<%s>", name);
    while (*text != '\0') {
        size_t run = strcspn(text, "&<>\t\n\r");
        buf_add(b, text, run);
        text += run;
        if (*text != '\0')
            buf_adds(b, escapes[(unsigned char) *text++]);
    }
    buf_addf(b, "</%s>", name);
}

static void add_checksum(struct buf *b, enum haul_checksum kind, const char *value)
{
    char name[32] = "Checksum";
    if (kind == HAUL_CHECKSUM_NONE || kind == HAUL_MD5 || value == NULL)
        return;
    strcat(name, haul_checksum_name(kind));
    for (char *c = name + strlen("Checksum"); *c != '\0'; c++)
        *c = (char) toupper((unsigned char) *c);
    add_element(b, name, value);
}

void xmlwrite_parts(
    struct buf *b, const struct haul_part *parts, size_t count, enum haul_checksum kind)
{
    buf_adds(b, "<CompleteMultipartUpload" NAMESPACE ">");
    for (size_t i = 0; i < count; i++) {
        buf_addf(b, "<Part><PartNumber>%u</PartNumber>", parts[i].number);
        add_element(b, "ETag", parts[i].etag);
        add_checksum(b, kind, parts[i].checksum);
        buf_adds(b, "</Part>");
    }
    buf_adds(b, "</CompleteMultipartUpload>");
}

void xmlwrite_victims(struct buf *b, const struct haul_victim *victims, size_t count)
{
    buf_adds(b, "<Delete" NAMESPACE "><Quiet>true</Quiet>");
    for (size_t i = 0; i < count; i++) {
        buf_adds(b, "<Object>");
        add_element(b, "Key", victims[i].key);
        if (victims[i].version_id != NULL)
            add_element(b, "VersionId", victims[i].version_id);
        buf_adds(b, "</Object>");
    }
    buf_adds(b, "</Delete>");
}

void xmlwrite_tags(struct buf *b, const struct haul_pairs *tags)
{
    buf_adds(b, "<Tagging" NAMESPACE "><TagSet>");
    for (size_t i = 0; i < tags->count; i++) {
        buf_adds(b, "<Tag>");
        add_element(b, "Key", tags->pairs[i].name);
        add_element(b, "Value", tags->pairs[i].value);
        buf_adds(b, "</Tag>");
    }
    buf_adds(b, "</TagSet></Tagging>");
}

void xmlwrite_region(struct buf *b, const char *region)
{
    buf_adds(b, "<CreateBucketConfiguration" NAMESPACE ">");
    add_element(b, "LocationConstraint", region);
    buf_adds(b, "</CreateBucketConfiguration>");
}
