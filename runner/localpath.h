/* Local paths of a manifest, made absolute without a look at the disk. Pure. */
#ifndef LOCALPATH_H
#define LOCALPATH_H

#include <limits.h>

#define LOCALPATH_MAX (PATH_MAX - 2) /* bytes: a final slash and the NUL fit behind them */

/* `text` from the folder `base`, which is what realpath() gave; NULL: text must be absolute.
 * "//" and "/." vanish, a final slash stays. A ".." is followed only where it leads out of
 * `base`: behind another name, which may be a symbolic link, it is refused, as is "~/". So two
 * paths that are written differently and yet equal come out the same.
 * NULL: out is filled. Else what is wrong with it. */
const char *localpath_resolve(const char *base, const char *text, char out[static PATH_MAX]);

#endif
