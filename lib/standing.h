/* How far a GET has come: what breaks off goes on at the byte where it stood, if the object has
 * a strong ETag, which proves that it still is the same. Pure; memory apart. */
#ifndef STANDING_H
#define STANDING_H

#include <haul/request.h>

#include "reply.h"

/* All zero: nothing has come yet. */
struct standing {
    uint64_t bytes; /* good ones, which the sink has; 0: the next attempt begins anew */
    /* If there are any: */
    struct reply first;          /* owned: of the attempt that began; its sum is of all bytes */
    uint64_t expected;           /* bytes in all */
    struct haul_request request; /* for the rest of that very object */

    unsigned beginnings; /* that have come to nothing */
    bool is_refused;     /* the server can't go on in the middle */
};

void standing_free(struct standing *s);

/* The head of a success has come: if the rest was asked for, is it that very object's? Servers
 * that don't know If-Match send of whatever stands there. Returns 0, or -1 with *err =
 * HAUL_BAD_REPLY. */
int standing_check(const struct standing *s, const struct reply *reply, struct haul_error *err);

/* An attempt broke off after `received` good bytes of the `expected` that its reply promised
 * (-1: none). Can the next one go on behind them? */
bool standing_can_advance(
    const struct standing *s, const struct reply *reply, uint64_t received, int64_t expected);

/* It does. The reply is taken over if it was the first. */
void standing_advance(struct standing *s, const struct haul_request *r, struct reply *reply,
    uint64_t received, int64_t expected);

/* What has come is void. */
void standing_begin_anew(struct standing *s);

/* And from now on all has to come in one piece. */
void standing_refuse(struct standing *s);

/* What is asked for next: the caller's request, or one for the rest. */
const struct haul_request *standing_request(
    const struct standing *s, const struct haul_request *r);

#endif
