/* A real S3 server for one test program, and boto3 as the second opinion on what is stored
 * there. A test is tests/real/test_NAME.c, its name stands in tests/CMakeLists.txt at
 * real_library_tests(), and ctest runs it as real.NAME. By hand:
 *
 *     tests/real/cluster start /tmp/ceph --tls
 *     CEPH=/tmp/ceph build-test/tests/real_NAME
 *     tests/real/cluster stop /tmp/ceph
 *
 * boto_start() puts AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
 * TLS_ENDPOINT_URL (https to the same server) and TLS_CA_BUNDLE into the environment, so that
 * haul_store_new("s3://BUCKET", ...) and haul_credentials_default() find the server. A program:
 *
 *     static void what_is_put_is_what_boto3_reads(void **state)
 *     {
 *         char *bucket = boto_bucket();
 *         ... put `data` under the key "a" ...
 *         boto_bytes("data", data, len);
 *         assert_string_equal(boto("read('%s', 'a') == data", bucket), "True");
 *         assert_string_equal(
 *             boto("s3.head_object(Bucket='%s', Key='a')['ContentType']", bucket), "text/x");
 *         assert_string_equal(boto("read('%s', 'b')", bucket), "error: NoSuchKey");
 *         free(bucket);
 *     }
 *     return cmocka_run_group_tests(tests, boto_start, boto_stop);
 *
 * Whatever goes wrong here ends the test program. */
#ifndef BOTO_H
#define BOTO_H

#include <stddef.h>

/* A group's setup and teardown; the latter removes every bucket of boto_bucket() with all that
 * is in it, which the end of the program does too, however it comes. */
int boto_start(void **state);
int boto_stop(void **state);

/* A new, empty bucket of this test's own. The caller frees the name. */
char *boto_bucket(void);

/* Evaluates a Python expression, which is written printf-style, and returns str() of its value,
 * valid until the next call; "error: CODE" when the server refuses ("error: 404" for a HEAD,
 * which has no code). Any other exception ends the program. There are `s3`, boto3's client,
 * every name bound by the two functions below, and what boto.py defines:
 *     new_bucket()             a bucket that is removed at the end
 *     every(METHOD, MEMBER, Bucket=...)   the rows of all pages of a listing, a list of dicts
 *     keys(BUCKET, Prefix=...) all objects' names: "['a', 'b/c']"
 *     read(BUCKET, KEY, ...)   an object's bytes, by get_object with those arguments
 *     etag(BUCKET, KEY)        the MD5 in base64, "-PARTS" behind if it is one of parts
 *     sha256(BYTES)            in hex
 *     remove(BUCKET)           with all that is in it */
const char *boto(const char *expression, ...) __attribute__((format(printf, 1, 2)));

/* Bind a name to what no literal in C can hold: odd keys (str) and data (bytes). */
void boto_text(const char *name, const char *text);
void boto_bytes(const char *name, const void *data, size_t len);

#endif
