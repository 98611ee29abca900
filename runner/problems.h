/* The faults that are found in a file, kept until they can be told in the file's order; and the
 * phrases that their texts are made of. One thread. */
#ifndef PROBLEMS_H
#define PROBLEMS_H

#include "manifest.h"

#define PROBLEMS_KEPT_MAX 100 /* more are counted only */

struct problems {
    struct kept_problem *kept; /* owned: problems_free() */
    size_t kept_count;
    size_t count;
    bool no_memory; /* something was lost: say that, and nothing else */
};

void problems_add(struct problems *p, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Calls report for each that was kept. */
void problems_report(struct problems *p, const char *file, problem_fn *report, void *payload);

void problems_free(struct problems *p);

/* "text" in quotes, for a line of a message: control characters as \xNN, and cut when long. */
struct quoted {
    char text[104];
};
struct quoted problems_quote(const char *text);

/* Which of the candidates did the writer of `word` mean? Begin with { .word = word }, offer
 * each; found is NULL when none is close. */
struct nearest {
    const char *word, *found;
    unsigned distance;
};
void nearest_offer(struct nearest *n, const char *candidate);

#endif
