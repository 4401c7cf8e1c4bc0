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

/* The list of all cases, a line each; to be freed. */
static str expected(const char *arguments)
{
    char command[200];
    snprintf(command, sizeof command, "\"${PYTHON:-/usr/bin/python3}\" \"$GOLDEN\"/zip/make.py %s",
             arguments);
    CHECK(zt_run(command));
    return zt_read(in_dir("expected", ".tsv"));
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
    str all = expected("\"$DIR\""), rest = all, line, name, want;
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
    CHECK(n > 2000);
    CHECK_INT(failed, 0);
}

/* Whether a line begins so and, when end is given, ends so. */
static bool has_line(str all, const char *begin, const char *end)
{
    str line;
    while (all.len) {
        (void)str_cut(all, '\n', &line, &all);
        if (str_starts_with(line, str_c(begin)) && str_ends_with(line, str_c(end)))
            return true;
    }
    return false;
}

/* A rule that nothing fails alone, and that nothing comes close to, is a rule that nobody tests. */
TEST(every_rule_is_failed_alone_and_nearly_missed)
{
    size_t n;
    const struct zip_rule *rules = zip_rules(&n);
    str all = expected("--expected >\"$DIR\"/expected.tsv");
    for (size_t i = 0; i < n; i++) {
        char fails[100], near[100], alone[100];
        snprintf(fails, sizeof fails, "%s.", rules[i].id);
        snprintf(near, sizeof near, "%s.near-", rules[i].id);
        snprintf(alone, sizeof alone, "\t%s", rules[i].id);
        if (!has_line(all, fails, alone))
            test_fail(__FILE__, __LINE__, "no golden archive fails only %s", rules[i].id);
        if (!has_line(all, near, "\t"))
            test_fail(__FILE__, __LINE__, "no golden archive nearly fails %s", rules[i].id);
    }
    free((void *)(uintptr_t)all.p);
}
