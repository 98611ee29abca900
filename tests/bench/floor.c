/* bench-floor: bare libcurl multi handles that move the parts of one file, or many small ones.
 * It signs, sums, syncs and remembers nothing: what it needs is the least that a client of
 * libcurl's can need. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS_MAX = 64, FOLDER_FILES = 1000, URL_MAX = 1024, RANGE_MAX = 64 };

static const char usage[] =
    "usage: bench-floor up|down|puts|gets URL PATH [--threads 2] [--slots 4] [--bytes N]\n"
    "           [--count N] [--part-bytes N] [--buffer-bytes N] [--ca FILE]\n"
    "  up    the file PATH in parts                 puts  files PATH/000/000000 to "
    "URL/000/000000\n"
    "  down  --bytes in ranges into the file PATH   gets  objects URL/000/000000 to such "
    "files\n"
    "  --count so many, --slots of each thread\n";

enum mode { UP, DOWN, PUTS, GETS };
static const char *const modes[] = { "up", "down", "puts", "gets" };

/* Set before the first thread, then only read. */
static struct {
    enum mode mode;
    const char *url, *path, *ca;
    unsigned threads, slots;
    uint64_t bytes, count, part_bytes;
    long buffer_bytes;
    int fd; /* of up and down */
    struct curl_slist *headers;
} job = {
    .threads = 2, .slots = 4, .part_bytes = 8 << 20, .buffer_bytes = 256 << 10, .fd = -1
};

static _Atomic uint64_t next;
static atomic_bool failed;

/* A request in flight: bytes [at, at + left) of a file. */
struct slot {
    CURL *easy; /* owned */
    int fd;     /* owned with puts and gets */
    off_t at;
    uint64_t left;
};

static size_t on_read(char *into, size_t unit, size_t count, void *payload)
{
    struct slot *s = payload;
    size_t want = unit * count < s->left ? unit * count : s->left;
    ssize_t n = pread(s->fd, into, want, s->at);
    if (n < 0)
        return CURL_READFUNC_ABORT;
    s->at += n;
    s->left -= (size_t) n;
    return (size_t) n;
}

static size_t on_write(char *data, size_t unit, size_t count, void *payload)
{
    struct slot *s = payload;
    ssize_t n = pwrite(s->fd, data, unit * count, s->at);
    if (n < 0)
        return 0;
    s->at += n;
    return (size_t) n;
}

static size_t on_forget(char *data, size_t unit, size_t count, void *payload)
{
    (void) data, (void) payload;
    return unit * count;
}

static bool sends(void)
{
    return job.mode == UP || job.mode == PUTS;
}

/* What all requests of a slot have in common. */
static int open_slot(struct slot *s)
{
    CURL *c = s->easy = curl_easy_init();
    s->fd = job.fd;
    if (c == NULL)
        return -1;
    curl_easy_setopt(c, CURLOPT_PRIVATE, s);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, job.headers);
    curl_easy_setopt(c, CURLOPT_CAINFO, job.ca);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    if (sends()) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(c, CURLOPT_READDATA, s);
        curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, job.buffer_bytes);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_forget);
    } else {
        curl_easy_setopt(c, CURLOPT_BUFFERSIZE, job.buffer_bytes);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    }
    return 0;
}

static uint64_t part_of(uint64_t n)
{
    uint64_t left = job.bytes - n * job.part_bytes;
    return left < job.part_bytes ? left : job.part_bytes;
}

static int aim_at_part(struct slot *s, uint64_t n, char url[static URL_MAX])
{
    s->at = (off_t) (n * job.part_bytes);
    s->left = part_of(n);
    snprintf(url, URL_MAX, "%s", job.url);
    if (job.mode == UP) {
        snprintf(url, URL_MAX, "%s?partNumber=%" PRIu64 "&uploadId=u1", job.url, n + 1);
        return 0;
    }
    char range[RANGE_MAX];
    snprintf(range, sizeof range, "%jd-%jd", (intmax_t) s->at,
        (intmax_t) s->at + (intmax_t) s->left - 1);
    return curl_easy_setopt(s->easy, CURLOPT_RANGE, range) == CURLE_OK ? 0 : -1;
}

static int aim_at_file(struct slot *s, uint64_t n, char url[static URL_MAX])
{
    char path[PATH_MAX];
    struct stat st = { 0 };
    uint64_t folder = n / FOLDER_FILES;
    snprintf(url, URL_MAX, "%s/%03" PRIu64 "/%06" PRIu64, job.url, folder, n);
    snprintf(path, sizeof path, "%s/%03" PRIu64 "/%06" PRIu64, job.path, folder, n);
    s->fd = sends() ? open(path, O_RDONLY | O_CLOEXEC)
                    : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    s->at = 0;
    if (s->fd < 0 || (sends() && fstat(s->fd, &st) < 0)) {
        fprintf(stderr, "bench-floor: %s: %s\n", path, strerror(errno));
        return -1;
    }
    s->left = (uint64_t) st.st_size;
    return 0;
}

/* Gives the slot its next request. 0: it has one; -1: there is none, or all goes wrong. */
static int start(CURLM *multi, struct slot *s)
{
    char url[URL_MAX];
    uint64_t n = atomic_fetch_add(&next, 1);
    if (n >= job.count || atomic_load(&failed))
        return -1;
    bool many = job.mode == PUTS || job.mode == GETS;
    if ((many ? aim_at_file : aim_at_part)(s, n, url) < 0)
        goto fail;
    curl_easy_setopt(s->easy, CURLOPT_URL, url);
    if (sends())
        curl_easy_setopt(s->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) s->left);
    if (curl_multi_add_handle(multi, s->easy) == CURLM_OK)
        return 0;
fail:
    atomic_store(&failed, true);
    return -1;
}

/* Ends what has arrived and starts what follows. Returns how many slots have nothing to do. */
static unsigned reap(CURLM *multi)
{
    unsigned idle = 0;
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(multi, &left)) != NULL;) {
        struct slot *s;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **) &s);
        if (m->data.result != CURLE_OK) {
            fprintf(stderr, "bench-floor: %s\n", curl_easy_strerror(m->data.result));
            atomic_store(&failed, true);
        }
        curl_multi_remove_handle(multi, s->easy);
        if (s->fd != job.fd && close(s->fd) < 0)
            atomic_store(&failed, true);
        s->fd = job.fd;
        idle += start(multi, s) < 0;
    }
    return idle;
}

static void *worker(void *payload)
{
    (void) payload;
    CURLM *multi = curl_multi_init();
    struct slot *slots = calloc(job.slots, sizeof *slots);
    unsigned live = 0;
    if (multi == NULL || slots == NULL)
        goto fail;
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) job.slots);
    for (unsigned i = 0; i < job.slots; i++) {
        if (open_slot(&slots[i]) < 0)
            goto fail;
        live += start(multi, &slots[i]) == 0;
    }
    for (int running; live > 0; live -= reap(multi))
        if (curl_multi_poll(multi, NULL, 0, 1000, NULL) != CURLM_OK ||
            curl_multi_perform(multi, &running) != CURLM_OK)
            goto fail;
    goto out;
fail:
    atomic_store(&failed, true);
out:
    for (unsigned i = 0; slots != NULL && i < job.slots; i++)
        curl_easy_cleanup(slots[i].easy);
    curl_multi_cleanup(multi);
    free(slots);
    return NULL;
}

static int wrong(const char *what)
{
    fprintf(stderr, "bench-floor: %s: %s\n", what, strerror(errno));
    return -1;
}

/* Of up and down: the one file, which costs less CPU when it is made as a whole than when the
 * threads make it page by page. Else the folders of gets. */
static int prepare_files(void)
{
    struct stat st;
    if (job.mode == UP || job.mode == DOWN) {
        job.fd = job.mode == UP ? open(job.path, O_RDONLY)
                                : open(job.path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (job.fd < 0 || fstat(job.fd, &st) < 0)
            return wrong(job.path);
        if (job.mode == UP)
            job.bytes = (uint64_t) st.st_size;
        else if (fallocate(job.fd, 0, 0, (off_t) job.bytes) < 0)
            return wrong(job.path);
        job.count = job.bytes / job.part_bytes + (job.bytes % job.part_bytes != 0);
    }
    if (job.mode == GETS && mkdir(job.path, 0755) < 0 && errno != EEXIST)
        return wrong(job.path);
    for (uint64_t n = 0; job.mode == GETS && n * FOLDER_FILES < job.count; n++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%03" PRIu64, job.path, n);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return wrong(path);
    }
    return 0;
}

static int run_threads(void)
{
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    while (started < job.threads && pthread_create(&threads[started], NULL, worker, NULL) == 0)
        started++;
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started == job.threads && !atomic_load(&failed) ? 0 : -1;
}

/* -1: not so. */
static int parse_options(int argc, char **argv)
{
    static const struct option table[] = {
        { "threads", required_argument, NULL, 't' },
        { "slots", required_argument, NULL, 's' },
        { "bytes", required_argument, NULL, 'b' },
        { "count", required_argument, NULL, 'n' },
        { "part-bytes", required_argument, NULL, 'p' },
        { "buffer-bytes", required_argument, NULL, 'u' },
        { "ca", required_argument, NULL, 'c' },
        { 0 },
    };
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        uint64_t value = c != '?' ? strtoull(optarg, NULL, 10) : 0;
        if (c == 'c')
            job.ca = optarg;
        else if (value == 0)
            return -1;
        else if (c == 't')
            job.threads = (unsigned) value;
        else if (c == 's')
            job.slots = (unsigned) value;
        else if (c == 'b')
            job.bytes = value;
        else if (c == 'n')
            job.count = value;
        else if (c == 'p')
            job.part_bytes = value;
        else
            job.buffer_bytes = (long) value;
    }
    if (argc - optind != 3 || job.threads > THREADS_MAX)
        return -1;
    while (strcmp(modes[job.mode], argv[optind]) != 0)
        if (++job.mode == sizeof modes / sizeof *modes)
            return -1;
    job.url = argv[optind + 1];
    job.path = argv[optind + 2];
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts(curl_version()) < 0;
    if (parse_options(argc, argv) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK || prepare_files() < 0)
        return 1;
    job.headers = curl_slist_append(NULL, "Expect:");
    int rc = run_threads();
    curl_slist_free_all(job.headers);
    curl_global_cleanup();
    return rc == 0 ? 0 : 1;
}
