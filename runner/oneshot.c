/* From the command line to a store, and from its failures to words and exit codes. */
#include "oneshot.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "connect.h"
#include "json.h"
#include "log.h"
#include "manifest_endpoints.h"
#include "refusal.h"
#include "sizes.h"

#define DRAW_MS 100

/* ---- Ctrl-C ---- */

/* Every open store, for the signal handler. */
static _Atomic(struct haul_store *) open_stores[ONESHOT_THREADS + 1];
static atomic_bool opened; /* there has been one */
static atomic_bool stopping;

/* The first signal ends the calls under way, which clean up behind them; the second one the
 * process, as the first one does while only keys are asked for. */
static void on_signal(int number)
{
    (void) number;
    if (!atomic_load(&opened))
        log_from_signal("haul: interrupted\n");
    if (!atomic_load(&opened) || atomic_exchange(&stopping, true))
        _exit(EXIT_INTERRUPTED);
    for (size_t i = 0; i < sizeof open_stores / sizeof *open_stores; i++) {
        struct haul_store *s = atomic_load(&open_stores[i]);
        if (s != NULL)
            haul_store_stop(s);
    }
}

static void register_store(struct haul_store *old, struct haul_store *new)
{
    for (size_t i = 0; i < sizeof open_stores / sizeof *open_stores; i++) {
        struct haul_store *expected = old;
        if (atomic_compare_exchange_strong(&open_stores[i], &expected, new))
            return;
    }
}

static void catch_signals(void)
{
    struct sigaction stop = { .sa_handler = on_signal };
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader that has seen enough is an error of write() */
}

void oneshot_hold_signals(bool hold)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &stop, NULL);
}

/* ---- The store ---- */

bool oneshot_is_address(const char *text)
{
    return strncmp(text + strcspn(text, ":/"), "://", 3) == 0;
}

static int parse(const char *text, struct address *out, struct error *err)
{
    size_t len = strlen(text);
    const char *why = NULL;
    if (len > 3 && len <= ADDRESS_ENDPOINT_MAX + 3 && strcmp(text + len - 3, "://") == 0) {
        *out = (struct address){ .bucket = "" };
        memcpy(out->endpoint, text, len - 3);
    } else {
        why = address_parse(text, out);
    }
    return why ? error_set(err, EXIT_USAGE, "%s: %s", text, why) : 0;
}

int oneshot_parse(
    const struct oneshot *o, const char *text, struct address *out, struct error *err)
{
    if (parse(text, out, err) < 0)
        return -1;
    if (strcmp(out->endpoint, o->endpoint->name) != 0)
        return error_set(err, EXIT_USAGE, "%s: not of the endpoint %s: one command, one store",
            text, o->endpoint->name);
    return 0;
}

static int read_addressing(const char *text, enum haul_addressing *out, struct error *err)
{
    static const char *const names[] = { "auto", "path", "virtual" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text == NULL || strcmp(text, names[i]) == 0) {
            *out = (enum haul_addressing) i;
            return 0;
        }
    return error_set(err, EXIT_USAGE, "--addressing takes auto, path or virtual, not %s", text);
}

static int endpoint_of_options(struct oneshot *o, struct error *err)
{
    const struct arguments *a = o->arguments;
    struct manifest_endpoint *e = &o->implicit;
    struct haul_error error;
    size_t at = 0;
    *e = (struct manifest_endpoint){ .name = (char *) "s3",
        .url = (char *) a->endpoint,
        .region = (char *) a->region,
        .credentials = a->profile ? CREDENTIALS_PROFILE : CREDENTIALS_AUTO,
        .profile = (char *) a->profile,
        .ca_file = (char *) a->ca_file,
        .client_cert = (char *) a->client_cert,
        .client_key = (char *) a->client_key,
        .insecure = a->insecure,
        .dualstack = a->dualstack,
        .fips = a->fips,
        .accelerate = a->accelerate };
    o->endpoint = e;
    if (strcmp(o->address.endpoint, "s3") != 0)
        return error_set(err, EXIT_USAGE,
            "%s:// is nothing without a manifest: write s3://, or --manifest FILE",
            o->address.endpoint);
    if (a->setting_count > 0)
        return error_set(err, EXIT_USAGE, "--set is for variables of a --manifest FILE");
    if (read_addressing(a->addressing, &e->addressing, err) < 0)
        return -1;
    if (haul_settings_find(a->profile, NULL, &o->settings, &error) < 0)
        return error_set(err, EXIT_PAUSED, "endpoint s3: %s", error.text);
    manifest_endpoints_settle(e, &o->settings);
    const char *why = e->url ? manifest_endpoints_url_fault(e->url) : NULL;
    if (why != NULL)
        return error_set(err, EXIT_USAGE, "%s: %s",
            a->endpoint ? "--endpoint" : "the url of the environment or the profile", why);
    const struct contradiction c = manifest_endpoints_contradiction(e, &at);
    return c.field ? error_set(err, EXIT_USAGE, "%s: %s", c.field, c.why) : 0;
}

static int endpoint_of_manifest(struct oneshot *o, struct error *err)
{
    const struct arguments *a = o->arguments;
    o->manifest = command_load(a->manifest, a, err);
    if (o->manifest == NULL)
        return -1;
    for (size_t i = 0; i < o->manifest->endpoint_count; i++)
        if (strcmp(o->manifest->endpoints[i]->name, o->address.endpoint) == 0)
            o->endpoint = o->manifest->endpoints[i];
    if (o->endpoint == NULL)
        return error_set(
            err, EXIT_USAGE, "%s: there is no endpoint %s", a->manifest, o->address.endpoint);
    return 0;
}

struct haul_store *oneshot_store(const struct oneshot *o, struct error *err)
{
    struct haul_store *s = connect_store(
        o->endpoint, o->credentials, *o->address.bucket ? o->address.bucket : NULL, err);
    register_store(NULL, s);
    atomic_store(&opened, true);
    if (s != NULL && atomic_load(&stopping)) /* the signal came before it was registered */
        haul_store_stop(s);
    return s;
}

void oneshot_store_free(struct haul_store *s)
{
    register_store(s, NULL);
    haul_store_free(s);
}

/* Most keys outlive a command, and most of the others are asked for once. */
static int keep_fresh(struct oneshot *o, struct error *err)
{
    struct haul_identity who;
    struct haul_error error;
    haul_credentials_describe(o->credentials, &who);
    if (who.expires_ms < 0)
        return 0;
    o->refresher = haul_refresher_start(&o->credentials, 1, &error);
    return o->refresher ? 0 : error_exhausted(err, error.text);
}

int oneshot_open(
    struct oneshot *o, const struct arguments *a, const char *address, struct error *err)
{
    *o = (struct oneshot){ .arguments = a };
    catch_signals();
    if (parse(address, &o->address, err) < 0 ||
        (a->manifest ? endpoint_of_manifest(o, err) : endpoint_of_options(o, err)) < 0)
        return -1;
    connect_warn(o->endpoint);
    o->credentials = connect_credentials(o->endpoint, err);
    if (o->credentials == NULL || keep_fresh(o, err) < 0)
        return -1;
    o->store = oneshot_store(o, err);
    return o->store ? 0 : -1;
}

void oneshot_close(struct oneshot *o)
{
    oneshot_store_free(o->store);
    haul_refresher_stop(o->refresher);
    haul_credentials_free(o->credentials);
    manifest_free(o->manifest);
    log_progress(NULL);
}

/* ---- Words ---- */

enum exit_code oneshot_failed(const struct oneshot *o, const struct address *address,
    const struct haul_error *error, struct error *err)
{
    if (error->code == HAUL_CANCELLED)
        error_set(err, EXIT_INTERRUPTED, "interrupted");
    else if (error->code == HAUL_BAD_ARGUMENT)
        error_set(err, EXIT_USAGE, "%s", error->text);
    else if (error->retry == HAUL_RETRY_WHEN_FIXED || error->code == HAUL_NETWORK)
        refusal_explain(error, o->endpoint, address->bucket, err);
    else if (error->http_status == 404)
        error_set(err, EXIT_SOME_FAILED, "%s://%s/%s: there is no such object",
            address->endpoint, address->bucket, address->key);
    else
        error_set(err, EXIT_SOME_FAILED, "%s://%s/%s: %s", address->endpoint, address->bucket,
            address->key, error->text);
    return err->exit;
}

int oneshot_side_failed(const struct oneshot *o, const struct address *remote,
    const char *local, const struct haul_error *error, struct error *err)
{
    if (error->code != HAUL_LOCAL)
        oneshot_failed(o, remote, error, err);
    else if (error->sys_errno == EINTR) /* before the call could look for a signal */
        error_set(err, EXIT_INTERRUPTED, "interrupted");
    else if (error->sys_errno == 0)
        error_set(err, EXIT_SOME_FAILED, "%s", error->text);
    else
        error_set(err, EXIT_SOME_FAILED, "%s: %s", local, strerror(error->sys_errno));
    return -1;
}

enum exit_code oneshot_usage(struct error *err, const char *what, const char *why)
{
    error_set(err, EXIT_USAGE, "%s: %s", what, why);
    return EXIT_USAGE;
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct oneshot_meter oneshot_meter(void)
{
    return (struct oneshot_meter){ isatty(STDERR_FILENO), clock_ms(), 0 };
}

bool oneshot_meter_due(struct oneshot_meter *m)
{
    int64_t now_ms = m->drawn ? clock_ms() : 0;
    if (now_ms < m->drawn_ms + DRAW_MS)
        return false;
    m->drawn_ms = now_ms;
    return true;
}

int oneshot_progress(void *meter, uint64_t done_bytes, uint64_t total_bytes)
{
    const struct oneshot_meter *m = meter;
    char line[80], done[SIZES_TEXT_SIZE], total[SIZES_TEXT_SIZE], rate[SIZES_TEXT_SIZE];
    int64_t took_ms = clock_ms() - m->began_ms;
    if (!m->drawn)
        return 0;
    sizes_format(took_ms > 0 ? done_bytes * 1000 / (uint64_t) took_ms : 0, rate);
    snprintf(line, sizeof line, "%s of %s, %s/s", sizes_format(done_bytes, done),
        sizes_format(total_bytes, total), rate);
    log_progress(line);
    return 0;
}

char *oneshot_time(int64_t ms, char text[static ONESHOT_TIME_SIZE])
{
    struct tm utc;
    time_t seconds = (time_t) (ms / 1000);
    if (ms < 0 || gmtime_r(&seconds, &utc) == NULL ||
        strftime(text, ONESHOT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        strcpy(text, "-");
    return text;
}

void oneshot_json_field(const char *name, const char *value)
{
    if (value == NULL)
        return;
    printf(",\"%s\":", name);
    json_string(stdout, value);
}
