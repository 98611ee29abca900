/* A queue in a folder of its own, some rows for it, and what anybody with SQLite sees in it.
 * Whatever goes wrong here fails the test. */
#ifndef QUEUE_FIXTURE_H
#define QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queue.h"

#define RUN_ID "20260131T235959Z-1f2e"

/* A folder with one run of two transfers, held open. */
struct fixture {
    char *folder;
    char path[256];
    struct queue *queue;
    struct error err;
};

extern const struct run a_run;

/* Setup and teardown; at the end the tally is what the rows say. */
int make_queue(void **state);
int remove_queue(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_queue, remove_queue)

void ok(struct fixture *f, int rc);
void refused(struct fixture *f, int rc, const char *word);
void reopen(struct fixture *f);

/* The first column of the first row, as text: what somebody with sqlite3 would see. Valid until
 * the next call. */
const char *seen(struct fixture *f, const char *sql);
void tamper(const char *path, const char *sql);
void assert_counted(struct fixture *f);

#define PLANNED(name_, size_)                                                                  \
    {                                                                                          \
        .name = (char *) name_, .size = size_, .modified_ms = 5, .state = OBJECT_PLANNED       \
    }
void plan(struct fixture *f, unsigned transfer, const struct planned *rows, size_t count);

/* Objects 1, 2 and 3: a of 10 bytes, b of 25 MiB, c of nothing. */
void plan_three(struct fixture *f);

/* An object that began to be uploaded in parts of 8 MiB; and what else may happen to it. */
struct change began(int64_t object);
struct change event(int64_t object, enum object_event what);
bool apply(struct fixture *f, struct change c); /* false: it was stale */
void record(
    struct fixture *f, int64_t object, unsigned generation, unsigned number, const char *etag);

/* b is moving, and parts 1 and 3 are recorded. */
void move_b(struct fixture *f);

#endif
