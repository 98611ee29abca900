/* JSON by libyaml's events, kept as a flat list of paths and texts: see jsonread.h. Of YAML
 * only what JSON writes in the same way is taken: quoted names and texts, numbers, true, false,
 * null.
 */
#include "jsonread.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "hash.h"
#include "rows.h"

#define DEPTH_MAX 8
#define PATH_SIZE 256 /* a member with a longer path is not kept */

struct member {
    char *path; /* owned */
    char *text; /* owned; NULL: null, an object, a list */
};

struct json {
    struct member *members; /* owned */
    size_t count, room;
};

struct reader {
    yaml_parser_t parser;
    struct json *json;
    bool no_memory;
};

/* What YAML would take, and change: a line's end or a tab inside a text, its own escapes; and
 * comments. */
static bool is_plain_json(const char *text, size_t len)
{
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        if (in_string && c == '\\') {
            if (++i == len || text[i] == '\0' || strchr("\"\\/bfnrtu", text[i]) == NULL)
                return false;
        } else if (in_string ? (unsigned char) c < ' ' : c == '#') {
            return false;
        } else if (c == '"') {
            in_string = !in_string;
        }
    }
    return true;
}

/* ---- Events ---- */

static int next_event(struct reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e))
        return 0;
    r->no_memory = r->parser.error == YAML_MEMORY_ERROR || r->parser.problem == NULL;
    return -1;
}

static void drop(yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        wipe(e->data.scalar.value, e->data.scalar.length);
    yaml_event_delete(e);
}

/* Reads an event of that type, which says nothing more. */
static int expect(struct reader *r, yaml_event_type_t type)
{
    yaml_event_t e;
    if (next_event(r, &e) < 0)
        return -1;
    bool fits = e.type == type;
    drop(&e);
    return fits ? 0 : -1;
}

/* A text without NULs, as JSON quotes it. */
static bool is_string(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT &&
           e->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE &&
           e->data.scalar.anchor == NULL && e->data.scalar.tag == NULL &&
           memchr(e->data.scalar.value, '\0', e->data.scalar.length) == NULL;
}

static bool is_null(const yaml_event_t *e)
{
    return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           strcmp((const char *) e->data.scalar.value, "null") == 0;
}

/* null, true, false, a number. */
static bool is_literal(const yaml_event_t *e)
{
    const char *text = (const char *) e->data.scalar.value;
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || e->data.scalar.anchor != NULL ||
        e->data.scalar.tag != NULL)
        return false;
    return is_null(e) || strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ||
           (*text != '\0' && text[strspn(text, "+-.0123456789Ee")] == '\0');
}

/* ---- Members ---- */

/* path NULL: nobody can ask for it. text NULL: it has none. */
static int keep(struct reader *r, const char *path, const char *text)
{
    struct json *j = r->json;
    if (path == NULL)
        return 0;
    if (j->count == j->room) {
        size_t room = j->room ? 2 * j->room : 16;
        struct member *more = realloc(j->members, room * sizeof *more);
        if (more == NULL)
            goto no_memory;
        j->members = more;
        j->room = room;
    }
    struct member *m = &j->members[j->count];
    *m = (struct member){ strdup(path), text ? strdup(text) : NULL };
    j->count++;
    if (m->path != NULL && (text == NULL || m->text != NULL))
        return 0;
no_memory:
    r->no_memory = true;
    return -1;
}

static int read_value(
    struct reader *r, const yaml_event_t *e, const char *path, unsigned depth);

/* What is in a list is checked, not kept. */
static int read_list(struct reader *r, unsigned depth)
{
    yaml_event_t e;
    while (next_event(r, &e) == 0) {
        bool end = e.type == YAML_SEQUENCE_END_EVENT;
        int rc = end ? 0 : read_value(r, &e, NULL, depth);
        drop(&e);
        if (end || rc < 0)
            return rc;
    }
    return -1;
}

/* One name and its value. */
static int read_member(
    struct reader *r, const yaml_event_t *name, const char *parent, unsigned depth)
{
    char path[PATH_SIZE];
    yaml_event_t e;
    if (!is_string(name))
        return -1;
    int len = snprintf(path, sizeof path, "%s%s%s", parent ? parent : "",
        parent && *parent ? "." : "", (const char *) name->data.scalar.value);
    if (next_event(r, &e) < 0)
        return -1;
    bool fits = parent != NULL && len < (int) sizeof path;
    int rc = read_value(r, &e, fits ? path : NULL, depth);
    drop(&e);
    return rc;
}

static int read_object(struct reader *r, const char *path, unsigned depth)
{
    yaml_event_t e;
    while (next_event(r, &e) == 0) {
        bool end = e.type == YAML_MAPPING_END_EVENT;
        int rc = end ? 0 : read_member(r, &e, path, depth);
        drop(&e);
        if (end || rc < 0)
            return rc;
    }
    return -1;
}

/* A value that has begun with that event. */
static int read_value(struct reader *r, const yaml_event_t *e, const char *path, unsigned depth)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        if (!is_string(e) && !is_literal(e))
            return -1;
        return keep(r, path, is_null(e) ? NULL : (const char *) e->data.scalar.value);
    case YAML_MAPPING_START_EVENT:
        if (depth == DEPTH_MAX || e->data.mapping_start.anchor != NULL ||
            e->data.mapping_start.tag != NULL)
            return -1;
        return keep(r, path, NULL) < 0 ? -1 : read_object(r, path, depth + 1);
    case YAML_SEQUENCE_START_EVENT:
        if (depth == DEPTH_MAX || e->data.sequence_start.anchor != NULL ||
            e->data.sequence_start.tag != NULL)
            return -1;
        return keep(r, path, NULL) < 0 ? -1 : read_list(r, depth + 1);
    default:
        return -1; /* an alias */
    }
}

static int read_document(struct reader *r)
{
    yaml_event_t root;
    if (expect(r, YAML_STREAM_START_EVENT) < 0 || expect(r, YAML_DOCUMENT_START_EVENT) < 0 ||
        next_event(r, &root) < 0)
        return -1;
    int rc = root.type == YAML_MAPPING_START_EVENT ? read_value(r, &root, "", 0) : -1;
    drop(&root);
    return rc < 0 || expect(r, YAML_DOCUMENT_END_EVENT) < 0 ||
                   expect(r, YAML_STREAM_END_EVENT) < 0
               ? -1
               : 0;
}

/* libyaml has copied all of the text, and may hold pieces that no event has brought us. */
static void delete_parser(yaml_parser_t *p)
{
    for (yaml_token_t *t = p->tokens.head; t != p->tokens.tail; t++)
        if (t->type == YAML_SCALAR_TOKEN)
            wipe(t->data.scalar.value, t->data.scalar.length);
    wipe(p->raw_buffer.start, (size_t) (p->raw_buffer.end - p->raw_buffer.start));
    wipe(p->buffer.start, (size_t) (p->buffer.end - p->buffer.start));
    yaml_parser_delete(p);
}

struct json *json_parse(const char *what, const char *text, size_t len, struct haul_error *err)
{
    struct reader r = { .json = calloc(1, sizeof *r.json) };
    size_t space = 0;
    int rc = -1;
    while (space < len && text[space] != '\0' && strchr(" \t\r\n", text[space]) != NULL)
        space++;
    if (r.json == NULL || !yaml_parser_initialize(&r.parser)) {
        free(r.json);
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
        return NULL;
    }
    if (space < len && text[space] == '{' && is_plain_json(text, len)) {
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(
            &r.parser, (const unsigned char *) text + space, len - space);
        rc = read_document(&r);
    }
    delete_parser(&r.parser);
    if (rc == 0)
        return r.json;
    json_free(r.json);
    if (r.no_memory)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory");
    else
        haul_error_set(err, HAUL_BAD_REPLY, "%s is no JSON object", what);
    return NULL;
}

void json_free(struct json *j)
{
    if (j == NULL)
        return;
    for (size_t i = 0; i < j->count; i++) {
        wipe_text(j->members[i].text);
        free(j->members[i].path);
    }
    free(j->members);
    free(j);
}

const char *json_text(const struct json *j, const char *path)
{
    for (size_t i = j->count; i-- > 0;) /* of duplicates the last */
        if (strcmp(j->members[i].path, path) == 0)
            return j->members[i].text;
    return NULL;
}

/* "Z", "UTC", "+01:00", "-0130" → minutes ahead of UTC; false: none of them. */
static bool read_zone(const char *text, int *minutes)
{
    int hours, rest, end = 0;
    *minutes = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "UTC") == 0)
        return true;
    if ((*text != '+' && *text != '-') ||
        (sscanf(text + 1, "%2d:%2d%n", &hours, &rest, &end) != 2 &&
            sscanf(text + 1, "%2d%2d%n", &hours, &rest, &end) != 2) ||
        text[1 + end] != '\0' || hours < 0 || hours > 14 || rest < 0 || rest > 59)
        return false;
    *minutes = (*text == '-' ? -1 : 1) * (hours * 60 + rest);
    return true;
}

int64_t json_time_ms(const char *text)
{
    char utc[40];
    int minutes;
    size_t len = strcspn(text, "T");
    len += strspn(text + len, "T:.0123456789"); /* up to the zone */
    if (!read_zone(text + len, &minutes) ||
        snprintf(utc, sizeof utc, "%.*sZ", (int) len, text) >= (int) sizeof utc)
        return -1;
    int64_t ms = rows_time_ms(utc), ahead_ms = minutes * (int64_t) 60000;
    return ms < 0 || ms < ahead_ms ? -1 : ms - ahead_ms;
}
