/* Listings of a server that lies, page by page: rows.c, then both that go on with them: list.c,
 * and listing.c with plan.c, which decides what becomes of each name. The input's pages stand
 * where replies would, between lines of "--"; behind the last one the server refuses. */
#include <haul/list.h>

#include "client.h"
#include "destination.h"
#include "document.h"
#include "fuzz.h"
#include "plan.h"
#include "rows.h"
#include "store.h"

#define PREFIX "in/"

/* A page, as a client's result. */
struct page {
    struct haul_result result;
    struct document *document; /* owned */
    bool kept;
};

static struct {
    char *rest;         /* the pages to come */
    char *next;         /* owned: what has to be asked for now; NULL: the beginning */
    unsigned asked;     /* pages so far */
    void *payload;      /* of the request under way */
    haul_done_fn *done; /* NULL: none is */
} server;

static char *next_page(void)
{
    char *page = server.rest, *end = page ? strstr(page, "\n--\n") : NULL;
    server.rest = end ? end + strlen("\n--\n") : NULL;
    if (end != NULL)
        *end = '\0';
    return page;
}

static void free_page(struct page *p)
{
    document_free(p->document);
    free(p);
}

static void expect(const char *continuation)
{
    free(server.next);
    server.next = continuation ? strdup(continuation) : NULL;
}

static struct page *answer(const struct haul_request *r)
{
    struct page *p = calloc(1, sizeof *p);
    const char *text = next_page();
    must(p != NULL && r->operation == HAUL_LIST_OBJECTS && ++server.asked < 1000);
    must((r->continuation == NULL) == (server.next == NULL));
    must(server.next == NULL || strcmp(server.next, r->continuation) == 0);
    struct haul_error *err = &p->result.error;
    if (text == NULL)
        haul_error_set(err, HAUL_SERVER, "no more pages");
    else if ((p->document = document_parse(text, strlen(text), err)) != NULL)
        rows_listing(p->document, &p->result.listing, err);
    if (err->code != HAUL_OK)
        fuzz_error(err);
    expect(p->result.listing.truncated ? p->result.listing.continuation : NULL);
    return p;
}

/* ---- What stands where the client's calls were ---- */

int __wrap_haul_client_perform(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err);
int __wrap_haul_client_submit(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err);
int __wrap_haul_client_run(struct haul_client *c, int max_wait_ms, struct haul_error *err);
const struct haul_result *__wrap_client_keep(const struct haul_result *result);
void __wrap_client_release(const struct haul_result *kept);

int __wrap_haul_client_perform(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err)
{
    (void) c;
    struct page *p = answer(request);
    int rc = p->result.error.code == HAUL_OK ? 0 : -1;
    done(payload, &p->result);
    *err = p->result.error;
    free_page(p);
    return rc;
}

static const struct haul_request *submitted;

int __wrap_haul_client_submit(struct haul_client *c, const struct haul_request *request,
    haul_done_fn *done, void *payload, struct haul_error *err)
{
    (void) c, (void) err;
    must(server.done == NULL);
    submitted = request;
    server.done = done;
    server.payload = payload;
    return 0;
}

int __wrap_haul_client_run(struct haul_client *c, int max_wait_ms, struct haul_error *err)
{
    (void) c, (void) max_wait_ms, (void) err;
    must(server.done != NULL);
    haul_done_fn *done = server.done;
    struct page *p = answer(submitted);
    server.done = NULL;
    done(server.payload, &p->result);
    must(p->kept);
    return 0;
}

const struct haul_result *__wrap_client_keep(const struct haul_result *result)
{
    ((struct page *) result)->kept = true; /* its first member */
    return result;
}

void __wrap_client_release(const struct haul_result *kept)
{
    if (kept != NULL)
        free_page((struct page *) kept);
}

/* ---- Who goes on with it ---- */

static void start_server(char *text)
{
    server.rest = text;
    server.asked = 0;
    expect(NULL);
}

/* What the library's own iterator gives. */
static void list(void)
{
    struct haul_store store = { .bucket = NULL };
    struct haul_request r = { .operation = HAUL_LIST_OBJECTS, .prefix = PREFIX };
    struct haul_error err = { .code = HAUL_OK };
    const struct haul_entry *e;
    int rc;
    struct haul_list *l = haul_list_new(&store, &r, &err);
    must(l != NULL);
    while ((rc = haul_list_next(l, &e, &err)) == 1)
        must(fuzz_touch(e->key) > 0);
    if (rc < 0)
        fuzz_error(&err);
    haul_list_free(l);
}

/* Rows as the queue will have them: each name once and in order, and what is to be moved can be
 * a file below the destination. */
static bool on_row(void *payload, const struct planned *row)
{
    char **last = payload;
    must(*last == NULL || strcmp(*last, row->name) < 0);
    free(*last);
    *last = strdup(row->name);
    must(*last != NULL && row->size <= HAUL_OBJECT_BYTES_MAX);
    if (row->state == OBJECT_PLANNED)
        must(row->why == NULL && destination_name_fault(row->name) == NULL);
    else
        must(row->state == OBJECT_FAILED || row->state == OBJECT_SKIPPED);
    if (row->state != OBJECT_PLANNED)
        fuzz_plain(row->why);
    return true;
}

static void plan(void)
{
    struct manifest_endpoint endpoint = { .name = (char *) "store" };
    struct transfer t = { .kind = TRANSFER_DOWNLOAD,
        .local = (char *) "/nowhere/",
        .endpoint = &endpoint,
        .bucket = (char *) "bucket",
        .key = (char *) PREFIX,
        .many = true };
    struct error err = { .text = "" };
    char *last = NULL;
    int rc = plan_transfer(&t, NULL, NULL, NULL, on_row, &last, &err);
    must(rc == 0 || (err.exit == EXIT_PAUSED && *err.text != '\0'));
    free(last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len), *again = fuzz_text(data, len);
    start_server(text);
    list();
    start_server(again);
    plan();
    expect(NULL);
    free(text);
    free(again);
    return 0;
}
