/* Telling the kept headers apart, and finding them again. */
#include "kept.h"

#include <string.h>
#include <strings.h>

static const char chunked[] = "aws-chunked";

/* A name that ends in a hyphen stands for all that begin so. The first row that fits counts. */
static const struct {
    const char *name;
    unsigned kind; /* 0: not kept */
} kinds[] = {
    { "Cache-Control", KEPT_METADATA },
    { "Content-Disposition", KEPT_METADATA },
    { "Content-Encoding", KEPT_METADATA },
    { "Content-Language", KEPT_METADATA },
    { "Content-Type", KEPT_METADATA },
    { "Expires", KEPT_METADATA },
    { "x-amz-meta-", KEPT_METADATA },
    { "x-amz-website-redirect-location", KEPT_METADATA },
    { "x-amz-tagging", KEPT_TAGS },
    { "x-amz-storage-class", KEPT_STORAGE },
    { "x-amz-server-side-encryption", KEPT_ENCRYPTION },
    { "x-amz-server-side-encryption-aws-kms-key-id", KEPT_ENCRYPTION },
    { "x-amz-server-side-encryption-bucket-key-enabled", KEPT_ENCRYPTION },
    { "x-amz-server-side-encryption-customer-algorithm", KEPT_ENCRYPTION },
    { "x-amz-server-side-encryption-customer-key-MD5", KEPT_ENCRYPTION },
    { "x-amz-checksum-mode", 0 },
    { "x-amz-checksum-", KEPT_CHECKSUM },
};

static unsigned kind_of(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t known = strlen(kinds[i].name);
        bool open = kinds[i].name[known - 1] == '-';
        if ((open ? len > known : len == known) && strncasecmp(name, kinds[i].name, known) == 0)
            return kinds[i].kind;
    }
    return 0;
}

/* "aws-chunked" says how the request came, not what the object is. */
static const char *true_encoding(const char *value)
{
    size_t len = strlen(chunked);
    if (strncasecmp(value, chunked, len) != 0)
        return value;
    return value + len + strspn(value + len, ", ");
}

void kept_from_request(const struct request *r, unsigned wanted, struct text *out)
{
    for (unsigned i = 0; i < r->header_count; i++) {
        const struct header *h = &r->headers[i];
        unsigned kind = kind_of(h->name, strlen(h->name)) & wanted;
        const char *value = h->value;
        if (kind == KEPT_METADATA && strcasecmp(h->name, "Content-Encoding") == 0)
            value = true_encoding(value);
        if (kind != 0 && *value != '\0' &&
            !(kind == KEPT_STORAGE && strcmp(value, "STANDARD") == 0))
            text_addf(out, "%s: %s\r\n", h->name, value);
    }
    if ((wanted & KEPT_METADATA) && request_header(r, "Content-Type") == NULL)
        text_puts(out, "Content-Type: binary/octet-stream\r\n");
}

void kept_copy(const struct text *lines, unsigned wanted, struct text *out)
{
    for (const char *at = text_c(lines), *end; (end = strstr(at, "\r\n")) != NULL; at = end + 2)
        if (kind_of(at, strcspn(at, ":")) & wanted)
            text_add(out, at, (size_t) (end + 2 - at));
}

bool kept_get(const struct text *lines, const char *name, struct text *out)
{
    size_t len = strlen(name);
    text_clear(out);
    for (const char *at = text_c(lines), *end; (end = strstr(at, "\r\n")) != NULL;
         at = end + 2) {
        if (strncasecmp(at, name, len) == 0 && at[len] == ':') {
            text_add(out, at + len + 2, (size_t) (end - at) - len - 2);
            return true;
        }
    }
    return false;
}

const char *kept_storage_class(const struct text *lines, struct text *out)
{
    return kept_get(lines, "x-amz-storage-class", out) ? out->at : "STANDARD";
}
