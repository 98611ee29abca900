/* Statistics, log, faults and gates over HTTP, unsigned and uncounted. */
#include "control.h"

#include "operations.h"

#include <stdlib.h>
#include <string.h>

/* One request of the test's. `name` is what follows the row's path, `body` what it sent. */
struct call {
    struct server *server;
    const struct request *request;
    const char *name;
    struct text body, answer;
};

static int get_stats(struct call *c)
{
    ledger_stats(c->server->ledger, operation_name, &c->answer);
    return 200;
}

static int get_log(struct call *c)
{
    ledger_log(c->server->ledger, &c->answer);
    return 200;
}

static int get_headers(struct call *c)
{
    unsigned op = 0;
    if (*c->name == '\0')
        op = LEDGER_OPS_MAX;
    while (op < LEDGER_OPS_MAX && operation_name(op) != NULL &&
           strcmp(operation_name(op), c->name) != 0)
        op++;
    ledger_write_headers(c->server->ledger, op, &c->answer);
    return 200;
}

static int post_reset(struct call *c)
{
    ledger_reset(c->server->ledger, operation_name, &c->answer);
    return 200;
}

static int post_faults(struct call *c)
{
    return faults_add(c->server->faults, text_c(&c->body), operation_exists, &c->answer) < 0
               ? 400
               : 200;
}

static int delete_faults(struct call *c)
{
    faults_clear(c->server->faults);
    return 200;
}

static int post_open(struct call *c)
{
    faults_open(c->server->faults, c->name);
    return 200;
}

static int get_waiting(struct call *c)
{
    const struct text *n = request_param(c->request, "n");
    faults_wait(
        c->server->faults, c->name, n != NULL ? (unsigned) strtoul(text_c(n), NULL, 10) : 1);
    return 200;
}

static const struct {
    const char *method, *path;  /* a path with a final slash has a name behind it */
    int (*run)(struct call *c); /* returns the status */
} calls[] = {
    { "GET", "/-/stats", get_stats },
    { "GET", "/-/log", get_log },
    { "GET", "/-/headers", get_headers },
    { "GET", "/-/headers/", get_headers },
    { "POST", "/-/reset", post_reset },
    { "POST", "/-/faults", post_faults },
    { "DELETE", "/-/faults", delete_faults },
    { "POST", "/-/open/", post_open },
    { "GET", "/-/waiting/", get_waiting },
};

static int dispatch(struct call *c)
{
    const struct request *r = c->request;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        size_t len = strlen(calls[i].path);
        bool named = calls[i].path[len - 1] == '/';
        c->name = r->path + len;
        if (strcmp(r->method, calls[i].method) == 0 &&
            strncmp(r->path, calls[i].path, len) == 0 && (*c->name != '\0') == named)
            return calls[i].run(c);
        c->name = NULL;
    }
    text_addf(&c->answer, "no such call: %s %s", r->method, r->path);
    return 404;
}

bool control_serve(struct server *server, struct request *r)
{
    struct call c = { .server = server, .request = r };
    struct text head = { 0 };
    const char *data;
    for (ssize_t n; (n = request_body(r, &data)) > 0;)
        text_add(&c.body, data, (size_t) n);
    int status = dispatch(&c);
    text_addf(&head,
        "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\nContent-Type: text/plain\r\n\r\n", status,
        status == 200 ? "OK" : "Refused", c.answer.len);
    int rc = wire_send(r->wire, head.at, head.len, c.answer.len > 0);
    if (rc == 0)
        rc = wire_send(r->wire, text_c(&c.answer), c.answer.len, false);
    text_free(&head);
    text_free(&c.body);
    text_free(&c.answer);
    return rc == 0 && r->keep_alive;
}
