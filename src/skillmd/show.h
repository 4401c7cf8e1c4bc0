/* Foreign text in messages. Private to src/skillmd. */
#ifndef STIGMER_SKILLMD_SHOW_H
#define STIGMER_SKILLMD_SHOW_H

#include "base/str.h"

enum { SHOWN_MAX = 120 };

/* A C string in out, which is answered, too: printable ASCII as it is, but for \ and "; any other
 * code point as \u{N}, an ASCII control or an invalid byte as \xNN. What does not fit into
 * SHOWN_MAX bytes is left out at the end, where "..." tells of it. */
const char *show(char out[SHOWN_MAX + 1], str text);

#endif
