/* Keys, and where they come from. A credentials object is immutable, may be used from any
 * thread, and must outlive the endpoints that sign with it. Its memory is wiped when freed
 * (copies that a request under way holds, such as the token's header, are not).
 *
 * Looked up once, for the stores of all threads, each of which opens its own:
 *
 *     struct haul_credentials *keys = haul_credentials_default(&err);
 *     ...
 *     struct haul_store *s = haul_store_new(url,
 *         &(struct haul_store_options){ .endpoint = { .credentials = keys } }, &err);
 */
#ifndef HAUL_CREDENTIALS_H
#define HAUL_CREDENTIALS_H

#include <haul/error.h>

HAUL_BEGIN

struct haul_credentials;

/* Each returns a new object that the caller frees, or NULL with *err set:
 * HAUL_NO_CREDENTIALS when the source has none or half of a pair, HAUL_BAD_CONFIG when it can't
 * be read or understood, HAUL_NO_MEMORY. The texts name the variable, the file or the profile,
 * and never a value. */

/* The strings are copied. token may be NULL. */
struct haul_credentials *haul_credentials_static(
    const char *key_id, const char *secret, const char *token, struct haul_error *err);

/* Requests are sent unsigned. */
struct haul_credentials *haul_credentials_anonymous(struct haul_error *err);

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
struct haul_credentials *haul_credentials_from_environment(struct haul_error *err);

/* One profile of the shared files. profile NULL: AWS_PROFILE, else "default". file NULL: the
 * credentials file (AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials, section [x]), then
 * the config file (AWS_CONFIG_FILE, else ~/.aws/config, section [profile x]; [default] for the
 * default). With a file, only that one, section [x] or [profile x]. Key, secret and token are
 * always taken from one section.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html */
struct haul_credentials *haul_credentials_from_profile(
    const char *profile, const char *file, struct haul_error *err);

/* The environment when it has any of the three variables, else the profile. */
struct haul_credentials *haul_credentials_default(struct haul_error *err);

/* The access key's id ("" when anonymous): an identifier, not a secret, but show it shortened.
 */
const char *haul_credentials_key_id(const struct haul_credentials *c);

void haul_credentials_free(struct haul_credentials *c);

/* The region that the environment names: AWS_REGION, AWS_DEFAULT_REGION, then `region` of the
 * profile in the config file (same rules for NULL as above; a file is looked into as well).
 * Writes "" when nothing does. Returns 0, or -1 with *err: HAUL_BAD_CONFIG. Any thread, as long
 * as none changes the environment. */
int haul_default_region(
    const char *profile, const char *file, char region[64], struct haul_error *err);

HAUL_END
#endif
