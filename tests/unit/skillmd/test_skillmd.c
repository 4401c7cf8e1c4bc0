#include "skillmd/skillmd.h"

#include "base/buf.h"
#include "test.h"

static struct arena a;
static struct error e;
static struct skillmd_report report;

static void check(str text)
{
    arena_deinit(&a);
    arena_init(&a, KIB(256));
    CHECK_OK(skillmd_check(text, &a, &report, &e), &e);
    CHECK(report.n_findings <= SKILLMD_FINDINGS_MAX);
}

static void check_text_rule(str text, const char *message, unsigned line, unsigned column)
{
    check(text);
    CHECK(report.refused);
    CHECK_STR(str_c(report.findings[0].rule->id), STR("skill-md-text"));
    CHECK_STR(str_c(report.findings[0].message), str_c(message));
    CHECK_INT(report.findings[0].line, line);
    CHECK_INT(report.findings[0].column, column);
}

TEST(every_rule_says_all_there_is_to_say)
{
    static const char *const ids[] = {"skill-md-text", "skill-md-front-matter", "skill-md-hidden",
                                      "skill-md-bidi", "skill-md-tags",         "skill-md-forgery"};
    size_t n;
    const struct skillmd_rule *rules = skillmd_rules(&n);
    CHECK_INT(n, ARRAY_SIZE(ids));
    for (size_t i = 0; i < n; i++) {
        CHECK_STR(str_c(rules[i].id), str_c(ids[i]));
        CHECK(rules[i].title[0] && rules[i].stops[0] && rules[i].advice[0]);
    }
}

TEST(a_good_text_has_no_findings)
{
    check(STR("---\nname: calc\ndescription: Adds.\n---\n# Calc\n"));
    CHECK_INT(report.n_findings, 0);
    CHECK_INT(report.n_dropped, 0);
    CHECK(!report.refused);
    CHECK(report.front.present);
    CHECK_STR(report.front.name, STR("calc"));
    CHECK(!skillmd_reason(&report, &a));
    check(STR("x"));
    CHECK_INT(report.n_findings, 0);
    CHECK(!report.front.present);
}

TEST(the_size_is_bounded)
{
    struct buf b;
    buf_init(&b, MIB(2));
    buf_add_zero(&b, SKILLMD_MAX);
    memset(b.p, 'x', b.len);
    check(buf_view(&b));
    CHECK(!report.refused);
    buf_add_char(&b, 'x');
    check_text_rule(buf_view(&b), "SKILL.md too large (max: 1048576 bytes)", 0, 0);
    CHECK_INT(report.n_findings, 1);
    CHECK_STR(str_c(skillmd_reason(&report, &a)),
              STR("SKILL.md too large (max: 1048576 bytes) [skill-md-text]"));
    buf_deinit(&b);
    check_text_rule(STR(""), "SKILL.md is empty", 0, 0);
    check_text_rule(STR_NULL, "SKILL.md is empty", 0, 0);
}

TEST(what_is_not_utf8_is_told_once_and_the_rest_is_read)
{
    check_text_rule(STR("a\nb\xff\xfe\xc0\x80\xed\xa0\x80 \u202e"), "SKILL.md is not valid UTF-8",
                    2, 2);
    CHECK_INT(report.n_findings, 2);
    CHECK_INT(report.findings[0].offset, 3);
    CHECK_STR(str_c(report.findings[1].rule->id), STR("skill-md-bidi"));
    CHECK_INT(report.findings[1].column, 10);
    check_text_rule(STR("cut \xe6\xbc"), "SKILL.md is not valid UTF-8", 1, 5);
    CHECK_INT(report.n_findings, 1);
}

TEST(nul_is_told_once)
{
    check_text_rule(STR("a\0b\0\0"), "SKILL.md has a NUL byte", 1, 2);
    CHECK_INT(report.n_findings, 1);
}

TEST(the_reason_names_the_first_that_refuses)
{
    check(STR("a\u200b\nb\u202ec"));
    CHECK_INT(report.n_findings, 2);
    CHECK_STR(str_c(skillmd_reason(&report, &a)),
              STR("bidirectional override U+202E (RIGHT-TO-LEFT OVERRIDE) in \"b\\u{202e}c\"; "
                  "remove it [skill-md-bidi] at line 2, column 2"));
    check(STR("a\u202eb\u202dc\n### SKILL: x"));
    CHECK_CONTAINS(str_c(skillmd_reason(&report, &a)),
                   STR("[skill-md-bidi] at line 1, column 2 (and 2 more)"));
}

TEST(front_matter_and_hidden_text_come_in_order)
{
    check(STR("---\nname: X\ndescription: a\u200bb\nhomepage: c\n---\n\u202e\n"));
    static const struct {
        unsigned line, column;
        const char *id;
    } want[] = {{2, 7, "skill-md-front-matter"},
                {3, 15, "skill-md-hidden"},
                {4, 1, "skill-md-front-matter"},
                {6, 1, "skill-md-bidi"}};
    CHECK_INT(report.n_findings, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        CHECK_STR(str_c(report.findings[i].rule->id), str_c(want[i].id));
        CHECK_INT(report.findings[i].line, want[i].line);
        CHECK_INT(report.findings[i].column, want[i].column);
    }
    CHECK_STR(report.front.name, STR("X"));
}

TEST(what_refuses_last_is_kept)
{
    struct buf b;
    buf_init(&b, MIB(1));
    for (int i = 0; i < 1000; i++)
        buf_add_c(&b, "a\u200b\n");
    buf_add_c(&b, "### SKILL: x\n");
    check(buf_view(&b));
    CHECK(report.refused);
    CHECK_INT(report.n_findings, SKILLMD_FINDINGS_MAX);
    CHECK_INT(report.n_dropped, 901);
    CHECK_STR(str_c(report.findings[99].rule->id), STR("skill-md-forgery"));
    CHECK_INT(report.findings[99].line, 1001);
    buf_deinit(&b);
}

TEST(a_full_arena_is_an_error)
{
    struct arena small;
    str text = STR("---\nname: calc\ndescription: Adds.\nx: y\n---\n\u202e\n\u200b");
    bool enough = false;
    for (size_t max = 0; max <= KIB(64) && !enough; max += 512) {
        arena_init(&small, max);
        enum err err = skillmd_check(text, &small, &report, &e);
        CHECK(err == ERR_OK || err == ERR_RESOURCE_EXHAUSTED);
        enough = err == ERR_OK;
        CHECK(!enough || report.n_findings == 3);
        arena_deinit(&small);
    }
    CHECK(enough);
}

/* --- time: what is quadratic would not end within a test's time --- */

/* SKILLMD_MAX bytes of head and as many units as fit. */
static void check_repeated(str head, str unit)
{
    struct buf b;
    buf_init(&b, SKILLMD_MAX);
    buf_add(&b, head);
    while (b.len + unit.len <= SKILLMD_MAX)
        buf_add(&b, unit);
    check(buf_view(&b));
    CHECK(a.used <= KIB(256));
    buf_deinit(&b);
}

TEST(the_worst_texts_take_linear_time)
{
    static const str units[] = {
        STR("\n"),           STR("#"),      STR("###\n"),         STR("### SKILL:\n"),
        STR("\v"),           STR("\0"),     STR("\xff"),          STR("\x1b"),
        STR("\U000e0061"),   STR("\u200d"), STR("a\u200d"),       STR("\n\u200b"),
        STR("\u0301"),       STR("\ufe01"), STR("\U0001f3f4"),    STR("\U0001f469\u200d"),
        STR("\u0628\u200c"), STR("\u202e"), STR("a\u202eb\ufe0f")};
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        check_repeated(STR(""), units[i]);
        check_repeated(STR("\u200b"), units[i]);
        check_repeated(STR("\U0001f3f4"), units[i]);
    }
}

/* A block of just below FRONTMATTER_MAX bytes: half of it first, then `then`. */
static void check_block(str first, str then)
{
    struct buf b;
    buf_init(&b, KIB(64));
    buf_add_c(&b, "---\n");
    while (b.len < FRONTMATTER_MAX / 2)
        buf_add(&b, first);
    while (b.len + then.len < FRONTMATTER_MAX)
        buf_add(&b, then);
    buf_add_c(&b, "\n---\n");
    check(buf_view(&b));
    CHECK(a.used <= KIB(256));
    buf_deinit(&b);
}

TEST(the_worst_front_matter_takes_little_time)
{
    static const str units[] = {STR("["),   STR("{"),           STR("? "),    STR("- "),
                                STR("a: "), STR(" "),           STR("\n"),    STR("# "),
                                STR("'"),   STR("\""),          STR("a\n"),   STR("\\n"),
                                STR("%a "), STR("\n%TAG !a b"), STR("- |\n"), STR("&a "),
                                STR("*a,"), STR("!t "),         STR("---\n"), STR("a: b\n")};
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        for (size_t j = 0; j < ARRAY_SIZE(units); j++)
            check_block(units[i], units[j]);
}
