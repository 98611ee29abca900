/* Control calls of the loopback servers, over plain sockets. Any thread. Whatever goes wrong
 * here ends the test program. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>

/* One request to /-/PATH at 127.0.0.1; what was answered goes into `out`, without its head, as
 * much of it as fits. out NULL: not wanted. */
void control_ask(unsigned port, const char *method, const char *path, const char *body,
    char *out, size_t size);

#endif
