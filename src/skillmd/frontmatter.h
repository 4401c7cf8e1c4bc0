/*
 * The YAML front matter of SKILL.md, as agentskills.io describes it: a block between two lines
 * `---` at the start of the file.
 *
 * Model: what is there is read under limits; what deviates is told in warnings. Every scalar is
 * taken as its text, whatever a YAML schema makes of it: `version: 1.0` is the text "1.0", as if
 * it were quoted. Aliases, anchors, tags and directives are not followed: nothing expands.
 * Limits: FRONTMATTER_* below; beyond one of them reading stops with a warning, and fields that
 * were not reached are empty. The block's is what keeps libyaml, which takes quadratic time for
 * some blocks, below 5 ms.
 */
#ifndef STIGMER_SKILLMD_FRONTMATTER_H
#define STIGMER_SKILLMD_FRONTMATTER_H

#include "base/str.h"

enum {
    FRONTMATTER_MAX = 32 << 10,    /* bytes of the block */
    FRONTMATTER_DEPTH_MAX = 8,     /* nested lists and maps */
    FRONTMATTER_EVENTS_MAX = 4096, /* scalars, starts and ends of collections */
    FRONTMATTER_METADATA_MAX = 64, /* entries of `metadata`; later ones are left out */
    FRONTMATTER_WARNINGS_MAX = 16, /* kept; later ones are only counted */
    FRONTMATTER_NAME_MAX = 64,     /* characters, as the next two */
    FRONTMATTER_DESCRIPTION_MAX = 1024,
    FRONTMATTER_COMPATIBILITY_MAX = 500,
};

struct frontmatter_pair {
    str key, value;
};

/* All texts are the author's: any characters, also control characters and NUL, and any length up to
 * that of the block. Escape them before they are shown. */
struct frontmatter {
    bool present;
    str name, description, license, compatibility, allowed_tools; /* empty when not there */
    const struct frontmatter_pair *metadata;
    size_t n_metadata;
};

struct collect;
struct cursor;

/* Private to src/skillmd. start: the cursor at the start of the text, any bytes. Texts of *ret and
 * warnings are in the arena of `found`, whose no_memory tells that it was too small. */
void frontmatter_read(struct cursor start, struct collect *found, struct frontmatter *ret);

#endif
