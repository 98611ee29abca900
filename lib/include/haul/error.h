/* What went wrong, and what to do next. One struct for every function of libhaul: the caller
 * owns it, it has a fixed size, and reporting "out of memory" allocates nothing. It need not be
 * set before a call, must not be NULL unless the function's comment allows that, and says
 * something only after a call that returned -1 or NULL: success leaves anything in it.
 *
 *     if (haul_head(s, &request, &err) != NULL)
 *         puts("it is there");
 *     else if (err.http_status == 404)
 *         puts("it is not");
 *     else if (err.retry == HAUL_RETRY_LATER || err.retry == HAUL_RETRY_SLOWER)
 *         printf("%s: tried in vain, may work in an hour\n", err.text);
 *     else
 *         printf("%s (%s)\n", err.text, haul_code_name(err.code));
 */
#ifndef HAUL_ERROR_H
#define HAUL_ERROR_H

/* Around the declarations of every public header: C's names, and seen from outside the shared
 * library, in which everything else is hidden. */
#ifdef __cplusplus
#define HAUL_BEGIN                                                                             \
    extern "C" {                                                                               \
    _Pragma("GCC visibility push(default)")
#define HAUL_END                                                                               \
    _Pragma("GCC visibility pop")                                                              \
    }
#else
#define HAUL_BEGIN _Pragma("GCC visibility push(default)")
#define HAUL_END _Pragma("GCC visibility pop")
#endif

HAUL_BEGIN

/* Where the fault lies. */
enum haul_code {
    HAUL_OK,
    HAUL_NO_MEMORY,      /* also when the system says so to us or the caller's function */
    HAUL_BAD_ARGUMENT,   /* a call that breaks this manual, or a limit of S3 */
    HAUL_BAD_CONFIG,     /* an URL, a profile or a file of the environment that is not usable */
    HAUL_NO_CREDENTIALS, /* none found, incomplete, or expired without fresh ones */
    HAUL_NETWORK,        /* name, connection, reset, stall: no complete reply arrived */
    HAUL_TLS,            /* the peer could not be verified, or refuses our certificate */
    HAUL_SERVER,         /* a complete reply that refuses: http_status and aws_code say how */
    HAUL_BAD_REPLY,      /* a reply that is not what S3 promises, or a checksum that is wrong */
    HAUL_LOCAL,          /* a file, or the caller's own read or write function: sys_errno */
    HAUL_TOO_LARGE,      /* more than the caller's cap allows */
    HAUL_CANCELLED,
};

/* What helps, by the S3 code when there is one, else by the status or our own code. NOW, LATER,
 * SLOWER and RESIGN have been tried inside, as often as the client's options say, before a
 * caller sees them. */
enum haul_retry {
    HAUL_RETRY_NEVER,      /* it will fail again: NoSuchKey, AccessDenied, most of 4xx */
    HAUL_RETRY_NOW,        /* nobody is overloaded, the same again at once: RequestTimeout */
    HAUL_RETRY_LATER,      /* the same again after a growing delay: InternalError, BadDigest,
                            * OperationAborted; 408, 500, 502, 504; no reply */
    HAUL_RETRY_SLOWER,     /* as LATER, and with fewer requests in flight: SlowDown; 429, 503 */
    HAUL_RETRY_RESIGN,     /* the clock or the region was off and is corrected, or the keys had
                            * expired and there may be fresh ones, sign again:
                            * RequestTimeTooSkewed, PermanentRedirect */
    HAUL_RETRY_FROM_START, /* the upload or the object is another one now, begin again: 412,
                            * 416, NoSuchUpload, InvalidPart */
    HAUL_RETRY_WHEN_FIXED, /* the endpoint, the bucket or the credentials refuse us as a whole,
                            * no other request will fare better until somebody mends it: 401,
                            * InvalidAccessKeyId, ExpiredToken, NoSuchBucket */
};

struct haul_error {
    enum haul_code code;
    enum haul_retry retry;
    int http_status;     /* 0: no reply. 304 when a condition says "not modified" */
    int sys_errno;       /* 0: not from the system */
    char aws_code[48];   /* "SlowDown"; empty when the server sent none, as always to HEAD */
    char message[256];   /* what the server wrote about it; empty when it wrote nothing */
    char request_id[64]; /* the server's, for its operator; empty when it sent none */
    char host_id[128];   /* x-amz-id-2, likewise */
    char text[512];      /* for a person: one line, no full stop, no secret */
};

/* Fills *err and returns -1. The text is cut to fit and its control characters become spaces;
 * `retry` is what the code alone suggests; the rest is zero. The arguments may point into *err.
 * Any thread; err may be NULL. */
int haul_error_set(struct haul_error *err, enum haul_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "network", "server"… for logs and reports. Never NULL. Any thread. */
const char *haul_code_name(enum haul_code code);

HAUL_END
#endif
