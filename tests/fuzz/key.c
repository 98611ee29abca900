/* A key on its way to a file: destination.c, in a folder that is full of traps. Whatever the
 * key: nothing around the destination is made, changed or removed, and what is published is the
 * one file that the key names. The input's first byte says how far it goes, the rest is the
 * key. */
#include "destination.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define RUN "run-1"
#define SIZE 9

static char top[64]; /* the sandbox: outside/, root/ */
static char *before; /* what is around the root */

/* Planted in root/ and in root/folder/, and again when a key has taken their place. */
static const struct trap {
    const char *name, *target; /* NULL: a folder; "": a second name of the victim */
} traps[] = {
    { "folder", NULL },
    { "up", ".." },
    { "out", "../outside" },
    { "far", "../../outside" },
    { "loop", "loop" },
    { "dangling", "../outside/new" },
    { "victim", "../outside/victim" },
    { ".c." RUN ".haul-part", "../outside/new" },
    { ".b." RUN ".haul-part", "" },
};

static FILE *snapshot_out;

static int note(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) type;
    if (ftw->level == 0) /* whose time changes as root comes and goes */
        return FTW_CONTINUE;
    if (ftw->level == 1 && strcmp(path + ftw->base, "root") == 0)
        return FTW_SKIP_SUBTREE;
    fprintf(snapshot_out, "%s %o %ju %jd %jd.%ld\n", path, st->st_mode, (uintmax_t) st->st_ino,
        (intmax_t) st->st_size, (intmax_t) st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    return FTW_CONTINUE;
}

static char *snapshot(void)
{
    char *text = NULL;
    size_t size;
    snapshot_out = open_memstream(&text, &size);
    must(snapshot_out != NULL && nftw(top, note, 16, FTW_PHYS | FTW_ACTIONRETVAL) == 0);
    fclose(snapshot_out);
    return text;
}

/* From folder to folder: a path may be longer than any call takes. */
static void remove_all(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL)
        if (unlinkat(fd, e->d_name, 0) < 0 && strcmp(e->d_name, ".") != 0 &&
            strcmp(e->d_name, "..") != 0)
            remove_all(fd, e->d_name);
    if (d != NULL)
        closedir(d);
    unlinkat(at, name, AT_REMOVEDIR);
}

static void plant(const char *folder)
{
    mkdir(folder, 0700);
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        const struct trap *t = &traps[i];
        char path[sizeof top + 64], target[sizeof top + 16];
        snprintf(path, sizeof path, "%s/%s", folder, t->name);
        snprintf(target, sizeof target, "%s/outside/victim", top);
        int rc = t->target == NULL    ? mkdir(path, 0700)
                 : *t->target == '\0' ? link(target, path)
                                      : symlink(t->target, path);
        if (rc < 0)
            err(1, "%s", path);
    }
}

static void clean_up(void)
{
    remove_all(AT_FDCWD, top);
}

static void set_up(void)
{
    char path[sizeof top + 16];
    struct stat st;
    const char *base = stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp"; /* nothing is synced */
    snprintf(top, sizeof top, "%s/haul-fuzz-key-XXXXXX", base);
    if (mkdtemp(top) == NULL)
        err(1, "%s", top);
    atexit(clean_up);
    snprintf(path, sizeof path, "%s/outside", top);
    must(mkdir(path, 0700) == 0);
    strcat(path, "/victim");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    must(fd >= 0 && write(fd, "precious\n", SIZE) == SIZE && close(fd) == 0);
    before = snapshot();
    destination_init();
}

static void make_root(const char *root)
{
    char below[sizeof top + 16];
    snprintf(below, sizeof below, "%s/folder", root);
    plant(root);
    plant(below);
}

/* Is the key's own file, by way of no link, the one that was written? */
static void judge_published(const char *root, const char *key, const struct stat *written)
{
    char path[PATH_MAX], real[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/%s", root, key) >= PATH_MAX)
        return;
    must(lstat(path, &st) == 0 && st.st_ino == written->st_ino && S_ISREG(st.st_mode));
    must(realpath(path, real) != NULL && strcmp(path, real) == 0);
}

static void move(const char *root, const char *key, unsigned how)
{
    struct place p;
    struct stat st;
    if (place_open(&p, root, key, RUN, !(how & 1)) < 0) {
        must(errno != EINVAL || destination_name_fault(key) != NULL);
        return;
    }
    must(destination_name_fault(key) == NULL);
    int fd = how & 2 ? place_reopen(&p, SIZE) : -1;
    if (fd < 0)
        fd = place_create(&p, SIZE);
    must(fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1));
    if (fd >= 0 && pwrite(fd, "mischief\n", SIZE, 0) == SIZE && place_stamp(fd, 1) == 0 &&
        !(how & 4) && place_publish(&p) == 0)
        judge_published(root, key, &st);
    if (fd >= 0)
        close(fd);
    place_discard(&p);
    place_close(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char root[sizeof top + 8];
    if (*top == '\0')
        set_up();
    if (len == 0)
        return 0;
    snprintf(root, sizeof root, "%s/root", top);
    char *key = fuzz_text(data + 1, len - 1);
    make_root(root);
    const char *fault = destination_name_fault(key);
    if (fault != NULL)
        fuzz_plain(fault);
    move(root, key, data[0]);
    remove_all(AT_FDCWD, root);
    char *after = snapshot();
    if (strcmp(before, after) != 0)
        fuzz_stop(__FILE__, __LINE__, after);
    free(after);
    free(key);
    return 0;
}
