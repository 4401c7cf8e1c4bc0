#include "skill/slug.h"

#include "base/utf8.h"

#include <unicode/uchar.h>

/* Lower case by code point, as Go's strings.ToLower: U+212A is k, U+0130 is i. */
void slug_from_name(str name, struct buf *out)
{
    uint32_t cp;
    size_t start = out->len;
    bool hyphen = false; /* one is due before the next letter or digit */
    while (utf8_next(&name, &cp)) {
        UChar32 c = u_tolower((UChar32)cp);
        if (c == ' ' || c == '-') {
            hyphen = true;
            continue;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            continue;
        if (hyphen && out->len > start)
            buf_add_char(out, '-');
        hyphen = false;
        buf_add_char(out, (char)c);
    }
}
