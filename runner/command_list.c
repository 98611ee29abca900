/* `haul ls` and `haul uploads`: listings, a row a line. */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "oneshot.h"

/* 0; 1: no more of them; -1 with *err. */
typedef int row_fn(struct oneshot *o, const struct haul_entry *e, struct error *err);

/* Each row of a listing, and what to say when it breaks off. */
static enum exit_code list(
    struct oneshot *o, const struct haul_request *r, row_fn *row, struct error *err)
{
    struct haul_error error;
    const struct haul_entry *e;
    int more = -1, rc = 0;
    struct haul_list *l = haul_list_new(o->store, r, &error);
    while (l != NULL && rc == 0 && (more = haul_list_next(l, &e, &error)) > 0)
        rc = row(o, e, err);
    if (more < 0) {
        oneshot_failed(o, &o->address, &error, err);
        rc = -1;
    }
    haul_list_free(l);
    return rc < 0 ? err->exit : EXIT_DONE;
}

/* ---- ls ---- */

/* `| head` has seen enough: the other million rows need not be asked for. */
static int is_unread(void)
{
    return ferror(stdout) != 0;
}

static void print_row_json(const struct haul_entry *e)
{
    char time[ONESHOT_TIME_SIZE];
    printf("{\"key\":");
    json_string(stdout, e->key);
    if (e->kind == HAUL_COMMON_PREFIX) {
        puts(",\"prefix\":true}");
        return;
    }
    printf(",\"size\":%llu,\"modified\":\"%s\"", (unsigned long long) e->size,
        oneshot_time(e->modified_ms, time));
    oneshot_json_field("etag", e->etag);
    oneshot_json_field("storage_class", e->storage_class);
    puts("}");
}

static int print_row(struct oneshot *o, const struct haul_entry *e, struct error *err)
{
    char time[ONESHOT_TIME_SIZE];
    (void) err;
    if (o->arguments->json) {
        print_row_json(e);
        return is_unread();
    }
    if (e->kind == HAUL_COMMON_PREFIX)
        printf("%-20s %15s ", "", "prefix");
    else
        printf(
            "%-20s %15llu ", oneshot_time(e->modified_ms, time), (unsigned long long) e->size);
    json_plain(stdout, e->key, "");
    putchar('\n');
    return is_unread();
}

static int print_bucket(struct oneshot *o, const struct haul_entry *e, struct error *err)
{
    char time[ONESHOT_TIME_SIZE];
    (void) err;
    oneshot_time(e->modified_ms, time);
    if (o->arguments->json) {
        printf("{\"bucket\":");
        json_string(stdout, e->key);
        printf(",\"created\":\"%s\"}\n", time);
    } else {
        printf("%-20s ", time);
        json_plain(stdout, e->key, "");
        putchar('\n');
    }
    return 0;
}

enum exit_code command_ls(const struct arguments *a, struct error *err)
{
    struct oneshot o;
    enum exit_code exit;
    if (oneshot_open(&o, a, a->operand ? a->operand : "s3://", err) < 0)
        exit = err->exit;
    else if (*o.address.bucket == '\0')
        exit = list(
            &o, &(struct haul_request){ .operation = HAUL_LIST_BUCKETS }, print_bucket, err);
    else
        exit = list(&o,
            &(struct haul_request){ .operation = HAUL_LIST_OBJECTS,
                .prefix = o.address.key,
                .delimiter = a->recursive ? NULL : "/" },
            print_row, err);
    oneshot_close(&o);
    return exit;
}

/* ---- uploads ---- */

static int show_upload(struct oneshot *o, const struct haul_entry *e, struct error *err)
{
    char time[ONESHOT_TIME_SIZE];
    struct haul_error error;
    oneshot_time(e->modified_ms, time);
    if (o->arguments->json) {
        printf("{\"key\":");
        json_string(stdout, e->key);
        printf(",\"initiated\":\"%s\"", time);
        oneshot_json_field("upload_id", e->upload_id);
        puts("}");
    } else {
        printf("%-20s ", time);
        json_plain(stdout, e->upload_id, " ");
        putchar(' ');
        json_plain(stdout, e->key, "");
        putchar('\n');
    }
    if (!o->arguments->abort)
        return 0;
    struct haul_request abort = {
        .operation = HAUL_ABORT_UPLOAD, .key = e->key, .upload_id = e->upload_id
    };
    if (haul_perform(o->store, &abort, &error) != NULL ||
        strcmp(error.aws_code, "NoSuchUpload") == 0)
        return 0;
    oneshot_failed(o, &o->address, &error, err);
    return -1;
}

enum exit_code command_uploads(const struct arguments *a, struct error *err)
{
    struct oneshot o;
    enum exit_code exit;
    if (oneshot_open(&o, a, a->operand, err) < 0)
        exit = err->exit;
    else if (*o.address.bucket == '\0')
        exit = oneshot_usage(err, a->operand, "which bucket?");
    else
        exit = list(&o,
            &(struct haul_request){ .operation = HAUL_LIST_UPLOADS, .prefix = o.address.key },
            show_upload, err);
    oneshot_close(&o);
    return exit;
}
