#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES  4096
#define VALUE_MAX_BYTES 512

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_colors[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};

static struct {
    enum log_level level;
    bool json, color;
    int fd;
} logger = {.level = LOG_LEVEL_INFO, .json = true, .fd = 2};

bool log_level_parse(str s, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (str_eq_nocase(s, str_c(level_names[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    *ret = LOG_LEVEL_WARN;
    return str_eq_nocase(s, STR("warning"));
}

void log_setup(enum log_level level, enum log_format format, int fd)
{
    bool tty = isatty(fd);
    logger.level = level;
    logger.json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !tty);
    logger.color = tty && !getenv("NO_COLOR");
    logger.fd = fd;
}

bool log_enabled(enum log_level level)
{
    return level >= logger.level;
}

/* RFC 8259: quote, backslash and controls escaped; bytes that are not UTF-8 become U+FFFD. */
static void add_json_string(struct buf *b, str s)
{
    buf_add_char(b, '"');
    while (s.len) {
        str before = s;
        uint32_t cp;
        if (!utf8_next(&s, &cp)) {
            utf8_add(b, 0xfffd);
            s = str_skip(s, 1);
        } else if (cp == '"' || cp == '\\') {
            buf_addf(b, "\\%c", (char)cp);
        } else if (cp < 0x20 || cp == 0x7f) {
            buf_addf(b, "\\u%04x", cp);
        } else {
            buf_add(b, str_head(before, before.len - s.len));
        }
    }
    buf_add_char(b, '"');
}

static void add_json_field(struct buf *b, const struct log_field *f)
{
    buf_addf(b, ",\"%s\":", f->key);
    if (f->type == LOG_FIELD_INT)
        buf_addf(b, "%lld", (long long)f->i);
    else
        add_json_string(b, str_head(f->s, VALUE_MAX_BYTES));
}

static void add_pretty_field(struct buf *b, const struct log_field *f)
{
    buf_addf(b, "  %s=", f->key);
    if (f->type == LOG_FIELD_INT)
        buf_addf(b, "%lld", (long long)f->i);
    else
        utf8_add_escaped(b, str_head(f->s, VALUE_MAX_BYTES));
}

/* Every field that leaves room for the line's end. An escaped value may be six times as long, and
 * whoever sends one must not be able to keep the other fields out of the log. */
static void add_fields(struct buf *b, const struct log_field *f,
                       void (*add)(struct buf *, const struct log_field *))
{
    for (; f->key; f++) {
        size_t len = b->len;
        add(b, f);
        if (b->failed || b->len > LINE_MAX_BYTES - 2) {
            b->len = len;
            b->failed = false;
        }
    }
}

static void add_json_line(struct buf *b, enum log_level level, const char *when, const char *event,
                          const struct log_field *f)
{
    buf_addf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", when, level_names[level]);
    add_json_string(b, str_c(event));
    add_fields(b, f, add_json_field);
    buf_add(b, STR("}\n"));
}

static void add_pretty_line(struct buf *b, enum log_level level, const char *when,
                            const char *event, const struct log_field *f)
{
    const char *on = logger.color ? level_colors[level] : "";
    const char *off = logger.color ? "\033[0m" : "";
    buf_addf(b, "%.19s %s%-5s%s %s", when, on, level_names[level], off, event);
    add_fields(b, f, add_pretty_field);
    buf_add_char(b, '\n');
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct error ignored; /* nowhere to report a log that cannot be written */
    char when[CLOCK_RFC3339_MAX];
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    clock_format_rfc3339(clock_real_ns(), when);
    (logger.json ? add_json_line : add_pretty_line)(&line, level, when, event, fields);
    (void)sys_write_full(logger.fd, line.p, line.len, &ignored);
    buf_deinit(&line);
}
