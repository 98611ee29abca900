/* Transfers of one manifest that must not meet, for they run side by side: two that write one
 * place, and one that reads what another writes. Pure. */
#ifndef CONFLICTS_H
#define CONFLICTS_H

#include <stddef.h>

#include "manifest.h"

/* Why b can't stand in one manifest with a; NULL: they don't meet. Completes "the transfer
 * ...".
 */
const char *conflicts_between(const struct transfer *a, const struct transfer *b);

#endif
