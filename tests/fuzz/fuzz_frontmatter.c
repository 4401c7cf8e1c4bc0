/*
 * Front matter: whatever the bytes, reading ends within its limits, and what it answers keeps the
 * bounds it promises. Input: a SKILL.md.
 */
#include "fuzz.h"

#include "base/macro.h"
#include "skill/frontmatter.h"

static void check(const struct frontmatter *fm, size_t size)
{
    FUZZ_CHECK(fm->n_warnings <= FRONTMATTER_WARNINGS_MAX);
    FUZZ_CHECK(fm->n_metadata <= FRONTMATTER_METADATA_MAX);
    FUZZ_CHECK(fm->present || fm->n_warnings == 0);
    /* Escapes in YAML shrink but for \P, \L and \N, which stand for three bytes each at most. */
    FUZZ_CHECK(fm->name.len <= 2 * size && fm->description.len <= 2 * size);
    for (size_t i = 0; i < fm->n_warnings; i++)
        FUZZ_CHECK(fm->warnings[i][0] != '\0');
    /* Without a warning the whole block was read and is as the specification wants it. */
    if (!fm->present || fm->n_warnings > 0)
        return;
    FUZZ_CHECK(fm->name.len >= 1 && fm->name.len <= FRONTMATTER_NAME_MAX);
    FUZZ_CHECK(fm->description.len >= 1);
    for (size_t i = 0; i < fm->name.len; i++)
        FUZZ_CHECK(str_find(STR("abcdefghijklmnopqrstuvwxyz0123456789-"), fm->name.p[i]) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct error e;
    struct frontmatter fm;
    arena_init(&a, MIB(4));
    FUZZ_CHECK(frontmatter_parse(str_of(data, size), &a, &fm, &e) == ERR_OK);
    check(&fm, size);
    arena_deinit(&a);
    return 0;
}
