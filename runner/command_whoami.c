/* `haul whoami`: where an endpoint's keys come from, until when they are good, and whether the
 * server takes them. Never the secret, never the token, and of the key id its end alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "oneshot.h"
#include "refusal.h"

#define KEY_ID_SHOWN 4

struct fact {
    const char *name, *value; /* in JSON; NULL: null */
    const char *label, *text; /* for people; text NULL: the value, and without one no line */
};

static void print_fact(const struct fact *f, bool json, bool first)
{
    const char *text = f->text ? f->text : f->value;
    if (json) {
        printf("%c\"%s\":", first ? '{' : ',', f->name);
        if (f->value == NULL)
            fputs("null", stdout);
        else
            json_string(stdout, f->value);
    } else if (text != NULL) {
        printf("%-9s ", f->label);
        json_plain(stdout, text, "");
        putchar('\n');
    }
}

static const char *or_null(const char *text)
{
    return *text != '\0' ? text : NULL;
}

static void print_facts(const struct oneshot *o)
{
    struct haul_identity who;
    const struct haul_endpoint *e = haul_store_endpoint(o->store);
    char key[KEY_ID_SHOWN + sizeof "…"] = "none", expiry[80] = "does not expire";
    char at[ONESHOT_TIME_SIZE];

    haul_credentials_describe(o->credentials, &who);
    const size_t len = strlen(who.key_id);
    const char *end = who.key_id + (len > KEY_ID_SHOWN ? len - KEY_ID_SHOWN : 0);
    if (len > 0)
        snprintf(key, sizeof key, "…%.*s", KEY_ID_SHOWN, end);
    oneshot_time(who.expires_ms, at);
    if (who.expires_ms >= 0) {
        const int64_t left = who.expires_ms / 1000 - (int64_t) time(NULL),
                      s = left > 0 ? left : 0;
        snprintf(expiry, sizeof expiry, "%s, in %" PRId64 ":%02d:%02d", at, s / 3600,
            (int) (s / 60 % 60), (int) (s % 60));
    }
    const struct fact facts[] = {
        { "source", who.source, "source", NULL },
        { "profile", or_null(who.profile), "profile", NULL },
        { "detail", or_null(who.detail), "detail", NULL },
        { "key_id", or_null(end), "key id", key },
        { "expires_at", who.expires_ms >= 0 ? at : NULL, "expires", expiry },
        { "region", haul_endpoint_region(e), "region", NULL },
        { "endpoint", haul_endpoint_url(e), "endpoint", NULL },
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        print_fact(&facts[i], o->arguments->json, i == 0);
    if (!o->arguments->json)
        fflush(stdout); /* the server may take its time */
}

/* One small request that keys are needed for. A reply to HEAD would not tell why. */
static int ask(const struct oneshot *o, struct haul_error *err)
{
    const bool bucket = *o->address.bucket != '\0';
    const struct haul_request r = { .operation = bucket ? HAUL_LIST_OBJECTS : HAUL_LIST_BUCKETS,
        .max_entries = 1 };
    return haul_perform(o->store, &r, err) != NULL ? 0 : -1;
}

enum verdict { ACCEPTED, REFUSED, UNKNOWN };

/* Is it what AWS says to keys that it knows? Ceph's gateway says so to wrong ones, too, when it
 * is STS as well, and so may others. Then *e tells what it may mean and how to learn more. */
static bool is_denied_to_known(const struct oneshot *o, struct haul_error *e)
{
    struct haul_identity who;
    haul_credentials_describe(o->credentials, &who);
    const bool keys = who.key_id[0] != '\0', bucket = *o->address.bucket != '\0';
    if (keys && haul_endpoint_is_aws(haul_store_endpoint(o->store)))
        return true;
    haul_error_set(e, HAUL_NO_CREDENTIALS,
        "AccessDenied: %s %s%s: name %s bucket that %s may read: haul whoami %s://BUCKET",
        keys ? "these keys may not list" : "without keys nobody may list",
        bucket ? "it" : "buckets", keys ? ", or are not known here" : "",
        bucket ? "another" : "a", keys ? "they" : "all", o->endpoint->name);
    return false;
}

/* What became of the keys, whatever became of the request. */
static enum verdict judge(const struct oneshot *o, struct haul_error *e)
{
    if (e->code != HAUL_SERVER)
        return UNKNOWN;
    if (strcmp(e->aws_code, "NoSuchBucket") == 0)
        return ACCEPTED;
    if (strcmp(e->aws_code, "AccessDenied") == 0)
        return is_denied_to_known(o, e) ? ACCEPTED : UNKNOWN;
    const bool refused =
        e->http_status == 400 || e->http_status == 401 || e->http_status == 403;
    return refused && e->aws_code[0] != '\0' ? REFUSED : UNKNOWN; /* or a proxy says so */
}

static void print_answer(const struct oneshot *o, enum verdict v, const struct haul_error *e)
{
    static const char *const truths[] = { "true", "false", "null" };
    const bool json = o->arguments->json;
    char text[600] = "accepted";
    if (e != NULL && v == UNKNOWN)
        snprintf(text, sizeof text, "%s", e->text);
    else if (e != NULL && v == REFUSED)
        snprintf(text, sizeof text, "refused: %s%s%s", e->aws_code, *e->message ? " " : "",
            e->message);
    else if (e != NULL && *o->address.bucket != '\0')
        snprintf(text, sizeof text, "accepted, but bucket %s can't be listed (%s)",
            o->address.bucket, e->aws_code);
    else if (e != NULL)
        snprintf(text, sizeof text, "accepted, but may not list buckets (%s)", e->aws_code);
    if (json)
        printf(",\"accepted\":%s", truths[v]);
    if (json || v != UNKNOWN) /* else it is the last word, on standard error */
        print_fact(&(struct fact){ "answer", text, "answer", NULL }, json, false);
    if (json)
        puts("}");
}

enum exit_code command_whoami(const struct arguments *a, struct error *err)
{
    struct oneshot o = { .arguments = a };
    struct haul_error error;
    const char *name = a->operand ? a->operand : "s3";
    char *address = NULL;
    enum verdict v = ACCEPTED;

    if (asprintf(&address, "%s%s", name, oneshot_is_address(name) ? "" : "://") < 0) {
        error_no_memory(err);
        return err->exit;
    }
    if (oneshot_open(&o, a, address, err) < 0)
        goto out;
    if (*o.address.key != '\0') {
        oneshot_usage(err, name, "no object is asked for: write ENDPOINT or ENDPOINT://BUCKET");
        goto out;
    }
    print_facts(&o);
    const bool good = ask(&o, &error) == 0;
    if (!good)
        v = judge(&o, &error);
    print_answer(&o, v, good ? NULL : &error);
    if (v != ACCEPTED && error.code == HAUL_CANCELLED)
        oneshot_failed(&o, &o.address, &error, err);
    else if (v != ACCEPTED)
        refusal_explain(&error, o.endpoint, o.address.bucket, err);
out:
    oneshot_close(&o);
    free(address);
    return err->text[0] ? err->exit : EXIT_DONE;
}
