/* What haul_put_file_multipart() needs of an upload beside its public face. */
#ifndef UPLOAD_INTERNAL_H
#define UPLOAD_INTERNAL_H

#include <haul/upload.h>

/* Of each part; 0: as the request has it. */
void upload_tries(struct haul_upload *u, unsigned tries);

/* haul_upload_start() would wait, or not. */
bool upload_is_full(const struct haul_upload *u);

unsigned upload_in_flight(const struct haul_upload *u);
uint64_t upload_done_bytes(const struct haul_upload *u); /* of the parts that are through */

/* One turn of the loop. 0, or -1 with *err: cancelled, or a part's failure, told once. */
int upload_turn(struct haul_upload *u, struct haul_error *err);

#endif
