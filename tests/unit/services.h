/* The services that give keys (instance metadata, container, STS, SSO, OIDC) for one test:
 * started, told what to give and what goes wrong, asked what they have seen.
 * tests/services/README.md is their manual. Whatever goes wrong here ends the test program.
 *
 *     struct services *s = services_start();
 *     setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", services_url(s), 1);
 *     services_set(s, "imds.key AKIDEXAMPLE secret token\nimds.lifetime-s 5\n");
 *     services_fault(s, "GetInstanceKeys nth=2 status=500\n");
 *     ...
 *     assert_int_equal(services_count(s, "GetInstanceKeys"), 3);
 *     services_stop(s);
 */
#ifndef SERVICES_H
#define SERVICES_H

#include <stddef.h>

struct services;

/* On a free port. services_stop() ends and frees them; so does the end of the program. The
 * second: at "ADDRESS:PORT", too. */
struct services *services_start(void);
struct services *services_start_at(const char *more);
void services_stop(struct services *s); /* NULL is fine */

/* The functions from here on may be called from any thread. */

const char *services_url(const struct services *s); /* "http://127.0.0.1:41234" */

/* Any call of the manual: "POST", "rotate/imds", "". out may be NULL. */
void services_control(const struct services *s, const char *method, const char *path,
    const char *body, char *out, size_t size);

void services_set(const struct services *s, const char *lines);
void services_fault(const struct services *s, const char *lines);
void services_clear(const struct services *s); /* forgets all faults and opens all gates */
void services_rotate(const struct services *s, const char *service);
void services_expire(const struct services *s, const char *name); /* key id, or what it says */

/* Requests of an operation ("AssumeRole") or a service ("imds") so far; "": of all. The second
 * blocks until there are so many. */
unsigned services_count(const struct services *s, const char *name);
void services_await(const struct services *s, const char *name, unsigned count);

/* The log: a line of JSON a request, of an operation or ("") all. */
void services_log(const struct services *s, const char *operation, char *out, size_t size);

/* Blocks until `count` requests hang at the gate; lets them go. */
void services_wait_at(const struct services *s, const char *gate, unsigned count);
void services_open(const struct services *s, const char *gate);

#endif
