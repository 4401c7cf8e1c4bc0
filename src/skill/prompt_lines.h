/* What SKILL.md must not contain (API.md section 7). Private to src/skill. */
#ifndef STIGMER_SKILL_PROMPT_LINES_H
#define STIGMER_SKILL_PROMPT_LINES_H

#include "base/err.h"
#include "base/str.h"

/* text: valid UTF-8. INVALID_ARGUMENT "failed to extract SKILL.md: …" when a line could pass for
 * the start of another skill's section in an agent's prompt. */
enum err prompt_lines_check(str text, struct error *e);

#endif
