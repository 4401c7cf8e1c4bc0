/* The one pass over a text: encoding, hidden characters, forged lines. Private to src/skillmd. */
#ifndef STIGMER_SKILLMD_SCAN_H
#define STIGMER_SKILLMD_SCAN_H

#include "skillmd/collect.h"

/* From the cursor, which is at the start of a line, to the end of its text. */
void scan(struct cursor from, struct collect *c);

#endif
