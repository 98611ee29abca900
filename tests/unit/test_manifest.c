/* Manifests: every file of tests/data/manifests, then what becomes of their fields, and the way
 * through the queue's text and back. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "manifest.h"

#define MANIFESTS TEST_DATA_DIR "/manifests/"
#define NOON (INT64_C(1769860800) * 1000) /* 2026-01-31 12:00:00 UTC */

static int set_environment(void **state)
{
    (void) state;
    setenv("HAUL_TEST_DIR", "/srv/data", 1);
    setenv("HAUL_TEST_KEY", "AKIDEXAMPLE", 1);
    setenv("HAUL_TEST_SECRET", "the-secret-itself", 1);
    unsetenv("HAUL_TEST_MISSING");
    static const char *const aws[] = { "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_PROFILE", "AWS_REGION",
        "AWS_DEFAULT_REGION", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT" };
    for (size_t i = 0; i < sizeof aws / sizeof *aws; i++)
        unsetenv(aws[i]);
    setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
    return 0;
}

/* ---- Tools */

/* What was reported, as `haul check` prints it, with the file's name for its path. */
struct told {
    char text[65536];
    size_t len;
    int count;
};

static void tell(void *payload, const struct problem *p)
{
    struct told *t = payload;
    const char *name = strrchr(p->file, '/');
    assert_null(strchr(p->text, '\n'));
    assert_null(strstr(p->text, "the-secret-itself"));
    t->count++;
    t->len += (size_t) snprintf(t->text + t->len, sizeof t->text - t->len, "%s:%d:%d: %s\n",
        name + 1, p->line, p->column, p->text);
    assert_true(t->len < sizeof t->text);
}

static struct manifest *load(const char *path, struct told *told, struct error *err)
{
    const struct manifest_options options = { .now_ms = NOON };
    *told = (struct told){ .len = 0 };
    return manifest_load(path, &options, tell, told, err);
}

static struct manifest *load_good(const char *path)
{
    static struct told told;
    struct error err;
    struct manifest *m = load(path, &told, &err);
    if (m == NULL)
        print_error("%s%s\n", told.text, err.text);
    assert_non_null(m);
    return m;
}

/* Writes it to a file of its own and loads that; what was told is in *told. */
static struct manifest *load_text(const char *text, const struct manifest_options *options,
    struct told *told, struct error *err)
{
    char path[] = "/tmp/haul-manifest-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    *told = (struct told){ .len = 0 };
    struct manifest *m = manifest_load(path, options, tell, told, err);
    unlink(path);
    return m;
}

static char *freeze(const struct manifest *m)
{
    char *text = manifest_freeze(m);
    assert_non_null(text);
    return text;
}

static struct manifest *thaw(const char *text)
{
    struct error err;
    struct manifest *m = manifest_thaw(text, &err);
    if (m == NULL)
        print_error("%s\n%s\n", err.text, text);
    assert_non_null(m);
    return m;
}

/* Calls `each` for every .yaml file of a folder; returns how many there were. */
static int for_each(const char *folder, void (*each)(const char *path))
{
    char path[4096];
    struct dirent *entry;
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        const size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 5, ".yaml") != 0)
            continue;
        snprintf(path, sizeof path, "%s%s", folder, entry->d_name);
        each(path);
        count++;
    }
    closedir(dir);
    return count;
}

/* ---- The files */

static void freeze_and_thaw(const char *path)
{
    struct manifest *m = load_good(path);
    char *text = freeze(m), *again;
    assert_null(strchr(text, '\n'));
    assert_null(strstr(text, "the-secret-itself"));
    assert_string_equal(m->path, path);
    struct manifest *thawed = thaw(text);
    assert_null(thawed->path);
    assert_int_equal(thawed->transfer_count, m->transfer_count);
    assert_int_equal(thawed->endpoint_count, m->endpoint_count);
    assert_int_equal(thawed->transfers[0]->line, 0);
    again = freeze(thawed);
    assert_string_equal(again, text);
    manifest_free(m);
    manifest_free(thawed);
    free(text);
    free(again);
}

static void every_good_manifest_is_taken_and_survives_the_queue(void **state)
{
    (void) state;
    assert_true(for_each(MANIFESTS "good/", freeze_and_thaw) >= 10);
}

static void compare_with_expected(const char *path)
{
    static struct told told;
    char name[4096], expected[sizeof told.text];
    struct error err;

    assert_null(load(path, &told, &err));
    assert_int_equal(err.exit, EXIT_USAGE);
    snprintf(name, sizeof name, "%.*s.expected", (int) strlen(path) - 5, path);
    FILE *in = fopen(name, "r");
    assert_non_null(in);
    expected[fread(expected, 1, sizeof expected - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(told.text, expected);
}

/* Cases 71 and 72. */
static void every_bad_manifest_is_refused_with_the_expected_lines(void **state)
{
    (void) state;
    assert_true(for_each(MANIFESTS "bad/", compare_with_expected) >= 45);
}

/* ---- The fields */

static void every_field_finds_its_place(void **state)
{
    struct manifest *m = load_good(MANIFESTS "good/every-field.yaml");
    const struct manifest_endpoint *e = m->endpoints[0]; /* sorted by name */
    const struct transfer *t = m->transfers[0];
    (void) state;

    assert_string_equal(m->name, "nightly-archive_2.0");
    assert_int_equal(m->concurrency, 64);
    assert_int_equal(m->retries, 0);
    assert_int_equal(m->patience_s, 900);
    assert_int_equal(m->endpoint_count, 13);

    assert_string_equal(e->name, "archive");
    assert_string_equal(e->url, "https://s3.eu-central-1.amazonaws.com");
    assert_string_equal(e->region, "eu-central-1");
    assert_int_equal(e->addressing, HAUL_ADDRESS_VIRTUAL);
    assert_int_equal(e->payload, HAUL_PAYLOAD_UNSIGNED);
    assert_int_equal(e->credentials, CREDENTIALS_PROFILE);
    assert_string_equal(e->profile, "archive");
    assert_string_equal(strrchr(e->file, '/'), "/keys.ini");
    assert_int_equal(e->file[0], '/');
    assert_string_equal(e->ca_file, "/etc/ssl/lab.pem");
    assert_string_equal(strrchr(e->client_cert, '/'), "/me.pem");
    assert_int_equal(e->client_cert[0], '/');
    assert_string_equal(e->client_key, "/etc/ssl/me.key");
    assert_string_equal(e->key_password_variable, "HAUL_TEST_SECRET");
    assert_true(e->insecure);
    assert_false(e->dualstack);

    e = m->endpoints[1];
    assert_string_equal(e->name, "aws");
    assert_null(e->url);
    assert_null(e->region);
    assert_int_equal(e->credentials, CREDENTIALS_AUTO);
    assert_int_equal(e->payload, HAUL_PAYLOAD_SIGNED); /* the defaults' */

    e = m->endpoints[2];
    assert_string_equal(e->name, "far");
    assert_true(e->dualstack && e->accelerate && !e->fips);
    e = m->endpoints[4];
    assert_string_equal(e->name, "gov");
    assert_true(e->dualstack && e->fips && !e->accelerate);

    e = m->endpoints[6];
    assert_string_equal(e->name, "lab");
    assert_int_equal(e->credentials, CREDENTIALS_KEYS);
    assert_string_equal(e->key_id_variable, "HAUL_TEST_KEY");
    assert_string_equal(e->secret_variable, "HAUL_TEST_SECRET");
    assert_string_equal(e->token_variable, "HAUL_TEST_KEY");

    assert_int_equal(m->endpoints[7]->credentials, CREDENTIALS_INSTANCE);
    assert_int_equal(m->endpoints[9]->credentials, CREDENTIALS_WEB_IDENTITY);
    assert_int_equal(m->endpoints[11]->credentials, CREDENTIALS_CONTAINER);

    e = m->endpoints[10];
    assert_string_equal(e->name, "public");
    assert_int_equal(e->credentials, CREDENTIALS_ANONYMOUS);
    assert_int_equal(e->payload, HAUL_PAYLOAD_AUTO); /* its own */

    assert_int_equal(t->kind, TRANSFER_UPLOAD);
    assert_string_equal(t->local, "/srv/data/exports/");
    assert_ptr_equal(t->endpoint, m->endpoints[0]);
    assert_string_equal(t->bucket, "backup");
    assert_string_equal(t->key, "2026-01-31/");
    assert_true(t->many);
    assert_string_equal(t->include[1], "a[0-9]?");
    assert_null(t->include[2]);
    assert_string_equal(t->exclude[0], "tmp/**");
    assert_int_equal(t->when, WHEN_CHANGED);
    assert_int_equal(t->part_bytes, 0);
    assert_int_equal(t->line, 65);
    assert_int_equal(t->column, 5);

    t = m->transfers[1];
    assert_int_equal(t->kind, TRANSFER_DOWNLOAD);
    assert_string_equal(t->local, "/srv/models/llm.bin");
    assert_string_equal(t->key, "llm.bin");
    assert_false(t->many);
    assert_null(t->include);
    assert_int_equal(t->when, WHEN_MISSING);
    assert_int_equal(t->part_bytes, INT64_C(5) << 30);
    manifest_free(m);
}

static void what_is_left_out_has_its_default(void **state)
{
    struct manifest *m = load_good(MANIFESTS "good/smallest.yaml");
    (void) state;
    assert_int_equal(m->concurrency, 0);
    assert_int_equal(m->retries, 10);
    assert_int_equal(m->patience_s, 300);
    assert_int_equal(m->endpoint_count, 1);
    assert_string_equal(m->endpoints[0]->name, "s3");
    assert_null(m->endpoints[0]->url);
    assert_int_equal(m->endpoints[0]->credentials, CREDENTIALS_AUTO);
    assert_int_equal(m->endpoints[0]->payload, HAUL_PAYLOAD_AUTO);
    assert_int_equal(m->transfers[0]->when, WHEN_ALWAYS);
    assert_int_equal(m->transfers[0]->part_bytes, 0);
    manifest_free(m);
}

static void final_slashes_decide_between_one_and_many(void **state)
{
    static const struct {
        const char *local_end, *key;
        bool many;
    } expected[] = {
        { "/data/x/y", "one/y", false },
        { "/manifests/up/", "many/", true },
        { "/good/out/", "", true },
        { "/srv/in/key.bin", "deep/key.bin", false },
        { "/good/down/", "", true },
        { "/srv/odd/", "/a/../b//", true },
    };
    struct manifest *m = load_good(MANIFESTS "good/slashes.yaml");
    (void) state;
    assert_int_equal(m->transfer_count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < m->transfer_count; i++) {
        const struct transfer *t = m->transfers[i];
        const size_t len = strlen(t->local), end = strlen(expected[i].local_end);
        assert_true(len >= end);
        assert_string_equal(t->local + len - end, expected[i].local_end);
        assert_string_equal(t->key, expected[i].key);
        assert_int_equal(t->many, expected[i].many);
    }
    manifest_free(m);
}

static void settings_replace_declared_variables_and_no_others(void **state)
{
    static struct told told;
    const struct setting settings[] = { { "place", "/elsewhere" }, { "plcae", "/x" } };
    struct manifest_options options = { settings, 1, NOON };
    const char *text = "version: 1\nname: job\nvars: {place: \"${env:HAUL_TEST_MISSING}\"}\n"
                       "transfers: [{upload: \"${place}/a\", to: s3://bucket/a}]\n";
    struct error err;
    (void) state;

    struct manifest *m = load_text(text, &options, &told, &err);
    assert_non_null(m);
    assert_string_equal(m->transfers[0]->local, "/elsewhere/a");
    manifest_free(m);

    options.setting_count = 2;
    assert_null(load_text(text, &options, &told, &err));
    assert_non_null(strstr(told.text,
        ":3:7: --set \"plcae\": no variable \"plcae\" is declared under vars; "
        "did you mean \"place\"?\n"));
}

static void aws_is_where_the_environment_says(void **state)
{
    static struct told told;
    struct error err;
    (void) state;
    setenv("AWS_ENDPOINT_URL", "http://general:1", 1);
    struct manifest *m = load_good(MANIFESTS "good/smallest.yaml");
    assert_string_equal(m->endpoints[0]->url, "http://general:1");
    manifest_free(m);

    setenv("AWS_ENDPOINT_URL_S3", "http://special:2", 1);
    m = load_good(MANIFESTS "good/smallest.yaml");
    assert_string_equal(m->endpoints[0]->url, "http://special:2");

    char *text = freeze(m); /* a later environment changes nothing */
    setenv("AWS_ENDPOINT_URL_S3", "http://later:3", 1);
    struct manifest *thawed = thaw(text);
    assert_string_equal(thawed->endpoints[0]->url, "http://special:2");
    manifest_free(m);
    manifest_free(thawed);
    free(text);

    m = load_good(MANIFESTS "good/own-s3.yaml");
    assert_string_equal(m->endpoints[0]->url, "https://objects.example:8443/base");
    manifest_free(m);

    setenv("AWS_ENDPOINT_URL_S3", "http://user:the-secret-itself@host", 1);
    assert_null(load(MANIFESTS "good/smallest.yaml", &told, &err));
    assert_string_equal(told.text,
        "smallest.yaml:5:9: endpoint s3: the url of the environment or the profile: a url has "
        "no user or password: see credentials\n");
}

/* Where the endpoint `e`, of these fields, is; told: what was wrong with it. */
static struct manifest *load_endpoint(const char *fields, struct told *told)
{
    const struct manifest_options options = { .now_ms = NOON };
    struct error err;
    char text[1024];
    snprintf(text, sizeof text,
        "version: 1\nname: job\nendpoints:\n  e: {%s}\n"
        "transfers: [{upload: /data/x, to: e://bucket/x}]\n",
        fields);
    return load_text(text, &options, told, &err);
}

static void assert_place(const char *fields, const char *url, const char *region,
    enum haul_addressing addressing, const char *kinds)
{
    static struct told told;
    struct manifest *m = load_endpoint(fields, &told);
    if (m == NULL)
        print_error("%s", told.text);
    assert_non_null(m);
    char *text = freeze(m);
    struct manifest *thawed = thaw(text); /* by an environment that may be another */
    const struct manifest_endpoint *e = thawed->endpoints[0];
    char found[4] = "";
    if (e->dualstack)
        strcat(found, "d");
    if (e->fips)
        strcat(found, "f");
    if (e->accelerate)
        strcat(found, "a");
    assert_string_equal(e->url ? e->url : "AWS", url);
    assert_string_equal(e->region ? e->region : "", region);
    assert_int_equal(e->addressing, addressing);
    assert_string_equal(found, kinds);
    manifest_free(m);
    manifest_free(thawed);
    free(text);
}

static void an_endpoint_without_url_is_where_its_own_profile_says(void **state)
{
    char path[] = "/tmp/haul-config-XXXXXX";
    const char *config = "[default]\nendpoint_url = http://usual:1\nregion = here-1\n"
                         "[profile lab]\nservices = lab\n"
                         "s3 =\n  addressing_style = path\n"
                         "[services lab]\ns3 =\n  endpoint_url = http://lab:2\n"
                         "[profile aws]\nregion = cn-north-1\nuse_dualstack_endpoint = true\n"
                         "[profile fast]\ns3 =\n  use_accelerate_endpoint = true\n"
                         "[profile bad]\nuse_fips_endpoint = perhaps\n";
    static struct told told;
    const int fd = mkstemp(path);
    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, config, strlen(config)), strlen(config));
    close(fd);
    setenv("AWS_CONFIG_FILE", path, 1);

    assert_place("", "http://usual:1", "", HAUL_ADDRESS_AUTO, "");
    assert_place("credentials: {profile: lab}", "http://lab:2", "", HAUL_ADDRESS_PATH, "");
    assert_place("credentials: {profile: lab}, addressing: virtual", "http://lab:2", "",
        HAUL_ADDRESS_VIRTUAL, "");
    assert_place("credentials: {profile: lab}, url: http://own:3", "http://own:3", "",
        HAUL_ADDRESS_AUTO, "");
    assert_place("credentials: {profile: aws}", "AWS", "cn-north-1", HAUL_ADDRESS_AUTO, "d");
    assert_place("credentials: {profile: aws}, dualstack: false, region: eu-west-1", "AWS",
        "eu-west-1", HAUL_ADDRESS_AUTO, "");
    assert_place("credentials: {profile: fast}", "AWS", "", HAUL_ADDRESS_AUTO, "a");
    assert_place("credentials: {profile: fast}, url: http://own:3", "http://own:3", "", 0, "");
    setenv("AWS_PROFILE", "aws", 1);
    assert_place("credentials: anonymous", "AWS", "cn-north-1", HAUL_ADDRESS_AUTO, "d");
    setenv("AWS_ENDPOINT_URL_S3", "http://special:4", 1);
    assert_place("", "http://special:4", "", HAUL_ADDRESS_AUTO, "");
    assert_place("credentials: {profile: lab}", "http://special:4", "", HAUL_ADDRESS_PATH, "");

    assert_null(load_endpoint("fips: true", &told));
    assert_non_null(strstr(told.text, ":4:13: fips: it chooses among AWS's hosts, and an url "
                                      "(its own, the environment's or the profile's)"));
    setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
    assert_place("fips: true, region: us-west-2, dualstack: false", "AWS", "us-west-2", 0, "f");
    assert_null(load_endpoint("credentials: {profile: fast}, fips: true", &told));
    assert_non_null(strstr(told.text, ":4:6: accelerate: AWS has no such host with fips\n"));
    assert_null(load_endpoint("credentials: {profile: bad}", &told));
    assert_non_null(strstr(told.text, ":4:6: endpoint e: use_fips_endpoint of "));
    unlink(path);
}

/* ---- The queue's text */

static void hard_text_survives_the_queue(void **state)
{
    char key[1025] = "", pattern[4097];
    size_t len = 0;
    (void) state;

    for (int c = 1; c < 0x80; c++) /* every ASCII character */
        key[len++] = (char) c;
    key[len] = '\0';
    strcat(key, "\xc2\x80\xc2\x85\xc2\xa0\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xef\xbf\xbe"
                "\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf0\x9f\xbf\xbf"
                "\xf4\x8f\xbf\xbf ${a} $${a} $$${a} ${env:HOME} $ \r\n  x\t\t y ");
    memset(pattern, 'p', sizeof pattern - 1);
    pattern[sizeof pattern - 1] = '\0';

    char *patterns[] = { pattern, strchr(key, ']'), NULL }; /* no open class */
    struct manifest_endpoint lab = {
        .name = (char[]){ "lab" }, .profile = key, .credentials = CREDENTIALS_PROFILE
    };
    struct transfer t = { .local = (char[]){ "/\t\x7f\xf0\x9f\xa6\x8a ${x}/" },
        .endpoint = &lab,
        .bucket = (char[]){ "bucket" },
        .key = (char[]){ "\xe2\x80\xa8${\x01/" },
        .many = true,
        .include = patterns };
    struct transfer one = { .kind = TRANSFER_DOWNLOAD,
        .local = (char[]){ "/x\n" },
        .endpoint = &lab,
        .bucket = (char[]){ "other" },
        .key = key };
    const struct manifest m = { .name = (char[]){ "job" },
        .endpoints = (struct manifest_endpoint *[]){ &lab },
        .endpoint_count = 1,
        .transfers = (struct transfer *[]){ &t, &one },
        .transfer_count = 2 };

    char *text = freeze(&m);
    struct manifest *thawed = thaw(text);
    assert_string_equal(thawed->endpoints[0]->profile, key);
    assert_string_equal(thawed->transfers[0]->local, t.local);
    assert_string_equal(thawed->transfers[0]->key, t.key);
    assert_string_equal(thawed->transfers[0]->include[0], pattern);
    assert_string_equal(thawed->transfers[0]->include[1], patterns[1]);
    assert_string_equal(thawed->transfers[1]->key, key);
    assert_string_equal(thawed->transfers[1]->local, "/x\n");
    manifest_free(thawed);
    free(text);
}

static void one_meaning_has_one_text(void **state)
{
    static const char *const same[] = {
        "version: 1\nname: job\ndefaults: {part_size: 16MiB, payload: signed}\n"
        "endpoints: {a: {region: x}, b: {payload: auto}}\n"
        "transfers: [{upload: /data/x/, to: a://bucket, when: always}]\n",
        "transfers:\n- {part_size: 16777216, to: 'a://bucket/', upload: \"/data//./x/\"}\n"
        "endpoints: {b: {credentials: auto}, a: {payload: signed, region: \"${r}\"}}\n"
        "vars: {r: x}\nname: 'job'\nversion: 1\n",
    };
    const struct manifest_options options = { .now_ms = NOON };
    static struct told told;
    struct error err;
    char *text[2];
    (void) state;
    for (int i = 0; i < 2; i++) {
        struct manifest *m = load_text(same[i], &options, &told, &err);
        if (m == NULL)
            print_error("%s", told.text);
        assert_non_null(m);
        text[i] = freeze(m);
        manifest_free(m);
    }
    assert_string_equal(text[0], text[1]);
    free(text[0]);
    free(text[1]);
}

static void a_thaw_needs_nothing_of_the_environment(void **state)
{
    struct manifest *m = load_good(MANIFESTS "good/every-field.yaml");
    char *text = freeze(m);
    (void) state;
    unsetenv("HAUL_TEST_KEY");
    unsetenv("HAUL_TEST_SECRET");
    unsetenv("HAUL_TEST_DIR");
    manifest_free(thaw(text));
    manifest_free(m);
    free(text);
}

static void damaged_text_is_the_queues_fault(void **state)
{
    static const char *const bad[] = { "", "{", "null", "[]", "{\"version\":2}",
        "{\"version\":1,\"name\":\"job\",\"transfers\":[]}",
        "{\"version\":1,\"name\":\"job\","
        "\"transfers\":[{\"upload\":\"/a\",\"to\":\"s3://bucket/a\"}]}",
        "{\"version\":1,\"name\":\"job\",\"endpoints\":{\"s3\":{}},"
        "\"transfers\":[{\"upload\":\"relative\",\"to\":\"s3://bucket/a\"}]}" };
    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = { .text = "untouched" };
        assert_null(manifest_thaw(bad[i], &err));
        assert_int_equal(err.exit, EXIT_QUEUE);
        assert_non_null(
            strstr(err.text, "the queue's manifest is damaged, or of a newer haul: "));
    }
}

/* ---- The whole file */

static void a_file_that_cannot_be_read_is_named(void **state)
{
    static struct told told;
    struct error err;
    (void) state;
    assert_null(load("/nonexistent/job.yaml", &told, &err));
    assert_int_equal(err.exit, EXIT_USAGE);
    assert_string_equal(
        err.text, "can't read /nonexistent/job.yaml: No such file or directory");
    assert_int_equal(told.count, 0);
}

static void a_hundred_problems_are_told_and_all_are_counted(void **state)
{
    static struct told told;
    static char text[65536] = "version: 1\nname: job\ntransfers:\n";
    const struct manifest_options options = { .now_ms = NOON };
    struct error err;
    (void) state;
    for (int i = 0; i < 1000; i++)
        strcat(text, "  - copy: x\n    to: y\n");
    assert_null(load_text(text, &options, &told, &err));
    assert_int_equal(told.count, 100);
    assert_non_null(strstr(err.text, ": 1000 problems"));
}

/* Case 71. */
static void a_file_over_one_mebibyte_is_refused(void **state)
{
    static struct told told;
    const struct manifest_options options = { .now_ms = NOON };
    char *text = malloc(1048578);
    struct error err;
    (void) state;
    assert_non_null(text);
    memset(text, '#', 1048577);
    text[1048577] = '\0';
    assert_null(load_text(text, &options, &told, &err));
    assert_non_null(
        strstr(told.text, ":1:1: the file is longer than 1048576 bytes, a job file is not\n"));
    free(text);
}

#define TEST(name) cmocka_unit_test_setup(name, set_environment)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_good_manifest_is_taken_and_survives_the_queue),
        TEST(every_bad_manifest_is_refused_with_the_expected_lines),
        TEST(every_field_finds_its_place),
        TEST(what_is_left_out_has_its_default),
        TEST(final_slashes_decide_between_one_and_many),
        TEST(settings_replace_declared_variables_and_no_others),
        TEST(aws_is_where_the_environment_says),
        TEST(an_endpoint_without_url_is_where_its_own_profile_says),
        TEST(hard_text_survives_the_queue),
        TEST(one_meaning_has_one_text),
        TEST(a_thaw_needs_nothing_of_the_environment),
        TEST(damaged_text_is_the_queues_fault),
        TEST(a_file_that_cannot_be_read_is_named),
        TEST(a_hundred_problems_are_told_and_all_are_counted),
        TEST(a_file_over_one_mebibyte_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
