/* sigv4.c and chunked.c, stage by stage. Each folder in data/sigv4 is a case: `request` says
 * what is signed, the other files hold what must come out, each with a line's end more. A line
 * of `request` is a word and its text:
 *     method GET                     payload HASH              region us-east-1
 *     path /bucket/key (unescaped)   time 20130524T000000Z     key-id ID    secret SECRET
 *     param NAME [VALUE] (unescaped, any number)    header name:value (any number, any order)
 *     expires 86400: the query form. token TOKEN: a temporary key's, for that form
 *     body 66560 a: so many bytes of that letter, sent in signed chunks
 * The stages are `canonical` and `to-sign`; then `authorization`, or for the query form
 * `query`, the URL's; and of chunks `chunks-to-sign`, with an empty line between them, and
 * `chunks`, their heads. The aws-* cases are those of Amazon's manual. For all others the
 * values are botocore's, which whole/test_signing.py asks again, and which agrees with
 * Amazon's. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chunked.h"
#include "sigv4.h"
#include "uri.h"

#define COUNT_MAX 16

struct signing {
    char *text; /* owned; cut into the strings below */
    struct buf path, query;
    struct sigv4_header headers[COUNT_MAX];
    struct sigv4_request request;
    struct sigv4_key key;
    const char *key_id, *secret, *token;
    const char *expires; /* NULL: not the query form */
    const char *body;    /* NULL: not in chunks */
};

static char *read_file(const char *name, const char *file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/sigv4/%s/%s", TEST_DATA_DIR, name, file);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s can't be read", path);
    char *text = calloc(1, 65536);
    size_t len = fread(text, 1, 65535, f);
    fclose(f);
    assert_true(len > 0 && text[len - 1] == '\n');
    text[len - 1] = '\0';
    return text;
}

static void read_request(struct signing *s, const char *name)
{
    struct uri_param params[COUNT_MAX];
    size_t param_count = 0;
    *s = (struct signing){ .path = buf_make(4096), .query = buf_make(4096) };
    struct sigv4_request *r = &s->request;
    r->headers = s->headers;
    r->service = "s3";
    const struct {
        const char *word, **text;
    } words[] = {
        { "method", &r->method },
        { "path", &r->path },
        { "payload", &r->payload_hash },
        { "region", &r->region },
        { "time", &r->time },
        { "key-id", &s->key_id },
        { "secret", &s->secret },
        { "token", &s->token },
        { "expires", &s->expires },
        { "body", &s->body },
    };
    s->text = read_file(name, "request");
    for (char *line, *rest = s->text; (line = strsep(&rest, "\n")) != NULL;) {
        char *word = strsep(&line, " ");
        if (strcmp(word, "header") == 0) {
            char *header = strsep(&line, ":");
            s->headers[r->header_count++] = (struct sigv4_header){ header, line };
        }
        if (strcmp(word, "param") == 0) {
            char *param = strsep(&line, " ");
            params[param_count++] = (struct uri_param){ param, line };
        }
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (strcmp(word, words[i].word) == 0)
                *words[i].text = line;
    }
    uri_add_path(&s->path, r->path);
    uri_add_query(&s->query, params, param_count);
    r->path = buf_text(&s->path);
    r->query = buf_text(&s->query);
}

static void assert_file(const char *name, const char *file, const struct buf *b)
{
    char *expected = read_file(name, file);
    assert_string_equal(buf_text(b), expected);
    free(expected);
}

static void check_authorization(const char *name, struct signing *s)
{
    struct buf value = buf_make(1000);
    assert_int_equal(sigv4_authorization(&value, &s->request, s->key_id, &s->key, NULL), 0);
    assert_file(name, "authorization", &value);
    buf_free(&value);
}

static void check_query(const char *name, struct signing *s)
{
    struct buf query = buf_make(5000);
    assert_int_equal(sigv4_sign(&s->request, &s->key, NULL), 0);
    buf_addf(&query, "%s&X-Amz-Signature=%s", s->request.query, s->request.signature);
    assert_file(name, "query", &query);
    buf_free(&query);
}

/* What is signed of each chunk, by the seed that is in s->request. */
static void check_chunks_to_sign(
    const char *name, struct signing *s, const char *data, size_t len)
{
    struct buf all = buf_make(5000), to_sign = buf_make(1000);
    char signature[SHA256_HEX_SIZE];
    strcpy(signature, s->request.signature);
    for (size_t at = 0, n = 1; n > 0; at += n) {
        n = len - at < CHUNKED_DATA_BYTES ? len - at : CHUNKED_DATA_BYTES;
        buf_clear(&to_sign);
        sigv4_add_chunk_string_to_sign(&to_sign, &s->request, signature, data + at, n);
        buf_addf(&all, "%s%s", at == 0 ? "" : "\n\n", buf_text(&to_sign));
        assert_int_equal(sigv4_sign_text(&to_sign, &s->key, signature), 0);
    }
    assert_file(name, "chunks-to-sign", &all);
    buf_free(&all);
    buf_free(&to_sign);
}

static ssize_t read_memory(void *payload, uint64_t offset, void *data, size_t len)
{
    memcpy(data, (char *) payload + offset, len);
    return (ssize_t) len;
}

/* The heads in the stream, which is taken apart as a server would. */
static void check_chunks(const char *name, struct signing *s, char *data, size_t len)
{
    struct buf heads = buf_make(5000);
    struct haul_body body = { read_memory, data, len };
    struct chunked *c = chunked_new(&body, &s->request, &s->key);
    assert_non_null(c);
    struct haul_body stream = chunked_body(c);
    char *text = calloc(1, stream.size + 1);
    assert_non_null(text);
    for (uint64_t at = 0; at < stream.size;)
        at += (uint64_t) stream.read(stream.payload, at, text + at, stream.size - at);
    size_t of_data = 0;
    for (char *at = text; at < text + stream.size;) {
        size_t head = strcspn(at, "\r"), n = strtoul(at, NULL, 16);
        buf_adds(&heads, heads.len == 0 ? "" : "\n");
        buf_add(&heads, at, head);
        at += head + 2;
        assert_memory_equal(at, data + of_data, n);
        assert_memory_equal(at + n, "\r\n", 2);
        at += n + 2;
        of_data += n;
    }
    assert_int_equal(of_data, len);
    assert_file(name, "chunks", &heads);
    free(text);
    chunked_free(c);
    buf_free(&heads);
}

/* Case 42. The state is the folder's name. */
static void each_stage_is_as_the_folder_says(void **state)
{
    const char *name = *state;
    struct buf canonical = buf_make(65536), to_sign = buf_make(1000), query = buf_make(4096);
    struct signing s;
    char date[9];
    read_request(&s, name);
    snprintf(date, sizeof date, "%.8s", s.request.time);
    assert_int_equal(sigv4_derive_key(s.secret, date, s.request.region, "s3", &s.key), 0);
    if (s.expires != NULL) {
        sigv4_add_query(&query, &s.request, s.key_id, s.token, (unsigned) atoi(s.expires));
        s.request.query = buf_text(&query);
    }

    sigv4_add_canonical_request(&canonical, &s.request);
    assert_file(name, "canonical", &canonical);
    sigv4_add_string_to_sign(&to_sign, &s.request, buf_text(&canonical));
    assert_file(name, "to-sign", &to_sign);
    if (s.expires != NULL)
        check_query(name, &s);
    else
        check_authorization(name, &s);
    if (s.body != NULL) {
        size_t len = strtoul(s.body, NULL, 10);
        char *data = malloc(len);
        assert_non_null(data);
        memset(data, s.body[strlen(s.body) - 1], len);
        check_chunks_to_sign(name, &s, data, len);
        check_chunks(name, &s, data, len);
        free(data);
    }

    buf_free(&canonical);
    buf_free(&to_sign);
    buf_free(&query);
    buf_free(&s.path);
    buf_free(&s.query);
    free(s.text);
}

static void the_key_is_bound_to_date_region_and_service(void **state)
{
    (void) state;
    struct sigv4_key a, b, c, d;
    assert_int_equal(sigv4_derive_key("secret", "20130524", "us-east-1", "s3", &a), 0);
    assert_int_equal(sigv4_derive_key("secret", "20130525", "us-east-1", "s3", &b), 0);
    assert_int_equal(sigv4_derive_key("secret", "20130524", "us-east-2", "s3", &c), 0);
    assert_int_equal(sigv4_derive_key("secret", "20130524", "us-east-1", "sts", &d), 0);
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    assert_memory_not_equal(&a, &d, sizeof a);
}

static void blanks_at_the_end_of_a_header_are_not_signed(void **state)
{
    (void) state;
    struct sigv4_header headers[] = { { "host", " h \t " }, { "a", "   " } };
    struct sigv4_request r = { "GET", "/", "", headers, 2, SIGV4_UNSIGNED_PAYLOAD, "r", "s3",
        "t", "" };
    struct buf b = buf_make(1000);
    sigv4_add_canonical_request(&b, &r);
    assert_string_equal(buf_text(&b), "GET\n/\n\na:\nhost:h\n\na;host\nUNSIGNED-PAYLOAD");
    buf_free(&b);
}

static void a_request_that_is_too_long_is_refused(void **state)
{
    (void) state;
    char *value = malloc(100000);
    memset(value, 'x', 99999);
    value[99999] = '\0';
    struct sigv4_header header = { "host", value };
    struct sigv4_request r = { "GET", "/", "", &header, 1, SIGV4_UNSIGNED_PAYLOAD, "r", "s3",
        "t", "" };
    struct sigv4_key key = { { 0 } };
    struct haul_error err;
    struct buf b = buf_make(1000);
    assert_int_equal(sigv4_authorization(&b, &r, "id", &key, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
    buf_free(&b);
    free(value);
}

static int is_case(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(void)
{
    struct dirent **folders;
    int count = scandir(TEST_DATA_DIR "/sigv4", &folders, is_case, alphasort);
    if (count <= 0) {
        perror(TEST_DATA_DIR "/sigv4");
        return 1;
    }
    struct CMUnitTest *cases = calloc((size_t) count, sizeof *cases);
    for (int i = 0; i < count; i++)
        cases[i] = (struct CMUnitTest){
            .name = folders[i]->d_name,
            .test_func = each_stage_is_as_the_folder_says,
            .initial_state = folders[i]->d_name,
        };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_bound_to_date_region_and_service),
        cmocka_unit_test(blanks_at_the_end_of_a_header_are_not_signed),
        cmocka_unit_test(a_request_that_is_too_long_is_refused),
    };
    /* What cmocka_run_group_tests() does, for an array whose length only this run knows. */
    int failed = _cmocka_run_group_tests("cases", cases, (size_t) count, NULL, NULL);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(folders[i]);
    free(folders);
    free(cases);
    return failed;
}
