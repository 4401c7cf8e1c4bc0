/*
 * Files that list references.
 *
 * JSON: an array whose items are references as texts, or ApiResourceReference objects (fields
 * scope, org, kind, slug, version, in either spelling of protobuf's JSON, enums by name or number),
 * or an object with such an array under "skillRefs", "skill_refs" or "skills". YAML: an agent's
 * definition. The list under the key `skills:` (or `skill_refs:`, `skillRefs:`) of its top level or
 * of its `spec:` has the same items.
 *
 * What is not understood is an error: a skill is never left out silently.
 */
#ifndef STIGMER_AGENT_REFS_FILE_H
#define STIGMER_AGENT_REFS_FILE_H

#include "agent/ref.h"
#include "base/arena.h"

enum { REFS_FILE_MAX = 1 << 20, REFS_MAX = 1000 };

/* *ret lives in a. INVALID_ARGUMENT says what is wrong, and in which item or line. */
enum err refs_parse(str text, struct arena *a, struct ref **ret, size_t *ret_n, struct error *e);
/* The same from a file; "-" is standard input. */
enum err refs_read(const char *path, struct arena *a, struct ref **ret, size_t *ret_n,
                   struct error *e);

#endif
