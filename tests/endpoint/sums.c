/* Which kinds and types of checksums go together, and how they are written. */
#include "sums.h"

#include "kept.h"

#include <stdlib.h>
#include <string.h>

static const char algorithm_header[] = "x-amz-checksum-algorithm",
                  type_header[] = "x-amz-checksum-type";

const char *sums_type(bool whole)
{
    return whole ? "FULL_OBJECT" : "COMPOSITE";
}

const char *sums_announce(const struct request *r, struct text *kept)
{
    const char *algorithm = request_header(r, algorithm_header);
    const char *type = request_header(r, type_header);
    if (algorithm == NULL)
        return type == NULL ? NULL : "InvalidRequest";
    enum digest_kind kind = digest_named(algorithm);
    bool whole = type != NULL ? strcmp(type, sums_type(true)) == 0 : kind == DIGEST_CRC64NVME;
    bool is_sha = kind == DIGEST_SHA1 || kind == DIGEST_SHA256;
    if (kind == DIGEST_NONE || (type != NULL && strcmp(type, sums_type(whole)) != 0) ||
        (whole && is_sha) || (!whole && kind == DIGEST_CRC64NVME))
        return "InvalidRequest";
    text_addf(kept, "%s: %s\r\n%s: %s\r\n", algorithm_header, digest_name(kind), type_header,
        sums_type(whole));
    return NULL;
}

/* The kind whose header is kept, and its value. */
static enum digest_kind find_sum(const struct text *kept, struct text *value)
{
    char name[DIGEST_HEADER_MAX];
    enum digest_kind kind = DIGEST_MD5;
    while (--kind > DIGEST_NONE && !kept_get(kept, digest_header(kind, name), value))
        continue;
    return kind;
}

struct sums_plan sums_plan_of(const struct text *kept)
{
    struct sums_plan plan = { .kind = DIGEST_NONE };
    struct text value = { 0 };
    if (!kept_get(kept, type_header, &value))
        goto out;
    plan.whole = strcmp(value.at, sums_type(true)) == 0;
    plan.kind = kept_get(kept, algorithm_header, &value) ? digest_named(value.at)
                                                         : find_sum(kept, &value);
out:
    text_free(&value);
    return plan;
}

void sums_keep(struct text *kept, enum digest_kind kind, const char *base64, bool whole)
{
    sums_add_header(kept, kind, base64, false);
    if (kind != DIGEST_NONE)
        text_addf(kept, "%s: %s\r\n", type_header, sums_type(whole));
}

bool sums_get(const struct text *kept, struct text *out)
{
    return find_sum(kept, out) != DIGEST_NONE;
}

/* Of a composite value the number of parts may be left out. */
static bool is_same(const char *claimed, const char *found, bool whole)
{
    size_t len = strlen(claimed);
    return strcmp(claimed, found) == 0 ||
           (!whole && strncmp(claimed, found, len) == 0 && found[len] == '-');
}

const char *sums_refuse(
    const struct request *r, const struct sums_plan *plan, const char *base64, uint64_t size)
{
    const char *type = request_header(r, type_header);
    const char *claimed_size = request_header(r, "x-amz-mp-object-size");
    char name[DIGEST_HEADER_MAX];
    if ((type != NULL && (plan->kind == DIGEST_NONE || strcmp(type, sums_type(plan->whole)))) ||
        (claimed_size != NULL && strtoull(claimed_size, NULL, 10) != size))
        return "InvalidRequest";
    for (enum digest_kind kind = DIGEST_CRC32; kind < DIGEST_MD5; kind++) {
        const char *claimed = request_header(r, digest_header(kind, name));
        if (claimed != NULL && kind != plan->kind)
            return "InvalidRequest";
        if (claimed != NULL && !is_same(claimed, base64, plan->whole))
            return "BadDigest";
    }
    return NULL;
}

/* Base64 with another first digit if it must be wrong. */
static void add_value(struct text *out, const char *base64, bool wrong)
{
    if (wrong && *base64 != '\0')
        text_puts(out, *base64++ == 'A' ? "B" : "A");
    text_puts(out, base64);
}

void sums_add_header(struct text *out, enum digest_kind kind, const char *base64, bool wrong)
{
    char name[DIGEST_HEADER_MAX];
    if (kind == DIGEST_NONE)
        return;
    text_addf(out, "%s: ", digest_header(kind, name));
    add_value(out, base64, wrong);
    text_puts(out, "\r\n");
}

void sums_add_xml(struct text *out, enum digest_kind kind, const char *base64, bool wrong)
{
    if (kind == DIGEST_NONE)
        return;
    text_addf(out, "<Checksum%s>", digest_name(kind));
    add_value(out, base64, wrong);
    text_addf(out, "</Checksum%s>", digest_name(kind));
}

void sums_add_plan(struct text *out, const struct sums_plan *plan)
{
    if (plan->kind != DIGEST_NONE)
        text_addf(out,
            "<ChecksumAlgorithm>%s</ChecksumAlgorithm><ChecksumType>%s</ChecksumType>",
            digest_name(plan->kind), sums_type(plan->whole));
}
