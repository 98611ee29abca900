/* The calls that calls.c and queue_disk.c stand in for, a line each: the build reads their
 * names from here, for the linker's --wrap. */
#ifndef WRAPPED_H
#define WRAPPED_H

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#define WRAPPED(type, name, ...)                                                               \
    type __real_##name(__VA_ARGS__);                                                           \
    type __wrap_##name(__VA_ARGS__)

/* clang-format off */
WRAPPED(void *, malloc, size_t size);
WRAPPED(void *, calloc, size_t count, size_t size);
WRAPPED(void *, realloc, void *old, size_t size);
WRAPPED(char *, strdup, const char *text);
WRAPPED(char *, strndup, const char *text, size_t len);
WRAPPED(int, vasprintf, char **out, const char *format, va_list values);
WRAPPED(int, asprintf, char **out, const char *format, ...);
WRAPPED(FILE *, open_memstream, char **out, size_t *len);

WRAPPED(int, open, const char *path, int flags, ...);
WRAPPED(int, openat, int folder, const char *path, int flags, ...);
WRAPPED(FILE *, fopen, const char *path, const char *mode);
WRAPPED(int, close, int fd);
WRAPPED(ssize_t, read, int fd, void *data, size_t len);
WRAPPED(ssize_t, pread, int fd, void *data, size_t len, off_t at);
WRAPPED(ssize_t, write, int fd, const void *data, size_t len);
WRAPPED(ssize_t, pwrite, int fd, const void *data, size_t len, off_t at);
WRAPPED(int, fsync, int fd);
WRAPPED(int, syncfs, int fd);
WRAPPED(int, fallocate, int fd, int mode, off_t start, off_t len);
WRAPPED(int, ftruncate, int fd, off_t len);
WRAPPED(int, futimens, int fd, const struct timespec times[2]);
WRAPPED(int, fchmod, int fd, mode_t mode);
WRAPPED(int, rename, const char *from, const char *to);
WRAPPED(int, renameat, int from_folder, const char *from, int to_folder, const char *to);
WRAPPED(int, unlink, const char *path);
WRAPPED(int, unlinkat, int folder, const char *path, int flags);
WRAPPED(int, mkdir, const char *path, mode_t mode);
WRAPPED(int, mkdirat, int folder, const char *path, mode_t mode);
WRAPPED(int, stat, const char *path, struct stat *st);
WRAPPED(int, lstat, const char *path, struct stat *st);
WRAPPED(int, fstat, int fd, struct stat *st);
WRAPPED(int, fstatat, int folder, const char *path, struct stat *st, int flags);
WRAPPED(int, access, const char *path, int mode);
WRAPPED(off_t, lseek, int fd, off_t at, int whence);
WRAPPED(ssize_t, getdents64, int fd, void *data, size_t room);
WRAPPED(DIR *, opendir, const char *path);
WRAPPED(char *, realpath, const char *path, char *out);

WRAPPED(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *payload);
WRAPPED(int, eventfd, unsigned value, int flags);
WRAPPED(int, signalfd, int fd, const sigset_t *set, int flags);
WRAPPED(int, epoll_create1, int flags);
WRAPPED(int, epoll_ctl, int fd, int what, int other, struct epoll_event *event);
WRAPPED(int, epoll_wait, int fd, struct epoll_event *events, int room, int timeout_ms);
WRAPPED(int, poll, struct pollfd *fds, nfds_t count, int timeout_ms);
WRAPPED(int, socket, int family, int type, int protocol);
WRAPPED(ssize_t, getrandom, void *data, size_t len, unsigned flags);

WRAPPED(int, sqlite3_step, sqlite3_stmt *s);
WRAPPED(int, sqlite3_exec, sqlite3 *db, const char *script, int (*row)(void *, int, char **, char **), void *payload, char **message);
WRAPPED(int, sqlite3_prepare_v2, sqlite3 *db, const char *text, int len, sqlite3_stmt **out, const char **tail);
WRAPPED(int, sqlite3_prepare_v3, sqlite3 *db, const char *text, int len, unsigned flags, sqlite3_stmt **out, const char **tail);
WRAPPED(int, sqlite3_open_v2, const char *path, sqlite3 **out, int flags, const char *vfs);
WRAPPED(int, sqlite3_errcode, sqlite3 *db);
WRAPPED(const char *, sqlite3_errmsg, sqlite3 *db);
/* clang-format on */

#endif
