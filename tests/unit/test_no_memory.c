/* Every call of the library with every allocation failing, one at a time, and with every one
 * failing from there on: an error, nothing leaked (the sanitizer sees to that), and a store
 * that works again as soon as there is memory. The linker's --wrap catches our own allocations,
 * the hooks of libxml2 and OpenSSL theirs; of libcurl's the texts alone, as 7.88 divides by
 * zero when others fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <errno.h>

#include <curl/curl.h>
#include <libxml/xmlmemory.h>
#include <openssl/crypto.h>

#include "services.h"
#include "store_fixture.h"
#include "temp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PART (5 * MIB)
#define LARGE (PART + 3)
#define SMALL_TEXT "eleven byte"

/* ---- Allocations ---- */

static struct {
    bool armed, theirs, onwards; /* theirs: the libraries' fail as well */
    unsigned seen, nth;
} fault;

static bool fails(bool ours)
{
    if (!fault.armed || !(ours || fault.theirs))
        return false;
    fault.seen++;
    bool now = fault.onwards ? fault.seen >= fault.nth : fault.seen == fault.nth;
    if (now)
        errno = ENOMEM;
    return now;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return fails(true) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(true) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails(true) ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fails(true) ? NULL : __real_strdup(text);
}

static void *their_malloc(size_t size)
{
    return fails(false) ? NULL : __real_malloc(size);
}

static void *their_realloc(void *old, size_t size)
{
    return fails(false) ? NULL : __real_realloc(old, size);
}

static char *their_strdup(const char *text)
{
    return fails(false) ? NULL : __real_strdup(text);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void) file, (void) line;
    return their_malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void) file, (void) line;
    return their_realloc(old, size);
}

static void openssl_free(void *data, const char *file, int line)
{
    (void) file, (void) line;
    free(data);
}

static void catch_allocations(void)
{
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1 ||
        xmlMemSetup(free, their_malloc, their_realloc, their_strdup) != 0 ||
        curl_global_init_mem(CURL_GLOBAL_ALL, __real_malloc, free, __real_realloc, their_strdup,
            __real_calloc) != CURLE_OK)
        abort();
}

/* ---- The calls ---- */

struct kitchen {
    struct shop *shop;
    struct services *services;                  /* whom the environment names */
    struct haul_store *store;                   /* without retries, bodies unsigned */
    char *folder, *profiles, *received, *large; /* files */
    char *bytes;                                /* of `large` */
};

/* Each returns 0 when all of it went well and is right, -1 with *err. */
typedef int call_fn(struct kitchen *k, struct haul_error *err);

static struct haul_store *open_store(struct kitchen *k, struct haul_error *err)
{
    return haul_store_new(k->shop->s3->url,
        &(struct haul_store_options){ .endpoint = { .credentials = k->shop->base->keys,
                                          .payload = HAUL_PAYLOAD_UNSIGNED,
                                          .proxy = "" },
            .client.retries = HAUL_NO_RETRIES,
            .bucket = BUCKET },
        err);
}

static int opens(struct kitchen *k, struct haul_error *err)
{
    struct haul_store *s = open_store(k, err);
    haul_store_free(s);
    return s ? 0 : -1;
}

static int opens_with_keys(struct kitchen *k, struct haul_error *err)
{
    (void) k;
    struct haul_store *s =
        haul_store_new("https://key:secret@bkt.s3.eu-west-1.amazonaws.com", NULL, err);
    haul_store_free(s);
    return s ? 0 : -1;
}

static int opens_from_a_profile(struct kitchen *k, struct haul_error *err)
{
    struct haul_credentials *c = haul_credentials_from_profile("p", k->profiles, err);
    haul_credentials_free(c);
    return c ? 0 : -1;
}

static int puts_a_string(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .key = "s",
        .checksum = HAUL_SHA256,
        .payload = HAUL_PAYLOAD_SIGNED,
        .content_md5 = true,
        .metadata = { (struct haul_pair[]){ { "Owner", "ops" } }, 1 },
        .tags = { (struct haul_pair[]){ { "a b", "c" } }, 1 } };
    return haul_put_string(k->store, &r, SMALL_TEXT, err) ? 0 : -1;
}

static int puts_in_chunks(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .key = "s", .payload = HAUL_PAYLOAD_CHUNKED };
    return haul_put_string(k->store, &r, SMALL_TEXT, err) ? 0 : -1;
}

static ssize_t read_twice(void *payload, void *data, size_t len)
{
    int *left = payload;
    memset(data, 'x', len);
    return (*left)-- > 0 ? (ssize_t) len : 0;
}

static int puts_a_stream(struct kitchen *k, struct haul_error *err)
{
    int left = 2;
    struct haul_request r = { .key = "stream" };
    return haul_put_stream(k->store, &r, read_twice, &left, PART, err) ? 0 : -1;
}

static int gets_memory(struct kitchen *k, struct haul_error *err)
{
    char *data;
    size_t len;
    struct haul_request r = { .key = "small", .checksum = HAUL_CRC32C };
    if (haul_get_memory(k->store, &r, 1000, &data, &len, err) == NULL)
        return -1;
    assert_int_equal(len, strlen(SMALL_TEXT));
    assert_string_equal(data, SMALL_TEXT);
    free(data);
    return 0;
}

static int gets_a_file(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .key = "small" };
    if (haul_get_file(k->store, &r, k->received, err) == NULL)
        return -1;
    fault.armed = false;
    assert_file(k->received, SMALL_TEXT, strlen(SMALL_TEXT));
    return 0;
}

static int heads(struct kitchen *k, struct haul_error *err)
{
    const struct haul_result *result =
        haul_head(k->store, &(struct haul_request){ .key = "small" }, err);
    if (result == NULL)
        return -1;
    assert_int_equal(result->size, strlen(SMALL_TEXT));
    assert_string_equal(haul_result_header(result, "content-type"), "text/plain");
    return 0;
}

static int lists(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = {
        .operation = HAUL_LIST_OBJECTS, .prefix = "list/", .max_entries = 3, .delimiter = "/"
    };
    struct haul_list *l = haul_list_new(k->store, &r, err);
    const struct haul_entry *e;
    int more = -1, count = 0;
    while (l != NULL && (more = haul_list_next(l, &e, err)) > 0)
        count += strncmp(e->key, "list/", 5) == 0;
    haul_list_free(l);
    if (more == 0)
        assert_int_equal(count, 8);
    return more;
}

static int lists_again(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = {
        .operation = HAUL_LIST_OBJECTS, .prefix = "list/", .max_entries = 3
    };
    struct haul_list *l = haul_list_new(k->store, &r, err);
    const struct haul_entry *e;
    int more = -1, count = 0;
    bool failed = l == NULL;
    while (l != NULL && ((more = haul_list_next(l, &e, err)) > 0 || !failed)) {
        if (more > 0) {
            char key[16];
            snprintf(key, sizeof key, "list/%c %d", count < 4 ? 'a' : 'b', count % 4);
            assert_string_equal(e->key, key); /* none missed, none twice */
            count++;
        } else if (more == 0) {
            break;
        } else {
            failed = true; /* and the same page once more */
        }
    }
    haul_list_free(l);
    return failed || more < 0 ? -1 : 0;
}

static int lists_tags(struct kitchen *k, struct haul_error *err)
{
    const struct haul_result *got =
        haul_get_tags(k->store, &(struct haul_request){ .key = "small" }, err);
    if (got == NULL)
        return -1;
    assert_int_equal(got->tags.count, 1);
    assert_string_equal(got->tags.pairs[0].value, "small value");
    return 0;
}

static int puts_tags(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .key = "small",
        .tags = { (struct haul_pair[]){ { "tag", "small value" } }, 1 } };
    return haul_put_tags(k->store, &r, err) ? 0 : -1;
}

static int copies(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .key = "copy", .source.key = "small", .token = "t" };
    return haul_copy(k->store, &r, NULL, err) ? 0 : -1;
}

static int copies_in_parts(struct kitchen *k, struct haul_error *err)
{
    struct haul_copy_options o = { .multipart_from_bytes = 1, .part_bytes = PART };
    struct haul_request r = { .key = "copy", .source.key = "large" };
    return haul_copy(k->store, &r, &o, err) ? 0 : -1;
}

static int deletes_many(struct kitchen *k, struct haul_error *err)
{
    const struct haul_victim victims[] = { { "gone/1", NULL }, { "gone/2", NULL } };
    return (int) haul_delete_many(k->store, NULL, victims, 2, NULL, NULL, err);
}

static int presigns(struct kitchen *k, struct haul_error *err)
{
    char *url = haul_presign(&(struct haul_request){ .operation = HAUL_GET_OBJECT,
                                 .endpoint = haul_store_endpoint(k->store),
                                 .bucket = BUCKET,
                                 .key = "small" },
        60, err);
    if (url == NULL)
        return -1;
    assert_non_null(strstr(url, "X-Amz-Signature="));
    free(url);
    return 0;
}

static const struct haul_parallel_options two_parts = { .part_bytes = PART };

static int puts_in_parts(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .key = "parts", .checksum = HAUL_CRC32C };
    return haul_put_file_multipart(k->store, &r, k->large, &two_parts, err) ? 0 : -1;
}

static int gets_in_parts(struct kitchen *k, struct haul_error *err)
{
    if (haul_get_file_parallel(k->store, &(struct haul_request){ .key = "large" }, k->received,
            &two_parts, err) == NULL)
        return -1;
    fault.armed = false;
    assert_file(k->received, k->bytes, LARGE);
    return 0;
}

static int resumes(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .key = "by hand" };
    struct haul_upload *u = haul_upload_new(k->store, &r, err), *again = NULL;
    if (u != NULL && haul_upload_part(u, 0, haul_body_string("part"), err) > 0) {
        r.upload_id = haul_upload_id(u);
        again = haul_upload_resume(k->store, &r, err);
    }
    const struct haul_result *result = again ? haul_upload_complete(again, err) : NULL;
    if (result == NULL)
        haul_upload_abort(u, NULL);
    haul_upload_free(again);
    haul_upload_free(u);
    return result ? 0 : -1;
}

static int asks_anything(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .operation = HAUL_ANY,
        .method = "GET",
        .query = { (struct haul_pair[]){ { "location", NULL } }, 1 } };
    const struct haul_result *result = haul_perform(k->store, &r, err);
    if (result != NULL)
        assert_non_null(strstr(result->body, "LocationConstraint"));
    return result ? 0 : -1;
}

static int refuses(struct kitchen *k, struct haul_error *err)
{
    struct haul_request r = { .key = "nowhere" };
    char *data;
    size_t len;
    assert_null(haul_get_memory(k->store, &r, 10, &data, &len, err));
    return err->http_status == 404 ? 0 : -1;
}

static int sums_parts(struct kitchen *k, struct haul_error *err)
{
    char text[HAUL_CHECKSUM_TEXT_SIZE];
    const struct haul_part part = { 1, NULL, "4waSgw==", 9 };
    (void) k;
    return haul_checksum_of_parts(HAUL_CRC32C, false, &part, 1, text, err);
}

/* Frees them. */
static int are_given(struct haul_credentials *keys)
{
    haul_credentials_free(keys);
    return keys ? 0 : -1;
}

static int asks_a_container(struct kitchen *k, struct haul_error *err)
{
    (void) k;
    return are_given(haul_credentials_from_container(err));
}

static int asks_an_instance(struct kitchen *k, struct haul_error *err)
{
    return are_given(haul_credentials_from_instance(services_url(k->services), err));
}

static int asks_for_a_role(struct kitchen *k, struct haul_error *err)
{
    struct haul_credentials *base = haul_credentials_static("AKIDUSER", "hush", NULL, err);
    return are_given(haul_credentials_from_role(base,
        &(struct haul_role){ .arn = "arn:aws:iam::123456789012:role/r",
            .external_id = "e",
            .sts_url = services_url(k->services) },
        err));
}

static int asks_with_a_web_identity(struct kitchen *k, struct haul_error *err)
{
    return are_given(haul_credentials_from_web_identity(
        &(struct haul_role){ .arn = "arn:aws:iam::123456789012:role/r",
            .token_file = "/proc/sys/kernel/ostype",
            .sts_url = services_url(k->services) },
        err));
}

static int asks_a_program(struct kitchen *k, struct haul_error *err)
{
    (void) k;
    return are_given(haul_credentials_from_process(
        "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\"}'", err));
}

static int asks_sso(struct kitchen *k, struct haul_error *err)
{
    return are_given(haul_credentials_from_profile("sso", k->profiles, err));
}

static int follows_a_chain(struct kitchen *k, struct haul_error *err)
{
    return are_given(haul_credentials_from_profile("chain", k->profiles, err));
}

static int asks_by_default(struct kitchen *k, struct haul_error *err)
{
    (void) k;
    return are_given(haul_credentials_default(err));
}

static int merges(struct kitchen *k, struct haul_error *err)
{
    struct haul_credentials *sources[] = { NULL, haul_credentials_static("a", NULL, NULL, err),
        NULL, haul_credentials_from_url("https://x:b@host", err),
        haul_credentials_from_profile("p", k->profiles, err), haul_credentials_anonymous(err) };
    bool lacks = false;
    for (size_t i = 0; i < COUNT(sources); i++)
        lacks |= sources[i] == NULL && i != 0 && i != 2;
    struct haul_error why;
    struct haul_credentials *keys =
        haul_credentials_merge(sources, COUNT(sources), lacks ? &why : err);
    if (keys != NULL && !lacks && haul_credentials_refresh(keys, err) < 0)
        lacks = true;
    return are_given(keys) < 0 || lacks ? -1 : 0;
}

static int keeps_keys_fresh(struct kitchen *k, struct haul_error *err)
{
    struct haul_credentials *keys = haul_credentials_from_profile("p", k->profiles, err);
    struct haul_refresher *r = keys ? haul_refresher_start(&keys, 1, err) : NULL;
    haul_refresher_stop(r);
    haul_credentials_free(keys);
    return r ? 0 : -1;
}

/* ---- Every allocation of a call, in its turn ---- */

static void arm(bool theirs, bool onwards, unsigned nth)
{
    fault.theirs = theirs;
    fault.onwards = onwards;
    fault.nth = nth;
    fault.seen = 0;
    fault.armed = true;
}

static void fail_each(
    struct kitchen *k, const char *name, call_fn *call, bool theirs, bool onwards)
{
    struct haul_error err = { .code = HAUL_OK };
    assert_int_equal(call(k, &err), 0); /* what is done once in a process is done */
    for (unsigned nth = 1;; nth++) {
        struct haul_error why = { .code = HAUL_OK };
        arm(theirs, onwards, nth);
        int rc = call(k, &why);
        fault.armed = false;
        /* libcurl does not tell that a handle was not reset for lack of memory. Such a one may
         * be good for one failure more. */
        if (theirs)
            (void) call(k, &err);
        if (fault.seen < nth) {
            if (rc != 0)
                fail_msg("%s, %u allocations, with memory again: %s", name, nth, why.text);
            return;
        }
        if (rc != 0 && why.code == HAUL_OK)
            fail_msg("%s, allocation %u: failed without an error", name, nth);
        if (rc != 0 && !theirs && why.code != HAUL_NO_MEMORY)
            fail_msg(
                "%s, allocation %u: %s: %s", name, nth, haul_code_name(why.code), why.text);
    }
}

static const struct {
    const char *name;
    call_fn *call;
    bool is_long; /* and the libraries are asked for no more than by others */
} calls[] = {
    { "opens", opens, false },
    { "opens_with_keys", opens_with_keys, false },
    { "opens_from_a_profile", opens_from_a_profile, false },
    { "puts_a_string", puts_a_string, false },
    { "puts_in_chunks", puts_in_chunks, false },
    { "puts_a_stream", puts_a_stream, true },
    { "gets_memory", gets_memory, false },
    { "gets_a_file", gets_a_file, false },
    { "heads", heads, false },
    { "lists", lists, false },
    { "lists_again", lists_again, false },
    { "puts_tags", puts_tags, false },
    { "lists_tags", lists_tags, false },
    { "copies", copies, false },
    { "copies_in_parts", copies_in_parts, true },
    { "deletes_many", deletes_many, false },
    { "presigns", presigns, false },
    { "puts_in_parts", puts_in_parts, true },
    { "gets_in_parts", gets_in_parts, true },
    { "resumes", resumes, true },
    { "asks_anything", asks_anything, false },
    { "refuses", refuses, false },
    { "sums_parts", sums_parts, false },
    { "asks_a_container", asks_a_container, false },
    { "asks_an_instance", asks_an_instance, false },
    { "asks_for_a_role", asks_for_a_role, false },
    { "asks_with_a_web_identity", asks_with_a_web_identity, false },
    { "asks_a_program", asks_a_program, false },
    { "asks_sso", asks_sso, false },
    { "follows_a_chain", follows_a_chain, true },
    { "asks_by_default", asks_by_default, false },
    { "merges", merges, false },
    { "keeps_keys_fresh", keeps_keys_fresh, false },
};

static void fail_all(struct kitchen *k, bool theirs, bool onwards)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!theirs || !calls[i].is_long)
            fail_each(k, calls[i].name, calls[i].call, theirs, onwards);
}

static void each_of_our_allocations_may_fail(void **state)
{
    fail_all(*state, false, false);
}

static void all_of_our_allocations_may_fail_from_one_on(void **state)
{
    fail_all(*state, false, true);
}

static void each_allocation_of_libxml2_and_openssl_may_fail(void **state)
{
    fail_all(*state, true, false);
}

/* ---- Before and after ---- */

/* A login that has to be renewed each time: the file can't be written. */
static void write_profiles(struct kitchen *k)
{
    char text[2000];
    const char *url = services_url(k->services);
    snprintf(text, sizeof text,
        "[p]\naws_access_key_id = a\naws_secret_access_key = b\n"
        "[user]\naws_access_key_id = AKIDUSER\naws_secret_access_key = hush\n"
        "[one]\nsource_profile = user\nrole_arn = arn:aws:iam::123456789012:role/one\n"
        "[chain]\nsource_profile = one\nrole_arn = arn:aws:iam::123456789012:role/two\n"
        "services = all\n"
        "[sso]\nsso_start_url = u\nsso_region = eu-west-1\nsso_account_id = 123456789012\n"
        "sso_role_name = r\nsso_session = s\nservices = all\n"
        "[sso-session s]\nsso_start_url = u\nsso_region = eu-west-1\n"
        "[services all]\nsts =\n  endpoint_url = %s\nsso =\n  endpoint_url = %s\n"
        "sso_oidc =\n  endpoint_url = %s\n",
        url, url, url);
    k->profiles = temp_write_text(k->folder, "profiles", text);
    services_set(k->services, "key AKIDUSER hush\nidentity Linux\n");
    static const char *const folders[] = { ".aws", ".aws/sso", ".aws/sso/cache" };
    for (size_t i = 0; i < COUNT(folders); i++) {
        char *path = temp_path(k->folder, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
        free(path);
    }
    free(temp_write_text(k->folder,
        ".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json",
        "{\"accessToken\": \"sso-access-token\", \"expiresAt\": \"2099-01-01T00:00:00Z\"}"));
}

static int furnish(void **state)
{
    fault.armed = false; /* an earlier test has failed */
    struct kitchen *k = calloc(1, sizeof *k);
    struct shop *p;
    char uri[128];
    assert_non_null(k);
    assert_int_equal(open_shop((void **) &k->shop), 0);
    p = k->shop;
    k->store = open_store(k, &p->err);
    k->folder = temp_make();
    k->services = services_start();
    snprintf(uri, sizeof uri, "%s/v2/credentials/x?y=z", services_url(k->services));
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri, 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/proc/sys/kernel/ostype", 1);
    setenv("HOME", k->folder, 1); /* no profiles of AWS's */
    k->bytes = some_bytes(LARGE);
    k->large = temp_write(k->folder, "large", k->bytes, LARGE);
    k->received = temp_path(k->folder, "received");
    write_profiles(k);
    struct haul_request small = { .key = "small",
        .content_type = "text/plain",
        .checksum = HAUL_CRC32C,
        .tags = { (struct haul_pair[]){ { "tag", "small value" } }, 1 } };
    good(p, haul_put_string(p->store, &small, SMALL_TEXT, &p->err));
    struct haul_request large = { .key = "large", .checksum = HAUL_SHA256 };
    good(p, haul_put_memory(p->store, &large, k->bytes, LARGE, &p->err));
    for (int i = 0; i < 8; i++) {
        char key[16];
        snprintf(key, sizeof key, "list/%c %d", i < 4 ? 'a' : 'b', i % 4);
        put(p, key, "x");
    }
    *state = k;
    return 0;
}

static int leave(void **state)
{
    struct kitchen *k = *state;
    services_stop(k->services);
    haul_store_free(k->store);
    close_shop((void **) &k->shop);
    temp_remove(k->folder);
    free(k->profiles);
    free(k->received);
    free(k->large);
    free(k->bytes);
    free(k);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, furnish, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_of_our_allocations_may_fail),
        TEST(all_of_our_allocations_may_fail_from_one_on),
        TEST(each_allocation_of_libxml2_and_openssl_may_fail),
    };
    catch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
