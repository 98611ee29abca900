/* What the signer needs of <haul/credentials.h>. */
#ifndef CREDENTIALS_INTERNAL_H
#define CREDENTIALS_INTERNAL_H

#include <haul/credentials.h>

struct haul_credentials {
    char *key_id; /* owned, all three; key_id NULL: anonymous */
    char *secret;
    char *token; /* NULL: long-term keys */
};

#endif
