/* The local side of downloads: where a key may be written, under which temporary name, and how
 * it gets its final one. Nothing here ever follows a symbolic link below the root, and no key
 * can name a place outside of it. Any thread; a destination may be shared. */
#ifndef DESTINATION_H
#define DESTINATION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* Why a key's relative name can't be a file below a folder, or NULL when it can: empty,
 * absolute, an empty segment ("a//b"), "." or "..", a final slash, a segment over 255 bytes,
 * not UTF-8, any segment one of haul's own temporary names (".*.haul-part"). Pure. */
const char *destination_name_fault(const char *name);

/* Is the name, a single segment, one of haul's temporary names? Pure. */
bool destination_is_temp(const char *name);

/* ".<name>.<run>.haul-part", shortened (with a hash of the whole in the middle) when it would
 * exceed 255 bytes. name is a last segment, run at most 64 bytes. Pure. */
void destination_temp_name(const char *name, const char *run, char out[static NAME_MAX + 1]);

/* A place below the root: the folder's descriptor and the two names in it. */
struct place {
    int folder;        /* owned: place_close(); -1 when closed */
    char *name, *temp; /* owned, too */
};

/* Walks from the root folder to the place of `name` with openat(O_NOFOLLOW), one segment at a
 * time; with `create` missing folders are made (also the root and its parents). Returns 0; or
 * -1 with errno: ELOOP or ENOTDIR a link or a file stands where a folder should be, ENOENT
 * without create, EINVAL the name has a fault or the run a slash, EACCES, EROFS, ENOSPC... */
int place_open(
    struct place *p, const char *root, const char *name, const char *run, bool create);
void place_close(struct place *p);

/* A new temporary file (O_EXCL, O_NOFOLLOW, 0600; an old one of the same run is removed first),
 * with room for `size` bytes reserved where the file system can. Returns a descriptor, or -1
 * with errno (ENOSPC early, before a byte was moved). */
int place_create(const struct place *p, uint64_t size);

/* The temporary file again, for read and write. Returns a descriptor; -1 with errno: ENOENT, or
 * EBADMSG when it is not a regular file of exactly `size` bytes. */
int place_reopen(const struct place *p, uint64_t size);

/* Permissions as the umask wants them, and the modification time (-1: not known, so as it is).
 * Before the last sync. */
int place_stamp(int fd, int64_t modified_ms);

/* Renames the temporary file to the final name. EISDIR when a folder stands there. */
int place_publish(const struct place *p);

/* Removes the temporary file; a missing one is fine. */
int place_discard(const struct place *p);

/* The umask of the process, read once, at the start of main() and before any thread. */
void destination_init(void);

#endif
