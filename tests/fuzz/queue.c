/* A queue from a stranger: queue*.c, and all that run, resume and status read of it. The input
 * is the file. So that not SQLite alone is tried, half of the mutations are hostile values in
 * its columns, and triggers, views and tables that are gone. */
#include "queue.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <haul/request.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "parts.h"

#define BATCH 64

static char folder[64], path[80];

static void clean_up(void)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal", ".lock" };
    char name[sizeof path + 16];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static void remove_folder(void)
{
    clean_up();
    rmdir(folder);
}

static void set_up(void)
{
    struct stat st;
    const char *base =
        stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp"; /* no disk is waited for */
    snprintf(folder, sizeof folder, "%s/haul-fuzz-queue-XXXXXX", base);
    if (mkdtemp(folder) == NULL)
        err(1, "%s", folder);
    snprintf(path, sizeof path, "%s/q.db", folder);
    atexit(remove_folder);
    /* So that a sanitizer sees each piece of memory. */
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

static void write_file(const uint8_t *data, size_t len)
{
    if (*path == '\0')
        set_up();
    clean_up();
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    must(fd >= 0 && write(fd, data, len) == (ssize_t) len && close(fd) == 0);
}

/* At most `max` bytes of it, and how many it has. */
static size_t read_file(uint8_t *data, size_t max)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    must(fd >= 0 && fstat(fd, &st) == 0);
    size_t len = (size_t) st.st_size;
    must(read(fd, data, len < max ? len : max) >= 0 && close(fd) == 0);
    return len;
}

/* ---- What the commands do with it ---- */

static void judge_refusal(const struct error *why)
{
    must(why->exit == EXIT_QUEUE && *why->text != '\0');
}

static void on_failed(void *payload, unsigned transfer, const char *name, const char *why)
{
    (void) payload, (void) transfer;
    must(name != NULL && why != NULL);
    fuzz_touch(name);
    fuzz_touch(why);
}

/* `haul status` and `haul jobs` */
static void look(void)
{
    struct queue *q = NULL;
    struct run run = { 0 };
    struct tally t;
    struct error why;
    char *json = NULL;
    must(queue_holder(path) == 0);
    if (queue_open_reader(&q, path, &why) < 0) {
        judge_refusal(&why);
        return;
    }
    if (queue_run(q, &run, &why) < 0)
        judge_refusal(&why);
    else
        must(run.id && run.name && run.manifest && run.manifest_file && run.created_at);
    if (queue_tally(q, &t, &why) < 0)
        judge_refusal(&why);
    if (queue_json(q, "finished", 1, &json, &why) < 0)
        judge_refusal(&why);
    else
        must(json[0] == '{' && json[strlen(json) - 1] == '}');
    if (queue_failed(q, on_failed, NULL, &why) < 0)
        judge_refusal(&why);
    free(json);
    run_clear(&run);
    queue_close(q);
}

/* What the engine takes for granted. */
static void judge_task(const struct task *t)
{
    must(t->name != NULL && t->id > 0);
    must(t->state < OBJECT_DONE);
    fuzz_touch(t->name);
    fuzz_touch(t->etag);
    for (unsigned i = 0; i < t->record_count; i++) {
        const struct part_record *r = &t->records[i];
        must(r->number >= 1 && r->number <= HAUL_PARTS_MAX);
        must(r->state != PART_SENT || fuzz_touch(r->etag) < SIZE_MAX);
        must(r->state != PART_SENT || r->etag != NULL);
    }
    if (t->state == OBJECT_PLANNED)
        return;
    must(t->source != NULL && t->part_bytes > 0 && t->size > t->part_bytes);
    must(part_count(t->size, t->part_bytes) <= HAUL_PARTS_MAX);
    must(t->size / t->part_bytes <= HAUL_PARTS_MAX);
}

/* As an upload and as a download: whatever the queue says, an event fits or is refused. */
static int change(struct queue *q, const struct task *t, struct error *why)
{
    static const struct part_record part = {
        .number = 1, .state = PART_SENT, .crc32c = 7, .etag = (char *) "\"e\""
    };
    bool stale;
    struct change c = { .object = t->id,
        .generation = t->generation,
        .kind = t->temp != NULL ? TRANSFER_DOWNLOAD : TRANSFER_UPLOAD,
        .event = EVENT_RESTARTED,
        .size = 1,
        .modified_ms = -1,
        .why = "why" };
    if (t->state != OBJECT_PLANNED && queue_part(q, t->id, t->generation, &part, why) < 0)
        return -1;
    return queue_change(q, &c, &stale, why);
}

/* `haul resume`, in one transaction that is given up. */
static void carry_out(struct queue *q)
{
    struct task tasks[BATCH];
    struct error why;
    struct run run;
    int64_t last = INT64_MIN;
    int count = 0;
    bool good = queue_run(q, &run, &why) == 0;
    if (good) {
        struct manifest *m = manifest_thaw(run.manifest, &why);
        for (unsigned i = 1; m != NULL && i <= m->transfer_count && good; i++) {
            bool planned;
            char *position = NULL;
            good = queue_position(q, i, &planned, &position, &why) == 0;
            free(position);
        }
        if (m == NULL)
            judge_refusal(&why);
        manifest_free(m);
        run_clear(&run);
    }
    good = good && queue_begin(q, true, &why) == 0;
    while (good && (count = queue_take(q, last, tasks, BATCH, &why)) > 0) {
        for (int i = 0; i < count; i++) {
            must(tasks[i].id > last);
            last = tasks[i].id;
            judge_task(&tasks[i]);
            good = good && change(q, &tasks[i], &why) == 0;
            task_clear(&tasks[i]);
        }
    }
    good = good && count == 0 && queue_pause(q, "why", &why) == 0 &&
           queue_event(q, "paused", 0, NULL, &why) == 0 && queue_finish(q, &why) == 0;
    if (!good)
        judge_refusal(&why);
    queue_rollback(q);
    queue_seal(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct queue *q = NULL;
    struct error why;
    uint8_t *after = malloc(len + 1);
    must(after != NULL);
    write_file(data, len);
    look();
    must(read_file(after, len) == len && memcmp(after, data, len) == 0);
    if (queue_open(&q, path, &why) == 0) {
        carry_out(q);
    } else { /* and left as it is */
        judge_refusal(&why);
        must(strstr(why.text, path) != NULL);
        must(read_file(after, len) == len && memcmp(after, data, len) == 0);
    }
    queue_close(q);
    free(after);
    return 0;
}

/* ---- Mutations ---- */

__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static const char *const columns[][2] = {
    { "run", "id" },
    { "run", "name" },
    { "run", "manifest" },
    { "run", "manifest_file" },
    { "run", "created_at" },
    { "run", "finished_at" },
    { "run", "paused" },
    { "transfer", "id" },
    { "transfer", "position" },
    { "transfer", "planned" },
    { "object", "id" },
    { "object", "transfer_id" },
    { "object", "name" },
    { "object", "size" },
    { "object", "modified_ms" },
    { "object", "etag" },
    { "object", "state" },
    { "object", "generation" },
    { "object", "why" },
    { "motion", "object_id" },
    { "motion", "generation" },
    { "motion", "part_bytes" },
    { "motion", "source" },
    { "motion", "began_ms" },
    { "motion", "token" },
    { "motion", "upload_id" },
    { "motion", "temp" },
    { "part", "object_id" },
    { "part", "number" },
    { "part", "state" },
    { "part", "etag" },
    { "part", "crc32c" },
    { "event", "object_id" },
    { "event", "detail" },
};

static const char *const values[] = {
    "NULL",
    "0",
    "1",
    "-1",
    "2",
    "10000",
    "10001",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967297",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
    "''",
    "'x'",
    "x'00'",
    "x'ff'",
    "zeroblob(2000)",
    "'a' || char(0) || 'b'",
    "'../../etc/passwd'",
    "'/absolute'",
    "'.x.haul-part'",
    "'planned'",
    "'creating'",
    "'moving'",
    "'completing'",
    "'publishing'",
    "'done'",
    "'failed'",
    "'skipped'",
    "'sent'",
    "'written'",
    "'synced'",
    "'{}'",
    "rowid",
};

/* @t is a table, @c a column of it, @v a value. */
static const char *const statements[] = {
    "UPDATE OR REPLACE @t SET @c = @v",
    "UPDATE OR REPLACE @t SET @c = @v WHERE random() % 2",
    "UPDATE OR REPLACE @t SET @c = @v WHERE random() % 4 = 0",
    "DELETE FROM @t WHERE @c = @v",
    "DELETE FROM @t",
    "INSERT INTO @t SELECT * FROM @t",
    "DROP TABLE @t",
    "DROP INDEX object_due",
    "CREATE TRIGGER trap AFTER UPDATE ON @t BEGIN DELETE FROM object; END",
    "CREATE TRIGGER trap AFTER INSERT ON event BEGIN UPDATE OR REPLACE @t SET @c = @v; END",
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET type = 'view', rootpage = 0,"
    " sql = 'CREATE VIEW @t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
    " FROM n) SELECT i AS @c FROM n' WHERE name = '@t'",
    "PRAGMA user_version = 1",
    "PRAGMA user_version = 2",
};

#define PICK(array) (array)[(unsigned) rand_r(&seed) % (sizeof(array) / sizeof *(array))]

static char *make_statement(unsigned seed)
{
    const char *const *column = PICK(columns), *value = PICK(values);
    const char *form = rand_r(&seed) % 4 ? statements[rand_r(&seed) % 3] : PICK(statements);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    must(out != NULL);
    for (; *form != '\0'; form++)
        if (*form != '@')
            putc(*form, out);
        else
            fputs(*++form == 't' ? column[0] : *form == 'c' ? column[1] : value, out);
    fclose(out);
    return text;
}

static void tamper(unsigned seed)
{
    sqlite3 *db = NULL;
    char *sql = make_statement(seed);
    if (sqlite3_open(path, &db) == SQLITE_OK) {
        sqlite3_exec(db,
            "PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON;"
            "PRAGMA foreign_keys = OFF",
            NULL, NULL, NULL);
        sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    sqlite3_close(db);
    free(sql);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    if (seed % 2 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    write_file(data, size);
    tamper(seed / 2);
    size_t len = read_file(data, max_size);
    return len <= max_size ? len : max_size;
}
