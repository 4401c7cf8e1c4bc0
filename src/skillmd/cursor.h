/* A walk over a text that knows where it is: byte, line, column. Private to src/skillmd. */
#ifndef STIGMER_SKILLMD_CURSOR_H
#define STIGMER_SKILLMD_CURSOR_H

#include "base/str.h"

struct place {
    uint64_t offset;       /* bytes */
    uint32_t line, column; /* from 1; a line ends at \n, \r\n or \r; a column is a code point */
};

struct cursor {
    str rest; /* from here on */
    struct place at;
    bool after_cr;
};

/* At the start of text, behind a byte order mark, which takes no column. */
struct cursor cursor_start(str text);
/* Past one code point, which is not the end. False: an invalid byte, which counts as one. */
bool cursor_next(struct cursor *c, uint32_t *ret_cp);
/* Past all printable ASCII and tabs that follow; how many there were. */
size_t cursor_skip_plain(struct cursor *c);
/* To the byte at offset, which is not behind the cursor nor behind the end. */
void cursor_to(struct cursor *c, uint64_t offset);

#endif
