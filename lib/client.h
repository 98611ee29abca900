/* What the blocking calls and inquiry.c need of a client beside its public face. */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include <haul/client.h>

/* Inside a done callback: the result and all that it points to outlive the callback, and even
 * the client, until client_release(). Returns the result that was given. */
const struct haul_result *client_keep(const struct haul_result *result);
void client_release(const struct haul_result *kept); /* NULL is fine */

/* From now on another connect_timeout_ms and request_timeout_ms, the same for both. */
void client_set_timeout(struct haul_client *c, unsigned timeout_ms);

#endif
