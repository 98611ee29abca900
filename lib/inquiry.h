/* Small questions to the services that give keys: one HTTP exchange by the library's own
 * client, or one program run. Blocking, bounded in time and size, and what came back is wiped.
 * An inquirer belongs to one thread; only inquirer_stop() may be called from others. Whoever
 * needs neither to stop a question nor to keep connections gives NULL for it. */
#ifndef INQUIRY_H
#define INQUIRY_H

#include <stdbool.h>
#include <stdint.h>

#include <haul/request.h>

struct inquirer;
struct keys;

#define INQUIRY_BYTES_MAX (64 * 1024) /* of an answer */

struct inquirer *inquirer_new(struct haul_error *err); /* NULL: HAUL_NO_MEMORY */
void inquirer_free(struct inquirer *i);                /* NULL is fine */

/* What is being asked, and all that will be, ends as HAUL_CANCELLED. Any thread. */
void inquirer_stop(struct inquirer *i);

struct inquiry {
    const char *whom;                 /* for messages: "the instance metadata service" */
    const char *method;               /* NULL: GET */
    const char *url;                  /* "http://169.254.169.254[/base]" */
    const char *path;                 /* unescaped, behind url's; without its first slash */
    struct haul_pairs query, headers; /* unescaped */
    const char *body;                 /* NULL: none */
    const char *secrets[3]; /* which are sent, and which no message repeats; NULLs are fine */

    const struct keys *keys; /* NULL: unsigned */
    const char *service;     /* "sts", of the signature */
    const char *region;

    const char *ca_file; /* NULL: the system's */
    bool direct;         /* never by way of a proxy */
    unsigned timeout_ms; /* of each attempt, the connection included; 0: 10,000 */
    unsigned tries;      /* 0: 4; of what retry.h takes for passing */
};

struct answer {
    int status; /* any: a refusal is an answer, too */
    char *text; /* owned: INQUIRY_BYTES_MAX + 1 bytes; NUL-terminated */
    size_t len;
    int64_t server_ms; /* its Date, since the epoch; -1: not told */
    char code[48];     /* of a refusal: AWS's; "": none */
    char reason[384];  /* of a refusal: "answered 403 AccessDenied: message", as far as XML or
                        * JSON say so; a few words of anything else are not among it */
};
void answer_free(struct answer *a); /* wipes */

/* For those who answer. The room is there at once, so that no copy stays behind. Returns 0 or
 * -1 with *err = HAUL_NO_MEMORY. */
int answer_make(struct answer *a, struct haul_error *err);

/* Hides them from a text that may quote them. */
void inquiry_hide(const struct inquiry *q, char *text);

/* Fills *err with what a refusal says: "WHOM at URL answered 403 ...", and its http_status.
 * Returns -1. */
int answer_refusal(const struct answer *a, const struct inquiry *q, enum haul_code code,
    struct haul_error *err);

/* Readable once inquirer_stop() was called; -1: i is NULL. */
int inquirer_stop_fd(const struct inquirer *i);

/* Returns 0 with *out for any complete answer, or -1 with *err: HAUL_NETWORK, HAUL_TLS,
 * HAUL_TOO_LARGE, HAUL_BAD_REPLY (its headers), HAUL_BAD_CONFIG (the URL, the ca_file),
 * HAUL_CANCELLED, HAUL_NO_MEMORY. */
int inquire(
    struct inquirer *i, const struct inquiry *q, struct answer *out, struct haul_error *err);

/* Runs `sh -c command` with an empty standard input, for at most timeout_ms, then kills it and
 * what it has started, as it does before SIGINT, SIGQUIT, SIGTERM or an unhandled SIGHUP that
 * comes to this thread takes its course.
 * out->text is what it printed, out->status its exit status (128 + signal). Returns 0 or -1
 * with *err: HAUL_BAD_CONFIG (can't be run, took too long), HAUL_TOO_LARGE, HAUL_CANCELLED,
 * HAUL_NO_MEMORY. */
int inquire_program(struct inquirer *i, const char *command, unsigned timeout_ms,
    struct answer *out, struct haul_error *err);

#endif
