/* s3-endpoint: an S3 server for tests that does what it is told, faults included. This file
 * reads the options, listens, and gives each connection a thread; see README.md. */
#include "exchange.h"
#include "xml.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STACK_BYTES = 512 * 1024, MIN_PART_BYTES = 5 * 1024 * 1024, BACKLOG = 512 };

struct options {
    const char *root, *tls_cert, *tls_key, *client_ca;
    uint16_t port;
    bool with_parent;
};

struct listener {
    struct server server;
    SSL_CTX *tls; /* owned; NULL: plain */
    int fd, stop_fd, signal_fd;
    struct connection *first; /* the main thread's alone */
};

struct connection {
    struct connection *next;
    struct listener *listener;
    pthread_t thread;
    int fd; /* the thread's: it closes it */
    atomic_bool done;
};

static const char usage[] =
    "usage: s3-endpoint --root DIR [--port N] [--access-key K --secret-key S] [--region R]\n"
    "           [--min-part BYTES] [--host-suffix NAME]... [--tls CERT KEY]\n"
    "           [--client-ca FILE] [--owner ID] [--with-parent]\n";

static int parse_options(int argc, char **argv, struct options *o, struct server *s)
{
    static const struct option table[] = {
        { "root", required_argument, NULL, 'r' },
        { "port", required_argument, NULL, 'p' },
        { "access-key", required_argument, NULL, 'a' },
        { "secret-key", required_argument, NULL, 's' },
        { "owner", required_argument, NULL, 'o' },
        { "region", required_argument, NULL, 'g' },
        { "min-part", required_argument, NULL, 'm' },
        { "host-suffix", required_argument, NULL, 'h' },
        { "tls", required_argument, NULL, 't' },
        { "client-ca", required_argument, NULL, 'c' },
        { "with-parent", no_argument, NULL, 'w' },
        { 0 },
    };
    int suffixes = 0;
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        switch (c) {
        case 'r':
            o->root = optarg;
            break;
        case 'p':
            o->port = (uint16_t) strtoul(optarg, NULL, 10);
            break;
        case 'a':
            s->keys.access_key = optarg;
            break;
        case 's':
            s->keys.secret_key = optarg;
            break;
        case 'o':
            s->owner = optarg;
            break;
        case 'g':
            s->keys.region = optarg;
            break;
        case 'm':
            s->min_part_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            o->with_parent = true;
            break;
        case 'h':
            if (suffixes + 1 == HOST_SUFFIXES_MAX)
                return -1;
            s->host_suffixes[suffixes++] = optarg;
            s->host_suffixes[suffixes] = NULL;
            break;
        case 't':
            o->tls_cert = optarg;
            o->tls_key = argv[optind++];
            if (o->tls_key == NULL)
                return -1;
            break;
        case 'c':
            o->client_ca = optarg;
            break;
        default:
            return -1;
        }
    }
    bool half_a_key = (s->keys.access_key == NULL) != (s->keys.secret_key == NULL);
    return o->root != NULL && optind == argc && !half_a_key ? 0 : -1;
}

static const char bad_request[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

static void serve_connection(struct listener *l, int fd)
{
    struct wire w;
    if (wire_open(&w, fd, l->stop_fd, l->tls) < 0)
        return;
    for (bool goes_on = true; goes_on;) {
        struct request r;
        int rc = wire_next(&w, &r);
        if (rc < 0)
            wire_send(&w, bad_request, sizeof bad_request - 1, false);
        goes_on = rc == 1 && exchange_serve(&l->server, &r);
        request_free(&r);
    }
    wire_close(&w);
}

static void *connection_main(void *payload)
{
    struct connection *c = payload;
    serve_connection(c->listener, c->fd);
    atomic_store(&c->done, true);
    return NULL;
}

static void start_connection(struct listener *l, int fd, const pthread_attr_t *attr)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        abort();
    c->next = l->first;
    c->listener = l;
    c->fd = fd;
    l->first = c;
    if (pthread_create(&c->thread, attr, connection_main, c) != 0)
        abort();
}

/* Joins the threads that have ended, or waits for them all. */
static void reap_connections(struct listener *l, bool all)
{
    for (struct connection **at = &l->first, *c; (c = *at) != NULL;) {
        if (all || atomic_load(&c->done)) {
            *at = c->next;
            pthread_join(c->thread, NULL);
            free(c);
        } else {
            at = &c->next;
        }
    }
}

/* Accepts until SIGTERM or SIGINT comes. */
static void run(struct listener *l)
{
    struct pollfd wait[] = {
        { .fd = l->fd, .events = POLLIN },
        { .fd = l->signal_fd, .events = POLLIN },
    };
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    while (poll(wait, 2, -1) >= 0 || errno == EINTR) {
        if (wait[1].revents != 0)
            break;
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
        reap_connections(l, false);
        if (fd >= 0)
            start_connection(l, fd, &attr);
    }
    pthread_attr_destroy(&attr);
}

/* Ends what blocks, hangs up on all clients, and waits for the threads. */
static void stop(struct listener *l)
{
    eventfd_write(l->stop_fd, 1);
    faults_stop(l->server.faults);
    for (const struct connection *c = l->first; c != NULL; c = c->next)
        if (!atomic_load(&c->done))
            shutdown(c->fd, SHUT_RDWR);
    reap_connections(l, true);
}

static int listen_on(uint16_t port, uint16_t *actual)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0 ||
        bind(fd, (struct sockaddr *) &at, sizeof at) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *) &at, &len) < 0)
        return -1;
    *actual = ntohs(at.sin_port);
    return fd;
}

static SSL_CTX *tls_context(const struct options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, o->tls_cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, o->tls_key, SSL_FILETYPE_PEM) != 1 ||
        (o->client_ca != NULL && SSL_CTX_load_verify_locations(ctx, o->client_ca, NULL) != 1)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    if (o->client_ca != NULL)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ctx;
}

/* All that can fail before the port is told. -1: said so on standard error. */
static int prepare(struct listener *l, const struct options *o, uint16_t *port)
{
    sigset_t ends;
    struct rlimit files;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    xml_open();
    l->signal_fd = signalfd(-1, &ends, SFD_CLOEXEC);
    l->stop_fd = eventfd(0, EFD_CLOEXEC);
    const char *what = o->root;
    if (drafts_open(&l->server.drafts, o->root) < 0 ||
        (l->server.store = store_open(&l->server.drafts)) == NULL ||
        (l->server.uploads = uploads_open(&l->server.drafts)) == NULL)
        goto fail;
    what = o->tls_cert;
    if (what != NULL && (l->tls = tls_context(o)) == NULL)
        goto fail;
    what = "the port";
    l->fd = listen_on(o->port, port);
    if (l->fd >= 0)
        return 0;
fail:
    fprintf(stderr, "s3-endpoint: %s: %s\n", what, strerror(errno));
    return -1;
}

int main(int argc, char **argv)
{
    struct options o = { 0 };
    uint16_t port = 0;
    static struct listener l = {
        .server = { .keys.region = "us-east-1",
            .owner = "owner",
            .host_suffixes = { "localhost", "s3.test" },
            .min_part_bytes = MIN_PART_BYTES,
            .drafts.root_fd = -1 },
        .fd = -1,
        .stop_fd = -1,
        .signal_fd = -1,
    };
    if (parse_options(argc, argv, &o, &l.server) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    pid_t parent = getppid();
    if (o.with_parent && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
        return 1;
    l.server.faults = faults_new();
    l.server.ledger = ledger_new();
    int rc = prepare(&l, &o, &port);
    if (rc == 0) {
        printf("%u\n", port);
        fflush(stdout);
        run(&l);
        stop(&l);
    }
    if (l.fd >= 0)
        close(l.fd);
    close(l.stop_fd);
    close(l.signal_fd);
    SSL_CTX_free(l.tls);
    uploads_free(l.server.uploads);
    store_free(l.server.store);
    drafts_close(&l.server.drafts);
    faults_free(l.server.faults);
    ledger_free(l.server.ledger);
    xml_close();
    return rc == 0 ? 0 : 1;
}
