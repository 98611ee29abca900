/* Text that grows up to a stated limit and remembers failure: append freely, ask once. */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

#include <haul/error.h>

struct buf {
    char *data;            /* owned; NUL-terminated once anything was added; NULL when empty */
    size_t len;            /* without the NUL */
    size_t size;           /* allocated */
    size_t limit;          /* len never exceeds it */
    bool secret;           /* what it held is wiped before the memory is given back */
    enum haul_code failed; /* not HAUL_OK: too long (HAUL_BAD_ARGUMENT) or HAUL_NO_MEMORY, and
                            * everything after that is ignored */
};

struct buf buf_make(size_t limit);
struct buf buf_make_secret(size_t limit);
void buf_free(struct buf *b);  /* and empty again, with the same limit */
void buf_clear(struct buf *b); /* empty, the memory is kept, failure forgotten */
void buf_hold(struct buf *b);  /* memory for all of its limit: from now on it never moves */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *text);
void buf_add_all(struct buf *b, const char *const texts[]); /* up to a NULL */

/* Not for secrets: the system leaves pieces of what it prints on the stack. */
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "" when nothing was added; never NULL. */
const char *buf_text(const struct buf *b);

/* true, with *err = HAUL_NO_MEMORY or HAUL_BAD_ARGUMENT ("... is longer than N bytes"). */
bool buf_failed(const struct buf *b, const char *what, struct haul_error *err);

#endif
