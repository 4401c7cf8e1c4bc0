/* Lines that an agent's prompt gives a meaning (API.md section 7). Private to src/skillmd. */
#ifndef STIGMER_SKILLMD_PROMPT_LINES_H
#define STIGMER_SKILLMD_PROMPT_LINES_H

#include "base/str.h"

/* Whether some reader takes cp for the end of a line (Unicode 15, section 5.8). */
bool prompt_lines_end(uint32_t cp);
/* line: a text from the start of a line on. What makes it pass for the start of another skill's
 * section, whatever is unseen before it or inside; empty when nothing does. Static storage. */
str prompt_lines_forged(str line);

#endif
