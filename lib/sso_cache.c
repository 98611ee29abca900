/* The token cache of IAM Identity Center's logins: see sso_cache.h. What a token is asked for,
 * and who renews it, is credentials_sso.c's. */
#include "sso_cache.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "descriptor.h"
#include "hash.h"
#include "homedir.h"
#include "jsonread.h"
#include "jsonwrite.h"
#include "temporary.h"
#include "tokenfile.h"

#define SHA1_BYTES 20
#define TIME_SIZE 32

void sso_token_free(struct sso_token *t)
{
    json_free(t->members);
    *t = (struct sso_token){ .members = NULL };
}

int sso_cache_path(const char *name, char path[static PATH_MAX], struct haul_error *err)
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    char hex[2 * SHA1_BYTES + 1];
    char home[PATH_MAX];
    if (homedir_find(home) < 0)
        return haul_error_set(err, HAUL_NO_CREDENTIALS,
            "HOME is not set, nor has this user a home: there is no login of `aws sso login`");
    struct haul_sum *s = haul_sum_new(HAUL_SHA1);
    if (s != NULL)
        haul_sum_add(s, name, strlen(name));
    bool ok = s != NULL && haul_sum_end(s, value) == SHA1_BYTES;
    haul_sum_free(s);
    if (!ok)
        return haul_error_set(err, HAUL_NO_MEMORY, "SHA-1 is not to be had");
    hex_encode(value, SHA1_BYTES, hex);
    if (snprintf(path, PATH_MAX, "%s/.aws/sso/cache/%s.json", home, hex) >= PATH_MAX)
        return haul_error_set(err, HAUL_BAD_CONFIG, "HOME is too long: %s", home);
    return 0;
}

/* ---- Reading ---- */

int sso_cache_read(const char *path, struct buf *text, struct haul_error *err)
{
    buf_hold(text);
    if (buf_failed(text, "a login", err))
        return -1;
    ssize_t len = descriptor_read_file(path, text->data, text->limit + 1);
    if (len < 0)
        return haul_error_set(err, HAUL_NO_CREDENTIALS, "%s", strerror(errno));
    if ((size_t) len > text->limit)
        return haul_error_set(err, HAUL_NO_CREDENTIALS, "it is over %zu bytes", text->limit);
    text->len = (size_t) len;
    text->data[len] = '\0';
    return 0;
}

static int64_t time_of(const struct json *j, const char *name)
{
    const char *text = json_text(j, name);
    return text == NULL ? -1 : json_time_ms(text);
}

/* Until when a new one is to be had for it. */
static int64_t find_renewable_ms(const struct json *j)
{
    static const char *const needs[] = { "refreshToken", "clientId", "clientSecret" };
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (json_text(j, needs[i]) == NULL)
            return 0;
    int64_t ms = time_of(j, "registrationExpiresAt");
    return ms < 0 ? 0 : ms;
}

int sso_cache_parse(const struct buf *text, struct sso_token *out, struct haul_error *err)
{
    struct json *j = json_parse("it", buf_text(text), text->len, err);
    if (j == NULL)
        return err->code == HAUL_NO_MEMORY
                   ? -1
                   : haul_error_set(err, HAUL_NO_CREDENTIALS, "%s", err->text);
    struct sso_token t = { j, json_text(j, "accessToken"), time_of(j, "expiresAt"),
        find_renewable_ms(j) };
    const char *fault = t.access == NULL ? "is missing" : tokenfile_fault(t.access);
    if (fault == NULL && t.expires_ms >= 0) {
        *out = t;
        return 0;
    }
    haul_error_set(err, HAUL_NO_CREDENTIALS, "its %s %s", fault ? "accessToken" : "expiresAt",
        fault                               ? fault
        : json_text(j, "expiresAt") == NULL ? "is missing"
                                            : "is no time");
    sso_token_free(&t);
    return -1;
}

/* ---- Writing ---- */

static void add_time(struct buf *b, const char *name, int64_t ms)
{
    time_t seconds = (time_t) (ms / 1000);
    char text[TIME_SIZE];
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    jsonwrite_member(b, name, text);
}

void sso_cache_renew(const struct sso_token *t, const char *access, const char *refresh,
    int64_t expires_ms, struct buf *text)
{
    static const char *const kept[] = { "startUrl", "region", "clientId", "clientSecret",
        "registrationExpiresAt" };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = json_text(t->members, kept[i]);
        if (value != NULL)
            jsonwrite_member(text, kept[i], value);
    }
    jsonwrite_member(text, "accessToken", access);
    add_time(text, "expiresAt", expires_ms);
    jsonwrite_member(
        text, "refreshToken", refresh ? refresh : json_text(t->members, "refreshToken"));
    buf_adds(text, "}");
}

int sso_cache_write(const char *path, const struct buf *text, struct haul_error *err)
{
    struct temporary file;
    if (temporary_open_private(&file, path, err) < 0)
        return -1;
    if (descriptor_write_at(file.fd, 0, text->data, text->len) == 0)
        return temporary_publish(&file, err);
    descriptor_error(err, path);
    temporary_discard(&file);
    return -1;
}
