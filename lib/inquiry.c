/* Questions to the services that give keys: see inquiry.h. */
#include "inquiry.h"

#include <stdlib.h>

#include "client.h"

struct inquirer {
    struct haul_client *client; /* owned */
};

struct inquirer *inquirer_new(struct haul_error *err)
{
    struct inquirer *i = calloc(1, sizeof *i);
    if (i == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    i->client = haul_client_new(NULL, err);
    if (i->client != NULL)
        return i;
    free(i);
    return NULL;
}

void inquirer_free(struct inquirer *i)
{
    if (i == NULL)
        return;
    haul_client_free(i->client);
    free(i);
}

void inquirer_stop(struct inquirer *i)
{
    haul_client_stop(i->client);
}
