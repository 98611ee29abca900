/* What people write in a line: patterns (glob.c) and sizes (sizes.c). The input's lines are a
 * pattern, a name, and a size. */
#include "glob.h"

#include "fuzz.h"
#include "sizes.h"

static void judge_size(const char *text)
{
    uint64_t bytes = 0, again = 1;
    char shown[SIZES_TEXT_SIZE], exact[32];
    if (sizes_parse(text, &bytes) != NULL)
        return;
    snprintf(exact, sizeof exact, "%llu", (unsigned long long) bytes);
    must(sizes_parse(exact, &again) == NULL && again == bytes);
    must(fuzz_touch(sizes_format(bytes, shown)) < sizeof shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len), *rest = text, *pattern = fuzz_line(&rest);
    char *name = fuzz_line(&rest), *patterns[] = { pattern, NULL };
    const char *fault = glob_fault(pattern);
    judge_size(fuzz_line(&rest));
    if (fault == NULL) {
        bool matches = glob_matches(pattern, name);
        must(glob_selects(patterns, NULL, name) == matches);
        must(!glob_selects(patterns, patterns, name));
        must(strpbrk(pattern, "*?[\\") != NULL || pattern[strlen(pattern) - 1] == '/' ||
             matches == (strcmp(pattern, name) == 0));
    } else {
        fuzz_plain(fault);
    }
    free(text);
    return 0;
}
