/* Where the bytes of a request come from, and where those of a reply go. */
#ifndef HAUL_BODY_H
#define HAUL_BODY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <haul/error.h>

HAUL_BEGIN

/* pread(2) for a body: fills `data` with 1..len bytes found at `offset` of the body and returns
 * how many; 0: the source ends there (too early, which fails the request); -1: errno says why.
 * Never asked for bytes at or behind the body's size. Called on the client's thread, several
 * times for the same bytes when a request is hashed, rewound or sent again. */
typedef ssize_t haul_read_fn(void *payload, uint64_t offset, void *data, size_t len);

/* A body of known length that can be read again. */
struct haul_body {
    haul_read_fn *read; /* NULL: no body, size 0 */
    void *payload;
    uint64_t size; /* bytes */
};

/* Bodies from what is at hand. Nothing is copied or taken over: memory stays as it is, and the
 * descriptor open, until the request is done. */
struct haul_body haul_body_memory(const void *data, size_t len);
struct haul_body haul_body_string(const char *text);  /* without the NUL */
struct haul_body haul_body_fd(int fd, uint64_t size); /* pread() from its beginning on */

/* read(2) for a source of unknown length that can be read once: fills `data` with 1..len bytes
 * and returns how many; 0: the end; -1: errno says why. Called on the caller's thread. */
typedef ssize_t haul_stream_fn(void *payload, void *data, size_t len);

/* Takes `len` bytes that stand at `offset` of the requested range. Returns 0, or -1 with errno.
 * Called on the client's thread, in order from offset 0 without gaps, and only after status,
 * Content-Range, length and ETag were found right. When a GET_OBJECT breaks off the next
 * attempt goes on behind its last byte, if the object has a strong ETag, by which it is asked
 * for then. Offset 0 again means that all before is void: the object was replaced meanwhile
 * (unless the request's if_match names the old one), its checksum proved wrong, or the server
 * can't go on in the middle. */
typedef int haul_write_fn(void *payload, uint64_t offset, const void *data, size_t len);

struct haul_sink {
    haul_write_fn *write; /* NULL: the body is dropped */
    void *payload;
};

/* Told before the byte at offset 0, each time that it comes; an empty body has none: the
 * object's ETag (NULL: none) and how many bytes will come (-1: not known). Gets the sink's
 * payload, returns as haul_write_fn does. */
typedef int haul_begin_fn(void *payload, const char *etag, int64_t bytes);

HAUL_END
#endif
