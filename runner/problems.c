/* Keeps faults and words them. What a fault is, is left to those who find it. */
#include "problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

struct kept_problem {
    int line, column;
    size_t order; /* of finding: two of one place stay in it */
    char *text;   /* owned */
};

void problems_add(struct problems *p, int line, int column, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    if (p->count++ >= PROBLEMS_KEPT_MAX)
        return;
    struct kept_problem *more = realloc(p->kept, (p->kept_count + 1) * sizeof(*more));
    if (more != NULL)
        p->kept = more;
    va_start(args, format);
    if (more == NULL || vasprintf(&text, format, args) < 0)
        p->no_memory = true;
    else
        p->kept[p->kept_count++] = (struct kept_problem){ line, column, p->count, text };
    va_end(args);
}

static int by_place(const void *a, const void *b)
{
    const struct kept_problem *x = a, *y = b;
    if (x->line != y->line)
        return x->line - y->line;
    if (x->column != y->column)
        return x->column - y->column;
    return x->order < y->order ? -1 : 1;
}

void problems_report(struct problems *p, const char *file, problem_fn *report, void *payload)
{
    if (p->kept_count > 0)
        qsort(p->kept, p->kept_count, sizeof(*p->kept), by_place);
    for (size_t i = 0; i < p->kept_count; i++)
        report(payload,
            &(struct problem){ file, p->kept[i].line, p->kept[i].column, p->kept[i].text });
}

void problems_free(struct problems *p)
{
    for (size_t i = 0; i < p->kept_count; i++)
        free(p->kept[i].text);
    free(p->kept);
    *p = (struct problems){ 0 };
}

struct quoted problems_quote(const char *text)
{
    struct quoted q = { "\"" };
    size_t len = 1;

    for (uint32_t c; *text != '\0';) {
        const unsigned n = utf8_decode(text, &c);
        const bool plain = n > 0 && c >= 0x20 && (c < 0x7f || c >= 0xa0);
        if (len + 4 + sizeof "...\"" > sizeof q.text) {
            len += (size_t) snprintf(q.text + len, sizeof q.text - len, "...");
            break;
        }
        len +=
            (size_t) (plain ? snprintf(q.text + len, sizeof q.text - len, "%.*s", (int) n, text)
                            : snprintf(q.text + len, sizeof q.text - len, "\\x%02x",
                                  (unsigned char) *text));
        text += plain ? n : 1;
    }
    snprintf(q.text + len, sizeof q.text - len, "\"");
    return q;
}

/* How many characters must be put in, taken out or replaced; for short words. */
#define NEAREST_WORD_MAX 32
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NEAREST_WORD_MAX + 1];
    const size_t len = strlen(b);

    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= len; j++) {
            unsigned least = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (diagonal + 1 < least)
                least = diagonal + 1;
            if (row[j - 1] + 1 < least)
                least = row[j - 1] + 1;
            row[j] = least;
        }
    }
    return row[len];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
    const size_t len = strlen(n->word);
    if (len > NEAREST_WORD_MAX || strlen(candidate) > NEAREST_WORD_MAX)
        return;
    const unsigned d = distance(n->word, candidate);
    if (d <= 1 + len / 4 && d < len && (n->found == NULL || d < n->distance)) {
        n->found = candidate;
        n->distance = d;
    }
}
