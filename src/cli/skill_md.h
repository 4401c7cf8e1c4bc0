/* The text of SKILL.md before a push: what the server would say of it, and what else deserves a
 * word. */
#ifndef STIGMER_CLI_SKILL_MD_H
#define STIGMER_CLI_SKILL_MD_H

#include "cli/cli.h"

/* dir: a directory that was just packed. Prints warnings on c->err, a few of them.
 * INVALID_ARGUMENT when the server would refuse the text, or there are warnings under --strict. */
enum err skill_md_review(const struct cli *c, const char *dir, struct error *e);

#endif
