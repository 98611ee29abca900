/* The log: one event a line on standard error, as text or as JSON (--log json). A failure is
 * logged once, by the code that decides what happens next. Any thread. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level { LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key, *value; /* value NULL: left out */
};

/* json: from here on. Called once, before any thread starts. */
void log_init(bool json);

/* LOG(LOG_WARN, "object_failed", { "object", name }, { "why", text }); */
#define LOG(level, event, ...)                                                                 \
    log_event(level, event, (const struct log_field[]){ __VA_ARGS__, { NULL, NULL } })
void log_event(enum log_level level, const char *event, const struct log_field *fields);

/* Why the process ends as it does. As text it is `haul: TEXT`. */
void log_last_word(const char *text);

/* A line as it is, from a signal's handler. */
void log_from_signal(const char *line);

/* Takes the progress line off the terminal before a line is written, and lets it be drawn again
 * after. NULL: there is none. Any thread. */
void log_progress(const char *line);

#endif
