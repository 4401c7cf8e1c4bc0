#include "skillmd/show.h"

#include "base/utf8.h"

#include <stdio.h>

enum { PIECE_MAX = 16, ELLIPSIS = 3 };

/* The first character of *text, escaped, and past it. */
static int take_piece(str *text, char piece[PIECE_MAX])
{
    uint32_t cp;
    if (!utf8_next(text, &cp)) {
        cp = (uint8_t)text->p[0];
        *text = str_skip(*text, 1);
        return snprintf(piece, PIECE_MAX, "\\x%02x", cp);
    }
    if (cp == '"' || cp == '\\')
        return snprintf(piece, PIECE_MAX, "\\%c", (char)cp);
    if (cp >= ' ' && cp <= '~')
        return snprintf(piece, PIECE_MAX, "%c", (char)cp);
    return snprintf(piece, PIECE_MAX, cp < 0x80 ? "\\x%02x" : "\\u{%x}", cp);
}

const char *show(char out[SHOWN_MAX + 1], str text)
{
    char piece[PIECE_MAX];
    size_t len = 0, whole = 0; /* whole: the end of what leaves room for the dots */
    while (text.len) {
        size_t n = (size_t)take_piece(&text, piece);
        if (len + n > SHOWN_MAX) {
            memcpy(out + whole, "...", ELLIPSIS);
            len = whole + ELLIPSIS;
            break;
        }
        memcpy(out + len, piece, n);
        len += n;
        if (len <= SHOWN_MAX - ELLIPSIS)
            whole = len;
    }
    out[len] = '\0';
    return out;
}
