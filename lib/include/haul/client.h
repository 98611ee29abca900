/* The event loop: requests go in, results come out, on the caller's thread. When a server says
 * SlowDown fewer requests a second are started in that bucket, by all clients of the endpoint;
 * while it serves nobody at all, and there is patience, one every two seconds. A client belongs
 * to one thread; only haul_client_wake(), haul_client_drain() and haul_client_stop() may be
 * called from others, and from signal handlers. Clients share nothing but the endpoints, so one
 * client a thread is how to use more cores.
 *
 *     haul_client_submit(c, &request, on_done, payload, &err);
 *     while (haul_client_run(c, 1000, &err) > 0)
 *         continue;
 *
 * Inside somebody else's loop, which watches a descriptor and a timer for us:
 *
 *     epoll_ctl(loop, EPOLL_CTL_ADD, haul_client_fd(c), &(struct epoll_event){ EPOLLIN });
 *     for (;;) {
 *         epoll_wait(loop, events, 8, haul_client_wait_ms(c));
 *         haul_client_run(c, 0, &err);
 *         ...
 *     }
 */
#ifndef HAUL_CLIENT_H
#define HAUL_CLIENT_H

#include <haul/request.h>

HAUL_BEGIN

struct haul_client_options {
    unsigned retries; /* 0: 10 more attempts after the first, or after the latest that brought
                       * 64 KiB or more which stay (body.h); HAUL_NO_RETRIES: none */
    /* 0: each failed attempt counts as one of `retries`. Else those don't that fail while a
     * bucket's server serves nobody, and those to which it says SlowDown: they are made again
     * until this has lasted for so long. HAUL_NO_RETRIES goes before. */
    unsigned patience_ms;
    unsigned connections; /* 0: 64 requests in flight; further ones wait for their turn. Bounds
                           * what the calls of file.h and upload.h have in flight, too */
    unsigned connect_timeout_ms; /* 0: 10,000 */
    unsigned stall_timeout_ms;   /* 0: 30,000 without a byte in either direction */
    unsigned request_timeout_ms; /* of one attempt in all; 0: none */
    unsigned buffer_bytes;       /* 0: 256 KiB, a request */
    size_t buffers_bytes; /* 0: no bound. The requests in flight share so much, and 16 KiB each
                           * if there are too many for that */
    const char *user_agent; /* NULL: "libhaul/VERSION" */
    /* Ranges and objects of 1 MiB and more that take longer than 99 of 100, and than three
     * times what is usual at their endpoint, go on over a fresh connection from where they
     * stand: two times at most each, one in 100 of all, a few more in the beginning. true: they
     * stay where they are, for those who measure. */
    bool keep_slow;
};
#define HAUL_NO_RETRIES ((unsigned) -1)

struct haul_client;

/* options may be NULL. NULL with *err: HAUL_NO_MEMORY, also when no descriptors are left. */
struct haul_client *haul_client_new(
    const struct haul_client_options *options, struct haul_error *err);

/* Requests still there end as HAUL_CANCELLED, their callbacks are called. NULL is fine. */
void haul_client_free(struct haul_client *c);

/* Called exactly once for each submitted request, cancelled ones included, on the thread inside
 * haul_client_run() or haul_client_free(). *result is valid only during the call. It may submit
 * further requests (not from inside haul_client_free()), the same struct among them. */
typedef void haul_done_fn(void *payload, const struct haul_result *result);

/* Starts a request, which names its operation and endpoint. Nothing is copied: the struct and
 * all that it points to must stay as they are until the done callback. Retries are done here:
 * the callback sees the last word. Returns 0, or -1 with *err and no callback:
 * HAUL_BAD_ARGUMENT. */
int haul_client_submit(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err);

/* One turn: moves what can be moved, delivers what has finished, and when nothing did waits at
 * most max_wait_ms for a socket, a wake-up or a retry that is due. Returns how many requests
 * are under way (waiting for a retry included), or -1 with *err: HAUL_NO_MEMORY. */
int haul_client_run(struct haul_client *c, int max_wait_ms, struct haul_error *err);

/* Ends a request as HAUL_CANCELLED: its callback is called in the next haul_client_run(), which
 * does not wait before; until then it may still read and write. What was submitted several
 * times is ended several times. On the client's thread, from callbacks too. Returns 0, or -1
 * when there is no such request (any more). */
int haul_client_cancel(struct haul_client *c, const struct haul_request *request);

/* For somebody else's loop: a descriptor, an epoll one and always the same, that is readable
 * when haul_client_run(c, 0, err) has something to do; and in how many ms it has so at the
 * latest, -1: not by time alone. Ask for the latter anew after each run and submit. */
int haul_client_fd(const struct haul_client *c);
int haul_client_wait_ms(const struct haul_client *c);

/* Submits and runs until that one request is done (others move along). done may be NULL. For
 * scripts and planners. Returns 0, or -1 with *err also when the request failed. */
int haul_client_perform(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err);

/* Makes the present or the next haul_client_run() return soon. Any thread, and signal handlers.
 */
void haul_client_wake(struct haul_client *c);

/* From the next haul_client_run() on, which it wakes, nothing begins: what waits for its turn
 * or a retry ends as HAUL_CANCELLED, as does each new request; what is on its way goes on to
 * its end. Any thread, and signal handlers. */
void haul_client_drain(struct haul_client *c);

/* The next haul_client_run(), which it wakes, ends every request as HAUL_CANCELLED, and from
 * then on each new one as well. Any thread, and signal handlers. */
void haul_client_stop(struct haul_client *c);

HAUL_END
#endif
