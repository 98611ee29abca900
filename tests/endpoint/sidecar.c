/* Paths and contents of the small files. */
#include "sidecar.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/* Stands where an object's ETag would. */
static const char marker[] = "-";

const char *sidecar_folder(
    const struct text *bucket, const char *file, char out[static SIDECAR_PATH_MAX])
{
    snprintf(out, SIDECAR_PATH_MAX, "buckets/%.63s/%s", text_c(bucket), file);
    return out;
}

/* Keys may be any bytes and longer than file names: the key's hash names the file. */
const char *sidecar_path(const struct text *bucket, const struct text *key, const char *version,
    char out[static SIDECAR_PATH_MAX])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct text name = { 0 };
    SHA256((const unsigned char *) key->at, key->len, hash);
    text_add_hex(&name, hash, 20);
    if (strcmp(version, VERSION_NULL) != 0)
        text_addf(&name, "-%s", version);
    sidecar_folder(bucket, name.at, out);
    text_free(&name);
    return out;
}

/* The small file: "ETAG SIZE MODIFIED SERIAL VERSION KEY\n", then what is kept. */
void sidecar_write(struct text *out, const struct text *key, const struct object *o)
{
    text_addf(out, "%s %" PRIu64 " %" PRId64 " %" PRIx64 " %s ",
        o->is_marker ? marker : o->etag, o->size, o->modified_ms, o->serial, o->version);
    text_add_percent(out, key, "/");
    text_puts(out, "\n");
    text_append(out, &o->kept);
}

int sidecar_read(const struct text *in, struct text *key, struct object *o)
{
    int at = 0;
    sscanf(text_c(in), "%47s %" SCNu64 " %" SCNd64 " %" SCNx64 " %19s %n", o->etag, &o->size,
        &o->modified_ms, &o->serial, o->version, &at);
    const char *end = at > 0 ? strchr(in->at + at, '\n') : NULL;
    if (end == NULL)
        return -1;
    o->is_marker = strcmp(o->etag, marker) == 0;
    text_add_unpercent(key, in->at + at, (size_t) (end - in->at) - (size_t) at, false);
    text_add(&o->kept, end + 1, in->len - (size_t) (end + 1 - in->at));
    return 0;
}

/* The file .settings: "VERSIONING REGION\n". */
int sidecar_write_settings(
    struct drafts *drafts, const struct text *bucket, const struct settings *settings)
{
    char path[SIDECAR_PATH_MAX];
    struct text content = { 0 };
    text_addf(&content, "%d %s\n", settings->versioning, settings->region);
    int rc = draft_small_file(drafts, sidecar_folder(bucket, ".settings", path), &content);
    text_free(&content);
    return rc;
}

void sidecar_read_settings(
    struct drafts *drafts, const struct text *bucket, struct settings *out)
{
    char path[SIDECAR_PATH_MAX];
    struct text content = { 0 };
    int versioning = VERSIONING_NEVER;
    draft_read_file(drafts, sidecar_folder(bucket, ".settings", path), &content);
    sscanf(text_c(&content), "%d %63s", &versioning, out->region);
    out->versioning = (enum versioning) versioning;
    text_free(&content);
}

int sidecar_store(struct drafts *drafts, const struct text *bucket, const struct text *key,
    const struct object *o)
{
    char path[SIDECAR_PATH_MAX];
    struct text content = { 0 };
    sidecar_write(&content, key, o);
    int rc = draft_small_file(drafts, sidecar_path(bucket, key, o->version, path), &content);
    text_free(&content);
    return rc;
}
