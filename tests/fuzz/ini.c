/* AWS's shared files: ini.c. The input is such a file, where "hunter2" stands for a secret. */
#include "ini.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const sections[] = { "default", "profile two", "two" };
    static const char *const keys[] = { "aws_access_key_id", "aws_secret_access_key",
        "aws_session_token", "region" };
    struct haul_error err = { .code = HAUL_OK };
    struct ini *i = ini_parse("config", fuzz_text(data, len), len, &err);
    if (i == NULL) {
        fuzz_error(&err);
        must(strncmp(err.text, "config", strlen("config")) == 0);
        must(strstr(err.text, "hunter2") == NULL);
        return 0;
    }
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const char *value = ini_get(i, sections[s], keys[k]);
            must(value == NULL || ini_has(i, sections[s]));
            must(value == NULL || (fuzz_touch(value) <= len && strchr(value, '\n') == NULL));
            value = ini_get_nested(i, sections[s], "s3", keys[k]);
            must(value == NULL || (fuzz_touch(value) <= len && strchr(value, '\n') == NULL));
        }
    const char *section;
    size_t at = 0;
    while ((section = ini_next_section(i, &at)) != NULL && at < 1000)
        must(fuzz_touch(section) <= len && ini_has(i, section));
    ini_free(i);
    return 0;
}
