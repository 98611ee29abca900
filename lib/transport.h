/* Why an attempt brought no reply, or half of one: libcurl's failures in a person's words. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <haul/error.h>

struct exchange;

/* code: libcurl's, of the attempt, which is not forgotten yet. *err is HAUL_NETWORK; HAUL_TLS
 * when one side does not trust the other, or they have no version of TLS in common;
 * HAUL_BAD_CONFIG for a proxy of the environment's that is no URL; HAUL_NO_MEMORY. A failure of
 * a proxy names the proxy, never its password. */
void transport_judge(const struct exchange *x, int code, struct haul_error *err);

#endif
