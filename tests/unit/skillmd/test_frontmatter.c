#include "base/buf.h"
#include "skillmd/skillmd.h"
#include "test.h"

#include <stdio.h>

static struct arena a;
static struct error e;
static struct skillmd_report report;
static struct frontmatter fm;

static void parse(str text)
{
    arena_deinit(&a);
    arena_init(&a, KIB(256));
    CHECK_OK(skillmd_check(text, &a, &report, &e), &e);
    CHECK(!report.refused);
    fm = report.front;
}

static void parse_c(const char *text)
{
    parse(str_c(text));
}

/* The warnings as "line:column message", joined by "; ". */
static void check_warnings(const char *want)
{
    struct buf b;
    buf_init(&b, KIB(8));
    for (size_t i = 0; i < report.n_findings; i++) {
        const struct skillmd_finding *f = &report.findings[i];
        CHECK_STR(str_c(f->rule->id), STR("skill-md-front-matter"));
        buf_addf(&b, "%s%u:%u %s", i ? "; " : "", f->line, f->column, f->message);
    }
    CHECK_STR(buf_view(&b), str_c(want));
    buf_deinit(&b);
}

/* A whole front matter with one more line. */
static void parse_with(const char *line)
{
    static char text[8192];
    (void)snprintf(text, sizeof text, "---\nname: calc\ndescription: Adds.\n%s\n---\nbody\n", line);
    parse_c(text);
}

TEST(a_complete_one_is_read)
{
    parse_c("---\n"
            "name: pdf-tools\n"
            "description: \"Reads: PDFs.\"\n"
            "license: Apache-2.0\n"
            "compatibility: needs python3\n"
            "metadata:\n"
            "  author: ada\n"
            "  version: \"1.0\"\n"
            "allowed-tools: Bash(git:*) Read\n"
            "---\n"
            "# Body\n");
    check_warnings("");
    CHECK(fm.present);
    CHECK_STR(fm.name, STR("pdf-tools"));
    CHECK_STR(fm.description, STR("Reads: PDFs."));
    CHECK_STR(fm.license, STR("Apache-2.0"));
    CHECK_STR(fm.compatibility, STR("needs python3"));
    CHECK_STR(fm.allowed_tools, STR("Bash(git:*) Read"));
    CHECK_INT(fm.n_metadata, 2);
    CHECK_STR(fm.metadata[0].key, STR("author"));
    CHECK_STR(fm.metadata[1].value, STR("1.0"));
}

TEST(none_is_fine)
{
    static const char *const none[] = {
        "# Title\n", "--\nname: x\n--\n",  "\n---\nname: x\n---\n", "----\nname: x\n----\n",
        " ---\n",    "---\rname: x\r---\r"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        parse_c(none[i]);
        CHECK(!fm.present);
        check_warnings("");
    }
}

TEST(byte_order_mark_carriage_returns_and_blanks_after_the_fence)
{
    parse_c("\xef\xbb\xbf--- \r\nname: calc\r\ndescription: d\r\n---\t\r\nbody");
    check_warnings("");
    CHECK_STR(fm.name, STR("calc"));
    CHECK_STR(fm.description, STR("d"));
}

TEST(what_is_missing_is_told_at_the_first_line)
{
    parse_c("---\nname: x\n---\n");
    check_warnings("1:1 the front matter has no description");
    parse_c("\xef\xbb\xbf---\n---\n");
    check_warnings("1:1 the front matter has no name; 1:1 the front matter has no description");
    parse_c("---\n# only a comment\n---\n");
    check_warnings("1:1 the front matter has no name; 1:1 the front matter has no description");
    parse_c("---\nname: x\n");
    check_warnings("1:1 the front matter is not closed by a line of three hyphens");
    CHECK(fm.present);
    CHECK_STR(fm.name, STR(""));
    parse_c("---");
    check_warnings("1:1 the front matter is not closed by a line of three hyphens");
}

TEST(names_outside_the_rule_are_told)
{
    static const char *const bad[] = {"''", "Calc", "a_b", "-a",
                                      "a-", "a--b", "a b", "\"\\u00e9\""};
    static const char *const good[] = {"a", "0", "a-b-c", "x1", "z9", "true"};
    static const char *const all =
        "2:7 name should be 1 to 64 of a-z, 0-9 and single hyphens inside";
    char text[300];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        (void)snprintf(text, sizeof text, "---\nname: %s\ndescription: d\n---\n", bad[i]);
        parse_c(text);
        check_warnings(all);
    }
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        (void)snprintf(text, sizeof text, "---\nname: %s\ndescription: d\n---\n", good[i]);
        parse_c(text);
        check_warnings("");
        CHECK_STR(fm.name, str_c(good[i]));
    }
    for (int n = 64; n <= 65; n++) {
        (void)snprintf(text, sizeof text, "---\nname: %0*d\ndescription: d\n---\n", n, 0);
        parse_c(text);
        check_warnings(n == 64 ? "" : all);
    }
}

/* "description: ééé…" of n characters and the like. */
static void parse_long(const char *field, int n)
{
    struct buf b;
    buf_init(&b, KIB(8));
    buf_addf(&b, "---\nname: x\n%s%s: \"", field[0] == 'd' ? "" : "description: d\n", field);
    for (int i = 0; i < n; i++)
        buf_add_c(&b, "é");
    buf_add_c(&b, "\"\n---\n");
    parse(buf_view(&b));
    buf_deinit(&b);
}

TEST(lengths_count_characters)
{
    parse_long("description", 1);
    check_warnings("");
    parse_long("description", 1024);
    check_warnings("");
    parse_long("description", 1025);
    check_warnings("3:14 description should have 1 to 1024 characters");
    parse_long("description", 0);
    check_warnings("3:14 description should have 1 to 1024 characters");
    parse_long("compatibility", 500);
    check_warnings("");
    parse_long("compatibility", 501);
    check_warnings("4:16 compatibility should have 1 to 500 characters");
    parse_long("compatibility", 0);
    check_warnings("4:16 compatibility should have 1 to 500 characters");
    parse_long("license", 2000);
    check_warnings("");
}

TEST(other_shapes_are_told_and_skipped)
{
    parse_with("license: [a, {b: c}]");
    check_warnings("4:10 license should be a text");
    parse_with("allowed-tools:\n  - Read\n  - Write");
    check_warnings("5:3 allowed-tools should be a text of names between spaces");
    parse_with("compatibility: {a: b}");
    check_warnings("4:16 compatibility should be a text");
    parse_with("metadata: text");
    check_warnings("4:11 metadata should be a map of texts");
    parse_with("metadata:\n  a: [1, 2]\n  [x, y]: z\n  b: c");
    check_warnings("5:6 the values of metadata should be texts; "
                   "6:3 the keys of metadata should be texts");
    CHECK_INT(fm.n_metadata, 1);
    CHECK_STR(fm.metadata[0].key, STR("b"));
    parse_with("? {complex: key}\n: value");
    check_warnings("4:3 the fields of the front matter should be named by texts");
    parse_c("---\nname: [x]\ndescription: {d: e}\n---\n");
    check_warnings("2:7 name should be a text; 3:14 description should be a text");
    CHECK_STR(fm.name, STR(""));
}

TEST(unknown_fields_are_named)
{
    parse_with("homepage: {deep: [1, 2, {x: y}]}\nlicense: MIT");
    check_warnings("4:1 the specification knows no field \"homepage\"; "
                   "metadata is the place for it");
    CHECK_STR(fm.license, STR("MIT"));
    parse_with("\"a\\e[31m\\\"\\u202e\": x");
    check_warnings("4:1 the specification knows no field \"a\\x1b[31m\\\"\\u{202e}\"; "
                   "metadata is the place for it");
    parse_with("<<: x");
    check_warnings("4:1 the specification knows no field \"<<\"; metadata is the place for it");
}

TEST(of_two_fields_the_first_one_counts)
{
    parse_with("name: again");
    check_warnings("4:1 the field \"name\" is there twice; the first one counts");
    CHECK_STR(fm.name, STR("calc"));
    CHECK_STR(fm.description, STR("Adds."));
    parse_with("metadata: {a: b}\nmetadata: {c: d}");
    check_warnings("5:1 the field \"metadata\" is there twice; the first one counts");
    CHECK_INT(fm.n_metadata, 1);
    parse_with("metadata:\n  a: b\n  c: d\n  a: e\n  \"\\x63\": [f]\n  A: g\n  '': h");
    check_warnings("7:3 metadata has the key \"a\" twice; the first one counts; "
                   "8:3 metadata has the key \"c\" twice; the first one counts");
    CHECK_INT(fm.n_metadata, 4);
    CHECK_STR(fm.metadata[0].value, STR("b"));
    CHECK_STR(fm.metadata[1].value, STR("d"));
    CHECK_STR(fm.metadata[3].value, STR("h"));
}

TEST(scalars_are_texts_whatever_a_schema_makes_of_them)
{
    static const char *const plain[] = {"1.0", "0x1F", "true", "null", "~", "2026-01-25", ".inf"};
    char text[64];
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        (void)snprintf(text, sizeof text, "metadata:\n  %s: %s", plain[i], plain[i]);
        parse_with(text);
        check_warnings("");
        CHECK_STR(fm.metadata[0].key, str_c(plain[i]));
        CHECK_STR(fm.metadata[0].value, str_c(plain[i]));
    }
    parse_with("metadata: {a: , b: ''}");
    check_warnings("");
    CHECK_STR(fm.metadata[0].value, STR(""));
    CHECK_INT(fm.n_metadata, 2);
}

TEST(places_count_characters_and_all_bytes)
{
    parse_c("---\nname: x\ndescription: é\n\"é\": 1\n---\n");
    check_warnings(
        "4:1 the specification knows no field \"\\u{e9}\"; metadata is the place for it");
    CHECK_INT(report.findings[0].offset, 28);
    parse_c("---\r\nname: x\r\ndescription: {é: [é]}\r\nlicense: []\r\n---\r\n");
    check_warnings("3:14 description should be a text; 4:10 license should be a text");
    CHECK_INT(report.findings[0].offset, 27);
    CHECK_INT(report.findings[1].offset, 48);
}

TEST(what_is_no_map_is_told)
{
    parse_c("---\n- a\n- b\n---\n");
    check_warnings("2:1 the front matter should be a map");
    parse_c("---\ntext\n---\n");
    check_warnings("2:1 the front matter should be a map");
}

TEST(what_is_no_yaml_is_told_where_it_ends)
{
    parse_c("---\nname: 'x\n---\n");
    check_warnings("3:1 the front matter is not valid YAML: found unexpected end of stream");
    parse_c("---\nname: x\ndescription: Adds: numbers\n---\n");
    check_warnings("3:18 the front matter is not valid YAML: "
                   "mapping values are not allowed in this context");
    CHECK_STR(fm.name, STR("x"));
    parse_c("---\nlicense: x\n} \n---\n"); /* then nobody knows what is missing */
    CHECK_INT(report.n_findings, 1);
    CHECK_CONTAINS(str_c(report.findings[0].message), STR("not valid YAML"));
    CHECK_INT(report.findings[0].line, 3);
}

TEST(what_libyaml_cannot_read_is_told_where_it_is)
{
    arena_deinit(&a);
    arena_init(&a, KIB(256));
    CHECK_OK(skillmd_check(STR("---\nname: \xff\n---\n"), &a, &report, &e), &e);
    CHECK_INT(report.n_findings, 2); /* the other one is about the encoding */
    const struct skillmd_finding *f = &report.findings[1];
    CHECK_STR(str_c(f->message),
              STR("the front matter is not valid YAML: invalid leading UTF-8 octet"));
    CHECK_INT(f->offset, 10);
    CHECK_INT(f->line, 2);
    CHECK_INT(f->column, 7);
}

TEST(anchors_and_aliases_are_not_followed)
{
    parse_with("metadata: &m\n  a: b");
    check_warnings("4:11 the front matter uses anchors or aliases, which are not followed");
    parse_with("license: &l MIT");
    check_warnings("4:10 the front matter uses anchors or aliases, which are not followed");
    parse_with("license: *l");
    check_warnings("4:10 the front matter uses anchors or aliases, which are not followed");
    parse_with("x: &s [1]");
    CHECK_CONTAINS(str_c(report.findings[1].message), STR("anchors or aliases"));
}

TEST(an_alias_bomb_does_not_expand)
{
    parse_with("metadata:\n  a: &a [x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
               "  c: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n  d: [*c,*c,*c,*c,*c,*c,*c,*c]");
    check_warnings("5:6 the front matter uses anchors or aliases, which are not followed");
    CHECK_STR(fm.name, STR("calc"));
    CHECK_INT(fm.n_metadata, 0);
    CHECK(a.used < KIB(32));
}

TEST(tags_are_told_and_ignored)
{
    parse_with("license: !!python/object:os.system MIT");
    check_warnings("4:10 the front matter uses a tag (!...), which is not followed");
    CHECK_STR(fm.license, STR("MIT"));
    parse_with("metadata: !<tag:x> {a: !!int \"1\"}");
    check_warnings("4:11 the front matter uses a tag (!...), which is not followed; "
                   "4:24 the front matter uses a tag (!...), which is not followed");
    CHECK_STR(fm.metadata[0].value, STR("1"));
    parse_with("license: \"!!str\"");
    check_warnings("");
}

TEST(directives_are_not_read)
{
    static const char *const breaks[] = {"\n", "\r", "\r\n", "\xc2\x85", "\u2028", "\u2029"};
    char text[64];
    parse_c("---\n%YAML 1.1\n---\n");
    check_warnings("2:1 the front matter has a YAML directive (%...) and was not read");
    for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
        (void)snprintf(text, sizeof text, "---\nname: x%s%%TAG ! x\n---\n", breaks[i]);
        arena_deinit(&a);
        arena_init(&a, KIB(256));
        CHECK_OK(skillmd_check(str_c(text), &a, &report, &e), &e);
        CHECK_CONTAINS(str_c(report.findings[report.n_findings - 1].message), STR("directive"));
        CHECK_STR(report.front.name, STR(""));
    }
    parse_with("license: è% %d 100%\n#%\n %: x");
    CHECK_STR(fm.license, STR("è% %d 100%"));
}

TEST(of_two_documents_the_first_one_counts)
{
    parse_c("---\nname: x\ndescription: d\n...\n---\n");
    check_warnings("");
    parse_c("---\nname: x\ndescription: d\n--- {name: y}\n---\n");
    check_warnings("4:1 the front matter has more than one document; the first one counts");
    CHECK_STR(fm.name, STR("x"));
}

TEST(depth_is_bounded)
{
    parse_with("x: [[[[[[[1]]]]]]]"); /* the map and seven lists */
    check_warnings("4:1 the specification knows no field \"x\"; metadata is the place for it");
    parse_with("x: [[[[[[[[1]]]]]]]]");
    check_warnings("4:1 the specification knows no field \"x\"; metadata is the place for it; "
                   "4:11 the front matter is nested too deeply");
}

/* head, then before, a number of six digits and after, n times, then tail. */
static void parse_repeated(const char *head, const char *before, const char *after, int n,
                           const char *tail)
{
    struct buf b;
    buf_init(&b, MIB(1));
    buf_addf(&b, "---\nname: x\ndescription: d\n%s", head);
    for (int i = 0; i < n; i++)
        buf_addf(&b, "%s%06d%s", before, i, after);
    buf_addf(&b, "%s\n---\n", tail);
    parse(buf_view(&b));
    buf_deinit(&b);
}

TEST(the_number_of_values_is_bounded)
{
    enum { OTHERS = 13 }; /* starts, ends, the three fields and their texts */
    parse_repeated("license: [", "", ",", FRONTMATTER_EVENTS_MAX - OTHERS, "]");
    check_warnings("4:10 license should be a text");
    parse_repeated("license: [", "", ",", FRONTMATTER_EVENTS_MAX - OTHERS + 1, "]");
    CHECK_INT(report.n_findings, 2);
    CHECK_STR(str_c(report.findings[1].message), STR("the front matter holds too many values"));
}

TEST(the_number_of_metadata_entries_is_bounded)
{
    parse_repeated("metadata:\n", " k", ": v\n", 64, "license: MIT");
    check_warnings("");
    CHECK_INT(fm.n_metadata, 64);
    CHECK_STR(fm.license, STR("MIT"));
    parse_repeated("metadata:\n", " k", ": [v]\n", 65, "license: MIT");
    CHECK_INT(report.n_findings, FRONTMATTER_WARNINGS_MAX);
    parse_repeated("metadata:\n", " k", ": v\n", 70, " [k]: [v]\nlicense: MIT");
    check_warnings("69:2 metadata has more than 64 entries; the first ones count");
    CHECK_INT(fm.n_metadata, 64);
    CHECK_STR(fm.metadata[63].key, STR("k000063"));
    CHECK_STR(fm.license, STR("MIT"));
}

/* A whole front matter whose block has n bytes. */
static void parse_sized(size_t n)
{
    static const char start[] = "name: x\ndescription: d\n#";
    struct buf b;
    buf_init(&b, KIB(64));
    buf_addf(&b, "---\n%s", start);
    for (size_t i = sizeof start; i < n; i++)
        buf_add_char(&b, 'x');
    buf_add_c(&b, "\n---\n");
    parse(buf_view(&b));
    buf_deinit(&b);
}

TEST(the_length_is_bounded)
{
    parse_sized(FRONTMATTER_MAX);
    check_warnings("");
    CHECK_STR(fm.name, STR("x"));
    parse_sized(FRONTMATTER_MAX + 1);
    check_warnings("1:1 the front matter is longer than 32 KiB and was not read");
    CHECK_STR(fm.name, STR(""));
}

TEST(the_number_of_warnings_is_bounded)
{
    parse_repeated("", "x", ": y\n", 100, "");
    CHECK_INT(report.n_findings, FRONTMATTER_WARNINGS_MAX);
    CHECK_INT(report.n_dropped, 100 - FRONTMATTER_WARNINGS_MAX);
}

#define AS_READ "a value has hidden characters or a forged section once YAML is read"

TEST(what_only_yaml_makes_hidden_is_told)
{
    parse_with("license: \"MIT\\u202e\"");
    check_warnings("4:10 " AS_READ);
    parse_with("license: \"MIT\\U000E0041\"");
    check_warnings("4:10 " AS_READ);
    parse_with("license: \"MIT\\0\"");
    check_warnings("4:10 " AS_READ);
    parse_with("metadata: {\"\\e[0m\": \"\\u200b\"}");
    check_warnings("4:12 " AS_READ "; 4:21 " AS_READ);
    parse_with("license: |\n  x\n  ### SKILL: y");
    check_warnings("4:10 " AS_READ);
    parse_with("license: \"x\\n### SKILL: y\"");
    check_warnings("4:10 " AS_READ);
}

TEST(what_yaml_leaves_as_it_is_is_not_told_twice)
{
    parse_with("license: \"\\u00e9 \\t \\U0001F469\\u200D\\U0001F467 \\\\u202e\"");
    check_warnings("");
    parse_with("license: |\n  x\n   ### SKILL: y");
    check_warnings("");
    arena_deinit(&a);
    arena_init(&a, KIB(256));
    CHECK_OK(skillmd_check(STR("---\nname: x\ndescription: \"\u200b\"\n---\n"), &a, &report, &e),
             &e);
    CHECK_INT(report.n_findings, 1);
    CHECK_STR(str_c(report.findings[0].rule->id), STR("skill-md-hidden"));
}

TEST(a_full_arena_is_an_error)
{
    struct arena small;
    static char text[KIB(32)];
    (void)snprintf(text, sizeof text, "---\nname: x\ndescription: %020000d\n---\n", 1);
    for (size_t max = 0; max <= KIB(20); max += KIB(1)) {
        arena_init(&small, max);
        CHECK_ERR(skillmd_check(str_c(text), &small, &report, &e), ERR_RESOURCE_EXHAUSTED, &e);
        arena_deinit(&small);
    }
    arena_init(&small, KIB(64));
    CHECK_OK(skillmd_check(str_c(text), &small, &report, &e), &e);
    arena_deinit(&small);
}
