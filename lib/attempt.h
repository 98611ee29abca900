/* One attempt of a request: its signature, its libcurl handle, its callbacks. client.c keeps
 * the states of requests. Both know the client's inside, which is here. */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include <stdatomic.h>

#include <haul/haul.h>

#include "call.h"
#include "loop.h"
#include "reply.h"
#include "standing.h"

#define IDLE_HANDLES_MAX 64
#define SMALLEST_BUFFER 16384 /* libcurl's, for what is sent */
#define WORDS_SIZE 256        /* libcurl's CURL_ERROR_SIZE */

struct chunked;
struct curl_slist;

/* Exchanges that are in the same state, which each can leave by itself. */
struct exchange_list {
    struct exchange *first, **last; /* where the next one's address goes */
    unsigned count;
};

/* One request under way, in one of the client's lists, and at last its result. */
struct exchange {
    struct exchange_list *list;
    struct exchange *next, **link;
    uint64_t number;                    /* in the order of submission */
    const struct haul_request *request; /* the caller's */
    haul_done_fn *done;
    void *payload;

    struct call call;
    struct reply reply;
    char payload_hash[SHA256_HEX_SIZE]; /* empty until the body has been hashed */
    struct standing standing;           /* of a GET */
    bool is_rest;                       /* `call` asks for the rest of an object */
    bool fresh;                         /* the next attempt takes a new connection */
    unsigned attempts, corrections;
    unsigned replaced; /* how often it left a slow connection */
    unsigned spared;   /* attempts up to the latest that brought bytes: delays begin anew */
    unsigned strikes;  /* failed attempts that count against the tries */
    unsigned expiries; /* how many attempts in a row were refused for keys that have expired */
    bool maybe_repeated;
    /* CLOCK_MONOTONIC, all of them. */
    int64_t began_ms;        /* this attempt; 0: none yet */
    int64_t first_failed_ms; /* 0: none has, since one brought bytes */
    int64_t tried_ms; /* when the latest attempt failed, or while none has when it began */
    int64_t due_ms;   /* retrying: when the next attempt starts */
    uint64_t bytes_sent, bytes_received; /* of earlier attempts */

    /* This attempt. */
    const struct keys *keys;        /* held; NULL: it is not signed */
    struct haul_body body;          /* the call's, or its stream of chunks */
    struct chunked *chunks;         /* owned; NULL: none */
    char *whole;                    /* owned: all of a small body; NULL: it is streamed */
    size_t buffer_bytes;            /* libcurl's, that it may fill */
    void *easy;                     /* owned: a CURL; NULL unless it moves */
    struct curl_slist *header_list; /* owned */
    uint64_t sent, received;
    bool begun;             /* it has been on its way to the server */
    char words[WORDS_SIZE]; /* libcurl's, of what went wrong */
    bool head_checked;
    int64_t expected; /* body bytes; -1: not known */

    /* The end. The strings of the result live in call, reply and document. Its error is set
     * before by a callback that aborts the transfer. */
    struct haul_result result;
    struct document *document; /* owned */
    bool kept;                 /* client_release() frees it */
};

/* Whether it still works. */
enum client_end {
    CLIENT_GOES_ON,
    CLIENT_DRAINS, /* what is on its way may end; nothing begins */
    CLIENT_STOPS,
};

struct haul_client {
    struct haul_client_options options; /* defaults filled in */
    char *user_agent;                   /* owned */
    struct loop *loop;                  /* owned */
    struct exchange_list ready;         /* to be started, in order of submission */
    struct exchange_list moving;        /* on their way: at most options.connections */
    struct exchange_list retrying;      /* not due yet */
    struct exchange_list cancelled;     /* to be delivered in the next run */
    uint64_t submitted;
    int64_t retry_ms;             /* none of `retrying` is due before */
    int64_t slow_ms;              /* when to look for slow GETs; LOOP_NEVER: there are none */
    void *idle[IDLE_HANDLES_MAX]; /* owned: CURLs, to be used again */
    unsigned idle_count;
    size_t buffers_bytes; /* of the attempts under way */
    struct haul_sum *hash;
    uint64_t random;             /* for jitter only */
    char *scratch;               /* options.buffer_bytes, for hashing bodies */
    _Atomic enum client_end end; /* any thread sets it */
};

/* Builds the attempt afresh, as clock, region and keys may be others by now: x->easy is ready
 * to be added to the multi handle. Returns 0, or -1 with *err: HAUL_LOCAL when the body could
 * not be read for its hash. */
int attempt_build(struct haul_client *c, struct exchange *x, struct haul_error *err);

/* It has ended, with one of libcurl's codes: x->result is what it came to. Returns after how
 * many ms to try again; -1: that is the last word. (attempt_end.c) */
int64_t attempt_end(struct haul_client *c, struct exchange *x, int code);

/* Everything of the attempt goes but its reply, and what the next one can use. */
void attempt_forget(struct haul_client *c, struct exchange *x);

/* ---- Of it, by attempt_bytes.c ---- */

/* What libcurl calls to open sockets, and to move the bytes of x->body, x->reply and the sink.
 */
void attempt_set_callbacks(struct exchange *x);

/* Status and headers, into x->reply. What is wrong with them stands in x->result.error. */
void attempt_read_head(struct exchange *x);

/* The caller's own function failed, or its source has ended (cause 0). Returns 0. */
size_t attempt_fail_locally(int cause, struct haul_error *err);

/* ---- Of it, by attempt_standing.c ---- */

/* The reply is whole: x->result says what it means. */
void attempt_judge(struct exchange *x);

/* The attempt failed; broke: without a complete reply. Sees to where the next one begins,
 * should there be one. Returns what this says about the server, which without it is `end`. */
enum pace_end attempt_settle(struct exchange *x, bool broke, enum pace_end end);

/* It has succeeded: how long others may take. */
void attempt_note_tempo(const struct exchange *x);

/* Is a GET that moves to leave its connection, for being slow? There is credit for that. And so
 * it does: the next attempt goes on where it stands, over a fresh one. */
bool attempt_is_slow(const struct exchange *x, int64_t now_ms);
void attempt_leave(struct haul_client *c, struct exchange *x);

#endif
