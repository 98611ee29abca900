/* How a reply goes out, with what the script does to it. */
#ifndef ENDPOINT_ANSWER_H
#define ENDPOINT_ANSWER_H

#include "exchange.h"

/* Makes the error's document and lets the faults change the headers. */
void answer_prepare(struct exchange *x);
/* Returns whether the connection can go on. */
bool answer_send(struct exchange *x);
/* It is then an empty 200. */
void answer_free(struct reply *p);

#endif
