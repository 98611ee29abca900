/* How far a transfer is: see progress.h. */
#include "progress.h"

#include "loop.h"

#define PAUSE_MS 50

struct progress progress_begin(const struct haul_parallel_options *o, uint64_t total)
{
    return (struct progress){
        .tell = o->progress, .payload = o->payload, .total = total, .told_ms = loop_now_ms()
    };
}

int progress_tell(struct progress *p, uint64_t done, struct haul_error *err)
{
    int64_t now_ms = loop_now_ms();
    bool due = done == p->total || (done != p->done && now_ms - p->told_ms >= PAUSE_MS);
    if (p->tell == NULL || !due)
        return 0;
    p->done = done;
    p->told_ms = now_ms;
    if (p->tell(p->payload, done, p->total) != 0)
        return haul_error_set(err, HAUL_CANCELLED, "cancelled by the progress function");
    return 0;
}
