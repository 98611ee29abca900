/* Compares transfers by their text. Symbolic links, and two endpoints that are one store, can't
 * be seen here. */
#include "conflicts.h"

#include <string.h>

static bool is_folder(const char *name, size_t len)
{
    return len == 0 || name[len - 1] == '/';
}

/* Are they one place, or is one a folder (or prefix) that holds the other? */
static bool overlap(const char *a, const char *b)
{
    const size_t a_len = strlen(a), b_len = strlen(b);
    const size_t len = a_len < b_len ? a_len : b_len;
    return strncmp(a, b, len) == 0 && (a_len == b_len || is_folder(a, len));
}

/* Is one a file where the other needs a folder? "/a/b" and "/a/b/", "/a/b" and "/a/b/c" */
static bool is_file_in_the_way(const char *a, const char *b)
{
    const size_t a_len = strlen(a), b_len = strlen(b);
    const size_t len = a_len < b_len ? a_len : b_len;
    return a_len != b_len && strncmp(a, b, len) == 0 && !is_folder(a, len) &&
           (a_len > len ? a : b)[len] == '/';
}

static bool is_same_bucket(const struct transfer *a, const struct transfer *b)
{
    return a->endpoint == b->endpoint && strcmp(a->bucket, b->bucket) == 0;
}

const char *conflicts_between(const struct transfer *a, const struct transfer *b)
{
    const bool both = is_same_bucket(a, b);

    if (a->kind != b->kind) {
        if (overlap(a->local, b->local))
            return "the upload reads what the download writes";
        return both && overlap(a->key, b->key) ? "the download reads what the upload writes"
                                               : NULL;
    }
    if (a->kind == TRANSFER_UPLOAD)
        return both && strcmp(a->key, b->key) == 0 ? "both write one destination" : NULL;
    if (strcmp(a->local, b->local) == 0)
        return "both write one destination";
    return is_file_in_the_way(a->local, b->local)
               ? "one writes a file where the other needs a folder"
               : NULL;
}
