/* What requests say of server-side encryption. Nothing is encrypted here; keys are asked for,
 * and ETags are not the bytes' MD5, as if it were. */
#ifndef ENDPOINT_ENCRYPTION_H
#define ENDPOINT_ENCRYPTION_H

#include "wire.h"

/* `prefix` stands before the names of SSE-C's headers: "x-amz-", or "x-amz-copy-source-" for
 * the key of a source. Each returns NULL, or S3's code. */

/* Whether what the request says makes sense. */
const char *encryption_refuse(const struct request *r, const char *prefix);
/* Whether it has the key for what keeps these lines, and none for what needs none. */
const char *encryption_unlock(
    const struct request *r, const char *prefix, const struct text *kept);
/* Makes the MD5 another one for what is encrypted with the client's key or by KMS. */
void encryption_hide(const struct text *kept, unsigned char md5[static 16]);

#endif
