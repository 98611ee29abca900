/* The table of errors. */
#include "errors.h"

#include <stddef.h>
#include <string.h>

static const struct error {
    const char *code;
    int status;
    const char *message;
} errors[] = {
    { "AccessDenied", 403, "Access Denied" },
    { "AuthorizationHeaderMalformed", 400, "The authorization header is malformed" },
    { "AuthorizationQueryParametersError", 400, "The query does not hold a signature of ours" },
    { "BadRequest", 400, "Object tags cannot be greater than 10" },
    { "BadDigest", 400, "The sum you specified did not match what we received" },
    { "BucketAlreadyOwnedByYou", 409, "You already own this bucket" },
    { "BucketNotEmpty", 409, "The bucket you tried to delete is not empty" },
    { "EntityTooLarge", 400, "Your document is larger than we take" },
    { "EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size" },
    { "ExpiredToken", 400, "The provided token has expired" },
    { "IncompleteBody", 400, "The body is not of the length that was announced" },
    { "InternalError", 500, "We encountered an internal error. Please try again." },
    { "IllegalLocationConstraintException", 400,
        "The location constraint is incompatible with the region this request was sent to" },
    { "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist" },
    { "InvalidArgument", 400, "Invalid argument" },
    { "InvalidBucketName", 400, "The specified bucket is not valid" },
    { "InvalidChunkSizeError", 403, "Only the last chunk may have less than 8192 bytes" },
    { "InvalidDigest", 400, "The Content-MD5 you specified is not valid" },
    { "InvalidLocationConstraint", 400, "The location constraint is not valid" },
    { "InvalidEncryptionAlgorithmError", 400, "The algorithm you specified is not AES256" },
    { "InvalidPart", 400, "One or more of the specified parts could not be found" },
    { "InvalidPartOrder", 400, "The list of parts was not in ascending order" },
    { "InvalidRange", 416, "The requested range is not satisfiable" },
    { "InvalidRequest", 400, "The request is not valid: a header is missing, or two disagree" },
    { "InvalidStorageClass", 400, "The storage class you specified is not valid" },
    { "InvalidTag", 400, "The tag provided was not a valid tag" },
    { "KeyTooLongError", 400, "Your key is too long" },
    { "MalformedXML", 400, "The XML you provided was not well-formed" },
    { "MethodNotAllowed", 405, "The specified method is not allowed against this resource" },
    { "MissingContentLength", 411, "You must provide the Content-Length HTTP header" },
    { "NoSuchBucket", 404, "The specified bucket does not exist" },
    { "NoSuchKey", 404, "The specified key does not exist" },
    { "NoSuchUpload", 404, "The specified multipart upload does not exist" },
    { "NoSuchVersion", 404, "The specified version does not exist" },
    { "NotImplemented", 501, "A header or query you provided implies what is not implemented" },
    { "NotModified", 304, "" },
    { "PermanentRedirect", 301, "The bucket must be addressed where it is" },
    { "PreconditionFailed", 412,
        "At least one of the pre-conditions you specified did not hold" },
    { "RequestTimeTooSkewed", 403, "The request's time differs too much from the server's" },
    { "SignatureDoesNotMatch", 403, "The signature we calculated does not match yours" },
    { "SlowDown", 503, "Please reduce your request rate." },
    { "XAmzContentSHA256Mismatch", 400, "The x-amz-content-sha256 does not match the body" },
    { NULL, 500, "So the script says" }, /* what is not above */
};

static const struct error *find(const char *code)
{
    const struct error *e = errors;
    while (e->code != NULL && strcmp(e->code, code) != 0)
        e++;
    return e;
}

int error_status(const char *code)
{
    return find(code)->status;
}

const char *error_message(const char *code)
{
    return find(code)->message;
}

const char *error_code_of(int status)
{
    const struct error *e = errors;
    while (e->code != NULL && e->status != status)
        e++;
    return e->code != NULL ? e->code : "InternalError";
}
