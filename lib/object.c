/* The blocking calls that are one request each, and deletion in batches: see <haul/object.h>.
 * copy.c has those that copy, put.c and get.c those that know files. */
#include <haul/object.h>

#include "client.h"
#include "store.h"

const struct haul_result *haul_put(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    struct haul_request full = store_request(s, r, HAUL_PUT_OBJECT);
    return store_write(s, &full, full.body.size, err);
}

static const struct haul_result *put_body(struct haul_store *s, const struct haul_request *r,
    struct haul_body body, struct haul_error *err)
{
    struct haul_request full = *r;
    full.body = body;
    return haul_put(s, &full, err);
}

const struct haul_result *haul_put_memory(struct haul_store *s, const struct haul_request *r,
    const void *data, size_t len, struct haul_error *err)
{
    return put_body(s, r, haul_body_memory(data, len), err);
}

const struct haul_result *haul_put_string(struct haul_store *s, const struct haul_request *r,
    const char *text, struct haul_error *err)
{
    return put_body(s, r, haul_body_string(text), err);
}

const struct haul_result *haul_get(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, HAUL_GET_OBJECT, err);
}

const struct haul_result *haul_head(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, HAUL_HEAD_OBJECT, err);
}

const struct haul_result *haul_delete(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, HAUL_DELETE_OBJECT, err);
}

/* A batch that is sent again deletes nothing more: what is gone counts as deleted. */
int64_t haul_delete_many(struct haul_store *s, const struct haul_request *r,
    const struct haul_victim *victims, size_t count, haul_failed_fn *failed, void *payload,
    struct haul_error *err)
{
    const struct haul_result *before = store_take(s), *result = NULL;
    struct haul_request full = store_request(s, r, HAUL_DELETE_OBJECTS);
    int64_t failures = 0;
    for (size_t at = 0; at < count; at += full.victim_count) {
        full.victims = victims + at;
        full.victim_count = count - at < HAUL_DELETE_MAX ? count - at : HAUL_DELETE_MAX;
        if (store_perform(s, &full, false, err) == NULL) {
            failures = -1;
            break;
        }
        result = store_take(s); /* the callback may use the store */
        for (size_t i = 0; i < result->listing.count; i++) {
            failures++;
            if (failed != NULL)
                failed(payload, &result->listing.entries[i]);
        }
        client_release(result);
    }
    client_release(before);
    return failures;
}

const struct haul_result *haul_get_tags(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, HAUL_GET_TAGS, err);
}

const struct haul_result *haul_put_tags(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, HAUL_PUT_TAGS, err);
}

const struct haul_result *haul_head_bucket(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, HAUL_HEAD_BUCKET, err);
}

const struct haul_result *haul_create_bucket(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, HAUL_CREATE_BUCKET, err);
}

const struct haul_result *haul_delete_bucket(
    struct haul_store *s, const struct haul_request *r, struct haul_error *err)
{
    return store_call(s, r, HAUL_DELETE_BUCKET, err);
}
