/* haul/checksum.h, against published values and against Python's hashlib and base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <haul/checksum.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define GIB ((uint64_t) 1 << 30)

/* Of "123456789"; the three pieces, each alone; all of them; their values' value. */
static const struct {
    enum haul_checksum kind;
    const char *name;
    size_t bytes;
    const char *check, *pieces[3], *whole, *composite;
} known[] = {
    { HAUL_CRC32C, "crc32c", 4, "e3069283", { "RmdbuQ==", "yltTwA==", "rE67xg==" },
        "ImIEBA==", "jbcjnA==-3" },
    { HAUL_CRC32, "crc32", 4, "cbf43926", { "iLB14g==", "L4EkxA==", "KRBX4w==" },
        "QU+jOQ==", "xU/lUQ==-3" },
    { HAUL_CRC64NVME, "crc64nvme", 8, "ae8b14860a799888",
        { "e+WXsHOhtoM=", "wZj0wP46/xQ=", "QLhF/tMVteg=" }, "12xUBUlUwUM=", NULL },
    { HAUL_SHA1, "sha1", 20, "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
        { "PjQ2oHPnLFMAzcps5cMh5J38QS4=", "UI0bpkyszOQj3URYJUBsJmnymfE=",
            "u6wPzXHZ9zmmpzd1TlJOn4Rsmc4=" },
        "L9ThxnotKPzthJ7hu3bnORuT6xI=", "35CNe/xk6dFHFPTTHUlYdG67E18=-3" },
    { HAUL_SHA256, "sha256", 32,
        "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        { "sp1m5W7ZDM6bAWXEP+3sYStgoHGXTYvkUT4YWA1Vtb0=",
            "Z4DlJrsmYa+i63wlRfXeBauw4n6dC4UPduR6HCkschY=",
            "5vbP1U3JaQxDn/Xw16ozdlqqcztI20X4IlwSXDLr8ks=" },
        "16j7swfXgJRpypq8sAguT41WUeRtPNt2LQLQvzfJ5ZI=",
        "zaqbqwxblBztGfNY1qTEjrTPj3X1KS6Vofi9Umh9oHU=-3" },
    { HAUL_MD5, "md5", 16, "25f9e794323b453885f5181f1b624d0b",
        { "xDFJcqZy3th1nK/cqa8yOA==", "hfxcj/nizrX5whr0jFB5fw==", "US0qn5HrzcOcw0QoUyq+JA==" },
        "nhB9nTcrtoJr2B01QqQZ1g==", "KchqH7fNV6tBhJr5XXTXlA==-3" },
};
static const char *const pieces[] = { "The quick brown fox ", "jumps over ", "the lazy dog" };

static const enum haul_checksum crcs[] = { HAUL_CRC32C, HAUL_CRC32, HAUL_CRC64NVME };

static uint64_t crc_of(
    enum haul_checksum kind, uint64_t before, const unsigned char *data, size_t len)
{
    return kind == HAUL_CRC32C  ? haul_crc32c((uint32_t) before, data, len)
           : kind == HAUL_CRC32 ? haul_crc32((uint32_t) before, data, len)
                                : haul_crc64nvme(before, data, len);
}

static unsigned char *random_bytes(size_t len)
{
    unsigned char *data = malloc(len);
    assert_non_null(data);
    srand(1);
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char) rand();
    return data;
}

static void a_sum_is(struct haul_sum *s, const char *hex)
{
    unsigned char value[HAUL_CHECKSUM_BYTES_MAX];
    char found[2 * HAUL_CHECKSUM_BYTES_MAX + 1] = "";
    size_t bytes = haul_sum_end(s, value);
    for (size_t i = 0; i < bytes; i++)
        sprintf(found + 2 * i, "%02x", value[i]);
    assert_string_equal(found, hex);
}

static void every_kind_has_its_name_and_length(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT(known); i++) {
        assert_string_equal(haul_checksum_name(known[i].kind), known[i].name);
        assert_int_equal(haul_checksum_bytes(known[i].kind), known[i].bytes);
    }
    assert_string_equal(haul_checksum_name(HAUL_CHECKSUM_NONE), "none");
    assert_string_equal(haul_checksum_name((enum haul_checksum) 99), "none");
    assert_int_equal(haul_checksum_bytes(HAUL_CHECKSUM_NONE), 0);
}

/* RFC 3720; zip's; the NVM Command Set specification's */
static void crcs_give_the_published_values(void **state)
{
    (void) state;
    static unsigned char zeroes[4096], ones[4096];
    memset(ones, 0xff, sizeof ones);
    assert_int_equal(haul_crc32c(0, zeroes, 32), 0x8A9136AA);
    assert_int_equal(haul_crc32c(0, ones, 32), 0x62A8AB43);
    assert_int_equal(haul_crc32(0, zeroes, 32), 0x190A55AD);
    assert_int_equal(haul_crc32(0, ones, 32), 0xFF6CAB0B);
    assert_int_equal(haul_crc64nvme(0, zeroes, 4096), 0x6482D367EB22B64E);
    assert_int_equal(haul_crc64nvme(0, ones, 4096), 0xC0DDBA7302ECA3AC);
    for (size_t i = 0; i < COUNT(crcs); i++)
        assert_int_equal(crc_of(crcs[i], 0, zeroes, 0), 0);
}

static void a_crc_goes_on_wherever_it_stopped(void **state)
{
    (void) state;
    enum { SIZE = 300 };
    unsigned char *data = random_bytes(SIZE);
    for (size_t i = 0; i < COUNT(crcs); i++) {
        uint64_t whole = crc_of(crcs[i], 0, data, SIZE);
        for (size_t cut = 0; cut <= SIZE; cut++) {
            uint64_t first = crc_of(crcs[i], 0, data, cut);
            assert_int_equal(crc_of(crcs[i], first, data + cut, SIZE - cut), whole);
        }
    }
    free(data);
}

static void crcs_of_two_stretches_combine_to_that_of_both(void **state)
{
    (void) state;
    enum { SIZE = 100000 };
    unsigned char *data = random_bytes(SIZE);
    for (size_t i = 0; i < COUNT(crcs); i++) {
        uint64_t whole = crc_of(crcs[i], 0, data, SIZE);
        for (int round = 0; round < 100; round++) {
            size_t cut = round == 0 ? 0 : round == 1 ? SIZE : (size_t) rand() % SIZE;
            uint64_t first = crc_of(crcs[i], 0, data, cut);
            uint64_t second = crc_of(crcs[i], 0, data + cut, SIZE - cut);
            assert_int_equal(haul_crc_combine(crcs[i], first, second, SIZE - cut), whole);
        }
    }
    free(data);
}

/* 6 GiB of the same 4 MiB, once by small steps and once by one step over 4 GiB. */
static void crcs_combine_over_lengths_of_more_than_32_bits(void **state)
{
    (void) state;
    const size_t size = 4 << 20;
    unsigned char *data = random_bytes(size);
    for (size_t i = 0; i < COUNT(crcs); i++) {
        uint64_t once = crc_of(crcs[i], 0, data, size), whole = 0, tail = 0;
        for (uint64_t at = 0; at < 6 * GIB; at += size)
            whole = haul_crc_combine(crcs[i], whole, once, size);
        for (uint64_t at = 0; at < 5 * GIB; at += size)
            tail = haul_crc_combine(crcs[i], tail, once, size);
        uint64_t head = 0;
        for (uint64_t at = 0; at < GIB; at += size)
            head = haul_crc_combine(crcs[i], head, once, size);
        assert_int_equal(haul_crc_combine(crcs[i], head, tail, 5 * GIB), whole);
        assert_int_not_equal(haul_crc_combine(crcs[i], head, tail, GIB), whole);
    }
    free(data);
}

/* Case 17. */
static void only_crcs_combine(void **state)
{
    (void) state;
    assert_int_equal(haul_crc_combine(HAUL_SHA256, 1, 2, 3), 0);
    assert_int_equal(haul_crc_combine(HAUL_CHECKSUM_NONE, 1, 2, 3), 0);
}

static void a_sum_of_any_kind_gives_the_published_value_and_begins_again(void **state)
{
    (void) state;
    const char *digits = "123456789";
    for (size_t i = 0; i < COUNT(known); i++) {
        struct haul_sum *s = haul_sum_new(known[i].kind);
        if (s == NULL && known[i].kind == HAUL_MD5)
            continue; /* FIPS */
        assert_non_null(s);
        for (size_t cut = 0; cut <= 9; cut++) {
            haul_sum_add(s, digits, cut);
            haul_sum_add(s, NULL, 0);
            haul_sum_add(s, digits + cut, 9 - cut);
            a_sum_is(s, known[i].check);
        }
        haul_sum_free(s);
    }
    haul_sum_free(NULL);
}

static void there_is_no_sum_of_kind_none(void **state)
{
    (void) state;
    assert_null(haul_sum_new(HAUL_CHECKSUM_NONE));
    assert_null(haul_sum_new((enum haul_checksum) 99));
}

static void values_are_written_in_base64(void **state)
{
    (void) state;
    char text[HAUL_CHECKSUM_TEXT_SIZE];
    haul_checksum_text((const unsigned char *) "\xe3\x06\x92\x83", 4, text);
    assert_string_equal(text, "4waSgw==");
    haul_checksum_text((const unsigned char *) "\xae\x8b\x14\x86\x0a\x79\x98\x88", 8, text);
    assert_string_equal(text, "rosUhgp5mIg=");
}

static void fill_parts(struct haul_part parts[static 3], size_t which)
{
    for (unsigned n = 0; n < 3; n++)
        parts[n] = (struct haul_part){
            .number = n + 1, .checksum = known[which].pieces[n], .size = strlen(pieces[n])
        };
}

/* Case 17. */
static void a_full_object_value_is_that_of_all_bytes(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT(crcs); i++) {
        struct haul_part parts[3];
        char text[HAUL_CHECKSUM_TEXT_SIZE];
        fill_parts(parts, i);
        assert_int_equal(haul_checksum_of_parts(crcs[i], true, parts, 3, text, NULL), 0);
        assert_string_equal(text, known[i].whole);
        assert_int_equal(haul_checksum_of_parts(crcs[i], true, parts, 1, text, NULL), 0);
        assert_string_equal(text, parts[0].checksum);
    }
}

/* Case 17. */
static void a_composite_value_is_that_of_the_parts_values(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT(known); i++) {
        struct haul_part parts[3];
        char text[HAUL_CHECKSUM_TEXT_SIZE];
        if (known[i].composite == NULL)
            continue;
        fill_parts(parts, i);
        assert_int_equal(haul_checksum_of_parts(known[i].kind, false, parts, 3, text, NULL), 0);
        assert_string_equal(text, known[i].composite);
    }
}

static void the_longest_text_fits(void **state)
{
    (void) state;
    struct haul_part *parts = calloc(10001, sizeof *parts);
    char text[HAUL_CHECKSUM_TEXT_SIZE];
    struct haul_error err;
    assert_non_null(parts);
    for (unsigned n = 0; n < 10001; n++)
        parts[n] = (struct haul_part){ .number = n + 1, .checksum = known[4].pieces[0] };
    assert_int_equal(haul_checksum_of_parts(HAUL_SHA256, false, parts, 10000, text, &err), 0);
    assert_string_equal(text + 44, "-10000");
    assert_int_equal(haul_checksum_of_parts(HAUL_SHA256, false, parts, 10001, text, &err), -1);
    assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
    assert_string_equal(err.text, "10001 parts: not 1 to 10000");
    free(parts);
}

static void misuse_is_refused(void **state)
{
    (void) state;
    static const struct {
        enum haul_checksum kind;
        bool full_object;
        size_t count;
        const char *checksum; /* of part 2 */
        const char *text;
    } cases[] = {
        { HAUL_SHA1, true, 3, "", "sha1 has no full object value" },
        { HAUL_SHA256, true, 3, "", "sha256 has no full object value" },
        { HAUL_MD5, true, 3, "", "md5 has no full object value" },
        { HAUL_CRC64NVME, false, 3, "", "crc64nvme has no composite value" },
        { HAUL_CHECKSUM_NONE, true, 3, "", "none has no full object value" },
        { HAUL_CHECKSUM_NONE, false, 3, "", "none has no composite value" },
        { HAUL_CRC32C, true, 0, "", "0 parts: not 1 to 10000" },
        { HAUL_CRC32C, true, 3, NULL, "part 2 has no crc32c" },
        { HAUL_CRC32C, false, 3, NULL, "part 2 has no crc32c" },
        { HAUL_CRC32C, false, 3, "", "part 2: \"\" is no crc32c in base64" },
        { HAUL_CRC32C, true, 3, "yltTwA", "part 2: \"yltTwA\" is no crc32c in base64" },
        { HAUL_CRC32C, true, 3, "yltTwAA=", "part 2: \"yltTwAA=\" is no crc32c in base64" },
        { HAUL_CRC32C, true, 3, "yltTwB==", "part 2: \"yltTwB==\" is no crc32c in base64" },
        { HAUL_CRC32C, true, 3, "ylt*wA==", "part 2: \"ylt*wA==\" is no crc32c in base64" },
        { HAUL_CRC32C, true, 3, " lttTwA=", "part 2: \" lttTwA=\" is no crc32c in base64" },
        { HAUL_CRC32C, true, 3,
            "e+WXsHOhtoM=", "part 2: \"e+WXsHOhtoM=\" is no crc32c in base64" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct haul_part parts[3];
        char text[HAUL_CHECKSUM_TEXT_SIZE];
        struct haul_error err = { 0 };
        fill_parts(parts, 0);
        parts[1].checksum = cases[i].checksum;
        assert_int_equal(haul_checksum_of_parts(cases[i].kind, cases[i].full_object, parts,
                             cases[i].count, text, &err),
            -1);
        assert_int_equal(err.code, HAUL_BAD_ARGUMENT);
        assert_string_equal(err.text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_name_and_length),
        cmocka_unit_test(crcs_give_the_published_values),
        cmocka_unit_test(a_crc_goes_on_wherever_it_stopped),
        cmocka_unit_test(crcs_of_two_stretches_combine_to_that_of_both),
        cmocka_unit_test(crcs_combine_over_lengths_of_more_than_32_bits),
        cmocka_unit_test(only_crcs_combine),
        cmocka_unit_test(a_sum_of_any_kind_gives_the_published_value_and_begins_again),
        cmocka_unit_test(there_is_no_sum_of_kind_none),
        cmocka_unit_test(values_are_written_in_base64),
        cmocka_unit_test(a_full_object_value_is_that_of_all_bytes),
        cmocka_unit_test(a_composite_value_is_that_of_the_parts_values),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(misuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
