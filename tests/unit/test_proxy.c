/* The way through a proxy: which requests take it, what it is told, and whose fault it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certificates.h"
#include "client_fixture.h"
#include "temp.h"

#define USER "user:open%2Fsesame"
#define USER_HEADER                                                                            \
    "Proxy-Authorization: Basic dXNlcjpvcGVuL3Nlc2FtZQ==\r\n" /* user:open/sesame */

static char *folder;

/* ---- A proxy, which takes every name for this machine, one connection after another ---- */

struct proxy {
    char url[64];        /* with USER */
    char heard[4096];    /* all heads of requests */
    const char *refusal; /* its only reply; NULL: it does what it is asked for */
    unsigned port, connections;
    int fd;
    pthread_t thread;
};

static int open_loopback(unsigned port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t) port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = port ? connect(fd, (struct sockaddr *) &at, sizeof at)
                  : bind(fd, (struct sockaddr *) &at, sizeof at);
    assert_true(fd >= 0 && rc == 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* The head, and what came behind it. */
static size_t hear_head(int fd, char *head, size_t size)
{
    size_t len = 0;
    head[0] = '\0';
    while (strstr(head, "\r\n\r\n") == NULL) {
        ssize_t got = read(fd, head + len, size - 1 - len);
        if (got <= 0)
            return 0;
        len += (size_t) got;
        head[len] = '\0';
    }
    return len;
}

static bool pass_on(int from, int to)
{
    char data[16384];
    ssize_t got = read(from, data, sizeof data);
    return got > 0 && write(to, data, (size_t) got) == got;
}

static void relay(int one, int other)
{
    struct pollfd ends[] = { { .fd = one, .events = POLLIN },
        { .fd = other, .events = POLLIN } };
    while (poll(ends, 2, -1) > 0)
        if ((ends[0].revents && !pass_on(one, other)) ||
            (ends[1].revents && !pass_on(other, one)))
            return;
}

static void serve(struct proxy *x, int client)
{
    char head[2048], *heard = x->heard + strlen(x->heard);
    unsigned port;
    size_t len = hear_head(client, head, sizeof head);
    if (len == 0)
        return;
    snprintf(heard, sizeof x->heard - (size_t) (heard - x->heard), "%s", head);
    if (x->refusal != NULL) {
        say(client, x->refusal);
        return;
    }
    bool tunnels = sscanf(head, "CONNECT %*[^:]:%u ", &port) == 1;
    if (!tunnels && sscanf(head, "%*s http://%*[^:]:%u/", &port) != 1)
        return;
    int store = open_loopback(port);
    if (tunnels) {
        say(client, "HTTP/1.1 200 Connection established\r\n\r\n");
    } else { /* without "http://HOST:PORT" */
        char *path = strchr(strstr(head, "://") + 3, '/');
        dprintf(store, "%.*s", (int) strcspn(head, " ") + 1, head);
        assert_int_equal(
            write(store, path, len - (size_t) (path - head)), len - (size_t) (path - head));
    }
    relay(client, store);
    close(store);
}

static void *run(void *payload)
{
    struct proxy *x = payload;
    for (int client; (client = accept(x->fd, NULL, NULL)) >= 0; close(client)) {
        x->connections++;
        serve(x, client);
    }
    return NULL;
}

static void start(struct proxy *x, const char *refusal)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    *x = (struct proxy){ .refusal = refusal, .fd = open_loopback(0) };
    assert_int_equal(listen(x->fd, 16), 0);
    assert_int_equal(getsockname(x->fd, (struct sockaddr *) &at, &size), 0);
    x->port = ntohs(at.sin_port);
    snprintf(x->url, sizeof x->url, "http://%s@127.0.0.1:%u", USER, x->port);
    assert_int_equal(pthread_create(&x->thread, NULL, run, x), 0);
}

/* Once nothing is open to it: its heads may be read from here on. */
static void stop(struct proxy *x)
{
    shutdown(x->fd, SHUT_RDWR);
    pthread_join(x->thread, NULL);
    close(x->fd);
}

/* ---- Asking the store ---- */

static const char *const variables[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
    "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY" };

static int bare(void **state)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    return make(state);
}

/* "https://HOST:PORT" of the store, which then speaks TLS, with a certificate of that name. */
static const char *url_of(const struct fixture *f, const char *scheme, const char *host)
{
    static char url[128];
    snprintf(url, sizeof url, "%s://%s:%u", scheme, host, f->s3->port);
    return url;
}

static void serve_tls(const struct fixture *f, const char *cert, const char *key)
{
    s3_restart(f->s3, (const char *const[]){ "--tls", certificates_at(folder, cert),
                          certificates_at(folder, key), NULL });
}

/* By a client of its own, so that no connection stays. */
static struct end ask(struct fixture *f, const char *url, const char *proxy)
{
    retry_at_most(f, 1, 0);
    struct haul_endpoint *e = new_endpoint(
        f, (struct haul_endpoint_options){
               .url = url, .proxy = proxy, .ca_file = certificates_at(folder, "good.pem") });
    struct haul_request head = request(f, HAUL_HEAD_BUCKET, NULL);
    head.endpoint = e;
    struct end end = perform(f, &head);
    haul_endpoint_free(e);
    retry_at_most(f, 3, 0);
    print_message("%s\n", end.error.text);
    assert_null(strstr(end.error.text, "sesame"));
    return end;
}

static void assert_says(const struct end *e, const char *piece)
{
    if (strstr(e->error.text, piece) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", e->error.text, piece);
}

/* ---- Through it ---- */

static void https_goes_through_the_environment_s_proxy_end_to_end(void **state)
{
    static const char *const names[] = { "HTTPS_PROXY", "https_proxy", "ALL_PROXY" };
    struct fixture *f = *state;
    serve_tls(f, "elsewhere.pem", "elsewhere.key");
    const char *url = url_of(f, "https", "elsewhere.example");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct proxy x;
        char asked[64];
        start(&x, NULL);
        setenv(names[i], x.url, 1);
        assert_int_equal(ask(f, url, NULL).error.code, HAUL_OK);
        unsetenv(names[i]);
        stop(&x);
        snprintf(asked, sizeof asked, "CONNECT elsewhere.example:%u HTTP/1.1\r\n", f->s3->port);
        assert_non_null(strstr(x.heard, asked));
        assert_non_null(strstr(x.heard, USER_HEADER));
        assert_null(strstr(x.heard, S3_ACCESS_KEY)); /* what is signed, it does not see */
    }
}

static void a_proxy_is_no_reason_to_believe_anybody(void **state)
{
    struct fixture *f = *state;
    struct proxy x;
    serve_tls(f, "good-server.pem", "good-server.key");
    start(&x, NULL);
    struct end e = ask(f, url_of(f, "https", "elsewhere.example"), x.url);
    stop(&x);
    assert_int_equal(e.error.code, HAUL_TLS);
    assert_says(&e, "matches target host name 'elsewhere.example'");
}

static void http_asks_it_for_the_whole_url(void **state)
{
    struct fixture *f = *state;
    struct proxy x;
    char asked[160];
    const char *url = url_of(f, "http", "store.example");
    start(&x, NULL);
    setenv("http_proxy", x.url, 1);
    assert_int_equal(ask(f, url, NULL).error.code, HAUL_OK);
    unsetenv("http_proxy");
    assert_int_equal(ask(f, url, x.url).error.code, HAUL_OK); /* given as option */
    stop(&x);
    assert_int_equal(x.connections, 2);
    snprintf(asked, sizeof asked, "HEAD %s/" BUCKET " HTTP/1.1\r\n", url);
    assert_non_null(strstr(x.heard, asked));
    assert_non_null(strstr(x.heard, USER_HEADER));
}

static void the_store_s_own_proxy_goes_before_the_environment_s(void **state)
{
    struct fixture *f = *state;
    struct proxy x;
    start(&x, NULL);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("NO_PROXY", "*", 1);
    assert_int_equal(ask(f, url_of(f, "http", "store.example"), x.url).error.code, HAUL_OK);
    unsetenv("NO_PROXY");
    assert_int_equal(ask(f, f->s3->url, "").error.code, HAUL_OK); /* "": none at all */
    stop(&x);
    assert_int_equal(x.connections, 1);
}

static void no_proxy_names_hosts_suffixes_and_networks(void **state)
{
    static const struct {
        const char *host, *no_proxy;
        bool direct;
    } cases[] = {
        { "127.0.0.1", "", false },
        { "127.0.0.1", "127.0.0.1", true },
        { "127.0.0.1", "*", true },
        { "127.0.0.1", "10.0.0.0/8, 127.0.0.0/8", true },
        { "127.0.0.1", "10.0.0.0/8", false },
        { "127.0.0.1", "127.0.0", false },
        { "store.localhost", "store.localhost", true },
        { "store.localhost", "other.example,localhost", true },
        { "store.localhost", ".localhost", true },
        { "store.localhost", "STORE.LocalHost", true },
        { "store.localhost", "host,ore.localhost", false },
        { "store.localhost", "other.localhost", false },
    };
    static const char *const names[] = { "NO_PROXY", "no_proxy" };
    struct fixture *f = *state;
    /* Or it would take "store" for a bucket. */
    s3_restart(f->s3, (const char *const[]){ "--host-suffix", "s3.test", NULL });
    setenv("http_proxy", "http://" USER "@127.0.0.1:1", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < 2; k++) {
            setenv(names[k], cases[i].no_proxy, 1);
            struct end e = ask(f, url_of(f, "http", cases[i].host), NULL);
            unsetenv(names[k]);
            if ((e.error.code == HAUL_OK) != cases[i].direct)
                fail_msg(
                    "%s, %s=%s: %s", cases[i].host, names[k], cases[i].no_proxy, e.error.text);
        }
}

/* ---- What goes wrong ---- */

static void a_proxy_that_wants_another_password_is_named_and_not_asked_again(void **state)
{
    static const char refusal[] = "HTTP/1.1 407 Proxy Authentication Required\r\n"
                                  "Proxy-Authenticate: Basic realm=\"x\"\r\n"
                                  "Content-Length: 0\r\n\r\n";
    static const char *const schemes[] = { "https", "http" };
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        struct proxy x;
        start(&x, refusal);
        struct end e = ask(f, url_of(f, schemes[i], "store.example"), x.url);
        stop(&x);
        assert_int_equal(x.connections, 1);
        assert_int_equal(e.error.code, i == 0 ? HAUL_NETWORK : HAUL_SERVER);
        assert_int_equal(e.error.retry, HAUL_RETRY_WHEN_FIXED);
        assert_false(e.result.outcome_unknown);
        assert_says(&e, "the proxy");
        assert_says(&e, "answered 407");
    }
}

static void a_proxy_that_finds_no_way_is_asked_again_and_one_that_forbids_is_not(void **state)
{
    static const struct {
        const char *refusal, *piece;
        unsigned attempts;
        enum haul_retry retry;
    } cases[] = {
        { "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "answered 502", 2,
            HAUL_RETRY_LATER },
        { "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "answered 403", 1,
            HAUL_RETRY_WHEN_FIXED },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxy x;
        char place[64];
        start(&x, cases[i].refusal);
        struct end e = ask(f, url_of(f, "https", "store.example"), x.url);
        stop(&x);
        snprintf(place, sizeof place, "the proxy at 127.0.0.1 port %u", x.port);
        assert_int_equal(e.error.code, HAUL_NETWORK);
        assert_int_equal(e.error.retry, cases[i].retry);
        assert_int_equal(e.result.attempts, cases[i].attempts);
        assert_says(&e, cases[i].piece);
        assert_says(&e, place);
    }
}

static void a_proxy_that_is_down_is_named_and_not_the_store(void **state)
{
    struct fixture *f = *state;
    struct end e = ask(f, "https://127.0.0.1:2", "http://" USER "@127.0.0.1:1");
    assert_int_equal(e.error.code, HAUL_NETWORK);
    assert_int_equal(e.error.retry, HAUL_RETRY_LATER);
    assert_says(&e, "can't connect to the proxy 127.0.0.1 port 1: Connection refused");
    e = ask(f, "https://127.0.0.1:2", "");
    assert_int_equal(e.error.code, HAUL_NETWORK);
    assert_says(
        &e, "https://127.0.0.1:2: can't connect to 127.0.0.1 port 2: Connection refused");
    e = ask(f, "http://[::1]:2", "");
    assert_says(&e, "http://[::1]:2: can't connect to ::1 port 2: ");
}

static void what_is_no_proxy_is_refused_without_repeating_it(void **state)
{
    static const char *const proxies[] = { "ftp://user:sesame@host", "http://user:sesame@",
        "http://user:sesame@host:port", "sesame host" };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) {
        struct haul_error err;
        assert_null(
            haul_endpoint_new(&(struct haul_endpoint_options){ .url = "https://store.example",
                                  .proxy = proxies[i] },
                &err));
        assert_int_equal(err.code, HAUL_BAD_CONFIG);
        assert_null(strstr(err.text, "sesame"));
        /* The environment's is libcurl's matter, which finds out late. */
        setenv("https_proxy", proxies[i], 1);
        struct end e = ask(f, "https://store.example", NULL);
        unsetenv("https_proxy");
        assert_int_equal(e.error.code, HAUL_BAD_CONFIG);
        assert_int_equal(e.result.attempts, 1);
    }
}

static int make_folder(void **state)
{
    (void) state;
    folder = certificates_make();
    return 0;
}

static int remove_folder(void **state)
{
    (void) state;
    temp_remove(folder);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bare, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(https_goes_through_the_environment_s_proxy_end_to_end),
        TEST(a_proxy_is_no_reason_to_believe_anybody),
        TEST(http_asks_it_for_the_whole_url),
        TEST(the_store_s_own_proxy_goes_before_the_environment_s),
        TEST(no_proxy_names_hosts_suffixes_and_networks),
        TEST(a_proxy_that_wants_another_password_is_named_and_not_asked_again),
        TEST(a_proxy_that_finds_no_way_is_asked_again_and_one_that_forbids_is_not),
        TEST(a_proxy_that_is_down_is_named_and_not_the_store),
        TEST(what_is_no_proxy_is_refused_without_repeating_it),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
