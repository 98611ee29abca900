/* AWS's shared files: see ini.h. Sections and settings are told apart here; what they mean is
 * the matter of profile.c. The texts of errors never quote a line: it may hold a secret. */
#include "ini.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "descriptor.h"
#include "hash.h"

#define FILE_BYTES_MAX (16 * 1024 * 1024)

/* A setting, nested or not, or with key NULL the head of a section. All of it points into the
 * text. */
struct line {
    const char *section, *parent, *key, *value; /* parent NULL: not nested */
};

struct ini {
    char *text; /* owned; cut into strings */
    size_t len;
    struct line *lines; /* owned */
    size_t count;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    while (is_blank(*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && (is_blank(end[-1]) || end[-1] == '\r'))
        *--end = '\0';
    return text;
}

/* Cuts a comment off: # or ; after a blank, but not in quotes, where a credential_process may
 * have them. */
static void cut_comment(char *text)
{
    for (char *c = text, *end; *c != '\0'; c++) {
        if ((*c == '"' || *c == '\'') && (end = strchr(c + 1, *c)) != NULL) {
            c = end;
        } else if ((*c == '#' || *c == ';') && (c == text || is_blank(c[-1]))) {
            *c = '\0';
            return;
        }
    }
}

/* "profile   "x"" becomes "profile x", in place. */
static char *canonical(char *section)
{
    char *end = section + strcspn(section, " \t");
    if (*end == '\0')
        return section;
    char *name = trim(end + 1);
    size_t len = strlen(name);
    if (len >= 2 && (*name == '"' || *name == '\'') && name[len - 1] == *name) {
        name++;
        len -= 2;
    }
    *end = ' ';
    memmove(end + 1, name, len);
    end[1 + len] = '\0';
    return section;
}

/* One line that is not empty. Returns false when it is nothing that we know. */
static bool read_line(struct line *line, char *text)
{
    char *end;
    if (*text == '[' && (end = strchr(text, ']')) != NULL) {
        char *rest = trim(end + 1);
        *end = '\0';
        line->section = canonical(trim(text + 1));
        return *line->section != '\0' && (*rest == '\0' || *rest == '#' || *rest == ';');
    }
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || line->section == NULL)
        return false;
    *equals = '\0';
    cut_comment(equals + 1);
    line->key = trim(text);
    line->value = trim(equals + 1);
    return true;
}

static size_t count_lines(const char *text)
{
    size_t n = 1;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

/* A line indented more deeply than the setting above belongs to that one: a nested setting when
 * that has no value, else more of its value, which nobody here needs. */
static int read_lines(struct ini *i, const char *path, struct haul_error *err)
{
    struct line above = { .section = NULL };
    size_t number = 0, depth_above = SIZE_MAX;
    char *next = i->text;
    if (strncmp(next, "\xEF\xBB\xBF", 3) == 0)
        next += 3;
    while (next != NULL) {
        char *start = strsep(&next, "\n");
        char *text = trim(start);
        size_t depth = (size_t) (text - start);
        bool is_nested = depth > depth_above;
        number++;
        if (*text == '\0' || *text == '#' || *text == ';')
            continue;
        struct line line = { .section = above.section };
        bool is_known = (!is_nested || *above.value == '\0') && read_line(&line, text);
        if (is_nested && (!is_known || line.key == NULL))
            continue;
        if (!is_known)
            return haul_error_set(err, HAUL_BAD_CONFIG,
                "%s:%zu: expected a [section], a setting (name = value) or a comment", path,
                number);
        if (is_nested) {
            line.parent = above.key;
        } else {
            above = line;
            depth_above = line.key == NULL ? SIZE_MAX : depth;
        }
        i->lines[i->count++] = line;
    }
    return 0;
}

struct ini *ini_parse(const char *name, char *text, size_t len, struct haul_error *err)
{
    struct ini *i = calloc(1, sizeof *i);
    if (i == NULL) {
        wipe(text, len);
        free(text);
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for %s", name);
        return NULL;
    }
    *i = (struct ini){ .text = text, .len = len };
    text[len] = '\0';
    if (len > FILE_BYTES_MAX)
        haul_error_set(err, HAUL_BAD_CONFIG, "%s is over %d bytes", name, FILE_BYTES_MAX);
    else if (memchr(text, '\0', len) != NULL)
        haul_error_set(err, HAUL_BAD_CONFIG, "%s is not a text file", name);
    else if ((i->lines = calloc(count_lines(text), sizeof *i->lines)) == NULL)
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for %s", name);
    else if (read_lines(i, name, err) == 0)
        return i;
    ini_free(i);
    return NULL;
}

struct ini *ini_read(const char *path, struct haul_error *err)
{
    char *text = malloc(FILE_BYTES_MAX + 2);
    if (text == NULL) {
        haul_error_set(err, HAUL_NO_MEMORY, "out of memory for %s", path);
        return NULL;
    }
    ssize_t len = descriptor_read_file(path, text, FILE_BYTES_MAX + 1);
    if (len < 0 && (errno == ENOENT || errno == ENOTDIR))
        len = 0;
    if (len >= 0)
        return ini_parse(path, text, (size_t) len, err);
    int error = errno;
    haul_error_set(err, HAUL_BAD_CONFIG, "%s can't be read: %m", path);
    if (err != NULL)
        err->sys_errno = error;
    wipe(text, FILE_BYTES_MAX);
    free(text);
    return NULL;
}

void ini_free(struct ini *i)
{
    if (i == NULL)
        return;
    if (i->text != NULL)
        wipe(i->text, i->len);
    free(i->text);
    free(i->lines);
    free(i);
}

bool ini_has(const struct ini *i, const char *section)
{
    for (size_t n = 0; n < i->count; n++)
        if (strcmp(i->lines[n].section, section) == 0)
            return true;
    return false;
}

const char *ini_next_section(const struct ini *i, size_t *at)
{
    while (*at < i->count) {
        const struct line *l = &i->lines[(*at)++];
        if (l->key == NULL)
            return l->section;
    }
    return NULL;
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcasecmp(a, b) == 0;
}

const char *ini_get(const struct ini *i, const char *section, const char *key)
{
    return ini_get_nested(i, section, key, NULL);
}

const char *ini_get_nested(
    const struct ini *i, const char *section, const char *key, const char *nested)
{
    const char *parent = nested == NULL ? NULL : key;
    key = nested == NULL ? key : nested;
    for (size_t n = i->count; n-- > 0;) {
        const struct line *l = &i->lines[n];
        if (l->key != NULL && strcasecmp(l->key, key) == 0 && is_same(l->parent, parent) &&
            strcmp(l->section, section) == 0)
            return l->value;
    }
    return NULL;
}
