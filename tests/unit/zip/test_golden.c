/* The golden archives of tests/golden/zip/make.py: each with exactly the rules it fails. */
#include "ziptest.h"

#include <stdio.h>
#include <stdlib.h>

static char path[4096];

static const char *in_dir(const char *name, const char *suffix)
{
    snprintf(path, sizeof path, "%s/%s%s", test_dir(), name, suffix);
    return path;
}

static void make(void)
{
    CHECK(zt_run("exec \"${PYTHON:-/usr/bin/python3}\" \"$GOLDEN\"/zip/make.py \"$DIR\""));
}

/* Returns false, with what went wrong printed. */
static bool matches(const char *name, str want)
{
    struct zip_report r;
    zt_audit(in_dir(name, ".zip"), 0, NULL, &r);
    str got = zt_ids(&r);
    bool ok = str_eq(got, want);
    if (!ok)
        printf("# %s: got \"%.*s\", want \"%.*s\"\n", name, STR_ARG(got), STR_ARG(want));
    for (size_t i = 0; !ok && i < r.n_findings; i++)
        printf("#   %s [%s]\n", r.findings[i].message, r.findings[i].rule->id);
    zip_report_deinit(&r);
    return ok;
}

TEST(every_archive_fails_its_rules_and_no_other)
{
    int failed = 0, n = 0;
    make();
    str all = zt_read(in_dir("expected", ".tsv")), rest = all, line, name, want;
    while (rest.len) {
        (void)str_cut(rest, '\n', &line, &rest);
        (void)str_cut(line, '\t', &name, &want);
        char *c = str_dup_c(name);
        failed += !matches(c, want);
        n++;
        free(c);
    }
    free((void *)(uintptr_t)all.p);
    printf("# %d archives\n", n);
    CHECK(n > 300);
    CHECK_INT(failed, 0);
}

/* A rule that nothing fails alone is a rule that nobody tests. */
TEST(every_rule_is_failed_alone_by_some_archive)
{
    size_t n;
    const struct zip_rule *rules = zip_rules(&n);
    make();
    str all = zt_read(in_dir("expected", ".tsv"));
    for (size_t i = 0; i < n; i++) {
        char needle[100];
        snprintf(needle, sizeof needle, "\t%s\n", rules[i].id);
        bool big = strcmp(rules[i].id, "total") == 0; /* test_limits.c lowers the limit for it */
        if (str_find_str(all, str_c(needle)) < 0 && !big)
            test_fail(__FILE__, __LINE__, "no golden archive fails only %s", rules[i].id);
    }
    free((void *)(uintptr_t)all.p);
}
