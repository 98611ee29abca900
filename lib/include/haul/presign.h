/* URLs that carry their own signature: for browsers, curl and partners without keys.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 *
 * A PNG may be put for a quarter of an hour, by: curl -T a.png -H "Content-Type: image/png" URL
 *
 *     char *url = haul_presign(
 *         &(struct haul_request){ .operation = HAUL_PUT_OBJECT,
 *             .endpoint = haul_store_endpoint(s), .bucket = haul_store_bucket(s),
 *             .key = "a.png", .content_type = "image/png" }, 900, &err);
 *     puts(url ? url : err.text);
 *     free(url);
 */
#ifndef HAUL_PRESIGN_H
#define HAUL_PRESIGN_H

#include <haul/request.h>

HAUL_BEGIN

#define HAUL_PRESIGN_SECONDS_MAX (7 * 24 * 3600)

/* The URL that carries out `r` until `seconds` (1 to HAUL_PRESIGN_SECONDS_MAX) from now. Any
 * operation but those whose body is a document (COMPLETE_UPLOAD, DELETE_OBJECTS, PUT_TAGS); any
 * method with HAUL_ANY. Body and sink are not looked at. Headers that the request's fields or
 * r->headers imply are signed, so whoever uses the URL must send them as well (content_type
 * NULL means none here: nothing is guessed); r->query is part of the URL. A temporary key's
 * token is part of it too, and ends it earlier.
 *
 * Returns the URL, which the caller frees: whoever has it can use it, so keep it out of logs.
 * NULL with *err: HAUL_BAD_ARGUMENT, HAUL_NO_CREDENTIALS (anonymous, or expired without fresh
 * ones), HAUL_NO_MEMORY. Any thread. The time is the server's, as far as an earlier request has
 * learnt that. */
char *haul_presign(const struct haul_request *r, unsigned seconds, struct haul_error *err);

HAUL_END
#endif
