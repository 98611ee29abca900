/* Words for the moment when an endpoint refuses us: what it said, who it is, what to do next.
 */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <haul/haul.h>

#include "error.h"
#include "manifest.h"

/* bucket may be "". Fills *out with EXIT_PAUSED and one line, for example
 * "archive (https://...): PutObject answered 403 InvalidAccessKeyId: ...: check the endpoint's
 * credentials". What to type then, the command adds. */
void refusal_explain(const struct haul_error *refusal, const struct manifest_endpoint *endpoint,
    const char *bucket, struct error *out);

/* A reply to HEAD has no body to say why: expired keys look like an object that is encrypted.
 * true: the request has become one for the object's first byte, which is refused with a reason,
 * or tells all that HEAD does; or, when there is no such byte, a HEAD again. */
bool refusal_asks_again(struct haul_request *request, const struct haul_error *refusal);

#endif
