/* Names of skills become slugs (API.md section 4). */
#ifndef STIGMER_SKILL_SLUG_H
#define STIGMER_SKILL_SLUG_H

#include "base/buf.h"

/* Appends the slug of a valid UTF-8 name: Unicode lower-casing, ASCII space to '-', all but
 * a-z 0-9 '-' dropped, runs of '-' collapsed, '-' trimmed. Appends nothing when nothing is left. */
void slug_from_name(str name, struct buf *out);

#endif
