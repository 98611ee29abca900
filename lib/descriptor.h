/* Descriptors as the transfers use them: whatever the kernel cuts short, interrupts or is not
 * ready for is gone on with. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <haul/error.h>

/* *err = HAUL_LOCAL: "NAME: what errno says"; ENOMEM is HAUL_NO_MEMORY, ECANCELED is
 * HAUL_CANCELLED. Returns -1. */
int descriptor_error(struct haul_error *err, const char *name);

/* Leaves errno as it is. -1 is fine. */
void descriptor_close(int fd);

/* All of it. SIGPIPE is kept from the process: EPIPE tells it. Returns 0, or -1 with errno;
 * ECANCELED: *stop was set while it waited. */
int descriptor_write(int fd, const void *data, size_t len, const atomic_bool *stop);

/* All of it, at its place in a regular file. Returns 0, or -1 with errno. */
int descriptor_write_at(int fd, uint64_t offset, const void *data, size_t len);

/* As pread(), but for EINTR. */
ssize_t descriptor_read_at(int fd, uint64_t offset, void *data, size_t len);

/* A file's first `room` bytes, or all of them: without stdio, whose buffers would keep secrets
 * that nobody wipes. Returns how many, or -1 with errno. */
ssize_t descriptor_read_file(const char *path, void *data, size_t room);

#endif
