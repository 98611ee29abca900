/* After all that has to do with secrets is freed, none of them stands in this process's memory.
 * What libcurl copies is not ours to wipe: its memory is wiped here by hooks, so that what
 * would be found is a copy of libhaul's. */
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <cmocka.h>

#include <curl/curl.h>

#include "client_fixture.h"
#include "hash.h"

#define SMALL "eleven byte"
#define MASK 0xA5
#define SECRET_BYTES 32
#define REGIONS_MAX 4096
#define REGION_BYTES_MAX (1024ull * 1024 * 1024) /* sanitizers map more, but not for us */
#define WINDOW_BYTES (1024 * 1024)

/* ---- Secrets that do not stand in memory themselves ---- */

struct secret {
    unsigned char masked[64];
    size_t len;
};

static struct secret mask(const void *data, size_t len)
{
    struct secret s = { .len = len };
    assert_in_range(len, 16, sizeof s.masked);
    for (size_t i = 0; i < len; i++)
        s.masked[i] = ((const unsigned char *) data)[i] ^ MASK;
    return s;
}

/* Letters, so that nobody has to encode it. */
static struct secret random_secret(void)
{
    struct secret s = { .len = SECRET_BYTES };
    assert_int_equal(getrandom(s.masked, SECRET_BYTES, 0), SECRET_BYTES);
    for (size_t i = 0; i < SECRET_BYTES; i++)
        s.masked[i] = (unsigned char) ('a' + s.masked[i] % 26) ^ MASK;
    return s;
}

/* For a moment; wipe_text() then. */
static char *spell(const struct secret *s)
{
    char *text = calloc(1, s->len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < s->len; i++)
        text[i] = (char) (s->masked[i] ^ MASK);
    return text;
}

/* Its second half is enough: what free() notes in a block overwrites the beginning. */
static bool is_in(const struct secret *s, const unsigned char *data, size_t len)
{
    const unsigned char *half = s->masked + s->len / 2, *end = data + len;
    size_t size = s->len - s->len / 2, same = 0;
    for (; data < end && same < size; data++)
        same = (*data ^ MASK) == half[same] ? same + 1 : (*data ^ MASK) == half[0];
    return same == size;
}

struct region {
    unsigned long long start, end;
};

static size_t find_regions(struct region *regions)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[1024], rights[8];
    size_t count = 0;
    assert_non_null(maps);
    while (count < REGIONS_MAX && fgets(line, sizeof line, maps) != NULL) {
        struct region *r = &regions[count];
        if (sscanf(line, "%llx-%llx %7s", &r->start, &r->end, rights) == 3 &&
            strncmp(rights, "rw", 2) == 0 && r->end - r->start <= REGION_BYTES_MAX)
            count++;
    }
    fclose(maps);
    assert_in_range(count, 1, REGIONS_MAX - 1);
    return count;
}

/* In all that this process can write to. */
static bool is_in_memory(const struct secret *s)
{
    static struct region regions[REGIONS_MAX];
    static unsigned char window[WINDOW_BYTES + sizeof s->masked];
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    bool found = false;
    assert_true(fd >= 0);
    for (size_t i = 0, count = find_regions(regions); i < count && !found; i++)
        for (unsigned long long at = regions[i].start; at < regions[i].end && !found;
             at += WINDOW_BYTES) {
            size_t left =
                regions[i].end - at < sizeof window ? regions[i].end - at : sizeof window;
            ssize_t got = pread(fd, window, left, (off_t) at);
            found = got > 0 && is_in(s, window, (size_t) got);
        }
    close(fd);
    wipe(window, sizeof window); /* or it would be found there the next time */
    return found;
}

/* ---- libcurl's memory ---- */

static void wiping_free(void *data)
{
    if (data != NULL)
        wipe(data, malloc_usable_size(data));
    free(data);
}

static void *wiping_realloc(void *old, size_t size)
{
    void *data = malloc(size);
    size_t had = old ? malloc_usable_size(old) : 0;
    if (data != NULL && old != NULL)
        memcpy(data, old, had < size ? had : size);
    if (data != NULL)
        wiping_free(old);
    return data;
}

/* ---- What is done with them ---- */

struct secrets {
    struct secret key, token, customer, customer_text, password;
};

static void use_presigned(const struct haul_request *r)
{
    struct haul_error err;
    char *url = haul_presign(r, 60, &err);
    assert_non_null(url);
    wipe_text(url);
}

/* Requests of all kinds with the keys. */
static void use_endpoint(struct fixture *f, const struct secrets *s)
{
    char *customer = spell(&s->customer), *token = spell(&s->token);
    struct haul_pair pair = { "x-own-token", token };
    struct source body = { .data = SMALL };
    struct haul_request create = request(f, HAUL_CREATE_BUCKET, NULL);
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    struct haul_request put = put_of(f, "k", &body, strlen(SMALL));
    struct haul_request head = request(f, HAUL_HEAD_OBJECT, "k");
    put.encryption.kind = HAUL_ENCRYPT_C;
    put.encryption.customer_key = (const unsigned char *) customer;
    head.encryption = put.encryption;
    list.query = (struct haul_pairs){ &pair, 1 };
    succeed(f, &create);
    succeed(f, &list);
    succeed(f, &put);
    put.payload = HAUL_PAYLOAD_CHUNKED;
    succeed(f, &put);
    succeed(f, &head);
    use_presigned(&head);
    use_presigned(&list);
    wipe_text(customer);
    wipe_text(token);
}

static void use_proxy(struct fixture *f, const struct secrets *s)
{
    char *password = spell(&s->password), proxy[128];
    snprintf(proxy, sizeof proxy, "http://user:%s@127.0.0.1:1", password);
    struct haul_endpoint *e = new_endpoint(f, (struct haul_endpoint_options){ .proxy = proxy });
    struct haul_request list = request(f, HAUL_LIST_OBJECTS, NULL);
    wipe_text(password);
    wipe(proxy, sizeof proxy);
    list.endpoint = e;
    list.tries = 1;
    assert_int_equal(perform(f, &list).error.code, HAUL_NETWORK); /* nobody listens there */
    haul_endpoint_free(e);
}

static void no_secret_outlives_what_was_made_of_it(void **state)
{
    (void) state;
    struct secrets s = { random_secret(), random_secret(), random_secret(), { { 0 }, 0 },
        random_secret() };
    struct haul_error err;
    char *key = spell(&s.key), *token = spell(&s.token), *customer = spell(&s.customer);
    char text[HAUL_CHECKSUM_TEXT_SIZE], url[128];
    haul_checksum_text((const unsigned char *) customer, SECRET_BYTES, text);
    s.customer_text = mask(text, strlen(text));
    wipe(text, sizeof text);
    wipe_text(customer);

    struct fixture *f =
        make_with((const char *const[]){ "--secret-key", key, NULL }, HAUL_PAYLOAD_AUTO);
    haul_endpoint_free(f->endpoint);
    snprintf(url, sizeof url, "https://%s:%s@host", S3_ACCESS_KEY, key);
    struct haul_credentials *sources[] = { haul_credentials_from_url(url, &err),
        haul_credentials_static(NULL, NULL, token, &err) };
    struct haul_credentials *keys = haul_credentials_merge(sources, 2, &err);
    assert_non_null(keys);
    wipe(url, sizeof url);
    wipe_text(key);
    wipe_text(token);
    f->endpoint = new_endpoint(f, (struct haul_endpoint_options){ .credentials = keys });

    use_endpoint(f, &s);
    use_proxy(f, &s);
    assert_true(is_in_memory(&s.key)); /* so it would be found */
    assert_true(is_in_memory(&s.token));
    clear(&(void *){ f });
    haul_credentials_free(keys);
    assert_false(is_in_memory(&s.key));
    assert_false(is_in_memory(&s.token));
    assert_false(is_in_memory(&s.customer));
    assert_false(is_in_memory(&s.customer_text));
    assert_false(is_in_memory(&s.password));
}

int main(int argc, char **argv)
{
    (void) argc;
    /* Whoever binds functions as late as at their first call saves the processor's registers on
     * the stack first, with what memcpy() had in them. */
    if (getenv("LD_BIND_NOW") == NULL) {
        setenv("LD_BIND_NOW", "1", 1);
        execv(argv[0], argv); /* not /proc/self/exe, which may be valgrind */
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_secret_outlives_what_was_made_of_it),
    };
    if (curl_global_init_mem(
            CURL_GLOBAL_ALL, malloc, wiping_free, wiping_realloc, strdup, calloc) != CURLE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
