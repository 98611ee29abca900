/* The headers of a request, without those of the signer and of libcurl. */
#ifndef HEADERS_H
#define HEADERS_H

#include "call.h"

/* For call_build(), after the body and the document are there. Returns NULL, or what is wrong
 * with the request: "takes no control characters in headers". */
const char *headers_add(struct call *c, const struct haul_request *r);

/* A copy: does the request give metadata of its own? Then the source's is not kept. Others
 * store what they are given. */
bool headers_replace_metadata(const struct haul_request *r);

#endif
