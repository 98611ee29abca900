/* What went wrong in the program, and how the process will end because of it. */
#ifndef ERROR_H
#define ERROR_H

/* The exit codes of the README. */
enum exit_code {
    EXIT_DONE = 0,        /* all done */
    EXIT_SOME_FAILED = 1, /* done, some objects failed */
    EXIT_USAGE = 2,       /* bad usage or manifest: nothing was started */
    EXIT_INTERRUPTED = 3, /* `haul resume` goes on */
    EXIT_QUEUE = 4,       /* the queue can't be used: locked, damaged, disk full */
    EXIT_PAUSED = 5,      /* the endpoint, the credentials or the destination refuse us;
                           * `haul resume` goes on */
};

struct error {
    enum exit_code exit; /* never EXIT_DONE in a filled error */
    char text[1024];     /* one line that names the thing and the next step; no secret */
};

/* Fills *err and returns -1. The text is cut to fit and its control characters become spaces.
 */
int error_set(struct error *err, enum exit_code exit, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The machine gives no more of something: EXIT_QUEUE, and -1. */
int error_exhausted(struct error *err, const char *what);
int error_no_memory(struct error *err);

/* What somebody can do about that errno, to put behind its text: ": make room there". Empty:
 * nothing that we know of. */
const char *error_advice(int cause);

#endif
