/* Patterns of include and exclude. Pure.
 * `*` any characters but `/` · `?` one character but `/` · `[a-z]` `[!a-z]` a class ·
 * `**` as a whole segment: any number of segments, none included, but one at least when it
 * comes last · `\` takes the next one literally. A pattern is matched against the whole
 * relative name; one that ends in `/` means everything below it. Bytes, not characters, but `?`
 * and classes take a whole UTF-8 character. Matching takes time linear in pattern × name, never
 * more. */
#ifndef GLOB_PATTERN_H
#define GLOB_PATTERN_H

#include <stdbool.h>

/* NULL: the pattern is well-formed. Else what is wrong with it. */
const char *glob_fault(const char *pattern);

bool glob_matches(const char *pattern, const char *name);

/* Included by one at least (or there are none), excluded by none. NULL-terminated, or NULL. */
bool glob_selects(char *const *include, char *const *exclude, const char *name);

#endif
