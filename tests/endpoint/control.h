/* The endpoint's face to the test: what lies under /-/. README.md is its manual. */
#ifndef ENDPOINT_CONTROL_H
#define ENDPOINT_CONTROL_H

#include "exchange.h"

/* Serves one request under /-/. false: the connection must be closed. */
bool control_serve(struct server *server, struct request *r);

#endif
