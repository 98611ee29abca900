/* The scripted endpoint with a bucket, and a store opened on it. */
#include "store_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct haul_store *new_store(struct shop *p, struct haul_client_options client)
{
    struct haul_store *s = haul_store_new(p->s3->url,
        &(struct haul_store_options){ .endpoint.credentials = p->base->keys,
            .endpoint.region = "us-east-1",
            .client = client,
            .bucket = BUCKET },
        &p->err);
    if (s == NULL)
        fail_msg("%s", p->err.text);
    return s;
}

void reopen(struct shop *p)
{
    s3_clear(p->s3);
    haul_store_free(p->store);
    p->store = new_store(p, (struct haul_client_options){ .retries = 3 });
}

int open_shop(void **state)
{
    struct shop *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_int_equal(make((void **) &p->base), 0);
    p->s3 = p->base->s3;
    p->store = new_store(p, (struct haul_client_options){ .retries = 3 });
    *state = p;
    return 0;
}

int close_shop(void **state)
{
    struct shop *p = *state;
    haul_store_free(p->store);
    clear((void **) &p->base);
    free(p);
    return 0;
}

const struct haul_result *good(const struct shop *p, const struct haul_result *result)
{
    if (result == NULL)
        fail_msg("%s", p->err.text);
    return result;
}

void put(struct shop *p, const char *key, const char *text)
{
    struct haul_request r = { .key = key };
    good(p, haul_put_string(p->store, &r, text, &p->err));
}

void assert_file(const char *path, const char *data, size_t len)
{
    char *got = malloc(len + 1);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(fread(got, 1, len + 1, f), len);
    assert_memory_equal(got, data, len);
    fclose(f);
    free(got);
}

void assert_object(struct shop *p, const char *key, const char *data, size_t len)
{
    struct haul_request r = { .key = key };
    size_t got_len;
    char *got;
    good(p, haul_get_memory(p->store, &r, len + 1, &got, &got_len, &p->err));
    assert_int_equal(got_len, len);
    assert_memory_equal(got, data, len);
    free(got);
}

size_t count_uploads(struct shop *p)
{
    struct haul_request r = { .operation = HAUL_LIST_UPLOADS };
    return good(p, haul_perform(p->store, &r, &p->err))->listing.count;
}

void assert_text(struct shop *p, const char *key, const char *text)
{
    assert_stored(p->base, key, text, strlen(text));
}

void assert_missing(struct shop *p, const char *key)
{
    struct haul_request r = { .key = key };
    assert_null(haul_head(p->store, &r, &p->err));
    assert_int_equal(p->err.http_status, 404);
}

int note_progress(void *told, uint64_t done, uint64_t total)
{
    struct told *t = told;
    assert_true(done >= t->done && done <= total);
    t->done = done;
    t->total = total;
    return ++t->calls == t->cancel_at;
}

pthread_t begin_thread(void *(*run)(void *), void *payload)
{
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, run, payload), 0);
    return t;
}

void *stop_at_the_gate(void *shop)
{
    struct shop *p = shop;
    s3_wait_at(p->s3, "g", 1);
    haul_store_stop(p->store);
    return NULL;
}

void *append_at_the_gate(void *change)
{
    const struct change *c = change;
    s3_wait_at(c->shop->s3, "g", 1);
    FILE *f = fopen(c->path, "a");
    assert_non_null(f);
    fputs("more", f);
    fclose(f);
    s3_open(c->shop->s3, "g");
    return NULL;
}
