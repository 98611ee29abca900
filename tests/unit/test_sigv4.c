/* sigv4.c, stage by stage. Each folder in data/sigv4 is a case: `request` says what is signed,
 * `canonical`, `to-sign` and `authorization` hold what must come out, each with a line's end
 * more. A line of `request` is a word and its text:
 *     method GET                     payload HASH              region us-east-1
 *     path /bucket/key (unescaped)   time 20130524T000000Z     key-id ID    secret SECRET
 *     param NAME [VALUE] (unescaped, any number)    header name:value (any number, any order)
 * The aws-* cases are those of Amazon's manual; botocore agrees with all of them. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sigv4.h"
#include "uri.h"

#define COUNT_MAX 16

struct signing {
    char *text; /* owned; cut into the strings below */
    struct buf path, query;
    struct sigv4_header headers[COUNT_MAX];
    struct sigv4_request request;
    const char *key_id, *secret;
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

/* The state is the folder's name. */
static void each_stage_is_as_the_folder_says(void **state)
{
    const char *name = *state;
    struct buf canonical = buf_make(65536), to_sign = buf_make(1000), value = buf_make(1000);
    struct sigv4_key key;
    struct signing s;
    char date[9];
    read_request(&s, name);
    snprintf(date, sizeof date, "%.8s", s.request.time);

    sigv4_add_canonical_request(&canonical, &s.request);
    assert_file(name, "canonical", &canonical);
    sigv4_add_string_to_sign(&to_sign, &s.request, buf_text(&canonical));
    assert_file(name, "to-sign", &to_sign);
    assert_int_equal(sigv4_derive_key(s.secret, date, s.request.region, &key), 0);
    assert_int_equal(sigv4_authorization(&value, &s.request, s.key_id, &key, NULL), 0);
    assert_file(name, "authorization", &value);

    buf_free(&canonical);
    buf_free(&to_sign);
    buf_free(&value);
    buf_free(&s.path);
    buf_free(&s.query);
    free(s.text);
}

static void the_key_is_bound_to_date_and_region(void **state)
{
    (void) state;
    struct sigv4_key a, b, c;
    assert_int_equal(sigv4_derive_key("secret", "20130524", "us-east-1", &a), 0);
    assert_int_equal(sigv4_derive_key("secret", "20130525", "us-east-1", &b), 0);
    assert_int_equal(sigv4_derive_key("secret", "20130524", "us-east-2", &c), 0);
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
}

static void blanks_at_the_end_of_a_header_are_not_signed(void **state)
{
    (void) state;
    struct sigv4_header headers[] = { { "host", " h \t " }, { "a", "   " } };
    struct sigv4_request r = { "GET", "/", "", headers, 2, SIGV4_UNSIGNED_PAYLOAD, "r", "t",
        "" };
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
    struct sigv4_request r = { "GET", "/", "", &header, 1, SIGV4_UNSIGNED_PAYLOAD, "r", "t",
        "" };
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
        cmocka_unit_test(the_key_is_bound_to_date_and_region),
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
