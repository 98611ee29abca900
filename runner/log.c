/* The log and the progress line share the terminal, so one lock guards both. */
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"

static struct {
    pthread_mutex_t lock;
    bool json;
    char progress[256]; /* what stands on the terminal's last line; "" when nothing does */
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *const levels[] = { "info", "warn", "error" };

void log_init(bool json)
{
    sink.json = json;
}

static void write_json(
    const char *at, enum log_level level, const char *event, const struct log_field *f)
{
    fprintf(
        stderr, "{\"at\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", at, levels[level], event);
    for (; f->key != NULL; f++) {
        if (f->value == NULL)
            continue;
        fprintf(stderr, ",\"%s\":", f->key);
        json_string(stderr, f->value);
    }
    fputs("}\n", stderr);
}

/* A value is quoted when it would not stand as one word. */
static void write_text(enum log_level level, const char *event, const struct log_field *f)
{
    fprintf(stderr, "haul: %s: %s", levels[level], event);
    for (; f->key != NULL; f++) {
        if (f->value == NULL)
            continue;
        fprintf(stderr, " %s=", f->key);
        if (*f->value == '\0')
            fputs("\"\"", stderr);
        else
            json_plain(stderr, f->value, " \"\\=");
    }
    fputc('\n', stderr);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    char at[32];
    struct tm utc;
    time_t now = time(NULL);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    pthread_mutex_lock(&sink.lock);
    flockfile(stderr);
    if (sink.progress[0] != '\0')
        fputs("\r\033[K", stderr);
    if (sink.json)
        write_json(at, level, event, fields);
    else
        write_text(level, event, fields);
    fputs(sink.progress, stderr);
    fflush(stderr);
    funlockfile(stderr);
    pthread_mutex_unlock(&sink.lock);
}

void log_last_word(const char *text)
{
    if (sink.json)
        LOG(LOG_ERROR, "ended", { "why", text });
    else
        fprintf(stderr, "haul: %s\n", text);
}

void log_from_signal(const char *line)
{
    if (write(STDERR_FILENO, line, strlen(line)) < 0) {
        /* nobody to tell */
    }
}

void log_progress(const char *line)
{
    pthread_mutex_lock(&sink.lock);
    if (line != NULL || sink.progress[0] != '\0') {
        snprintf(sink.progress, sizeof sink.progress, "%s", line ? line : "");
        fprintf(stderr, "\r\033[K%s", sink.progress);
        fflush(stderr);
    }
    pthread_mutex_unlock(&sink.lock);
}
