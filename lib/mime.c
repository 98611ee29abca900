/* Content types by names' endings: see mime.h, and haul_content_type(). */
#include "mime.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <haul/request.h>

#define FILE_BYTES_MAX (1024 * 1024)

static const char unknown[] = "application/octet-stream";

struct mapping {
    const char *ending, *type;
};

struct mime_types {
    char *text;               /* owned: the file, cut into strings */
    struct mapping *mappings; /* owned; sorted by ending */
    size_t count;
};

/* Sorted by ending. Of a compressed file its compression: the object's bytes are just that. */
static const struct mapping common[] = {
    { "7z", "application/x-7z-compressed" },
    { "aac", "audio/aac" },
    { "avi", "video/x-msvideo" },
    { "avif", "image/avif" },
    { "bmp", "image/bmp" },
    { "bz2", "application/x-bzip2" },
    { "c", "text/x-csrc" },
    { "css", "text/css" },
    { "csv", "text/csv" },
    { "doc", "application/msword" },
    { "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
    { "eot", "application/vnd.ms-fontobject" },
    { "epub", "application/epub+zip" },
    { "flac", "audio/flac" },
    { "gif", "image/gif" },
    { "gz", "application/gzip" },
    { "h", "text/x-chdr" },
    { "htm", "text/html" },
    { "html", "text/html" },
    { "ico", "image/vnd.microsoft.icon" },
    { "ics", "text/calendar" },
    { "jar", "application/java-archive" },
    { "jpeg", "image/jpeg" },
    { "jpg", "image/jpeg" },
    { "js", "text/javascript" },
    { "json", "application/json" },
    { "m4a", "audio/mp4" },
    { "md", "text/markdown" },
    { "mjs", "text/javascript" },
    { "mkv", "video/x-matroska" },
    { "mov", "video/quicktime" },
    { "mp3", "audio/mpeg" },
    { "mp4", "video/mp4" },
    { "mpeg", "video/mpeg" },
    { "odp", "application/vnd.oasis.opendocument.presentation" },
    { "ods", "application/vnd.oasis.opendocument.spreadsheet" },
    { "odt", "application/vnd.oasis.opendocument.text" },
    { "oga", "audio/ogg" },
    { "ogg", "audio/ogg" },
    { "ogv", "video/ogg" },
    { "opus", "audio/ogg" },
    { "otf", "font/otf" },
    { "parquet", "application/vnd.apache.parquet" },
    { "pdf", "application/pdf" },
    { "png", "image/png" },
    { "ppt", "application/vnd.ms-powerpoint" },
    { "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
    { "py", "text/x-python" },
    { "rar", "application/vnd.rar" },
    { "rtf", "application/rtf" },
    { "sh", "application/x-sh" },
    { "svg", "image/svg+xml" },
    { "tar", "application/x-tar" },
    { "tgz", "application/gzip" },
    { "tif", "image/tiff" },
    { "tiff", "image/tiff" },
    { "ts", "video/mp2t" },
    { "ttf", "font/ttf" },
    { "txt", "text/plain" },
    { "wasm", "application/wasm" },
    { "wav", "audio/x-wav" },
    { "weba", "audio/webm" },
    { "webm", "video/webm" },
    { "webp", "image/webp" },
    { "woff", "font/woff" },
    { "woff2", "font/woff2" },
    { "xhtml", "application/xhtml+xml" },
    { "xls", "application/vnd.ms-excel" },
    { "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
    { "xml", "application/xml" },
    { "xz", "application/x-xz" },
    { "yaml", "application/yaml" },
    { "yml", "application/yaml" },
    { "zip", "application/zip" },
    { "zst", "application/zstd" },
};

static int compare(const void *a, const void *b)
{
    const struct mapping *m = a, *n = b;
    return strcasecmp(m->ending, n->ending);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(FILE_BYTES_MAX + 1) : NULL;
    size_t len = text ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;
    if (text != NULL && (ferror(file) || len > FILE_BYTES_MAX)) {
        free(text);
        text = NULL;
    }
    if (text != NULL) {
        text[len] = '\0';
        char *fitting = realloc(text, len + 1);
        text = fitting ? fitting : text;
    }
    if (file != NULL)
        fclose(file);
    return text;
}

/* A line is a type and its endings; "#" begins a comment. */
static int add_line(struct mime_types *m, size_t *room, char *line)
{
    static const char blank[] = " \t\r";
    char *rest;
    line[strcspn(line, "#")] = '\0';
    const char *type = strtok_r(line, blank, &rest), *ending;
    while (type != NULL && (ending = strtok_r(NULL, blank, &rest)) != NULL) {
        if (m->count == *room) {
            *room = *room ? 2 * *room : 1024;
            struct mapping *more = realloc(m->mappings, *room * sizeof *more);
            if (more == NULL)
                return -1;
            m->mappings = more;
        }
        m->mappings[m->count++] = (struct mapping){ ending, type };
    }
    return 0;
}

struct mime_types *mime_read(const char *path)
{
    struct mime_types *m = calloc(1, sizeof *m);
    size_t room = 0;
    if (m == NULL || (m->text = read_text(path)) == NULL)
        goto failed;
    for (char *line = m->text, *end; line != NULL; line = end) {
        end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        if (add_line(m, &room, line) < 0)
            goto failed;
    }
    if (m->count > 0)
        qsort(m->mappings, m->count, sizeof m->mappings[0], compare);
    return m;
failed:
    mime_free(m);
    return NULL;
}

void mime_free(struct mime_types *m)
{
    if (m == NULL)
        return;
    free(m->text);
    free(m->mappings);
    free(m);
}

/* What stands behind its last dot; NULL: it has none. */
static const char *ending_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
    return dot && dot[1] != '\0' ? dot + 1 : NULL;
}

const char *mime_find(const struct mime_types *types, const char *name)
{
    struct mapping wanted = { ending_of(name), NULL }, *found = NULL;
    if (wanted.ending == NULL)
        return unknown;
    if (types != NULL && types->count > 0)
        found = bsearch(&wanted, types->mappings, types->count, sizeof wanted, compare);
    if (found == NULL)
        found =
            bsearch(&wanted, common, sizeof common / sizeof common[0], sizeof wanted, compare);
    return found ? found->type : unknown;
}

static struct mime_types *system_types; /* lives as long as the process */

static void read_system_types(void)
{
    system_types = mime_read("/etc/mime.types");
}

/* Who sends names without an ending does not wait for the file. */
const char *haul_content_type(const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (ending_of(name) == NULL)
        return unknown;
    pthread_once(&once, read_system_types);
    return mime_find(system_types, name);
}
