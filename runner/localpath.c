/* Resolves paths by their text alone. Whether something stands there is left to the walk and to
 * the destination. */
#include "localpath.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

const char *localpath_resolve(const char *base, const char *text, char out[static PATH_MAX])
{
    bool in_base = text[0] != '/', folder = false;
    size_t len = 0;

    if (text[0] == '~' && (text[1] == '/' || text[1] == '\0'))
        return "~ is not replaced here: write ${env:HOME}";
    if (in_base && base == NULL)
        return "the path is not absolute";
    if (in_base && strcmp(base, "/") != 0) {
        len = strlen(base);
        if (len > LOCALPATH_MAX)
            return "the path has more than 4094 bytes";
        memcpy(out, base, len);
    }
    for (const char *at = text; *at != '\0';) {
        const size_t n = strcspn(at, "/");
        folder = n == 0 || (n == 1 && at[0] == '.');
        if (n == 2 && at[0] == '.' && at[1] == '.') {
            if (!in_base)
                return "\"..\" behind a folder's name: write the path without it";
            folder = true;
            while (len > 0 && out[--len] != '/')
                ;
        } else if (!folder) {
            if (len + 1 + n > LOCALPATH_MAX)
                return "the path has more than 4094 bytes";
            out[len] = '/';
            memcpy(out + len + 1, at, n);
            len += 1 + n;
            in_base = false;
        }
        at += n;
        if (folder && n > 0 && *at == '\0')
            return "that is a folder: write it with a final slash";
        folder = *at == '/';
        at += folder;
    }
    if (folder || len == 0)
        out[len++] = '/';
    out[len] = '\0';
    return utf8_is_valid(out) ? NULL : "the path is not UTF-8";
}
