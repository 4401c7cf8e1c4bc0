#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
    const char *name;
    const char *text;
    int http;
};

static const struct err_row rows[] = {
#define X(name, grpc, http, text) [grpc] = {#name, text, http},
    ERR_TABLE(X)
#undef X
};

static const struct err_row *row_of(enum err code)
{
    if ((unsigned)code >= sizeof rows / sizeof rows[0])
        code = ERR_UNKNOWN;
    return &rows[code];
}

const char *err_name(enum err code)
{
    return row_of(code)->name;
}

const char *err_text(enum err code)
{
    return row_of(code)->text;
}

int err_http_status(enum err code)
{
    return row_of(code)->http;
}

static void fill(struct error *e, enum err code, int sys, const char *reason, const char *file,
                 int line)
{
    e->code = code;
    e->sys = sys;
    e->reason = reason;
    e->file = file;
    e->line = line;
}

enum err error_set(struct error *e, enum err code, const char *reason, const char *file, int line,
                   const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, code, 0, reason, file, line);
    (void)vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    return code;
}

enum err error_set_sys(struct error *e, enum err code, int sys, const char *reason,
                       const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, code, sys, reason, file, line);
    (void)vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    size_t used = strlen(e->msg);
    char text[128];
    (void)snprintf(e->msg + used, sizeof e->msg - used, ": %s", strerror_r(sys, text, sizeof text));
    return code;
}

enum err err_wrap(struct error *e, const char *fmt, ...)
{
    char inner[ERR_MSG_MAX];
    (void)snprintf(inner, sizeof inner, "%s", e->msg);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    size_t used = strlen(e->msg);
    (void)snprintf(e->msg + used, sizeof e->msg - used, ": %s", inner);
    return e->code;
}
