/* A manifest, from file to queue and back: yamltree.c, vars.c, fields.c, manifest*.c, freeze.c.
 * The input is the file. */
#include "manifest.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static void judge_problem(void *payload, const struct problem *p)
{
    size_t *count = payload;
    ++*count;
    must(p->line > 0 && p->column > 0);
    fuzz_plain(p->text);
}

/* What is in the queue means the same as the file did. */
static void judge(const struct manifest *m)
{
    struct error err;
    char *frozen = manifest_freeze(m);
    must(frozen != NULL && strchr(frozen, '\n') == NULL);
    struct manifest *thawed = manifest_thaw(frozen, &err);
    if (thawed == NULL)
        fuzz_stop(__FILE__, __LINE__, err.text);
    char *again = manifest_freeze(thawed);
    must(again != NULL && strcmp(again, frozen) == 0);
    must(thawed->transfer_count == m->transfer_count && m->transfer_count > 0);
    for (size_t i = 0; i < m->transfer_count; i++) {
        const struct transfer *t = m->transfers[i], *u = thawed->transfers[i];
        must(t->kind == u->kind && t->many == u->many && t->part_bytes == u->part_bytes);
        must(strcmp(t->local, u->local) == 0 && *t->local == '/');
        must(strcmp(t->bucket, u->bucket) == 0 && strcmp(t->key, u->key) == 0);
        must(strcmp(t->endpoint->name, u->endpoint->name) == 0);
    }
    free(again);
    free(frozen);
    manifest_free(thawed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char path[64];
    struct error err = { .text = "" };
    size_t count = 0;
    const struct manifest_options options = { .now_ms = INT64_C(1769860799000) };
    int fd = memfd_create("manifest", 0);
    setenv("SECRET", "hunter2", 1);
    setenv("HOME", "/home/somebody", 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    must(fd >= 0 && write(fd, data, len) == (ssize_t) len);
    struct manifest *m = manifest_load(path, &options, judge_problem, &count, &err);
    if (m != NULL) {
        must(count == 0);
        judge(m);
    } else {
        must(err.exit == EXIT_USAGE && count > 0);
        fuzz_plain(err.text);
    }
    manifest_free(m);
    close(fd);
    return 0;
}
