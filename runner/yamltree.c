/* The one place for libyaml: turns its events into a tree and refuses what a job file has no
 * need of, with the place of each fault. What the fields mean is left to the manifest. */
#include "yamltree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const char *text; /* borrowed */
    size_t len;
    struct yamltree_fault *fault;
};

__attribute__((format(printf, 4, 5))) static int fail(
    struct yamltree_fault *fault, size_t line, size_t column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault->line = (int) line;
    fault->column = (int) column;
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return -1;
}

static int fail_at(struct reader *r, yaml_mark_t at, const char *text)
{
    return fail(r->fault, at.line + 1, at.column + 1, "%s", text);
}

/* The two bytes at a character's index (libyaml counts characters), the one before it first. */
static void bytes_around(const struct reader *r, size_t index, char around[static 2])
{
    size_t i = 0;
    while (i < r->len && (((unsigned char) r->text[i] & 0xc0) == 0x80 || index-- > 0))
        i++;
    around[0] = i > 0 ? r->text[i - 1] : '\0';
    around[1] = i < r->len ? r->text[i] : '\0';
}

/* What people most likely meant where libyaml stumbles. */
static const char *hint(const char around[static 2])
{
    if (around[1] == '\t')
        return "; that is a tab: indent with spaces";
    if (around[0] == '$' && around[1] == '{')
        return "; inside { } and [ ] write \"${...}\" in quotes";
    if (around[1] != '\0' && strchr("*&!%@`|>", around[1]) != NULL)
        return "; text that begins with such a character needs quotes";
    return "";
}

/* Bytes that libyaml's reader refuses: it knows their offset, not their line. */
static int fail_encoding(struct reader *r)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < r->parser.problem_offset && i < r->len; i++) {
        const bool end = r->text[i] == '\n';
        line += end;
        column = end ? 1 : column + (((unsigned char) r->text[i] & 0xc0) != 0x80);
    }
    if (strstr(r->parser.problem, "control") != NULL)
        return fail(r->fault, line, column,
            "a control character (0x%02x): write it as an escape in double quotes",
            (unsigned) r->parser.problem_value);
    return fail(r->fault, line, column, "not UTF-8: %s", r->parser.problem);
}

static int fail_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    char around[2];

    if (p->error == YAML_MEMORY_ERROR || p->problem == NULL) /* some faults go unnamed */
        return fail(r->fault, 0, 0, "out of memory");
    if (p->error == YAML_READER_ERROR)
        return fail_encoding(r);
    bytes_around(r, p->problem_mark.index, around);
    if (p->context != NULL && strstr(p->context, "scanning a") != NULL) /* alias, anchor, tag */
        bytes_around(r, p->context_mark.index, around);
    return fail(r->fault, p->problem_mark.line + 1, p->problem_mark.column + 1, "%s%s%s%s",
        p->problem, p->context != NULL ? " " : "", p->context != NULL ? p->context : "",
        hint(around));
}

static int next_event(struct reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) ? 0 : fail_syntax(r);
}

static const char *refused(const yaml_event_t *event, int depth)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return "aliases (*x) are not taken; text that begins with * needs quotes";
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
            return "a NUL character";
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    default:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor != NULL)
        return "anchors (&x) are not taken; text that begins with & needs quotes";
    if (tag != NULL)
        return "tags (!x) are not taken; text that begins with ! needs quotes";
    return depth > YAMLTREE_DEPTH_MAX ? "nested more than 16 levels deep" : NULL;
}

static struct yamltree *new_node(struct reader *r, const yaml_event_t *event, int depth)
{
    const char *why = refused(event, depth);
    if (why != NULL) {
        fail_at(r, event->start_mark, why);
        return NULL;
    }
    struct yamltree *node = calloc(1, sizeof *node);
    if (node == NULL)
        goto no_memory;
    node->line = (int) event->start_mark.line + 1;
    node->column = (int) event->start_mark.column + 1;
    node->kind = event->type == YAML_SEQUENCE_START_EVENT  ? YAMLTREE_SEQUENCE
                 : event->type == YAML_MAPPING_START_EVENT ? YAMLTREE_MAPPING
                                                           : YAMLTREE_SCALAR;
    if (node->kind == YAMLTREE_SCALAR) {
        node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        node->text = strdup((const char *) event->data.scalar.value);
        if (node->text == NULL)
            goto no_memory;
    }
    return node;

no_memory:
    yamltree_free(node);
    fail(r->fault, 0, 0, "out of memory");
    return NULL;
}

static int by_text_and_place(const void *a, const void *b)
{
    const struct yamltree *x = *(const struct yamltree *const *) a;
    const struct yamltree *y = *(const struct yamltree *const *) b;
    const int order = strcmp(x->text, y->text);
    if (order != 0)
        return order;
    return x->line != y->line ? x->line - y->line : x->column - y->column;
}

/* Sorts, because a file of 1 MiB has room for 200,000 keys. */
static int check_duplicates(struct reader *r, const struct yamltree *mapping, size_t count)
{
    const struct yamltree **keys = calloc(count + 1, sizeof(*keys));
    int rc = 0;

    if (keys == NULL)
        return fail(r->fault, 0, 0, "out of memory");
    size_t n = 0;
    for (const struct yamltree *key = mapping->first; key != NULL; key = key->next)
        keys[n++] = key;
    qsort(keys, n, sizeof(*keys), by_text_and_place);
    for (size_t i = 1; rc == 0 && i < n; i++)
        if (strcmp(keys[i - 1]->text, keys[i]->text) == 0)
            rc = fail(r->fault, (size_t) keys[i]->line, (size_t) keys[i]->column,
                "the key \"%.60s\" stands here a second time, the first is on line %d",
                keys[i]->text, keys[i - 1]->line);
    free(keys);
    return rc;
}

static int read_children(struct reader *r, struct yamltree *parent, int depth);

/* 1: *out is a node with all that is below it; 0: the end of the collection; -1: a fault. */
static int read_node(struct reader *r, int depth, struct yamltree **out)
{
    yaml_event_t event;
    struct yamltree *node = NULL;
    int rc = 0;

    if (next_event(r, &event) < 0)
        return -1;
    if (event.type != YAML_SEQUENCE_END_EVENT && event.type != YAML_MAPPING_END_EVENT) {
        node = new_node(r, &event, depth);
        rc = node != NULL ? 1 : -1;
    }
    yaml_event_delete(&event);
    if (rc == 1 && node->kind != YAMLTREE_SCALAR && read_children(r, node, depth + 1) < 0) {
        yamltree_free(node);
        return -1;
    }
    *out = node;
    return rc;
}

static int read_children(struct reader *r, struct yamltree *parent, int depth)
{
    const bool mapping = parent->kind == YAMLTREE_MAPPING;
    struct yamltree **last = &parent->first;
    size_t count = 0;
    int rc;

    while ((rc = read_node(r, depth, last)) == 1) {
        struct yamltree *child = *last;
        if (mapping && child->kind != YAMLTREE_SCALAR)
            return fail(r->fault, (size_t) child->line, (size_t) child->column,
                "a key is text, not a list or mapping");
        if (mapping && read_node(r, depth, &child->value) < 0)
            return -1;
        last = &child->next;
        count++;
    }
    return rc == 0 && mapping ? check_duplicates(r, parent, count) : rc;
}

/* The events around the one document. */
static int read_document(struct reader *r, struct yamltree **out)
{
    yaml_event_t event;
    int rc = 0;

    for (bool ended = false; rc == 0 && !ended;) {
        if (next_event(r, &event) < 0)
            return -1;
        ended = event.type == YAML_STREAM_END_EVENT;
        if (ended && *out == NULL)
            rc = fail_at(r, event.start_mark, "there is nothing in it");
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            if (*out != NULL)
                rc = fail_at(r, event.start_mark, "a second document: a job is one");
            else if (event.data.document_start.tag_directives.start !=
                     event.data.document_start.tag_directives.end)
                rc = fail_at(r, event.start_mark, "tags are not taken");
            else
                rc = read_node(r, 1, out) == 1 ? 0 : -1;
        }
        yaml_event_delete(&event);
    }
    return rc;
}

struct yamltree *yamltree_parse(const char *text, size_t len, struct yamltree_fault *fault)
{
    const size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    struct reader r = { .text = text + mark, .len = len - mark, .fault = fault };
    struct yamltree *root = NULL;

    if (!yaml_parser_initialize(&r.parser)) {
        fail(fault, 0, 0, "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *) r.text, r.len);
    if (read_document(&r, &root) < 0) {
        yamltree_free(root);
        root = NULL;
    }
    yaml_parser_delete(&r.parser);
    return root;
}

/* Up to `size` bytes, also of a pipe. */
static ssize_t read_up_to(int fd, char *data, size_t size)
{
    size_t len = 0;
    ssize_t got;
    do {
        got = read(fd, data + len, size - len);
        len += got > 0 ? (size_t) got : 0;
    } while ((got > 0 && len < size) || (got < 0 && errno == EINTR));
    return got < 0 ? -1 : (ssize_t) len;
}

struct yamltree *yamltree_read(const char *path, size_t limit, struct yamltree_fault *fault)
{
    struct yamltree *root = NULL;
    char *text = malloc(limit + 1);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = -1;

    if (text == NULL)
        errno = ENOMEM;
    else if (fd >= 0)
        len = read_up_to(fd, text, limit + 1);
    if (len < 0)
        fail(fault, 0, 0, "%s", strerror(errno));
    else if ((size_t) len > limit)
        fail(fault, 1, 1, "the file is longer than %zu bytes, a job file is not", limit);
    else
        root = yamltree_parse(text, (size_t) len, fault);
    if (fd >= 0)
        close(fd);
    free(text);
    return root;
}

const struct yamltree *yamltree_get(const struct yamltree *mapping, const char *key)
{
    for (const struct yamltree *k = mapping->first; k != NULL; k = k->next)
        if (strcmp(k->text, key) == 0)
            return k->value;
    return NULL;
}

bool yamltree_is_null(const struct yamltree *node)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (node->kind == YAMLTREE_SCALAR && !node->quoted && strcmp(node->text, nulls[i]) == 0)
            return true;
    return false;
}

/* The depth is bounded, the length of a list is not: so only the depth recurses. */
void yamltree_free(struct yamltree *node)
{
    while (node != NULL) {
        struct yamltree *next = node->next;
        yamltree_free(node->first);
        yamltree_free(node->value);
        free(node->text);
        free(node);
        node = next;
    }
}
