/* Which failures are tried again, and when: see retry.h. Counting attempts, and correcting what
 * RESIGN asks for, is the client's matter. Ceph's RADOS Gateway speaks the same codes. */
#include "retry.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *aws_code;
    enum haul_retry class;
} by_code[] = {
    { "RequestTimeout", HAUL_RETRY_NOW }, /* of a connection, not of the server */

    { "InternalError", HAUL_RETRY_LATER },
    { "IDPCommunicationError", HAUL_RETRY_LATER }, /* STS asks the token's issuer */
    { "OperationAborted", HAUL_RETRY_LATER }, /* another one on the same bucket goes first */
    { "IncompleteBody", HAUL_RETRY_LATER },
    { "BadDigest", HAUL_RETRY_LATER }, /* the bytes changed on their way */
    { "XAmzContentSHA256Mismatch", HAUL_RETRY_LATER },

    { "SlowDown", HAUL_RETRY_SLOWER },
    { "SlowDownRead", HAUL_RETRY_SLOWER },
    { "SlowDownWrite", HAUL_RETRY_SLOWER },
    { "ServiceUnavailable", HAUL_RETRY_SLOWER },
    { "Throttling", HAUL_RETRY_SLOWER },
    { "ThrottlingException", HAUL_RETRY_SLOWER },
    { "RequestThrottled", HAUL_RETRY_SLOWER },
    { "RequestLimitExceeded", HAUL_RETRY_SLOWER },
    { "TooManyRequests", HAUL_RETRY_SLOWER },
    { "BandwidthLimitExceeded", HAUL_RETRY_SLOWER },

    { "RequestTimeTooSkewed", HAUL_RETRY_RESIGN },
    { "AuthorizationHeaderMalformed", HAUL_RETRY_RESIGN }, /* another region */
    { "PermanentRedirect", HAUL_RETRY_RESIGN },
    { "TemporaryRedirect", HAUL_RETRY_RESIGN },
    { "Redirect", HAUL_RETRY_RESIGN },

    { "NoSuchUpload", HAUL_RETRY_FROM_START }, /* the parts are gone */
    { "InvalidPart", HAUL_RETRY_FROM_START },
    { "PreconditionFailed", HAUL_RETRY_FROM_START },
    { "ConditionalRequestConflict", HAUL_RETRY_FROM_START },
    { "InvalidRange", HAUL_RETRY_FROM_START }, /* the object is shorter than it was */

    { "InvalidAccessKeyId", HAUL_RETRY_WHEN_FIXED },
    { "SignatureDoesNotMatch", HAUL_RETRY_WHEN_FIXED },
    { "ExpiredToken", HAUL_RETRY_WHEN_FIXED }, /* with the next two: retry_is_expiry() */
    { "ExpiredTokenException", HAUL_RETRY_WHEN_FIXED },
    { "TokenRefreshRequired", HAUL_RETRY_WHEN_FIXED },
    { "InvalidToken", HAUL_RETRY_WHEN_FIXED },
    { "InvalidTokenId", HAUL_RETRY_WHEN_FIXED }, /* MinIO */
    { "InvalidSecurity", HAUL_RETRY_WHEN_FIXED },
    { "NotSignedUp", HAUL_RETRY_WHEN_FIXED },
    { "AccountProblem", HAUL_RETRY_WHEN_FIXED },
    { "AllAccessDisabled", HAUL_RETRY_WHEN_FIXED },
    { "UserSuspended", HAUL_RETRY_WHEN_FIXED },
    { "QuotaExceeded", HAUL_RETRY_WHEN_FIXED },
    { "NoSuchBucket", HAUL_RETRY_WHEN_FIXED },
    { "InvalidBucketName", HAUL_RETRY_WHEN_FIXED },

    /* These may come under status 200, at the end of a long Complete or Copy, or of a key in
     * DeleteObjects. */
    { "AccessDenied", HAUL_RETRY_NEVER },
    { "NoSuchKey", HAUL_RETRY_NEVER },
    { "EntityTooSmall", HAUL_RETRY_NEVER },
    { "EntityTooLarge", HAUL_RETRY_NEVER },
    { "InvalidPartOrder", HAUL_RETRY_NEVER },
    { "InvalidObjectState", HAUL_RETRY_NEVER },
    { "InvalidArgument", HAUL_RETRY_NEVER },
    { "InvalidRequest", HAUL_RETRY_NEVER },
    { "MalformedXML", HAUL_RETRY_NEVER },
    { "MethodNotAllowed", HAUL_RETRY_NEVER },
    { "NotImplemented", HAUL_RETRY_NEVER },
    { "NoSuchVersion", HAUL_RETRY_NEVER },
    { "NoSuchTagSet", HAUL_RETRY_NEVER },
    { "InvalidTag", HAUL_RETRY_NEVER },
    { "InvalidDigest", HAUL_RETRY_NEVER },
    { "InvalidStorageClass", HAUL_RETRY_NEVER },
    { "InvalidLocationConstraint", HAUL_RETRY_NEVER },
    { "IllegalLocationConstraintException", HAUL_RETRY_NEVER },
    { "KeyTooLongError", HAUL_RETRY_NEVER },
    { "MetadataTooLarge", HAUL_RETRY_NEVER },
    { "BucketAlreadyExists", HAUL_RETRY_NEVER },
    { "BucketAlreadyOwnedByYou", HAUL_RETRY_NEVER },
    { "BucketNotEmpty", HAUL_RETRY_NEVER },
    { "TooManyBuckets", HAUL_RETRY_NEVER },
    { "KMS.DisabledException", HAUL_RETRY_NEVER },
    { "KMS.NotFoundException", HAUL_RETRY_NEVER },
};

/* The first row that the status is not above. */
static const struct {
    int last;
    enum haul_retry class;
} by_status[] = {
    { 299, HAUL_RETRY_LATER }, /* no reply; or an unknown error in one that began well */
    { 300, HAUL_RETRY_NEVER },
    { 301, HAUL_RETRY_RESIGN },
    { 306, HAUL_RETRY_NEVER },
    { 308, HAUL_RETRY_RESIGN },
    { 400, HAUL_RETRY_NEVER },
    { 401, HAUL_RETRY_WHEN_FIXED },
    { 406, HAUL_RETRY_NEVER },
    { 407, HAUL_RETRY_WHEN_FIXED }, /* a proxy wants a password */
    { 408, HAUL_RETRY_LATER },
    { 411, HAUL_RETRY_NEVER },
    { 412, HAUL_RETRY_FROM_START },
    { 415, HAUL_RETRY_NEVER },
    { 416, HAUL_RETRY_FROM_START },
    { 428, HAUL_RETRY_NEVER },
    { 429, HAUL_RETRY_SLOWER },
    { 499, HAUL_RETRY_NEVER },
    { 500, HAUL_RETRY_LATER },
    { 501, HAUL_RETRY_NEVER },
    { 502, HAUL_RETRY_LATER },
    { 503, HAUL_RETRY_SLOWER },
    { 504, HAUL_RETRY_LATER },
    { 505, HAUL_RETRY_NEVER },
    { 599, HAUL_RETRY_LATER },
};

enum haul_retry retry_class(int http_status, const char *aws_code)
{
    for (size_t i = 0; i < sizeof by_code / sizeof by_code[0]; i++)
        if (strcmp(by_code[i].aws_code, aws_code) == 0)
            return by_code[i].class;
    for (size_t i = 0; i < sizeof by_status / sizeof by_status[0]; i++)
        if (http_status <= by_status[i].last)
            return by_status[i].class;
    return HAUL_RETRY_NEVER;
}

bool retry_is_expiry(int http_status, const char *aws_code, bool are_past)
{
    static const char *const codes[] = { "ExpiredToken", "ExpiredTokenException",
        "TokenRefreshRequired" };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i], aws_code) == 0)
            return true;
    return are_past && (http_status == 400 || http_status == 401 || http_status == 403);
}

int64_t retry_delay_ms(
    enum haul_retry class, unsigned attempt, uint32_t random, int64_t retry_after_ms)
{
    const int64_t first_ms = class == HAUL_RETRY_SLOWER ? 500 : 100, last_ms = 20000;
    int64_t most_ms = first_ms << (attempt < 8 ? attempt : 8);
    if (most_ms > last_ms)
        most_ms = last_ms;
    if (class == HAUL_RETRY_NOW || class == HAUL_RETRY_RESIGN)
        most_ms = 0;
    int64_t delay_ms = (int64_t) (((uint64_t) random * (uint64_t) (most_ms + 1)) >> 32);
    if (retry_after_ms > RETRY_AFTER_MAX_MS)
        retry_after_ms = RETRY_AFTER_MAX_MS;
    return delay_ms > retry_after_ms ? delay_ms : retry_after_ms;
}
