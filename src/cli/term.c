#include "cli/term.h"

#include "base/macro.h"
#include "base/sys_proc.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdlib.h>

enum { TABLE_MAX_COLUMNS = 8 };

static bool env_is_set(const char *name)
{
    const char *v = getenv(name);
    return v && *v;
}

void term_init(struct term *t, FILE *f)
{
    bool dumb = str_eq(str_c(getenv("TERM")), STR("dumb"));
    t->f = f;
    t->tty = sys_isatty(fileno(f)) && !dumb;
    t->colour = t->tty && !env_is_set("NO_COLOR");
}

void term_printf(const struct term *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vfprintf(t->f, fmt, ap); /* a failed write is found when the stream is closed */
    va_end(ap);
}

enum err term_flush(const struct term *t, struct error *e)
{
    if (fflush(t->f) != 0 || ferror(t->f))
        return FAIL(e, ERR_INTERNAL, "cli.output", "cannot write the output");
    return ERR_OK;
}

void term_raw(const struct term *t, str s)
{
    if (s.len)
        (void)fwrite(s.p, 1, s.len, t->f);
}

void term_styled(const struct term *t, enum term_style style, const char *text)
{
    /* ECMA-48 SGR: 1 bold, 31 red, 32 green, 33 yellow */
    static const char *const codes[] = {
        [TERM_GREEN] = "32", [TERM_RED] = "1;31", [TERM_YELLOW] = "33", [TERM_BOLD] = "1"};
    if (t->colour)
        term_printf(t, "\033[%sm%s\033[0m", codes[style], text);
    else
        term_printf(t, "%s", text);
}

void text_add_safe(struct buf *b, str s, const char *keep)
{
    while (s.len) {
        str one = s;
        uint32_t cp;
        if (!utf8_next(&s, &cp))
            s = str_skip(s, 1);
        one.len -= s.len;
        if (one.len == 1 && one.p[0] && strchr(keep, one.p[0]))
            buf_add(b, one);
        else
            utf8_add_escaped(b, one);
    }
}

/* Writes in pieces, so that no text is too long. */
static void write_safe(const struct term *t, str s, const char *keep)
{
    enum { PIECE = 4096, LONGEST_ESCAPE = 10 };
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, (size_t)PIECE * LONGEST_ESCAPE);
    while (s.len) {
        str piece = str_head(s, PIECE);
        /* a code point is not torn: up to three continuation bytes stay for the next piece */
        for (int i = 0; i < 3 && piece.len < s.len && ((uint8_t)s.p[piece.len] & 0xc0) == 0x80; i++)
            piece.len--;
        buf_clear(&b);
        text_add_safe(&b, piece, keep);
        term_raw(t, buf_view(&b));
        s = str_skip(s, piece.len);
    }
}

void term_foreign(const struct term *t, str s)
{
    write_safe(t, s, "\\");
}

void term_foreign_lines(const struct term *t, str s)
{
    write_safe(t, s, "\\\n\t");
}

void size_format(uint64_t bytes, char out[SIZE_TEXT_MAX])
{
    static const char units[] = "KMGTPE";
    size_t unit = 0;
    uint64_t div = 1024;
    if (bytes < 1024) {
        (void)snprintf(out, SIZE_TEXT_MAX, "%u B", (unsigned)bytes);
        return;
    }
    for (uint64_t n = bytes / 1024; n >= 1024; n /= 1024) {
        div *= 1024;
        unit++;
    }
    (void)snprintf(out, SIZE_TEXT_MAX, "%.1f %cB", (double)bytes / (double)div, units[unit]);
}

bool size_parse(str text, uint64_t *ret)
{
    static const char units[] = "KMGT";
    unsigned shift = 0;
    if (str_ends_with(text, STR("B")))
        text.len--;
    const char *unit = text.len ? memchr(units, text.p[text.len - 1], sizeof units - 1) : NULL;
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        text.len--;
    }
    if (!str_to_u64(text, ret) || *ret > UINT64_MAX >> shift)
        return false;
    *ret <<= shift;
    return true;
}

void duration_format(int64_t seconds, char out[SIZE_TEXT_MAX])
{
    long long s = seconds;
    if (s < 60)
        (void)snprintf(out, SIZE_TEXT_MAX, "%llds", s);
    else if (s < 3600)
        (void)snprintf(out, SIZE_TEXT_MAX, "%lldm %llds", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(out, SIZE_TEXT_MAX, "%lldh %lldm", s / 3600, s % 3600 / 60);
    else
        (void)snprintf(out, SIZE_TEXT_MAX, "%lldd %lldh", s / 86400, s % 86400 / 3600);
}

void table_init(struct table *t, size_t n_columns)
{
    t->n_columns = n_columns;
    buf_init(&t->cells, MIB(16));
}

void table_deinit(struct table *t)
{
    buf_deinit(&t->cells);
}

void table_add(struct table *t, str cell)
{
    text_add_safe(&t->cells, cell, "\\");
    buf_add_zero(&t->cells, 1);
}

/* Code points, not columns: names are nearly always narrow, and nothing breaks when they are not.
 */
static size_t width_of(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void print_cell(const struct term *to, str cell, size_t width, bool last)
{
    term_raw(to, cell);
    if (last)
        (void)fputc('\n', to->f);
    else
        term_printf(to, "%*s", (int)(width - width_of(cell) + 2), "");
}

enum err table_print(struct table *t, const struct term *to, struct error *e)
{
    size_t widths[TABLE_MAX_COLUMNS] = {0}, column = 0;
    str cell, rest = buf_view(&t->cells);
    TRY(buf_status(&t->cells, e));
    while (str_cut(rest, '\0', &cell, &rest)) {
        widths[column] = MAX(widths[column], width_of(cell));
        column = (column + 1) % t->n_columns;
    }
    rest = buf_view(&t->cells);
    for (column = 0; str_cut(rest, '\0', &cell, &rest); column = (column + 1) % t->n_columns)
        print_cell(to, cell, widths[column], column + 1 == t->n_columns);
    return ERR_OK;
}
