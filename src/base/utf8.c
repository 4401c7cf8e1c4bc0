#include "base/utf8.h"

#include "base/macro.h"

struct lead {
    uint8_t mask, value, more;
    uint32_t min;
};

static const struct lead leads[] = {
    {0x80, 0x00, 0, 0x0},
    {0xe0, 0xc0, 1, 0x80},
    {0xf0, 0xe0, 2, 0x800},
    {0xf8, 0xf0, 3, 0x10000},
};

static const struct lead *lead_of(uint8_t b)
{
    for (size_t i = 0; i < ARRAY_SIZE(leads); i++)
        if ((b & leads[i].mask) == leads[i].value)
            return &leads[i];
    return NULL;
}

bool utf8_next(str *s, uint32_t *ret_cp)
{
    const uint8_t *p = (const uint8_t *)s->p;
    const struct lead *l = s->len ? lead_of(p[0]) : NULL;
    if (!l || s->len <= l->more)
        return false;
    uint32_t cp = p[0] & (uint8_t)~l->mask;
    for (size_t i = 1; i <= l->more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return false;
        cp = cp << 6 | (p[i] & 0x3f);
    }
    if (cp < l->min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return false;
    *s = str_skip(*s, (size_t)l->more + 1);
    *ret_cp = cp;
    return true;
}

bool utf8_valid(str s)
{
    uint32_t cp;
    while (s.len)
        if (!utf8_next(&s, &cp))
            return false;
    return true;
}

void utf8_add(struct buf *b, uint32_t cp)
{
    if (cp < 0x80) {
        buf_add_char(b, (char)cp);
    } else if (cp < 0x800) {
        buf_add_char(b, (char)(0xc0 | cp >> 6));
        buf_add_char(b, (char)(0x80 | (cp & 0x3f)));
    } else if (cp < 0x10000) {
        buf_add_char(b, (char)(0xe0 | cp >> 12));
        buf_add_char(b, (char)(0x80 | (cp >> 6 & 0x3f)));
        buf_add_char(b, (char)(0x80 | (cp & 0x3f)));
    } else {
        buf_add_char(b, (char)(0xf0 | cp >> 18));
        buf_add_char(b, (char)(0x80 | (cp >> 12 & 0x3f)));
        buf_add_char(b, (char)(0x80 | (cp >> 6 & 0x3f)));
        buf_add_char(b, (char)(0x80 | (cp & 0x3f)));
    }
}

/* What could move a cursor, hide or reorder text: Unicode 15 General_Category Cc, and the Cf
 * ranges for bidi controls, zero-width characters, BOM, tags; plus line and paragraph separators.
 */
static bool must_escape(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == '\\' || cp == 0x61c ||
           cp == 0x180e || (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
           (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb) ||
           (cp >= 0xe0000 && cp <= 0xe0fff);
}

void utf8_add_escaped(struct buf *b, str s)
{
    while (s.len) {
        str before = s;
        uint32_t cp;
        if (!utf8_next(&s, &cp)) {
            buf_addf(b, "\\x%02x", (uint8_t)s.p[0]);
            s = str_skip(s, 1);
        } else if (cp == '\\') {
            buf_add(b, STR("\\\\"));
        } else if (must_escape(cp)) {
            buf_addf(b, cp < 0x80 ? "\\x%02x" : "\\u{%x}", cp);
        } else {
            buf_add(b, str_head(before, before.len - s.len));
        }
    }
}
