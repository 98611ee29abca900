/* The JSON of the services that give keys: jsonread.c, and the keys and times in it. */
#include "jsonread.h"

#include "credentials.h"
#include "fuzz.h"
#include "keysjson.h"

static void read_keys(const struct json *j, const struct keysjson_names *names)
{
    struct haul_error err;
    struct keys *k = keysjson_read("the answer", j, names, -1, &err);
    if (k == NULL) {
        fuzz_error(&err);
        return;
    }
    must(fuzz_touch(k->key_id) > 0 && fuzz_touch(k->secret) > 0);
    must(k->expires_ms >= 0);
    fuzz_touch(k->token);
    keys_release(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct keysjson_names sso = { "roleCredentials.accessKeyId",
        "roleCredentials.secretAccessKey", "roleCredentials.sessionToken",
        "roleCredentials.expiration" };
    struct haul_error err;
    char *text = fuzz_text(data, len);
    struct json *j = json_parse("the answer", text, len, &err);
    must(json_time_ms(text) >= -1);
    if (j == NULL) {
        fuzz_error(&err);
    } else {
        read_keys(j, &keysjson_container);
        read_keys(j, &sso);
        fuzz_touch(json_text(j, "message"));
        fuzz_touch(json_text(j, ""));
    }
    json_free(j);
    free(text);
    return 0;
}
