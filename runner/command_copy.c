/* `haul get`, `put`, `cp` and `mv`: one object by one call of libhaul, a folder or prefix (-r)
 * by many at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "destination.h"
#include "fanout.h"
#include "json.h"
#include "log.h"
#include "oneshot.h"
#include "utf8.h"
#include "walk.h"

/* Both sides of a command, whole. */
struct sides {
    struct oneshot o; /* o.address is the first one */
    struct address to;
    const char *local;      /* get, put: a path; "-" */
    bool is_move;           /* mv */
    struct walk *walk;      /* put -r */
    struct haul_list *list; /* get, cp, mv -r */
    struct haul_request listed;
};

/* size: NULL when it is not told. */
static void print_done(const struct oneshot *o, const char *from, const struct address *to,
    const char *path, const uint64_t *size, const char *etag)
{
    if (!o->arguments->json)
        return;
    flockfile(stdout);
    printf("{\"from\":");
    json_string(stdout, from);
    if (to != NULL) {
        printf(",\"bucket\":\"%s\"", to->bucket);
        oneshot_json_field("key", to->key);
    }
    oneshot_json_field("to", path);
    if (size != NULL)
        printf(",\"size\":%llu", (unsigned long long) *size);
    oneshot_json_field("etag", etag);
    puts("}");
    funlockfile(stdout);
}

/* base/name as a key. */
static int join(
    struct address *out, const struct address *base, const char *name, struct error *err)
{
    *out = *base;
    size_t len = strlen(base->key);
    if (len + strlen(name) >= sizeof out->key)
        return error_set(
            err, EXIT_SOME_FAILED, "the key would have more than %d bytes", HAUL_KEY_BYTES_MAX);
    if (!utf8_is_valid(name))
        return error_set(err, EXIT_SOME_FAILED, "%s: a key is UTF-8", name);
    strcpy(out->key + len, name);
    return 0;
}

/* folder/name, with one slash between. */
static int join_path(
    char out[static PATH_MAX], const char *folder, const char *name, struct error *err)
{
    size_t len = strlen(folder);
    const char *slash = len > 0 && folder[len - 1] == '/' ? "" : "/";
    if (snprintf(out, PATH_MAX, "%s%s%s", folder, slash, name) < PATH_MAX)
        return 0;
    return error_set(err, EXIT_SOME_FAILED, "%s: %s", name, strerror(ENAMETOOLONG));
}

static const char *last_segment(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- One object ---- */

static int put_one(const struct oneshot *o, struct haul_store *s, const char *path,
    const struct address *to, struct oneshot_meter *meter, struct error *err)
{
    struct haul_error error;
    struct haul_request r = { .bucket = to->bucket, .key = to->key };
    struct haul_parallel_options how = { .progress = meter ? oneshot_progress : NULL,
        .payload = meter };
    const struct haul_result *result = strcmp(path, "-") == 0
                                           ? haul_put_fd(s, &r, STDIN_FILENO, &error)
                                           : haul_put_file_multipart(s, &r, path, &how, &error);
    if (result == NULL)
        return oneshot_side_failed(o, to, path, &error, err);
    print_done(o, path, to, NULL, NULL, result->etag);
    return 0;
}

static int get_one(const struct oneshot *o, struct haul_store *s, const struct address *from,
    const char *path, const char *shown, struct oneshot_meter *meter, struct error *err)
{
    struct haul_error error;
    struct haul_request r = { .bucket = from->bucket, .key = from->key };
    struct haul_parallel_options how = { .progress = meter ? oneshot_progress : NULL,
        .payload = meter,
        .replace = o->arguments->recursive };
    const struct haul_result *result = strcmp(path, "-") == 0
                                           ? haul_get_fd(s, &r, STDOUT_FILENO, &error)
                                           : haul_get_file_parallel(s, &r, path, &how, &error);
    if (result == NULL)
        return oneshot_side_failed(o, from, shown, &error, err);
    if (strcmp(path, "-") != 0)
        print_done(o, from->key, NULL, shown, &result->size, result->etag);
    return 0;
}

static int copy_one(const struct oneshot *o, struct haul_store *s, const struct address *from,
    const struct address *to, bool is_move, struct error *err)
{
    struct haul_error error;
    struct haul_request r = { .bucket = to->bucket,
        .key = to->key,
        .source = { .bucket = from->bucket, .key = from->key } };
    const struct haul_result *result =
        is_move ? haul_rename(s, &r, NULL, &error) : haul_copy(s, &r, NULL, &error);
    if (result == NULL) {
        /* The source's bucket has answered a HEAD by then. */
        bool target = strcmp(error.aws_code, "NoSuchBucket") == 0;
        oneshot_failed(o, target ? to : from, &error, err);
        return -1;
    }
    print_done(o, from->key, to, NULL, NULL, result->etag);
    return 0;
}

/* ---- Sources of -r ---- */

static int next_file(struct fanout *f, struct fanout_item *item, struct error *err)
{
    struct sides *s = f->payload;
    struct walk_entry e;
    int more;
    while ((more = walk_next(s->walk, &e, err)) > 0 && e.kind == WALK_SKIPPED)
        LOG(LOG_WARN, "object_skipped", { "object", e.name }, { "why", e.why });
    if (more <= 0)
        return more;
    *item = (struct fanout_item){ strdup(e.name), e.size };
    if (item->name == NULL)
        return error_no_memory(err);
    if (e.kind == WALK_FILE)
        return 1;
    error_set(err, EXIT_SOME_FAILED, "%s", e.why);
    return 2;
}

/* Of a folder nothing is to be got. */
static bool is_marker(const struct haul_entry *e)
{
    return e->size == 0 && e->key[strlen(e->key) - 1] == '/';
}

static int next_key(struct fanout *f, struct fanout_item *item, struct error *err)
{
    struct sides *s = f->payload;
    const struct haul_entry *e;
    struct haul_error error;
    size_t prefix = strlen(s->o.address.key);
    int more;
    while ((more = haul_list_next(s->list, &e, &error)) > 0 && s->local != NULL && is_marker(e))
        continue;
    if (more < 0)
        oneshot_failed(&s->o, &s->o.address, &error, err);
    if (more <= 0)
        return more;
    if (strncmp(e->key, s->o.address.key, prefix) != 0)
        return error_set(err, EXIT_PAUSED,
            "endpoint %s, bucket %s: the server lists keys that were not asked for",
            s->o.endpoint->name, s->o.address.bucket);
    *item = (struct fanout_item){ strdup(e->key + prefix), e->size };
    return item->name ? 1 : error_no_memory(err);
}

/* ---- Moves of -r ---- */

static int put_item(const struct fanout *f, struct haul_store *store,
    const struct fanout_item *item, struct error *err)
{
    const struct sides *s = f->payload;
    struct address to;
    char path[PATH_MAX];
    return join_path(path, s->local, item->name, err) < 0 ||
                   join(&to, &s->to, item->name, err) < 0
               ? -1
               : put_one(&s->o, store, path, &to, NULL, err);
}

/* Keys come from a server: no name leads out of the folder, and no link is followed in it. */
static int get_item(const struct fanout *f, struct haul_store *store,
    const struct fanout_item *item, struct error *err)
{
    const struct sides *s = f->payload;
    struct address from;
    struct place place;
    char path[64 + NAME_MAX], shown[PATH_MAX];
    const char *fault = destination_name_fault(item->name);
    if (fault != NULL)
        return error_set(err, EXIT_SOME_FAILED, "%s", fault);
    if (place_open(&place, s->local, item->name, "get", true) < 0)
        return error_set(err, EXIT_SOME_FAILED, "%s", strerror(errno));
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", place.folder, place.name);
    snprintf(shown, sizeof shown, "%s%s", s->local, item->name);
    int rc = join(&from, &s->o.address, item->name, err);
    if (rc == 0)
        rc = get_one(&s->o, store, &from, path, shown, NULL, err);
    place_close(&place);
    return rc;
}

static int copy_item(const struct fanout *f, struct haul_store *store,
    const struct fanout_item *item, struct error *err)
{
    const struct sides *s = f->payload;
    struct address from, to;
    return join(&from, &s->o.address, item->name, err) < 0 ||
                   join(&to, &s->to, item->name, err) < 0
               ? -1
               : copy_one(&s->o, store, &from, &to, s->is_move, err);
}

/* All below the first address. */
static enum exit_code for_all_keys(struct sides *s,
    int (*move)(
        const struct fanout *, struct haul_store *, const struct fanout_item *, struct error *),
    struct error *err)
{
    struct haul_error error;
    struct fanout f = { .o = &s->o, .next = next_key, .move = move, .payload = s };
    s->listed = (struct haul_request){ .operation = HAUL_LIST_OBJECTS,
        .bucket = s->o.address.bucket,
        .prefix = s->o.address.key };
    s->list = haul_list_new(s->o.store, &s->listed, &error);
    if (s->list == NULL)
        return oneshot_failed(&s->o, &s->o.address, &error, err);
    enum exit_code exit = fanout_run(&f, err);
    haul_list_free(s->list);
    return exit;
}

/* ---- The commands ---- */

static enum exit_code get(struct sides *s, struct error *err)
{
    const struct arguments *a = s->o.arguments;
    const char *name = last_segment(s->o.address.key);
    char path[PATH_MAX], folder[PATH_MAX];
    struct stat st;
    s->local = a->operand_count > 1 ? a->operands[1] : ".";
    if (*s->local == '\0') /* an unset variable, and never the root */
        return oneshot_usage(err, a->operand, "the path is empty");
    bool is_folder = stat(s->local, &st) == 0 && S_ISDIR(st.st_mode);
    if (a->recursive) {
        if (!address_is_prefix(&s->o.address))
            return oneshot_usage(err, a->operand, "with -r a prefix ends in a slash");
        if (join_path(folder, s->local, "", err) < 0)
            return err->exit;
        s->local = folder;
        return for_all_keys(s, get_item, err);
    }
    if (*name == '\0')
        return oneshot_usage(err, a->operand, "which object? -r gets all below a prefix");
    if (is_folder || s->local[strlen(s->local) - 1] == '/') {
        if (destination_name_fault(name) != NULL)
            return oneshot_usage(
                err, a->operand, "name the file, too: the key's last part is no name");
        if (join_path(path, s->local, name, err) < 0)
            return err->exit;
        s->local = path;
    }
    struct oneshot_meter meter = oneshot_meter();
    return get_one(&s->o, s->o.store, &s->o.address, s->local, s->local, &meter, err) < 0
               ? err->exit
               : EXIT_DONE;
}

static enum exit_code put(struct sides *s, struct error *err)
{
    const struct arguments *a = s->o.arguments;
    char folder[PATH_MAX];
    struct stat st;
    s->to = s->o.address;
    s->local = a->operands[0];
    if (*s->local == '\0')
        return oneshot_usage(err, a->operands[1], "the path is empty");
    if (a->recursive) {
        struct fanout f = { .o = &s->o, .next = next_file, .move = put_item, .payload = s };
        if (!address_is_prefix(&s->to))
            return oneshot_usage(err, a->operands[1], "with -r a prefix ends in a slash");
        if (join_path(folder, s->local, "", err) < 0)
            return err->exit;
        s->local = folder;
        s->walk = walk_open(folder, NULL, err);
        if (s->walk == NULL)
            return err->exit;
        enum exit_code exit = fanout_run(&f, err);
        walk_close(s->walk);
        return exit;
    }
    bool is_stream = strcmp(s->local, "-") == 0;
    if (!is_stream && stat(s->local, &st) == 0 && !S_ISREG(st.st_mode))
        return oneshot_usage(err, s->local,
            S_ISDIR(st.st_mode)
                ? "a folder: -r takes all below it"
                : "no regular file: `put -` sends what comes on standard input");
    if (address_is_prefix(&s->to)) {
        if (is_stream || *last_segment(s->local) == '\0')
            return oneshot_usage(err, a->operands[1], "which key?");
        if (join(&s->to, &s->o.address, last_segment(s->local), err) < 0)
            return err->exit;
    }
    struct oneshot_meter meter = oneshot_meter();
    return put_one(&s->o, s->o.store, s->local, &s->to, &meter, err) < 0 ? err->exit
                                                                         : EXIT_DONE;
}

static enum exit_code copy(struct sides *s, struct error *err)
{
    const struct arguments *a = s->o.arguments;
    const struct address *from = &s->o.address;
    if (oneshot_parse(&s->o, a->operands[1], &s->to, err) < 0)
        return err->exit;
    if (a->recursive) {
        if (!address_is_prefix(from) || !address_is_prefix(&s->to))
            return oneshot_usage(err, a->operand, "with -r both prefixes end in a slash");
        if (strcmp(from->bucket, s->to.bucket) == 0 &&
            strncmp(s->to.key, from->key, strlen(from->key)) == 0)
            return oneshot_usage(err, a->operands[1], "lies in what is to be copied");
        return for_all_keys(s, copy_item, err);
    }
    if (address_is_prefix(from))
        return oneshot_usage(err, a->operand, "which object? -r takes all below a prefix");
    if (address_is_prefix(&s->to) && join(&s->to, &s->to, last_segment(from->key), err) < 0)
        return err->exit;
    return copy_one(&s->o, s->o.store, from, &s->to, s->is_move, err) < 0 ? err->exit
                                                                          : EXIT_DONE;
}

/* Opens the store of the remote side, which both have, and goes on. */
static enum exit_code with_sides(const struct arguments *a, const char *remote,
    const char *other, enum exit_code (*go)(struct sides *s, struct error *err), bool is_move,
    struct error *err)
{
    struct sides *s = calloc(1, sizeof *s);
    enum exit_code exit;
    if (s == NULL) {
        error_no_memory(err);
        return EXIT_QUEUE;
    }
    if (other != NULL && oneshot_is_address(other) && go != copy)
        exit =
            oneshot_usage(err, other, "a path is wanted here: `haul cp` copies inside a store");
    else if (!oneshot_is_address(remote))
        exit = oneshot_usage(err, remote, "an address is wanted here: s3://BUCKET/KEY");
    else if (oneshot_open(&s->o, a, remote, err) < 0)
        exit = err->exit;
    else if (*s->o.address.bucket == '\0')
        exit = oneshot_usage(err, remote, "which bucket?");
    else {
        s->is_move = is_move;
        exit = go(s, err);
    }
    oneshot_close(&s->o);
    free(s);
    return exit;
}

enum exit_code command_get(const struct arguments *a, struct error *err)
{
    return with_sides(
        a, a->operand, a->operand_count > 1 ? a->operands[1] : NULL, get, false, err);
}

enum exit_code command_put(const struct arguments *a, struct error *err)
{
    return with_sides(a, a->operands[1], a->operand, put, false, err);
}

/* With a path on one side it is get or put, which people will try. */
enum exit_code command_cp(const struct arguments *a, struct error *err)
{
    if (!oneshot_is_address(a->operands[1]))
        return command_get(a, err);
    if (!oneshot_is_address(a->operands[0]))
        return command_put(a, err);
    return with_sides(a, a->operands[0], a->operands[1], copy, false, err);
}

enum exit_code command_mv(const struct arguments *a, struct error *err)
{
    for (size_t i = 0; i < 2; i++)
        if (!oneshot_is_address(a->operands[i]))
            return oneshot_usage(err, a->operands[i],
                "mv works inside a store: use put or get, then delete the source");
    return with_sides(a, a->operands[0], a->operands[1], copy, true, err);
}
