/* The URL forms of a store: location.c, and endpoint.c on what comes of them. The input's lines
 * are the URL, where "hunter2" stands for a secret, the bucket's name, AWS_ENDPOINT_URL_S3, and
 * "path" or "virtual"; any may be empty or missing. */
#include "location.h"

#include "credentials.h"
#include "fuzz.h"

static const char *given(const char *text)
{
    return *text != '\0' ? text : NULL;
}

/* What requests are built of: no byte in it begins another line, or another host. */
static void judge_endpoint(const struct haul_endpoint *e, const char *bucket)
{
    struct buf host = buf_make(4096), path = buf_make(65536);
    endpoint_add_host(&host, e, bucket, "here-1", false);
    endpoint_add_path(&path, e, bucket, "a key");
    must(host.len > 0 && *buf_text(&path) == '/');
    for (size_t i = 0; i < host.len; i++)
        must((unsigned char) host.data[i] > ' ' && strchr("/?#@\\", host.data[i]) == NULL);
    for (size_t i = 0; i < path.len; i++)
        must((unsigned char) path.data[i] > ' ' && strchr("?#", path.data[i]) == NULL);
    buf_free(&host);
    buf_free(&path);
}

static void judge(const struct location *l, struct haul_error *err)
{
    must(l->bucket == NULL || *l->bucket != '\0');
    must(l->credentials == NULL || credentials_check(l->credentials, err) == 0);
    const struct haul_endpoint_options options = { .url = l->url,
        .addressing = l->addressing,
        .region = *l->region != '\0' ? l->region : NULL };
    struct haul_endpoint *e = haul_endpoint_new(&options, err);
    if (e == NULL)
        return;
    if (l->bucket != NULL && strspn(l->bucket, "abcdefghijklmnopqrstuvwxyz0123456789-.") ==
                                 strlen(l->bucket)) /* others are refused with each request */
        judge_endpoint(e, l->bucket);
    haul_endpoint_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct haul_error err = { .code = HAUL_OK };
    struct location l;
    char *text = fuzz_text(data, len), *rest = text;
    const char *url = fuzz_line(&rest);
    struct haul_store_options options = { .bucket = given(fuzz_line(&rest)) };
    const char *aws_url = given(fuzz_line(&rest)), *addressing = fuzz_line(&rest);
    options.endpoint.addressing = strcmp(addressing, "path") == 0      ? HAUL_ADDRESS_PATH
                                  : strcmp(addressing, "virtual") == 0 ? HAUL_ADDRESS_VIRTUAL
                                                                       : HAUL_ADDRESS_AUTO;
    if (location_find(url, aws_url, &options, &l, &err) == 0) {
        judge(&l, &err);
        location_free(&l);
    }
    if (err.code != HAUL_OK) {
        fuzz_error(&err);
        must(strstr(err.text, "hunter2") == NULL);
    }
    free(text);
    return 0;
}
