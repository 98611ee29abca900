/* TLS: who is believed to be the store, and whom the store believes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certificates.h"
#include "client_fixture.h"
#include "temp.h"

static char *folder;

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

static const char *at(const char *name)
{
    return certificates_at(folder, name);
}

/* The store behind TLS. client_ca NULL: it asks nobody for a certificate. */
static void serve(const struct fixture *f, const char *name, const char *client_ca)
{
    char cert[64], key[64];
    snprintf(cert, sizeof cert, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    s3_restart(
        f->s3, (const char *const[]){ "--tls", at(cert), at(key),
                   client_ca ? "--client-ca" : NULL, client_ca ? at(client_ca) : NULL, NULL });
}

static struct end ask(const struct fixture *f, struct haul_endpoint_options options)
{
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", f->s3->port);
    options.url = url;
    struct haul_endpoint *e = new_endpoint(f, options);
    struct haul_request head = request(f, HAUL_HEAD_BUCKET, NULL);
    head.endpoint = e;
    struct end end = perform(f, &head);
    haul_endpoint_free(e);
    return end;
}

static void assert_let_in(const struct fixture *f, struct haul_endpoint_options options)
{
    struct end e = ask(f, options);
    if (e.error.code != HAUL_OK)
        fail_msg("%s", e.error.text);
}

/* At once, for somebody to mend, in words that say why. */
static void assert_refused(
    const struct fixture *f, struct haul_endpoint_options options, const char *why)
{
    struct end e = ask(f, options);
    print_message("%s\n", e.error.text);
    assert_int_equal(e.error.code, HAUL_TLS);
    assert_int_equal(e.error.retry, HAUL_RETRY_WHEN_FIXED);
    assert_int_equal(e.result.attempts, 1);
    if (strstr(e.error.text, why) == NULL || strstr(e.error.text, "https://127.0.0.1:") == NULL)
        fail_msg("\"%s\" lacks \"%s\"", e.error.text, why);
}

/* ---- The server's certificate ---- */

static void a_certificate_that_is_not_the_store_s_is_refused_and_the_text_says_why(void **state)
{
    static const struct {
        const char *server, *ca_file, *why;
    } cases[] = {
        { "good-server", "good.pem", NULL },
        { "expired", "good.pem", "expired" },
        { "elsewhere", "good.pem", "subject name" },
        { "other-server", "good.pem", "issuer certificate" },
        { "good-server", NULL, "issuer certificate" },
        { "good", NULL, "self-signed" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *ca_file = cases[i].ca_file ? at(cases[i].ca_file) : NULL;
        serve(f, cases[i].server, NULL);
        struct haul_endpoint_options options = { .ca_file = ca_file };
        if (cases[i].why == NULL)
            assert_let_in(f, options);
        else
            assert_refused(f, options, cases[i].why);
        options.insecure = true;
        assert_let_in(f, options);
    }
}

static void a_ca_file_that_holds_none_is_named(void **state)
{
    struct fixture *f = *state;
    serve(f, "good-server", NULL);
    assert_refused(
        f, (struct haul_endpoint_options){ .ca_file = at("rubbish.pem") }, "rubbish.pem");
}

static void *answer_plainly(void *payload)
{
    static const char reply[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    char data[64];
    int fd = accept(*(int *) payload, NULL, NULL);
    assert_true(fd >= 0 && read(fd, data, sizeof data) > 0);
    assert_int_equal(write(fd, reply, sizeof reply - 1), sizeof reply - 1);
    close(fd);
    return NULL;
}

static void a_server_that_speaks_no_tls_is_not_asked_again(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in at_loopback = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t) f->s3->port) };
    pthread_t thread;
    s3_stop(f->s3);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *) &at_loopback, sizeof at_loopback), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, answer_plainly, &fd), 0);
    assert_refused(f, (struct haul_endpoint_options){ .insecure = true }, "version number");
    pthread_join(thread, NULL);
    close(fd);
}

static void a_connection_serves_only_endpoints_that_trust_alike(void **state)
{
    struct fixture *f = *state;
    serve(f, "good-server", NULL);
    const struct haul_endpoint_options good = { .ca_file = at("good.pem") },
                                       other = { .ca_file = at("other.pem") },
                                       careless = { .insecure = true };
    assert_let_in(f, careless);
    assert_refused(f, other, "issuer certificate");
    assert_let_in(f, good);
    assert_refused(f, other, "issuer certificate");
    assert_refused(f, (struct haul_endpoint_options){ .ca_file = NULL }, "issuer certificate");
}

/* ---- Ours ---- */

static struct haul_endpoint_options with_client(
    const char *cert, const char *key, const char *password)
{
    return (struct haul_endpoint_options){ .ca_file = at("good.pem"),
        .client_cert = cert ? at(cert) : NULL,
        .client_key = key ? at(key) : NULL,
        .client_key_password = password };
}

static void a_server_that_asks_for_a_certificate_gets_ours(void **state)
{
    struct fixture *f = *state;
    serve(f, "good-server", "good.pem");
    assert_let_in(f, with_client("good-client.pem", "good-client.key", NULL));
    assert_let_in(f, with_client("good-client.pem", "locked.key", "sesame"));
    assert_let_in(f, with_client("both.pem", NULL, "sesame"));
    serve(f, "good-server", NULL);
    assert_let_in(f, with_client("good-client.pem", "good-client.key", NULL));
}

static void assert_only_ours_is_let_in(const struct fixture *f)
{
    serve(f, "good-server", "good.pem");
    assert_refused(f, with_client(NULL, NULL, NULL), "it may ask for a client_cert");
    assert_refused(
        f, with_client("other-client.pem", "other-client.key", NULL), "alert unknown ca");
    assert_let_in(f, with_client("good-client.pem", "good-client.key", NULL));
    /* Nor by the connection that is open now. */
    assert_refused(f, with_client(NULL, NULL, NULL), "it may ask for a client_cert");
    assert_refused(
        f, with_client("other-client.pem", "other-client.key", NULL), "alert unknown ca");
}

static void a_server_that_asks_for_one_lets_nobody_else_in(void **state)
{
    assert_only_ours_is_let_in(*state);
}

static void so_does_a_server_of_tls_1_2(void **state)
{
    setenv("OPENSSL_CONF", at("tls12.conf"), 1);
    assert_only_ours_is_let_in(*state);
    unsetenv("OPENSSL_CONF");
}

static void a_key_that_does_not_fit_or_open_is_the_certificate_s_problem(void **state)
{
    static const char next[] = "check client_cert, client_key and client_key_password";
    struct fixture *f = *state;
    serve(f, "good-server", "good.pem");
    assert_refused(f, with_client("good-client.pem", "other-client.key", NULL), next);
    assert_refused(f, with_client("good-client.pem", "locked.key", "wrong"), next);
    assert_refused(f, with_client("good-client.pem", NULL, NULL), next);
    assert_refused(f, with_client("rubbish.pem", "good-client.key", NULL), next);
    assert_refused(f, with_client("good-client.pem", "rubbish.pem", NULL), next);
}

/* ---- Ends ---- */

static volatile sig_atomic_t pipe_signals;

static void on_pipe(int number)
{
    (void) number;
    pipe_signals++;
}

/* 16 MiB; after the first one the server is dead, and what follows is written to nobody. */
static ssize_t kill_and_read_on(void *payload, uint64_t offset, void *data, size_t len)
{
    struct fixture *f = payload;
    if (offset >= MIB && f->s3->pid != 0) {
        kill(f->s3->pid, SIGKILL);
        waitpid(f->s3->pid, NULL, 0);
        f->s3->pid = 0;
    }
    memset(data, 'x', len);
    return (ssize_t) len;
}

/* Case 58. Neither libcurl nor OpenSSL may kill the program that we are part of. */
static void a_connection_that_dies_while_it_is_written_to_raises_no_signal(void **state)
{
    struct fixture *f = *state;
    struct sigaction before, ours = { .sa_handler = on_pipe };
    struct haul_endpoint_options options = { .url = f->s3->url };
    char url[64];
    assert_int_equal(sigaction(SIGPIPE, &ours, &before), 0);
    retry_at_most(f, HAUL_NO_RETRIES, 0);
    for (int tls = 0; tls < 2; tls++) {
        struct haul_endpoint *e = new_endpoint(f, options);
        struct haul_request put = request(f, HAUL_PUT_OBJECT, "k");
        put.endpoint = e;
        put.payload = HAUL_PAYLOAD_UNSIGNED;
        put.body = (struct haul_body){ kill_and_read_on, f, 16 * MIB };
        assert_int_equal(perform(f, &put).error.code, HAUL_NETWORK);
        assert_int_equal(pipe_signals, 0);
        haul_endpoint_free(e);
        serve(f, "good-server", NULL);
        snprintf(url, sizeof url, "https://127.0.0.1:%u", f->s3->port);
        options = (struct haul_endpoint_options){ .url = url, .ca_file = at("good.pem") };
    }
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
}

/* With a terminal of its own, which shows all that is asked there. */
static void nobody_is_asked_for_a_password(void **state)
{
    char shown[4096];
    size_t len = 0;
    int terminal, status;
    struct fixture *f = *state;
    serve(f, "good-server", "good.pem");
    fflush(NULL);
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0) {
        struct end e = ask(f, with_client("good-client.pem", "locked.key", NULL));
        _exit(e.error.code == HAUL_TLS ? 0 : 1);
    }
    for (ssize_t n; len < sizeof shown - 1 &&
                    (n = read(terminal, shown + len, sizeof shown - 1 - len)) > 0;) {
        len += (size_t) n;
        (void) !write(terminal, "\n", 1); /* whoever asks shall not wait */
    }
    shown[len] = '\0';
    close(terminal);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_string_equal(shown, "");
    assert_int_equal(status, 0);
}

static void no_text_tells_the_password(void **state)
{
    struct fixture *f = *state;
    serve(f, "good-server", "good.pem");
    struct end e = ask(f, with_client("good-client.pem", "locked.key", "hunter2"));
    assert_int_equal(e.error.code, HAUL_TLS);
    assert_null(strstr(e.error.text, "hunter2"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_that_is_not_the_store_s_is_refused_and_the_text_says_why),
        TEST(a_ca_file_that_holds_none_is_named),
        TEST(a_server_that_speaks_no_tls_is_not_asked_again),
        TEST(a_connection_serves_only_endpoints_that_trust_alike),
        TEST(a_server_that_asks_for_a_certificate_gets_ours),
        TEST(a_server_that_asks_for_one_lets_nobody_else_in),
        TEST(so_does_a_server_of_tls_1_2),
        TEST(a_connection_that_dies_while_it_is_written_to_raises_no_signal),
        TEST(a_key_that_does_not_fit_or_open_is_the_certificate_s_problem),
        TEST(nobody_is_asked_for_a_password),
        TEST(no_text_tells_the_password),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
