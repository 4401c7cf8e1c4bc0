/*
 * Structured log on stderr: one event a line, pretty on a terminal, JSON lines otherwise.
 *
 *     log_info("artifact stored", LOG_STR("hash", hash), LOG_INT("bytes", n));
 *
 * Keys are stable lower_snake_case literals. Values of any bytes are escaped. Callers never pass
 * secrets: tokens, keys, SKILL.md text and artifact bytes do not belong in a log.
 * Threads: any; a line is one write(2) of at most 4 KiB: values are cut at 512 bytes, and a field
 * that does not fit is left out.
 */
#ifndef STIGMER_BASE_LOG_H
#define STIGMER_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_PRETTY, LOG_FORMAT_JSON };

struct log_field {
    const char *key; /* NULL ends the list */
    enum { LOG_FIELD_STR, LOG_FIELD_INT } type;
    str s;
    int64_t i;
};

#define LOG_STR(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_STR, .s = (v)})
#define LOG_C(k, v)   LOG_STR(k, str_c(v))
#define LOG_INT(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_INT, .i = (int64_t)(v)})
/* The three fields of an error: code, reason, error. */
#define LOG_ERROR_FIELDS(e)                                                                        \
    LOG_C("code", err_name((e)->code)), LOG_C("reason", (e)->reason), LOG_C("error", (e)->msg)

/* "debug", "info", "warn" (or "warning"), "error", any case; false for anything else. */
bool log_level_parse(str s, enum log_level *ret);
/* Before threads start. AUTO: pretty when fd is a terminal. Default: info, AUTO, fd 2. */
void log_setup(enum log_level level, enum log_format format, int fd);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields);

#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_write((level), (event),                                                            \
                      (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}});                  \
    } while (0)
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
