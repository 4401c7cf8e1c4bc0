#include "skillmd/collect.h"
#include "test.h"

static struct arena a;
static struct error e;
static struct collect found;
static struct skillmd_report report;

static void start(void)
{
    arena_init(&a, KIB(256));
    collect_init(&found, &a);
    report = (struct skillmd_report){0};
}

static void add(bool refuses, uint64_t offset, const char *message)
{
    struct place at = {.offset = offset, .line = 1, .column = 1};
    collect_say(&found, collect_add(&found, SKILLMD_RULE_HIDDEN, refuses, &at), "%s", message);
}

static void finish(void)
{
    CHECK_OK(collect_finish(&found, &report, &e), &e);
    for (size_t i = 1; i < report.n_findings; i++)
        CHECK(report.findings[i - 1].offset <= report.findings[i].offset);
}

TEST(nothing_found_is_an_empty_report)
{
    start();
    finish();
    CHECK_INT(report.n_findings, 0);
    CHECK_INT(report.n_dropped, 0);
    CHECK(!report.refused);
    CHECK_INT(a.used, 0);
    arena_deinit(&a);
}

TEST(findings_come_in_order_of_offset)
{
    start();
    add(false, 7, "d");
    add(true, 9, "e");
    add(false, 3, "a");
    add(true, 7, "c"); /* of two at one place, what refuses is first */
    add(false, 5, "b");
    finish();
    CHECK_INT(report.n_findings, 5);
    CHECK_INT(report.n_dropped, 0);
    CHECK(report.refused);
    static const char *const want[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++)
        CHECK_STR(str_c(report.findings[i].message), str_c(want[i]));
    arena_deinit(&a);
}

TEST(what_is_about_the_whole_text_has_no_place)
{
    start();
    collect_say(&found, collect_add(&found, SKILLMD_RULE_TEXT, true, NULL), "%s", "whole");
    finish();
    CHECK_INT(report.findings[0].offset, 0);
    CHECK_INT(report.findings[0].line, 0);
    CHECK_INT(report.findings[0].column, 0);
    arena_deinit(&a);
}

TEST(a_hundred_are_kept_and_the_others_counted)
{
    start();
    for (unsigned i = 0; i < SKILLMD_FINDINGS_MAX; i++)
        add(false, i, "x");
    finish();
    CHECK_INT(report.n_findings, SKILLMD_FINDINGS_MAX);
    CHECK_INT(report.n_dropped, 0);
    add(false, 1000, "x");
    finish();
    CHECK_INT(report.n_findings, SKILLMD_FINDINGS_MAX);
    CHECK_INT(report.n_dropped, 1);
    CHECK(!report.refused);
    CHECK_INT(report.findings[99].offset, 99);
    arena_deinit(&a);
}

TEST(what_refuses_is_not_dropped_for_warnings)
{
    start();
    for (unsigned i = 0; i < 2 * SKILLMD_FINDINGS_MAX; i++)
        add(false, i, "warning");
    add(true, 5000, "late");
    add(true, 50, "early");
    finish();
    CHECK_INT(report.n_findings, SKILLMD_FINDINGS_MAX);
    CHECK_INT(report.n_dropped, SKILLMD_FINDINGS_MAX + 2);
    CHECK(report.refused);
    CHECK_STR(str_c(report.findings[99].message), STR("late"));
    CHECK_STR(str_c(report.findings[50].message), STR("early"));
    CHECK_INT(report.findings[98].offset, 97);
    for (unsigned i = 0; i < SKILLMD_FINDINGS_MAX; i++)
        add(true, i, "refusal");
    finish();
    CHECK_INT(report.n_findings, SKILLMD_FINDINGS_MAX);
    for (unsigned i = 0; i < SKILLMD_FINDINGS_MAX; i++)
        CHECK(report.findings[i].refuses);
    arena_deinit(&a);
}

TEST(without_an_arena_findings_are_counted)
{
    struct place at = {0};
    collect_init(&found, NULL);
    CHECK(!collect_add(&found, SKILLMD_RULE_HIDDEN, false, &at));
    CHECK(!collect_add(&found, SKILLMD_RULE_HIDDEN, true, &at));
    CHECK_INT(found.n_all, 2);
    CHECK(found.refused);
}

TEST(long_messages_are_cut)
{
    char text[2 * SKILLMD_MESSAGE_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    start();
    add(false, 0, text);
    finish();
    CHECK_INT(strlen(report.findings[0].message), SKILLMD_MESSAGE_MAX);
    arena_deinit(&a);
}
