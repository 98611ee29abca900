/* bench-sink: an S3-shaped server on loopback that costs almost nothing, so that clients are
 * what is measured. Uploads are forgotten, downloads come from one file, listings are made up.
 * This file reads the options, listens, and gives each connection a thread. */
#include "answers.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STACK_BYTES = 256 * 1024, BACKLOG = 4096 };

static const char usage[] =
    "usage: bench-sink [--port N] [--file FILE] [--keys N] [--key-bytes N]\n"
    "           [--latency-ms N] [--rate BYTES_PER_SECOND] [--hold] [--tls CERT KEY]\n"
    "Listens on 127.0.0.1, on any port or that one, and prints it in one line.\n"
    "  --file       what every object is, but those below small/ are its first --key-bytes\n"
    "  --keys       how many are listed, below small/\n"
    "  --latency-ms before each reply; --rate: of each connection's bodies\n"
    "  --hold       who gets an object waits for ever: for listings alone\n"
    "GET /-/counters tells, as JSON, what was asked for; POST /-/counters also begins again.\n";

/* Set before the first connection. */
static struct {
    struct answers answers;
    uint16_t port;
    uint64_t bytes_per_s; /* of each connection; 0: no cap */
    SSL_CTX *tls;         /* NULL: plain */
} sink = { .answers = { .file.fd = -1, .catalogue.object_bytes = 4096 } };

/* Whole number, or the program ends. */
static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0')
        return value;
    fprintf(stderr, "bench-sink: %s: not a number\n%s", text, usage);
    exit(2);
}

static void fail(const char *what)
{
    fprintf(stderr, "bench-sink: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_file(const char *path)
{
    struct stat st;
    sink.answers.file.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (sink.answers.file.fd < 0 || fstat(sink.answers.file.fd, &st) < 0)
        fail(path);
    sink.answers.file.size = (uint64_t) st.st_size;
    if (st.st_size == 0)
        return;
    sink.answers.file.map =
        mmap(NULL, sink.answers.file.size, PROT_READ, MAP_SHARED, sink.answers.file.fd, 0);
    if (sink.answers.file.map == MAP_FAILED)
        fail(path);
}

static void open_tls(const char *cert, const char *key)
{
    sink.tls = SSL_CTX_new(TLS_server_method());
    if (sink.tls != NULL && SSL_CTX_use_certificate_chain_file(sink.tls, cert) == 1 &&
        SSL_CTX_use_PrivateKey_file(sink.tls, key, SSL_FILETYPE_PEM) == 1)
        return;
    fprintf(stderr, "bench-sink: %s, %s: no certificate with its key\n", cert, key);
    exit(1);
}

static void parse_options(int argc, char **argv)
{
    static const struct option table[] = {
        { "port", required_argument, NULL, 'p' },
        { "file", required_argument, NULL, 'f' },
        { "keys", required_argument, NULL, 'n' },
        { "key-bytes", required_argument, NULL, 's' },
        { "latency-ms", required_argument, NULL, 'l' },
        { "rate", required_argument, NULL, 'r' },
        { "hold", no_argument, NULL, 'h' },
        { "tls", required_argument, NULL, 't' },
        { 0 },
    };
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (c == 'p')
            sink.port = (uint16_t) number(optarg);
        else if (c == 'f')
            open_file(optarg);
        else if (c == 'n')
            sink.answers.catalogue.count = number(optarg);
        else if (c == 's')
            sink.answers.catalogue.object_bytes = number(optarg);
        else if (c == 'l')
            sink.answers.latency_s = (double) number(optarg) / 1e3;
        else if (c == 'r')
            sink.bytes_per_s = number(optarg);
        else if (c == 'h')
            sink.answers.hold = true;
        else if (c == 't' && optind < argc)
            open_tls(optarg, argv[optind++]);
        else
            goto wrong;
    }
    if (optind == argc)
        return;
wrong:
    fputs(usage, stderr);
    exit(2);
}

static int listen_on(uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_port = htons(*port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0 ||
        bind(fd, (struct sockaddr *) &at, sizeof at) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *) &at, &len) < 0)
        fail("the port");
    *port = ntohs(at.sin_port);
    return fd;
}

static void *connection_main(void *payload)
{
    struct link l;
    struct request r;
    bool counted = false;
    if (link_open(&l, (int) (intptr_t) payload, sink.tls, sink.bytes_per_s) < 0)
        return NULL;
    while (link_next(&l, &r) && answers_serve(&sink.answers, &l, &r, &counted))
        continue;
    link_close(&l);
    return NULL;
}

/* Ends with whoever started it: it was killed, too, if it could not stop us. */
static void prepare_process(void)
{
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    prepare_process();
    int fd = listen_on(&sink.port);
    printf("%u\n", sink.port);
    fflush(stdout);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t thread;
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (peer >= 0 &&
            pthread_create(&thread, &attr, connection_main, (void *) (intptr_t) peer) != 0)
            close(peer);
    }
}
