/*
 * The YAML front matter of SKILL.md, as agentskills.io describes it: a block between two lines
 * `---` at the start of the file.
 *
 * Model: parsing never refuses a skill. What is there is read under limits, what deviates is told
 * in warnings; the texts of warnings are ours, never the file's.
 * Limits: FRONTMATTER_* below; beyond one of them reading stops with a warning. Aliases, anchors
 * and tags are not followed: nothing expands.
 */
#ifndef STIGMER_SKILL_FRONTMATTER_H
#define STIGMER_SKILL_FRONTMATTER_H

#include "base/arena.h"
#include "base/err.h"

enum {
    FRONTMATTER_MAX = 64 << 10,    /* bytes of the block */
    FRONTMATTER_DEPTH_MAX = 8,     /* nested lists and maps */
    FRONTMATTER_EVENTS_MAX = 4096, /* scalars, starts and ends of collections */
    FRONTMATTER_METADATA_MAX = 64, /* entries of `metadata` */
    FRONTMATTER_WARNINGS_MAX = 16, /* kept; later ones are dropped */
    FRONTMATTER_NAME_MAX = 64,     /* characters, as the next two */
    FRONTMATTER_DESCRIPTION_MAX = 1024,
    FRONTMATTER_COMPATIBILITY_MAX = 500,
};

struct frontmatter_pair {
    str key, value;
};

struct frontmatter {
    bool present;
    str name, description, license, compatibility, allowed_tools; /* empty when not there */
    const struct frontmatter_pair *metadata;
    size_t n_metadata;
    const char *const *warnings; /* one sentence each */
    size_t n_warnings;
};

/* skill_md: any bytes. Everything in *ret lives in the arena or is static.
 * Errors: RESOURCE_EXHAUSTED (memory) only. */
enum err frontmatter_parse(str skill_md, struct arena *a, struct frontmatter *ret, struct error *e);

#endif
