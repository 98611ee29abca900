/* S3's XML documents, and all that is read from them: document.c, rows.c. The input is one. */
#include "document.h"

#include "fuzz.h"
#include "rows.h"

static void touch_entry(const struct haul_entry *e)
{
    fuzz_touch(e->key);
    fuzz_touch(e->etag);
    fuzz_touch(e->upload_id);
    fuzz_touch(e->version_id);
    fuzz_touch(e->storage_class);
    fuzz_touch(e->checksum);
    fuzz_touch(e->aws_code);
    fuzz_touch(e->message);
}

/* Whatever a caller goes on with is there, or it would list one page for ever. */
static void judge_listing(const char *root, const struct haul_listing *l)
{
    bool parts = strcmp(root, "ListPartsResult") == 0;
    bool failures = strcmp(root, "DeleteResult") == 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct haul_entry *e = &l->entries[i];
        touch_entry(e);
        must(e->modified_ms >= -1 && failures == (e->kind == HAUL_DELETE_FAILED));
        must(parts ? e->part_number > 0 : e->key != NULL && *e->key != '\0');
    }
    if (l->truncated)
        must(parts ? l->next_part > 0
                   : fuzz_touch(l->continuation) + fuzz_touch(l->next_key) > 0);
    fuzz_touch(l->next_id);
}

/* Every element; they are no deeper than that. */
static void walk(const struct element *parent, unsigned depth)
{
    must(depth < 32 && *element_name(parent) != '\0');
    const struct element *e = element_first(parent);
    for (; e != NULL; e = element_next(e)) {
        must(element_is(e, element_name(e)));
        fuzz_touch(element_text(parent, element_name(e)));
        walk(e, depth + 1);
    }
}

static void judge_tags(const struct haul_pairs *tags)
{
    for (size_t i = 0; i < tags->count; i++) {
        must(fuzz_touch(tags->pairs[i].name) > 0 && tags->pairs[i].value != NULL);
        fuzz_touch(tags->pairs[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct haul_error err = { .code = HAUL_OK };
    struct haul_listing listing;
    struct haul_pairs tags;
    struct document *d = document_parse((const char *) data, len, &err);
    if (d == NULL) {
        fuzz_error(&err);
        return 0;
    }
    walk(document_element(d), 0);
    fuzz_touch(rows_checksum(document_element(d), HAUL_CHECKSUM_NONE));
    if (rows_listing(d, &listing, &err) == 0)
        judge_listing(document_root(d), &listing);
    else if (rows_tags(d, &tags, &err) == 0)
        judge_tags(&tags);
    else
        fuzz_error(&err);
    document_free(d);
    return 0;
}
