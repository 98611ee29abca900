/* Which failures are tried again, and when. Two tables and a pure function; no other file looks
 * at a status to choose. */
#ifndef RETRY_H
#define RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include <haul/error.h>

/* From S3's code, or when that is unknown or empty from the status.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
enum haul_retry retry_class(int http_status, const char *aws_code);

/* Does a refusal mean that the keys have expired? By its code; or because they are past their
 * time: what servers say then is whatever they say to keys that they don't know, and to HEAD
 * nothing. */
bool retry_is_expiry(int http_status, const char *aws_code, bool are_past);

#define RETRY_AFTER_MAX_MS 60000

/* Full jitter: a value in [0, min(20 s, 100 ms * 2^attempt)], chosen by `random` (any 32 bits),
 * but never less than the server's Retry-After, which may ask for patience up to 60 s. attempt
 * counts from 0. NOW and RESIGN: 0. SLOWER starts from 500 ms.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
int64_t retry_delay_ms(
    enum haul_retry class, unsigned attempt, uint32_t random, int64_t retry_after_ms);

#endif
