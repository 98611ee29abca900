/* Parsing, counting and matching of fault lines, and the gates. What a fault does to a request
 * is exchange.c's business. */
#include "faults.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST_US 100000 /* of what `over` lets pass */

enum kind { FLAG, NUMBER, WORD };

/* One row an action. */
static const struct action {
    const char *name;
    enum kind kind;
    size_t offset;
    int64_t standard; /* a NUMBER given without "=": FAULT_UNSET asks for one */
    bool qualifies;   /* says more about another action, does nothing alone */
} actions[] = {
#define ROW(name, kind, field, standard, qualifies)                                            \
    {                                                                                          \
        name, kind, offsetof(struct play, field), standard, qualifies                          \
    }
    ROW("status", NUMBER, status, FAULT_UNSET, false),
    ROW("status-after", NUMBER, status_after, FAULT_UNSET, false),
    ROW("code", WORD, code, 0, true),
    ROW("retry-after", NUMBER, retry_after, FAULT_UNSET, true),
    ROW("html", FLAG, html, 0, true),
    ROW("early", FLAG, early, 0, true),
    ROW("drop-before", FLAG, drop_before, 0, false),
    ROW("drop-after", FLAG, drop_after, 0, false),
    ROW("reset-mid-body", NUMBER, reset_mid_body, FAULT_UNSET, false),
    ROW("truncate", NUMBER, truncate, FAULT_UNSET, false),
    ROW("delay-ms", NUMBER, delay_ms, FAULT_UNSET, false),
    ROW("trickle", NUMBER, trickle, FAULT_UNSET, false),
    ROW("error-200", WORD, error_200, 0, false),
    ROW("error-200-after", WORD, error_200_after, 0, false),
    ROW("empty-200", FLAG, empty_200, 0, false),
    ROW("empty-200-after", FLAG, empty_200_after, 0, false),
    ROW("no-etag", FLAG, no_etag, 0, false),
    ROW("etag", WORD, etag, 0, false),
    ROW("no-upload-id", FLAG, no_upload_id, 0, false),
    ROW("content-range", WORD, content_range, 0, false),
    ROW("header", WORD, header, 0, false),
    ROW("ignore-range", FLAG, ignore_range, 0, false),
    ROW("extra-bytes", NUMBER, extra_bytes, 16, false),
    ROW("replace-object", FLAG, replace_object, 0, false),
    ROW("duplicate", FLAG, duplicate, 0, false),
    ROW("duplicate-after", FLAG, duplicate_after, 0, false),
    ROW("wrong-checksum", FLAG, wrong_checksum, 0, false),
    ROW("flip-bit", NUMBER, flip_bit, 0, false),
    ROW("skew-s", NUMBER, skew_s, FAULT_UNSET, false),
    ROW("deny-key", WORD, deny_key, 0, false),
    ROW("gate", WORD, gate, 0, false),
    ROW("gate-after", WORD, gate_after, 0, false),
#undef ROW
};

enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };
enum when { NEVER, NTH, EVERY, ALWAYS, CHANCE, OVER };

struct fault {
    struct fault *next;
    char line[FAULT_TEXT_MAX], op[32];
    char token[FAULT_WORD_MAX]; /* "": any, or none */
    struct text key, bucket;    /* owned; empty: any */
    int64_t part;               /* 0: any */
    int64_t range;              /* where the request's begins; -1: anywhere, or nowhere */
    enum when when;
    int64_t number;              /* CHANCE: of a million */
    int64_t seed;                /* CHANCE */
    int64_t free_us;             /* OVER: when the line is free again */
    int64_t count, seen, played; /* count 0: no limit */
    struct play play;
};

struct gate {
    struct gate *next;
    char name[FAULT_WORD_MAX];
    bool open;
    unsigned waiting;
};

struct faults {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        struct fault *first;
        struct gate *gates;
        bool stopping;
    } locked;
};

static int64_t *number_in(struct play *p, const struct action *a)
{
    return (int64_t *) ((char *) p + a->offset);
}

static char *word_in(struct play *p, const struct action *a)
{
    return (char *) p + a->offset;
}

static bool *flag_in(struct play *p, const struct action *a)
{
    return (bool *) ((char *) p + a->offset);
}

static void play_init(struct play *p)
{
    memset(p, 0, sizeof *p);
    for (int i = 0; i < ACTION_COUNT; i++)
        if (actions[i].kind == NUMBER)
            *number_in(p, &actions[i]) = FAULT_UNSET;
}

static void play_merge(struct play *into, struct play *from)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        const struct action *a = &actions[i];
        switch (a->kind) {
        case FLAG:
            *flag_in(into, a) |= *flag_in(from, a);
            break;
        case NUMBER:
            if (*number_in(from, a) != FAULT_UNSET)
                *number_in(into, a) = *number_in(from, a);
            break;
        case WORD:
            if (*word_in(from, a) != '\0')
                memcpy(word_in(into, a), word_in(from, a), FAULT_WORD_MAX);
            break;
        }
    }
}

void play_free(struct play *p)
{
    text_free(&p->lines);
}

static void free_faults(struct fault *f)
{
    for (struct fault *next; f != NULL; f = next) {
        next = f->next;
        text_free(&f->key);
        text_free(&f->bucket);
        free(f);
    }
}

static int parse_number(const char *value, int64_t *out)
{
    char *end = NULL;
    *out = value != NULL ? strtoll(value, &end, 10) : 0;
    return value != NULL && end != value && *end == '\0' ? 0 : -1;
}

/* A word that says which requests and when. 1: it did; 0: it is no such word; -1: a bad value.
 */
static int parse_condition(struct fault *f, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *number, least;
        enum when when;
    } conditions[] = {
        { "part", &f->part, 1, NEVER },
        { "range", &f->range, 0, NEVER },
        { "nth", &f->number, 1, NTH },
        { "every", &f->number, 1, EVERY },
        { "over", &f->number, 1, OVER },
        { "seed", &f->seed, 0, NEVER },
        { "count", &f->count, 1, NEVER },
    };
    char *end = NULL;
    if (strcmp(name, "always") == 0) {
        f->when = ALWAYS;
        return value == NULL ? 1 : -1;
    }
    if (strcmp(name, "chance") == 0) {
        double percent = value != NULL ? strtod(value, &end) : 0;
        f->when = CHANCE;
        f->number = (int64_t) (percent * 10000);
        return percent > 0 && percent <= 100 && strcmp(end, "%") == 0 ? 1 : -1;
    }
    struct text *text = strcmp(name, "key") == 0      ? &f->key
                        : strcmp(name, "bucket") == 0 ? &f->bucket
                                                      : NULL;
    if (text != NULL) {
        text_add_unpercent(
            text, value != NULL ? value : "", value != NULL ? strlen(value) : 0, false);
        return text->len > 0 ? 1 : -1;
    }
    if (strcmp(name, "token") == 0) {
        snprintf(f->token, sizeof f->token, "%s", value != NULL ? value : "");
        return f->token[0] != '\0' ? 1 : -1;
    }
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        if (strcmp(name, conditions[i].name) != 0)
            continue;
        if (conditions[i].when != NEVER)
            f->when = conditions[i].when;
        return parse_number(value, conditions[i].number) == 0 &&
                       *conditions[i].number >= conditions[i].least
                   ? 1
                   : -1;
    }
    return 0;
}

/* As parse_condition(). *acts becomes true unless the word only qualifies another. */
static int parse_action(struct play *p, const char *name, const char *value, bool *acts)
{
    const struct action *a = NULL;
    for (int i = 0; i < ACTION_COUNT && a == NULL; i++)
        a = strcmp(actions[i].name, name) == 0 ? &actions[i] : NULL;
    if (a == NULL)
        return 0;
    *acts |= !a->qualifies;
    switch (a->kind) {
    case FLAG:
        *flag_in(p, a) = true;
        return value == NULL ? 1 : -1;
    case NUMBER:
        *number_in(p, a) = a->standard;
        if (value == NULL)
            return a->standard != FAULT_UNSET ? 1 : -1;
        return parse_number(value, number_in(p, a)) == 0 ? 1 : -1;
    case WORD:
        if (value == NULL || *value == '\0' || strlen(value) >= FAULT_WORD_MAX)
            return -1;
        strcpy(word_in(p, a), value);
        return 1;
    }
    return 0;
}

/* Fills the complaint if the line is wrong. */
static void parse_line(
    struct fault *f, char *line, bool (*is_operation)(const char *name), struct text *complaint)
{
    char *save = NULL, *op = strtok_r(line, " \t\r", &save);
    bool acts = false;
    snprintf(f->op, sizeof f->op, "%s", op);
    if (strcmp(op, "*") != 0 && !is_operation(op)) {
        text_addf(complaint, "\"%s\" is no operation", op);
        return;
    }
    for (char *word; (word = strtok_r(NULL, " \t\r", &save)) != NULL;) {
        char *value = strchr(word, '=');
        if (value != NULL)
            *value++ = '\0';
        /* The one value with a blank in it: "bytes 0-4/9". */
        if (strcmp(word, "content-range") == 0 && value != NULL &&
            strcmp(value, "bytes") == 0 && *save != '\0') {
            value[5] = ' ';
            strtok_r(NULL, " \t\r", &save);
        }
        int rc = parse_condition(f, word, value);
        if (rc == 0)
            rc = parse_action(&f->play, word, value, &acts);
        if (rc != 1) {
            text_addf(
                complaint, rc == 0 ? "unknown word \"%s\"" : "bad value for \"%s\"", word);
            return;
        }
    }
    if (f->when == NEVER)
        text_puts(complaint, "say when: nth=K, every=K, chance=P%, over=N or always");
    else if (!acts)
        text_puts(complaint, "say what happens: status=503, drop-before, gate=NAME, ...");
}

static struct gate *gate_locked(struct faults *f, const char *name)
{
    struct gate *g = f->locked.gates;
    while (g != NULL && strcmp(g->name, name) != 0)
        g = g->next;
    if (g == NULL) {
        g = calloc(1, sizeof *g);
        if (g == NULL)
            abort();
        snprintf(g->name, sizeof g->name, "%s", name);
        g->next = f->locked.gates;
        f->locked.gates = g;
    }
    return g;
}

struct faults *faults_new(void)
{
    struct faults *f = calloc(1, sizeof *f);
    if (f == NULL)
        abort();
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    return f;
}

void faults_free(struct faults *f)
{
    if (f == NULL)
        return;
    faults_clear(f);
    for (struct gate *g = f->locked.gates, *next; g != NULL; g = next) {
        next = g->next;
        free(g);
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

int faults_add(struct faults *f, const char *lines, bool (*is_operation)(const char *name),
    struct text *complaint)
{
    struct fault *first = NULL, **last = &first;
    unsigned number = 1;
    for (const char *at = lines; *at != '\0' && complaint->len == 0; number++) {
        char line[FAULT_TEXT_MAX];
        size_t len = strcspn(at, "\n");
        size_t blank = strspn(at, " \t\r");
        snprintf(line, sizeof line, "%.*s", (int) (len < sizeof line ? len : sizeof line), at);
        at += len + (at[len] == '\n');
        if (blank >= len || line[blank] == '#')
            continue;
        struct fault *one = calloc(1, sizeof *one);
        if (one == NULL)
            abort();
        *last = one;
        last = &one->next;
        play_init(&one->play);
        one->range = -1;
        memcpy(one->line, line, sizeof line);
        struct text why = { 0 };
        if (len >= sizeof line)
            text_puts(&why, "too long");
        else
            parse_line(one, line, is_operation, &why);
        if (why.len > 0)
            text_addf(complaint, "line %u: %s", number, why.at);
        text_free(&why);
    }
    if (complaint->len > 0) {
        free_faults(first);
        return -1;
    }
    pthread_mutex_lock(&f->lock);
    for (struct fault *one = first; one != NULL; one = one->next) {
        gate_locked(f, one->play.gate)->open = false;
        gate_locked(f, one->play.gate_after)->open = false;
    }
    struct fault **end = &f->locked.first;
    while (*end != NULL)
        end = &(*end)->next;
    *end = first;
    pthread_mutex_unlock(&f->lock);
    return 0;
}

void faults_clear(struct faults *f)
{
    pthread_mutex_lock(&f->lock);
    free_faults(f->locked.first);
    f->locked.first = NULL;
    for (struct gate *g = f->locked.gates; g != NULL; g = g->next)
        g->open = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static bool fits(const struct fault *f, const struct subject *s)
{
    const struct text *key = s->key;
    return (strcmp(f->op, "*") == 0 || strcmp(f->op, s->op) == 0) &&
           (f->part == 0 || f->part == s->part) && (f->range < 0 || f->range == s->range) &&
           (f->token[0] == '\0' || (s->token != NULL && strcmp(f->token, s->token) == 0)) &&
           (f->bucket.len == 0 || text_compare(&f->bucket, s->bucket) == 0) &&
           (f->key.len == 0 ||
               (key->len > 0 && memmem(key->at, key->len, f->key.at, f->key.len) != NULL));
}

/* splitmix64: the same draws in the same order, wherever it runs. */
static bool is_drawn(const struct fault *f)
{
    uint64_t z = ((uint64_t) f->seed + 1) * 0xd1342543de82ef95u +
                 (uint64_t) f->seen * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (int64_t) ((z ^ (z >> 31)) % 1000000) < f->number;
}

static bool is_over(struct fault *f)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t now_us = (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
    if (f->free_us > now_us + BURST_US)
        return true;
    f->free_us = (f->free_us > now_us ? f->free_us : now_us) + 1000000 / f->number;
    return false;
}

static bool strikes(struct fault *f)
{
    switch (f->when) {
    case NTH:
        return f->seen == f->number;
    case EVERY:
        return f->seen % f->number == 0;
    case ALWAYS:
        return true;
    case CHANCE:
        return is_drawn(f);
    case OVER:
        return is_over(f);
    case NEVER:
        break;
    }
    return false;
}

void faults_match(struct faults *f, const struct subject *s, struct play *out)
{
    play_init(out);
    pthread_mutex_lock(&f->lock);
    for (struct fault *one = f->locked.first; one != NULL; one = one->next) {
        if (!fits(one, s))
            continue;
        one->seen++;
        if (!strikes(one) || (one->count > 0 && one->played >= one->count))
            continue;
        one->played++;
        play_merge(out, &one->play);
        text_addf(&out->lines, "%s%s", out->lines.len > 0 ? "; " : "", one->line);
    }
    pthread_mutex_unlock(&f->lock);
}

void faults_hold(struct faults *f, const char *gate)
{
    pthread_mutex_lock(&f->lock);
    struct gate *g = gate_locked(f, gate);
    g->waiting++;
    pthread_cond_broadcast(&f->changed);
    while (!g->open && !f->locked.stopping)
        pthread_cond_wait(&f->changed, &f->lock);
    g->waiting--;
    pthread_mutex_unlock(&f->lock);
}

void faults_open(struct faults *f, const char *gate)
{
    pthread_mutex_lock(&f->lock);
    gate_locked(f, gate)->open = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

void faults_wait(struct faults *f, const char *gate, unsigned count)
{
    pthread_mutex_lock(&f->lock);
    const struct gate *g = gate_locked(f, gate);
    while (g->waiting < count && !f->locked.stopping)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

void faults_stop(struct faults *f)
{
    pthread_mutex_lock(&f->lock);
    f->locked.stopping = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}
