/* hash.c, against published values. Digests piece by piece are tested as haul_sum. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hash.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void sha256_gives_the_published_values(void **state)
{
    (void) state;
    char hex[SHA256_HEX_SIZE];
    assert_int_equal(sha256_hex("", 0, hex), 0);
    assert_string_equal(hex, EMPTY_SHA256);
    assert_int_equal(sha256_hex("abc", 3, hex), 0);
    assert_string_equal(hex, ABC_SHA256);
}

static void assert_hmac(
    const void *key, size_t key_len, const void *data, size_t len, const char *expected)
{
    unsigned char out[SHA256_BYTES];
    char hex[SHA256_HEX_SIZE];
    assert_int_equal(hmac_sha256(key, key_len, data, len, out), 0);
    hex_encode(out, sizeof out, hex);
    assert_string_equal(hex, expected);
}

/* RFC 4231, cases 1, 2 and 6 */
static void hmac_gives_the_values_of_rfc_4231(void **state)
{
    (void) state;
    unsigned char key[131];

    memset(key, 0x0b, 20);
    assert_hmac(key, 20, "Hi There", 8,
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");

    assert_hmac("Jefe", 4, "what do ya want for nothing?", 28,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    memset(key, 0xaa, sizeof key);
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    assert_hmac(key, sizeof key, text, strlen(text),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void *hash_often(void *payload)
{
    unsigned char out[SHA256_BYTES];
    char hex[SHA256_HEX_SIZE] = "";
    for (int i = 0; i < 1000; i++)
        if (hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out) < 0 ||
            sha256_hex("abc", 3, hex) < 0 || strcmp(hex, ABC_SHA256) != 0 || out[0] != 0x5b)
            return NULL;
    return payload;
}

static void threads_hash_side_by_side(void **state)
{
    pthread_t threads[4];
    void *result;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_often, state), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, state);
    }
}

static void hex_is_lower_case(void **state)
{
    (void) state;
    char hex[7];
    hex_encode((const unsigned char *) "\x00\x9a\xff", 3, hex);
    assert_string_equal(hex, "009aff");
}

static void wiping_leaves_zeroes(void **state)
{
    (void) state;
    char secret[] = "secret";
    wipe(secret, sizeof secret - 1);
    assert_memory_equal(secret, "\0\0\0\0\0\0", sizeof secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_values),
        cmocka_unit_test(hmac_gives_the_values_of_rfc_4231),
        cmocka_unit_test(threads_hash_side_by_side),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(wiping_leaves_zeroes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
