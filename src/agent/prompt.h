/*
 * The section of the system prompt that tells a model its skills: byte for byte what agent runners
 * know (docs: stigmer-agent(1)).
 *
 * The texts are those of the verified SKILL.md files, and LOCATION is where the skill is for
 * whoever reads the prompt.
 */
#ifndef STIGMER_AGENT_PROMPT_H
#define STIGMER_AGENT_PROMPT_H

#include "base/buf.h"

struct prompt_skill {
    str name;
    str hash;         /* 64 hex digits */
    const char *root; /* what stands before "/bin/skills/"; "" inside a sandbox */
    str text;         /* of SKILL.md */
};

#define PROMPT_MAX MIB(64)

/* Appends "/bin/skills/<hash>/" below the skill's root: the location. */
void prompt_add_location(struct buf *b, const struct prompt_skill *s);
/* Appends the skill's part: heading, location, text. */
void prompt_add_skill(struct buf *b, const struct prompt_skill *s);
/* Appends the whole section; nothing without skills. */
void prompt_add_section(struct buf *b, const struct prompt_skill *skills, size_t n);

/* An estimate of how many tokens a model makes of the text: a quarter of its ASCII characters,
 * plus one for each other character. */
uint64_t prompt_tokens(str text);

#endif
