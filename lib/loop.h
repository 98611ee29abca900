/* libcurl's sockets and timers over one epoll descriptor. What is transferred, and what becomes
 * of it, is client.c's. */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

#include <haul/error.h>

#define LOOP_NEVER INT64_MAX
#define LOOP_LEAVING_MAX 64

struct loop {
    void *multi;      /* owned: a CURLM */
    int epoll_fd;     /* owned: watches libcurl's sockets and wake_fd */
    int wake_fd;      /* owned: an eventfd */
    int64_t timer_ms; /* when libcurl wants a tick, CLOCK_MONOTONIC; 0: at once; LOOP_NEVER */
    /* Sockets that libcurl has taken back since the last wait. As a rule it asks for them again
     * at once, for their connection's next request. */
    int leaving[LOOP_LEAVING_MAX];
    int leaving_count;
};

/* At most so many idle connections are kept. NULL with *err: HAUL_NO_MEMORY, also when there is
 * no descriptor left. */
struct loop *loop_new(long connections, struct haul_error *err);
void loop_free(struct loop *l); /* NULL is fine */

/* Lets libcurl do what is due by its timer, such as to begin with what was just added. */
int loop_tick(struct loop *l, struct haul_error *err);

/* Waits at most so long for sockets and wake-ups, and lets libcurl work on those that are
 * ready. Both return 0, or -1 with *err: HAUL_NO_MEMORY. */
int loop_wait(struct loop *l, int most_ms, struct haul_error *err);

/* Ends the present or the next wait. Any thread, and signal handlers. */
void loop_wake(const struct loop *l);

/* For libcurl: closes one of its sockets. From then on the number may be somebody else's. */
int loop_close(void *loop, int fd);

/* CLOCK_MONOTONIC. */
int64_t loop_now_ms(void);

#endif
