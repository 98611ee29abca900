/* The checksums that objects and uploads keep, as lines of kept.h:
 *     an object:  x-amz-checksum-crc32c: BASE64[-PARTS]   x-amz-checksum-type: FULL_OBJECT
 *     an upload:  x-amz-checksum-algorithm: CRC32C        x-amz-checksum-type: COMPOSITE */
#ifndef ENDPOINT_SUMS_H
#define ENDPOINT_SUMS_H

#include "digests.h"
#include "wire.h"

struct sums_plan {
    enum digest_kind kind;
    bool whole; /* FULL_OBJECT; else COMPOSITE */
};

/* Appends what a CreateMultipartUpload announces. NULL, or S3's code: it makes no sense. */
const char *sums_announce(const struct request *r, struct text *kept);
/* That announcement, or what an object has. */
struct sums_plan sums_plan_of(const struct text *kept);
/* Appends an object's sum; nothing for kind NONE. */
void sums_keep(struct text *kept, enum digest_kind kind, const char *base64, bool whole);
/* An object's sum instead of what `out` holds. Whether it has one. */
bool sums_get(const struct text *kept, struct text *out);
/* NULL if that is also what the request, a CompleteMultipartUpload, says of its object. */
const char *sums_refuse(
    const struct request *r, const struct sums_plan *plan, const char *base64, uint64_t size);

/* For replies: "x-amz-checksum-crc32c: BASE64\r\n", <ChecksumCRC32C>BASE64</ChecksumCRC32C>,
 * and <ChecksumAlgorithm> with <ChecksumType>; all nothing for kind NONE. `wrong`: another
 * value. */
void sums_add_header(struct text *out, enum digest_kind kind, const char *base64, bool wrong);
void sums_add_xml(struct text *out, enum digest_kind kind, const char *base64, bool wrong);
void sums_add_plan(struct text *out, const struct sums_plan *plan);
const char *sums_type(bool whole);

#endif
