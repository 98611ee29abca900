/* Keys out of a JSON document: see keysjson.h. */
#include "keysjson.h"

#include <stdio.h>
#include <string.h>

#include "credentials.h"
#include "inquiry.h"
#include "jsonread.h"
#include "rows.h"

#define LAST_MS UINT64_C(253402300799999) /* of the year 9999, as times in words have it */

const struct keysjson_names keysjson_container = { "AccessKeyId", "SecretAccessKey", "Token",
    "Expiration" };

static const char *need(
    const char *where, const struct json *j, const char *name, struct haul_error *err)
{
    const char *text = json_text(j, name);
    if (text != NULL && *text != '\0')
        return text;
    haul_error_set(err, HAUL_BAD_REPLY, "%s: %s is missing", where, name);
    return NULL;
}

static bool read_time(const char *text, int64_t *ms)
{
    uint64_t number;
    const char *rest = text;
    bool is_number = rows_take_number(&rest, &number) && *rest == '\0' && number <= LAST_MS;
    *ms = is_number ? (int64_t) number : json_time_ms(text);
    return *ms >= 0;
}

struct keys *keysjson_read(const char *where, const struct json *j,
    const struct keysjson_names *names, int64_t server_ms, struct haul_error *err)
{
    const char *key_id = need(where, j, names->key_id, err);
    const char *secret = key_id ? need(where, j, names->secret, err) : NULL;
    const char *expires = json_text(j, names->expires);
    int64_t expires_ms = KEYS_NEVER_EXPIRE;
    if (secret == NULL)
        return NULL;
    if (expires != NULL && *expires != '\0' && !read_time(expires, &expires_ms)) {
        haul_error_set(err, HAUL_BAD_REPLY, "%s: %s is no time", where, names->expires);
        return NULL;
    }
    struct keys *k = keys_new(where, key_id, secret, json_text(j, names->token), err);
    if (k == NULL)
        return NULL;
    keys_set_expiry(k, expires_ms, server_ms);
    return k;
}

struct keys *keysjson_ask(struct inquirer *i, const struct inquiry *q,
    const struct keysjson_names *names, struct haul_error *err)
{
    char where[256];
    struct answer a;
    struct json *j = NULL;
    struct keys *k = NULL;
    const char *code, *message;
    if (inquire(i, q, &a, err) < 0)
        return NULL;
    snprintf(where, sizeof where, "%s at %s", q->whom, q->url);
    if (a.status < 200 || a.status >= 300) {
        answer_refusal(&a, q, HAUL_SERVER, err);
        goto out;
    }
    if ((j = json_parse(where, a.text, a.len, err)) == NULL)
        goto out;
    code = json_text(j, "Code");
    message = json_text(j, "Message");
    if (code != NULL && strcmp(code, "Success") != 0) {
        haul_error_set(err, HAUL_SERVER, "%s answered %s%s%s", where, code, message ? ": " : "",
            message ? message : "");
        inquiry_hide(q, err->text);
    } else {
        k = keysjson_read(where, j, names, a.server_ms, err);
    }
out:
    json_free(j);
    answer_free(&a);
    return k;
}
