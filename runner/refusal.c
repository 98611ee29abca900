/* One table from what a server or the network says to what a person should do. */
#include "refusal.h"

#include <stddef.h>
#include <string.h>

static const struct {
    enum haul_code code;
    const char *aws_code; /* NULL: any */
    const char *next;
} advice[] = {
    { HAUL_SERVER, "NoSuchBucket", "create the bucket or correct its name" },
    { HAUL_SERVER, "InvalidAccessKeyId", "check the endpoint's credentials" },
    { HAUL_SERVER, "SignatureDoesNotMatch", "check the secret key and the region" },
    { HAUL_SERVER, "ExpiredToken", "get fresh credentials" },
    { HAUL_SERVER, "InvalidToken", "get fresh credentials" },
    { HAUL_SERVER, "AccessDenied", "check what these credentials may do" },
    { HAUL_SERVER, "AuthorizationHeaderMalformed", "set the endpoint's region" },
    { HAUL_SERVER, "RequestTimeTooSkewed", "set this machine's clock" },
    { HAUL_SERVER, "SlowDown", "wait, or lower `concurrency`" },
    { HAUL_SERVER, NULL, "see what the server asks for" },
    { HAUL_BAD_REPLY, NULL, "check that the endpoint's url is an S3 server's" },
    { HAUL_NETWORK, NULL, "check the endpoint's url and the network" },
};

void refusal_explain(const struct haul_error *refusal, const struct manifest_endpoint *endpoint,
    const char *bucket, struct error *out)
{
    const char *next = NULL; /* what else there is says it by itself */
    for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
        if (advice[i].code == refusal->code &&
            (!advice[i].aws_code || strcmp(advice[i].aws_code, refusal->aws_code) == 0)) {
            next = advice[i].next;
            break;
        }
    error_set(out, EXIT_PAUSED, "endpoint %s%s%s: %s%s%s%s", endpoint->name,
        *bucket ? ", bucket " : "", bucket, refusal->text, next ? ": " : "", next ? next : "",
        error_advice(refusal->sys_errno));
}

bool refusal_asks_again(struct haul_request *request, const struct haul_error *refusal)
{
    bool asked = request->range.start == 0 && request->range.len == 1 && /* HEAD has no range */
                 request->sink.write == NULL;
    bool is_mute = refusal->code == HAUL_SERVER && refusal->aws_code[0] == '\0' &&
                   (refusal->http_status == 400 || refusal->http_status == 403);
    if (request->operation == HAUL_HEAD_OBJECT && is_mute && !asked)
        request->operation = HAUL_GET_OBJECT;
    else if (request->operation == HAUL_GET_OBJECT && asked && refusal->http_status == 416)
        request->operation = HAUL_HEAD_OBJECT; /* it is empty */
    else
        return false;
    request->range = (struct haul_range){ 0, 1 };
    return true;
}
