/* S3's XML documents, all that is read from them: document.c. The input is a reply's body. */
#include "document.h"

#include "fuzz.h"

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
    for (size_t i = 0; i < l->count; i++) {
        const struct haul_entry *e = &l->entries[i];
        touch_entry(e);
        must(parts ? e->part_number > 0 : e->key != NULL && *e->key != '\0');
    }
    if (l->truncated)
        must(parts ? l->next_part > 0
                   : fuzz_touch(l->continuation) + fuzz_touch(l->next_key) > 0);
    fuzz_touch(l->next_id);
}

static void read_texts(const struct document *d)
{
    static const char *const names[] = { "Code", "Message", "Region", "ETag", "UploadId" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        fuzz_touch(document_text(d, names[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct haul_error err = { .code = HAUL_OK };
    struct haul_listing listing;
    struct document *d = document_parse((const char *) data, len, &err);
    if (d == NULL) {
        fuzz_error(&err);
        return 0;
    }
    must(*document_root(d) != '\0');
    read_texts(d);
    if (document_listing(d, &listing, &err) == 0)
        judge_listing(document_root(d), &listing);
    else
        fuzz_error(&err);
    document_free(d);
    return 0;
}
