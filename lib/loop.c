/* Sockets are watched level-triggered, for what libcurl asks. Its timer is only noted when it
 * is told, which may be inside any call to libcurl. */
#include "loop.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64 /* a turn; further ones are there in the next */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
}

int64_t loop_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Stops to watch what nobody has asked for again. */
static void let_leave(struct loop *l)
{
    while (l->leaving_count > 0)
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->leaving[--l->leaving_count],
            &(struct epoll_event){ 0 });
}

/* true: it was about to leave, and stays. */
static bool hold_back(struct loop *l, int fd)
{
    for (int i = 0; i < l->leaving_count; i++)
        if (l->leaving[i] == fd) {
            l->leaving[i] = l->leaving[--l->leaving_count];
            return true;
        }
    return false;
}

int loop_close(void *loop, int fd)
{
    hold_back(loop, fd); /* the system stops to watch it by itself */
    return close(fd);
}

/* `watched` is what curl_multi_assign() has noted: NULL for a socket that is new to libcurl.
 * The system may know better: it forgets closed sockets, and their numbers come back. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *payload, void *watched)
{
    struct loop *l = payload;
    struct epoll_event e = { .data.fd = fd };
    (void) easy;
    if (what == CURL_POLL_REMOVE) {
        if (l->leaving_count == LOOP_LEAVING_MAX)
            let_leave(l);
        l->leaving[l->leaving_count++] = fd;
        return 0;
    }
    bool known = hold_back(l, fd) || watched != NULL;
    e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(l->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0 &&
        epoll_ctl(l->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) < 0)
        return -1;
    curl_multi_assign(l->multi, fd, l);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *payload)
{
    struct loop *l = payload;
    (void) multi;
    if (timeout_ms > 0)
        l->timer_ms = loop_now_ms() + timeout_ms;
    else
        l->timer_ms = timeout_ms < 0 ? LOOP_NEVER : 0;
    return 0;
}

struct loop *loop_new(long connections, struct haul_error *err)
{
    pthread_once(&curl_once, init_curl);
    struct loop *l = calloc(1, sizeof *l);
    if (l == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    l->timer_ms = LOOP_NEVER;
    l->multi = curl_multi_init();
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event e = { .events = EPOLLIN, .data.fd = l->wake_fd };
    if (l->multi == NULL || l->epoll_fd < 0 || l->wake_fd < 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &e) < 0) {
        haul_error_set(err, HAUL_NO_MEMORY, "an event loop: %s", strerror(errno));
        loop_free(l);
        return NULL;
    }
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, connections);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
    return l;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    if (l->multi != NULL)
        curl_multi_cleanup(l->multi); /* takes its sockets back: the epoll descriptor lives */
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    free(l);
}

void loop_wake(const struct loop *l)
{
    int before = errno; /* a signal handler's caller may be about to look at it */
    eventfd_write(l->wake_fd, 1);
    errno = before;
}

/* An error or a hang-up is found out by whatever libcurl wants to do with the socket. */
static int happened(uint32_t events)
{
    bool broken = events & (EPOLLERR | EPOLLHUP);
    return (broken || events & EPOLLIN ? CURL_CSELECT_IN : 0) |
           (broken || events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
}

static int outcome(CURLMcode code, struct haul_error *err)
{
    if (code != CURLM_OK)
        return haul_error_set(err, HAUL_NO_MEMORY, "%s", curl_multi_strerror(code));
    return 0;
}

int loop_tick(struct loop *l, struct haul_error *err)
{
    int running;
    if (l->timer_ms > 0 && l->timer_ms > loop_now_ms())
        return 0;
    l->timer_ms = LOOP_NEVER; /* libcurl tells the next one meanwhile */
    return outcome(curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running), err);
}

int loop_wait(struct loop *l, int most_ms, struct haul_error *err)
{
    struct epoll_event events[EVENTS_MAX];
    CURLMcode code = CURLM_OK;
    eventfd_t wakes;
    int running;
    let_leave(l);
    int count = epoll_wait(l->epoll_fd, events, EVENTS_MAX, most_ms); /* EINTR: none */
    for (int i = 0; i < count && code == CURLM_OK; i++)
        if (events[i].data.fd == l->wake_fd)
            eventfd_read(l->wake_fd, &wakes);
        else
            code = curl_multi_socket_action(
                l->multi, events[i].data.fd, happened(events[i].events), &running);
    return outcome(code, err);
}
