/* libcurl's sockets and timers over one epoll descriptor. What is transferred, and what becomes
 * of it, is client.c's. */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

#include <haul/error.h>

#define LOOP_NEVER INT64_MAX

struct loop {
    void *multi;      /* owned: a CURLM */
    int epoll_fd;     /* owned: watches libcurl's sockets and wake_fd */
    int wake_fd;      /* owned: an eventfd */
    int64_t timer_ms; /* when libcurl wants a turn, CLOCK_MONOTONIC; LOOP_NEVER: no timer */
};

/* At most so many idle connections are kept. NULL with *err: HAUL_NO_MEMORY, also when there is
 * no descriptor left. */
struct loop *loop_new(long connections, struct haul_error *err);
void loop_free(struct loop *l); /* NULL is fine */

/* Waits at most so long for a socket or a wake-up, and lets libcurl work on what has happened
 * and on its timer. Returns 0, or -1 with *err: HAUL_NO_MEMORY. */
int loop_turn(struct loop *l, int wait_ms, struct haul_error *err);

/* Ends the present or the next wait. Any thread, and signal handlers. */
void loop_wake(const struct loop *l);

/* CLOCK_MONOTONIC. */
int64_t loop_now_ms(void);

#endif
