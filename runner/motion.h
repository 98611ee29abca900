/* The inside of the engine: objects in motion and who may touch them. engine.c schedules,
 * motion.c keeps the books, slot.c sends and judges requests, upload.c and download.c know the
 * protocol, disk.c does what blocks.
 *
 * An object has at most one control step under way (a request, a commit, a job for the disk),
 * and whoever carries that step out owns the object. Only its parts move concurrently, and
 * their book-keeping is under the engine's lock. */
#ifndef MOTION_H
#define MOTION_H

#include <pthread.h>
#include <stdatomic.h>

#include <haul/haul.h>

#include "destination.h"
#include "engine.h"
#include "journal.h"
#include "parts.h"
#include "width.h"

#define IDENTITY_MAX 128
#define RESTARTS_MAX 5 /* a process and object */
#define ABORTS_MAX 10  /* of one upload, without a pause */

struct worker;
struct object;
struct disk;

/* What an object does next, on a worker's thread. */
typedef void step_fn(struct worker *w, struct object *o);

/* How an attempt ended. */
enum verdict {
    VERDICT_GOOD,
    VERDICT_RESTART, /* the source or the upload is another one: all again */
    VERDICT_FAIL,    /* for good */
    VERDICT_DROP,    /* we are stopping: the queue knows where to go on */
};

enum part_mark { MARK_DUE, MARK_MOVING, MARK_MOVED, MARK_SYNCING, MARK_SYNCED };

/* Work for the disk thread. */
enum disk_work {
    DISK_BEGIN,   /* make a temporary file's name durable, and its folders' */
    DISK_RECHECK, /* read what an earlier process wrote, and compare checksums */
    DISK_SYNC,    /* while parts move: make what is written durable */
    DISK_VERIFY,  /* read a stretch of what is there into the object's sum */
    DISK_SETTLE,  /* all is there: stamp and sync */
    DISK_PUBLISH, /* rename and sync the folder */
    DISK_DISCARD, /* remove the temporary file, if there is one, and sync the folder */
    DISK_FINISH,  /* SETTLE and PUBLISH in one, for an object that moved in one request */
};
struct disk_job {
    struct disk_job *next;
    enum disk_work work;
    struct object *object;
    int error;                          /* 0, or the errno of what failed */
    bool synced;                        /* disk.c's, while it goes through a batch */
    dev_t device;                       /* likewise: of what is to be synced */
    void (*done)(struct disk_job *job); /* on the disk's thread */
};

struct object {
    struct object *next; /* in the engine's list that it is in */
    struct engine *engine;
    bool large;       /* counted as such */
    struct task task; /* kept up to date with what the queue has committed */
    const struct transfer *transfer;
    const struct haul_endpoint *endpoint;
    char *key; /* owned: the object's whole key */

    step_fn *step;       /* what comes next */
    struct entry entry;  /* the change under way */
    struct disk_job job; /* the job under way */
    unsigned restarts;
    int fd;                      /* owned: the source, or the temporary file; -1 */
    char identity[IDENTITY_MAX]; /* of that file, as it was opened */

    /* Uploads. */
    bool orphan_possible; /* an upload whose id we never learnt may have been created */
    char **orphans;       /* owned: upload ids that may be such */
    unsigned orphan_count;
    unsigned list_after;          /* ListParts goes on after this number */
    unsigned aborts;              /* of the upload, or the orphan, that it gives up */
    struct haul_part *completing; /* owned: what CompleteMultipartUpload names */

    /* Downloads. */
    struct place place;   /* owned; folder -1 when closed */
    struct haul_sum *sum; /* owned; of the first bytes */
    uint64_t summed;      /* so many */
    enum haul_checksum sum_kind;
    char expected[HAUL_CHECKSUM_TEXT_SIZE]; /* the server's, of the whole */

    /* Under the engine's lock while parts move. */
    uint8_t *marks;     /* owned; an enum part_mark for each part */
    uint32_t *crc32c;   /* owned; of the parts that have moved */
    unsigned count;     /* of parts */
    unsigned first_due; /* no part before this index is due */
    unsigned due, moving;
    bool is_open; /* in the list of those whose parts may be claimed */
    uint64_t unsynced;
    struct disk_job sync_job;
    enum verdict verdict;
    char *trouble; /* owned: why, when the verdict is not good; object_why() */
};

/* A request in flight. */
struct slot {
    struct worker *worker;
    struct object *object;
    struct slot *next; /* free list */
    struct haul_request request;
    void (*done)(struct slot *s, const struct haul_result *result);
    unsigned part; /* 0: none */
    struct haul_range range;
    uint32_t crc32c; /* of what has passed */
    uint64_t passed;
    int64_t began_us;
    bool answered; /* its reply's first bytes have come */
};

/* What a worker's requests have done: see width.h. It alone writes. */
struct gauge {
    struct {
        atomic_uint_least64_t count, us, work;
    } sums[WIDTH_CLASSES];
    atomic_uint_least64_t moved, trip_us;
};

struct worker {
    struct engine *engine;
    pthread_t thread;
    struct haul_client *client;
    struct slot *slots; /* owned; those from `fresh` on have never been used */
    struct slot *free;  /* of the others */
    unsigned fresh;
    unsigned in_flight, allowed;
    int wait_ms; /* at most, for something to happen */
    struct gauge gauge;

    /* Under the engine's lock. */
    bool hungry;      /* waits for work */
    unsigned carries; /* in flight, since noted_us */
    int64_t noted_us;
};

struct engine {
    struct engine_options options;
    struct journal *journal;
    struct disk *disk;
    struct planner *planner;
    struct worker *workers;
    unsigned worker_count, slots_most; /* a worker */
    int over_fd;
    unsigned in_motion_max;
    atomic_uint_least64_t sent, received;

    pthread_mutex_t lock;
    struct {
        struct object *runnable, **runnable_last; /* have a step to do */
        struct object *active;                    /* have parts to claim */
        struct object *ready, **ready_last;       /* due, not begun */
        unsigned ready_count;
        unsigned in_motion; /* begun, and not released */
        unsigned ending;    /* of these, the ones whose last word is on its way to the queue */
        unsigned large;     /* of these, the ones that move in parts */
        unsigned due_parts; /* of all active objects */
        unsigned running;   /* workers */
        bool refilling;     /* an offer was asked for */
        bool more_planned;  /* since that offer was asked for */
        bool dry;           /* the last offer was empty, and nothing was planned since */
        bool planned;       /* the planner is done */
        bool parts_next;    /* whose turn it is: an active object's part, or a new object */
        struct width width; /* how many requests may be in flight */
        uint64_t busy_us;   /* of the workers, up to their noted_us */
        bool stopping, over;
        int64_t drain_until_ms; /* stopping: then what is in flight is dropped */
        enum exit_code exit;
        struct error trouble;
        struct progress progress;
    } locked; /* while holding lock */
};

/* ---- engine.c ---- */

/* Wakes the workers that wait for work, now that there is some. */
void engine_wake_locked(struct engine *e);
void engine_check_over_locked(struct engine *e);
void engine_pause(struct engine *e, const struct error *why); /* or EXIT_QUEUE, _INTERRUPTED */
bool engine_is_stopping(struct engine *e); /* then no step is taken any more */
void engine_planned(struct engine *e, uint64_t objects, uint64_t bytes, bool finished);
enum verdict engine_out_of_memory(struct engine *e, struct error *why); /* VERDICT_DROP */
extern const struct error engine_interrupted;

int64_t now_us(void); /* monotonic */
int64_t now_ms(void);

/* ---- gauge.c ---- */

/* A worker's turn begins: sets how many requests it may have in flight, and how long to wait.
 */
void gauge_turn_locked(struct worker *w);
/* It has so many in flight. */
void gauge_note_locked(struct worker *w, unsigned in_flight);
/* Its request begins, has sent or received bytes, ends. */
void gauge_begin(struct slot *s);
void gauge_sent(struct slot *s, uint64_t bytes);
void gauge_received(struct slot *s, uint64_t bytes);
void gauge_end(struct slot *s);

/* ---- motion.c ---- */

/* Takes what the task holds. NULL: out of memory. */
struct object *object_new(struct engine *e, struct task *t);
void object_free_list(struct object *first);

/* Hands the object to any worker, which calls `step`. Any thread. */
void object_ready(struct object *o, step_fn *step);

/* Commits an event, then calls `step` (NULL: the object is released). The caller fills the
 * change before that: object_change() returns it with what is the same for all events. */
struct change *object_change(struct object *o);
void object_commit(struct object *o, enum object_event event, step_fn *step);

/* Makes room for the marks, all due. */
int object_cut(struct object *o);

/* Parts may be claimed from now on. Claiming returns the number of one that is moving then. */
void object_open_parts(struct object *o);
unsigned object_claim_part_locked(struct object *o);

/* Records one part, in a while. etag NULL for downloads. */
int object_record(struct object *o, unsigned number, enum part_state state, const char *etag,
    uint32_t crc32c);

/* A part's end. When it was the last one in flight of an object that has none left or is in
 * trouble, the object goes on with its next step. */
void part_moved(struct slot *s);
void part_failed(struct slot *s, enum verdict verdict, const struct error *why);
void object_part_ended(struct object *o);

/* It moved in one request. */
void object_moved(struct object *o);

/* Why it ends; the first trouble counts. With parts in motion: under the lock. */
void object_set_trouble(struct object *o, enum verdict verdict, const struct error *why);
void object_trouble(struct object *o, enum verdict verdict, const char *text);
const char *object_why(const struct object *o); /* its trouble's text, for a person */

void object_release(struct object *o); /* done, or dropped: only memory goes */

/* ---- slot.c ---- */

/* Sends a request in a slot; `done` is called on this worker's thread. A worker that is told to
 * do a step has a free slot. */
struct slot *slot_take(struct worker *w, struct object *o);
void slot_send(struct slot *s, enum haul_operation operation,
    void (*done)(struct slot *s, const struct haul_result *result));

/* What a request's end means for its object; pauses the run when it means more than that. */
enum verdict slot_judge(struct slot *s, const struct haul_result *result, struct error *why);

/* The same for an errno of the local side. */
enum verdict local_verdict(struct object *o, int cause, struct error *why);

/* ---- upload.c and download.c ---- */

void upload_begin(struct worker *w, struct object *o); /* from whatever state it is in */
void upload_part(struct worker *w, struct object *o, unsigned number);
void upload_begin_parts(struct worker *w, struct object *o);
void upload_parts_over(struct worker *w, struct object *o);

/* upload_abort.c: restart or failure, as o->verdict says. */
void upload_end_badly(struct worker *w, struct object *o);

/* upload_resume.c: what an earlier attempt or process left on the server. Both go on with
 * upload_begin_parts(), the sweep of an object in trouble with upload_end_badly(). */
void upload_list_parts(struct worker *w, struct object *o);
void upload_sweep(struct worker *w, struct object *o);

void download_begin(struct worker *w, struct object *o);
void download_part(struct worker *w, struct object *o, unsigned number);
void download_parts_over(struct worker *w, struct object *o);
void download_settle(
    struct object *o); /* what is there is right: it gets durable, and public */
void download_end_badly(struct worker *w, struct object *o); /* as o->verdict says */
void download_end_with_errno(struct object *o, int cause);

/* verify.c: goes on with download_settle(), or ends it badly. */
void download_verify(struct worker *w, struct object *o);

/* ---- disk.c ---- */

struct disk *disk_start(struct error *err);
void disk_post(struct disk *d, struct disk_job *job);
void disk_stop(struct disk *d); /* finishes what was posted, and joins */

/* ---- planner.c ---- */

/* Reads from the queue how far an earlier process came; then plans the rest on its own thread.
 */
struct planner *planner_new(struct engine *e, struct error *err);
int planner_start(struct planner *p, struct error *err);
void planner_stop(struct planner *p); /* at the next entry; joins and frees */

#endif
