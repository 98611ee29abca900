/* From the manifest's endpoints to libhaul's, with their credentials. */
#ifndef CONNECT_H
#define CONNECT_H

#include <haul/client.h>
#include <haul/refresher.h>
#include <haul/store.h>

#include "manifest.h"

struct connections {
    struct haul_endpoint **endpoints;      /* owned; one a manifest's endpoint, same order */
    struct haul_credentials **credentials; /* owned */
    struct haul_refresher *refresher;      /* owned: keeps all of them fresh */
    size_t count;
};

/* Finds keys and regions. Returns 0; -1 with *err: EXIT_PAUSED when there are no credentials or
 * an endpoint can't be used, which is for somebody to mend. */
int connect_all(const struct manifest *m, struct connections *out, struct error *err);
void connections_free(struct connections *c);

struct haul_endpoint *connection_of(
    const struct connections *c, const struct manifest *m, const struct transfer *t);

/* The steps of it, for one endpoint. NULL with *err (EXIT_PAUSED). bucket may be NULL. */
struct haul_credentials *connect_credentials(
    const struct manifest_endpoint *e, struct error *err);
struct haul_store *connect_store(const struct manifest_endpoint *e,
    const struct haul_credentials *credentials, const char *bucket, struct error *err);

/* Says so when its certificate is not verified. */
void connect_warn(const struct manifest_endpoint *e);

/* A client with the manifest's retries, for one thread; the numbers as in <haul/client.h>. NULL
 * with *err (EXIT_QUEUE): no memory. */
struct haul_client *connect_client(
    const struct manifest *m, unsigned connections, size_t buffers_bytes, struct error *err);

/* Are both sides of each transfer there? Local first (EXIT_USAGE, with the place in the
 * manifest), then one small request for each bucket (EXIT_PAUSED). A store that lets us write
 * but not list is fine. */
int check_local_sides(const struct manifest *m, struct error *err);
int check_remote_sides(
    const struct manifest *m, const struct connections *c, struct error *err);

#endif
