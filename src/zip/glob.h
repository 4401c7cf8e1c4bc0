/* Patterns for paths as git matches them (gitignore(5)): byte by byte, whatever the locale. */
#ifndef STIGMER_ZIP_GLOB_H
#define STIGMER_ZIP_GLOB_H

#include "base/str.h"

/* Whether the pattern is all of the path. `*`, `?` and `[` stop at a slash; `**` does not when it
 * stands at the begin (behind the literal bytes, as in git) or behind a slash, and in front of a
 * slash or at the end. A pattern with a set that has no end matches nothing. The time taken is
 * bounded by the product of the lengths of pattern, path and the path's number of slashes. */
bool glob_match(str pattern, str path);

#endif
