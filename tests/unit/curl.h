/* Plain curl, the program: what anybody does with a presigned URL. Whatever goes wrong here,
 * short of an answer by the server, ends the test program. */
#ifndef CURL_H
#define CURL_H

#include <stddef.h>

/* Runs `curl OPTIONS... URL` (options NULL-terminated, or NULL), no proxy, path as it is.
 * Returns the HTTP status; the answer's body, cut to fit, goes into out[] (NULL: dropped). */
int curl_run(const char *url, const char *const *options, char *out, size_t size);

#endif
