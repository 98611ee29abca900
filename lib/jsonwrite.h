/* The flat JSON objects that the credential services are asked with. Pure; how long they may
 * get, the buffers know. */
#ifndef JSONWRITE_H
#define JSONWRITE_H

#include "buf.h"

/* A member whose value is a string of UTF-8, behind those that are there, if any. The closing
 * brace is the caller's. */
void jsonwrite_member(struct buf *b, const char *name, const char *value);

#endif
