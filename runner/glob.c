/* Patterns against names. `*` in a segment and `**` among segments work alike: after a mismatch
 * only the last star takes one more, because an earlier star could not reach further than the
 * later one can. So no pair of pattern and name bytes is compared twice. What the patterns are
 * for, and in which order they count, is left to the manifest and the planner. */
#include "glob.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "utf8.h"

/* The next character; a byte that is none stands for itself, beyond all characters. */
static uint32_t next_character(const char **text)
{
    uint32_t code = 0x110000 + (unsigned char) **text;
    unsigned len = utf8_decode(*text, &code);
    *text += len > 0 ? len : 1;
    return code;
}

static uint32_t next_literal(const char **p, const char *end)
{
    *p += **p == '\\' && *p + 1 < end;
    return next_character(p);
}

/* Reads what follows a '[': is `code` in that class? Returns the place after its ']'; NULL with
 * *fault: it is malformed. A ']' that comes first and a '-' at either end are ordinary. */
static const char *read_class(
    const char *p, const char *end, uint32_t code, bool *is_in, const char **fault)
{
    bool found = false, negated = p < end && *p == '!';
    if (p < end && *p == '^') {
        *fault = "a class is negated with `[!...]`; for the character write `[\\^...]`";
        return NULL;
    }
    p += negated;
    for (const char *first = p; p < end && (*p != ']' || p == first);) {
        uint32_t low = next_literal(&p, end), high = low;
        if (end - p > 1 && *p == '-' && p[1] != ']') {
            p++;
            high = next_literal(&p, end);
        }
        if (high < low) {
            *fault = "a range in `[...]` runs backwards";
            return NULL;
        }
        found = found || (low <= code && code <= high);
    }
    if (p >= end) {
        *fault = "`[` has no `]` before the next `/`";
        return NULL;
    }
    *is_in = found != negated;
    return p + 1;
}

/* Does what stands at *p, no `*`, take the character at *n? Moves both when it does. */
static bool item_matches(const char **p, const char *p_end, const char **n)
{
    const char *p_next = *p, *n_next = *n, *fault;
    uint32_t code = next_character(&n_next);
    bool matches = true;
    if (*p_next == '?')
        p_next++;
    else if (*p_next == '[')
        p_next = read_class(p_next + 1, p_end, code, &matches, &fault);
    else
        matches = next_literal(&p_next, p_end) == code;
    if (!matches || !p_next)
        return false;
    *p = p_next;
    *n = n_next;
    return true;
}

static bool segment_matches(const char *p, const char *p_end, const char *n, const char *n_end)
{
    const char *star = NULL, *retry = NULL;
    while (n < n_end) {
        if (p < p_end && *p == '*') {
            star = ++p;
            retry = n;
        } else if (p >= p_end || !item_matches(&p, p_end, &n)) {
            if (!star)
                return false;
            next_character(&retry);
            p = star;
            n = retry;
        }
    }
    while (p < p_end && *p == '*')
        p++;
    return p == p_end;
}

/* The segment after the one that ends here, or NULL. */
static const char *segment_after(const char *end)
{
    return *end == '/' ? end + 1 : NULL;
}

/* `**`, and also the nothing after a final slash. */
static bool is_globstar(const char *p, const char *end)
{
    return p == end ? *end == '\0' : end - p == 2 && p[0] == '*' && p[1] == '*';
}

bool glob_matches(const char *pattern, const char *name)
{
    const char *p = pattern, *n = name, *star = NULL, *retry = NULL;
    while (n) {
        const char *p_end = p ? strchrnul(p, '/') : NULL, *n_end = strchrnul(n, '/');
        if (p && is_globstar(p, p_end)) {
            if (*p_end == '\0')
                return true; /* it takes all that is left, at least this segment */
            star = p = p_end + 1;
            retry = n;
        } else if (p && segment_matches(p, p_end, n, n_end)) {
            p = segment_after(p_end);
            n = segment_after(n_end);
        } else {
            if (!star)
                return false;
            p = star;
            n = retry = segment_after(strchrnul(retry, '/'));
        }
    }
    return !p;
}

static const char *segment_fault(const char *p, const char *end)
{
    const char *fault = NULL;
    bool is_in;
    if (is_globstar(p, end))
        return NULL;
    while (p < end) {
        if (p[0] == '*' && p[1] == '*')
            return "`**` must be a whole segment, as in `a/**/b`";
        if (p[0] == '\\' && p + 1 == end)
            return "`\\` needs a character after it, other than `/`";
        if (*p == '[') {
            p = read_class(p + 1, end, 0, &is_in, &fault);
            if (!p)
                return fault;
        } else {
            next_literal(&p, end);
        }
    }
    return NULL;
}

const char *glob_fault(const char *pattern)
{
    if (*pattern == '\0')
        return "the pattern is empty";
    if (*pattern == '/')
        return "the pattern begins with `/`, but names are relative";
    if (!utf8_is_valid(pattern))
        return "the pattern is not UTF-8";
    const char *fault = NULL;
    for (const char *p = pattern, *end; p && !fault; p = segment_after(end)) {
        end = strchrnul(p, '/');
        fault = segment_fault(p, end);
    }
    return fault;
}

static bool matches_any(char *const *patterns, const char *name)
{
    for (; patterns && *patterns; patterns++)
        if (glob_matches(*patterns, name))
            return true;
    return false;
}

bool glob_selects(char *const *include, char *const *exclude, const char *name)
{
    bool included = !include || !*include || matches_any(include, name);
    return included && !matches_any(exclude, name);
}
