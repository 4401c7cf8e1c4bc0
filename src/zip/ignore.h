/*
 * `.skillignore`: gitignore syntax (gitignore(5), "PATTERN FORMAT").
 *
 * The last pattern that matches decides. As in git, what lies below a directory that is left out
 * is never asked about: the caller does not descend into it.
 */
#ifndef STIGMER_ZIP_IGNORE_H
#define STIGMER_ZIP_IGNORE_H

#include "base/arena.h"
#include "base/err.h"

#define IGNORE_FILE     ".skillignore"
#define IGNORE_SIZE_MAX (1u << 20)

struct ignore_pattern;

struct ignore {
    struct ignore_pattern *first, *last; /* in the arena given to ignore_parse */
};

/* text: the file's content. Lines that cannot match anything are skipped, as git does. */
enum err ignore_parse(str text, struct arena *a, struct ignore *ret, struct error *e);
/* Whether the path (relative, no trailing slash) is left out. */
bool ignore_match(const struct ignore *ig, str path, bool directory);

#endif
