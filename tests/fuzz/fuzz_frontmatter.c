/*
 * Front matter: whatever the bytes, reading ends within its limits, and what it answers keeps the
 * bounds it promises. Input: a SKILL.md.
 */
#include "fuzz.h"

#include "base/macro.h"
#include "skillmd/collect.h"

static void check_warnings(const struct skillmd_report *r, size_t size)
{
    FUZZ_CHECK(r->n_findings <= FRONTMATTER_WARNINGS_MAX);
    FUZZ_CHECK(r->n_dropped == 0 || r->n_findings == FRONTMATTER_WARNINGS_MAX);
    for (size_t i = 0; i < r->n_findings; i++) {
        FUZZ_CHECK(r->findings[i].message[0] != '\0');
        FUZZ_CHECK(!r->findings[i].refuses && r->findings[i].line >= 1);
        FUZZ_CHECK(r->findings[i].offset <= size);
    }
}

static void check(const struct frontmatter *fm, size_t n_warnings, size_t size)
{
    FUZZ_CHECK(fm->n_metadata <= FRONTMATTER_METADATA_MAX);
    FUZZ_CHECK(fm->present || n_warnings == 0);
    /* Escapes in YAML shrink but for \P, \L and \N, which stand for three bytes each at most. */
    FUZZ_CHECK(fm->name.len <= 2 * size && fm->description.len <= 2 * size);
    /* Without a warning the whole block was read and is as the specification wants it. */
    if (!fm->present || n_warnings > 0)
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
    struct collect found;
    struct skillmd_report report = {0};
    arena_init(&a, KIB(256));
    collect_init(&found, &a);
    frontmatter_read(cursor_start(str_of(data, size)), &found, &report.front);
    FUZZ_CHECK(collect_finish(&found, &report, &e) == ERR_OK);
    check_warnings(&report, size);
    check(&report.front, report.n_findings, size);
    arena_deinit(&a);
    return 0;
}
