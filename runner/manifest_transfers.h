/* The part of the manifest's grammar that is about transfers. One thread. */
#ifndef MANIFEST_TRANSFERS_H
#define MANIFEST_TRANSFERS_H

#include "fields.h"

/* Into the loader's manifest, which has its endpoints by now; `into` is not used. */
field_fn manifest_transfers_read;

void manifest_transfers_free(struct transfer *t);

#endif
