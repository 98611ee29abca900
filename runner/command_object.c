/* The one-shot commands that ask one thing of an object or a bucket: cat, stat, rm, presign,
 * mb, rb. What moves many is in command_copy.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "log.h"
#include "oneshot.h"
#include "sizes.h"

typedef enum exit_code each_fn(struct oneshot *o, const struct address *at, struct error *err);

static enum exit_code read_operand(
    const struct oneshot *o, const char *operand, struct address *at, struct error *err)
{
    bool recursive = o->arguments->recursive;
    if (oneshot_parse(o, operand, at, err) < 0)
        return err->exit;
    if (*at->bucket == '\0')
        return oneshot_usage(err, operand, "which bucket?");
    if (*at->key == '\0' && !recursive)
        return oneshot_usage(err, operand, "which object?");
    if (recursive && !address_is_prefix(at))
        return oneshot_usage(err, operand, "with -r a prefix ends in a slash");
    return EXIT_DONE;
}

/* Every operand in turn, once all of them are read. What fails is logged, and the rest goes on;
 * a refusal ends it all. */
static enum exit_code for_each(const struct arguments *a, each_fn *each, struct error *err)
{
    struct oneshot o;
    struct address at;
    enum exit_code worst = EXIT_DONE;
    if (oneshot_open(&o, a, a->operand, err) < 0)
        worst = err->exit;
    for (size_t i = 0; i < a->operand_count && worst == EXIT_DONE; i++)
        worst = read_operand(&o, a->operands[i], &at, err);
    for (size_t i = 0; i < a->operand_count && worst <= EXIT_SOME_FAILED; i++) {
        read_operand(&o, a->operands[i], &at, err);
        enum exit_code exit = each(&o, &at, err);
        if (exit == EXIT_SOME_FAILED && a->operand_count > 1 && err->text[0] != '\0') {
            log_last_word(err->text);
            err->text[0] = '\0';
        }
        if (exit > worst)
            worst = exit;
    }
    oneshot_close(&o);
    return worst;
}

static struct haul_request request_for(const struct address *at)
{
    return (struct haul_request){ .bucket = at->bucket, .key = at->key };
}

static enum exit_code cat(struct oneshot *o, const struct address *at, struct error *err)
{
    struct haul_error error;
    struct haul_request r = request_for(at);
    if (haul_get_fd(o->store, &r, STDOUT_FILENO, &error) != NULL)
        return EXIT_DONE;
    oneshot_side_failed(o, at, "standard output", &error, err);
    return err->exit;
}

enum exit_code command_cat(const struct arguments *a, struct error *err)
{
    return for_each(a, cat, err);
}

/* ---- stat ---- */

/* What a person asks of an object, of all the headers that came. */
static bool is_told(const char *header)
{
    static const char *const told[] = { "content-type", "content-encoding",
        "content-disposition", "content-language", "cache-control", "expires" };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (strcmp(header, told[i]) == 0)
            return true;
    return strncmp(header, "x-amz-", 6) == 0 && strcmp(header, "x-amz-request-id") != 0 &&
           strcmp(header, "x-amz-id-2") != 0;
}

static void print_stat_json(const struct address *at, const struct haul_result *r)
{
    char time[ONESHOT_TIME_SIZE];
    printf("{\"bucket\":\"%s\"", at->bucket);
    oneshot_json_field("key", at->key);
    printf(",\"size\":%llu,\"modified\":\"%s\"", (unsigned long long) r->size,
        oneshot_time(r->modified_ms, time));
    oneshot_json_field("etag", r->etag);
    printf(",\"headers\":{");
    const char *comma = "";
    for (size_t i = 0; i < r->headers.count; i++) {
        if (!is_told(r->headers.pairs[i].name))
            continue;
        fputs(comma, stdout);
        json_string(stdout, r->headers.pairs[i].name);
        putchar(':');
        json_string(stdout, r->headers.pairs[i].value);
        comma = ",";
    }
    puts("}}");
}

static void print_header(const char *name, const char *value)
{
    printf("  %s: ", name);
    json_plain(stdout, value, "");
    putchar('\n');
}

static enum exit_code show(struct oneshot *o, const struct address *at, struct error *err)
{
    struct haul_error error;
    char time[ONESHOT_TIME_SIZE];
    struct haul_request request = request_for(at);
    const struct haul_result *r = haul_head(o->store, &request, &error);
    if (r == NULL)
        return oneshot_failed(o, at, &error, err);
    if (o->arguments->json) {
        print_stat_json(at, r);
        return EXIT_DONE;
    }
    printf("%s://%s/", at->endpoint, at->bucket);
    json_plain(stdout, at->key, "");
    printf("\n  size: %llu\n  modified: %s\n", (unsigned long long) r->size,
        oneshot_time(r->modified_ms, time));
    if (r->etag != NULL)
        print_header("etag", r->etag);
    for (size_t i = 0; i < r->headers.count; i++)
        if (is_told(r->headers.pairs[i].name))
            print_header(r->headers.pairs[i].name, r->headers.pairs[i].value);
    return EXIT_DONE;
}

enum exit_code command_stat(const struct arguments *a, struct error *err)
{
    return for_each(a, show, err);
}

/* ---- rm ---- */

static void print_removed(const struct oneshot *o, const struct address *at, const char *key)
{
    if (!o->arguments->json)
        return;
    printf("{\"removed\":");
    json_string(stdout, key);
    printf(",\"bucket\":\"%s\"}\n", at->bucket);
}

/* Keys of a listing, gathered until they fill a DeleteObjects. */
struct batch {
    struct oneshot *o;
    const struct address *at;
    struct haul_victim victims[HAUL_DELETE_MAX];
    bool failed[HAUL_DELETE_MAX];
    size_t count;
    uint64_t removed, refused;
};

static void on_refused(void *payload, const struct haul_entry *e)
{
    struct batch *b = payload;
    LOG(LOG_WARN, "object_failed", { "object", e->key }, { "code", e->aws_code },
        { "why", e->message });
    for (size_t i = 0; i < b->count; i++)
        b->failed[i] |= strcmp(b->victims[i].key, e->key) == 0;
    b->refused++;
}

static int remove_one_by_one(struct batch *b, struct haul_error *error)
{
    for (size_t i = 0; i < b->count; i++) {
        struct haul_request r = { .bucket = b->at->bucket, .key = b->victims[i].key };
        if (haul_delete(b->o->store, &r, error) == NULL)
            return -1;
    }
    return 0;
}

static int remove_batch(struct batch *b, struct haul_error *error)
{
    struct haul_request r = { .bucket = b->at->bucket };
    if (b->count == 0)
        return 0;
    memset(b->failed, 0, sizeof b->failed);
    int64_t refused =
        haul_delete_many(b->o->store, &r, b->victims, b->count, on_refused, b, error);
    if (refused < 0 && error->code == HAUL_BAD_ARGUMENT) /* a key that XML can't write */
        refused = remove_one_by_one(b, error);
    for (size_t i = 0; i < b->count; i++) {
        if (refused >= 0 && !b->failed[i]) {
            print_removed(b->o, b->at, b->victims[i].key);
            b->removed++;
        }
        free((char *) b->victims[i].key);
    }
    b->count = 0;
    return refused < 0 ? -1 : 0;
}

static enum exit_code remove_all(struct oneshot *o, const struct address *at, struct error *err)
{
    struct haul_error error;
    struct batch b = { .o = o, .at = at };
    const struct haul_entry *e;
    int more = -1, rc = 0;
    struct haul_request r = {
        .operation = HAUL_LIST_OBJECTS, .bucket = at->bucket, .prefix = at->key
    };
    struct haul_list *l = haul_list_new(o->store, &r, &error);
    while (l != NULL && rc == 0 && (more = haul_list_next(l, &e, &error)) > 0) {
        b.victims[b.count].key = strdup(e->key);
        if (b.victims[b.count].key == NULL)
            rc = haul_error_set(&error, HAUL_NO_MEMORY, "out of memory");
        else if (++b.count == HAUL_DELETE_MAX)
            rc = remove_batch(&b, &error);
    }
    haul_list_free(l);
    if (rc == 0 && more == 0)
        rc = remove_batch(&b, &error);
    for (size_t i = 0; i < b.count; i++)
        free((char *) b.victims[i].key);
    fprintf(stderr, "haul: %llu objects removed", (unsigned long long) b.removed);
    fprintf(stderr, b.refused ? ", %llu not\n" : "\n", (unsigned long long) b.refused);
    if (rc < 0 || more < 0)
        return oneshot_failed(o, at, &error, err);
    return b.refused ? EXIT_SOME_FAILED : EXIT_DONE;
}

/* S3 says "deleted" of what was never there; a person with a wrong name wants to know. */
static enum exit_code remove_one(struct oneshot *o, const struct address *at, struct error *err)
{
    struct haul_error error;
    struct haul_request r = request_for(at);
    if (haul_head(o->store, &r, &error) == NULL || haul_delete(o->store, &r, &error) == NULL)
        return oneshot_failed(o, at, &error, err);
    print_removed(o, at, at->key);
    return EXIT_DONE;
}

static enum exit_code rm(struct oneshot *o, const struct address *at, struct error *err)
{
    return o->arguments->recursive ? remove_all(o, at, err) : remove_one(o, at, err);
}

enum exit_code command_rm(const struct arguments *a, struct error *err)
{
    return for_each(a, rm, err);
}

/* ---- presign ---- */

enum exit_code command_presign(const struct arguments *a, struct error *err)
{
    struct oneshot o;
    struct haul_error error;
    unsigned seconds = 3600;
    if (a->expires && (!sizes_duration(a->expires, &seconds) || seconds == 0 ||
                          seconds > HAUL_PRESIGN_SECONDS_MAX))
        return oneshot_usage(err, a->expires, "--expires takes 1s to 7d");
    if (oneshot_open(&o, a, a->operand, err) == 0) {
        struct haul_request r = { .operation = HAUL_ANY,
            .method = a->method ? a->method : "GET",
            .endpoint = haul_store_endpoint(o.store),
            .bucket = *o.address.bucket ? o.address.bucket : NULL,
            .key = *o.address.key ? o.address.key : NULL };
        char *url = haul_presign(&r, seconds, &error);
        if (url != NULL)
            puts(url);
        else
            oneshot_failed(&o, &o.address, &error, err);
        free(url);
    }
    oneshot_close(&o);
    return err->text[0] ? err->exit : EXIT_DONE;
}

/* ---- mb, rb ---- */

typedef const struct haul_result *bucket_fn(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err);

static enum exit_code for_bucket(const struct arguments *a, bucket_fn *call, struct error *err)
{
    struct oneshot o;
    struct haul_error error;
    if (oneshot_open(&o, a, a->operand, err) == 0) {
        if (*o.address.bucket == '\0' || *o.address.key != '\0')
            oneshot_usage(err, a->operand, "a bucket is written s3://BUCKET");
        else if (call(o.store, NULL, &error) == NULL)
            oneshot_failed(&o, &o.address, &error, err);
    }
    oneshot_close(&o);
    return err->text[0] ? err->exit : EXIT_DONE;
}

enum exit_code command_mb(const struct arguments *a, struct error *err)
{
    return for_bucket(a, haul_create_bucket, err);
}

enum exit_code command_rb(const struct arguments *a, struct error *err)
{
    return for_bucket(a, haul_delete_bucket, err);
}
