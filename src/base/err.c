#include "base/err.h"

#include <stdarg.h>
#include <stdint.h>
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

/* Drops the first bytes of a UTF-8 sequence whose rest did not fit. */
static void drop_half_character(char msg[ERR_MSG_MAX])
{
    size_t len = strlen(msg), back = 1;
    if (len < ERR_MSG_MAX - 1)
        return;
    while (back < 4 && ((uint8_t)msg[len - back] & 0xc0) == 0x80)
        back++;
    uint8_t lead = (uint8_t)msg[len - back];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (want > back)
        msg[len - back] = '\0';
}

/* msg becomes "<formatted><separator><tail>". Made aside: arguments may point into the old one. */
static void __attribute__((format(printf, 2, 0)))
set_msg(struct error *e, const char *fmt, va_list ap, const char *separator, const char *tail)
{
    char msg[ERR_MSG_MAX];
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    size_t used = strlen(msg);
    (void)snprintf(msg + used, sizeof msg - used, "%s%s", separator, tail);
    drop_half_character(msg);
    memcpy(e->msg, msg, sizeof msg);
}

enum err error_set(struct error *e, enum err code, const char *reason, const char *file, int line,
                   const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_msg(e, fmt, ap, "", "");
    va_end(ap);
    fill(e, code, 0, reason, file, line);
    return code;
}

enum err error_set_sys(struct error *e, enum err code, int sys, const char *reason,
                       const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    char text[128];
    va_start(ap, fmt);
    set_msg(e, fmt, ap, ": ", strerror_r(sys, text, sizeof text));
    va_end(ap);
    fill(e, code, sys, reason, file, line);
    return code;
}

enum err err_wrap(struct error *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_msg(e, fmt, ap, ": ", e->msg);
    va_end(ap);
    return e->code;
}
