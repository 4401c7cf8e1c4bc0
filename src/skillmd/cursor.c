#include "skillmd/cursor.h"

#include "base/utf8.h"

#define BYTE_ORDER_MARK STR("\xef\xbb\xbf")

struct cursor cursor_start(str text)
{
    struct cursor c = {.rest = text, .at = {.line = 1, .column = 1}};
    if (str_starts_with(text, BYTE_ORDER_MARK)) {
        c.rest = str_skip(text, BYTE_ORDER_MARK.len);
        c.at.offset = BYTE_ORDER_MARK.len;
    }
    return c;
}

bool cursor_next(struct cursor *c, uint32_t *ret_cp)
{
    size_t before = c->rest.len;
    bool valid = utf8_next(&c->rest, ret_cp);
    if (!valid) {
        c->rest = str_skip(c->rest, 1);
        *ret_cp = 0xfffd; /* REPLACEMENT CHARACTER */
    }
    c->at.offset += before - c->rest.len;
    c->at.column++;
    if (*ret_cp == '\r' || *ret_cp == '\n') {
        c->at.line += !(c->after_cr && *ret_cp == '\n');
        c->at.column = 1;
    }
    c->after_cr = *ret_cp == '\r';
    return valid;
}

static bool is_plain(char c)
{
    return (c >= ' ' && c <= '~') || c == '\t';
}

size_t cursor_skip_plain(struct cursor *c)
{
    size_t n = 0;
    while (n < c->rest.len && is_plain(c->rest.p[n]))
        n++;
    if (n == 0)
        return 0;
    c->rest = str_skip(c->rest, n);
    c->at.offset += n;
    c->at.column += (uint32_t)n;
    c->after_cr = false;
    return n;
}

void cursor_to(struct cursor *c, uint64_t offset)
{
    uint32_t cp;
    while (c->at.offset < offset)
        (void)cursor_next(c, &cp);
}
