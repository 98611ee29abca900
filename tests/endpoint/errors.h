/* The errors of S3 that the endpoint knows: code, status and message. Pure. */
#ifndef ENDPOINT_ERRORS_H
#define ENDPOINT_ERRORS_H

int error_status(const char *code);          /* 500 for a code that is not known */
const char *error_message(const char *code); /* never NULL */
const char *error_code_of(int status);       /* "InternalError" when no code has that status */

#endif
