/* A new folder's name is as durable as the last sync of the folder above it. Here it becomes
 * so, and the names of all above it, since whoever made them may have died before their sync.
 */
#ifndef ANCHORS_H
#define ANCHORS_H

#include <sys/types.h>

#define ANCHORS_KNOWN 512

/* Folders whose names are durable, so that they are synced once a process; {0}: none yet. One
 * thread's. */
struct anchors {
    struct {
        dev_t device;
        ino_t inode;
    } known[ANCHORS_KNOWN];
};

/* Syncs the folders above this one, up to the first that is known, the file system's top, or
 * one that we may not read: that was there before us. Returns 0, or -1 with errno. */
int anchors_sync(struct anchors *a, int folder);

#endif
