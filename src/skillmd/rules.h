/*
 * The rules for the text of SKILL.md, one row each: name, id, what must hold, what it stops, what
 * to do about it. docs/SKILL_MD.md explains them for people who write skills.
 * Private to src/skillmd.
 */
#ifndef STIGMER_SKILLMD_RULES_H
#define STIGMER_SKILLMD_RULES_H

#include "skillmd/skillmd.h"

#define SKILLMD_RULES(X)                                                                           \
    X(TEXT, "skill-md-text", "SKILL.md is 1 byte to 1 MiB of valid UTF-8 without NUL",             \
      "a prompt that is missing, cut short, or another for each reader",                           \
      "save it as UTF-8; move what is long into files beside it")                                  \
    X(FRONT_MATTER, "skill-md-front-matter",                                                       \
      "the front matter, if there is one, is what agentskills.io describes",                       \
      "skills that clients do not find, or read differently",                                      \
      "change the field as agentskills.io/specification says")                                     \
    X(HIDDEN, "skill-md-hidden", "no characters that are not seen, where nothing needs them",      \
      "text that an agent reads and a reviewer does not see",                                      \
      "remove the characters; to write about one, name it, as in U+200B")                          \
    X(BIDI, "skill-md-bidi", "no controls of text direction; overrides and embeddings refuse",     \
      "text that is shown in another order than an agent reads it",                                \
      "remove the characters: letters of right-to-left scripts find their order without them")     \
    X(TAGS, "skill-md-tags", "tag characters only in the emoji flags that have them",              \
      "whole sentences that an agent reads and nobody sees",                                       \
      "remove the characters, and find out who wrote them")                                        \
    X(FORGERY, "skill-md-forgery", "no line starts as the section of a skill does in a prompt",    \
      "one skill that speaks for another", "reword the line, or indent it")

enum skillmd_rule_id {
#define X(name, id, title, stops, advice) SKILLMD_RULE_##name,
    SKILLMD_RULES(X)
#undef X
        SKILLMD_N_RULES
};

const struct skillmd_rule *skillmd_rule(enum skillmd_rule_id id);

#endif
