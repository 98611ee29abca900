/* What the library itself does with bodies: see <haul/body.h>. */
#ifndef BODY_INTERNAL_H
#define BODY_INTERNAL_H

#include <haul/body.h>

/* b->read(), and -1 with EOVERFLOW when that claims more than it was asked for. */
ssize_t body_read(const struct haul_body *b, uint64_t offset, void *data, size_t len);

#endif
