/*
 * Page tokens: where a list goes on, as opaque text. A token carries a checksum over itself and the
 * question it belongs to, so that a mangled one, or one of another list, is refused and not
 * misread. It is no secret and grants nothing. Private to src/skill.
 */
#ifndef STIGMER_SKILL_TOKEN_H
#define STIGMER_SKILL_TOKEN_H

#include "base/arena.h"
#include "base/err.h"

/* question: what list this is, e.g. "find\0acme". */
enum err token_make(str position, str question, struct arena *a, str *ret, struct error *e);
/* INVALID_ARGUMENT when it is not one, or not of this question. */
enum err token_read(str token, str question, struct arena *a, str *ret_position, struct error *e);
/* The same INVALID_ARGUMENT, for a position that is none of the list's. */
enum err token_refuse(struct error *e);

#endif
